"""Between a form and a change: what the form is at first, what it says, and all of it once more."""

from layers import edits, letters, places
from layers.edits import CASE, CORRECT, NEW, Change, Thing
from layers.errors import Sentence
from webmap import casework, db, params
from webmap.editing import labels


def begun(thing: Thing) -> Change:
    """The form as it is when one comes: of the newest state, or of the one that the address names."""
    if not thing.states:
        return Change(thing.table, "", thing.layer, NEW, cells={"precision": "", "accuracy": "approximate"})
    start = params.arguments().get("from", thing.states[-1].valid_from)
    state = thing.state(start) or thing.states[-1]
    return Change(thing.table, thing.key, thing.layer, CORRECT, state.valid_from, "", state.cells)


def sent(thing: Thing) -> tuple[Change, list[Sentence]]:
    """What the form of this request says, and what was understood in it otherwise than it was typed."""
    sent = params.filled()
    cells = (
        casework.sent(sent, is_new=not thing.key)
        if thing.table == CASE
        else {
            name: sent.get(name, "") for name in edits.columns_of(db.instance(), thing.table) if name in sent
        }
    )
    if thing.table == "body":
        cells["capabilities"] = ";".join(filter(None, sent.getlist("capabilities")))
        cells["as_of_inferred"] = sent.get("as_of_inferred", "")
    elif thing.table == "area" and not thing.key:
        cells["code"] = sent.get("code", "")
    told = _by_name(cells)
    way = sent.get("way", CORRECT) if thing.states else NEW
    way = way if way in (*labels.WAYS, NEW) else CORRECT
    return Change(
        thing.table, thing.key, thing.layer, way, sent.get("state", ""), sent.get("day", "").strip(), cells
    ), told


def _by_name(cells: dict[str, str]) -> list[Sentence]:
    """Puts the code of a settlement in the place of its name, where there is one only."""
    said = cells.get("settlement", "").strip()
    if not said:
        return []
    known = places.settlements(db.session(), as_of=params.today())
    if any(one.key == said for one in known):
        return []
    wanted, around = letters.fold(said), {cells.get("municipality"), cells.get("county")} - {"", None}
    named = [one for one in known if letters.fold(one.name) == wanted]
    inside = [one for one in named if {one.municipality, one.county} & around] or named
    if len(inside) != 1:
        return []
    cells["settlement"] = inside[0].key
    return [Sentence("“{text}” is the settlement {code}.", text=said, code=inside[0].key)]


def hidden(change: Change, *, seen: int, note: str) -> list[tuple[str, str]]:
    """The whole form again, for the button that writes it."""
    about = {"way": change.way, "state": change.state, "day": change.day, "seen": str(seen), "note": note}
    if change.table == CASE:
        return [*casework.pairs(change.cells), *about.items()]
    cells = dict(change.cells)
    several = [("capabilities", code) for code in cells.pop("capabilities", "").split(";") if code]
    return [*cells.items(), *several, *about.items()]
