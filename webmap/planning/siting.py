"""Where next: new units in the best settlements, by four models; an answer at once, a proof in a job."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from flask import current_app, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext

from layers import geo
from layers.errors import N_, Invalid
from layers.gaps import jobs
from layers.gaps import siting as solve
from layers.gaps.jobs import Job
from layers.gaps.siting import plans
from layers.gaps.siting.plans import Plan
from webmap import context, db, i18n, packed, params, signin
from webmap.planning import chart as charts
from webmap.planning import covered as words
from webmap.planning import inquiry, sites, spots, tables, world
from webmap.planning.frame import bp
from webmap.planning.inquiry import Question
from webmap.planning.sites import Problem, Site
from webmap.planning.spots import Choice
from webmap.planning.world import World

_USUAL_SITES, _MOST_SITES, _MOST_BACKUP = 3, 50, 3
_PROOF_S = 300.0
# In this order on the page: what each model asks.
_MODELS = {
    plans.MCLP: N_("Cover the most people with so many new units"),
    plans.LSCP: N_("Cover everybody with as few new units as possible"),
    plans.P_MEDIAN: N_("Make the average way shortest with so many new units"),
    plans.P_CENTER: N_("Make the longest way shortest with so many new units"),
}

_AMONG = {
    spots.SETTLEMENTS: N_("in every settlement"),
    spots.BODIES: N_("with every organisation that is known"),
    spots.POINTS: N_("at places of my own"),
}


class OtherData(Invalid):
    text = N_("The data or the question are not those with which this calculation began. Start it again.")


@dataclass(frozen=True)
class Asked:
    """The question of the page: the rule and place of the other pages, and the model with its numbers."""

    question: Question
    model: str
    count: int
    backup: int
    turnout_min: int
    choice: Choice

    def words(self, **more: str) -> dict[str, str]:
        own = {
            "model": self.model,
            "sites": str(self.count),
            "turnout": str(self.turnout_min),
            "backup": str(self.backup) if self.backup > 1 else "",
            "among": self.choice.among if self.choice.among != spots.SETTLEMENTS else "",
            "points": self.choice.points,
        }
        found = {**self.question.words("sort", "beside", "zone"), **own, **more}
        return {name: value for name, value in found.items() if value}

    @property
    def options(self) -> dict[str, Any]:
        """What the model is asked beside its table."""
        return {"backup": self.backup} if self.model == plans.LSCP else {"p": self.count}


def _asked(args: Mapping[str, str], known: World) -> Asked:
    return Asked(
        question=inquiry.asked(args, known),
        model=params.one_of(args, "model", _MODELS) or plans.MCLP,
        count=params.count(args, "sites", otherwise=_USUAL_SITES, most=_MOST_SITES),
        backup=params.count(args, "backup", otherwise=1, most=_MOST_BACKUP),
        turnout_min=params.count(args, "turnout", otherwise=sites.TURNOUT_MIN, most=60),
        choice=Choice(
            params.one_of(args, "among", _AMONG) or spots.SETTLEMENTS, args.get("points", "").strip()
        ),
    )


@bp.get("/siting")
def siting() -> ResponseReturnValue:
    args = params.arguments()
    known = world.world(params.as_of(args))
    asked = _asked(args, known)
    job, state = None, ""
    try:
        problem = _problem(known, asked)
        state = _state(known, asked)
        job = _job(args, state)
        plan = job.plan if job and job.plan else _quick(known, asked)
        why_none = ""
    except OtherData:
        raise
    except Invalid as error:
        problem, plan, why_none = None, None, sites.in_words(error)
    new = sites.told(problem, plan) if problem and plan else ()
    file = params.one_of(args, "format", ("csv", "geojson"))
    if file == "csv":
        return tables.csv(_rows(new), name="where-next")
    if file == "geojson":
        return _features(known, asked, problem, plan, new)
    return render_template(
        "gaps/siting_part.html" if params.is_part(args) else "gaps/siting.html",
        asked=asked,
        known=known,
        plan=plan,
        sites=new,
        said=_said(problem, plan, asked) if problem and plan else [],
        why_none=why_none,
        job=job,
        models=_MODELS,
        among=_AMONG,
        roles=inquiry.offered(known),
        say=words,
        verdict=sites.how_good(plan) if plan else "",
        state=state,
        own=_own(args, asked),
        as_scenario=_as_scenario(asked, new),
        chart=None if params.is_part(args) else charts.chart(),
        bounds=words.bounds(known, asked.question.county),
        features=context.page("gaps.siting", format="geojson", **_own(args, asked)),
    )


@bp.post("/siting")
@signin.public_form
def prove() -> ResponseReturnValue:
    """Starts a proof in the background, or stops one."""
    args = request.form
    known = world.world(params.as_of(args))
    asked = _asked(args, known)
    if name := args.get("cancel"):
        jobs.cancel(_folder(), name)
        return redirect(context.page("gaps.siting", **asked.words(job=name, state=_state(known, asked))), 303)
    problem = _problem(known, asked)
    made = jobs.Request(
        model=asked.model,
        cost=problem.cost,
        weights=problem.demand.people,
        options={"within": problem.within, "fixed": problem.fixed, **asked.options},
        time_limit_s=_PROOF_S,
    )
    name = jobs.submit(_folder(), made)
    return redirect(context.page("gaps.siting", **asked.words(job=name, state=_state(known, asked))), 303)


def _folder() -> Path:
    folder: Path = current_app.config["JOBS"]
    return folder


def _job(args: Mapping[str, str], state: str) -> Job | None:
    """The job of the page; its plan answers the question with which it began, and no other."""
    if not args.get("job"):
        return None
    if args.get("state") != state:
        raise OtherData
    return jobs.status(_folder(), args["job"])


@lru_cache(maxsize=32)
def _state(known: World, asked: Asked) -> str:
    """Names what a job is asked, to the last number: the positions of a plan mean nothing anywhere else."""
    problem = _problem(known, asked)
    about = (
        asked.model,
        asked.options,
        problem.within,
        problem.fixed,
        problem.demand.keys,
        problem.sites.keys,
    )
    digest = hashlib.sha256(repr(about).encode())
    for numbers in (problem.demand.people, problem.cost.data, problem.cost.indices, problem.cost.indptr):
        digest.update(numbers.tobytes())
    return digest.hexdigest()[:12]


def _own(args: Mapping[str, str], asked: Asked) -> dict[str, str]:
    job = {name: args[name] for name in ("job", "state") if args.get(name)}
    return {**asked.words(), **job}


@lru_cache(maxsize=16)
def _problem(known: World, asked: Asked) -> Problem:
    question = asked.question
    turnout = float(asked.turnout_min)
    return sites.posed(
        known,
        question.rule,
        asked.model,
        county=question.county,
        turnout_min=turnout,
        choice=asked.choice,
    )


@lru_cache(maxsize=32)
def _quick(known: World, asked: Asked) -> Plan:
    problem = _problem(known, asked)
    model = getattr(solve, asked.model)
    plan: Plan = model(
        problem.cost,
        problem.demand.people,
        within=problem.within,
        fixed=problem.fixed,
        exact=False,
        **asked.options,
    )
    return plan


# --- In words


def _said(problem: Problem, plan: Plan, asked: Asked) -> list[str]:
    """What the plan comes to, the answer first."""
    everybody, reached = float(problem.demand.people.sum()), _reached(problem, plan)
    found = [_answer(problem, plan, everybody, reached)]
    if plan.unreachable:
        left = float(problem.demand.people[list(plan.unreachable)].sum())
        found.append(
            gettext(
                "A unit in any settlement would come too late for %(people)s people in %(places)s places.",
                people=words.people(left),
                places=i18n.number(len(plan.unreachable)),
            )
        )
    if plan.advice and plan.advice.within is not None and asked.question.rule.within_min is not None:
        told = gettext(
            "From %(minutes)s on everybody could be reached.", minutes=words.minutes(plan.advice.within)
        )
        found.append(told)
    if plan.short:
        found.append(
            ngettext(
                "%(num)s place has fewer units in reach than were asked for.",
                "%(num)s places have fewer units in reach than were asked for.",
                len(plan.short),
            )
        )
    return [str(one) for one in found]


def _answer(problem: Problem, plan: Plan, everybody: float, reached: float) -> str:
    if plan.model == plans.MCLP:
        told = gettext(
            "%(covered)s of the %(people)s people who are not covered would be.",
            covered=words.people(plan.objective),
            people=words.people(everybody),
        )
        if plan.bound is not None and not plan.proven:
            told += " " + gettext("More than %(people)s is not possible.", people=words.people(plan.bound))
        return str(told)
    if plan.model == plans.LSCP:
        if plan.bound is not None and not plan.proven:
            return str(
                gettext(
                    "Between %(least)s and %(most)s new units are needed to cover everybody whom a unit can"
                    " reach.",
                    least=i18n.number(np.ceil(plan.bound)),
                    most=i18n.number(plan.objective),
                )
            )
        return str(
            ngettext(
                "%(num)s new unit covers everybody whom a unit can reach.",
                "%(num)s new units cover everybody whom a unit can reach.",
                round(plan.objective),
            )
        )
    if plan.model == plans.P_MEDIAN:
        mean = plan.objective / reached if reached else 0.0
        return str(gettext("Help would come after %(minutes)s on average.", minutes=words.minutes(mean)))
    return str(gettext("Nobody would wait longer than %(minutes)s.", minutes=words.minutes(plan.objective)))


def _reached(problem: Problem, plan: Plan) -> float:
    everybody = float(problem.demand.people.sum())
    return everybody - float(problem.demand.people[list(plan.unreachable)].sum())


def _as_scenario(asked: Asked, new: tuple[Site, ...]) -> str:
    """The page on which the proposed units can be moved by hand."""
    srid = db.instance().metric_crs
    spots = geo.degrees_of(np.array([one.point for one in new]).reshape(-1, 2), srid=srid)
    steps = (f"add:{lat:.5f},{lon:.5f},{asked.turnout_min}" for lon, lat in spots)
    own = {
        name: value for name, value in asked.question.words().items() if name in ("role", "within", "county")
    }
    return context.page("gaps.whatif", plan=";".join(steps), **own)


def _rows(new: tuple[Site, ...]) -> list[dict[str, Any]]:
    return [
        {
            "order": number,
            "place": one.name,
            "code": one.key,
            "municipality": words.area("municipality", one.municipality),
            "gain": round(one.gain, 1),
        }
        for number, one in enumerate(new, start=1)
    ]


def _features(
    known: World, asked: Asked, problem: Problem | None, plan: Plan | None, new: tuple[Site, ...]
) -> ResponseReturnValue:
    """People who are gained and who stay out, units that are there, and the proposed sites."""
    srid = db.instance().metric_crs
    made = []
    if problem and plan:
        by_new, by_old, by_none = (
            gettext("reached by a new unit"),
            gettext("reached by a unit that is there"),
            gettext("not reached"),
        )
        for row, (lon, lat) in enumerate(geo.degrees_of(problem.demand.points, srid=srid)):
            site, people = plan.assignment[row], problem.demand.people[row]
            told = by_none if site < 0 else by_old if site < len(problem.fixed) else by_new
            lines = [told, words.living(people, bool(problem.demand.estimated[row]))]
            state, title = "uncovered" if site < 0 else "covered", problem.demand.names[row]
            made.append(tables.point(lon, lat, state=state, size=round(people), title=title, lines=lines))
    for role in inquiry.service_of(known, asked.question.rule).roles:
        units = known.units[role]
        for at, (lon, lat) in enumerate(geo.degrees_of(units.points, srid=srid)):
            made.append(tables.point(lon, lat, state="unit", title=units.names[at]))
    for number, one in enumerate(new, start=1):
        lon, lat = geo.degrees_of(np.array([one.point]), srid=srid)[0]
        lines = [gettext("%(people)s people more", people=words.people(one.gain))] if one.gain else []
        made.append(tables.point(lon, lat, state="added", title=f"{number}. {one.name}", lines=lines))
    return packed.features(made)
