"""Cases and practices, row by row, without their long texts."""

from collections.abc import Mapping, Sequence

from layers import filters, model, practices
from layers.downloads.asked import Asked, Facts, around, at, heads
from layers.exports import Dataset
from layers.places import Edition
from layers.practices import Case


def cases_found(asked: Asked) -> list[Case]:
    """Those that the question chooses."""
    question = asked.question
    return filters.cases(
        practices.cases(asked.session, as_of=question.as_of),
        question.only,
        today=question.today,
        rules=asked.instance.freshness,
        place_kinds=asked.place_kinds,
    )


def cases_table(asked: Asked) -> Dataset:
    found = cases_found(asked)
    whose, editions = asked.editions(model.Case)
    names = asked.names(key for case in found for key in around(case.municipality, case.county))

    def row(case: Case, edition: Edition | None) -> Facts:
        return {
            "key": case.key,
            "label": asked.word(case.titles),
            "summary": asked.word(case.summaries) or None,
            **asked.by_language("title", case.titles),
            **asked.by_language("summary", case.summaries),
            "theme": case.theme,
            "theme_label": asked.label("themes", case.theme),
            "outcome": case.outcome,
            "outcome_label": asked.label("outcomes", case.outcome),
            "stage": case.stage,
            "stage_label": asked.label("stages", case.stage),
            "parties": ";".join(case.parties) or None,
            "parties_label": asked.label("parties", case.parties),
            "practices": ";".join(link.practice for link in case.practices) or None,
            "bodies": ";".join(case.bodies) or None,
            "areas": ";".join(case.areas) or None,
            "place": case.locality or None,
            "municipality": case.municipality or None,
            "municipality_name": names.get(f"municipality:{case.municipality}"),
            "county": case.county or None,
            "county_name": names.get(f"county:{case.county}"),
            **at(case.place),
            "precision": case.precision or None,
            "precision_label": asked.label("precision", case.precision),
            "period_from": case.period_from or None,
            "period_to": case.period_to or None,
            "as_of": case.as_of or None,
            "as_of_inferred": "yes" if case.as_of_inferred else None,
            **asked.age(case),
            **asked.origin(*_told(case.sources), edition),
        }

    rows = [row(case, editions.get(whose.get(case.key, 0))) for case in found]
    columns = heads(rows, row(_NO_CASE, None), lat=float, lon=float)
    return asked.table(rows, [case.place for case in found], columns, editions)


_NO_CASE = Case(
    *("", {}, {}, {}, "", "", "", (), "", "", "", "", None, "", "", "", False, (), (), (), ()),
)


def _told(sources: Sequence[Mapping[str, str]]) -> tuple[str, str]:
    """The titles of several sources, and their addresses."""
    titles = "; ".join(one["title"] for one in sources if one.get("title"))
    return titles, " ".join(one["url"] for one in sources if one.get("url"))


def practices_found(asked: Asked) -> list[filters.Shown]:
    """Those that the question chooses."""
    question, session = asked.question, asked.session
    shown = filters.shown(
        practices.practices(session, as_of=question.as_of),
        practices.cases(session, as_of=question.as_of),
        asked.instance.place_kinds_of_themes,
    )
    return filters.practices(shown, question.only, today=question.today, place_kinds=asked.place_kinds)


def practices_table(asked: Asked) -> Dataset:
    found = [one.practice for one in practices_found(asked)]
    whose, editions = asked.editions(model.Practice)

    def row(practice: practices.Practice, edition: Edition | None) -> Facts:
        return {
            "key": practice.key,
            "label": asked.word(practice.titles),
            "summary": asked.word(practice.summaries) or None,
            **asked.by_language("title", practice.titles),
            **asked.by_language("summary", practice.summaries),
            "audiences": ";".join(practice.audiences) or None,
            "audiences_label": asked.label("parties", practice.audiences),
            "themes": ";".join(practice.themes) or None,
            "themes_label": asked.label("themes", practice.themes),
            "stage": practice.stage,
            "stage_label": asked.label("stages", practice.stage),
            "related": ";".join(practice.related) or None,
            "as_of": practice.as_of or None,
            **asked.age(practice),
            **asked.origin(*_told(practice.sources), edition),
        }

    rows = [row(one, editions.get(whose.get(one.key, 0))) for one in found]
    empty = row(practices.Practice("", {}, {}, {}, (), (), "", "", (), ()), None)
    return asked.table(rows, [None] * len(rows), heads(rows, empty), editions)
