"""The map of the instance: which layer is drawn by which address, for one language and day."""

from functools import lru_cache
from typing import Any

from flask import Response, make_response, url_for

from layers.catalog import Instance, Layer
from webmap import big, context, db, drawn, i18n, maps, shading
from webmap.big import Drawing, Drawings
from webmap.db import House, Revisions

When = tuple[tuple[str, str], ...]
"""The days of the question, as addresses name them."""


_YEAR_S = 31_536_000


def when() -> When:
    """The days that this request asks about."""
    return tuple(sorted(context.when().items()))


def chart() -> maps.Parts:
    """The map as this request asks for it, kept for each language, day and state of the layers."""
    return _chart(db.house(), i18n.language(), when(), db.revisions(), big.key())


def script(chart: maps.Parts, digest: str) -> Response:
    """The script of a map, to be kept for ever under the digest of its bytes."""
    response = make_response(chart.script)
    response.mimetype = "text/javascript"
    kept = f"public, max-age={_YEAR_S}, immutable" if chart.digest == digest else "no-cache"
    response.headers["Cache-Control"] = kept
    return response


@lru_cache(maxsize=32)
def _chart(house: House, language: str, when: When, revisions: Revisions, drawings: Drawings) -> maps.Parts:
    """The map's shell. The arguments are all that it depends on."""
    instance, tiled = house.instance, dict(drawings)
    url = _urls(language, when, revisions)
    ranks = {key: rank for rank, key in enumerate(tiled)}
    shown = [
        _tiled(tiled[layer.key], url, ranks[layer.key], when)
        if layer.key in tiled
        else _shown(layer, url, rank)
        for rank, layer in enumerate(instance.layers)
    ]
    layers = (*_ground(instance, url), *shown, _names(url), *_shading(language, when))
    return maps.draw(layers, bounds=instance.bounds, about=_about(language, when))


def ground(house: House, language: str, when: When, revisions: Revisions, *more: maps.Shown) -> maps.Parts:
    """A quiet map: the ground, the borders that the instance shows at first, names, and `more`."""
    instance, url = house.instance, _urls(language, when, revisions)
    known = [layer for layer in instance.layers_of("areas") if layer.shown]
    lines = [_shown(layer, url, rank) for rank, layer in enumerate(known)]
    layers = (*_ground(instance, url), *lines, *more, _names(url))
    return maps.draw(layers, bounds=instance.bounds, about=_about(language, when))


def _urls(language: str, when: When, revisions: Revisions) -> Any:
    state = dict(revisions)

    def url(name: str, step: str = "", since: int | None = None) -> str:
        revision = state.get(name, 0)
        return drawn.address(
            name, revision=revision, language=language, when=dict(when), step=step, since=since
        )

    return url


def _ground(instance: Instance, url: Any) -> list[maps.Shown]:
    return [
        maps.Shown(name, "ground", url(name, "near"), True, {"pane": name, **_steps(name, url)})
        for name in ("neighbours", "land")
        if name in instance.resources
    ]


def _names(url: Any) -> maps.Shown:
    return maps.Shown("settlements", "names", url("settlements"), True, {"pane": "names"})


def _shading(language: str, when: When) -> list[maps.Shown]:
    if not shading.offered():
        return []
    near, middle, far = (
        drawn.coverage_address(language=language, when=dict(when), step=step)
        for step in ("near", "middle", "far")
    )
    options = {"far": far, "middle": middle, "pane": "shades"}
    return [maps.Shown("coverage", "coverage", near, True, options)]


def _shown(layer: Layer, url: Any, rank: int) -> maps.Shown:
    if layer.of == "areas":
        options: dict[str, Any] = {
            "colour": layer.colour,
            "line": layer.symbol,
            "pane": "areas",
            **_steps(layer.key, url),
        }
        return maps.Shown(layer.key, "areas", url(layer.key, "near"), layer.shown, options)
    page = "cases" if layer.of == "cases" else "bodies"
    options = {"colour": layer.colour, "symbol": layer.symbol, "page": page, "rank": rank}
    return maps.Shown(layer.key, "markers", url(layer.key), layer.shown, options)


def _steps(name: str, url: Any) -> dict[str, str]:
    """The addresses of the coarser zoom steps."""
    return {step: url(name, step) for step in ("far", "middle")}


def _tiled(drawing: Drawing, url: Any, rank: int, when: When) -> maps.Shown:
    """A big layer: numbers far away; from a zoom on its archive with what is newer, or else by frame."""
    layer, archive = drawing.state.layer, drawing.archive
    options = {
        "colour": layer.colour,
        "line": layer.symbol,
        "pane": "areas",
        "rank": rank,
        "far": url(layer.key, "far"),
        "middle": url(layer.key, "middle"),
        "from": drawing.shown_from,
        "day": dict(when).get("as_of", ""),
    }
    if archive:
        template = url_for("tiles.tile", layer=layer.key, revision=archive.revision, z=0, x=0, y=0)
        options |= {"first": archive.first_zoom, "last": archive.last_zoom}
        options["tiles"] = template.replace("0/0/0.mvt", "{z}/{x}/{y}.mvt")
        options["changes"] = url(layer.key, since=archive.edition) if drawing.is_fresh else ""
    return maps.Shown(layer.key, "tiles", url(layer.key), layer.shown, options)


def _about(language: str, when: When) -> dict[str, Any]:
    west, south, east, north = db.instance().bounds
    return {
        "bounds": [[south, west], [north, east]],
        "pages": url_for("pages.home", language=language),
        "when": dict(when),
    }
