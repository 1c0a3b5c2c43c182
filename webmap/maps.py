"""Folium in, the parts of one page out.

Folium builds the shell only: layers name the address of their data and never hold it. Its rendered script
is served as a file of its own, so that the page needs no inline script and no nonce, and the same map has
the same bytes in every process.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from branca.element import CssLink, Figure, JavascriptLink, MacroElement
from folium import Map
from folium.map import CustomPane, Layer
from folium.template import Template

_PANES = (
    ("neighbours", 140),
    ("land", 150),
    ("shades", 250),
    ("areas", 350),
    ("selection", 380),
    ("names", 450),
)
_RANDOM = re.compile(r"(?<=_)[0-9a-f]{32}(?![0-9a-f])")
_MARGIN = 8


@dataclass(frozen=True)
class Shown:
    """One layer of the map: `kind` names a function of static/map.js, `options` go to it as they are."""

    key: str
    kind: str
    url: str
    shown: bool
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Parts:
    """What a page needs to show the map. `digest` names the script's bytes."""

    html: str
    script: str
    digest: str


class _ByUrl(Layer):
    """A layer that the browser draws from an address, by a function of static/map.js."""

    _template = Template("""{% macro script(this, kwargs) %}
        var {{ this.get_name() }} = turvakaart.{{ this.shown.kind }}({{ this.arguments|tojson }});
    {% endmacro %}""")

    def __init__(self, shown: Shown) -> None:
        super().__init__(name=shown.key, overlay=True, control=False, show=shown.shown)
        self._name = shown.kind
        self.shown = shown
        self.arguments = {"key": shown.key, "url": shown.url, **shown.options}


class _Ready(MacroElement):
    """Hands the finished map to static/map.js."""

    _template = Template("""{% macro script(this, kwargs) %}
        turvakaart.ready({{ this._parent.get_name() }}, {
            {%- for key, layer in this.layers.items() %}{{ key|tojson }}: {{ layer.get_name() }},{% endfor -%}
        }, {{ this.about|tojson }});
    {% endmacro %}""")

    def __init__(self, layers: Mapping[str, _ByUrl], about: Mapping[str, Any]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._name = "ready"
        self.layers, self.about = layers, about


def draw(
    layers: Sequence[Shown], *, bounds: Sequence[float], about: Mapping[str, Any], max_zoom: int = 16
) -> Parts:
    """The map of a territory. `bounds` are west, south, east, north in degrees."""
    west, south, east, north = bounds
    chart = Map(
        location=((south + north) / 2, (west + east) / 2), zoom_start=7, tiles=None, prefer_canvas=True
    )
    chart.options.update(
        max_zoom=max_zoom,
        min_zoom=5,
        zoom_control=False,
        attribution_control=False,
        zoom_snap=0.5,
        max_bounds=[[south - _MARGIN, west - _MARGIN], [north + _MARGIN, east + _MARGIN]],
    )
    for name, height in _PANES:
        CustomPane(name, z_index=height, pointer_events=name == "areas").add_to(chart)
    drawn = {shown.key: _ByUrl(shown) for shown in layers}
    for layer in drawn.values():
        layer.add_to(chart)
    _Ready(drawn, about).add_to(chart)
    return _parts(chart)


def _parts(chart: Map) -> Parts:
    figure = chart.get_root()
    if not isinstance(figure, Figure):
        raise TypeError("A map's root is a figure.")
    for child in list(figure._children.values()):
        child.render()
    _refuse_strangers(figure)
    html, script = _numbered(figure.html.render(), figure.script.render())
    return Parts(html=html, script=script, digest=hashlib.sha256(script.encode()).hexdigest()[:16])


def _refuse_strangers(figure: Figure) -> None:
    """Folium's own ten links to four hosts are left out with its header; a plugin's link would be lost."""
    links = {e.url for e in figure.header._children.values() if isinstance(e, JavascriptLink | CssLink)}
    known = {url for _, url in (*Map.default_js, *Map.default_css)}
    if strangers := sorted(links - known):
        raise LookupError(f"Serve these from static/vendor first: {', '.join(strangers)}")


def _numbered(html: str, script: str) -> tuple[str, str]:
    """Folium's element names are random; in their order of appearance they are always the same."""
    seen: dict[str, str] = {}

    def number(found: re.Match[str]) -> str:
        return seen.setdefault(found[0], str(len(seen)))

    joined = _RANDOM.sub(number, f"{html}\0{script}")
    html, script = joined.split("\0")
    return html, script
