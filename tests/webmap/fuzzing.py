"""A visitor without manners: asks every address of the application in every way, with values that hurt.

What it asks follows from a seed and a number, so that any single request can be repeated. It knows the
application from its own map of addresses and from the names that its code and forms ask for; a new page is
met without a line here.
"""

import io
import json
import logging
import random
import re
import time
import traceback
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from werkzeug.routing import IntegerConverter

from layers import accounts
from tests.webmap import payloads
from tests.webmap.desk import Door, quicken, seal

ROOT = Path(__file__).resolve().parents[2]
METHODS = ("GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE")
MOST_S = 20.0
"""So long may one answer take; the slowest set a document in type, on two busy cores."""
_ASKED = re.compile(
    r"""(?:args|form|filled\(\)|sent|arguments\(\)|said|asked)[^"'\n]{0,24}["'](\w{1,24})["']"""
)
_NAMED = re.compile(r"""name=["']([\w.]{1,40})["']""")
_KNOWN = {
    "language": ["et", "en", "en", "en"],
    "lang": ["et", "en"],
    "layer": ["police", "villages", "cases", "counties"],
    "name": ["police", "villages", "cases", "counties", "land", "settlements", "list.csv"],
    "kind": ["county", "body", "area", "case", "settlement", "land"],
    "code": ["01", "02", "1001"],
    "key": [
        "west-station",
        "first-village",
        "first-case",
        "alpha",
        "beta",
        "police",
        "counties",
        "cases",
        "county:01",
    ],
    "body": ["west-station", "first-village"],
    "area": ["county:01", "county:02"],
    "county": ["01", "02"],
    "practice": ["alpha", "beta"],
    "case": ["first-case"],
    "place": ["Esimene", "Teine"],
    "q": ["selts", "jaoskond", "west", "58.5 24.5", "alpha"],
    "lat": ["58.5", "58.25"],
    "lon": ["24.5", "25.5"],
    "as_of": ["2026", "2012-05-15", ""],
    "known": ["2026-11-22T08:00:00Z", ""],
    "shade": ["county", "county.police"],
    "step": ["far", "near"],
    "at": ["9/58.5/25"],
    "bbox": ["24,58,26,59"],
    "part": ["1"],
    "format": ["json", "text"],
    "do": ["look", "save", "propose", "back", "accept", "decline", "undo"],
    "way": ["correct", "change", "end", "new"],
    "token": ["A" * 43],
    "number": ["1", "2", "3"],
    "id": ["1", "2", "3"],
    "seen": ["1", "99"],
    "z": ["5", "10"],
    "role": list(accounts.ROLES),
    "password": ["neli kollast kurge kaevul"],
}
_HEADERS = {
    "Accept": ["application/problem+json", "text/html", "*/*;q=x", "a" * 4000, ",,,;;;"],
    "Accept-Language": ["ru,en;q=0.5", "*", "zz;q=9", ";;", "a" * 4000],
    "Accept-Encoding": ["br", "gzip", "identity;q=0", "x" * 2000],
    "Cookie": ["session=" + "A" * 43, "session=; session", "language=<script>", "a" * 4000, "=;=;="],
    "If-None-Match": ['"', "*", 'W/"x"', "x" * 3000],
    "If-Modified-Since": ["yesterday", "Thu, 01 Jan 1970 00:00:00 GMT", "9" * 50],
    "Range": ["bytes=0-1", "bytes=-1", "bytes=9-1", "bytes=" + "0-1," * 300, "lines=1"],
    "Host": ["evil.example", "localhost:99999", "[::1", "a b", "evil.example/x", "é.example"],
    "X-Forwarded-For": ["1.2.3.4", "x" * 500, "::ffff:1"],
    "X-Forwarded-Host": ["evil.example"],
    "X-Forwarded-Proto": ["https", "javascript"],
    "X-HTTP-Method-Override": ["DELETE"],
    "Origin": ["https://evil.example", "null", ""],
    "Sec-Fetch-Site": ["cross-site", "same-origin", "x"],
    "User-Agent": ["", "x" * 3000, "<script>", "Mozilla/5.0 Firefox"],
    "Content-Type": [
        "application/json",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "application/x-www-form-urlencoded; charset=utf-7",
        "text/plain; charset=nonsense",
        "\x00",
    ],
    "Content-Length": ["-1", "x", "99999999999999"],
    "Transfer-Encoding": ["chunked"],
    "X-CSRF-Token": ["x", "a.b.c"],
    "Save-Data": ["on"],
}
_FILES = [
    ("rows.csv", b"name,lat,lon\nSelts,58.5,24.5\n"),
    ("<img src=x xqzmark>.csv", b"<b xqzmark>,name\n1,2\n"),
    ("../../evil.csv", b"name\n" + b"\xff\xfe\x00" * 50),
    ("rows.xlsx", b"PK\x03\x04" + b"\x00" * 200),
    ("rows.zip", b"PK\x05\x06" + b"\x00" * 18),
    (
        "rows.geojson",
        b'{"type":"FeatureCollection","features":[{"type":"Feature","geometry":{"type":"Point",'
        b'"coordinates":[1e999,58]},"properties":{"name":"<b xqzmark>"}}]}',
    ),
    ("deep.geojson", b"[" * 20_000),
    (
        "rows.kml",
        b'<?xml version="1.0"?><!DOCTYPE k [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><kml>&b;</kml>',
    ),
    ("rows.gpx", b"<gpx><wpt lat='x' lon='y'/></gpx>"),
    ("rows.gpkg", b"SQLite format 3\x00" + b"\x00" * 600),
    ("empty.csv", b""),
    ("", b"name\nx\n"),
    ("nul\x00.csv", b"name\nx\n"),
    ("wide.csv", b",".join(b"c%d" % one for one in range(3000)) + b"\n" + b"1," * 2999 + b"1\n"),
]


@dataclass(frozen=True)
class Asked:
    """One request: all that is needed to send it again."""

    number: int
    method: str
    path: str
    query: list
    form: list
    files: list
    headers: dict
    who: str
    is_sealed: bool

    def __str__(self):
        asked = f"{self.path}?{urlencode(self.query, errors='surrogatepass')}" if self.query else self.path
        about = {"as": self.who or "nobody", "sealed": self.is_sealed, "headers": self.headers}
        about |= {"form": self.form, "files": [name for name, _ in self.files]}
        return f"#{self.number} {self.method} {asked} {about}"


@dataclass
class Told:
    """What came of many requests."""

    asked: int = 0
    statuses: dict = field(default_factory=dict)
    wrong: list = field(default_factory=list)
    slowest_s: float = 0.0
    slowest: str = ""
    met: set = field(default_factory=set)


class Fuzzer:
    """Sends the requests of a seed to an application that it may break; `skipped` are endpoints."""

    def __init__(self, app, *, seed=0, skipped=()):
        self.app, self.seed = app, seed
        self.door = Door(app)
        self.rules = sorted(
            (rule for rule in app.url_map.iter_rules() if rule.endpoint not in skipped),
            key=lambda one: one.rule,
        )
        self.names = sorted(names_asked())
        self.people, self.clients, self.seals, self.doubtful = {}, {}, {}, set()
        self.faults = []
        app.logger.addHandler(_Listener(self.faults))

    # --- Which request

    def request(self, number):
        """The request of a number: the same whenever it is asked."""
        chance = random.Random(f"{self.seed}-{number}")  # noqa: S311
        rule = self.rules[number % len(self.rules)]
        offered = sorted(rule.methods)
        method = chance.choice(offered) if chance.random() < 0.85 else chance.choice(METHODS)
        if "POST" in offered and chance.random() < 0.5:
            method = "POST"
        return Asked(
            number=number,
            method=method,
            path=self._path(rule, chance),
            query=self._pairs(chance, chance.choice((0, 0, 1, 2, 3, 6))),
            form=self._pairs(chance, chance.choice((0, 2, 5, 12))) if method not in ("GET", "HEAD") else [],
            files=[chance.choice(_FILES)] if method == "POST" and chance.random() < 0.3 else [],
            headers={
                name: chance.choice(_HEADERS[name])
                for name in chance.sample(sorted(_HEADERS), chance.choice((0, 0, 0, 1, 2)))
            },
            who=chance.choice(("", "", *accounts.ROLES, "steward", "admin")),
            is_sealed=chance.random() < 0.8,
        )

    def _path(self, rule, chance):
        parts = []
        hurt = chance.random() < 0.4
        for is_dynamic, part in rule._trace:
            if not is_dynamic:
                parts.append(part)
                continue
            kind = rule._converters[part]
            if hurt and chance.random() < 0.6:
                parts.append(_quoted(self._value(part, chance, hurt=True)))
            elif isinstance(kind, IntegerConverter):
                parts.append(str(chance.choice((0, 1, 2, 3, 7, 999))))
            else:
                parts.append(_quoted(chance.choice(_KNOWN.get(part, ["x"]))))
        return "".join(parts).replace("|", "") or "/"

    def _pairs(self, chance, number):
        names = [
            chance.choice(self.names) if chance.random() < 0.97 else chance.choice(payloads.WORDS)
            for _ in range(number)
        ]
        return [(name, self._value(name, chance, hurt=chance.random() < 0.5)) for name in names]

    def _value(self, name, chance, *, hurt):
        if not hurt:
            return chance.choice(_KNOWN.get(name, ["1", "x", "on", "", "2026"]))
        if chance.random() < 0.1:
            return "".join(chr(chance.randint(0, 0xD7FF)) for _ in range(chance.randint(1, 40)))
        return chance.choice((*payloads.VALUES, *payloads.WORDS, *payloads.URLS))

    # --- What came of it

    def run(self, numbers, *, until=lambda told: False):
        told = Told()
        for number in numbers:
            asked = self.request(number)
            self.send(asked, told)
            if until(told):
                break
        return told

    def send(self, asked, told):
        """Sends one request and writes down what is wrong with its answer."""
        client = self._client(asked.who)
        form = [*asked.form, *([("csrf_token", self.seals[asked.who])] if asked.is_sealed else [])]
        self.faults.clear()
        started = time.perf_counter()
        try:
            response = self._open(client, asked, form)
        except (UnicodeError, ValueError) as error:
            if "werkzeug/test" in "".join(traceback.format_tb(error.__traceback__)[-1:]):
                return  # Such a request cannot be written down by the client.
            told.wrong.append((str(asked), f"raised {error!r}"))
            return
        took_s = time.perf_counter() - started
        if asked.who and ("/account" in asked.path or response.status_code in (303, 401, 403)):
            self.doubtful.add(asked.who)  # It may have signed itself out, or another one.
        told.asked += 1
        told.statuses[response.status_code] = told.statuses.get(response.status_code, 0) + 1
        told.met.add((self.rules[asked.number % len(self.rules)].rule, asked.method))
        if took_s > told.slowest_s:
            told.slowest_s, told.slowest = took_s, str(asked)
        wrong = [*problems(asked, response), *([f"took {took_s:.1f} s"] if took_s > MOST_S else [])]
        if wrong:
            told.wrong.append((str(asked), "; ".join(wrong) + "".join(self.faults)))
        response.close()

    def _open(self, client, asked, form):
        headers = {name: value for name, value in asked.headers.items() if name != "Cookie" or not asked.who}
        about = {"method": asked.method, "query_string": urlencode(asked.query, errors="surrogatepass")}
        if asked.files or any(name == "Content-Type" for name in headers):
            data = {}
            for name, value in form:
                data.setdefault(name, []).append(value)
            for name, content in asked.files:
                data["file"] = (io.BytesIO(content), name)
            about["data"] = data
        elif form:
            about |= {
                "data": urlencode(form, errors="surrogatepass"),
                "content_type": "application/x-www-form-urlencoded",
            }
        return client.open(asked.path, headers=headers, **about)

    def _client(self, who):
        """A browser of this role that is signed in; a new one where the old has been sent away."""
        if who in self.clients:
            client = self.clients[who]
            if who not in self.doubtful or client.get("/en/account").status_code == 200:
                self.doubtful.discard(who)
                return client
        self.doubtful.discard(who)
        if who:
            self.people[who] = self.door.account(who, f"fuzz-{who}-{time.monotonic_ns()}", password="")
        client = self.door.visitor(self.people.get(who) if who else None)
        self.clients[who] = client
        self.seals[who] = seal(client, "/en/account" if who else "/en/account/sign-in")
        return client


class _Listener(logging.Handler):
    def __init__(self, faults):
        super().__init__()
        self.faults = faults

    def emit(self, record):
        if record.exc_info:
            self.faults.append("\n" + "".join(traceback.format_exception(*record.exc_info))[-3000:])


def problems(asked, response):
    """What may never be in an answer, whatever was asked."""
    found = []
    if response.status_code >= 500:
        found.append(f"status {response.status_code}")
    headers = response.headers
    if "X-Injected" in headers:
        found.append("a header came from what was sent")
    to = urlsplit(headers.get("Location", ""))
    if to.netloc and to.netloc not in ("localhost", asked.headers.get("Host")):
        found.append(f"sends to {to.netloc}")
    if headers.get("X-Content-Type-Options") != "nosniff" or "Content-Security-Policy" not in headers:
        found.append("is not protected")
    if asked.method == "HEAD" or headers.get("Content-Encoding"):
        return found
    if response.mimetype == "text/html":
        found += markup(response.get_data(as_text=True))
    if (response.mimetype or "").endswith("json"):
        try:
            json.loads(response.get_data() or b"null", parse_constant=_refuse)
        except ValueError as error:
            found.append(f"is no JSON: {error}")
    return found


def _refuse(word):
    raise ValueError(word)


class _Marks(HTMLParser):
    """Elements, attributes and addresses that came from a payload."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        names = [tag, *(name for name, _ in attrs)]
        if any(payloads.MARK in name for name in names):
            self.found.append(f"<{tag}> was made of what was sent")
        self.found += [f"<{tag} {name}>" for name, _ in attrs if name.startswith("on") or name == "style"]
        for name, value in attrs:
            if name in ("href", "src", "action", "formaction"):
                scheme = re.sub(r"[\x00-\x20]", "", value or "").partition(":")[0].lower()
                if scheme in ("javascript", "vbscript", "data", "file"):
                    self.found.append(f"<{tag} {name}={value[:40]}>")

    def handle_data(self, data):
        pass


def markup(text):
    """What a payload has become in a page: nothing, if all is well."""
    reader = _Marks()
    reader.feed(text)
    return reader.found


def names_asked():
    """The names of arguments and fields that code and forms of the face ask for."""
    names = set(_KNOWN)
    for file in (ROOT / "webmap").rglob("*"):
        if file.suffix == ".py":
            names |= {*_ASKED.findall(file.read_text(encoding="utf-8"))}
        elif file.suffix == ".html" and "vendor" not in file.parts:
            names |= {*_NAMED.findall(file.read_text(encoding="utf-8"))}
    return names


def _quoted(text):
    """A part of a path: any letter but a slash, written so that the client passes it on."""
    return (
        "".join(
            chr(byte) if chr(byte).isalnum() or chr(byte) in "-_.~:<>\"'()" else f"%{byte:02X}"
            for byte in text.encode("utf-8", "surrogatepass")
            if byte != 0x2F
        )
        or "%20"
    )


@contextmanager
def quiet(app):
    """Without lines of the log, which a run would fill, and with passwords digested quickly."""
    before = app.logger.propagate, [*app.logger.handlers]
    app.logger.propagate, app.logger.handlers = False, []
    try:
        with pytest.MonkeyPatch.context() as patch:
            quicken(patch)
            yield
    finally:
        app.logger.propagate, app.logger.handlers = before
