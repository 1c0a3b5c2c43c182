"""Organisations of a layer, row by row."""

from layers import filters, model, places
from layers.downloads.asked import Asked, Facts, around, at, heads
from layers.exports import Dataset
from layers.places import Body, Edition, Source


def bodies(asked: Asked) -> list[Body]:
    """Those that the question chooses."""
    question = asked.question
    found = places.bodies(asked.session, layer=question.layer, as_of=question.as_of)
    return filters.bodies(found, question.only, today=question.today, rules=asked.instance.freshness)


def table(asked: Asked) -> Dataset:
    found = bodies(asked)
    whose, editions = asked.editions(model.Body, model.Body.layer == asked.question.layer)
    names = asked.names(key for body in found for key in around(body.municipality, body.county))
    towns = places.settlement_names(asked.session, {body.settlement for body in found} - {""})

    def row(body: Body, edition: Edition | None) -> Facts:
        return {
            "key": body.key,
            "layer": body.layer,
            "label": body.names.get(asked.question.language) or body.name,
            "name": body.name,
            **asked.by_language("name", body.names),
            "form": body.form,
            "form_label": asked.label("forms", body.form),
            "capabilities": ";".join(body.capabilities) or None,
            "capabilities_label": asked.label("capabilities", body.capabilities),
            "readiness": body.readiness or None,
            "readiness_label": asked.label("readiness", body.readiness),
            "place": body.locality or None,
            "settlement": body.settlement or None,
            "settlement_name": towns.get(body.settlement),
            "municipality": body.municipality or None,
            "municipality_name": names.get(f"municipality:{body.municipality}"),
            "county": body.county or None,
            "county_name": names.get(f"county:{body.county}"),
            **at(body.place),
            "precision": body.precision or None,
            "precision_label": asked.label("precision", body.precision),
            "serves": ";".join(body.serves) or None,
            "valid_from": body.valid_from or None,
            "valid_to": body.valid_to or None,
            "as_of": body.source.as_of or None,
            "as_of_inferred": "yes" if body.source.inferred else None,
            **asked.age(body),
            **asked.by_language("note", body.notes),
            **asked.origin(body.source.title, body.source.url, edition),
        }

    rows = [row(body, editions.get(whose.get(body.key, 0))) for body in found]
    columns = heads(rows, row(_NO_BODY, None), lat=float, lon=float)
    return asked.table(rows, [body.place for body in found], columns, editions)


_NO_BODY = Body(
    *("", "", "", {}, "", (), "", "", "", "", "", "", None, (), "", "", {}),
    source=Source("", "", ""),
)
