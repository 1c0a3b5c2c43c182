"""What must never be told again: taken out of every row, and kept out of every row to come.

Somebody asks that an organisation, or words such as a name, be erased. It is taken out of all that the store
holds: rows that are shown, hidden, retired or of another day, what hangs on them, proposals, suggestions,
confirmations and notes. The ledger remembers each erasure by a keyed digest, who decided it and what it
reached, and never the thing itself. From then on imports and edits pass by the ledger
(`kept`), and a backup made before is swept when it is restored (`sweep`).

The key lies in the ledger: with a key elsewhere that gets lost an old backup would bring back what was
erased, which is worse than that somebody who holds a backup may confirm what he guessed already.
"""

import hashlib
import hmac
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, Column, String, Table, delete, func, select, update
from sqlalchemy.orm import Session

from layers import columns, dates, letters, outlines, store
from layers.errors import N_, Invalid, NotFound
from layers.model import (
    EDITS,
    Area,
    Body,
    Case,
    CaseArea,
    CaseBody,
    CasePractice,
    Confirmation,
    Count,
    Edition,
    Entry,
    Erasure,
    Event,
    LinkCheck,
    Page,
    Practice,
    Proposal,
    Serves,
    Settlement,
    Suggestion,
)
from layers.sources.rows import Row

WORDS = "words"
KEY_BYTES = 32
MARK = "[…]"
"""Stands where words were."""
THINGS: Mapping[str, type[Any]] = {
    "area": Area,
    "body": Body,
    "case_study": Case,
    "count": Count,
    "event": Event,
    "journal": Entry,
    "page": Page,
    "practice": Practice,
}
_LEAST_LETTERS = 5
_FACTS: tuple[type[Any], ...] = (*THINGS.values(), Settlement)
_WORDED: tuple[type[Any], ...] = (
    *_FACTS,
    CasePractice,
    Confirmation,
    Edition,
    LinkCheck,
    Proposal,
    Suggestion,
)
# Keys, codes and days: by these rows find each other. What a key holds goes with its thing.
_NO_WORDS = frozenset(
    [
        "accuracy",
        "as_of",
        "area",
        "body",
        "by",
        "case",
        "checked_at",
        "checksum",
        "code",
        "county",
        "dataset",
        "day",
        "digest",
        "form",
        "key",
        "kind",
        "layer",
        "link",
        "loaded_at",
        "moment",
        "municipality",
        "outcome",
        "parent",
        "population_as_of",
        "practice",
        "precision",
        "readiness",
        "sender",
        "settlement",
        "stage",
        "state",
        "table_name",
        "theme",
        "valid_from",
        "valid_to",
    ]
)
_REFERRING: Mapping[str, Sequence[tuple[type[Any], str]]] = {
    "area": [(Serves, "area"), (CaseArea, "area")],
    "body": [(CaseBody, "body")],
    "practice": [(CasePractice, "practice")],
}
_LISTING: Mapping[str, Sequence[tuple[type[Any], str]]] = {
    "practice": [(Practice, "related"), (Event, "practices")]
}
_LINKED = {"body": "body", "area": "area", "practice": "practice"}
_WORD = re.compile(r"\w+")


class NothingThere(NotFound):
    text = N_("Nothing of this is in the store, and nothing was changed.")


class TooLittle(Invalid):
    text = N_("“{words}” is too little to erase everywhere: give at least {least} letters.")


class NoLedger(Invalid):
    text = N_("{file} is no ledger of erasures: line {line} cannot be read.")


@dataclass(frozen=True)
class Erased:
    """One line of the ledger, and its receipt. `words` is how many words it has, 0 for a thing.

    `found` tells how many rows it reached: of a `table` those taken away, of a `table.column` those of which
    a text was changed.
    """

    kind: str
    key: str
    digest: str
    words: int
    moment: str
    by: str
    reason: str
    found: Mapping[str, int]


# --- Erasing


def erase(
    session: Session, kind: str, what: str, *, by: str, reason: str, now: datetime, chance: bytes
) -> tuple[Erased, set[str]]:
    """Takes a thing (a table of THINGS and its key) or WORDS out of all rows; the caller commits, then lets
    the store forget its freed pages (`store.scrub`).

    Returns:
        the receipt, and the layers that changed.

    Raises:
        NothingThere: the store holds nothing of it.
        TooLittle: words so short that they stand everywhere.
    """
    there = ledger(session)
    key = there[0].key if there else chance.hex()
    words = len(_WORD.findall(what)) if kind == WORDS else 0
    if kind == WORDS and len(letters.fold(what).replace(" ", "")) < _LEAST_LETTERS:
        raise TooLittle(words=what, least=_LEAST_LETTERS)
    entry = Erased(kind, key, _digest(key, kind, what), words, dates.moment(now), by, reason, {})
    found, touched = _swept(session, _Sieve([entry]))
    if not found:
        raise NothingThere
    done = replace(entry, found=dict(sorted(found.items())))
    remember(session, [done])
    _tell(session, touched)
    return done, touched


def sweep(session: Session) -> tuple[Counter[str], set[str]]:
    """Takes out again whatever the ledger names; the caller commits.

    Returns:
        how many rows it reached (nothing, where the erasures hold), and the layers that changed.
    """
    found, touched = _swept(session, _Sieve(ledger(session)))
    _tell(session, touched)
    return found, touched


def is_erased(session: Session, kind: str, what: str) -> bool:
    """Whether exactly this has been erased: for who knows what it was."""
    return any(one.kind == kind and one.digest == _digest(one.key, kind, what) for one in ledger(session))


def kept(session: Session, table: str, rows: Sequence[Row]) -> list[Row]:
    """The rows of an import or edit that may be written, without the words that may not."""
    sieve = _Sieve(ledger(session))
    return [sieve.row(row) for row in rows if not sieve.holds(table, row.key)] if sieve.entries else [*rows]


# --- The ledger


def ledger(session: Session) -> list[Erased]:
    """Every erasure, the oldest first."""
    rows = session.scalars(select(Erasure).order_by(Erasure.id)).all()
    names = Erased.__dataclass_fields__
    return [Erased(**{name: getattr(row, name) for name in names}) for row in rows]


def remember(session: Session, entries: Iterable[Erased]) -> None:
    """Adds lines that the ledger does not have yet; the caller commits."""
    there = {_identity(one) for one in ledger(session)}
    for one in entries:
        if _identity(one) not in there:
            there.add(_identity(one))
            session.add(Erasure(**{**asdict(one), "found": dict(one.found)}))
    session.flush()


def read(file: Path) -> list[Erased]:
    """The ledger in a file; empty where there is none.

    Raises:
        NoLedger: it is another file, or damaged.
    """
    if not file.exists():
        return []
    found = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            said = Erased(**json.loads(line))
            bytes.fromhex(said.key + said.digest)
        except (TypeError, ValueError) as error:
            raise NoLedger(file=file.name, line=number) from error
        found.append(said)
    return found


def written(entries: Iterable[Erased]) -> str:
    """The ledger as lines of JSON, as `read` takes them."""
    return "".join(json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in entries)


def _identity(one: Erased) -> tuple[str, str, str]:
    return one.kind, one.key, one.digest


def _digest(key: str, kind: str, what: str) -> str:
    said = " ".join(map(_folded, _WORD.findall(what))) if kind == WORDS else what
    return hmac.new(bytes.fromhex(key), f"{kind}\0{said}".encode(), hashlib.sha256).hexdigest()


@lru_cache(maxsize=50_000)
def _folded(word: str) -> str:
    return letters.fold(word)


class _Sieve:
    """What some lines of the ledger hold back."""

    def __init__(self, entries: Sequence[Erased]) -> None:
        self.entries = entries
        self._things: dict[tuple[str, str], set[str]] = {}
        self._words: dict[tuple[str, int], set[str]] = {}
        for one in entries:
            if one.kind == WORDS:
                self._words.setdefault((one.key, one.words), set()).add(one.digest)
            else:
                self._things.setdefault((one.kind, one.key), set()).add(one.digest)

    def holds(self, kind: str, key: str) -> bool:
        of_kind = ((secret, known) for (of, secret), known in self._things.items() if of == kind)
        return any(_digest(secret, kind, key) in known for secret, known in of_kind)

    @property
    def has_words(self) -> bool:
        return bool(self._words)

    def kinds(self) -> set[str]:
        return {kind for kind, _ in self._things}

    def clean(self, said: Any) -> Any:
        """A text, or all texts of a JSON value, without the words."""
        if isinstance(said, str):
            return self._text(said)
        if isinstance(said, Mapping):
            return {name: self.clean(one) for name, one in said.items()}
        return [self.clean(one) for one in said] if isinstance(said, list | tuple) else said

    def row(self, row: Row) -> Row:
        """A row without the words, and without links to things that are gone."""
        values: Mapping[str, Any] = row.values
        if self._words:
            values = {name: one if name in _NO_WORDS else self.clean(one) for name, one in values.items()}
        links = {name: [one for one in links if not self._leads(one)] for name, links in row.links.items()}
        return replace(row, values=values, links=links)

    def _leads(self, link: Mapping[str, Any]) -> bool:
        return any(name in link and self.holds(kind, link[name]) for kind, name in _LINKED.items())

    def _text(self, said: str) -> str:
        spans = [(*word.span(), _folded(word[0])) for word in _WORD.finditer(said)] if said else []
        cuts: list[tuple[int, int]] = []
        for (secret, length), known in self._words.items():
            for at in range(len(spans) - length + 1):
                window = spans[at : at + length]
                if _digest(secret, WORDS, " ".join(word for *_, word in window)) in known:
                    cuts.append((window[0][0], window[-1][1]))
        for begin, end in sorted(cuts, reverse=True):
            said = f"{said[:begin]}{MARK}{said[end:]}"
        return said


# --- Through all tables


def _swept(session: Session, sieve: _Sieve) -> tuple[Counter[str], set[str]]:
    found: Counter[str] = Counter()
    touched: set[str] = set()
    urls: set[str] = set()
    for kind in sorted(sieve.kinds()):
        _take_away(session, sieve, kind, found, touched, urls)
    if sieve.has_words:
        for table in _WORDED:
            _clean_table(session, sieve, table, found, touched)
    _forget_addresses(session, urls, found)
    return found, touched


def _take_away(
    session: Session, sieve: _Sieve, kind: str, found: Counter[str], touched: set[str], urls: set[str]
) -> None:
    """Deletes things of a kind and all that speaks of them."""
    fact = THINGS[kind]
    query = select(fact.id, fact.key, fact.source_url, fact.edition_id, Edition.table_name)
    rows = session.execute(query.join(Edition, Edition.id == fact.edition_id)).all()
    gone = [row for row in rows if sieve.holds(kind, row.key)]
    keys = {row.key for row in gone}
    touched |= {row.table_name for row in gone}
    urls |= {row.source_url for row in gone}
    for ids in columns.batches([row.id for row in gone]):
        found[fact.__tablename__] += _deleted(session, fact, fact.id.in_(ids))
    _silence(session, {row.edition_id for row in gone}, found)
    for table, name in _REFERRING.get(kind, ()):
        keys |= _drop(session, table, getattr(table, name), lambda key: sieve.holds(kind, key), found)
    for table, name in _LISTING.get(kind, ()):
        _unlist(session, table, name, lambda key: sieve.holds(kind, key), found)
    for table, whose in (
        (Confirmation, Confirmation.table_name),
        (Proposal, Proposal.table_name),
        (Suggestion, Suggestion.kind),
    ):
        _drop(session, table, table.key, lambda key: sieve.holds(kind, key), found, whose == kind)
    if kind == "area" and keys:
        outlines.renew(session, {key.partition(":")[0] for key in keys})


def _deleted(session: Session, table: type[Any], *where: Any) -> int:
    before = session.scalar(select(func.count()).select_from(table).where(*where)) or 0
    session.execute(delete(table).where(*where))
    return before


def _drop(
    session: Session,
    table: type[Any],
    column: Any,
    holds: Callable[[str], bool],
    found: Counter[str],
    *where: Any,
) -> set[str]:
    """Deletes the rows that name what is gone; returns the keys that they named."""
    keys = {key for key in session.scalars(select(column).where(*where).distinct()) if holds(key)}
    if keys:
        found[table.__tablename__] += _deleted(session, table, column.in_(keys), *where)
    return keys


def _unlist(
    session: Session, table: type[Any], name: str, holds: Callable[[str], bool], found: Counter[str]
) -> None:
    column = getattr(table, name)
    for id_, keys in session.execute(select(table.id, column)).all():
        left = [key for key in keys if not holds(key)]
        if len(left) < len(keys):
            session.execute(update(table).where(table.id == id_).values({name: left}))
            found[f"{table.__tablename__}.{name}"] += 1


def _silence(session: Session, editions: set[int], found: Counter[str]) -> None:
    """An edit by hand speaks of one thing: with it go its note and the digest of what it said."""
    blank = {"note": "", "checksum": "0" * 64}
    for ids in columns.batches(sorted(editions)):
        said = (Edition.id.in_(ids), Edition.dataset == EDITS)
        number = (
            session.scalar(select(func.count()).select_from(Edition).where(*said, Edition.note != "")) or 0
        )
        session.execute(update(Edition).where(*said).values(blank))
        found += Counter({"edition.note": number}) if number else Counter()


def _clean_table(
    session: Session, sieve: _Sieve, table: type[Any], found: Counter[str], touched: set[str]
) -> None:
    """Cleans every text of a table; the digest of a fact goes too, since it could confirm a guess."""
    of: Table = table.__table__
    names = [column.name for column in of.columns if _has_words(column)]
    identity = [*of.primary_key]
    is_fact = "edition_id" in of.columns
    query = select(*identity, *(of.c[name] for name in names if not of.c[name].primary_key))
    if is_fact:
        query = query.add_columns(Edition.table_name.label("whose")).join(
            Edition, Edition.id == of.c.edition_id
        )
    changes: list[tuple[Any, dict[str, Any]]] = []
    for row in session.execute(query).mappings():
        new = {name: cleaned for name in names if (cleaned := sieve.clean(row[name])) != row[name]}
        if new:
            changes.append(([column == row[column.name] for column in identity], new))
            found.update(f"{of.name}.{name}" for name in new)
            touched |= {row["whose"]} if is_fact else set()
            new |= {"digest": "0" * 64} if is_fact else {}
    for where, new in changes:
        if any(of.c[name].primary_key for name in new):
            session.execute(delete(of).where(*where))  # An address that was checked: it is asked no more.
        else:
            session.execute(update(of).where(*where).values(new))


def _has_words(column: Column[Any]) -> bool:
    return _is_text(column) and column.name not in _NO_WORDS


def _is_text(column: Column[Any]) -> bool:
    plain = getattr(column.type, "impl_instance", column.type)
    return isinstance(plain, JSON | String)


def _forget_addresses(session: Session, urls: set[str], found: Counter[str]) -> None:
    """What is known of web addresses that only what is gone has named."""
    left = urls - {""}
    for fact in _FACTS:
        for some in columns.batches(sorted(left)):
            left -= set(session.scalars(select(fact.source_url).where(fact.source_url.in_(some))))
    for some in columns.batches(sorted(left)):
        if number := _deleted(session, LinkCheck, LinkCheck.url.in_(some)):
            found["link_check"] += number


def _tell(session: Session, touched: set[str]) -> None:
    for layer in sorted(touched):
        store.raise_revision(session, layer)


# --- What is left


def mentions(session: Session, what: str) -> Counter[str]:
    """In how many rows of `table.column` a text still stands, in any case: for who knows what it was."""
    wanted, found = what.casefold(), Counter[str]()
    for table in _WORDED:
        of: Table = table.__table__
        names = [column.name for column in of.columns if _is_text(column)]
        for row in session.execute(select(*(of.c[name] for name in names))):
            told = (json.dumps(one, ensure_ascii=False) if not isinstance(one, str) else one for one in row)
            found.update(
                f"{of.name}.{name}"
                for name, said in zip(names, told, strict=True)
                if wanted in said.casefold()
            )
    return found


def in_files(folders: Iterable[Path], what: str, *, but: Iterable[Path] = ()) -> Iterator[tuple[Path, int]]:
    """Files under some folders that still hold a text, with the line: the store cannot erase there."""
    wanted, left = what.casefold(), {one.resolve() for one in but}
    for folder in folders:
        for file in sorted(folder.rglob("*")):
            if file.is_file() and file.resolve() not in left:
                text = file.read_bytes().decode("utf-8", "replace").casefold()
                if (at := text.find(wanted)) >= 0:
                    yield file, text.count("\n", 0, at) + 1
