"""The form for a case: the loader takes what it gives, problems stand at their fields, nothing is kept."""

import io
import re
import shutil
from datetime import date
from zipfile import ZipFile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from layers import catalog
from layers.errors import BadInstance
from layers.sources import drafts
from layers.sources import instance as sources
from layers.sources import texts as readers
from tests import make
from tests.webmap import site

TODAY = date(2026, 11, 22)
SECTIONS = {
    "cases": {
        key: {"et": f"Osa {key}", "en": f"Part {key}"}
        for key in ("context", "roles", "done", "results", "contact", "lasting", "carry", "evidence")
    }
}
LONG = "In 2019 the village had twenty thefts from yards. " * 4
FILLED = {
    "title-en": "Lake village: twelve households",
    "summary-en": "A watch that lasted three years.",
    "theme": "watch",
    "outcome": "mixed",
    "stage": "described",
    "area": "county:02",
    "place": "teine",
    "from": "2018",
    "to": "2021-05",
    "parties": ["police", "residents"],
    "practice": ["alpha", ""],
    "adaptation-en": ["It was: done “otherwise” # here ---", ""],
    "source_title": ["The paper, 2021", "A page"],
    "source_url": ["https://example.org/a", "https://example.org/b"],
    "source_date": ["2021-05", ""],
    "source_undated": ["1"],
    **{f"part-{key}-en": LONG for key in SECTIONS["cases"]},
}


def a_folder(folder):
    """A country whose cases have parts."""
    make.an_instance(folder, sections=SECTIONS)
    for key, county in (("first-case", "01"), ("second-case", "02")):
        for language in ("et", "en"):
            file = folder / f"cases/{key}.{language}.md"
            _, front, _ = file.read_text(encoding="utf-8").split("---\n", 2)
            more = f"areas: ['county:{county}']\n" if "areas:" not in front and language == "et" else ""
            text = "".join(f"## {words[language]}\nTold.\n\n" for words in SECTIONS["cases"].values())
            make.write(folder, f"cases/{key}.{language}.md", f"---\n{front}{more}---\n{text}")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return a_folder(tmp_path_factory.mktemp("form") / "tiny")


@pytest.fixture(scope="module")
def visitor(folder, tmp_path_factory):
    with site.a_site(folder, tmp_path_factory.mktemp("state")) as app:
        yield app.test_client(use_cookies=False)


def send(visitor, do="check", language="en", part="", **changes):
    return visitor.post(f"/{language}/cases/new{part}", data={**FILLED, "do": do, **changes})


def wrong(answer):
    """The problems on a page: field -> what is said there."""
    found = re.findall(r'<ul class="wrong" id="wrong-([^"]+)">(.*?)</ul>', answer.text, re.S)
    return {name: re.findall(r"<li>(.*?)</li>", said, re.S) for name, said in found}


def test_the_form_asks_for_exactly_the_parts_of_the_instance(visitor):
    page = visitor.get("/en/cases/new")

    assert re.findall(r'name="part-([a-z]+)-en"', page.text) == list(SECTIONS["cases"])
    assert [f"Part {key}" in page.text for key in SECTIONS["cases"]] == [True] * 8
    assert wrong(page) == {}
    assert "/en/cases/new" in site.look(visitor, "/en/cases/").links


def test_what_the_form_gives_is_taken_by_the_loader_and_shown_once_published(visitor, folder, tmp_path):
    answer = send(visitor, "file")
    name = re.search(r'filename="(.+)"', answer.headers["Content-Disposition"])[1]

    assert (answer.status_code, answer.mimetype) == (200, "text/markdown")
    assert name == "lake-village-twelve-households.en.md"
    row = readers.case(name, answer.text, instance=catalog.read_instance(folder), today=TODAY).held[0]
    assert (row.values["settlement"], row.values["county"]) == ("1002", "02")
    assert row.values["geom"] is not None
    assert row.links["practices"][0]["adaptation"] == {"en": FILLED["adaptation-en"][0]}
    assert row.values["as_of"] == "2021-05"

    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    make.write(copy, f"cases/{name}", answer.text)
    with site.a_site(copy, tmp_path / "one") as app:
        assert app.test_client().get("/en/cases/lake-village-twelve-households").status_code == 404
    whole = answer.text.replace('state: "review"', "state: published")
    for part, words in SECTIONS["cases"].items():
        assert f"## Part {part}" in whole
        whole = whole.replace(f"## {words['en']}", f"## {words['et']}")
    make.write(copy, f"cases/{name.replace('.en.', '.et.')}", whole)
    with site.a_site(copy, tmp_path / "two") as app:
        page = app.test_client().get("/en/cases/lake-village-twelve-households")
    assert page.status_code == 200
    assert FILLED["title-en"] in page.text
    assert page.text.count("twenty thefts") >= 8


def test_what_is_sent_leaves_nothing_behind(visitor, folder):
    before = sorted(folder.rglob("*"))
    answer = send(visitor, "file")

    assert answer.headers["Cache-Control"] == "no-store"
    assert sorted(folder.rglob("*")) == before
    assert FILLED["summary-en"] not in visitor.get("/en/cases/new").text


def test_a_preview_shows_the_text_and_the_measure(visitor):
    answer = send(visitor)

    assert wrong(answer) == {}
    assert 'id="preview"' in answer.text
    assert "3.5 of 4" in answer.text


BROKEN = {
    "title": ({"title-en": ""}, "title-en"),
    "phone": ({"part-context-en": "Call 5551 2345."}, "part-context-en"),
    "mail": ({"summary-en": "Write to a.b@example.org"}, "summary-en"),
    "source contact": ({"source_title": ["Jaan +372 5551 2345", "A page"]}, "source-0"),
    "place": ({"place": "Kalda 5"}, "place"),
    "part": ({"part-lasting-en": " \n"}, "part-lasting-en"),
    "heading": ({"part-done-en": "So.\n## Part done\nMore."}, "part-done-en"),
    "link": ({"part-carry-en": "See [it](case:nothing)."}, "part-carry-en"),
    "theme": ({"theme": "nothing"}, "theme"),
    "area": ({"area": "county:99"}, "area"),
    "parties": ({"parties": []}, "parties"),
    "practice": ({"practice": ["", ""], "adaptation-en": ["", ""]}, "practice"),
    "twice": ({"practice": ["alpha", "alpha"]}, "practice"),
    "form of date": ({"from": "May 2018"}, "from"),
    "future": ({"to": "2099"}, "to"),
    "order": ({"to": "2010"}, "to"),
    "no source": ({"source_title": [], "source_url": [], "source_date": []}, "source-0"),
    "address": ({"source_url": ["https://example.org", "javascript:alert(1)"]}, "source-1"),
    "undated": ({"source_undated": []}, "source-1"),
    "long": ({"part-roles-en": "word " * 2000}, "part-roles-en"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_problem_stands_at_its_field_and_no_file_is_given(visitor, case):
    changes, field = BROKEN[case]
    answer = send(visitor, "file", **changes)

    assert answer.status_code == 422
    assert list(wrong(answer)) == [field]
    assert f'href="#{"parties-field" if field == "parties" else field}"' in answer.text
    assert LONG.strip() in answer.text
    assert "{" not in "".join(wrong(answer)[field])


def test_all_problems_are_told_at_once_and_nothing_is_lost(visitor):
    answer = send(visitor, theme="", **{"title-en": "", "part-done-en": "<script>x</script> ## 5551 2345"})

    assert list(wrong(answer)) == ["theme", "title-en", "part-done-en"]
    assert re.findall(r'<li><a href="#([^"]+)">([^<]+)</a>', answer.text) == [
        ("theme", "Theme"),
        ("title-en", "Title (English)"),
        ("part-done-en", "Part done (English)"),
    ]
    assert "&lt;script&gt;x&lt;/script&gt; ## 5551 2345" in answer.text
    assert 'value="https://example.org/b"' in answer.text


def test_another_source_has_a_row_of_its_own(visitor):
    assert send(visitor, "check").text.count('class="source"') == 3
    assert send(visitor, "more").text.count('class="source"') == 4


def test_the_measure_alone_is_given_to_the_script(visitor):
    answer = send(visitor, part="?part=1", **{"part-lasting-en": ""})

    assert "<html" not in answer.text
    assert answer.text.count('class="met"') + answer.text.count('class="partly"') == 4
    assert "Tell why it lasted or why it ended." in answer.text


def test_every_language_shows_the_form(client):
    for language in ("et", "en", "ru"):
        assert client.get(f"/{language}/cases/new").status_code == 200
    page = client.get("/ru/cases/new").text
    tongues = re.findall(r'<details class="tongue"( open)?>(.*?)</details>', page, re.S)
    asked = [
        (bool(is_open), re.findall(r'name="([a-z]+(?:-[a-z]+)?)-(\w\w)"', text)) for is_open, text in tongues
    ]
    assert [is_open for is_open, _ in asked] == [True, False, False]
    assert [{tongue for _, tongue in names} for _, names in asked] == [{"et"}, {"en"}, {"ru"}]
    assert {name for name, _ in asked[0][1]} == {name for name, _ in asked[1][1]} > {"title", "part-context"}
    assert {name for name, _ in asked[2][1]} == {"title", "summary", "adaptation"}


def unpacked(answer):
    with ZipFile(io.BytesIO(answer.data)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


ESTONIAN = {
    "title-et": "Järveküla: kaksteist majapidamist",
    "summary-et": "Valve, mis kestis kolm aastat.",
    "adaptation-et": ["Tehti: teisiti", ""],
    **{f"part-{key}-et": f"2019. aastal oli külas kakskümmend vargust. {key}" for key in SECTIONS["cases"]},
}


def test_two_languages_are_two_files_of_one_case_that_the_loader_takes(visitor, folder, tmp_path):
    answer = send(visitor, "file", **ESTONIAN)
    files = unpacked(answer)

    assert answer.headers["Content-Disposition"] == (
        'attachment; filename="jarvekula-kaksteist-majapidamist.zip"'
    )
    assert list(files) == [f"jarvekula-kaksteist-majapidamist.{one}.md" for one in ("et", "en")]
    assert send(visitor, "file", **ESTONIAN).data == answer.data
    read = readers.case_in(files, instance=catalog.read_instance(folder), today=TODAY)
    assert read.problems == ()
    (row,) = read.held
    assert row.values["titles"] == {"et": ESTONIAN["title-et"], "en": FILLED["title-en"]}
    assert row.values["summaries"] == {"et": ESTONIAN["summary-et"], "en": FILLED["summary-en"]}
    assert row.links["practices"][0]["adaptation"] == {
        "et": "Tehti: teisiti",
        "en": FILLED["adaptation-en"][0],
    }
    assert not [note for note in read.notes if "There is no text" in note.what]

    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    for name, text in files.items():
        make.write(copy, f"cases/{name}", text.replace('state: "review"', "state: published"))
    with site.a_site(copy, tmp_path / "state") as app:
        pages = {
            tongue: app.test_client().get(f"/{tongue}/cases/jarvekula-kaksteist-majapidamist").text
            for tongue in ("et", "en")
        }
    assert pages["et"].count("kakskümmend vargust") >= 8
    assert "twenty thefts" not in pages["et"]
    assert pages["en"].count("twenty thefts") >= 8
    assert "kakskümmend" not in pages["en"]


def test_a_language_that_is_begun_is_written_to_the_end(visitor):
    answer = send(visitor, "file", **{"title-et": "Järveküla"})

    assert answer.status_code == 422
    assert set(wrong(answer)) == {"summary-et", *(f"part-{key}-et" for key in SECTIONS["cases"])}
    assert answer.text.count('<details class="tongue" open>') == 2


def test_a_draft_in_the_other_language_alone_carries_the_facts(visitor, folder):
    alone = {name.replace("-en", "-et"): value for name, value in FILLED.items() if name.endswith("-en")}
    answer = send(visitor, "file", **{**dict.fromkeys((n for n in FILLED if n.endswith("-en")), ""), **alone})

    assert answer.mimetype == "text/markdown"
    read = readers.case("lake.et.md", answer.text, instance=catalog.read_instance(folder), today=TODAY)
    assert (read.problems, read.held[0].values["titles"]) == ((), {"et": FILLED["title-en"]})


def test_a_preview_shows_every_language_in_its_own(visitor):
    page = send(visitor, **ESTONIAN).text

    assert re.findall(r'<section class="preview" lang="(\w+)">', page) == ["et", "en"]
    assert wrong(send(visitor, **ESTONIAN)) == {}


def test_a_language_of_summaries_needs_no_more(client):
    page = client.get("/en/cases/new").text
    practice = re.search(r'name="practice".*?<option value="([a-z-]+)"', page, re.S)[1]
    facts = {"area": "", "place": "", "theme": "watch", "parties": ["police"], "practice": [practice]}
    russian = {"title-ru": "Озёрная деревня", "summary-ru": "Дозор, который длился три года."}
    data = {**FILLED, **facts, **russian, "do": "file"}
    answer = client.post("/en/cases/new", data=data)

    files = unpacked(answer)
    assert list(files) == [f"lake-village-twelve-households.{one}.md" for one in ("en", "ru")]
    assert files["lake-village-twelve-households.ru.md"] == (
        '---\ntitle: "Озёрная деревня"\nsummary: "Дозор, который длился три года."\n---\n\n'
    )


_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
_AWKWARD = st.one_of(
    _TEXTS, st.sampled_from(["---", "a: b", "# x", "\u2028---\n", "'\"\\", "- x", "\x85\ufeff"])
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_AWKWARD, _AWKWARD, _AWKWARD)
def test_whatever_the_form_accepts_the_loader_accepts(visitor, folder, title, part, source):
    changes = {"title-en": title, "part-done-en": part, "source_title": [source, "A page"]}
    answer = send(visitor, "file", **changes)

    if answer.status_code == 422:
        assert wrong(answer) != {}
    else:
        name = re.search(r'filename="(.+)"', answer.headers["Content-Disposition"])[1]
        read = readers.case(name, answer.text, instance=catalog.read_instance(folder), today=TODAY)
        assert (read.problems, len(read.held)) == ((), 1)


def test_a_key_is_made_of_the_title_and_is_new():
    assert drafts.key("Õuna küla: 12 majapidamist!") == "ouna-kula-12-majapidamist"
    assert drafts.key("Хаапсалу") == "haapsalu"
    assert drafts.key("…") == "case"
    assert drafts.key("New") == "new-2"
    assert drafts.key("Hara", taken=["hara", "hara-2"]) == "hara-3"


def test_the_loader_refuses_the_file_when_its_links_lead_nowhere(visitor, folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    text = send(visitor, "file").text.replace('"alpha"', '"nothing"')
    make.write(tmp_path / "copy", "cases/lake.en.md", text)
    with pytest.raises(BadInstance, match="1 problems"):
        sources.read(catalog.read_instance(tmp_path / "copy"), today=TODAY)
