"""The gazetteer, and what others have counted, row by row."""

from layers import model, places
from layers.downloads.asked import Asked, Facts, around, at, heads
from layers.exports import Dataset
from layers.places import Edition, Source


def settlements(asked: Asked) -> Dataset:
    found = places.settlements(asked.session, as_of=asked.question.as_of)
    whose, editions = asked.editions(model.Settlement)
    names = asked.names({key for town in found for key in around(town.municipality, town.county)})
    columns: dict[str, type] = {
        **dict.fromkeys(("code", "name", "municipality", "municipality_name", "county", "county_name"), str),
        **{"lat": float, "lon": float, "population": int},
        **dict.fromkeys(("population_as_of", "source", "source_url", "licence", "attribution"), str),
    }
    rows = [
        {
            "code": town.key,
            "name": town.name,
            "municipality": town.municipality or None,
            "municipality_name": names.get(f"municipality:{town.municipality}"),
            "county": town.county or None,
            "county_name": names.get(f"county:{town.county}"),
            **at(town.place),
            "population": town.population,
            "population_as_of": town.population_as_of or None,
            **asked.origin("", "", editions.get(whose.get(town.key, 0))),
        }
        for town in found
    ]
    return asked.table(rows, [town.place for town in found], columns, editions)


def counts(asked: Asked) -> Dataset:
    found = places.counts(asked.session, as_of=asked.question.as_of)
    whose, editions = asked.editions(model.Count)
    names = asked.names({one.area for one in found})

    def row(one: places.Count, edition: Edition | None) -> Facts:
        return {
            "key": one.key,
            "layer": one.layer,
            "area": one.area,
            "area_name": names.get(one.area),
            "number": one.number,
            "qualifier": one.qualifier or None,
            "households": one.households,
            "households_qualifier": one.households_qualifier or None,
            "members": one.members,
            **asked.by_language("note", one.notes),
            "as_of": one.source.as_of or None,
            "as_of_inferred": "yes" if one.source.inferred else None,
            **asked.age(one),
            **asked.origin(one.source.title, one.source.url, edition),
        }

    rows = [row(one, editions.get(whose.get(one.key, 0))) for one in found]
    empty = row(places.Count("", "", None, "", None, "", None, {}, Source("", "", "")), None)
    columns = heads(rows, empty, number=int, households=int, members=int)
    return asked.table(rows, [None] * len(rows), columns, editions)
