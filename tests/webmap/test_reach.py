"""What is erased is gone from all that was made of it: answers, files made ahead, tiles, feeds, kept copies.

A process answers and keeps what it answered, every file has been asked for and lies on the disk. Then another
process erases an organisation and a word. The first one is asked everything again.
"""

import gzip
import io
import json
import os
import subprocess
import sys
import zipfile

import geopandas
import pytest
from pmtiles.reader import MmapSource, Reader, all_tiles
from pypdf import PdfReader

from layers import catalog, exports, imports, store, tiles
from layers.tiles import Shelf
from tests import make
from tests.webmap import site
from tests.webmap.test_offline import house as known_to_the_worker

KEY, NAME, WORD = "hidden-village", "Salakuula selts", "Peidumaa"
BEFORE = "2026-11-22T20:00:00Z"
TILE = "/api/tiles/counties/1/8/145/75.mvt"
DECIDED = ("--by", "protection officer", "--reason", "asked for", "--write")
ANSWERS = {
    "page": "/en/bodies/{key}",
    "page of a county": "/en/areas/county/02",
    "list": "/en/layers/villages",
    "search": "/en/search?q=salakuula",
    "answer": "/api/answer?lat=58.5&lon=25.5&lang=en",
    "answer in words": "/api/answer?lat=58.5&lon=25.5&lang=en&format=text",
    "card": "/en/card/settlement/1002",
    "card on paper": "/en/card/settlement/1002.pdf",
    "layer": "/api/layers/villages.geojson",
    "layer kept for ever": "/api/layers/villages.geojson?v=1&lang=en&as_of=2026-11-22",
    "history": "/api/history?body={key}&lang=en",
    "history of before": "/api/history?body={key}&lang=en&known={before}",
    "feed": "/en/areas/county/02/changes.atom",
    "card of contacts": "/en/bodies/{key}.vcf",
    "linked data": "/en/bodies/{key}.jsonld",
    "directory": "/hsds/organizations?full=true",
    "directory of services": "/hsds/service_at_locations?full=true",
    "features": "/ogc/collections/villages/items?limit=1000",
    "feature": "/ogc/collections/villages/items/{key}",
    "features of areas": "/ogc/collections/counties/items?limit=1000",
    "service": "/api/find-service?lat=58.5&lon=25.5&service=urn:x-turvakaart:service:villages",
    "catalogue": "/api/search?q=salakuula&limit=50",
    "network": "/en/network.csv",
    "case": "/en/cases/first-case",
    **{f"file {one.key}": f"/api/export/villages.{one.key}?lang=en" for one in exports.offered()},
    **{f"file of areas {one.key}": f"/api/export/counties.{one.key}?lang=en" for one in exports.offered()},
}


def a_country(folder):
    make.an_instance(folder)
    rows = [{"key": KEY, "name": NAME, "form": "association", "county": "02", "settlement": "1002"}]
    rows[0] |= {"lat": "58.5", "lon": "25.5", "precision": "settlement", "serves": "county:02"}
    rows[0] |= {"as_of": "2024", "source_url": "https://example.org/salakuula"}
    rows.append({"key": "first-village", "name": "Teine", "form": "association", "as_of": "2020"})
    make.write(folder, "bodies/villages.csv", make.bodies_csv(rows))
    make.replace(folder, "areas/counties.geojson", '"name_en": "East"', f'"name_en": "{WORD}"')
    make.replace(folder, "areas/counties.geojson", '"name_et": "Ida"', f'"name_et": "{WORD}"')
    make.replace(folder, "cases/first-case.et.md", "\n- first-village", f"\n- first-village\n- {KEY}")
    role = {"key": "villages", "label": {"en": "Villages"}, "layer": "villages", "guide": "alpha"}
    make.change(folder, "instance.yaml", lambda about: about.update(roles=[role]))
    return folder


def told(answer):
    """All the text of an answer, whatever it is packed in."""
    body, kind = answer.data, answer.mimetype
    if answer.headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    return text_of(body, kind)


def text_of(body, kind):
    if kind == "application/pdf":
        return "".join(page.extract_text() for page in PdfReader(io.BytesIO(body)).pages)
    if "parquet" in kind and body[:4] == b"PAR1":
        return geopandas.read_parquet(io.BytesIO(body)).to_json()
    if body[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(body)) as packed:
            return "".join(packed.read(name).decode("utf-8", "replace") for name in packed.namelist())
    return body.decode("utf-8", "replace")


def holds(text):
    return [one for one in (KEY, NAME, WORD, "salakuula") if one.casefold() in text.casefold()]


def unasked(text, address):
    """A text without what the address says itself: who asks for it may hear that again."""
    for one in (KEY, "salakuula"):
        text = text.replace(one, "") if one in address else text
    return text


class Asked:
    """Every answer of a process: what it holds, and its ETag."""

    def __init__(self, client, addresses):
        self.held, self.etags, self.statuses = {}, {}, {}
        for name, address in addresses.items():
            with client.get(address) as answer:
                self.statuses[name] = answer.status_code
                self.held[name] = holds(unasked(told(answer), address))
                self.etags[name] = answer.headers.get("ETag")


def status(client, address, etag):
    with client.get(address, headers={"If-None-Match": etag}) as answer:
        return answer.status_code


def in_archive(shelf):
    """All that the tile archives of a folder say."""
    found = ""
    for file in sorted(shelf.glob("*.pmtiles")):
        with file.open("rb") as opened:
            source = MmapSource(opened)
            found += json.dumps(Reader(source).metadata())
            found += "".join(
                gzip.decompress(tile).decode("utf-8", "replace") for _, tile in all_tiles(source)
            )
    return found


def on_disk(state):
    """Files under a folder that hold something of it, the store itself and its log too."""
    kinds = {".parquet": "parquet"}
    files = [file for file in state.rglob("*") if file.is_file()]
    return {file.name for file in files if holds(text_of(file.read_bytes(), kinds.get(file.suffix, "")))}


class Reach:
    """The process before and after, and what lies on its disk."""

    def __init__(self, home):
        folder, state = a_country(home / "tiny"), home / "state"
        settings = site.Settings(instance=folder, state=state, tiles_from=1)
        engine, self.shelf = store.open_store(settings.store_url("tiny")), settings.tiles("tiny")
        read = catalog.read_instance(folder)
        imports.load(engine, read, now=make.moment(site.TODAY))
        tiles.build(engine, read, Shelf(self.shelf, 1), tell=lambda progress: None)
        engine.dispose()
        self.addresses = {name: one.format(key=KEY, before=BEFORE) for name, one in ANSWERS.items()}
        with site.an_app(settings) as app:
            client = app.test_client(use_cookies=False)
            self.before = Asked(client, self.addresses)
            self.script_before = known_to_the_worker(client)["version"]
            self.archive_before, self.disk_before = in_archive(self.shelf), on_disk(state)
            self.tile_before = client.get(TILE).status_code
            self.said = [erase(folder, state, *what) for what in (("body", KEY), ("words", WORD))]
            self.after = Asked(client, self.addresses)
            self.again = {
                name: status(client, self.addresses[name], etag)
                for name, etag in self.before.etags.items()
                if etag
            }
            self.tile_after = client.get(TILE).status_code
            self.script_after = known_to_the_worker(client)["version"]
            self.kept = client.get("/en/offline.json").json["addresses"]
            self.held_by_kept = {one for one in self.kept if holds(told(client.get(one, buffered=True)))}
        self.archive_after, self.disk_after = in_archive(self.shelf), on_disk(state)


def erase(folder, state, kind, what):
    """`turvakaart erase` as a process of its own; returns what it said."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
        "WEBMAP_INSTANCE": str(folder),
        "WEBMAP_STATE": str(state),
        "WEBMAP_TILES_FROM": "1",
    }
    line = [sys.executable, "-m", "webmap.cli", "erase", kind, "-", *DECIDED]
    done = subprocess.run(
        line, input=f"{what}\n", env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    return f"{done.returncode} {done.stdout} {done.stderr}"


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def reach(tmp_path_factory):
    return Reach(tmp_path_factory.mktemp("reach"))


def test_whatever_told_of_it_tells_nothing_of_it_any_more(reach):
    assert [name for name, held in reach.before.held.items() if not held] == []
    assert [one[:1] for one in reach.said] == ["0", "0"], reach.said

    assert {name: held for name, held in reach.after.held.items() if held} == {}
    gone = {name for name, status in reach.after.statuses.items() if status == 404}
    assert gone == {name for name, address in ANSWERS.items() if "{key}" in address}


def test_a_visitor_who_has_an_old_answer_is_not_told_that_it_is_still_right(reach):
    asked = [name for name, etag in reach.before.etags.items() if etag]
    assert {"layer", "layer kept for ever", "feed", "features", "directory", "file csv"} <= {*asked}

    assert {name for name in asked if reach.again[name] == 304} == set()


def test_what_a_device_keeps_is_renewed_and_holds_nothing_of_it(reach):
    assert reach.script_before != reach.script_after
    assert "/en/layers/villages" in reach.kept
    assert reach.held_by_kept == set()


def test_tiles_are_made_anew_and_the_old_ones_have_no_address(reach):
    assert holds(reach.archive_before) == [WORD]
    assert (reach.tile_before, reach.tile_after) == (200, 404)
    assert reach.archive_after
    assert holds(reach.archive_after) == []


def test_no_file_on_the_disk_holds_anything_of_it(reach):
    """The store and its log byte by byte, files for download, tiles, the ledger."""
    endings = {name.rpartition(".")[2] for name in reach.disk_before}
    assert endings >= {"sqlite", *(one.key for one in exports.offered())}

    assert reach.disk_after == set()
