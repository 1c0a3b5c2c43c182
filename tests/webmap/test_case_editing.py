"""Cases edited in the browser: seen, written, shown, refused, two at once, undone, proposed, as files."""

import io
import re
import shutil
from zipfile import ZipFile

import pytest

from layers import catalog
from layers.sources import texts
from tests.webmap import site
from tests.webmap.desk import Door, quicken, seal
from tests.webmap.test_case_form import FILLED, LONG, SECTIONS, a_folder
from tests.webmap.test_editing import HOSTILE, filled, go_on
from webmap import db, drawn

FIRST = "/en/edit/case/first-case"
PAGE = "/en/cases/first-case"
PARTS = [*SECTIONS["cases"]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return a_folder(tmp_path_factory.mktemp("cases") / "tiny")


@pytest.fixture(scope="module")
def state(folder, tmp_path_factory):
    """A store that holds the country, to be copied: a test that writes gets one of its own."""
    path = tmp_path_factory.mktemp("state") / "state"
    with site.a_site(folder, path):
        pass
    return path


@pytest.fixture
def door(folder, state, tmp_path, monkeypatch):
    quicken(monkeypatch)
    shutil.copytree(state, tmp_path / "state")
    with site.a_site(folder, tmp_path / "state") as app:
        yield Door(app)


@pytest.fixture(scope="module")
def reader(folder, state, tmp_path_factory):
    """A steward for tests that write nothing."""
    path = tmp_path_factory.mktemp("read") / "state"
    shutil.copytree(state, path)
    with pytest.MonkeyPatch.context() as patch, site.a_site(folder, path) as app:
        quicken(patch)
        door = Door(app)
        yield door.visitor(door.account())


def ticked(text):
    """What a browser would send of the form of a case, as it stands: with the boxes that are ticked."""
    return filled(text.replace('class="editing case-form', 'class="editing"')) | lists(text)


def lists(text):
    form = text[text.index('id="case-form"') :].split("</form>")[0]
    areas = re.findall(r'<select [^>]*name="(areas|practice)"[^>]*>(.*?)</select>', form, re.DOTALL)
    found = {"areas": [], "practice": []}
    for name, options in areas:
        chosen = re.search(r'value="([^"]*)" selected', options)
        found[name].append(chosen[1] if chosen else "")
    return found


def look(client, path=FIRST, do="look", **changes):
    """The first click: what would change. A field's hyphens are written as __."""
    sent = ticked(client.get(path).text) | {"note": ["The paper says so"]}
    for name, value in changes.items():
        sent[name.replace("__", "-")] = [value] if isinstance(value, str) else value
    return client.post(path, data={**sent, "do": do})


def written(client, path=FIRST, **changes):
    return go_on(client, path, look(client, path, **changes))


def wrong(answer):
    """The problems on a page: field -> what is said there."""
    found = re.findall(r'<ul class="wrong" id="wrong-([^"]+)">(.*?)</ul>', answer.text, re.DOTALL)
    return {name: " ".join(re.findall(r"<li>(.*?)</li>", said, re.DOTALL)) for name, said in found}


# --- Changed and shown


def test_a_case_that_is_sent_back_as_it_stands_changes_nothing(reader):
    answer = look(reader)

    assert answer.status_code == 422
    assert "Nothing is different from what is told already." in answer.text


def test_an_edit_is_seen_before_it_is_written_and_shown_everywhere_at_once(door, steward):
    def address():
        with door.app.test_request_context("/en/"):
            return drawn.address("cases", revision=dict(db.revisions())["cases"], language="en", when={})

    first, before = address(), steward.get(PAGE).text
    review = look(
        steward, title__en="A watch by the lake", outcome="mixed", lat="58.4", part__done__en="It was."
    )
    assert review.status_code == 200
    assert re.findall(r'<th scope="row">([^<]+)</th>', review.text) == [
        "Outcome",
        "Title (English)",
        "Part done (English)",
        "Latitude",
    ]
    assert "<ins>A watch by the lake</ins>" in review.text
    assert steward.get(PAGE).text == before

    answer = go_on(steward, FIRST, review)

    assert (answer.status_code, answer.location) == (303, f"{FIRST}#history")
    stranger = door.visitor()
    page = stranger.get(PAGE).text
    assert "<h1>A watch by the lake</h1>" in page
    assert "It was." in page
    assert "A watch by the lake" in stranger.get("/en/cases/?outcome=mixed").text
    assert "A watch by the lake" in stranger.get("/en/search?q=by the lake").text
    assert "A watch by the lake" in stranger.get("/api/answer?lat=58.4&lon=24.25&lang=en").text
    with stranger.get("/api/export/cases.csv?lang=en") as taken:
        assert "A watch by the lake" in taken.text
    assert address() != first
    assert "58.4" in stranger.get(address()).text
    history = steward.get(FIRST).text
    assert "Label the-steward" in history
    assert "The paper says so" in history


def test_lists_of_practices_organisations_areas_and_sources_are_changed(steward):
    answer = written(
        steward,
        practice=["alpha", "beta", ""],
        adaptation__en=["Every week", "Differently", ""],
        adaptation__et=["", "Teisiti", ""],
        bodies=["esimese küla selts", "", "Vana jaoskond"],
        areas=["county:01", "county:02"],
        parties=["residents"],
        source_title=["A page", "Another"],
        source_url=["https://example.org/a", "https://example.org/b"],
        source_date=["2020", ""],
        source_undated=["1"],
    )

    assert answer.status_code == 303
    page = steward.get(PAGE).text
    assert page.index("alpha in English") < page.index("beta in English")
    for said in ("Every week", "Differently", "Vana jaoskond", "/areas/county/02", "Another"):
        assert said in page
    assert "West station" not in page


def test_another_source_and_the_way_back_keep_what_was_typed(reader):
    more = look(reader, do="more", title__en="Kept")
    assert (more.status_code, more.text.count('class="source"')) == (200, 3)
    review = look(
        reader,
        title__en="Kept",
        source_title=["A", "B", "C", "D"],
        source_url=["https://e.org"] * 4,
        source_date=["2020"] * 4,
    )
    back = go_on(reader, FIRST, review, "back")

    assert ticked(back.text)["title-en"] == ["Kept"]
    assert ticked(back.text)["source_title"] == ["A", "B", "C", "D", ""]


def test_the_measure_is_that_of_the_form_for_a_new_case(reader):
    sent = ticked(reader.get(FIRST).text) | {f"part-{key}-et": [LONG] for key in PARTS}
    page = reader.post(f"{FIRST}?part=1", data=sent)
    answer = reader.post(
        "/en/cases/new?part=1", data={**FILLED, "title-et": "Pealkiri", **sent, "area": "county:01"}
    )

    assert "<html" not in page.text
    assert "3.5 of 4" in page.text
    assert page.text == answer.text


def test_a_case_ends_and_a_later_word_keeps_the_earlier_one(steward):
    assert written(steward, way="from_day", day="2020-05", title__en="Later").status_code == 303
    assert "first-case in English" in steward.get("/en/cases/?as_of=2020-04-30").text
    assert written(steward, way="end", day="2022-01").status_code == 303

    assert "Later" not in steward.get("/en/cases/").text
    assert "Later" in steward.get("/en/cases/?as_of=2021-12-31").text
    assert "<h1>Later</h1>" in steward.get(PAGE).text


def test_a_new_case_is_written_in_every_language_and_gets_a_page(steward):
    new = "/en/edit/case/new"
    words = {name.replace("-en", "__en").replace("-", "__"): FILLED[name] for name in FILLED if "-en" in name}
    words = {name.replace("____", "__"): said for name, said in words.items()}
    plain = {name: said for name, said in FILLED.items() if "-" not in name and name != "area"}
    more = {"county": "02", "areas": ["county:02"], "settlement": "teine", "note": "Told by the village"}
    answer = look(steward, new, **words, **plain, **more)
    assert {"title-et", "summary-et", "part-context-et"} <= wrong(answer).keys()
    estonian = {name.replace("__en", "__et"): said for name, said in words.items()}

    answer = written(steward, new, **words, **estonian, **plain, **more)

    assert answer.location == "/en/edit/case/lake-village-twelve-households#history"
    page = steward.get("/en/cases/lake-village-twelve-households")
    assert (page.status_code, FILLED["title-en"] in page.text) == (200, True)
    made = ticked(steward.get("/en/edit/case/lake-village-twelve-households").text)
    assert (made["as_of"], made["settlement"], made["lat"]) == (["2021-05"], ["1002"], [""])


# --- Refused


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"theme": ""}, "theme"),
        ({"title__en": ""}, "title-en"),
        ({"part__done__et": ""}, "part-done-et"),
        ({"part__done__et": "Call 5551 2345."}, "part-done-et"),
        ({"summary__en": "Write to a.b@example.org"}, "summary-en"),
        ({"place": "Kalda 5"}, "place"),
        ({"bodies": ["nobody"]}, "bodies"),
        ({"areas": ["county:02"]}, "areas"),
        ({"areas": ["county:99"]}, "areas"),
        ({"practice": ["", ""], "adaptation__en": "", "adaptation__et": ""}, "practice"),
        ({"practice": ["alpha", "alpha"]}, "practice"),
        ({"outcome": "lasted", "adaptation__en": ["", "", "Otherwise"]}, "practice"),
        ({"lat": "far"}, "lat"),
        ({"to": "2099"}, "to"),
        ({"source_title": "", "source_url": "", "source_date": ""}, "source-0"),
        ({"source_date": ""}, "source-0"),
        ({"parties": []}, "parties"),
    ],
)
def test_what_is_wrong_is_told_in_its_field_and_what_was_typed_stays(reader, changes, field):
    answer = look(reader, **{"outcome": "mixed", **changes})

    assert answer.status_code == 422
    assert [*wrong(answer)] == [field]
    assert f'href="#{"parties-field" if field == "parties" else field}"' in answer.text
    assert ticked(answer.text)["outcome"] == [changes.get("outcome", "mixed")]
    assert "{" not in wrong(answer)[field]


def test_hostile_text_stays_text(steward):
    review = look(steward, title__en=f"A {HOSTILE}", part__done__en=HOSTILE, place=HOSTILE, note=HOSTILE)
    saved = go_on(steward, FIRST, review)
    pages = [review, steward.get(FIRST), steward.get(PAGE), steward.get("/en/edit?q=first")]

    assert saved.status_code == 303
    for page in pages:
        assert HOSTILE not in page.text
        assert "&lt;script&gt;" in page.text


# --- Two at once, undone, proposed


def test_who_writes_second_is_told_and_loses_nothing(door, steward):
    other = door.visitor(door.account(name="other"))
    mine = look(steward, title__en="Mine", bodies=["first-village"])
    written(other, title__et="Nende oma", parties=["police"])

    answer = go_on(steward, FIRST, mine)

    assert answer.status_code == 409
    kept = ticked(answer.text)
    assert (kept["title-en"], kept["title-et"], kept["parties"]) == (["Mine"], ["Nende oma"], ["police"])
    again = steward.post(FIRST, data={**kept, "do": "look"})
    assert go_on(steward, FIRST, again).status_code == 303
    assert "<h1>Mine</h1>" in steward.get(PAGE).text
    assert "<h1>Nende oma</h1>" in steward.get("/et/cases/first-case").text


def test_an_edit_is_taken_back(steward):
    before = steward.get(PAGE).text
    written(steward, title__en="Other", bodies=[""])
    number = re.search(r"/edit/undo/(\d+)", steward.get(FIRST).text)[1]

    sent = {"csrf_token": seal(steward, FIRST), "note": "A mistake"}
    assert steward.post(f"/en/edit/undo/{number}", data=sent).status_code == 303

    assert steward.get(PAGE).text == before
    assert f"takes edition {number} back" in steward.get("/en/edit").text


def test_a_partner_proposes_and_a_steward_accepts_under_both_names(steward, partner):
    review = look(partner, title__en="Proposed")
    assert 'value="save"' not in review.text
    assert go_on(partner, FIRST, review).status_code == 403
    assert go_on(partner, FIRST, review, "propose").status_code == 303
    assert "Proposed" not in partner.get(PAGE).text
    path = "/en/edit/proposals/1"
    assert "<ins>Proposed</ins>" in steward.get(path).text

    sent = {"csrf_token": seal(steward, path), "do": "accept"}
    assert steward.post(path, data=sent).status_code == 303

    assert "<h1>Proposed</h1>" in partner.get(PAGE).text
    assert "proposed by Label the-partner" in steward.get(FIRST).text


def test_who_is_limited_edits_no_case_elsewhere_or_of_another_layer(door):
    east = door.visitor(door.account(name="east", areas=("county:02",)))
    police = door.visitor(door.account(name="police", layers=("police",)))

    for client in (east, police):
        assert client.get(FIRST).status_code == 403
        assert client.post(FIRST, data={"csrf_token": seal(client, "/en/account")}).status_code == 403
    assert police.get("/en/edit/case/new").status_code == 403
    assert written(east, "/en/edit/case/second-case", title__en="Ours").status_code == 303
    assert look(east, "/en/edit/case/second-case", county="01", areas=["county:01"]).status_code == 403


def test_the_page_of_a_case_leads_everybody_to_its_form_and_stays_public(door):
    stranger = door.visitor()
    page = stranger.get(PAGE)

    assert f'href="{FIRST}"' in page.text
    assert "private" not in page.headers.get("Cache-Control", "")
    assert "/account/sign-in" in stranger.get(FIRST).location


# --- As files


def test_an_edited_case_as_files_is_what_the_loader_takes(steward, folder):
    written(steward, title__en="A: “watch” # ---", part__done__et="Uus.", bodies=["first-village"])

    answer = steward.get(f"{FIRST}/files")

    assert (answer.mimetype, answer.headers["Cache-Control"]) == ("application/zip", "private, no-store")
    with ZipFile(io.BytesIO(answer.data)) as archive:
        files = {name: archive.read(name).decode() for name in archive.namelist()}
    assert {*files} == {"first-case.et.md", "first-case.en.md"}
    read = texts.case_in(files, instance=catalog.read_instance(folder))
    assert read.problems == ()
    assert read.rows[0].values["titles"]["en"] == "A: “watch” # ---"
    assert "Uus." in read.rows[0].values["texts"]["et"]
    assert read.rows[0].links["bodies"] == [{"body": "first-village"}]
