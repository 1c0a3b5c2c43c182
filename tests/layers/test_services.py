"""Whom a service leads to is what the answer for the place says, less what is not current."""

from collections import Counter
from dataclasses import replace
from datetime import date
from random import Random

import pytest

from layers import answers, catalog, services, snapshot, store
from layers.catalog import Lifetime
from layers.errors import BadInstance
from tests import make
from tests.layers import oracle, worlds

TODAY = date(2026, 11, 22)
RULES = (Lifetime("bodies", 24, 72, 120), Lifetime("areas", 24, 72, 120))
DATES = ("", "2016-11", "2016-12", "2026", "2026", "2026")
_NEW = ("2016-12", "2026")  # Ten years after November 2016 are over.
_FIRST = {"inside": 0, "serves": 0, "inherited": 0, "shore": 1, "nearest": 2}


def dated(known, chance):
    """The same world, its facts of different days."""
    areas = [replace(one, source=replace(one.source, as_of=chance.choice(DATES))) for one in known.areas]
    bodies = [replace(one, source=replace(one.source, as_of=chance.choice(DATES))) for one in known.bodies]
    return replace(known, areas=tuple(areas), bodies=tuple(bodies), rosters={}, squares={})


def expected(told, days):
    """Who is named, and for which area: a look at the answer in plain values, line by line."""
    rows = [("inside", who, who[0]) for who in told["areas"]] + [("shore", who, "") for who in told["ashore"]]
    rows += [(why, who, key) for why, key, who, _, _ in told["matches"]]
    rows = [row for row in rows if days[row[1]] in _NEW]
    first = min((_FIRST[why] for why, _, _ in rows), default=2)
    return [
        (why, who, key if _FIRST[why] == 0 else "") for why, who, key in rows if _FIRST[why] == first
    ], first > 0


def test_a_service_leads_to_those_of_the_answer_who_are_current(tmp_path):
    engine, chance, seen = store.open_store(f"sqlite:///{tmp_path / 'store.sqlite'}"), Random(5), Counter()  # noqa: S311
    store.set_up(engine)
    instance = worlds.an_instance()
    for _ in range(14):
        with store.writing(engine, srid=make.SRID) as session:
            made = worlds.write(session, chance)
            known = dated(snapshot.take(session, worlds.KINDS), chance)
        days = {(one.key, one.valid_from): one.source.as_of for one in (*known.areas, *known.bodies)}
        for _ in range(40):
            place, day = made.place(chance), chance.choice(worlds.DAYS)
            answer = answers.answer(known, instance, place=place, as_of=day)
            told = oracle.told(answer)
            for service in services.offered(instance)[1:]:
                found = services.leads(answer, service, rules=RULES, today=TODAY)
                (role,) = [one for one in told["roles"] if one["role"] == service.role.key]
                wanted, is_default = expected(role, days)
                said = [(one.why, (one.who.key, one.who.valid_from), one.area) for one in found.found]
                assert (said, found.is_default) == (wanted, is_default)
                seen.update({one.why for one in found.found} or {"nobody"})
            number = services.leads(answer, services.offered(instance)[0], rules=RULES, today=TODAY)
            beside = bool(told["shore"]) and not told["abroad"]
            assert len(number.found) == bool(told["areas"] or beside)
            assert [one.area for one in number.found if one.area] == [key for key, _ in told["areas"][:1]]
    engine.dispose()
    assert {name: seen[name] for name in (*_FIRST, "nobody") if seen[name] < 2} == {}


def test_services_have_their_own_names_and_those_of_the_standard(instance):
    roles = tuple(catalog.Role(key, {}, layer="villages") for key in ("village", "sea_rescue"))
    named = replace(instance, emergency_services=("sos", "sos.police"), roles=roles)

    urns = [one.urn for one in services.offered(named)]

    assert urns == [
        "urn:service:sos",
        "urn:service:sos.police",
        "urn:x-turvakaart:service:village",
        "urn:x-turvakaart:service:sea_rescue",
    ]
    assert services.named(named, "URN:service:SOS.police").urn == "urn:service:sos.police"
    assert services.named(named, "village").role == roles[0]
    assert [services.named(named, one) for one in ("", " ", "urn:service:sos.gas", "x")] == [None] * 4
    assert services.instead(named, "urn:service:sos.police.river").urn == "urn:service:sos.police"
    assert services.instead(named, "urn:service:sos.gas.leak").urn == "urn:service:sos"
    assert services.instead(named, "urn:service:counseling.children") is None


@pytest.mark.parametrize("wrong", ["sos.police", ["police"], ["sos."], ["sos", 112], ["sos.Police"]])
def test_emergency_services_that_are_none_are_refused(tmp_path, wrong):
    folder = make.an_instance(tmp_path / "tiny", emergency_services=wrong)

    with pytest.raises(BadInstance) as told:
        catalog.read_instance(folder)

    assert [one.remedy for one in told.value.problems] == ["Write a list, for example [sos, sos.police]."]


def test_an_instance_that_names_none_has_the_number_alone(instance):
    assert instance.emergency_services == ("sos",)
