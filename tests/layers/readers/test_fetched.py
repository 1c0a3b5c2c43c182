"""Addresses: a real local server with the traps of real services, and the networks that are not asked."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from layers import network, readers
from layers.readers import Manners, Unreadable
from tests.layers.readers.files import feature, gml

CAPABILITIES = """<?xml version="1.0"?>
<wfs:WFS_Capabilities version="2.0.0" xmlns:wfs="http://www.opengis.net/wfs/2.0"
 xmlns:ows="http://www.opengis.net/ows/1.1" xmlns:xlink="http://www.w3.org/1999/xlink">
<ows:OperationsMetadata><ows:Operation name="GetFeature"><ows:DCP><ows:HTTP><ows:Get xlink:href="http://x/"/></ows:HTTP>
</ows:DCP><ows:Parameter name="outputFormat"><ows:AllowedValues>{forms}</ows:AllowedValues></ows:Parameter>
</ows:Operation></ows:OperationsMetadata><wfs:FeatureTypeList>{layers}</wfs:FeatureTypeList></wfs:WFS_Capabilities>"""


class Service:
    """What a server answers: {path: bytes or a function of the query}, all asked kept in `asked`."""

    def __init__(self, answers):
        self.asked, service = [], self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                parts = urlsplit(self.path)
                query = {key.lower(): values[0] for key, values in parse_qs(parts.query).items()}
                service.asked.append((parts.path, query, dict(self.headers)))
                answer = answers.get(parts.path)
                status, headers, body = 200, {}, answer(query) if callable(answer) else answer
                if isinstance(body, tuple):
                    status, headers, body = body
                if body is None:
                    status, body = 404, b"no"
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_port}"
        self.url = f"http://{self.host}"
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()

    def manners(self, **more):
        return Manners(allowed=(self.host,), pause_s=0, **{"timeout_s": 2.0, **more})


@pytest.fixture
def serve():
    running = []

    def start(answers):
        running.append(Service(answers))
        return running[-1]

    yield start
    for service in running:
        service.server.shutdown()
        service.server.server_close()


def refusal(url, folder, manners, **more):
    with pytest.raises(Unreadable) as refused:
        readers.fetched(url, folder=folder, manners=manners, **more)
    assert list(folder.iterdir()) == [], "nothing is left behind"
    return str(refused.value)


def wfs(
    total=7,
    cap=3,
    *,
    said=None,
    form="application/json",
    layers=("ehak:vald",),
    repeats=False,
    crs=True,
    srs="3301",
):
    """A WFS that gives at most `cap` features a question, and says it has `said` (else `total`) of them."""

    def answer(query):
        if query.get("request") == "GetCapabilities":
            types = "".join(
                f"<wfs:FeatureType><wfs:Name>{name}</wfs:Name><wfs:Title>t</wfs:Title>"
                f"<wfs:DefaultCRS>urn:ogc:def:crs:EPSG::{srs}</wfs:DefaultCRS></wfs:FeatureType>"
                for name in layers
            )
            return CAPABILITIES.format(layers=types, forms=f"<ows:Value>{form}</ows:Value>").encode()
        if query.get("resulttype") == "hits":
            number = total if said is None else said
            return (
                f'<wfs:FeatureCollection xmlns:wfs="http://www.opengis.net/wfs/2.0" '
                f'numberMatched="{number}" numberReturned="0"/>'
            ).encode()
        first = 0 if repeats else int(query.get("startindex", 0))
        last = min(first + min(cap, int(query["count"])), total)
        if "json" not in form:
            return gml([(f"K{n}", 6474000 + n, 659000) for n in range(first, last)]).replace(
                b"koht.", b"koht.%d." % first
            )
        found = [
            {"id": f"vald.{n}", **feature(659000 + n, 6474000, nimi=f"K{n}")} for n in range(first, last)
        ]
        member = (
            {"crs": {"type": "name", "properties": {"name": f"urn:ogc:def:crs:EPSG::{srs}"}}} if crs else {}
        )
        return json.dumps({"type": "FeatureCollection", "features": found, **member}).encode()

    return answer


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


def items(total=5, cap=2, *, said=None, loops=False):
    def answer(query):
        first = int(query.get("offset", 0))
        found = [
            {"id": n, **feature(25 + n, 59, nimi=f"K{n}")} for n in range(first, min(first + cap, total))
        ]
        more = first + cap < total
        links = [{"rel": "next", "href": f"?offset={first if loops else first + cap}&f=json"}] if more else []
        return json.dumps(
            {
                "type": "FeatureCollection",
                "features": found,
                "links": links,
                "numberMatched": total if said is None else said,
            }
        ).encode()

    return answer


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
