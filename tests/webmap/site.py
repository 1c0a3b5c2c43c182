"""A site of its own for tests: a store that is loaded, the application over it, and what a visitor sees."""

import re
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from html.parser import HTMLParser
from multiprocessing import get_context
from pathlib import Path
from urllib.parse import urljoin, urlsplit
from zlib import crc32

from layers import catalog, imports, store
from tests import make
from webmap import create_app
from webmap.settings import Settings

TODAY = date(2026, 11, 22)
_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
_UNSEEN = {"script", "style", "title", "svg", "noscript"}


@contextmanager
def a_site(folder, state, **changes):
    """The application over an instance whose store has been loaded."""
    settings = Settings(instance=folder, state=state, **changes)
    read = catalog.read_instance(folder)
    engine = store.open_store(settings.store_url(read.key))
    imports.load(engine, read, now=make.moment(TODAY))
    engine.dispose()
    with an_app(settings) as app:
        yield app


@contextmanager
def an_app(settings):
    """The application over whatever the settings name, loaded or not."""
    app = create_app(settings)
    try:
        yield app
    finally:
        app.extensions["house"].engine.dispose()


# --- What a visitor sees


@dataclass
class Seen:
    """One page, read: what is visible, where it leads, and what would be dangerous in it."""

    url: str
    status: int
    headers: dict
    language: str = ""
    title: str = ""
    headings: list = field(default_factory=list)
    text: str = ""
    links: list = field(default_factory=list)
    loads: list = field(default_factory=list)
    inline: list = field(default_factory=list)
    tags: set = field(default_factory=set)
    ids: list = field(default_factory=list)


class _Reader(HTMLParser):
    _LOADING = (("script", "src"), ("link", "href"), ("img", "src"), ("form", "action"), ("source", "src"))

    def __init__(self, seen):
        super().__init__(convert_charrefs=True)
        self.seen, self.open, self.words, self.is_data = seen, [], [], False

    def handle_starttag(self, tag, attrs):
        found, about = self.seen, dict(attrs)
        found.tags.add(tag)
        if tag not in _VOID:
            self.open.append(tag)
        # A block of data is no script: no browser runs it, and no policy of scripts concerns it.
        self.is_data = tag == "script" and about.get("type") == "application/ld+json"
        if tag == "html":
            found.language = about.get("lang", "")
        if tag == "h1":
            found.headings.append("")
        if tag == "a" and "href" in about:
            found.links.append(about["href"])
        found.loads += [about[name] for of, name in self._LOADING if tag == of and about.get(name)]
        found.inline += [f"<{tag} {name}>" for name in about if name == "style" or name.startswith("on")]
        found.ids += [about["id"]] if "id" in about else []
        if tag not in ("abbr", "small", "span", "strong", "em", "a"):
            self.words.append(" ")

    def handle_endtag(self, tag):
        while tag in self.open and self.open.pop() != tag:
            pass
        self.words.append("" if tag in ("abbr", "span", "strong", "em", "a") else " ")

    def handle_data(self, data):
        within = self.open[-1] if self.open else ""
        if within in ("script", "style") and not self.is_data and data.strip():
            self.seen.inline.append(f"<{within}>{data[:60]}")
        if within == "title" and "svg" not in self.open:
            self.seen.title += data
        if "h1" in self.open:
            self.seen.headings[-1] += data
        if not _UNSEEN.intersection(self.open):
            self.words.append(data)


def see(response, url=""):
    """Reads an answer as a browser without scripts would."""
    seen = Seen(url, response.status_code, dict(response.headers))
    if response.mimetype == "text/html":
        reader = _Reader(seen)
        reader.feed(response.text)
        seen.text = re.sub(r"\s+", " ", "".join(reader.words)).strip()
        seen.headings = [" ".join(heading.split()) for heading in seen.headings]
    return seen


def look(client, url):
    return see(client.get(url, buffered=True), url)  # A file that is sent is closed.


def inside(page):
    """The addresses of our own that a page leads to, without their hash; not those that demand an account."""
    found = (urljoin(page.url, link).split("#")[0] for link in page.links)
    return [link for link in found if not urlsplit(link).netloc and "/edit/" not in link]


_CHOICES = 8  # So many choices of one list are read: together they are without end.
_CARDS = 25  # One of so many safety cards is read: each is set in type, which takes a second.
_FILES = re.compile(r"\.(atom|csv|ics|jsonld|pdf|txt|vcf)(\?|$)")


def crawl(start, folder, state, turn, turns):
    """Every page that can be reached from `start` in its own language: address → page.

    The hundreds of pages on who is near a place take longest: each is read in one language by turns.
    """
    found, waiting, choices = {}, [start], Counter()

    def is_ours(link):
        near = "/here?" in link and crc32(link.partition("?")[2].encode()) % turns != turn
        card = "/card/" in link and crc32(link.encode()) % _CARDS != 0
        return link.startswith(start) and not near and not card and not _FILES.search(link)

    def is_one_more(url):
        path, _, asked = url.partition("?")
        choices[path] += bool(asked) and not path.endswith("/here")
        return choices[path] <= _CHOICES

    with an_app(Settings(instance=Path(folder), state=Path(state))) as app:
        client = app.test_client()
        while waiting:
            url = waiting.pop(0)
            if url not in found and is_one_more(url):
                found[url] = look(client, url)
                to = found[url].headers.get("Location")
                waiting += filter(is_ours, (*inside(found[url]), *[to] * bool(to)))
    return found


def crawl_all(starts, folder, state):
    """`crawl` from every start, each in a process of its own."""
    with ProcessPoolExecutor(len(starts), mp_context=get_context("spawn")) as pool:
        turns = len(starts)
        crawled = [pool.submit(crawl, s, str(folder), str(state), i, turns) for i, s in enumerate(starts)]
        return {url: page for one in crawled for url, page in one.result().items()}


# --- A country whose people mean harm

HOSTILE = {
    "image": '<img src=x onerror="window.hacked=1">',
    "script": "</script><script>window.hacked=1</script>",
    "template": "{{ 7*7 }} {% raw %} %(name)s {name}",
    "rtl": "\u202eגדר \u202dשכונה",
    "long": "x" * 300,
}
_EVIL = """## Taust <script>window.hacked=1</script>
<img src=x onerror="window.hacked=1">

[press me](javascript:window.hacked=1) [and me](data:text/html,<script>window.hacked=1</script>)
<a href="javascript:window.hacked=1">raw</a> ![picture](https://evil.example/x.png)
"""


def a_hostile_instance(folder):
    """A tiny country with names and texts that try to be more than text."""
    make.an_instance(folder)
    rows = [
        {
            "key": f"evil-{key}",
            "name": name,
            "form": "association",
            "place": name,
            "county": "01",
            "lat": f"58.{20 + number}",
            "lon": "24.25",
            "precision": "settlement",
            "as_of": "2020",
            "source": name,
            "note_et": name,
        }
        for number, (key, name) in enumerate(HOSTILE.items())
    ]
    make.write(folder, "bodies/villages.csv", make.bodies_csv(rows))
    facts = {
        "title": HOSTILE["script"],
        "summary": HOSTILE["image"],
        "theme": "watch",
        "outcome": "lasted",
        "stage": "described",
        "place": HOSTILE["image"],
        "county": "01",
        "lat": 58.5,
        "lon": 24.75,
        "precision": "settlement",
        "as_of": "2021",
        "parties": ["police"],
        "practices": [{"key": "alpha", "adaptation": {"et": HOSTILE["image"]}}],
        "bodies": ["evil-image"],
        "areas": ["county:01"],
        "sources": [{"title": HOSTILE["image"], "url": "https://example.org/", "date": "2021"}],
    }
    make.write(folder, "cases/first-case.et.md", make.a_sheet(facts, _EVIL))
    make.write(
        folder,
        "cases/first-case.en.md",
        make.a_sheet({"title": HOSTILE["script"], "summary": HOSTILE["image"]}, _EVIL),
    )
    return folder
