"""/catalog is DCAT-AP 3: what it must say of everything is said, once, and every address in it is there."""

import re
from urllib.parse import urlsplit

import pytest
import rdflib
from rdflib import DCAT, DCTERMS, FOAF, RDF, RDFS, XSD, Literal, URIRef
from rdflib.compare import isomorphic

from tests import make
from tests.webmap import site

# rdflib's own reader of JSON-LD warns of itself.
pytestmark = pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated")

AUTHORITY = "http://publications.europa.eu/resource/authority/"
SOME = "1..n"
ONE = "1..1"
AT_MOST_ONE = "0..1"
# DCAT-AP 3.0: what each class must have (and of what it may not have two), with what it leads to.
RULES = {
    DCAT.Catalog: {
        DCTERMS.title: (SOME, Literal),
        DCTERMS.description: (SOME, Literal),
        DCTERMS.publisher: (ONE, FOAF.Agent),
        FOAF.homepage: (AT_MOST_ONE, URIRef),
        DCTERMS.modified: (AT_MOST_ONE, XSD.dateTime),
        DCAT.dataset: (SOME, DCAT.Dataset),
        DCAT.service: (SOME, DCAT.DataService),
        DCTERMS.spatial: (SOME, DCTERMS.Location),
    },
    DCAT.Dataset: {
        DCTERMS.title: (SOME, Literal),
        DCTERMS.description: (SOME, Literal),
        DCTERMS.publisher: (ONE, FOAF.Agent),
        DCTERMS.accrualPeriodicity: (ONE, URIRef),
        DCTERMS.accessRights: (AT_MOST_ONE, URIRef),
        DCTERMS.modified: (ONE, XSD.dateTime),
        DCTERMS.provenance: (SOME, DCTERMS.ProvenanceStatement),
        DCTERMS.spatial: (SOME, DCTERMS.Location),
        DCTERMS.identifier: (SOME, Literal),
        DCTERMS.temporal: (AT_MOST_ONE, DCTERMS.PeriodOfTime),
    },
    DCAT.Distribution: {
        DCAT.accessURL: (SOME, URIRef),
        DCTERMS.format: (ONE, URIRef),
        DCAT.mediaType: (ONE, URIRef),
        DCTERMS.license: (AT_MOST_ONE, DCTERMS.LicenseDocument),
    },
    DCAT.DataService: {
        DCAT.endpointURL: (SOME, URIRef),
        DCTERMS.title: (SOME, Literal),
        DCTERMS.publisher: (AT_MOST_ONE, FOAF.Agent),
    },
    DCTERMS.PeriodOfTime: {DCAT.startDate: (ONE, Literal), DCAT.endDate: (ONE, Literal)},
    DCTERMS.Location: {DCAT.bbox: (ONE, Literal)},
    FOAF.Agent: {FOAF.name: (SOME, Literal)},
    DCTERMS.LicenseDocument: {DCTERMS.identifier: (ONE, Literal)},
    DCTERMS.ProvenanceStatement: {RDFS.label: (SOME, Literal)},
}
LEAST = {SOME: 1, ONE: 1, AT_MOST_ONE: 0}


def faults(graph):
    found = []
    for kind, rules in RULES.items():
        for thing in graph.subjects(RDF.type, kind):
            for name, (often, what) in rules.items():
                values = list(graph.objects(thing, name))
                tongues = [getattr(one, "language", None) for one in values]
                many = often != SOME and len(values) > 1
                if len(values) < LEAST[often] or many:
                    found.append(f"{thing} {name}: {len(values)}")
                if what is Literal and len(tongues) != len(set(tongues)) and any(tongues):
                    found.append(f"{thing} {name}: twice in a language")
                found += [f"{thing} {name}: {one!r}" for one in values if not _is(graph, one, what)]
    return found


def _is(graph, one, what):
    if what in (Literal, URIRef):
        return isinstance(one, what)
    if what == XSD.dateTime:
        return isinstance(one, Literal) and one.datatype == what and one.value is not None
    return (one, RDF.type, what) in graph


def read(client, path="/catalog.ttl"):
    answer = client.get(path)
    assert answer.status_code == 200
    return rdflib.Graph().parse(data=answer.text, format="turtle" if path.endswith("ttl") else "json-ld")


@pytest.fixture(scope="module")
def graph(app):
    return read(app.test_client())


def test_everything_has_what_it_must_have(graph):
    assert faults(graph) == []
    numbers = {kind: len(list(graph.subjects(RDF.type, kind))) for kind in RULES}
    assert numbers[DCAT.Catalog] == 1
    assert numbers[DCAT.Dataset] > 10
    assert numbers[DCAT.Distribution] > 20
    assert min(numbers.values()) > 0


def test_what_is_missing_would_be_seen(graph):
    less = rdflib.Graph()
    for one in graph:
        less.add(one)
    dataset = next(less.subjects(RDF.type, DCAT.Dataset))
    less.remove((dataset, DCTERMS.title, None))
    less.set((dataset, DCTERMS.publisher, Literal("nobody")))

    assert [one.rpartition("/")[2] for one in faults(less)] == [
        "title: 0",
        "publisher: rdflib.term.Literal('nobody')",
    ]


def test_both_forms_are_one_graph_without_blank_nodes(app, graph):
    assert isomorphic(graph, read(app.test_client(), "/catalog.jsonld"))
    assert not [one for triple in graph for one in triple if isinstance(one, rdflib.BNode)]


def test_datasets_are_what_is_loaded_with_source_and_licence(app, graph):
    page = app.test_client().get("/et/data").text
    datasets = {str(one).rpartition("#dataset-")[2]: one for one in graph.subjects(RDF.type, DCAT.Dataset)}
    layers = {layer.key for layer in app.extensions["house"].instance.layers}

    assert layers <= datasets.keys()
    for name, one in datasets.items():
        title = [text for text in graph.objects(one, DCTERMS.title) if text.language in ("et", "en", None)]
        assert name in layers or any(str(text) in page for text in title), name
    licences = {
        str(text)
        for one in graph.subjects(RDF.type, DCTERMS.LicenseDocument)
        for text in graph.objects(one, DCTERMS.identifier)
    }
    assert {"CC-BY-4.0", "ODbL-1.0"} <= licences
    assert [one for one in licences if one not in page] == []
    rough = next(graph.objects(datasets["counties"], DCTERMS.temporal))
    assert str(next(graph.objects(rough, DCAT.startDate))) <= str(next(graph.objects(rough, DCAT.endDate)))
    licence = [
        next(graph.objects(d, DCTERMS.license))
        for d in graph.objects(datasets["counties"], DCAT.distribution)
    ]
    assert {str(one) for one in licence} == {"https://spdx.org/licenses/ODbL-1.0"}


def test_dates_are_no_more_exact_than_they_are(graph):
    kinds = {XSD.gYear: r"\d{4}", XSD.gYearMonth: r"\d{4}-\d\d", XSD.date: r"\d{4}-\d\d-\d\d"}
    told = [one for name in (DCAT.startDate, DCAT.endDate) for one in graph.objects(None, name)]

    assert len({one.datatype for one in told}) > 1
    assert [one for one in told if not re.fullmatch(kinds[one.datatype], str(one))] == []


def test_every_address_of_ours_is_there(app, graph):
    client, seen = app.test_client(), set()
    for name in (DCAT.accessURL, DCAT.downloadURL, DCAT.landingPage, FOAF.homepage, DCAT.endpointDescription):
        for one in graph.objects(None, name):
            parts = urlsplit(str(one))
            assert parts.netloc == "localhost"
            seen.add(f"{parts.path}?{parts.query}")
    wrong = {path: client.get(path, buffered=True).status_code for path in seen}
    assert len(seen) > 20
    assert {path: status for path, status in wrong.items() if status != 200} == {}


def test_what_a_distribution_promises_is_what_comes(app, graph):
    client = app.test_client()
    for one in graph.subjects(RDF.type, DCAT.Distribution):
        for address in graph.objects(one, DCAT.downloadURL):
            (media,) = graph.objects(one, DCAT.mediaType)
            assert str(media).endswith(client.get(urlsplit(str(address)).path, buffered=True).mimetype)


def test_the_codes_are_those_of_the_union(graph):
    codes = {str(one) for triple in graph for one in triple if str(one).startswith(AUTHORITY)}
    tables = {one.removeprefix(AUTHORITY).partition("/")[0] for one in codes}

    assert tables == {
        *("access-right", "data-theme", "file-type", "frequency", "language", "planned-availability"),
    }
    assert {f"{AUTHORITY}language/{code}" for code in ("EST", "ENG", "RUS")} <= codes


def test_it_names_a_contact_only_where_there_is_one(tmp_path):
    folder = make.an_instance(tmp_path / "tiny")
    vcard = rdflib.Namespace("http://www.w3.org/2006/vcard/ns#")
    with site.a_site(folder, tmp_path / "none") as app:
        alone = read(app.test_client())
    for where, name in (("mailto:map@example.org", vcard.hasEmail), ("https://example.org/x", vcard.hasURL)):
        with site.a_site(folder, tmp_path / name[-5:], corrections=where) as app:
            found = read(app.test_client())
        assert [str(one) for one in found.objects(None, name)] == [where]
        assert faults(found) == []
        datasets = set(found.subjects(RDF.type, DCAT.Dataset))
        assert datasets <= set(found.subjects(DCAT.contactPoint, None))

    assert list(alone.objects(None, DCAT.contactPoint)) == []
    assert faults(alone) == []


def test_it_is_kept_as_answers_of_the_api_are(client):
    for path, kind in (("/catalog.ttl", "text/turtle"), ("/catalog.jsonld", "application/ld+json")):
        first = client.get(path)
        again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})

        assert (first.mimetype, again.status_code) == (kind, 304)
        assert first.headers["Access-Control-Allow-Origin"] == "*"
        assert client.get(path).data == first.data
        wrong = client.get(f"{path}?lang=xx")
        assert (wrong.status_code, wrong.mimetype) == (400, "application/problem+json")


def test_a_named_address_stands_in_it(tmp_path):
    folder = make.an_instance(tmp_path / "tiny")
    with site.a_site(folder, tmp_path / "state", address="https://map.example") as app:
        answer = app.test_client().get("/catalog.ttl", headers={"Host": "evil.example"}).text

    assert "<https://map.example/catalog.ttl> a dcat:Catalog" in answer
    assert "evil.example" not in answer


def test_a_dataset_of_several_licences_names_them_all(tmp_path):
    folder = make.an_instance(tmp_path / "tiny")

    def of_two(package):
        village = next(one for one in package["resources"] if one["name"] == "villages")
        village["licenses"] = [{"name": "Own words, <ask us>"}]

    make.change(folder, "datapackage.json", of_two)
    with site.a_site(folder, tmp_path / "state") as app:
        found = read(app.test_client())

    assert faults(found) == []
    own = next(found.subjects(DCTERMS.identifier, Literal("Own words, <ask us>")))
    assert str(own) == "http://localhost/catalog.ttl#licence-Own-words-ask-us-"


def test_names_that_mean_harm_stay_text(hostile):
    assert faults(read(hostile)) == []
