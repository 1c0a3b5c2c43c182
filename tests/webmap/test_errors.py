"""What is refused and what fails: one shape for each, a sentence in the reader's language, never a secret."""

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from tests.webmap import site
from tests.webmap.site import look
from webmap import pages
from webmap.settings import Settings

LONG = "9" * 3000
BAD_DATES = [
    "2018-13",
    "2018-02-30",
    "0000",
    "today",
    "2018-1-1",
    "1e3",
    "-2018",
    LONG,
    "%FF",
    "%00",
    "{x}",
]
BAD_PLACES = [
    ("lat=abc&lon=25", "„lat“"),
    ("lat=95&lon=25", "„lat“"),
    ("lat=-90.01&lon=25", "„lat“"),
    ("lat=58.5&lon=181", "„lon“"),
    ("lat=58.5", "„lon“"),
    ("lon=25", "„lat“"),
    ("lat=&lon=", "„l"),
    ("", "„l"),
    ("lat=nan&lon=25", "„lat“"),
    ("lat=58.5&lon=NaN", "„lon“"),
    ("lat=inf&lon=25", "„lat“"),
    ("lat=58.5&lon=-Infinity", "„lon“"),
    ("lat=1e999&lon=25", "„lat“"),
    ("lat=58.5;lon=25", "„lon“"),
    ("lat=0x1F&lon=25", "„lat“"),
    (f"lat={LONG}&lon=25", "„lat“"),
    ("lat={lat}&lon=25", "„lat“"),
    ("lat=%s&lon=25", "„lat“"),
    ("lat=%00&lon=25", "„lat“"),
    ("lat=%FF%FE&lon=25", "„lat“"),
    ("lat=58.5&lon=25&as_of=2018-13", "2018-13"),
]
BAD_CODES = [
    ("cases/?theme=xyz", "„theme“"),
    ("cases/?outcome=xyz", "„outcome“"),
    ("cases/?theme=watch&outcome=Lasted", "„outcome“"),
    (f"cases/?theme={LONG}", "„theme“"),
    ("cases/?theme={0}{allowed}", "„theme“"),
    ("cases/?theme=%00", "„theme“"),
    ("cases/?theme=%28select%29", "„theme“"),
    ("practices/?audience=xyz", "„audience“"),
    ("practices/?audience=%E2%80%AE", "„audience“"),
]
DATED = [
    "",
    "map-0.js",
    "layers/",
    "layers/rescue",
    "layers/counties",
    "bodies/palamuse-pritsumehed",
    "areas/county/0037",
    "cases/",
    "practices/",
]
NOWHERE = [
    "layers/nothing",
    "layers/%00",
    "bodies/nobody",
    "bodies/%00",
    "bodies/%FF%FE",
    "bodies/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "bodies/..%5c..%5cwindows",
    "bodies/" + "x" * 5000,
    "bodies/{key}",
    "bodies/%25s%25(key)s",
    "bodies/'%20OR%201=1--",
    "bodies/%F0%9F%8C%8D",
    "areas/county/9999",
    "areas/planet/0037",
    "areas/county",
    "areas/county/0037/more",
    "areas/%00/%00",
    "cases/nothing",
    "cases/%00",
    "practices/nothing",
    "practices/%E2%80%AE",
    "nothing",
    "../../etc/passwd",
    "map-.py",
    "//evil.example/",
    "%",
    "%zz",
]


def refused(page, status):
    """A whole page of the house with one sentence of its own."""
    assert (page.status, page.language, len(page.headings)) == (status, "et", 1)
    assert page.headings[0] == {400: "Seda ei saa kasutada", 404: "Ei leitud"}[status]
    assert "/et/" in page.links
    assert "Traceback" not in page.text
    assert page.headers["Cache-Control"] == "no-store"
    return page.text


@pytest.mark.parametrize("date", BAD_DATES, ids=lambda text: text[:12])
@pytest.mark.parametrize("page", DATED)
def test_a_bad_date_is_refused_on_every_page(client, page, date):
    assert "„as_of“ on kuupäev kujul" in refused(look(client, f"/et/{page}?as_of={date}"), 400)


@pytest.mark.parametrize(("asked", "named"), BAD_PLACES, ids=lambda text: text[:24])
def test_a_bad_place_is_refused_and_named(client, asked, named):
    assert named in refused(look(client, f"/et/here?{asked}"), 400)


@pytest.mark.parametrize("place", ["lat=90&lon=180", "lat=-90&lon=-180", "lat=0&lon=0", "lat=58,5&lon=25,1"])
def test_a_place_far_away_is_answered_all_the_same(client, place):
    assert look(client, f"/et/here?{place}").status == 200


@pytest.mark.parametrize("place", ["lat=5_8&lon=2_5", "lat=٥٨&lon=25"])
def test_a_number_in_another_spelling_is_refused(client, place):
    refused(look(client, f"/et/here?{place}"), 400)


@pytest.mark.parametrize(("asked", "named"), BAD_CODES, ids=lambda text: text[:24])
def test_an_unknown_code_is_refused_and_named(client, asked, named):
    assert named in refused(look(client, f"/et/{asked}"), 400)


@pytest.mark.parametrize("path", NOWHERE, ids=lambda text: text[:24])
def test_what_is_not_there_is_a_page_that_says_so(client, path):
    said = refused(look(client, f"/et/{path}"), 404)

    assert "." in said.removeprefix("Ei leitud")


@pytest.mark.parametrize(
    "path", ["/xx/", "/nothing", "/favicon.ico", "/.git/config", "/static/nothing.js", "/%00/"]
)
def test_an_address_outside_the_languages_is_a_page_that_is_not_there(client, path):
    refused(site.see(client.get(path, follow_redirects=True, buffered=True)), 404)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_a_page_cannot_be_written(client, method):
    found = site.see(client.open("/et/data", method=method))

    assert (found.status, found.headings) == (405, ["Siin seda ei pakuta"])


def test_a_refusal_as_a_part_is_only_the_inside(client):
    found = look(client, "/et/here?lat=abc&lon=25&part=1")

    assert found.status == 400
    assert found.headings == ["Seda ei saa kasutada"]
    assert found.tags.isdisjoint({"html", "body", "header"})


def test_what_was_asked_is_shown_as_text_and_not_as_markup(client):
    answer = client.get("/et/cases/?theme=<img src=x onerror=alert(1)>")

    assert answer.status_code == 400
    assert "<img src=x" not in answer.text
    assert "<img src=x onerror=alert(1)>" in site.see(answer).text


def test_a_sentence_repeats_no_more_than_a_line_of_what_was_asked(client):
    assert len(look(client, "/et/bodies/" + "x" * 5000).text) < 1000


# --- Names in the query that mean something to Flask

HARMLESS = ["self=1", "values=1", "part=2", "=", "&&&", "%FF=1", "as_of="]
TAKEN = ["language=xx", "language=en&language=et", "endpoint=x", "_method=POST"]
MEANT = ["_scheme=javascript&_external=1", "_external=1", "_anchor=x"]


def the_same(client, page, asked):
    plain, found = look(client, f"/et/{page}"), look(client, f"/et/{page}?{asked}")
    assert found.status == 200
    assert [link.partition("?")[0] for link in found.links] == plain.links


@pytest.mark.parametrize("asked", HARMLESS)
@pytest.mark.parametrize("page", ["layers/", "data", "areas/county/0037"])
def test_an_unknown_parameter_changes_nothing(client, page, asked):
    the_same(client, page, asked)


@pytest.mark.parametrize("asked", TAKEN + MEANT)
@pytest.mark.parametrize("page", ["", "data", "areas/county/0037"])
def test_a_parameter_that_means_something_to_flask_changes_nothing(client, page, asked):
    the_same(client, page, asked)


def test_a_parameter_named_like_a_part_of_the_address_changes_nothing(client):
    the_same(client, "areas/county/0037", "kind=x&code=y")


@pytest.mark.parametrize("asked", TAKEN)
def test_a_page_that_is_not_there_says_so_whatever_is_asked(client, asked):
    refused(look(client, f"/et/bodies/nobody?{asked}"), 404)


# --- Surprises


@pytest.fixture
def broken(app, monkeypatch):
    """The application with a read that fails in a way nobody thought of."""

    def fail(*_arguments, **_named):
        raise RuntimeError("the secret of the house")

    monkeypatch.setattr(pages.places, "editions", fail)
    monkeypatch.setattr(pages.places, "bodies", fail)
    return app.test_client(use_cookies=False)


def test_a_surprise_shows_a_ticket_that_the_log_explains(broken, caplog):
    answer = broken.get("/en/data")
    found = site.see(answer)
    ticket = found.text.partition("tell us the number ")[2][:8]

    assert (found.status, found.headings) == (500, ["Something went wrong"])
    assert len(bytes.fromhex(ticket)) == 4
    assert "secret" not in answer.text
    assert f"ticket {ticket}" in caplog.text
    assert "the secret of the house" in caplog.text


def test_a_surprise_in_the_api_is_a_problem(broken):
    answer = broken.get("/api/layers/police.geojson?lang=en&as_of=1987-06-05")  # A day that nobody has kept.

    assert (answer.status_code, answer.mimetype) == (500, "application/problem+json")
    assert answer.json["title"] == "Something went wrong"
    assert "secret" not in answer.text


def test_two_surprises_have_two_tickets(broken):
    assert broken.get("/en/data").text != broken.get("/en/data").text


# --- A store that is not ready


@pytest.fixture
def unready(estonia, tmp_path):
    with site.an_app(Settings(instance=estonia.folder, state=tmp_path)) as app:
        yield app.test_client(use_cookies=False)


@pytest.mark.parametrize("path", ["/en/", "/en/data", "/en/bodies/x", "/api/layers/police.geojson?lang=en"])
def test_a_store_that_is_not_set_up_says_which_command_does_it(unready, path):
    answer = unready.get(path)

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "10"
    assert "turvakaart setup" in answer.text
    assert (answer.mimetype == "application/problem+json") == path.startswith("/api/")


def test_a_store_that_is_broken_says_so(estonia, tmp_path):
    (tmp_path / "ee.sqlite").write_bytes(b"This is no database." * 500)

    with site.an_app(Settings(instance=estonia.folder, state=tmp_path)) as app:
        answer = app.test_client(use_cookies=False).get("/en/data")

    assert (answer.status_code, answer.headers.get("Retry-After")) == (503, "10")
    assert "The store cannot be used just now." in answer.text
    assert str(tmp_path) not in answer.text
    assert "database" not in answer.text


def test_an_answer_outlives_a_connection_that_breaks_after_it(client, monkeypatch):
    def breaks(_session):
        raise OperationalError("ROLLBACK", None, Exception("terminated"))

    monkeypatch.setattr(Session, "close", breaks)

    assert client.get("/en/data", buffered=True).status_code == 200


def test_where_even_the_page_of_an_error_cannot_be_made_its_sentence_is_told(broken, monkeypatch):
    def fail(*_arguments, **_named):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("webmap.errors.render_template", fail)

    answer = broken.get("/en/data")

    assert (answer.status_code, answer.mimetype) == (500, "text/html")
    assert '<html lang="en">' in answer.text
    assert "The fault is ours." in answer.text
    assert "Too many" not in answer.text


@pytest.mark.parametrize(
    ("path", "status", "title"),
    [
        ("/en/no/page", 404, "Not found"),
        ("/ru/no/page", 404, "Не найдено"),
        ("/no/page", 404, "Ei leitud"),
        ("/en/account/sign-out", 405, "Not offered here"),
    ],
)
def test_an_address_that_leads_nowhere_is_answered_in_its_language(client, path, status, title):
    page = client.get(path)

    assert (page.status_code, f"<h1>{title}</h1>" in page.text) == (status, True)
    assert 'aria-current="page"' not in page.text


@pytest.mark.parametrize("path", ["/en/", "/et/bodies/x"])
def test_what_passes_may_be_tried_again_from_its_page(unready, path):
    assert '<a class="button" href="">' in unready.get(path).text


def test_what_does_not_pass_offers_other_ways(client):
    page = look(client, "/en/bodies/nosuch")

    assert {"/en/", "/en/layers/"} <= set(page.links)
    assert "" not in page.links
