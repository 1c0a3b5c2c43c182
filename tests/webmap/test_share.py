"""What is handed on: the sheet of paper, its QR code, the map in a frame, and the link that lasts."""

import json
import re
from datetime import date
from urllib.parse import urlsplit

import pytest
import segno
from click.testing import CliRunner

from layers import catalog, imports, store
from tests import make
from tests.webmap import site
from tests.webmap.site import HOSTILE, look
from tests.webmap.test_security import policy
from webmap import cli, sharing
from webmap.settings import BadOrigin, Settings

MOMENT = "2026-11-22T14:05:09Z"
SITES = ("https://vald.example", "http://kyla.example:8080")


def printed(answer):
    """The address that a sheet shows, as text."""
    return re.search(r'<p class="address">(.*?)</p>', answer.text)[1].replace("&amp;", "&")


def code_of(text):
    """The drawing of a QR code of a text: where its dark modules are."""
    drawn = segno.make(text, error="m", micro=False).svg_inline(omitsize=True, border=4)
    return re.search(r' d="([^"]*)"', drawn)[1]


def loaded_script(answer):
    return re.search(r'src="(/\w\w/map-[^"]*)"', answer.text)[1].replace("&amp;", "&")


# --- On paper


@pytest.mark.parametrize("language", ["et", "en"])
def test_a_sheet_holds_all_that_a_reader_of_paper_needs(client, estonia, language):
    found = look(client, f"/{language}/print?show=police,municipalities")
    text = found.text

    assert (found.status, found.language, found.inline) == (200, language, [])
    assert [heading.startswith("Turvakaart") for heading in found.headings] == [True]
    assert all(credit in text for credit in estonia.attributions)
    for key in ("police", "municipalities", "land", "neighbours"):
        assert estonia.resources[key].licence in text
    for key in ("police", "municipalities"):
        assert catalog.said(estonia.layer(key).label, language, "") in text
    assert catalog.said(estonia.layer("rescue").about, language, "") not in text
    assert estonia.resources["municipalities"].accuracy[language] in text
    assert estonia.resources["counties"].accuracy[language] not in text


def test_a_sheet_says_when_it_was_printed_and_what_it_looks_back_on(client, monkeypatch):
    monkeypatch.setattr("webmap.params.now", lambda: "2026-12-24T08:00:00Z")
    now = look(client, "/en/print").text
    then = look(client, f"/en/print?as_of=2012-05-15&known={MOMENT}").text

    assert "24 December 2026" in now
    assert "As it was" not in now
    for said in ("As it was on 15 May 2012", "As it was known on 22 November 2026", "on 24 December 2026"):
        assert said in then


@pytest.mark.parametrize("path", ["/et/print", "/et/print?show=", "/et/print?at=9/58.6/25.1&show=watch"])
def test_the_code_leads_to_the_address_that_is_written_beside_it(client, path):
    answer = client.get(path)
    address = printed(answer)
    back = client.get(urlsplit(address).path)

    assert code_of(address) in answer.text
    assert code_of(f"{address}x") not in answer.text
    assert (back.status_code, urlsplit(address).netloc) == (200, "localhost")


def test_a_sheet_carries_on_what_our_pages_ask_and_nothing_else(client):
    asked = f"as_of=2020-05-01&known={MOMENT}&theme=watch&_scheme=ftp&_external=1&part=1&evil=1"
    answer = client.get(f"/en/print?at=9.5/58.60001/25.1&show=watch,police&{asked}")
    carried = f"as_of=2020-05-01&known={MOMENT}"
    view = "at=9.5/58.60001/25.1&show=police,watch"

    assert printed(answer) == f"http://localhost/en/?{carried}#{view}&theme=watch"
    assert loaded_script(answer).partition("?")[2].replace("%3A", ":") == carried
    assert 'data-at="9.5/58.60001/25.1"' in answer.text
    assert 'data-show="police,watch"' in answer.text


def test_both_papers_and_the_other_language_keep_the_view(client):
    links = look(client, "/et/print?at=9/58.6/25.1&show=watch&paper=portrait").links

    for path in (
        "/et/print?at=9/58.6/25.1&paper=landscape&show=watch",
        "/en/print?at=9/58.6/25.1&paper=portrait&show=watch",
    ):
        wanted = urlsplit(path)
        same = [urlsplit(link) for link in links if urlsplit(link).path == wanted.path]
        queries = {frozenset(link.query.split("&")) for link in same}
        assert frozenset(wanted.query.split("&")) in queries


def test_a_setting_names_the_site_on_paper(estonia, state):
    with site.an_app(Settings(instance=estonia.folder, state=state, address="https://kaart.example")) as app:
        answer = app.test_client(use_cookies=False).get("/et/print", headers={"Host": "evil.example"})

    assert printed(answer) == "https://kaart.example/et/"
    assert "evil.example" not in answer.text


def test_a_sheet_is_kept_by_no_shared_cache(client):
    assert client.get("/et/print").headers["Cache-Control"] == "private, no-cache"


BAD = {
    "at=x": "at",
    "at=9/58": "at",
    "at=9/58/25/1": "at",
    "at=nan/58/25": "at",
    "at=1e1/58/25": "at",
    "at=99/58/25": "at",
    "at=9/٥٨/25": "at",
    "at=<script>alert(1)</script>": "at",
    "at=9/95/25": "lat",
    "at=9/58/-190": "lon",
    "show=police,nothing": "show",
    "show=<img src=x>": "show",
    "paper=a3": "paper",
    "as_of=2018-13": "as_of",
    "known=yesterday": "known",
}


BOTH = [
    (page, asked) for page in ("print", "embed") for asked in BAD if (page, asked) != ("embed", "paper=a3")
]


@pytest.mark.parametrize(("page", "asked"), BOTH)
def test_what_cannot_be_used_is_named(client, page, asked):
    found = look(client, f"/en/{page}?{asked}")

    assert found.status == 400
    assert BAD[asked] in found.text
    assert (found.inline, found.tags & {"img", "iframe"}) == ([], set())


def test_an_address_that_no_phone_could_read_is_not_printed():
    assert sharing.whole("https://turvakaart.example", f"/en/#{'x' * 300}").endswith("xxx")

    with pytest.raises(sharing.TooLong, match="400 is the most"):
        sharing.whole("https://turvakaart.example", f"/en/#{'x' * 500}")


@pytest.mark.parametrize(
    "name", ["to", "next", "url", "at", "show", "paper", "q", "theme", "language", "path"]
)
@pytest.mark.parametrize(
    "value", ["https://evil.example/", "//evil.example", "\\\\evil.example", "javascript:x"]
)
def test_no_question_leads_to_another_site(client, name, value):
    for page in ("print", "embed"):
        answer = client.get(f"/et/{page}", query_string={name: value})
        links = [urlsplit(link) for link in site.see(answer).links]

        assert answer.status_code in (200, 400)
        assert {(link.scheme, link.netloc) for link in links} == {("", "")}
        if answer.status_code == 200 and page == "print":
            assert urlsplit(printed(answer))[:3] == ("http", "localhost", "/et/")


# --- In a frame


@pytest.mark.parametrize(("allowed", "said"), [((), []), (SITES, [*SITES]), (("*",), ["*"])])
def test_only_the_allowed_sites_may_show_the_map_in_a_frame(estonia, state, allowed, said):
    with site.an_app(Settings(instance=estonia.folder, state=state, embed_origins=allowed)) as app:
        client = app.test_client(use_cookies=False)
        framed = {path: policy(client.get(path)) for path in ("/et/embed", "/en/embed?at=x")}
        others = [policy(client.get(path)) for path in ("/et/", "/et/print", "/et/data", "/embed", "/api/x")]
        block = look(client, "/en/").text

    assert [one["frame-ancestors"] for one in framed.values()] == [["'self'", *said]] * 2
    assert [one["frame-ancestors"] for one in others] == [["'self'"]] * 5
    assert {name: framed["/et/embed"][name] for name in others[0] if name != "frame-ancestors"} == {
        name: value for name, value in others[0].items() if name != "frame-ancestors"
    }
    assert (SITES[0] in block) == (allowed == SITES)


def test_a_frame_leaves_no_cookie(client):
    assert "Set-Cookie" in client.get("/et/print").headers
    assert "Set-Cookie" not in client.get("/et/embed").headers


@pytest.mark.parametrize("language", ["et", "en"])
def test_a_frame_holds_title_legend_sources_and_the_way_to_the_whole_map(client, estonia, language):
    answer = client.get(f"/{language}/embed?at=9/58.6/25.1&show=watch&as_of=2020-05-01")
    found = site.see(answer)

    assert (found.status, found.language, found.inline) == (200, language, [])
    assert len(found.headings) == 1
    assert "Turvakaart" in found.title
    assert f"/{language}/?as_of=2020-05-01#at=9/58.6/25.1&show=watch" in found.links
    assert all(credit in found.text for credit in estonia.attributions)
    assert answer.text.count('target="_blank"') == answer.text.count('rel="noopener"') == len(found.links)
    assert re.findall(r'<li data-key="(\w+)">', answer.text) == ["watch"]


@pytest.mark.parametrize("page", ["print?at=9/58.2/24.25", "embed"])
@pytest.mark.parametrize("language", ["et", "en"])
def test_a_hostile_country_stays_text(hostile, page, language):
    found = look(hostile, f"/{language}/{page}")

    assert (found.status, found.inline) == (200, [])
    assert found.tags.isdisjoint({"img", "iframe", "object"})
    assert HOSTILE["image"] not in hostile.get(f"/{language}/{page}").text


# --- Settings


@pytest.mark.parametrize(
    "origin",
    [
        "kyla.example",
        "https://kyla.example/",
        "https://kyla.example/page",
        "https://*.example",
        "ftp://kyla.example",
        "'none'",
        "https://a.example;script-src",
        "https://kyla.example,https://vald.example",
        "https://user@kyla.example",
        "https://külake.example",
    ],
)
def test_what_is_no_origin_is_refused_at_the_start(origin):
    with pytest.raises(BadOrigin, match=re.escape(f"WEBMAP_EMBED_ORIGINS holds “{origin}”")):
        Settings.from_environment({"WEBMAP_EMBED_ORIGINS": f"https://vald.example {origin}"})


def test_origins_are_read_from_the_environment():
    read = Settings.from_environment(
        {"WEBMAP_EMBED_ORIGINS": f" {SITES[0]}  {SITES[1]} ", "WEBMAP_ADDRESS": "https://[::1]:8443/"}
    )

    assert (read.embed_origins, read.address) == (SITES, "https://[::1]:8443")
    assert Settings.from_environment({"WEBMAP_EMBED_ORIGINS": "*"}).embed_origins == ("*",)


def test_the_command_says_what_is_wrong_and_does_not_start(tmp_path):
    chosen = {"WEBMAP_ADDRESS": "kaart.example", "WEBMAP_STATE": str(tmp_path)}
    ended = CliRunner().invoke(cli.cli, ["serve", "--no-browser"], env=chosen)

    assert ended.exit_code == 1
    assert "WEBMAP_ADDRESS holds “kaart.example”, which is not the origin of a site." in ended.output


# --- The link that shows the same later


def load(folder, state, day):
    read = catalog.read_instance(folder)
    engine = store.open_store(Settings(instance=folder, state=state).store_url(read.key))
    imports.load(engine, read, now=make.moment(day))
    engine.dispose()


def village(name):
    row = {"key": "first-village", "name": name, "form": "association", "as_of": "2020", "source": "Made up"}
    return make.bodies_csv([{**row, "lat": "58.2", "lon": "24.25", "precision": "settlement"}])


def test_a_link_with_its_moment_shows_the_same_after_the_facts_have_changed(tmp_path):
    folder = make.an_instance(tmp_path / "tiny")
    make.write(folder, "bodies/villages.csv", village("The first name"))
    load(folder, tmp_path, date(2026, 11, 20))
    make.write(folder, "bodies/villages.csv", village("The second name"))
    load(folder, tmp_path, date(2026, 11, 24))
    asked = f"as_of=2026-11-22&known={MOMENT}"

    with site.an_app(Settings(instance=folder, state=tmp_path)) as app:
        client = app.test_client(use_cookies=False)

        def shown(query):
            answer = client.get(f"/et/?{query}")
            script = client.get(loaded_script(answer)).text
            address = re.search(r'"url": ("/api/layers/villages[^"]*")', script)[1]
            found = client.get(json.loads(address)).json["features"]
            return [one["properties"]["name"] for one in found], look(client, f"/en/?{query}").text

        # Asked in turns, so that one answer kept for the other would be seen.
        (before, notice), (now, quiet) = shown(asked), shown("as_of=2026-11-22")
        again, _ = shown(asked)

    assert (before, now, again) == (["The first name"], ["The second name"], ["The first name"])
    assert "This is what was known on 22 November 2026" in notice
    assert "This is what was known" not in quiet
