"""What the service says of itself: conformance, schemas of the features, and its OpenAPI 3.0 description.

The public description of the standard lives in three documents: OGC API – Features Part 1 (core, oas30, html,
geojson), Part 2 (crs), Part 3 with CQL2 (queryables, filter).
"""

from collections.abc import Iterable
from typing import Any

from layers import cql, features
from layers.catalog import Instance
from layers.features import Collection, Property
from webmap.ogc import asked

Schema = dict[str, Any]
VERSION = "1.0.0"
"""Rises when an answer changes in a way that a client may notice."""
OPENAPI = "application/vnd.oai.openapi+json;version=3.0"
JSON_SCHEMA = "application/schema+json"
GEOJSON = "application/geo+json"
_SPEC = "http://www.opengis.net/spec"
CONFORMANCE = (
    *(f"{_SPEC}/ogcapi-features-1/1.0/conf/{one}" for one in ("core", "oas30", "html", "geojson")),
    f"{_SPEC}/ogcapi-features-2/1.0/conf/crs",
    *(
        f"{_SPEC}/ogcapi-features-3/1.0/conf/{one}"
        for one in ("queryables", "queryables-query-parameters", "filter", "features-filter")
    ),
    *(
        f"{_SPEC}/cql2/1.0/conf/{one}"
        for one in (
            *("cql2-text", "cql2-json", "basic-cql2", "advanced-comparison-operators"),
            *("case-insensitive-comparison", "accent-insensitive-comparison", "basic-spatial-functions"),
            *("basic-spatial-functions-plus", "spatial-functions", "temporal-functions", "array-functions"),
            *("property-property", "arithmetic"),
        )
    ),
)
_TYPES: dict[str, Schema] = {
    cql.TEXT: {"type": "string"},
    cql.DATE: {"type": "string"},
    cql.NUMBER: {"type": "number"},
    cql.BOOLEAN: {"type": "boolean"},
    cql.LIST: {"type": "array", "items": {"type": "string"}},
}
_PARTIAL = "A date as exact as it is known: 2018, 2018-05 or 2018-05-29."
_TEXT: Schema = {"type": "string"}
_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


def schema(of: Collection, *, title: str, address: str, told: Iterable[tuple[Property, str]]) -> Schema:
    """The properties of a collection as a JSON Schema; `told` pairs each with its title."""
    found: Schema = {one.name: {**_TYPES[one.kind], "title": text, **_about(one)} for one, text in told}
    found["key"] |= {"x-ogc-role": "id"}
    shape = {"x-ogc-role": "primary-geometry", "format": f"geometry-{_shape_of(of)}"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": address,
        "type": "object",
        "title": title,
        "properties": {**found, cql.GEOMETRY: shape},
        "additionalProperties": False,
    }


def _about(one: Property) -> Schema:
    return {"description": _PARTIAL} if one.kind == cql.DATE else {}


def _shape_of(of: Collection) -> str:
    return "polygon-or-multipolygon" if of.of in ("areas", "counts") else "point"


def openapi(instance: Instance, *, server: str) -> Schema:
    """The description of the whole service, for one instance at one address."""
    paths: Schema = {
        "/": _reading("landing", "The way in.", "Landing"),
        "/conformance": _reading("conformance", "What this service keeps to.", "Conformance"),
        "/api": _reading("api", "This description.", None, kind=OPENAPI),
        "/collections": _reading("collections", "Every collection of features.", "Collections"),
    }
    for of in features.collections(instance):
        paths |= _paths(of)
    return {
        "openapi": "3.0.3",
        "info": {
            "title": f"{instance.names.get('en', instance.key)}: OGC API – Features",
            "version": VERSION,
            "description": (
                "All public layers as features. Every feature carries its source, licence, date and "
                "precision; points are as coarse as the map shows them. Without `datetime` the answer is of "
                "today; a span of days gives everything that was so within it, as it was last."
            ),
        },
        "servers": [{"url": server}],
        "paths": paths,
        "components": {"parameters": _parameters(instance), "schemas": _schemas(instance)},
    }


def _paths(of: Collection) -> Schema:
    path, name = f"/collections/{of.key}", of.key.replace("-", "_")
    also = {"404": "There is no such feature."}
    own = [_of_property(one) for one in features.properties(of.of) if one.kind != cql.LIST]
    many = [_ref("parameters", one) for one in asked.MANY if one not in asked.EVERYWHERE]
    single = [_ref("parameters", one) for one in asked.ONE if one not in asked.EVERYWHERE]
    key = {"name": "featureId", "in": "path", "required": True, "schema": _TEXT}
    features_, feature = f"Features_{of.of}", f"Feature_{of.of}"
    return {
        path: _reading(f"collection_{name}", "What this collection is.", "Collection"),
        f"{path}/items": _reading(
            f"items_{name}", "Its features, by key.", features_, [*many, *own], kind=GEOJSON
        ),
        f"{path}/items/{{featureId}}": _reading(
            f"item_{name}", "One feature.", feature, [key, *single], kind=GEOJSON, also=also
        ),
        f"{path}/queryables": _reading(
            f"queryables_{name}", "By what it can be filtered.", None, kind=JSON_SCHEMA
        ),
        f"{path}/schema": _reading(f"schema_{name}", "What its features have.", None, kind=JSON_SCHEMA),
    }


def _of_property(one: Property) -> Schema:
    about = f"Only features whose “{one.name}” is this."
    return {
        "name": one.name,
        "in": "query",
        "required": False,
        "description": about,
        "schema": _TYPES[one.kind],
        "style": "form",
        "explode": False,
    }


def _reading(
    name: str,
    summary: str,
    given: str | None,
    parameters: Iterable[Schema] = (),
    *,
    kind: str = "application/json",
    also: dict[str, str] | None = None,
) -> Schema:
    """An address that is read. `given` is the schema of its JSON, None for any object."""
    wanted = _ref("schemas", given) if given else {"type": "object"}
    refused = {"400": "A value cannot be used; the sentence says which.", **(also or {})}
    everywhere = [_ref("parameters", one) for one in asked.EVERYWHERE]
    return {
        "get": {
            "operationId": name,
            "summary": summary,
            "parameters": [*parameters, *everywhere],
            "responses": {
                "200": {
                    "description": "The answer.",
                    "content": {kind: {"schema": wanted}, "text/html": {"schema": _TEXT}},
                },
                **{code: {"description": text, "content": _PROBLEM} for code, text in refused.items()},
                "503": {"description": "The store is not ready.", "content": _PROBLEM},
            },
        }
    }


def _ref(group: str, name: str) -> Schema:
    return {"$ref": f"#/components/{group}/{name}"}


def _parameters(instance: Instance) -> Schema:
    uris = [crs.uri for crs in asked.systems(instance)]
    default = {"type": "string", "enum": uris, "default": asked.CRS84}
    numbers: Schema = {"type": "array", "items": {"type": "number"}}
    boxes = [{**numbers, "minItems": most, "maxItems": most} for most in (4, 6)]
    limit = {"type": "integer", "minimum": 1, "maximum": asked.MOST, "default": asked.FEW}
    languages = {"type": "string", "enum": [*instance.languages], "default": instance.default_language}
    return {
        "f": _parameter("f", {"type": "string", "enum": ["json", "html"]}, "The form of the answer."),
        "lang": _parameter("lang", languages, "The language of names and labels."),
        "known": _parameter(
            "known", _TEXT, "From the knowledge of a moment: 2026-11-22T14:05:09Z. Pages then never change."
        ),
        "limit": _parameter(
            "limit", limit, "How many features at most. More than the maximum is the maximum."
        ),
        "after": _parameter("after", _TEXT, "The key after which to go on; links of rel=next carry it."),
        "datetime": _parameter(
            "datetime", _TEXT, "A day, a moment or a span of them, open as 2018-01-01/.. or ../2018-01-01."
        ),
        "bbox": {
            **_parameter("bbox", {"oneOf": boxes}, "A box that features must meet; heights are not asked."),
            "style": "form",
            "explode": False,
        },
        "bbox-crs": _parameter("bbox-crs", default, "The coordinate system of `bbox`."),
        "crs": _parameter("crs", default, "The coordinate system of the answer."),
        "filter": _parameter("filter", _TEXT, "A filter in CQL2."),
        "filter-lang": _parameter(
            "filter-lang",
            {"type": "string", "enum": [*cql.FORMS], "default": cql.TEXT_FORM},
            "The form of the filter.",
        ),
        "filter-crs": _parameter("filter-crs", default, "The coordinate system of the filter's shapes."),
    }


def _parameter(name: str, wanted: Schema, about: str) -> Schema:
    return {"name": name, "in": "query", "required": False, "description": about, "schema": wanted}


def _object(**parts: Schema) -> Schema:
    return {"type": "object", "properties": parts, "required": list(parts)}


def _list(of: Schema) -> Schema:
    return {"type": "array", "items": of}


def _schemas(instance: Instance) -> Schema:
    """The answers. What may be null says so in the words of OpenAPI 3.0."""
    found: Schema = {
        "Link": {
            **_object(href=_TEXT, rel=_TEXT),
            "properties": dict.fromkeys(("href", "rel", "type", "title", "hreflang"), _TEXT),
        },
        "Landing": _object(title=_TEXT, description=_TEXT, links=_list(_ref("schemas", "Link"))),
        "Conformance": _object(conformsTo=_list(_TEXT)),
        "Collections": _object(
            links=_list(_ref("schemas", "Link")), collections=_list(_ref("schemas", "Collection"))
        ),
        "Collection": _object(
            id=_TEXT,
            title=_TEXT,
            description=_TEXT,
            itemType={"type": "string", "enum": ["feature"]},
            extent={"type": "object"},
            crs=_list(_TEXT),
            storageCrs=_TEXT,
            links=_list(_ref("schemas", "Link")),
        ),
        "Geometry": {
            "type": "object",
            "nullable": True,
            "required": ["type", "coordinates"],
            "properties": {
                "type": {
                    "type": "string",
                    "enum": ["Point", "LineString", "Polygon", "MultiPoint", "MultiPolygon"],
                },
                "coordinates": {"type": "array", "items": {}},
            },
        },
        "Problem": {
            **_object(type=_TEXT, title=_TEXT, status={"type": "integer"}, detail=_TEXT),
            "description": "RFC 9457.",
        },
    }
    for of in sorted({one.of for one in features.collections(instance)}):
        found[f"Feature_{of}"] = _feature(of)
        found[f"Features_{of}"] = _collected(of)
    return found


def _feature(of: str) -> Schema:
    own = {
        one.name: {**_TYPES[one.kind], **({} if one.kind == cql.LIST else {"nullable": True})}
        for one in features.properties(of)
    }
    own["url"] = {"type": "string", "nullable": True}
    return {
        **_object(
            type={"type": "string", "enum": ["Feature"]},
            id=_TEXT,
            properties={**_object(**own), "additionalProperties": False},
            geometry=_ref("schemas", "Geometry"),
        ),
    }


def _collected(of: str) -> Schema:
    found = _object(
        type={"type": "string", "enum": ["FeatureCollection"]},
        numberReturned={"type": "integer", "minimum": 0},
        links=_list(_ref("schemas", "Link")),
        features=_list(_ref("schemas", f"Feature_{of}")),
    )
    found["properties"]["numberMatched"] = {"type": "integer", "minimum": 0}
    return found
