"""Addresses: a real local server with the traps of real services, and the networks that are not asked."""

import json

import pytest

from layers import network, readers
from layers.readers import Manners, Unreadable
from tests.layers.readers.services import items, wfs


def refusal(url, folder, manners, **more):
    with pytest.raises(Unreadable) as refused:
        readers.fetched(url, folder=folder, manners=manners, **more)
    assert list(folder.iterdir()) == [], "nothing is left behind"
    return str(refused.value)


def names(path, column="nimi"):
    table = readers.read(path)
    at = table.columns.index(column)
    return table, [row[at] for piece in table.pieces() for row in piece.cells]


def test_a_wfs_is_read_over_its_cap_until_the_numbers_agree(serve, tmp_path):
    service = serve({"/ows": wfs(total=7, cap=3)})

    path = readers.fetched(f"{service.url}/ows?service=WFS", folder=tmp_path, manners=service.manners())

    table, found = names(path)
    assert found == [f"K{n}" for n in range(7)]
    assert table.crs == "EPSG:3301"
    assert [file.name for file in tmp_path.iterdir()] == ["ehak_vald.geojson"]
    assert [query["startindex"] for _, query, _ in service.asked if "startindex" in query] == ["0", "3", "6"]
    assert all(headers["User-Agent"].startswith("Turvakaart") for _, _, headers in service.asked)
    assert not any("srsname" in query for _, query, _ in service.asked)


def test_a_wfs_that_speaks_only_gml_gives_easting_first(serve, tmp_path):
    service = serve({"/ows": wfs(total=4, cap=3, form="application/gml+xml; version=3.2")})

    path = readers.fetched(f"{service.url}/ows?service=WFS", folder=tmp_path, manners=service.manners())

    table = readers.read(path)
    assert table.crs == "EPSG:3301"
    assert [shape.wkt for piece in table.pieces() for shape in piece.shapes] == [
        f"POINT (659000 {6474000 + n})" for n in range(4)
    ]


def test_a_system_that_only_the_capabilities_tell_is_written_into_the_file(serve, tmp_path):
    service = serve({"/ows": wfs(crs=False)})

    path = readers.fetched(f"{service.url}/ows?service=WFS", folder=tmp_path, manners=service.manners())

    assert readers.read(path).crs == "EPSG:3301"


def test_a_service_that_gives_fewer_than_it_says_is_refused(serve, tmp_path):
    service = serve({"/ows": wfs(total=5, said=7)})

    said = refusal(f"{service.url}/ows?service=WFS", tmp_path, service.manners())

    assert said == "The service says it has 7 features of “ehak:vald”, but gave 5. Try again later."


def test_a_service_that_ignores_its_paging_is_refused(serve, tmp_path):
    service = serve({"/ows": wfs(repeats=True)})

    said = refusal(f"{service.url}/ows?service=WFS", tmp_path, service.manners())

    assert said == (
        "The service gave the same features twice while it was asked for the next ones. Try again later."
    )


def test_a_layer_is_chosen_by_name_and_the_others_are_named(serve, tmp_path):
    service = serve({"/ows": wfs(layers=("ehak:vald", "ehak:linn"))})

    said = refusal(f"{service.url}/ows?service=WFS", tmp_path, service.manners())
    path = readers.fetched(
        f"{service.url}/ows?service=WFS", folder=tmp_path, name="linn", manners=service.manners()
    )

    assert said == "There are 2 layers at this address. Choose one of: ehak:vald, ehak:linn."
    assert path.name == "ehak_linn.geojson"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"<html><body>Login</body></html>", "The file “WFS” is a web page"),
        (b"\x89PNG\r\n\x1a\n", "is no WFS that can be read (version 2.0.0). Check it."),
        (b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "declares entities or a document type"),
        (
            b'<ows:ExceptionReport xmlns:ows="http://www.opengis.net/ows/1.1"><ows:Exception>'
            b"<ows:ExceptionText>No such service</ows:ExceptionText></ows:Exception></ows:ExceptionReport>",
            "The service answered with an error: “No such service”. Check the address.",
        ),
    ],
)
def test_what_answers_as_a_wfs_and_is_none_is_told(serve, tmp_path, body, says):
    service = serve({"/ows": body})

    assert says in refusal(f"{service.url}/ows?service=WFS", tmp_path, service.manners())


def test_an_ogc_api_is_followed_from_link_to_link(serve, tmp_path):
    listed = json.dumps({"collections": [{"id": "kohad"}]}).encode()
    service = serve({"/api/collections": listed, "/api/collections/kohad/items": items()})

    path = readers.fetched(f"{service.url}/api/collections", folder=tmp_path, manners=service.manners())

    table, found = names(path)
    assert found == [f"K{n}" for n in range(5)]
    assert table.crs == "EPSG:4326"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (items(said=9), "The service says it has 9 features of “kohad”, but gave 5. Try again later."),
        (
            items(loops=True),
            "The service gave the same features twice while it was asked for the next ones. Try again later.",
        ),
        (b"{}", "The file “kohad” is JSON, but there is no GeoJSON in it. Save it as GeoJSON."),
    ],
)
def test_an_ogc_api_that_does_not_keep_its_word_is_refused(serve, tmp_path, answer, says):
    service = serve({"/collections/kohad/items": answer})

    assert refusal(f"{service.url}/collections/kohad", tmp_path, service.manners()) == says


def test_a_file_by_its_address_keeps_a_harmless_name(serve, tmp_path):
    service = serve({"/a/..%2Fk%C3%B5ik%20kohad.csv": b"nimi,x\nA,1\n"})

    path = readers.fetched(
        f"{service.url}/a/..%2Fk%C3%B5ik%20kohad.csv", folder=tmp_path, manners=service.manners()
    )

    assert (path.name, path.read_bytes()) == ("kõik_kohad.csv", b"nimi,x\nA,1\n")


PICTURE = b"\x89PNG\r\n\x1a\n" + b"\0" * 270


@pytest.mark.parametrize(
    ("answer", "more", "says"),
    [
        (PICTURE, {}, "The file “a.zip” is a picture and no data. Fetch the data themselves."),
        (None, {}, "There is nothing at the address “{url}” (answer 404). Look for the right one."),
        ((500, {}, b"x"), {}, "The address “{url}” cannot answer just now (answer 500). Try again later."),
        ((418, {}, b"x"), {}, "The address “{url}” answered with the error 418. Check it in a browser."),
        (
            (403, {}, b"x"),
            {},
            "The address “{url}” refuses to answer this server (answer 403). Fetch the file yourself, or ask "
            "its owner.",
        ),
        (b"a,b\n" * 10, {"most_bytes": 20}, "The address “{url}” sends more than 0 MB. Ask it for less."),
        (
            (200, {"Content-Length": "100"}, b"a,b"),
            {"timeout_s": 0.2},
            "The address “{url}” does not answer, or breaks off. Try again later.",
        ),
        (
            (302, {"Location": "/a.zip"}, b""),
            {},
            "The address “{url}” leads from one address to another without end. Look for the right one.",
        ),
        (
            (302, {"Location": "file:///etc/passwd"}, b""),
            {},
            "“file:///etc/passwd” is no address that can be asked. It begins with https:// or http://.",
        ),
        (
            (302, {"Location": "http://169.254.169.254/latest"}, b""),
            {},
            "The address “http://169.254.169.254/latest” lies in a private network, and is not asked. "
            "Fetch the file yourself.",
        ),
    ],
)
def test_an_answer_that_is_not_what_it_says_is_refused(serve, tmp_path, answer, more, says):
    service = serve({"/a.zip": answer})
    url = f"{service.url}/a.zip"

    assert refusal(url, tmp_path, service.manners(**more)) == says.format(url=url)


def test_a_redirect_is_followed(serve, tmp_path):
    service = serve({"/old": (301, {"Location": "/new.csv"}, b""), "/new.csv": b"nimi,x\nA,1\n"})

    path = readers.fetched(f"{service.url}/old", folder=tmp_path, manners=service.manners())

    assert readers.read(path).columns == ("nimi", "x")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/a",
        "http://127.1/a",
        "http://2130706433/a",
        "http://localhost:8080/a",
        "http://10.0.0.1/a",
        "http://192.168.1.1/a",
        "http://172.16.3.4/a",
        "http://169.254.169.254/latest/meta-data",
        "http://0.0.0.0/a",
        "http://100.64.0.1/a",
        "http://[::1]/a",
        "http://[fe80::1]/a",
        "http://[fc00::1]/a",
        "http://[::ffff:127.0.0.1]/a",
        "http://[64:ff9b::7f00:1]/a",
        "http://[2002:7f00:1::]/a",
        "http://224.0.0.1/a",
    ],
)
def test_our_own_network_is_never_asked(tmp_path, url):
    said = refusal(url, tmp_path, Manners(timeout_s=0.1))

    assert (
        said == f"The address “{url}” lies in a private network, and is not asked. Fetch the file yourself."
    )


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://a/b",
        "gopher://a",
        "",
        "a.csv",
        "http://",
        "http://a:99999/",
        "http://user:word@a/",
    ],
)
def test_only_web_addresses_are_asked(tmp_path, url):
    said = refusal(url, tmp_path, Manners(timeout_s=0.1))

    assert said == f"“{url}” is no address that can be asked. It begins with https:// or http://."


def test_what_was_allowed_on_one_port_is_not_on_another(serve, tmp_path):
    service = serve({"/a.csv": b"a,b\n1,2\n"})
    other = serve({"/a.csv": b"a,b\n1,2\n"})

    assert "private network" in refusal(f"{other.url}/a.csv", tmp_path, service.manners())
    assert other.asked == []


def test_the_address_that_was_checked_is_the_one_that_is_asked(serve, tmp_path, monkeypatch):
    service = serve({"/a.csv": b"a,b\n1,2\n"})
    port = service.server.server_port
    answers = [[(2, 1, 6, "", ("127.0.0.1", port))], AssertionError("a second look-up")]
    monkeypatch.setattr(network.socket, "getaddrinfo", lambda *_, **__: answers.pop(0))

    manners = Manners(allowed=(f"rebinding.example:{port}",), timeout_s=2)
    path = readers.fetched(f"http://rebinding.example:{port}/a.csv", folder=tmp_path, manners=manners)

    assert path.read_bytes() == b"a,b\n1,2\n"
    assert service.asked[0][2]["Host"] == f"rebinding.example:{port}"
