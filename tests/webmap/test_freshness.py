"""Nothing expired is shown as current, at any time and on any page; links, suggestions, the list of work."""

import csv
import io
import json
import re
import stat
from contextlib import contextmanager
from datetime import date, timedelta
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from layers import confirmations, linkcheck, places, store
from layers.linkcheck import Found
from layers.model import Confirmation, Suggestion
from tests import make
from tests.webmap import site
from tests.webmap.desk import Door, seal, send
from webmap import cli, params, seals, signed

RULES = [
    {"of": "bodies", "ageing_months": 12, "old_months": 24, "expires_months": 36},
    {"of": "bodies", "layer": "police", "ageing_months": 6, "old_months": 12, "expires_months": 18},
    {"of": "cases", "ageing_months": 12, "old_months": 60, "expires_months": 61},
]
# What each fact speaks of, and after how many months it expires: the twin knows no more than this.
BODIES = {
    "west-station": ("2021-06", 18),
    "first-village": ("2020", 36),
    "placeless-village": ("2019-02-03", 36),
}
CASE = ("first-case", "2021-06", 61)
LAYERS = {"west-station": "police", "first-village": "villages", "placeless-village": "villages"}
TODAY = date(2026, 11, 22)
MOMENT = make.moment(TODAY)


def is_current(as_of, confirmed, months, today):
    """Whether a fact may be told as current, month by month on the fingers."""
    last = max(text for text in (as_of, confirmed) if text)
    year, month, day = (int(part) for part in (*last.split("-"), "1", "1")[:3])
    return (today.year - year) * 12 + today.month - month - (today.day < day) < months


@contextmanager
def a_country(folder, state, monkeypatch, **changes):
    """A small country with its own rules, and a clock that can be set."""
    with site.a_site(make.an_instance(folder, freshness=RULES), state, **changes) as app:
        app.clock = lambda day: monkeypatch.setattr(params, "today", lambda: day)
        app.clock(TODAY)
        yield app


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    with a_country(tmp_path / "tiny", tmp_path / "state", monkeypatch) as app:
        yield app


@pytest.fixture
def both(tmp_path, store_url, monkeypatch):
    """The same on either store."""
    with a_country(tmp_path / "tiny", tmp_path / "state", monkeypatch, database_url=store_url) as app:
        yield app


@pytest.fixture
def visitor(tiny):
    return tiny.test_client(use_cookies=False)


@pytest.fixture
def steward(tiny):
    """A browser in which a steward is signed in."""
    door = Door(tiny)
    return door.visitor(door.account(password=""))


def rows(app, table):
    house = app.extensions["house"]
    with store.reading(house.engine, srid=house.instance.metric_crs) as session:
        return make.everything(session)[table]


def confirm(app, table, key, day, now):
    house = app.extensions["house"]
    with store.writing(house.engine, srid=house.instance.metric_crs) as session:
        about = {"by": "steward file", "label": "steward"}
        confirmations.confirm(session, table, key, day=day, now=now, **about)
        session.commit()


def unsay(app):
    """As if nobody had ever confirmed anything: for many worlds in one test."""
    house = app.extensions["house"]
    with store.writing(house.engine, srid=house.instance.metric_crs) as session:
        session.execute(delete(Confirmation))
        for layer in ("police", "villages", "cases"):
            store.raise_revision(session, layer)
        session.commit()


def sayings(visitor, when=""):
    """What every page, file and answer says of each fact: body or case → where → whether it is current."""
    found = {key: {} for key in (*BODIES, CASE[0])}
    answer = visitor.get(f"/api/answer?lat=58.25&lon=24.25&lang=en&{when}").json
    for role in answer["roles"]:
        for one in role["matches"]:
            found[one["key"]]["answer"] = one["source"]["current"]
            found[one["key"]]["state"] = one["source"]["freshness"] != "expired"
    partners = [one["source"]["current"] for role in answer["roles"] for one in role["matches"]]
    letter = visitor.get(f"/api/answer?lat=58.25&lon=24.25&lang=en&format=text&{when}").text
    assert letter.count("Not current · ") == partners.count(False)
    for one in answer["cases"]:
        if one["key"] == CASE[0]:
            found[one["key"]]["answer"] = one["freshness"] != "expired"
    here = visitor.get(f"/en/here?lat=58.25&lon=24.25&{when}").text
    for key in BODIES:
        page = visitor.get(f"/en/bodies/{key}?{when}").text
        found[key]["page"] = "Not current" not in page.partition("<dl")[0]
        layer = visitor.get(f"/en/layers/{LAYERS[key]}?{when}").text
        line = next(row for row in re.split("<tr ", layer) if f"/bodies/{key}" in row)
        found[key]["list"] = "Not current" not in line
        for item in re.split("<li", here):
            if f"/bodies/{key}" in item:
                found[key]["here"] = "Not current" not in item
    page = visitor.get(f"/en/cases/{CASE[0]}?{when}").text
    found[CASE[0]]["page"] = "Not current" not in re.search(r"<dt>Outcome.*?</dd>", page)[0]
    for layer in ("police", "villages", "cases"):
        for one in visitor.get(f"/api/layers/{layer}.geojson?lang=en&{when}").json["features"]:
            if (key := one["properties"]["key"]) in found:
                found[key]["map"] = "expired" not in one["properties"]
                assert ("Not current" in one["properties"].get("expired", "")) is not found[key]["map"]
    table = visitor.get(f"/en/freshness.csv?{when}").get_data(as_text=True).removeprefix("\ufeff")
    told = {row["key"]: row["freshness"] for row in csv.DictReader(io.StringIO(table))}
    work = visitor.get(f"/en/freshness?{when}").text
    for key, said_of in found.items():
        said_of["csv"] = told.get(key) != "expired"
        line = next((row for row in re.split("<tr ", work) if f"/{key}" in row), "")
        said_of["work"] = "Not current" not in line
    return found


FEWEST = {"west-station": 8, "first-village": 8, "placeless-village": 4, "first-case": 5}
clocks = st.dates(date(2020, 1, 1), date(2032, 12, 31))
edges = st.sampled_from(["2022-12-01", "2022-11-30", "2023-01-01", "2022-12-31", "2026-06-30", "2026-07-01"])
said = st.lists(st.tuples(st.sampled_from([*BODIES, CASE[0]]), st.dates(date(2018, 1, 1), TODAY)), max_size=4)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(clock=clocks | edges.map(date.fromisoformat), said=said)
def test_nothing_that_has_expired_is_told_as_current_anywhere_at_any_time(both, clock, said):
    visitor = both.test_client(use_cookies=False)
    unsay(both)
    for key, day in said:
        confirm(both, "case_study" if key == CASE[0] else "body", key, day, MOMENT)
    both.clock(clock)

    found = sayings(visitor)

    confirmed = {}
    for _, _, key, _, day, *_ in sorted(rows(both, "confirmation"), key=lambda row: row[4]):
        confirmed[key] = day
    for key, (as_of, months) in {**BODIES, CASE[0]: CASE[1:]}.items():
        wanted = is_current(as_of, confirmed.get(key, ""), months, clock)
        assert found[key] == dict.fromkeys(found[key], wanted), (key, clock, confirmed)
        assert len(found[key]) >= FEWEST[key] - 1, found[key]


def test_a_midnight_is_enough(tiny, visitor):
    last = date(2022, 12, 1) - timedelta(days=1)  # Eighteen months after June 2021.
    tiny.clock(last)
    before = sayings(visitor)["west-station"]
    tiny.clock(last + timedelta(days=1))
    after = sayings(visitor)["west-station"]

    assert (set(before.values()), set(after.values())) == ({True}, {False})


@pytest.mark.parametrize("path", ["/api/answer?lat=58.25&lon=24.25", "/api/layers/police.geojson?v=2"])
def test_no_answer_that_tells_ages_is_kept_over_midnight(visitor, path, monkeypatch):
    monkeypatch.setattr(params, "seconds_left_today", lambda: 7)
    fresh = visitor.get(path).headers["Cache-Control"]

    assert fresh in ("public, max-age=7", "no-cache")
    assert "immutable" not in visitor.get(f"{path}&as_of=2026-01-01").headers["Cache-Control"]


def test_a_confirmation_is_seen_at_once_and_not_by_those_who_look_back(both):
    visitor = both.test_client(use_cookies=False)
    before = "known=2026-11-22T08:00:00Z"
    assert not sayings(visitor)["west-station"]["answer"]

    confirm(both, "body", "west-station", TODAY, MOMENT + timedelta(hours=1))

    assert set(sayings(visitor)["west-station"].values()) == {True}
    assert set(sayings(visitor, before)["west-station"].values()) == {False}
    assert set(sayings(visitor, "known=2026-11-22T09:00:00Z")["west-station"].values()) == {True}
    assert "Last confirmed 22 November 2026" in visitor.get("/en/bodies/west-station").text
    house = both.extensions["house"]
    with store.reading(house.engine, srid=house.instance.metric_crs) as session:
        assert places.known_at(session) == "2026-11-22T09:00:00Z"


# --- The list of work


def test_the_public_sees_the_list_and_no_button(tiny, visitor):
    page = site.look(visitor, "/en/freshness")

    assert page.status == 200
    assert "Vana" not in page.text  # What has ended needs no check.
    assert "Lääne jaoskond" in page.text or "West station" in page.text
    assert '<form method="post"' not in visitor.get("/en/freshness").text
    sent = visitor.post("/en/freshness/confirm", data={"table": "body", "key": "west-station"})
    assert (sent.status_code, rows(tiny, "confirmation")) == (403, [])
    assert "/en/account/sign-in" in visitor.get("/en/suggestions").headers["Location"]


def test_a_steward_confirms_with_one_click_and_goes_on_where_she_was(tiny, steward):
    page = steward.get("/en/freshness?layer=police")
    assert page.headers["Cache-Control"] == "private, no-store"
    assert 'aria-label="Confirm: West station"' in page.text

    about = {"table": "body", "key": "west-station", "layer": "police"}
    sent = send(steward, "/en/freshness/confirm", page="/en/freshness", **about)

    assert (sent.status_code, sent.headers["Location"]) == (303, "/en/freshness?layer=police")
    (made,) = rows(tiny, "confirmation")
    assert made[1:3] + made[5:7] == ["body", "west-station", "account", "steward"]
    assert "West station" not in steward.get("/en/freshness?layer=police").text


def test_an_account_of_one_layer_confirms_its_own_facts_alone(tiny):
    door = Door(tiny)
    limited = door.visitor(door.account(name="limited", password="", layers=("villages",)))
    page = limited.get("/en/freshness").text
    assert 'aria-label="Confirm: West station"' not in page
    assert page.count('aria-label="Confirm: ') >= 1

    about = {"table": "body", "key": "west-station"}
    sent = send(limited, "/en/freshness/confirm", page="/en/freshness", **about)

    assert (sent.status_code, rows(tiny, "confirmation")) == (403, [])


def test_another_site_cannot_press_a_stewards_button(tiny, steward):
    sealed = {"csrf_token": seal(steward, "/en/freshness")}
    for path, data in (
        ("/en/freshness/confirm", {"table": "body", "key": "west-station"}),
        ("/en/suggest/body/west-station", {"text": "It is closed."}),
    ):
        headers = {"Origin": "https://evil.test"}
        assert steward.post(path, data={**sealed, **data}, headers=headers).status_code == 403

    assert rows(tiny, "confirmation") == rows(tiny, "suggestion") == []


def test_the_list_is_filtered_and_tells_of_dead_sources(tiny, visitor):
    house = tiny.extensions["house"]
    with store.writing(house.engine, srid=house.instance.metric_crs) as session:
        linkcheck.keep(session, Found("https://example.org/west", "gone", 404), now=MOMENT)
        session.commit()

    assert "The source is gone from its address." in visitor.get("/en/freshness?layer=police").text
    assert "The source is gone" not in visitor.get("/en/freshness?layer=villages").text
    assert visitor.get("/en/freshness?layer=roads").status_code == 400
    assert "West station" in visitor.get("/en/freshness?county=01&kind=station").text
    assert "West station" not in visitor.get("/en/freshness?county=02").text


def test_the_table_of_staleness_agrees_with_the_map(visitor):
    page = visitor.get("/en/coverage?shade=county.~age").text
    table = re.findall(r'data-title="(To check|Expired|Known in all)">(\d+)<', page)
    features = visitor.get("/api/coverage.geojson?shade=county.~age&lang=en").json["features"]
    legend = visitor.get("/en/legend?shade=county.~age").text.partition('id="layers"')[0]
    classes = re.findall(r'fill="(#\w+)".*?<span class="quiet">\((\d+)\)', legend, re.S)
    colours = [one["properties"]["colour"] for one in features]

    # West: station, village and case, all past their time; East: the same station and a case without a date.
    assert table == [
        ("To check", "3"),
        ("Expired", "3"),
        ("Known in all", "3"),
        ("To check", "2"),
        ("Expired", "1"),
        ("Known in all", "2"),
    ]
    assert colours == ["#7a2a04", "#7a2a04"]
    assert [(colour, str(colours.count(colour))) for colour, _ in classes] == classes
    assert "As a table" in visitor.get("/en/legend?shade=county.~age").text


# --- Signed links


def a_link(app, body="west-station", until=TODAY):
    house = app.extensions["house"]
    token = signed.sign(signed.key(house.instance, app.config["STATE"]), body, until=until)
    return f"/en/confirm/{token}"


def test_a_look_at_a_link_changes_nothing_and_its_button_confirms_once(both):
    visitor = both.test_client(use_cookies=False)
    link = a_link(both)
    for method in ("get", "head", "get"):
        seen = getattr(visitor, method)(link)
        assert seen.status_code == 200
    assert (seen.headers["Cache-Control"], seen.headers["Referrer-Policy"]) == ("no-store", "no-referrer")
    assert "All of it is still right" in seen.text
    assert rows(both, "confirmation") == rows(both, "suggestion") == []

    first = visitor.post(link, data={"do": "right"})
    again = [visitor.post(link, data={"do": do}) for do in ("right", "tell", "wrong")]

    assert "Thank you: it is confirmed" in first.text
    assert all("has been used already" in one.text and one.status_code == 200 for one in again)
    (made,) = rows(both, "confirmation")
    assert made[1:3] + made[5:7] == ["body", "west-station", "link", "organisation"]
    assert set(sayings(visitor)["west-station"].values()) == {True}


def test_what_is_wrong_is_kept_for_a_steward_and_uses_the_link(tiny, visitor):
    link = a_link(tiny)
    assert "What is wrong?" in visitor.post(link, data={"do": "wrong"}).text
    refused = visitor.post(link, data={"do": "tell", "text": "Call 5123 4567", "field": "ended"})
    assert (refused.status_code, "Take it out." in refused.text) == (422, True)
    assert "Call 5123 4567" in refused.text  # What she wrote is not lost.

    told = visitor.post(link, data={"do": "tell", "text": "We moved to Teine.", "field": "place"})
    visitor.post(link, data={"do": "right"})

    assert "a steward will look at it" in told.text
    assert rows(tiny, "confirmation") == []
    assert len(rows(tiny, "suggestion")) == 1


def damaged(link):
    head, _, token = link.rpartition("/")
    flipped = token[:5] + ("A" if token[5] != "A" else "B") + token[6:]
    return [f"{head}/{flipped}", f"{head}/{token[:-2]}", f"{head}/x", f"{head}/{token.split('.')[0]}"]


def test_forged_and_expired_links_are_told_and_do_nothing(tiny, visitor):
    late = a_link(tiny, until=TODAY - timedelta(days=1))
    other = f"/en/confirm/{signed.sign(b'another key', 'west-station', until=TODAY)}"
    for link, status in [(late, 410), (other, 400), *((one, 400) for one in damaged(a_link(tiny)))]:
        for answer in (visitor.get(link), visitor.post(link, data={"do": "right"})):
            assert answer.status_code == status
            assert "<h1>" in answer.text
    assert rows(tiny, "confirmation") == []


def test_links_of_one_organisation_confirm_at_most_three_times_a_day(tiny, visitor):
    answers = [visitor.post(a_link(tiny), data={"do": "right"}).status_code for _ in range(4)]

    assert answers == [200, 200, 200, 429]
    assert len(rows(tiny, "confirmation")) == 3


def test_the_command_writes_links_that_work_into_a_file_of_its_owner(tmp_path, monkeypatch):
    folder = make.an_instance(tmp_path / "tiny", freshness=RULES)
    state, out = tmp_path / "state", tmp_path / "links.csv"
    monkeypatch.setenv("WEBMAP_STATE", str(state))
    asked = [
        "--instance",
        str(folder),
        "--layer",
        "villages",
        "--address",
        "https://map.test/",
        "--lang",
        "en",
    ]

    done = CliRunner().invoke(cli.cli, ["confirm-links", *asked, "--county", "01", "--out", str(out)])

    assert (done.exit_code, done.output.split(",")[0]) == (0, "1 links")
    assert [stat.S_IMODE(file.stat().st_mode) for file in (out, state / "links.key")] == [0o600, 0o600]
    (row,) = csv.DictReader(io.StringIO(out.read_text(encoding="utf-8")))
    assert (row["key"], row["last_confirmed"]) == ("first-village", "2020")
    with site.a_site(folder, state) as app:
        assert "Esimese küla selts" in app.test_client().get(urlsplit(row["link"]).path).text
    wrong = CliRunner().invoke(cli.cli, ["confirm-links", *asked[:2], "--layer", "x", "--out", str(out)])
    assert (wrong.exit_code, wrong.output) == (1, "Error: There is no layer “x”.\n")


def test_the_instances_own_secret_signs_where_it_has_one(tmp_path, instance):
    made = signed.key(instance, tmp_path / "state")
    assert signed.key(instance, tmp_path / "state") == made
    assert len(made) == 43
    (tmp_path / "state" / "links.key").write_text("", encoding="ascii")
    with pytest.raises(seals.NoKey):  # With an empty key anybody could sign.
        signed.key(instance, tmp_path / "state")
    make.write(instance.folder, "privacy.key", "a secret of ours")

    assert signed.key(instance, tmp_path / "state") == b"a secret of ours"


# --- Suggestions of readers


@pytest.mark.parametrize("path", ["body/west-station", "area/county:01", "case/first-case"])
def test_every_page_of_a_fact_leads_to_the_form_and_the_form_back(visitor, path):
    kind, _, key = path.partition("/")
    address = {"body": f"bodies/{key}", "area": "areas/county/01", "case": f"cases/{key}"}[kind]

    assert f'href="/en/suggest/{path}"' in visitor.get(f"/en/{address}").text
    form = site.look(visitor, f"/en/suggest/{path}")

    assert (form.status, f"/en/{address}" in form.links) == (200, True)
    assert visitor.get(f"/en/suggest/{kind}/nobody:x").status_code == 404


def test_a_suggestion_goes_to_the_stewards_alone(tiny, visitor, steward):
    text = "The station has moved <b>away</b>."
    sent = visitor.post("/en/suggest/body/west-station", data={"field": "place", "text": text})
    assert (sent.status_code, "Thank you" in sent.text) == (200, True)
    public = ("/en/bodies/west-station", "/en/freshness", "/en/suggest/body/west-station", "/en/")
    assert not any("has moved" in visitor.get(page).text for page in public)

    queue = steward.get("/en/suggestions")
    assert "The station has moved &lt;b&gt;away&lt;/b&gt;." in queue.text
    assert queue.headers["Cache-Control"] == "private, no-store"
    number = rows(tiny, "suggestion")[0][0]
    path, page = f"/en/suggestions/{number}", "/en/suggestions"
    assert send(steward, path, page=page, do="decline").status_code == 422
    assert send(steward, path, page=page, do="accept").status_code == 303

    assert "Nothing waits." in steward.get("/en/suggestions").text
    made = dict(zip(Suggestion.__table__.columns.keys(), rows(tiny, "suggestion")[0], strict=True))
    assert (made["state"], made["decided_by"], made["sender"]) == ("accepted", "steward", "")


def test_programs_that_fill_every_field_and_contacts_are_not_kept(tiny, visitor):
    path = "/en/suggest/body/west-station"
    trapped = visitor.post(path, data={"text": "Buy this.", "website": "https://spam.test"})
    refused = visitor.post(path, data={"text": "Write to a@b.ee"})

    assert (trapped.status_code, refused.status_code) == (200, 422)
    assert "Take it out." in refused.text
    assert rows(tiny, "suggestion") == []


def test_one_address_is_heard_ten_times_a_day_and_nothing_of_it_is_kept(tiny, visitor):
    path = "/en/suggest/body/west-station"
    answers = [visitor.post(path, data={"text": f"No {n}."}).status_code for n in range(11)]

    assert answers == [200] * 10 + [422]
    assert "127.0.0.1" not in json.dumps(rows(tiny, "suggestion"))
    assert len({row[-1] for row in rows(tiny, "suggestion")}) == 1


# --- A steward's file, and the check of sources


def a_file(tmp_path, *lines):
    return make.write(tmp_path, "confirmed.csv", "\n".join(("\ufefftable,key,day", *lines)))


def test_a_stewards_file_confirms_all_of_its_rows_or_none(tmp_path, monkeypatch):
    folder, state = make.an_instance(tmp_path / "tiny", freshness=RULES), tmp_path / "state"
    monkeypatch.setenv("WEBMAP_STATE", str(state))
    right = "body,west-station,2022-03-01", "area,county:01,2022-03-01"
    wrong = "body,nobody,2022-03-01", "body,first-village,yesterday", "body,first-village,2999-01-01"

    def run(*lines):
        asked = ["confirm", "--instance", str(folder), str(a_file(tmp_path, *lines))]
        done = CliRunner().invoke(cli.cli, asked)
        with site.a_site(folder, state) as app:
            return done.exit_code, done.output.splitlines(), len(rows(app, "confirmation"))

    assert run(*right, *wrong) == (
        1,
        [
            "  confirmed.csv, line 4: There is no fact “nobody” of the kind “body”.",
            "  confirmed.csv, line 5: write the day as 2026-11-22.",
            "  confirmed.csv, line 6: 2999-01-01 has not come yet: nobody can confirm it.",
            "Error: Nothing was confirmed.",
        ],
        0,
    )
    assert run() == (1, ["Error: Nothing was confirmed."], 0)
    assert run(*right) == (0, ["2 facts confirmed."], 2)


def test_the_check_of_sources_tells_what_it_found_and_asks_nobody_twice(tmp_path, monkeypatch):
    folder, state = make.an_instance(tmp_path / "tiny"), tmp_path / "state"
    for layer in ("police", "villages"):
        old = (folder / f"bodies/{layer}.csv").read_text(encoding="utf-8")
        make.write(folder, f"bodies/{layer}.csv", old.replace("https://example.org", "http://127.0.0.1:9"))
    for text in (*folder.glob("cases/*.md"), *folder.glob("practices/*.md")):
        make.write(
            folder,
            text.relative_to(folder),
            text.read_text().replace("https://example.org", "http://10.0.0.1"),
        )
    package = (folder / "datapackage.json").read_text(encoding="utf-8")
    make.write(folder, "datapackage.json", package.replace("https://example.org", ""))
    monkeypatch.setenv("WEBMAP_STATE", str(state))
    asked = ["links", "check", "--instance", str(folder), "--delay", "0"]

    first, second = (CliRunner().invoke(cli.cli, asked).output.splitlines()[-1] for _ in range(2))

    assert (first, second) == ("private: 2", "Nothing to ask.")
