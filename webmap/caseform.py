"""The form for a new case: fifteen minutes, the parts that the instance asks for, nothing kept here.

It is written in one language of the instance or in several: each has its own part of the page,
an empty one is left out, and every other becomes a file.

Nobody is signed in, so a draft stays with its writer: in the page, and with scripts in his own browser. What
the form gives is the file for review (`state: review`), which a steward puts into the instance's folder and
later publishes. The server reads what is sent, tells what it thinks of it, and forgets it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from flask import Blueprint, Response, make_response, render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from werkzeug.datastructures import MultiDict

from layers import dates, places, practices, quality, texts
from layers.catalog import Instance
from layers.errors import N_, BadDate, Problem
from layers.places import Settlement
from layers.quality import Account
from layers.sources import drafts
from layers.sources import rows as check
from layers.sources import texts as readers
from layers.sources.drafts import Draft, Wording
from layers.sources.privacy import names_a_house
from webmap import db, i18n, params, signin

bp = Blueprint("caseform", __name__)
WHOLE = "text"  # The one part of an instance that names none.
_LINE, _TEXT = 300, 6000
_ROWS, MOST_ROWS, _PRACTICES = 3, 20, 2
HINTS = {
    "context": N_("What was the problem, for whom, how often, since when? Give a number if you have one."),
    "roles": N_("One line for each party: who it was and what it did. Organisations and posts, no names."),
    "done": N_("What was agreed and done, in the order in which it happened."),
    "results": N_("What changed, what did not? Counts are good, and so is plain seeing."),
    "contact": N_("Where did neighbours, municipality, police and state meet: a table, a patrol, a house?"),
    "lasting": N_("What kept it going, or what ended it? This is what the next place needs most."),
    "carry": N_("What would you tell another village to take over, and what to do otherwise?"),
    "evidence": N_("How is this known, who says so, and what is not known?"),
}
_WORDINGS = {
    "title": N_("Title"),
    "summary": N_("In one or two sentences"),
    "adaptation": N_("What was done differently here"),
}
_FIELDS = {
    "theme": N_("Theme"),
    "outcome": N_("Outcome"),
    "area": N_("Municipality or county"),
    "place": N_("Village, town or district"),
    "from": N_("Began"),
    "to": N_("Ended, or last heard of"),
    "parties": N_("Who took part"),
    "practice": N_("The practice it shows"),
}
Tell = Callable[..., None]
_EMPTY_PART = N_("Write this part. Where nothing is known, say so.")


@dataclass(frozen=True)
class Said:
    """A case in one language as it is typed: `parts` by key, `adaptations` one for each row of a practice."""

    title: str
    summary: str
    parts: Mapping[str, str]
    adaptations: tuple[str, ...]

    def __bool__(self) -> bool:
        return any((self.title, self.summary, *self.parts.values(), *self.adaptations))


@dataclass(frozen=True)
class Form:
    """What somebody has filled in, cleaned, and with it what is known here of its place.

    `said` are the wordings by language, empty ones too, in the order of the page; `begun` are the languages
    in which anything is written, first the one that carries the facts. `files` are the file by its name.
    `problems` are whole sentences by the name of the field; `rest` is what the loader would say besides.
    """

    values: Mapping[str, str]
    parties: tuple[str, ...]
    practices: tuple[str, ...]
    sources: tuple[Mapping[str, str], ...]
    said: Mapping[str, Said]
    begun: tuple[str, ...]
    problems: Mapping[str, Sequence[str]]
    files: Mapping[str, str] = field(default_factory=dict)
    rest: tuple[Problem, ...] = ()


@bp.route("/<language>/cases/new", methods=["GET", "POST"])
@signin.public_form
def new() -> ResponseReturnValue:
    sent = params.filled()
    form, do = _form(sent), sent.get("do", "")
    if params.is_part(params.arguments()):
        return _forgotten(make_response(render_template("parts/quality.html", **judged(form))))
    if do == "file" and not (form.problems or form.rest):
        return _forgotten(given(form.files))
    is_told = do in ("check", "file")
    page = render_template(
        "pages/case_form.html",
        form=form,
        told=form.problems if is_told else {},
        names=(names := field_names()),
        order=[name for name in names if is_told and name in form.problems],
        checked=is_told,
        fresh=not sent,
        choices=choosable(),
        headings=part_headings(),
        hints=HINTS,
        rows=source_rows(form, do),
        most_rows=MOST_ROWS,
        practice_rows=_padded(form.practices),
        in_full=in_full(db.instance()),
        **judged(form),
    )
    answer = make_response(page, 422 if do == "file" else 200)
    return _forgotten(answer) if sent else answer


def given(files: Mapping[str, str]) -> Response:
    """The file; several, one a language, packed into one."""
    if len(files) == 1:
        ((name, text),) = files.items()
        answer = Response(text, content_type="text/markdown; charset=utf-8")
    else:
        packed = BytesIO()
        with ZipFile(packed, "w") as archive:
            for one, text in files.items():
                archive.writestr(ZipInfo(one), text, ZIP_DEFLATED)  # Without the time of day.
        name = f"{next(iter(files)).split('.')[0]}.zip"
        answer = Response(packed.getvalue(), content_type="application/zip")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _padded(found: Sequence[str], most: int = _PRACTICES) -> tuple[str, ...]:
    """One value for each row of a practice."""
    return (*found, *[""] * most)[:most]


def _forgotten(answer: Response) -> Response:
    answer.headers["Cache-Control"] = "no-store"
    return answer


def judged(form: Form) -> dict[str, Any]:
    """What the measure says of a form."""
    account = Account(
        parts=form.said[_main(form.said)].parts,
        parties=form.parties,
        practices=[key for key in form.practices if key],
        outcome=form.values["outcome"],
        stage=form.values["stage"],
        period_from=form.values["from"],
        area=form.values["area"],
        sources=form.sources,
    )
    found = quality.criteria(account)
    return {"criteria": found, "score": quality.score(found)}


def source_rows(form: Form, do: str) -> list[Mapping[str, str]]:
    """The sources that are filled in, and empty rows for more."""
    blank: Mapping[str, str] = {"title": "", "url": "", "date": "", "undated": ""}
    more = 2 if do == "more" else 1
    wanted = min(max(_ROWS, len(form.sources) + more), MOST_ROWS)
    return [*form.sources, *[blank] * (wanted - len(form.sources))]


def field_names() -> dict[str, str]:
    """What each field is called, in the order of the page."""
    found = {name: gettext(title) for name, title in _FIELDS.items()}
    for language in offered():
        tongue = i18n.language_here(language)
        said = {name: gettext(title) for name, title in _WORDINGS.items()}
        said |= {f"part-{key}": _heading(words, language) for key, words in part_headings().items()}
        found |= {f"{name}-{language}": f"{title} ({tongue})" for name, title in said.items()}
    found["stage"] = gettext("Evidence")
    return found | {
        f"source-{at}": gettext("Source %(number)s", number=at + 1) for at in range(MOST_ROWS + 1)
    }


# --- What may be chosen


def part_headings() -> Mapping[str, Mapping[str, str]]:
    """The parts that the instance asks for: part -> heading by language."""
    return db.instance().sections.get("cases") or {WHOLE: {}}


def _heading(words: Mapping[str, str], language: str) -> str:
    """A part's heading in the language in which it is written."""
    return words.get(language) or i18n.plain(words) or gettext("The whole text")


def offered() -> list[str]:
    """Every language of the instance: first those that are written in full, of them that of the page."""
    whole = in_full(db.instance())
    return sorted(db.instance().languages, key=lambda one: (one not in whole, one != i18n.language()))


def _main(said: Mapping[str, Said]) -> str:
    """The language that carries the facts: the instance's own when it is begun, else the first in full."""
    instance = db.instance()
    whole = in_full(instance)
    begun = [one for one in whole if said[one]]
    if instance.default_language in begun:
        return instance.default_language
    return next(iter(begun), i18n.language() if i18n.language() in whole else whole[0])


def in_full(instance: Instance) -> list[str]:
    """The languages in which a case is written in full."""
    parts = instance.sections.get("cases")
    return [one for one in instance.languages if not parts or all(one in words for words in parts.values())]


def choosable() -> dict[str, dict[str, str]]:
    """Everything that is chosen from a list: field -> code -> words."""
    instance, session, today = db.instance(), db.session(), params.today()
    found = {
        name: {code: i18n.label(group, code) for code in instance.codes.get(group, {})}
        for name, group in (
            ("theme", "themes"),
            ("outcome", "outcomes"),
            ("stage", "stages"),
            ("parties", "parties"),
        )
    }
    titles = {one.key: i18n.plain(one.titles) for one in practices.practices(session, as_of=today)}
    found["practice"] = dict(sorted(titles.items(), key=lambda one: one[1]))
    kinds = (places.areas(session, kind, as_of=today) for kind in ("municipality", "county"))
    areas = {one.key: i18n.plain(one.names) for kind in kinds for one in kind}
    found["area"] = dict(
        sorted(areas.items(), key=lambda one: (one[0].partition(":")[0] == "county", one[1]))
    )
    return found


# --- Reading


def _form(sent: MultiDict[str, str]) -> Form:
    return _checked(read(sent)) if sent else read(sent)


def read(sent: MultiDict[str, str], *, practices: int = _PRACTICES) -> Form:
    """What a form says, cleaned and not yet checked; it has so many rows for practices."""
    values = {
        name: _line(sent.get(name, ""))
        for name in ("theme", "outcome", "stage", "area", "place", "from", "to")
    }
    said = {language: _said(sent, language, practices) for language in offered()}
    main = _main(said)
    return Form(
        values=values,
        parties=tuple(dict.fromkeys(map(_line, sent.getlist("parties")))),
        practices=_padded([_line(key) for key in sent.getlist("practice")], practices),
        sources=tuple(_sources(sent)),
        said=said,
        begun=(main, *(one for one in said if said[one] and one != main)),
        problems={},
    )


def _said(sent: MultiDict[str, str], language: str, practices: int) -> Said:
    has_parts = language in in_full(db.instance())
    return Said(
        title=_line(sent.get(f"title-{language}", "")),
        summary=_line(sent.get(f"summary-{language}", "")),
        parts={key: _text(sent.get(f"part-{key}-{language}", "")) for key in part_headings() if has_parts},
        adaptations=_padded([_line(text) for text in sent.getlist(f"adaptation-{language}")], practices),
    )


def _sources(sent: MultiDict[str, str]) -> Iterable[Mapping[str, str]]:
    undated = sent.getlist("source_undated")
    rows = zip(*(sent.getlist(f"source_{name}") for name in ("title", "url", "date")), strict=False)
    for at, (title, url, day) in enumerate(rows):
        found = {"title": _line(title), "url": _line(url), "date": _line(day)}
        if any(found.values()):
            yield {**found, "undated": "yes" if str(at) in undated else ""}


def _line(text: str) -> str:
    return " ".join(_text(text).split())


def _text(text: str) -> str:
    """Without signs that cannot be seen, which could turn a line around or break the file."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    seen = (sign if sign == "\n" else " " if sign.isspace() else sign * sign.isprintable() for sign in lines)
    return "\n".join(line.rstrip() for line in "".join(seen).split("\n")).strip()


# --- Checking


def _checked(form: Form) -> Form:
    instance, today = db.instance(), params.today()
    found: dict[str, list[str]] = {}

    def tell(field: str, sentence: str, **values: object) -> None:
        found.setdefault(field, []).append(gettext(sentence).format(**values))

    check_fields(form, tell)
    if found:
        return Form(**{**vars(form), "problems": found})
    taken = [one.key for one in practices.case_states(db.session())]
    key = drafts.key(form.said[form.begun[0]].title, taken=taken)
    files = {f"{key}.{one}.md": text for one, text in drafts.written(_draft(form)).items()}
    rest = readers.case_in(files, instance=instance, today=today).problems
    return Form(**{**vars(form), "files": files, "rest": rest})


def check_fields(form: Form, tell: Tell) -> None:
    """Tells what is wrong with a form, field by field."""
    choices = choosable()
    _check_choices(form, choices, tell)
    _check_words(form, tell)
    _check_days(form, tell)
    _check_sources(form, tell)
    _check_links(form, choices, tell)


def _check_choices(form: Form, choices: Mapping[str, Mapping[str, str]], tell: Tell) -> None:
    for name in ("theme", "outcome", "stage", "area"):
        value = form.values[name]
        if not value and name != "area":
            tell(name, N_("Choose one."))
        elif value and value not in choices[name]:
            tell(name, N_("“{value}” cannot be chosen here."), value=value)
    if not form.parties:
        tell("parties", N_("Tick everybody who took part."))
    for value in form.parties:
        if value not in choices["parties"]:
            tell("parties", N_("“{value}” cannot be chosen here."), value=value)
    keys = [key for key in form.practices if key]
    adapted = [any(rows) for rows in zip(*(one.adaptations for one in form.said.values()), strict=True)]
    if not keys:
        tell("practice", N_("Choose the practice that the case shows."))
    elif any(is_adapted and not key for key, is_adapted in zip(form.practices, adapted, strict=True)):
        tell("practice", N_("You wrote what was done differently: choose the practice that it belongs to."))
    for key in sorted({*keys} - {*choices["practice"]}):
        tell("practice", N_("“{value}” cannot be chosen here."), value=key)
    if len({*keys}) < len(keys):
        tell("practice", N_("The same practice is chosen twice."))


def _check_words(form: Form, tell: Tell) -> None:
    _check_text("place", form.values["place"], _LINE, tell)
    if names_a_house(form.values["place"]):
        tell("place", N_("Leave out the house number: the map never shows a home."))
    for language in form.begun:
        _check_wording(form.said[language], language, tell)


def _check_wording(said: Said, language: str, tell: Tell) -> None:
    """A language that is begun is written to the end, or the loader would refuse it."""
    for name, text in (("title", said.title), ("summary", said.summary)):
        if not text:
            tell(f"{name}-{language}", N_("Fill this in."))
        _check_text(f"{name}-{language}", text, _LINE, tell)
    _check_text(f"adaptation-{language}", " ".join(said.adaptations), 2 * _LINE, tell)
    for key, text in said.parts.items():
        name = f"part-{key}-{language}"
        if not text:
            tell(name, _EMPTY_PART)
        _check_text(name, text, _TEXT, tell)
        if key != WHOLE and texts.sections(text):
            tell(name, N_("A line begins with ##. Headings are set by the form: take the signs out."))


def _check_text(name: str, text: str, most: int, tell: Tell) -> None:
    if len(text) > most:
        tell(
            name,
            N_("This has {length} letters; {most} is the most. Shorten it."),
            length=i18n.number(len(text)),
            most=i18n.number(most),
        )
    contacts = [what for _, what in texts.contacts(text)]
    for what in contacts:
        tell(
            name,
            N_("There is a contact in the text: “{what}”. Take it out, no contact is published."),
            what=what,
        )
    if not contacts and not _is_free_of_contacts(text):
        tell(name, N_("There seems to be a contact in the text. Take it out, no contact is published."))


def _is_free_of_contacts(text: str) -> bool:
    try:
        check.text(text)
    except check.Unusable:
        return False
    return True


def _check_days(form: Form, tell: Tell) -> None:
    start, end = form.values["from"], form.values["to"]
    are_days = [_check_day(name, form.values[name], tell) for name in ("from", "to")]
    if all(are_days) and start and end and end < start[: len(end)]:
        tell("to", N_("It ends before it begins. Correct one of the dates."))


def _check_day(name: str, day: str, tell: Tell) -> bool:
    try:
        dates.partial(day or "2000")
    except BadDate as error:
        tell(name, error.text, **error.values)
        return False
    if day > params.today().isoformat()[: len(day)]:
        tell(name, N_("{day} lies in the future. A case tells what has been."), day=day)
    return True


def _check_sources(form: Form, tell: Tell) -> None:
    if not form.sources:
        tell("source-0", N_("Name at least one source that others can look up."))
    for at, source in enumerate(form.sources):
        name = f"source-{at}"
        if not source["title"]:
            tell(name, N_("Give the source a title: who published it and when."))
        if not source["url"].startswith(("https://", "http://")):
            tell(name, N_("Give its web address, beginning with https://."))
        if not source["date"] and not source["undated"]:
            tell(name, N_("Give its date, or tick that it shows none."))
        _check_day(name, source["date"], tell)
        _check_text(name, source["title"], _LINE, tell)
        if len(source["url"]) > 2 * _LINE:
            tell(name, N_("This address is too long. Give a shorter one."))
    if len(form.sources) > MOST_ROWS:
        tell("source-0", N_("These are too many sources. Keep the best."))


def _check_links(form: Form, choices: Mapping[str, Mapping[str, str]], tell: Tell) -> None:
    """Links inside the house lead somewhere, or the loader would refuse them."""
    session, today = db.session(), params.today()
    mentions = [
        (f"part-{key}-{language}", one)
        for language in form.begun
        for key, text in form.said[language].parts.items()
        for one in texts.mentions(text)
    ]
    if not mentions:
        return
    bodies = {one.key for one in places.bodies(session, as_of=today, keys={one.key for _, one in mentions})}
    cases = {one.key for one in practices.case_states(session)}
    known = {"case": cases, "practice": {*choices["practice"]}, "body": bodies}
    for name, one in mentions:
        if one.key not in known[one.kind]:
            tell(name, N_("The link to “{key}” leads nowhere. Correct it or take it out."), key=one.key)


# --- Writing


def _draft(form: Form) -> Draft:
    values, town, area = form.values, _town(form.values), form.values["area"]
    kind, _, code = area.partition(":")
    parent = ""
    if kind == "municipality":
        parent = places.area(db.session(), kind, code, as_of=params.today()).parent
    is_exact = town is not None and "settlement" in db.instance().codes.get("precision", {})
    return Draft(
        wordings={language: _wording(form, language) for language in form.begun},
        theme=values["theme"],
        outcome=values["outcome"],
        stage=values["stage"],
        parties=form.parties,
        practices=[key for key in form.practices if key],
        sources=form.sources,
        area=area,
        county=parent.removeprefix("county:"),
        locality=values["place"],
        settlement=town.key if town else "",
        precision="settlement" if is_exact else "",
        place=town.place if town and is_exact else None,
        period_from=values["from"],
        period_to=values["to"],
    )


def _wording(form: Form, language: str) -> Wording:
    said, headings = form.said[language], part_headings()
    adapted = zip(form.practices, said.adaptations, strict=True)
    return Wording(
        said.title,
        said.summary,
        {headings[key].get(language, ""): text for key, text in said.parts.items()},
        [text for key, text in adapted if key],
    )


def _town(values: Mapping[str, str]) -> Settlement | None:
    """The one place of this name in the chosen area; None where there is none or more than one."""
    kind, _, code = values["area"].partition(":")
    if not kind or not values["place"]:
        return None
    found = [
        one
        for one in places.settlements(db.session(), as_of=params.today())
        if one.name.casefold() == values["place"].casefold() and getattr(one, kind) == code
    ]
    return found[0] if len(found) == 1 else None
