"""/lost speaks LoST as RFC 5222 has it, agrees with /api/answer in every place, and takes no hostile XML."""

import random
import re

import jsonschema
import pytest
import shapely
from defusedxml.ElementTree import fromstring
from shapely.geometry import Point, Polygon, shape

from layers import services
from tests import make
from tests.webmap import site

LOST = "urn:ietf:params:xml:ns:lost1"
GML = "http://www.opengis.net/gml"
CIVIC = "urn:ietf:params:xml:ns:pidf:geopriv10:civicAddr"
TYPE = "application/lost+xml"
SOS, OWN = "urn:service:sos", "urn:x-turvakaart:service:"
TARTU, AT_SEA, RIGA, CAPE = (58.38, 26.72), (58.9, 21.5), (56.95, 24.1), (-33.9, 18.4)
# What may follow what in each answer, and which attributes it must have (RFC 5222, appendix A).
PARTS = {
    "findServiceResponse": r"(mapping )+(locationValidation )?(warnings )*path (locationUsed )?",
    "listServicesResponse": r"serviceList (warnings )*path ",
    "listServicesByLocationResponse": r"serviceList (warnings )*path (locationUsed )?",
    "getServiceBoundaryResponse": r"(serviceBoundary )+(warnings )*path ",
    "mapping": r"(displayName )*service ((serviceBoundary )+|serviceBoundaryReference )?(uri )*"
    r"(serviceNumber )?",
    "path": r"(via )+",
    "errors": r"\w+ ",
    "serviceBoundary": r"Polygon ",
    "Polygon": r"exterior (interior )*",
    "exterior": r"LinearRing ",
    "interior": r"LinearRing ",
    "LinearRing": r"(pos ){4,}",
}
NEEDED = {
    "mapping": {"expires", "lastUpdated", "source", "sourceId"},
    "serviceBoundaryReference": {"source", "key"},
    "serviceBoundary": {"profile"},
    "via": {"source"},
    "locationUsed": {"id"},
    "errors": {"source"},
    "warnings": {"source"},
}
RANK = {"inside": 0, "serves": 0, "inherited": 0, "shore": 1, "nearest": 2}


def local(element):
    return element.tag.rpartition("}")[2]


def faults(element):
    """Where an answer is not as the RFC's schema has it."""
    name = local(element)
    inside = "".join(f"{local(one)} " for one in element)
    found = [f"{name}: {inside}"] if not re.fullmatch(PARTS.get(name, r"(\w+ )*"), inside) else []
    found += [f"{name}: no {one}" for one in NEEDED.get(name, set()) - {*element.keys()}]
    return found + [fault for one in element for fault in faults(one)]


def ask(client, text, kind=TYPE, **more):
    answer = client.post("/lost", query_string={"lang": "en", **more}, data=text, content_type=kind)
    assert (answer.status_code, answer.mimetype) == (200, TYPE)
    said = fromstring(answer.data)
    assert faults(said) == []
    assert said.tag.startswith(f"{{{LOST}}}")
    return said


def error(said):
    (one,) = said
    assert local(said) == "errors"
    assert one.get("message").endswith((".", "”."))
    return local(one)


def point(lat, lon, system="urn:ogc:def:crs:EPSG::4326", id="here"):
    return (
        f'<location id="{id}" profile="geodetic-2d"><p2:Point id="p" srsName="{system}">'
        f"<p2:pos>{lat} {lon}</p2:pos></p2:Point></location>"
    )


def civic(**parts):
    inside = "".join(f"<{name}>{text}</{name}>" for name, text in parts.items())
    return (
        f'<location id="c" profile="civic"><civicAddress xmlns="{CIVIC}">{inside}</civicAddress></location>'
    )


def question(name, inside, **attributes):
    more = "".join(f' {key}="{value}"' for key, value in attributes.items())
    return f'<?xml version="1.0"?><{name} xmlns="{LOST}" xmlns:p2="{GML}"{more}>{inside}</{name}>'


def find(service, place, **attributes):
    inside = place if isinstance(place, str) else point(*place)
    return question("findService", f"{inside}<service>{service}</service>", **attributes)


def every(said, name):
    return list(said.iter(f"{{{LOST}}}{name}"))


def polygons(said):
    """The boundaries in an answer, as one shape in longitude and latitude."""
    rings = []
    for polygon in said.iter(f"{{{GML}}}Polygon"):
        found = [
            [tuple(map(float, pos.text.split()))[::-1] for pos in ring.iter(f"{{{GML}}}pos")]
            for ring in polygon.iter(f"{{{GML}}}LinearRing")
        ]
        rings.append(Polygon(found[0], found[1:]))
    return shapely.union_all(rings)


# --- It agrees with the answer for the place


def expected(answer, key):
    """Who of the answer for a place may be relied on: the first kind of reason that names anybody."""
    (role,) = [one for one in answer["roles"] if one["key"] == key]
    rows = [("inside", f"areas/{one['key'].replace(':', '/')}") for one in role["areas"]]
    rows += [("shore", f"areas/{one['key'].replace(':', '/')}") for one in role["ashore"]]
    rows += [(one["why"], f"bodies/{one['key']}") for one in role["matches"] if one["source"]["current"]]
    first = min((RANK[why] for why, _ in rows), default=0)
    return [page for why, page in rows if RANK[why] == first], first


def test_in_random_places_it_names_those_of_the_answer(client, estonia):
    west, south, east, north = estonia.bounds
    chance, seen = random.Random(11), []  # noqa: S311
    for _ in range(15):
        lat, lon = round(chance.uniform(south, north), 5), round(chance.uniform(west, east), 5)
        answer = client.get("/api/answer", query_string={"lat": lat, "lon": lon, "lang": "en"}).get_json()
        for role in estonia.roles:
            said = ask(client, find(f"{OWN}{role.key}", (lat, lon)))
            json = client.get(
                "/api/find-service", query_string={"lat": lat, "lon": lon, "service": role.key, "lang": "en"}
            ).get_json()
            wanted, rank = expected(answer, role.key)
            pages = [one.text.partition("/en/")[2] for one in every(said, "uri")]
            assert pages == wanted == [one["url"].partition("/en/")[2] for one in json["mappings"]]
            assert bool(every(said, "defaultMappingReturned")) == bool(rank and wanted) == json["default"]
            assert wanted or error(said) == "notFound"
            seen.append(rank if wanted else 3)
    assert {rank: seen.count(rank) for rank in range(4) if seen.count(rank) < 3} == {}


def test_the_place_lies_in_every_boundary_that_is_told(client, estonia):
    west, south, east, north = estonia.bounds
    chance, seen = random.Random(12), 0  # noqa: S311
    for _ in range(6):
        lat, lon = round(chance.uniform(south, north), 5), round(chance.uniform(west, east), 5)
        for service in (f"{OWN}municipality", f"{OWN}police", SOS):
            said = ask(client, find(service, (lat, lon), serviceBoundary="value"))
            for mapping in every(said, "mapping"):
                if every(mapping, "serviceBoundary"):
                    # The drawing has five digits: a place on a border may be a metre outside.
                    assert polygons(mapping).distance(Point(lon, lat)) < 1e-5
                    seen += 1
    assert seen > 5


def test_a_reference_leads_to_the_boundary_itself(client):
    value = ask(client, find(f"{OWN}municipality", TARTU, serviceBoundary="value"))
    (reference,) = every(ask(client, find(f"{OWN}municipality", TARTU)), "serviceBoundaryReference")
    key = reference.get("key")
    drawn = client.get("/api/layers/municipalities.geojson?lang=en").get_json()["features"]
    (city,) = [one for one in drawn if one["properties"]["key"] == key.rpartition("/")[0]]

    said = ask(client, question("getServiceBoundary", "", key=key))

    assert polygons(said).equals(polygons(value))
    assert polygons(said).equals(shape(city["geometry"]))
    for wrong in ("", "x", "municipality:0793/999", "municipality:0000/1", key.upper(), f"{key}9" * 50):
        assert error(ask(client, question("getServiceBoundary", "", key=wrong))) == "notFound"


# --- What it says


def test_an_emergency_service_is_the_number_and_no_address(client):
    said = ask(client, find("urn:service:sos.police", TARTU))
    (mapping,) = every(said, "mapping")

    assert [one.text for one in every(mapping, "serviceNumber")] == ["112"]
    assert every(mapping, "uri") == []
    assert [one.text for one in every(said, "service")] == ["urn:service:sos.police"]
    assert every(said, "warnings") == []
    assert every(said, "locationUsed")[0].get("id") == "here"
    at_sea = ask(client, find(SOS, AT_SEA))
    assert [one.text for one in every(at_sea, "serviceNumber")] == ["112"]
    assert every(at_sea, "serviceBoundaryReference") == []
    assert {error(ask(client, find(SOS, place))) for place in (RIGA, CAPE)} == {"notFound"}


def test_a_mapping_tells_when_it_was_learnt_and_until_when_it_holds(client):
    (mapping,) = every(ask(client, find(f"{OWN}municipality", TARTU)), "mapping")
    moment = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"

    assert re.fullmatch(moment, mapping.get("lastUpdated"))
    assert re.fullmatch(moment, mapping.get("expires"))
    assert mapping.get("expires").endswith("T00:00:00Z")
    names = {
        one.get("{http://www.w3.org/XML/1998/namespace}lang"): one.text
        for one in mapping
        if "display" in one.tag
    }
    assert names == {"et": "Tartu linn", "en": "Tartu city", "ru": "город Тарту"}
    again = every(ask(client, find(f"{OWN}municipality", TARTU)), "mapping")[0]
    assert again.get("sourceId") == mapping.get("sourceId")
    past = every(ask(client, find(f"{OWN}municipality", TARTU), as_of="2020"), "mapping")[0]
    assert past.get("expires") == "NO-CACHE"


def test_what_is_not_told_apart_is_the_service_above_it(client):
    said = ask(client, find("urn:service:sos.gas", TARTU))

    assert [one.text for one in every(said, "service")] == [SOS]
    assert len(every(said, "serviceSubstitution")) == 1
    assert error(ask(client, find("urn:service:counseling.children", TARTU))) == "serviceNotImplemented"
    assert error(ask(client, find("police", TARTU))) == "serviceNotImplemented"


def test_services_are_listed_also_by_place(client, estonia):
    roles = [f"{OWN}{role.key}" for role in estonia.roles]

    def listed(name, inside):
        (found,) = every(ask(client, question(name, inside)), "serviceList")
        return (found.text or "").split()

    assert listed("listServices", "") == [SOS, *roles]
    assert listed("listServices", f"<service>{SOS}</service>") == [
        f"{SOS}.{one}" for one in ("ambulance", "fire", "marine", "police")
    ]
    assert listed("listServices", f"<service>{roles[0]}</service>") == []
    for place in (TARTU, AT_SEA, RIGA, CAPE):
        there = listed("listServicesByLocation", point(*place))
        wanted = [one for one in (SOS, *roles) if local(ask(client, find(one, place))) != "errors"]
        assert there == wanted
    assert error(ask(client, question("listServices", "<service>urn:service:x</service>"))) == (
        "serviceNotImplemented"
    )


def test_a_settlement_is_found_by_its_name(client):
    at = client.get("/api/answer?place=Haapsalu").get_json()["place"]
    wanted = [one.text for one in every(ask(client, find(f"{OWN}police", (at["lat"], at["lon"]))), "uri")]

    address = civic(country="EE", A3="Haapsalu", RD="Posti", HNO="3")
    said = ask(client, find(f"{OWN}police", address, validateLocation="true"))

    assert [one.text for one in every(said, "uri")] == wanted
    assert [one.text for one in every(said, "valid")] == ["ca:A3"]
    assert [one.text for one in every(said, "unchecked")] == ["ca:country ca:RD ca:HNO"]
    assert every(ask(client, find(SOS, civic(A3="Mustla", A2="Viljandi vald"))), "serviceNumber")
    assert error(ask(client, find(SOS, civic(A3="Mustla")))) == "locationInvalid"
    assert error(ask(client, find(SOS, civic(A3="Atlantis")))) == "notFound"
    assert error(ask(client, find(SOS, civic(A2="Tartu linn")))) == "locationInvalid"


def test_the_first_location_in_a_known_profile_is_used(client):
    other = '<location id="x" profile="geodetic-3d"/>'
    said = ask(client, find(SOS, other + point(*TARTU)))

    assert every(said, "locationUsed")[0].get("id") == "here"
    none = ask(client, find(SOS, other))
    assert error(none) == "locationProfileUnrecognized"
    assert none[0].get("unsupportedProfiles") == "geodetic-3d"


# --- What it refuses

BOMB = '<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'
REFUSED = {
    "entities": (BOMB + find(SOS, TARTU).partition("?>")[2].replace(SOS, "&b;"), "badRequest"),
    "a document type": ("<!DOCTYPE l SYSTEM 'file:///etc/passwd'><l/>", "badRequest"),
    "depth": ("<a>" * 3000, "badRequest"),
    "size": (find(SOS, TARTU) + " " * 30_000, "badRequest"),
    "no XML": ("lat=58&lon=26", "badRequest"),
    "nothing": ("", "badRequest"),
    "cut off": (find(SOS, TARTU)[:-5], "badRequest"),
    "NUL": ("\0", "badRequest"),
    "another encoding": ('<?xml version="1.0" encoding="nothing"?><a/>', "badRequest"),
    "another namespace": ("<findService/>", "badRequest"),
    "another question": (question("findIntersect", ""), "badRequest"),
    "no location": (question("findService", f"<service>{SOS}</service>"), "badRequest"),
    "no service": (question("findService", point(*TARTU)), "badRequest"),
    "a strange boundary": (find(SOS, TARTU, serviceBoundary="both"), "badRequest"),
    "another system": (find(SOS, point(1, 2, "urn:ogc:def:crs:EPSG::3301")), "SRSInvalid"),
    "off the earth": (find(SOS, (91, 26)), "locationInvalid"),
    "no numbers": (find(SOS, ("north", "nan")), "locationInvalid"),
    "one number": (find(SOS, (58, "")), "locationInvalid"),
    "three numbers": (find(SOS, (58, "26 7")), "locationInvalid"),
    "huge numbers": (find(SOS, ("1e999", "9" * 5000)), "locationInvalid"),
    "a line": (
        find(SOS, '<location id="l" profile="geodetic-2d"><p2:LineString/></location>'),
        "locationInvalid",
    ),
    "an empty address": (find(SOS, '<location id="l" profile="civic"/>'), "locationInvalid"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_or_broken_question_is_told_as_the_rfc_names_it(client, name):
    text, wanted = REFUSED[name]

    said = ask(client, text.encode())

    assert error(said) == wanted
    assert len(said[0].get("message")) < 200


def test_another_type_is_refused_and_another_method_too(client):
    assert error(ask(client, find(SOS, TARTU), kind="application/x-www-form-urlencoded")) == "badRequest"
    asked = client.get("/lost")
    assert (asked.status_code, asked.mimetype) == (405, "application/problem+json")
    day = client.post("/lost?as_of=2018-13", data=find(SOS, TARTU), content_type=TYPE)
    assert (day.status_code, day.mimetype) == (400, "application/problem+json")


def test_random_bytes_never_break_it(client):
    chance, good = random.Random(13), find(f"{OWN}police", TARTU).encode()  # noqa: S311
    for _ in range(150):
        text = bytearray(good)
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(len(text))
            text[at : at + chance.randint(0, 3)] = bytes(chance.choices(range(256), k=chance.randint(0, 3)))
        ask(client, bytes(text))


def test_a_page_of_another_site_may_ask(client):
    before = client.options(
        "/lost", headers={"Origin": "https://example.org", "Access-Control-Request-Method": "POST"}
    )
    strangers = {"Origin": "https://example.org", "Sec-Fetch-Site": "cross-site"}
    said = client.post("/lost", data=find(SOS, TARTU), content_type=TYPE, headers=strangers)

    assert before.headers["Access-Control-Allow-Headers"] == "Content-Type"
    assert "POST" in before.headers["Access-Control-Allow-Methods"]
    for answer in (before, said):
        assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, "*")
    assert "Set-Cookie" not in said.headers


def test_names_that_mean_harm_stay_text(tmp_path):
    folder = site.a_hostile_instance(tmp_path / "tiny")
    role = {"key": "village", "layer": "villages", "label": {"en": "Village"}}
    make.change(folder, "instance.yaml", lambda about: about.update(roles=[role]))
    with site.a_site(folder, tmp_path / "state") as app:
        said = ask(app.test_client(), find(f"{OWN}village", (58.21, 24.25)))

    names = {one.text for one in every(said, "displayName")}
    assert names & set(site.HOSTILE.values())
    assert names <= set(site.HOSTILE.values())


# --- JSON


@pytest.mark.parametrize("place", [TARTU, AT_SEA, RIGA, CAPE])
@pytest.mark.parametrize("boundary", ["reference", "value"])
def test_the_same_as_json_has_the_described_shape(client, estonia, place, boundary):
    described = client.get("/api/openapi.json").get_json()
    schema = described["paths"]["/api/find-service"]["get"]["responses"]["200"]["content"]
    for one in services.offered(estonia):
        query = {"lat": place[0], "lon": place[1], "service": one.urn, "boundary": boundary, "lang": "ru"}
        answer = client.get("/api/find-service", query_string=query)
        jsonschema.validate(
            answer.get_json(), {**schema["application/json"]["schema"], "components": described["components"]}
        )
        assert answer.get_json()["service"]["urn"] == one.urn


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"lat": "58", "lon": "26"},
        {"lat": "58", "lon": "26", "service": "dragons"},
        {"lat": "58", "lon": "26", "service": " "},
        {"lat": "58", "lon": "261", "service": "police"},
        {"lat": "58", "service": "police"},
        {"lat": "58", "lon": "26", "service": "police", "boundary": "both"},
        {"lat": "58", "lon": "26", "service": "police", "as_of": "never"},
    ],
)
def test_a_forged_question_is_told_as_a_problem(client, query):
    answer = client.get("/api/find-service", query_string=query)

    assert (answer.status_code, answer.mimetype) == (400, "application/problem+json")
    assert answer.get_json()["detail"]
