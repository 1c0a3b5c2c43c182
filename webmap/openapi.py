"""What /api offers, as an OpenAPI 3.1 description; tests hold every answer against it."""

from typing import Any

from layers import answers, changes, downloads, exports, freshness, outlines, services
from layers.catalog import Instance

VERSION = "1.3.0"
"""Rises when an answer changes in a way that a client may notice."""

Schema = dict[str, Any]
_TEXT: Schema = {"type": "string"}
_NUMBER: Schema = {"type": "number"}
_NUMBER_OR_NONE: Schema = {"type": ["number", "null"]}
_URL: Schema = {"type": "string", "format": "uri-reference"}
_FRESHNESS: Schema = {"type": "string", "enum": list(freshness.STATES)}


_TAKEN: Schema = {
    one.mimetype: {"type": "object"} if one.key == "geojson" else {"type": "string"}
    for one in exports.FORMATS.values()
}


def _object(**parts: Schema) -> Schema:
    """An object of which every part is always there, and no other."""
    return {
        "type": "object",
        "properties": parts,
        "required": list(parts),
        "additionalProperties": False,
    }


def _list(of: Schema) -> Schema:
    return {"type": "array", "items": of}


def _optional(of: Schema) -> Schema:
    return {"oneOf": [of, {"type": "null"}]}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _hsds(table: str, *required: str) -> Schema:
    """A table of HSDS, of which the standard itself tells every field."""
    where = f"https://raw.githubusercontent.com/openreferral/specification/3.2/schema/{table}.json"
    told = {"externalDocs": {"url": where}, "description": f"The table {table} of HSDS 3.2."}
    return {"type": "object", "required": list(required), "properties": dict.fromkeys(required, _TEXT)} | told


_NAMED = {"key": _TEXT, "name": _TEXT, "url": _URL}
_CASE = {"key": _TEXT, "title": _TEXT, "url": _URL, "outcome": _TEXT, "freshness": _FRESHNESS}
_WHOLE: Schema = {"type": "integer"}
_GOING = {"distance_m": _NUMBER_OR_NONE, "bearing": _NUMBER_OR_NONE, "way": _TEXT}
_SCHEMAS: Schema = {
    "Area": _object(**_NAMED, kind=_TEXT, kind_label=_TEXT, accuracy=_TEXT),
    "Guide": _object(key=_TEXT, title=_TEXT, url=_URL),
    "Source": _object(
        title=_TEXT,
        url=_TEXT,
        as_of=_TEXT,
        inferred={"type": "boolean"},
        freshness=_FRESHNESS,
        confirmed=_TEXT,
        expires=_TEXT,
        current={"type": "boolean"},
    ),
    "Match": _object(
        **_NAMED,
        form=_TEXT,
        capabilities=_list(_TEXT),
        readiness=_TEXT,
        why={"type": "string", "enum": list(answers.REASONS)},
        reason=_TEXT,
        area=_TEXT,
        **_GOING,
        across=_list(_object(**_NAMED)),
        place=_optional(_object(lat=_NUMBER, lon=_NUMBER, name=_TEXT, precision=_TEXT)),
        source=_ref("Source"),
    ),
    "Role": _object(
        key=_TEXT,
        label=_TEXT,
        advice=_TEXT,
        played={"type": "boolean"},
        areas=_list(_ref("Area")),
        ashore=_list(_object(**_NAMED, kind=_TEXT, kind_label=_TEXT, accuracy=_TEXT, reason=_TEXT)),
        matches=_list(_ref("Match")),
        if_none=_optional(
            _object(
                sentence=_TEXT,
                guide=_optional(_ref("Guide")),
                above=_list(_object(name=_TEXT, url=_URL)),
            )
        ),
        best=_optional(_ref("Best")),
    ),
    "Best": {
        **_object(
            compared=_object(**_NAMED),
            practice=_optional(_ref("Guide")),
            case=_object(**_CASE),
            score=_WHOLE,
            points={"type": "object", "additionalProperties": _WHOLE},
            reason=_TEXT,
        ),
        "description": "The case of another place that fits the compared area best for this role; the score "
        "is the sum of the points, and /api/fit tells their formulas.",
    },
    "Case": _object(
        **_CASE,
        reason=_TEXT,
        area=_TEXT,
        **_GOING,
        practices=_list(_ref("Guide")),
    ),
    "Answer": _object(
        place=_object(lat=_NUMBER, lon=_NUMBER, name=_TEXT),
        as_of={"type": "string", "format": "date"},
        language=_TEXT,
        worry=_optional(_object(key=_TEXT, label=_TEXT, guides=_list(_ref("Guide")))),
        setting={
            "type": "string",
            "enum": ["land", "sea", "abroad", "unknown"],
            "description": "sea: in no known area, at sea, on a lake or in a hole; unknown: nothing of this "
            "map lies within 60 km.",
        },
        where=_TEXT,
        shore=_optional(_object(**_NAMED, **_GOING)),
        areas=_list(_ref("Area")),
        roles=_list(_ref("Role")),
        cases=_list(_ref("Case")),
        notes=_list(_TEXT),
    ),
    "History": _object(
        language=_TEXT,
        of=_object(**_NAMED),
        events=_list(_ref("Event")),
        more=_WHOLE,
    ),
    "Event": _object(
        what={
            "type": "string",
            "enum": list(changes.WHATS),
            "description": "began, turned, closed: in the world; added, changed, ended: on this map.",
        },
        date=_TEXT,
        day=_TEXT,
        sentence=_TEXT,
        facts=_list(_object(fact=_TEXT, sentence=_TEXT, before=_TEXT, after=_TEXT)),
        edition=_optional(_object(title=_TEXT, source=_TEXT, url=_TEXT, as_of=_TEXT, loaded_at=_TEXT)),
    ),
    "Hits": _object(
        hits=_list(
            {
                **_object(
                    kind=_TEXT,
                    label=_TEXT,
                    name=_TEXT,
                    municipality=_TEXT,
                    county=_TEXT,
                    about=_TEXT,
                    url=_URL,
                    lat=_NUMBER,
                    lon=_NUMBER,
                ),
                "required": ["kind", "label", "name", "municipality", "county", "about", "url"],
            }
        ),
        more={"type": "boolean"},
        told=_TEXT,
    ),
    "Mappings": _object(
        service=_object(urn=_TEXT, label=_TEXT),
        place=_object(lat=_NUMBER, lon=_NUMBER),
        as_of={"type": "string", "format": "date"},
        language=_TEXT,
        default={
            "type": "boolean",
            "description": "Nobody is responsible there: those of the nearest land, or the nearest.",
        },
        expires={"type": "string", "description": "Until when it may be kept; empty: not at all."},
        mappings=_list(_ref("Mapping")),
        notes=_list(_TEXT),
    ),
    "Mapping": _object(
        id={"type": "string", "format": "uuid"},
        kind={"type": "string", "enum": ["body", "area", services.EMERGENCY]},
        key=_TEXT,
        name=_TEXT,
        url=_TEXT,
        number={"type": "string", "description": "The number to call, of an emergency service alone."},
        why={"type": "string", "enum": [*answers.REASONS, services.EMERGENCY]},
        area=_optional(_object(**_NAMED)),
        boundary={
            "type": ["string", "object", "null"],
            "description": "Of the area: its reference for LoST, or a GeoJSON geometry (`boundary=value`).",
        },
        updated={"type": "string", "format": "date-time"},
        source=_optional(_object(title=_TEXT, url=_TEXT, as_of=_TEXT)),
    ),
    "HsdsPage": _object(
        total_items=_WHOLE,
        total_pages=_WHOLE,
        page_number=_WHOLE,
        size=_WHOLE,
        first_page={"type": "boolean"},
        last_page={"type": "boolean"},
        empty={"type": "boolean"},
        contents=_list({"type": "object", "required": ["id"]}),
    ),
    "HsdsOrganization": _hsds("organization", "id", "name", "description"),
    "HsdsService": _hsds("service", "id", "name", "status"),
    "HsdsServiceAtLocation": _hsds("service_at_location", "id"),
    "HsdsTaxonomy": _hsds("taxonomy", "id", "name", "description"),
    "HsdsTaxonomyTerm": _hsds("taxonomy_term", "id", "name", "description"),
    "Collection": {
        "type": "object",
        "description": "GeoJSON (RFC 7946), in degrees of WGS 84.",
        "properties": {
            "type": {"const": "FeatureCollection"},
            "features": _list({"type": "object", "required": ["type", "properties", "geometry"]}),
        },
        "required": ["type", "features"],
    },
    "Problem": {
        "type": "object",
        "description": "RFC 9457. `choices` are places of one name, to choose from.",
        "properties": {
            "type": _URL,
            "title": _TEXT,
            "status": {"type": "integer"},
            "detail": _TEXT,
            "choices": _list(
                _object(name=_TEXT, municipality=_TEXT, county=_TEXT, lat=_NUMBER, lon=_NUMBER, url=_URL)
            ),
        },
        "required": ["type", "title", "status", "detail"],
    },
}


def _link(operation: str, **parameters: str) -> Schema:
    """Where an answer leads: `parameters` are pointers into it."""
    return {
        "operationId": operation,
        "parameters": {name: f"$response.body#{pointer}" for name, pointer in parameters.items()},
    }


_FROM_HITS = {"who-is-there": _link("answer", lat="/hits/0/lat", lon="/hits/0/lon")}
_FROM_ANSWER = {
    "what-changed-with-it": _link("history", body="/roles/0/matches/0/key"),
    "what-changed-there": _link("history", area="/areas/0/key"),
    "what-fits-there": _link("fit", area="/areas/0/key"),
    "where-the-practice-could-go": _link("fit", practice="/cases/0/practices/0/key"),
    "where-the-case-could-go": _link("fit", case="/cases/0/key"),
}


def description(instance: Instance) -> Schema:
    """The whole description for one instance: its languages, layers and codes are the allowed values."""
    ask = _Asker(instance)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": instance.names.get("en", instance.key),
            "version": VERSION,
            "summary": "Who looks after safety in a place, who is near, and why.",
            "description": (
                "Reading is open to anybody and to any page. Every fact carries its source and date; "
                "points are settlements, not houses, and distances are straight lines."
            ),
        },
        "paths": {
            "/api/answer": _reading(
                "answer",
                "Who is responsible, who serves and who is near, for every role, in one place. Name it by "
                "`lat` and `lon`, or by `place`.",
                [ask.lat, ask.lon, ask.place, ask.worry, *ask.when, ask.language, ask.format],
                {"application/json": _ref("Answer"), "text/plain": _TEXT},
                links=_FROM_ANSWER,
                also={"300": "Several places have this name: choose one.", "404": "No place has this name."},
            ),
            "/api/search": _reading(
                "search",
                "Settlements, areas, organisations, cases and practices by name; slips are forgiven.",
                [
                    _asked("q", _TEXT, "What somebody typed; its first 100 letters count.", required=True),
                    _asked(
                        "limit", _blank_or({"type": "integer", "minimum": 1, "maximum": 50}), "Default: 8."
                    ),
                    *ask.when,
                    ask.language,
                ],
                {"application/json": _ref("Hits")},
                links=_FROM_HITS,
            ),
            "/api/layers/{name}.geojson": _reading(
                "layer",
                "A layer of the map. Layers of areas may be asked for in steps of detail.",
                [ask.layer, ask.step, *ask.part, *ask.filter, *ask.when, ask.language],
                {"application/geo+json": _ref("Collection")},
                also={"404": "There is no such layer."},
            ),
            "/api/export/{layer}": _reading(
                "export",
                "A layer to take along, in a format that the request accepts; GeoJSON for any.",
                [ask.taken, *ask.filter, *ask.when, ask.language],
                _TAKEN,
                also={"404": "There is no such layer.", "406": "No format of these is accepted."},
            ),
            "/api/export/{layer}.{format}": _reading(
                "exportAs",
                "A layer to take along as a file: every row with source, date, licence and precision. "
                "Organisations, cases and practices take the filter; areas are always whole.",
                [ask.taken, ask.ending, *ask.filter, *ask.when, ask.language],
                _TAKEN,
                also={"404": "There is no such layer."},
            ),
            "/api/fit": _reading(
                "fit",
                "Cases that fit a place (`area`, or `lat` and `lon`), or places to which a `practice` or "
                "`case` could go; each score is the sum of its parts, and each part has its reason.",
                [
                    _asked("area", _TEXT, "An area's key, as municipality:0184."),
                    _asked("practice", _TEXT, "A practice's key."),
                    _asked("case", _TEXT, "A case's key."),
                    ask.lat,
                    ask.lon,
                    *ask.when,
                    ask.language,
                ],
                {"application/json": {"type": "object"}},
                also={"404": "There is no such area, practice or case."},
            ),
            "/api/history": _reading(
                "history",
                "What changed when with an organisation or an area, in the world and on this map, the newest "
                "first; `more` older events are left out.",
                [
                    _asked("body", _TEXT, "An organisation's key."),
                    _asked("area", _TEXT, "An area's key, as municipality:0184."),
                    *ask.when,
                    ask.language,
                    ask.format,
                ],
                {"application/json": _ref("History"), "text/plain": _TEXT},
                also={"404": "There is no such organisation or area."},
            ),
            "/api/find-service": _reading(
                "find-service",
                "Whom a service leads to from a place: those who are responsible, else those of the nearest "
                "land, else the nearest. What is not current is left out. /lost asks the same by RFC 5222.",
                [
                    {**ask.lat, "required": True},
                    {**ask.lon, "required": True},
                    _asked("service", _TEXT, "A URN, or a role's key: police.", required=True),
                    _asked("boundary", _among(("reference", "value")), "Default: reference."),
                    *ask.when,
                    ask.language,
                ],
                {"application/json": _ref("Mappings")},
            ),
            **_hsds_paths(ask),
            "/api/tiles/{layer}/{revision}/{z}/{x}/{y}.mvt": _reading(
                "tile",
                "A vector tile of a big layer, as the map draws it. 204 where it is empty.",
                [
                    {**_asked(name, kind, text, required=True), "in": "path"}
                    for name, kind, text in (
                        ("layer", _TEXT, "A layer's key."),
                        ("revision", {"type": "integer"}, "The state of the layer."),
                        ("z", {"type": "integer"}, "Zoom."),
                        ("x", {"type": "integer"}, "Column."),
                        ("y", {"type": "integer"}, "Row."),
                    )
                ],
                {"application/vnd.mapbox-vector-tile": {"type": "string", "format": "binary"}},
                also={"404": "There is no such layer, or no archive of this state."},
            ),
            "/api/coverage.geojson": _reading(
                "coverage",
                "Areas with the colour of how many kinds of partner are known there.",
                [ask.shade, ask.step, *ask.filter, *ask.when, ask.language],
                {"application/geo+json": _ref("Collection")},
            ),
        },
        "components": {"schemas": _SCHEMAS},
    }


def _hsds_paths(ask: "_Asker") -> Schema:
    """HSDS (Open Referral): lists in pages, and each thing by its identifier."""
    yes = {"type": "string", "enum": ["true", "false"]}
    full = _asked("full", yes, "Whole, with all that belongs to them; at most 50 at once.")
    full_service = _asked("full_service", yes, "Their services whole.")
    search = _asked("search", _TEXT, "Words in the name, as one typed them: the first 100 letters.")
    taxonomy = _asked("taxonomy_id", _TEXT, "Only of a term of this taxonomy.")
    terms = [search, _asked("taxonomy_term_id", _TEXT, "Only of this term."), taxonomy]
    chosen = [
        *terms,
        _asked("organization_id", _TEXT, "Only of this organisation."),
        _asked("modified_after", _TEXT, "Only what was learnt since: a day, or a moment."),
        full,
    ]
    pages = [
        _asked("page", {"type": "integer", "minimum": 1}, "Default: 1."),
        _asked("per_page", {"type": "integer", "minimum": 1, "maximum": 500}, "Default: 50."),
        _asked("format", _among(("json", "ndjson")), "Default: json."),
    ]
    tables: list[tuple[str, str, list[Schema], list[Schema]]] = [
        ("organizations", "HsdsOrganization", [*terms, full, full_service], [full_service]),
        ("services", "HsdsService", [*chosen, _asked("minimal", yes, "Identifiers and dates alone.")], []),
        ("service_at_locations", "HsdsServiceAtLocation", chosen, []),
        ("taxonomies", "HsdsTaxonomy", [], []),
        ("taxonomy_terms", "HsdsTaxonomyTerm", [search, taxonomy], []),
    ]
    rest, found = [*ask.when, ask.language], {}
    id = {**_asked("id", {"type": "string", "format": "uuid"}, "An identifier.", required=True), "in": "path"}
    for name, schema, asked, of_one in tables:
        page = {"application/json": _ref("HsdsPage"), "application/x-ndjson": _TEXT}
        found[f"/hsds/{name}"] = _reading(
            f"hsds-{name}", f"HSDS: {name}, in pages.", [*asked, *pages, *rest], page
        )
        found[f"/hsds/{name}/{{id}}"] = _reading(
            f"hsds-{name}-one",
            f"HSDS: one of {name}, whole.",
            [id, *of_one, *rest],
            {"application/json": _ref(schema)},
            also={"404": "Nothing has this identifier."},
        )
    about = _reading("hsds", "HSDS: which version this is.", rest, {"application/json": {"type": "object"}})
    return {"/hsds/": about, **found}


def _reading(
    name: str,
    summary: str,
    asked: list[Schema],
    given: Schema,
    *,
    also: dict[str, str] | None = None,
    links: Schema | None = None,
) -> Schema:
    problem = {"application/problem+json": {"schema": _ref("Problem")}}
    refused = {"400": "A value cannot be used; the sentence says which.", **(also or {})}
    return {
        "get": {
            "operationId": name,
            "summary": summary,
            "parameters": asked,
            "responses": {
                "200": {
                    "description": "The answer.",
                    "content": {kind: {"schema": schema} for kind, schema in given.items()},
                    **({"links": links} if links else {}),
                },
                **{code: {"description": text, "content": problem} for code, text in refused.items()},
                "503": {"description": "The store is not ready.", "content": problem},
            },
        }
    }


class _Asker:
    """The parameters, each described once."""

    def __init__(self, instance: Instance) -> None:
        codes = instance.codes
        self.lat = _asked("lat", {"type": "number", "minimum": -90, "maximum": 90}, "Degrees north.")
        self.lon = _asked("lon", {"type": "number", "minimum": -180, "maximum": 180}, "Degrees east.")
        self.place = _asked("place", _TEXT, "A settlement by its name; its first 100 letters count.")
        self.worry = _asked("worry", _among(worry.key for worry in instance.worries), "What troubles one.")
        self.language = _asked("lang", _among(instance.languages), "Default: the instance's own.")
        self.format = _asked("format", _among(("json", "text")), "Default: json.")
        self.step = _asked("step", _among(outlines.STEPS), "How much detail; default: near.")
        self.part = [
            _asked("bbox", _TEXT, "Only what meets this frame: west,south,east,north in degrees."),
            _asked(
                "since", _blank_or({"type": "integer"}), "Of a big layer: what is newer than this edition."
            ),
        ]
        self.shade = _asked("shade", _TEXT, "A kind of area, or kind.role.", required=True)
        self.layer = {
            **_asked("name", _TEXT, "A layer's key, or land, neighbours, settlements.", required=True),
            "in": "path",
        }
        self.taken = {
            **_asked(
                "layer", _among(one.key for one in downloads.offers(instance)), "A layer.", required=True
            ),
            "in": "path",
        }
        self.ending = {
            **_asked("format", _among(exports.FORMATS), "The format.", required=True),
            "in": "path",
        }
        self.when = [
            _asked("as_of", {"type": "string"}, "A day: 2018, 2018-05 or 2018-05-29; default: today."),
            _asked("known", {"type": "string"}, "From the knowledge of a moment: 2026-11-22T14:05:09Z."),
        ]
        self.filter = [
            _several("county", _TEXT, "Codes of counties."),
            _several("municipality", _TEXT, "Codes of municipalities."),
            *(
                _several(name, _among(codes.get(group, {})), f"Only these; asked of {of}.")
                for name, group, of in (
                    ("capability", "capabilities", "organisations"),
                    ("readiness", "readiness", "organisations"),
                    ("theme", "themes", "cases"),
                    ("party", "parties", "cases"),
                    ("outcome", "outcomes", "cases"),
                    ("stage", "stages", "cases"),
                    ("place_kind", "place_kinds", "cases"),
                )
            ),
            _several("practice", _TEXT, "Keys of practices: only cases that show one of them."),
            _several("freshness", _FRESHNESS, "How old the fact is."),
            _asked("text", _TEXT, "Words that stand in a case, all of them; the first 100 letters count."),
        ]


def _among(values: Any) -> Schema:
    return {"type": "string", "enum": [*values, ""]}  # Blank: not given.


def _blank_or(schema: Schema) -> Schema:
    """A blank value is as if it were not given."""
    return {"anyOf": [schema, {"const": ""}]}


def _several(name: str, schema: Schema, text: str) -> Schema:
    """A parameter of which one value is enough: separated by commas, or given several times."""
    found = _asked(name, {"type": "array", "items": schema}, text)
    return {**found, "style": "form", "explode": False}


def _asked(name: str, schema: Schema, text: str, *, required: bool = False) -> Schema:
    return {"name": name, "in": "query", "required": required, "description": text, "schema": schema}
