"""A real local server, and answers with the traps of real services."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from layers.readers import Manners
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

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


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
