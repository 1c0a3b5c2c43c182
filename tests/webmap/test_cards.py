"""The safety card: one page of paper, whole facts, every source, and the same bytes for the same question."""

import csv
import io
import os
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import pypdf
import pytest

from layers import places
from layers.answers import NEAREST
from tests.webmap import site
from tests.webmap.site import look
from webmap import cards, db, replies, sharing

ROOT = Path(__file__).resolve().parents[2]
DAY = "2026-11-22"
LIVE = re.compile(r"^http://localhost/[a-z]{2}/here\?lat=[\d.]+&lon=[\d.]+$")
# A home telephone, an e-mail address, a personal code: none of them is ever public here.
PRIVATE = re.compile(r"\+372|[\w.]+@[\w-]+\.\w|(?<!\d)[3-6]\d{10}(?!\d)|(?<![\d.=])5\d{6,7}(?!\d)")


def subjects():
    """Every municipality that is there, and the largest settlement of every county."""
    with (ROOT / "data/ee/municipalities.csv").open(encoding="utf-8") as file:
        found = [("municipality", row["code"]) for row in csv.DictReader(file) if not row["valid_to"]]
    with (ROOT / "data/ee/places.csv").open(encoding="utf-8") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: -int(row["population"] or 0))
    seats = {}
    for row in rows:
        seats.setdefault(row["county"], row["code"])
    return found + [("settlement", code) for code in seats.values()]


def read(content):
    """The pages of a PDF as text without blanks, so that a line's end is no difference."""
    return [squeezed(page.extract_text()) for page in pypdf.PdfReader(io.BytesIO(content)).pages]


def squeezed(text):
    return re.sub(r"[\s\u200b\u00ad]+", "", text)


def card_of(app, kind, code, language):
    with app.test_request_context(f"/{language}/card/{kind}/{code}"):
        app.preprocess_request()
        found, size = cards.made(kind, code, as_of=date.fromisoformat(DAY))
        return found, size


def said(card):
    """Every fact of a card that a reader must find on it."""
    lines = [line for row in card.roles for line in row.people] + list(card.cases)
    yield from (card.name, card.region, card.title, card.question, card.day, card.live["sentence"])
    yield from (line.name for line in lines)
    yield from (line.detail for line in lines)
    yield from (text for row in card.roles for text in (row.title, row.advice, row.nobody, row.begin))
    yield from (*card.notes, *card.sources, *card.emergency.values(), card.live["address"])


# --- All of Estonia


@pytest.mark.slow
@pytest.mark.parametrize("language", ["et", "en", "ru"])
def test_cards_all_over_estonia_are_one_page_with_all_their_facts_and_nothing_private(app, client, language):
    """Every ninth in each language, other ones in each: all of them take minutes."""
    every, wrong = subjects(), {}
    for kind, code in every[("et", "en", "ru").index(language) :: 9]:
        card, size = card_of(app, kind, code, language)
        pages = read(client.get(f"/{language}/card/{kind}/{code}.pdf?as_of={DAY}").data)
        missing = [text for text in said(card) if squeezed(text) not in pages[0]]
        private = PRIVATE.findall(" ".join(said(card)))
        people = [row for row in card.roles if row.people]
        if len(pages) != 1 or missing or private or size > 3 or len(people) < 4:
            wrong[kind, code] = (len(pages), missing, private, size, len(people))

    assert len(every) == 78 + 15
    assert wrong == {}


@pytest.mark.slow
def test_the_page_says_what_the_paper_says(app, client):
    for number, (kind, code) in enumerate(subjects()[::6]):
        language = ("et", "en", "ru")[number % 3]
        card, size = card_of(app, kind, code, language)
        page = look(client, f"/{language}/card/{kind}/{code}?as_of={DAY}")

        assert (page.status, page.language, page.headings) == (200, language, [card.name])
        assert [text for text in said(card) if squeezed(text) not in squeezed(page.text)] == []
        assert page.inline == []
        assert f"size-{size}" in client.get(page.url).text


# --- What stands on it


def test_the_sources_below_are_those_of_the_lines_with_their_dates(app):
    card, _ = card_of(app, "municipality", "0784", "et")
    lines = [line for row in card.roles for line in row.people] + list(card.cases)
    with app.test_request_context("/et/"):
        app.preprocess_request()
        bodies = {body.name: body for body in places.bodies(db.session(), as_of=date.fromisoformat(DAY))}

    dated = [(line, bodies[line.name].source) for line in lines if line.name in bodies]
    assert len(dated) >= 5
    assert {line.mark for line in lines} == set(range(1, max(line.mark for line in lines) + 1))
    for line, source in dated:
        shown = card.sources[line.mark - 1]
        assert shown.startswith(f"{line.mark} {source.title}")
        assert source.as_of in shown or source.as_of[:4] in shown


def test_responsible_ones_come_before_the_nearest_and_the_rest_is_counted(app):
    card, _ = card_of(app, "municipality", "0784", "en")
    with app.test_request_context("/en/"):
        app.preprocess_request()
        subject = cards._municipality("0784", date.fromisoformat(DAY))
        day = date.fromisoformat(DAY)
        reply = replies.reply(subject.place, as_of=day, today=day)

    police = reply["roles"][0]["matches"]
    assert [one["why"] == NEAREST for one in police[:2]] == [False, True]
    assert [line.name for line in card.roles[0].people] == [one["name"] for one in police][:2]
    every = sum(len(role["areas"]) + len(role["matches"]) for role in reply["roles"]) + len(reply["cases"])
    shown = sum(len(row.people) for row in card.roles) + len(card.cases)
    assert f" {every - shown} more " in card.live["sentence"]


def test_where_nobody_is_known_the_card_says_so_and_how_to_begin(app):
    card, _ = card_of(app, "settlement", "5913", "en")
    rows = {row.title: row for row in card.roles}

    assert rows["Neighbourhood watch"].nobody == "Nobody is named as responsible here."
    assert re.fullmatch(r"Begin with: .+\.", rows["Neighbourhood watch"].begin)
    assert (rows["District police"].nobody, rows["District police"].begin) == ("", "")


def test_the_code_leads_to_the_live_answer(app, client):
    card, _ = card_of(app, "settlement", "5913", "et")
    answer = look(client, card.live["address"].removeprefix("http://localhost"))

    assert LIVE.fullmatch(card.live["address"])
    assert card.live["svg"] == sharing.qr_file(card.live["address"])
    assert sharing.qr_file(card.live["address"]) != sharing.qr_file(card.live["address"] + "0")
    assert answer.status == 200
    names = [line.name for row in card.roles for line in row.people]
    assert [name for name in names if name not in answer.text] == []


def test_a_settlement_tells_where_to_send_help_and_a_municipality_does_not(app):
    settlement, _ = card_of(app, "settlement", "5913", "en")
    municipality, _ = card_of(app, "municipality", "0784", "en")

    assert settlement.emergency["here"] == "You are here: Palamuse alevik, Jõgeva municipality, Jõgeva county"
    assert municipality.emergency["here"] == ""


# --- The file


def test_the_file_is_tagged_and_says_its_title_language_and_day(client):
    answer = client.get(f"/ru/card/municipality/0184.pdf?as_of={DAY}")
    file = pypdf.PdfReader(io.BytesIO(answer.data))
    fonts = {str(font.get_object()["/BaseFont"]) for font in file.pages[0]["/Resources"]["/Font"].values()}

    assert answer.mimetype == "application/pdf"
    assert str(file.trailer["/Root"]["/Lang"]).startswith("ru")
    assert file.trailer["/Root"]["/MarkInfo"]["/Marked"]
    assert "/StructTreeRoot" in file.trailer["/Root"]
    assert file.metadata.title
    assert file.metadata.creation_date.date() == date.fromisoformat(DAY)
    assert (round(file.pages[0].mediabox.width), round(file.pages[0].mediabox.height)) == (595, 842)
    assert {name.split("+")[-1].split("-")[0] for name in fonts} == {"Inter"}
    assert "/XObject" not in file.pages[0]["/Resources"] or b"/Subtype/Image" not in answer.data


@pytest.mark.slow
def test_two_processes_write_the_same_bytes(app, state, tmp_path):
    wanted = [
        sys.executable,
        "-m",
        "webmap.cli",
        "card",
        "settlement",
        "5913",
        "--lang",
        "ru",
        "--as-of",
        DAY,
    ]
    made = []
    for seed in ("1", "2"):
        out = tmp_path / f"{seed}.pdf"
        env = {**os.environ, "PYTHONHASHSEED": seed, "WEBMAP_STATE": str(state), "PYTHONPATH": str(ROOT)}
        line = [*wanted, "--address", "http://localhost/", "--out", str(out)]
        subprocess.run(line, check=True, capture_output=True, env=env, cwd=ROOT)
        made.append(out.read_bytes())

    assert made[0] == made[1]
    assert read(made[0])[0].startswith(squeezed("Turvakaart"))


def test_an_unchanged_file_is_not_sent_again(client):
    first = client.get(f"/et/card/municipality/0184.pdf?as_of={DAY}")
    again = client.get(first.request.path + f"?as_of={DAY}", headers={"If-None-Match": first.headers["ETag"]})

    assert (first.status_code, again.status_code, again.data) == (200, 304, b"")


# --- What cannot be printed


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("municipality/9999", 404, "There is no area “9999” of the kind “municipality”."),
        ("settlement/9999999", 404, "There is no place “9999999”."),
        ("municipality/0184?as_of=2001", 404, "was not there on 1 January 2001. Name a day"),
        ("municipality/0184.pdf?as_of=2001", 404, "was not there on 1 January 2001. Name a day"),
        ("county/0037", 404, "There is no page at this address."),
        ("municipality/0184?as_of=2018-13", 400, "“as_of” is a date"),
    ],
)
def test_a_card_that_cannot_be_made_is_refused_in_a_sentence(client, path, status, sentence):
    found = look(client, f"/en/card/{path}")

    assert found.status == status
    assert sentence in found.text


def test_monstrous_names_stay_whole_or_away_and_the_card_one_page(tmp_path):
    folder = site.a_hostile_instance(tmp_path / "tiny")
    with site.a_site(folder, tmp_path / "state") as app:
        with (folder / "places.csv").open(encoding="utf-8") as file:
            code = next(csv.DictReader(file))["code"]
        client = app.test_client()
        card, _ = card_of(app, "settlement", code, "et")
        pages = read(client.get(f"/et/card/settlement/{code}.pdf?as_of={DAY}").data)
        page = look(client, f"/et/card/settlement/{code}?as_of={DAY}")

    names = [line.name for row in card.roles for line in row.people]
    assert len(pages) == 1
    assert names
    assert [name for name in names if squeezed(name) not in squeezed(page.text)] == []
    assert page.inline == []
