"""The page that says by which addresses and standards other programs read this map."""

from dataclasses import dataclass

from flask import Blueprint, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from layers import places, services
from layers.errors import N_
from webmap import db, i18n, params, replies
from webmap.exchange import finding

bp = Blueprint("programs", __name__)


@dataclass(frozen=True)
class Door:
    """One address. `standard` is the name of what it follows, `example` a path to try ("" for none)."""

    path: str
    standard: str
    about: str
    example: str = ""


@bp.get("/<language>/programs")
def offered() -> ResponseReturnValue:
    named = [{"urn": one.urn, "label": finding.label(one)} for one in services.offered(db.instance())]
    return render_template("pages/programs.html", doors=_doors(), services=named)


def _doors() -> list[Door]:
    lang, west_south = i18n.language(), db.instance().bounds
    lon, lat = (round((low + high) / 2, 2) for low, high in (west_south[::2], west_south[1::2]))
    here = f"lat={lat}&lon={lon}&lang={lang}"
    role = next((one.key for one in db.instance().roles), "")
    body = _any_body()
    calendar = url_for("pages.trainings.feed", language=lang)
    told = [
        Door(
            "/ogc/",
            "OGC API – Features",
            N_("The layers for geographic information systems."),
            url_for("ogc.landing", lang=lang),
        ),
        Door(
            "/api/export/…",
            "GeoJSON, GeoPackage, GeoParquet, CSV, KML, FlatGeobuf",
            N_("Every layer as a file."),
            url_for("pages.downloads.page", language=lang),
        ),
        Door(
            "/api/layers/….geojson",
            "GeoJSON (RFC 7946)",
            N_("The layers of the map."),
            next((f"/api/layers/{one.key}.geojson?lang={lang}" for one in db.instance().layers), ""),
        ),
        Door(
            "/api/answer",
            "OpenAPI 3.1",
            N_("Who is responsible and who is near in a place, and why."),
            f"/api/answer?{here}",
        ),
        Door(
            "/api/find-service",
            "OpenAPI 3.1",
            N_("Whom one service leads to from a place, as LoST below says it."),
            f"/api/find-service?service={role}&{here}" if role else "",
        ),
        Door(
            "/api/openapi.json",
            "OpenAPI 3.1",
            N_("Every address below /api and /hsds, described."),
            "/api/openapi.json",
        ),
        Door(
            "/hsds/",
            "HSDS 3.2 (Open Referral)",
            N_("Organisations, their services, where and for which areas."),
            f"/hsds/services?lang={lang}",
        ),
        Door("/lost", "LoST (RFC 5222)", N_("Whom a service leads to from a place: XML, sent by POST.")),
        Door(
            "/catalog.jsonld",
            "DCAT-AP 3",
            N_("What data there are, for catalogues: also as catalog.ttl."),
            "/catalog.jsonld",
        ),
        Door(
            f"/{lang}/bodies/….jsonld",
            "schema.org (JSON-LD)",
            N_("What pages of organisations, areas, cases, practices and trainings say of themselves."),
            url_for("linked.trainings", language=lang),
        ),
        Door(
            f"/{lang}/bodies/….vcf",
            "vCard 4 (RFC 6350)",
            N_("An organisation for the address book."),
            url_for("feeds.vcard", language=lang, key=body) if body else "",
        ),
        Door(calendar, "iCalendar (RFC 5545)", N_("Trainings whose day is known."), calendar),
        Door(
            f"/{lang}/areas/…/changes.atom",
            "Atom (RFC 4287)",
            N_("What changes in an area, and the journal."),
            _feed(lang),
        ),
    ]
    return [Door(one.path, one.standard, gettext(one.about), one.example) for one in told]


def _any_body() -> str:
    """The key of an organisation to try with; "" where none is known."""
    known, today = replies.known(), params.today()
    layers = (one.key for one in db.instance().layers if one.of == "bodies")
    return next((body.key for key in layers for body in known.bodies_of(key, as_of=today)), "")


def _feed(lang: str) -> str:
    """The feed of an area to try with; "" where none is known."""
    kinds = (one.kind for one in db.instance().layers if one.of == "areas")
    areas = (places.areas(db.session(), kind, as_of=params.today(), most=1) for kind in kinds)
    found = next((one for some in areas for one in some), None)
    return url_for("feeds.atom", language=lang, kind=found.kind, code=found.code) if found else ""
