"""A line about an organisation → its row: where it is in words and as a point, and who it is."""

from collections.abc import Mapping
from datetime import date

import shapely

from layers import dates, geo, letters
from layers.aliases import Book
from layers.catalog import Instance, Resource
from layers.doctor import values
from layers.doctor.fields import EAST, NORTH, Target
from layers.doctor.grounds import COUNTY, MUNICIPALITY, SETTLEMENT, Known, Spot
from layers.doctor.lines import Bad, Line, said
from layers.errors import N_, Sentence
from layers.sources import recoded, tables
from layers.sources.rows import Row, Unusable


class Bodies:
    """Makes rows of organisations. Of a file that tells all (`fields.tells_all`) nothing is filled in."""

    def __init__(
        self,
        target: Target,
        resource: Resource,
        instance: Instance,
        known: Known,
        *,
        book: Book,
        day: date,
        is_whole: bool = False,
    ) -> None:
        self.is_whole, self.book, self.day = is_whole, book, day
        self.target, self.resource, self.instance, self.known = target, resource, instance, known
        self.form = tables.body_form(target.layer, instance)
        self.keys: set[str] = set()

    def row(self, line: Line, file: str) -> Row:
        cells = {key: self._read(line, key, text) for key, text in line.cells.items()}
        when = recoded.spoken(
            self._day(cells.get("as_of", "")), self._day(cells.get("valid_to", "")), self.day
        )
        spots = self._spots(line, cells, when)
        self._point(line, cells, spots)
        cells.setdefault("name", "")
        if not cells["name"]:
            own = (cells[key] for key in cells if key.startswith("name_") and cells[key])
            cells["name"] = next(own, "")
        cells["key"] = self._key(line, cells)
        cells["source"] = cells.get("source") or self._source()
        if not self.is_whole:
            cells["source_url"] = cells.get("source_url") or self.resource.source_url
            cells["as_of"] = cells.get("as_of") or self.resource.as_of
        if cells.get("serves"):
            cells["serves"] = self._areas(line, cells["serves"], when)
        try:
            row = self.form.row(cells, number=line.number, file=file)
        except tables.Refused as refused:
            column, error = refused.wrong[0]
            what = said(error.what)
            if column:
                label = self.target.fields[column].label if column in self.target.fields else column
                what = Sentence("{column}: {what}", column=label, what=what)
            raise Bad(what, error.remedy) from refused
        self.keys.add(row.key)
        return row

    def _read(self, line: Line, key: str, text: str) -> str:
        if self.is_whole and self._is_right(key, text):
            return text
        codes = self.target.fields[key].codes if key in self.target.fields else {}
        if key == "capabilities":
            read = values.codes_of(text, codes)
        elif codes:
            read = values.code(text, codes)
        else:
            read = values.ROLES[key](text) if key in values.ROLES else values.Read(text)
        if read.told:
            line.told.append(read.told)
        return read.text

    def _is_right(self, key: str, text: str) -> bool:
        """Whether the instance's own files could say so: then there is nothing to repair."""
        test = self.form.columns.get(key) or self.form.optional.get(key)
        try:
            return test is not None and test(text) is not None
        except Unusable:
            return False

    def _source(self) -> str:
        said = self.resource.source
        return str(said.get(self.instance.default_language) or next(iter(said.values()), ""))

    # Where it is, in words

    def _spots(self, line: Line, cells: dict[str, str], when: date) -> dict[str, Spot]:
        """The places that a line names, from the widest in; their codes take the place of their names."""
        found: dict[str, Spot] = {}
        for kind in (COUNTY, MUNICIPALITY, SETTLEMENT):
            text = cells.get(kind, "")
            if not text:
                continue
            spot = self._spot(kind, text, found, when)
            if spot is None and self.is_whole:
                continue
            if spot is None:
                line.told.append(Sentence("“{text}” is no place known here: it stays as words.", text=text))
                cells[kind] = ""
                cells["place"] = ", ".join(filter(None, [cells.get("place", ""), text]))
                continue
            if spot.code != text and letters.fold(spot.name) != letters.fold(text):
                about = {"text": text, "name": spot.name, "code": spot.code}
                line.told.append(Sentence("“{text}” was read as {name} ({code}).", **about))
            found[kind], cells[kind] = spot, spot.code
        if SETTLEMENT in found and not self.is_whole:
            for kind in (MUNICIPALITY, COUNTY):
                around = [code for code in found[SETTLEMENT].within if (kind, code) in self.known.coded]
                if not cells.get(kind) and len(around) == 1:
                    cells[kind] = around[0]
            cells["place"] = cells.get("place") or found[SETTLEMENT].name
        return found

    def _spot(self, kind: str, text: str, around: Mapping[str, Spot], when: date) -> Spot | None:
        for code in (text, text.zfill(4)):
            known = self._known_as(f"{kind}:{code}", when).partition(":")[2]
            if spot := self.known.coded.get((kind, known)):
                return spot
        fitting = self.known.named.get((kind, letters.fold(text)), ())
        inside = [
            spot
            for spot in fitting
            if all(other.code in spot.within for other in around.values()) or not spot.within
        ]
        if len(inside) > 1:
            what = Sentence("There are {count} places called “{text}”.", count=len(inside), text=text)
            raise Bad(
                what, N_("Add a column with the municipality or county, or with the code of the place.")
            )
        if fitting and not inside:
            where = ", ".join(other.name for other in around.values())
            what = Sentence("There is no “{text}” in {where}.", text=text, where=where)
            raise Bad(what, N_("Correct one of the two names."))
        return inside[0] if inside else None

    def _point(self, line: Line, cells: dict[str, str], spots: Mapping[str, Spot]) -> None:
        """Puts the point into the cells, in degrees; without one that of the settlement."""
        if line.shape is None and self.is_whole:
            return
        if line.shape is None and SETTLEMENT in spots and SETTLEMENT in self.target.fields["precision"].codes:
            line.shape, cells["precision"] = spots[SETTLEMENT].point, SETTLEMENT
            line.told.append(Sentence("It has no point: it stands at the point of its settlement."))
        if line.shape is None:
            cells["precision"] = ""
            return
        if line.shape.geom_type != "Point":
            line.shape = shapely.set_srid(shapely.point_on_surface(line.shape), self.instance.metric_crs)
            line.told.append(Sentence("It is drawn as a shape: a point inside it is used."))
        place = geo.place_of(line.shape.x, line.shape.y, srid=self.instance.metric_crs)
        cells |= {NORTH: f"{place.lat:.6f}", EAST: f"{place.lon:.6f}"}
        if not cells.get("precision"):
            remedy = N_("Say how exact the points of the file are, for all its rows or in a column.")
            raise Bad(N_("Nobody says how exact its point is."), remedy)

    # Who it is

    def _key(self, line: Line, cells: Mapping[str, str]) -> str:
        """The key of the line; else that of the one organisation of this name there; else a new one."""
        if cells.get("key"):
            return self._own(line, cells["key"])
        if not cells["name"]:
            raise Bad(N_("It has no name."), N_("Fill it in, or name the column that holds the names."))
        where = {cells[kind] for kind in (SETTLEMENT, MUNICIPALITY, COUNTY) if cells.get(kind)}
        same = self.known.bodies.get((self.target.layer, letters.fold(cells["name"])), ())
        fitting = [key for key, there in same if not where or not there or where & there]
        if len(fitting) == 1 and fitting[0] not in self.keys:
            return fitting[0]
        made = [values.key_of(words) for words in ([cells["name"]], [cells["name"], cells.get("place", "")])]
        made += [f"{made[-1]}-{line.number}"]
        return next(
            (key for key in made if key and key not in self.keys and key not in self.known.layers), made[-1]
        )

    def _own(self, line: Line, key: str) -> str:
        told = key if self._is_right("key", key) else values.key_of([key])
        if self.known.layers.get(told, self.target.layer) != self.target.layer:
            what = Sentence(
                "The key “{key}” belongs to an organisation of the layer “{layer}”.",
                key=told,
                layer=self.known.layers[told],
            )
            raise Bad(what, N_("Give it another key, or leave the key blank."))
        if told != key:
            line.told.append(Sentence("The key “{text}” was written as {value}.", text=key, value=told))
        return told

    def _areas(self, line: Line, serves: str, when: date) -> str:
        """The same areas under the codes by which they are known."""
        found = []
        for area in filter(None, (part.strip() for part in serves.split(";"))):
            known = self._known_as(area, when)
            if known not in self.known.areas:
                what = Sentence("It serves the area “{area}”, which does not exist.", area=area)
                raise Bad(what, N_("Correct it, or import the areas first."))
            if known != area:
                line.told.append(Sentence(recoded.READ_AS, area=area, known=known))
            found.append(known)
        return ";".join(dict.fromkeys(found))

    def _known_as(self, area: str, when: date) -> str:
        """The key of the area that a source of a day calls so, `kind:code`; files of ours say that one."""
        if self.is_whole and area in self.known.areas:
            return area
        known = recoded.known_as(area, self.book, when)
        if known is None:
            raise Bad(Sentence(recoded.SEVERAL, area=area.partition(":")[2]), recoded.SAY_KNOWN)
        return known

    def _day(self, text: str) -> str:
        return text if dates.is_partial(text) else ""
