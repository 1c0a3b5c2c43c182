"""What a text is made of, and the rules that texts must keep: each rule is shown by a damaged copy."""

import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layers import catalog, texts
from layers.errors import BadInstance
from layers.sources import instance as sources
from layers.sources import texts as readers
from tests import make

TODAY = date(2026, 11, 22)
CASE, ENGLISH, GUIDE = "cases/first-case.et.md", "cases/first-case.en.md", "practices/alpha.et.md"
SECTIONS = {
    "cases": {
        "context": {"et": "Taust", "en": "Background"},
        "lasting": {"et": "Miks lõppes", "en": "Why it ended"},
    },
    "practices": {"problem": {"et": "Taust", "en": "Background"}},
}
WHOLE = {
    "et": "## Taust\nOli mure.\n\n## Miks lõppes\nKeegi ei teadnud.\n",
    "en": "## Background\nA worry.\n",
}
WHOLE["en"] += "\n## Why it ended\nNobody knew.\n"
REALLY = ("cases", "practices")


@pytest.fixture
def folder(tmp_path):
    """A tiny country whose texts keep every rule."""
    folder = make.an_instance(tmp_path / "tiny", languages=["et", "en", "ru"], sections=SECTIONS)
    for key in ("first-case", "second-case"):
        for language, text in WHOLE.items():
            rewrite(folder, f"cases/{key}.{language}.md", text)
    for kind, keys in (("cases", ("first-case", "second-case")), ("practices", ("alpha", "beta"))):
        for key in keys:
            make.write(
                folder, f"{kind}/{key}.ru.md", make.a_sheet({"title": "Имя", "summary": "Кратко."}, "")
            )
    facts(folder, "cases/second-case.et.md", areas=["county:02"])
    return folder


def rewrite(folder, file, text):
    """The same front matter over another text."""
    _, front, _ = (folder / file).read_text(encoding="utf-8").split("---\n", 2)
    make.write(folder, file, f"---\n{front}---\n{text}")


def facts(folder, file, **changes):
    """Another value in the front matter; None takes it away."""
    _, front, text = (folder / file).read_text(encoding="utf-8").split("---\n", 2)
    said = {**make.yaml.safe_load(front), **changes}
    said = {name: value for name, value in said.items() if value is not None}
    make.write(folder, file, make.a_sheet(said, text))


def problems(folder):
    try:
        sources.read(catalog.read_instance(folder), today=TODAY)
    except BadInstance as found:
        return [(one.file, one.row, one.what, one.remedy) for one in found.problems]
    return []


def line_of(folder, file, said):
    lines = (folder / file).read_text(encoding="utf-8").split("\n")
    return next(number for number, line in enumerate(lines, start=1) if said in line)


def only(folder, file, said):
    """The one problem, which lies in the file: its line, what is said and the remedy."""
    found = problems(folder)

    assert [(one[0], said in one[2]) for one in found] == [(file, True)]
    assert found[0][3]
    return found[0][1]


def test_texts_that_keep_every_rule_are_read(folder):
    assert problems(folder) == []


# --- Parts and languages


def test_a_missing_part_is_told_with_its_heading(folder):
    rewrite(folder, ENGLISH, "## Background\nA worry.\n")

    assert only(folder, ENGLISH, "“Why it ended” is missing") == line_of(folder, ENGLISH, "## Background")


def test_an_empty_part_is_told_at_its_line(folder):
    rewrite(folder, CASE, "## Taust\n\n## Miks lõppes\nKeegi ei teadnud.\n")

    assert only(folder, CASE, "“Taust” is empty") == line_of(folder, CASE, "## Taust")


def test_a_heading_that_is_no_part_is_told_at_its_line(folder):
    rewrite(folder, CASE, WHOLE["et"] + "\n## Järelsõna\nLõpp.\n")

    assert only(folder, CASE, "“Järelsõna” is no part") == line_of(folder, CASE, "Järelsõna")


def test_a_part_that_stands_there_twice_is_told_at_the_second(folder):
    rewrite(folder, CASE, WHOLE["et"] + "\n## Taust\nVeel kord.\n")

    assert only(folder, CASE, "“Taust” stands there twice") > line_of(folder, CASE, "## Taust")


def test_a_guide_has_its_own_parts(folder):
    rewrite(folder, GUIDE, "Ainult tekst.\n")

    only(folder, GUIDE, "“Taust” is missing")


def test_a_missing_language_is_told(folder):
    (folder / "cases/first-case.ru.md").unlink()

    assert only(folder, CASE, "There is no text in “ru”") == 0


def test_a_language_without_headings_needs_no_text(folder):
    rewrite(folder, "cases/first-case.ru.md", "Просто текст.\n")

    assert problems(folder) == []


# --- Drafts and reviews


def cases_of(folder):
    found = sources.read(catalog.read_instance(folder), today=TODAY)
    return next(one for one in found if one.table == "case_study")


@pytest.mark.parametrize(("state", "said"), [("draft", "a draft"), ("review", "under review")])
def test_a_case_that_is_not_published_is_checked_and_not_loaded(folder, state, said):
    facts(folder, "cases/second-case.et.md", state=state, practices=["beta"])
    facts(folder, CASE, practices=["alpha", "beta"])
    found = cases_of(folder)

    assert [row.key for row in found.rows] == ["first-case"]
    assert [(note.file, said in note.what) for note in found.notes] == [("cases/second-case.et.md", True)]
    assert found.notes[0].row == line_of(folder, "cases/second-case.et.md", "state:")


def test_a_case_that_says_it_is_published_is_loaded(folder):
    facts(folder, CASE, state="published")

    assert [row.key for row in cases_of(folder).rows] == ["first-case", "second-case"]


def test_a_state_that_is_none_is_told(folder):
    facts(folder, CASE, state="done")

    assert only(folder, CASE, "“done” is no state") == line_of(folder, CASE, "state:")


def test_what_is_held_back_keeps_the_rules_and_its_links_are_followed(folder):
    rewrite(folder, "cases/second-case.et.md", WHOLE["et"].replace("Oli mure.", "Helista 5551 2345."))
    facts(folder, "cases/second-case.et.md", state="review", practices=["alpha", "nothing"])
    found = [what for _, _, what, _ in problems(folder)]

    assert len(found) == 2
    assert "5551 2345" in found[0]
    assert "“nothing”" in found[1]


def test_a_review_may_be_written_in_one_language_which_carries_the_facts(folder):
    front = (folder / CASE).read_text(encoding="utf-8").split("---\n", 2)[1]
    make.write(folder, "cases/third.en.md", f"---\n{front}state: review\n---\n{WHOLE['en']}")
    notes = [note.what for note in cases_of(folder).notes]

    assert ["“et”" in notes[1], "“ru”" in notes[2], len(notes)] == [True, True, 3]
    facts(folder, "cases/third.en.md", state="published")
    only(folder, "cases/third.en.md", "third.et.md is missing")


def test_an_instance_that_names_no_parts_lets_people_write_as_they_like(folder):
    make.change(folder, "instance.yaml", lambda about: about.pop("sections"))
    rewrite(folder, CASE, "Ainult tekst.\n")
    (folder / "cases/first-case.ru.md").unlink()

    assert problems(folder) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda about: about["sections"].update(letters={}), "there are no texts “letters”"),
        (lambda about: about["sections"]["cases"]["context"].update(fi="Tausta"), "“fi” is not a language"),
        (lambda about: about["sections"]["cases"]["lasting"].update(et="Taust"), "stands there twice"),
        (lambda about: about["sections"]["cases"]["lasting"].pop("en"), "a heading in “en” is missing"),
    ],
)
def test_headings_that_cannot_be_are_told(folder, change, said):
    make.change(folder, "instance.yaml", change)

    assert [said in one[2] for one in problems(folder) if one[0] == "instance.yaml"][:1] == [True]


# --- Sources and days


def source(**changes):
    made = {"title": "A newspaper", "url": "https://example.org/a", "date": "2021-06", **changes}
    return [{name: value for name, value in made.items() if value is not None}]


def test_a_source_without_an_address_is_told_at_its_line(folder):
    facts(folder, CASE, sources=source(url=None))

    assert only(folder, CASE, "“A newspaper” has no url") == line_of(folder, CASE, "A newspaper")


def test_a_source_without_a_date_is_told_at_its_line(folder):
    facts(folder, CASE, sources=source(date=None))

    assert only(folder, CASE, "“A newspaper” has no date") == line_of(folder, CASE, "A newspaper")


def test_a_source_may_say_that_its_page_shows_no_date(folder):
    facts(folder, CASE, sources=source(date=None, undated=True))

    assert problems(folder) == []


@pytest.mark.parametrize("name", ["as_of", "to"])
@pytest.mark.parametrize(("day", "is_ahead"), [("2026-11-22", False), ("2026-11-23", True), ("2027", True)])
def test_a_day_that_lies_ahead_is_told_at_its_line(folder, name, day, is_ahead):
    facts(folder, CASE, **{name: day})

    if is_ahead:
        assert only(folder, CASE, f"“{name}”: {day} lies in the future") == line_of(folder, CASE, day)
    else:
        assert problems(folder) == []


def test_a_source_of_a_coming_day_is_told(folder):
    facts(folder, CASE, sources=source(date="2026-12"))

    only(folder, CASE, "“sources”: 2026-12 lies in the future")


# --- Contacts

PRIVATE = ["jaan@example.ee", "+372 5123 4567", "5123 4567", "612 3000", "6123000", "+49 30 1234567"]
HARMLESS = [
    "112 ja 1247",
    "aastatel 2013–2016",
    "2013-2016",
    "2018-05-29",
    "12 800 elaniku kohta",
    "1 200 000 eurot",
    "6882,89 eurot",
    "446 583 eurot",
    "[leht](https://example.org/1234567)",
    "3-4 kuud",
    "16. mail 2012",
]


@pytest.mark.parametrize("said", PRIVATE)
def test_a_private_contact_in_a_text_is_told_at_its_line(folder, said):
    rewrite(folder, ENGLISH, WHOLE["en"] + f"\nAsk {said} for more.\n")

    assert only(folder, ENGLISH, "private contact") == line_of(folder, ENGLISH, said)


def test_a_private_contact_in_a_summary_is_told_at_its_line(folder):
    facts(folder, ENGLISH, summary="Call 5123 4567.")

    assert only(folder, ENGLISH, "private contact") == line_of(folder, ENGLISH, "5123")


@pytest.mark.parametrize("said", HARMLESS)
def test_other_numbers_are_no_contacts(said):
    assert list(texts.contacts(f"See on {said}.")) == []


# --- Links both ways


@pytest.mark.parametrize("kind", ["case", "practice", "body"])
def test_a_link_in_a_text_that_leads_nowhere_is_told_at_its_line(folder, kind):
    rewrite(folder, CASE, WHOLE["et"] + f"\nLoe [edasi]({kind}:nowhere).\n")

    line = only(folder, CASE, f"points to the {kind} “nowhere”")

    assert line == line_of(folder, CASE, "nowhere")


def test_links_in_a_text_that_lead_somewhere_are_read(folder):
    said = "[lugu](case:second-case), [tava](practice:beta), [selts](body:first-village)"
    rewrite(folder, CASE, WHOLE["et"] + f"\nLoe {said}.\n")

    assert problems(folder) == []


def test_a_practice_that_no_case_shows_is_told(folder):
    facts(folder, CASE, practices=["alpha"])

    only(folder, "practices/beta.et.md", "No case shows this practice")


def test_a_case_that_its_own_place_does_not_list_is_told(folder):
    facts(folder, CASE, areas=["county:02"])

    only(folder, CASE, "The case's own place does not list it")


# --- What a text is made of


def test_parts_are_found_by_their_headings_in_the_order_of_the_instance():
    headings = SECTIONS["cases"]
    text = "Enne.\n## Miks lõppes\nVäsiti.\n### Alam\nVeel.\n\n## Taust\nOli mure."

    found = texts.parts(text, headings, "et")

    assert [(key, part.body, part.line) for key, part in found.items()] == [
        ("context", "Oli mure.", 7),
        ("lasting", "Väsiti.\n### Alam\nVeel.", 2),
    ]
    assert texts.parts(text, headings, "ru") == {}


def test_lix_is_words_a_sentence_plus_long_words_in_a_hundred():
    text = "## Pealkiri\nKass magab. Koer haugub valjusti!\n- [Naabrivalve](practice:alpha) aitab\n"

    found = texts.reading(text)

    assert (found.words, found.sentences, found.long_words) == (7, 3, 2)
    assert found.lix == pytest.approx(7 / 3 + 100 * 2 / 7)


def test_an_ordinal_and_a_sum_end_no_sentence():
    assert texts.reading("Leping sõlmiti 16. mail 2012 ja maksis 6882,89 eurot. Siis lõppes.").sentences == 2
    assert texts.reading("").lix == 0


def slowly(text):
    """Words, sentences and long words of plain sentences, letter by letter."""
    words, sentences, long_words = 0, 0, 0
    for sentence in text.split(". "):
        sentences += 1
        for word in sentence.rstrip(".").split(" "):
            words += 1
            long_words += sum(letter.isalpha() for letter in word) > 6
    return words, sentences, long_words


WORD = st.text("abcdefgõäöü", min_size=1, max_size=14)
SENTENCE = st.lists(WORD, min_size=1, max_size=12).map(lambda words: " ".join(words).capitalize())


@given(st.lists(SENTENCE, min_size=1, max_size=8))
def test_reading_counts_as_one_would_by_hand(sentences):
    text = ". ".join(sentences) + "."
    found = texts.reading(text)

    assert (found.words, found.sentences, found.long_words) == slowly(text)


# --- The real texts


@pytest.mark.parametrize("kind", REALLY)
def test_every_real_text_keeps_the_rules(estonia, kind):
    read = {"cases": readers.cases, "practices": readers.practices}[kind]

    found = read(estonia.folder / kind, instance=estonia, today=TODAY)

    assert found.problems == ()
    assert len(found.rows) > 25
    for row in found.rows:
        assert set(row.values["titles"]) == set(row.values["summaries"]) == {"et", "en", "ru"}
        assert set(row.values["texts"]) >= {"et", "en"}


def test_no_real_text_reads_much_heavier_than_the_others(estonia):
    for kind, read in (("cases", readers.cases), ("practices", readers.practices)):
        rows = read(estonia.folder / kind, instance=estonia).rows
        for language, limit in (("et", 58), ("en", 45)):
            heavy = [row.key for row in rows if texts.reading(row.values["texts"][language]).lix > limit]
            assert heavy == [], (kind, language)


def test_real_cases_that_ended_or_partly_worked_say_why(estonia):
    rows = readers.cases(estonia.folder / "cases", instance=estonia).rows
    told = [row for row in rows if row.values["outcome"] in ("ended", "mixed")]

    assert len(told) >= 10
    for row in told:
        for language in ("et", "en"):
            part = texts.parts(row.values["texts"][language], estonia.sections["cases"], language)["lasting"]
            assert len(re.findall(r"\w+", part.body)) >= 15, row.key
