"""Editing in the browser: seen before it is written, shown at once, proposed, decided, taken back."""

import html
import json
import re

import pytest
import shapely

from tests import make
from tests.webmap import site
from tests.webmap.desk import Door, quicken, seal
from webmap import db, drawn
from webmap.editing import shapes

WEST = "/en/edit/body/west-station"
LAKE = "/en/edit/area/county/01"
HOSTILE = "<script>alert(1)</script>"
_FIELD = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')
_INPUT = re.compile(r"<input [^>]*>")
_ATTRIBUTE = re.compile(r'([a-z]+)="([^"]*)"')
_TEXT = re.compile(r'<textarea [^>]*name="([^"]+)"[^>]*>([^<]*)</textarea>')
_SELECT = re.compile(r'<select [^>]*name="([^"]+)"[^>]*>(.*?)</select>', re.DOTALL)


@pytest.fixture
def door(tmp_path, monkeypatch):
    quicken(monkeypatch)
    with site.a_site(make.an_instance(tmp_path / "tiny"), tmp_path / "state") as app:
        yield Door(app)


def filled(text):
    """What a browser would send of the big form of a page, as it stands."""
    form = text[text.index('class="editing"') :]
    form = form[: form.index("</form>")]
    found = {}
    for tag in _INPUT.findall(form):
        said = dict(_ATTRIBUTE.findall(tag))
        if said.get("type") not in ("checkbox", "radio") or " checked" in tag:
            found.setdefault(said["name"], []).append(html.unescape(said["value"]))
    found |= {name: [html.unescape(value)] for name, value in _TEXT.findall(form)}
    for name, options in _SELECT.findall(form):
        chosen = re.search(r'value="([^"]*)" selected', options)
        found[name] = [html.unescape(chosen[1])] if chosen else [""]
    return found


def look(client, path, **changes):
    """The first click: what would change."""
    sent = filled(client.get(path).text) | {"note": ["The sign says so"]}
    sent |= {name: [value] if isinstance(value, str) else value for name, value in changes.items()}
    return client.post(path, data={**sent, "do": "look"})


def go_on(client, path, review, do="save"):
    """The second click."""
    sent = {}
    for name, value in _FIELD.findall(review.text):
        sent.setdefault(name, []).append(html.unescape(value))
    return client.post(path, data={**sent, "do": do})


def written(client, path=WEST, **changes):
    return go_on(client, path, look(client, path, **changes))


def test_an_edit_is_seen_before_it_is_written_and_shown_everywhere_at_once(steward):
    before = steward.get("/en/bodies/west-station").text
    review = look(steward, WEST, name="Uus jaoskond", name_en="New station")
    assert review.status_code == 200
    assert "<ins>New station</ins>" in review.text
    assert steward.get("/en/bodies/west-station").text == before

    answer = go_on(steward, WEST, review)

    assert (answer.status_code, answer.location) == (303, f"{WEST}#history")
    assert "<h1>New station</h1>" in steward.get("/en/bodies/west-station").text
    history = steward.get(WEST).text
    assert "Label the-steward" in history
    assert "The sign says so" in history


def test_the_map_shows_an_edit_at_once(door, steward):
    def address():
        with door.app.test_request_context("/en/"):
            return drawn.address("police", revision=dict(db.revisions())["police"], language="en", when={})

    first = address()
    assert "24.25" in steward.get(first).text
    written(steward, lat="58.4", lon="24.6")
    second = address()

    assert second != first
    assert "24.6" in steward.get(second).text


def test_who_writes_second_is_told_and_loses_nothing(door, steward):
    other = door.visitor(door.account(name="other"))
    mine = look(steward, WEST, name="Mine")
    written(other, name_en="Theirs")

    answer = go_on(steward, WEST, mine)

    assert answer.status_code == 409
    assert "Somebody else has changed this since you began" in answer.text
    kept = filled(answer.text)
    assert (kept["name"], kept["name_en"]) == (["Mine"], ["Theirs"])
    again = steward.post(WEST, data={**kept, "do": "look"})
    assert go_on(steward, WEST, again).status_code == 303
    assert "<h1>Theirs</h1>" in steward.get("/en/bodies/west-station").text


def test_an_edit_is_taken_back(steward):
    written(steward, name_en="New station")
    number = re.search(r"/edit/undo/(\d+)", steward.get(WEST).text)[1]

    answer = steward.post(
        f"/en/edit/undo/{number}", data={"csrf_token": seal(steward, WEST), "note": "A mistake"}
    )

    assert answer.status_code == 303
    assert "<h1>West station</h1>" in steward.get("/en/bodies/west-station").text
    assert f"takes edition {number} back" in steward.get("/en/edit").text


def test_hostile_text_stays_text(steward):
    review = look(steward, WEST, name=f"West {HOSTILE}", note=f"Why {HOSTILE}", note_en=HOSTILE)
    saved = go_on(steward, WEST, review)
    pages = [
        review,
        steward.get(WEST),
        steward.get("/en/edit?q=west"),
        steward.get("/et/bodies/west-station"),
    ]

    assert saved.status_code == 303
    for page in pages:
        assert HOSTILE not in page.text
        assert "&lt;script&gt;" in page.text


def test_what_is_wrong_is_told_in_its_field_and_what_was_typed_stays(steward):
    answer = look(steward, WEST, lat="far away", name_en="Kept")

    assert answer.status_code == 422
    assert '<a href="#lat">' in answer.text
    assert re.search(r'id="lat"[^>]*aria-invalid="true"', answer.text)
    assert filled(answer.text)["name_en"] == ["Kept"]


def test_an_area_is_drawn_anew_and_its_neighbours_are_told(steward):
    shape = '{"type":"Polygon","coordinates":[[[24,58],[25.2,58],[25.2,59],[24,59],[24,58]]]}'
    review = look(steward, LAKE, shape=shape)

    assert "16.7% of it lies in" in review.text
    assert go_on(steward, LAKE, review).status_code == 303
    told = json.loads(steward.get(f"{LAKE}.geojson").text)
    assert max(lon for lon, _ in told["coordinates"][0][0]) == pytest.approx(25.2, abs=1e-6)


def test_something_new_gets_a_page(steward):
    new = "/en/edit/body/new?layer=police"
    review = look(steward, new, name="Uus post", form="station", source="Seen there", county="01")

    answer = go_on(steward, new, review)

    assert answer.location == "/en/edit/body/uus-post#history"
    assert "<h1>Uus post</h1>" in steward.get("/en/bodies/uus-post").text


# --- Who may


def test_a_partner_proposes_and_a_steward_accepts_under_both_names(steward, partner):
    review = look(partner, WEST, name_en="New station")
    assert 'value="save"' not in review.text
    assert go_on(partner, WEST, review).status_code == 403
    assert go_on(partner, WEST, review, "propose").status_code == 303
    assert "<h1>West station</h1>" in partner.get("/en/bodies/west-station").text
    number = re.search(r"/edit/proposals/(\d+)", steward.get("/en/edit/proposals").text)[1]
    shown = steward.get(f"/en/edit/proposals/{number}")
    assert "<ins>New station</ins>" in shown.text

    answer = steward.post(
        f"/en/edit/proposals/{number}",
        data={"csrf_token": seal(steward, f"/en/edit/proposals/{number}"), "do": "accept"},
    )

    assert answer.status_code == 303
    assert "<h1>New station</h1>" in partner.get("/en/bodies/west-station").text
    history = steward.get(WEST).text
    assert "Label the-steward" in history
    assert "proposed by Label the-partner" in history


def test_a_proposal_that_others_overtook_is_decided_on_by_the_steward(steward, partner):
    go_on(partner, WEST, look(partner, WEST, name="Proposed"), "propose")
    written(steward, name_en="Theirs")
    path = "/en/edit/proposals/1"

    first = steward.post(path, data={"csrf_token": seal(steward, path), "do": "accept"})
    assert first.status_code == 409
    sent = {name: html.unescape(value) for name, value in _FIELD.findall(first.text)}
    assert steward.post(path, data={**sent, "do": "accept"}).status_code == 303

    kept = filled(steward.get(WEST).text)
    assert (kept["name"], kept["name_en"]) == (["Proposed"], ["Theirs"])


def test_a_proposal_is_declined_with_a_reason_that_the_partner_reads(steward, partner):
    go_on(partner, WEST, look(partner, WEST, name="Proposed"), "propose")
    path = "/en/edit/proposals/1"
    assert steward.post(path, data={"csrf_token": seal(steward, path), "do": "decline"}).status_code == 422

    sent = {"csrf_token": seal(steward, path), "do": "decline", "reason": "It is not so"}
    assert steward.post(path, data=sent).status_code == 303

    assert "It is not so" in partner.get("/en/edit").text


def test_who_is_limited_to_an_area_edits_nothing_elsewhere(door):
    limited = door.visitor(door.account(name="east", areas=("county:02",)))

    assert limited.get(WEST).status_code == 403
    assert (
        limited.post(WEST, data={"csrf_token": seal(limited, "/en/edit/area/county/02")}).status_code == 403
    )


def test_who_is_limited_to_a_layer_begins_nothing_in_another(door):
    limited = door.visitor(door.account(name="villages", layers=("villages",)))

    assert limited.get("/en/edit/body/new?layer=villages").status_code == 200
    assert limited.get("/en/edit/body/new?layer=police").status_code == 403
    assert limited.get("/en/edit/body/new?layer=counties").status_code == 404


def test_a_form_without_its_seal_writes_nothing(steward):
    review = look(steward, WEST, name_en="New station")
    sent = {name: html.unescape(value) for name, value in _FIELD.findall(review.text) if name != "csrf_token"}

    assert steward.post(WEST, data={**sent, "do": "save"}).status_code == 403
    assert steward.post("/en/edit/undo/1").status_code == 403
    assert "<h1>West station</h1>" in steward.get("/en/bodies/west-station").text


def test_public_pages_know_nothing_of_editing(door, steward):
    stranger = door.visitor()
    written(steward, name_en="New station")

    page = stranger.get("/en/bodies/west-station")
    assert "private" not in page.headers.get("Cache-Control", "")
    assert "/edit" not in page.text
    assert "the-steward" not in page.text
    assert stranger.get(WEST).status_code == 303


def test_neighbours_of_a_frame_come_whole_for_who_draws_and_for_nobody_else(door, steward):
    asked = "/en/edit/area/county/around.geojson?bbox=24.5,58.2,25.5,58.8"
    found = steward.get(f"{asked}&but=01")
    boxes = [shapely.geometry.shape(one).bounds for one in found.json["geometries"]]

    assert boxes == [(25.0, 58.0, 26.0, 59.0)]
    assert found.headers["Cache-Control"] == "private, no-store"
    assert len(steward.get(asked).json["geometries"]) == 2
    assert steward.get(asked.partition("?")[0]).json["geometries"] == []
    assert steward.get("/en/edit/area/nothing/around.geojson").status_code == 404
    assert door.visitor().get(asked).status_code in (302, 303, 401)


def test_the_neighbours_sent_have_only_so_many_corners_as_a_browser_looks_through(steward, monkeypatch):
    monkeypatch.setattr(shapes, "_ROOM", 7)

    found = steward.get("/en/edit/area/county/around.geojson?bbox=24.5,58.2,25.5,58.8")

    assert len(found.json["geometries"]) == 1
