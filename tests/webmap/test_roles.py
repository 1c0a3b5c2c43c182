"""The matrix of roles: every address is public and listed, or demands a role, and is asked by every role."""

import pytest
from werkzeug.routing import IntegerConverter

from layers import accounts
from tests import make
from tests.webmap import site
from tests.webmap.desk import Door, quicken, seal
from webmap import signin

# Whoever adds an address adds it here, or demands a role of who asks (`webmap.signin.required`).
PUBLIC = """
api.answer api.description api.find api.fit api.history catalogue.as_json catalogue.as_turtle
drawn.coverage drawn.layer exports.file exports.wanted feeds.atom feeds.vcard health.alive
health.metrics health.ready hsds.about hsds.organization hsds.organizations hsds.service
hsds.service_at_location hsds.service_at_locations hsds.services hsds.taxonomies hsds.taxonomy
hsds.taxonomy_term hsds.taxonomy_terms linked.area linked.body linked.case linked.practice
linked.trainings lost.find_service lost.lost offline.kept offline.manifest offline.page
offline.worker ogc.api ogc.collection ogc.collections ogc.conformance ogc.item ogc.items ogc.landing
ogc.queryables ogc.schema pages.account.invitation pages.account.provider
pages.account.provider_back pages.account.second pages.account.sign_in pages.account.sign_out
pages.area pages.body pages.booklets.booklet pages.cards.card pages.cards.sheet pages.case
pages.caseform.new pages.cases pages.comparisons.compare pages.confirming.confirm
pages.cooperation.features pages.cooperation.lines pages.cooperation.network pages.coverage
pages.data pages.doors.door pages.downloads.page pages.embed pages.find pages.gaps.bridges
pages.gaps.cover pages.gaps.cover_features pages.gaps.missing pages.gaps.prove pages.gaps.report
pages.gaps.script pages.gaps.seams pages.gaps.seams_script pages.gaps.siting pages.gaps.whatif
pages.gaps.whatif_features pages.here pages.home pages.imported.compare pages.imported.every
pages.imported.one pages.journal.about pages.journal.atom pages.journal.entries pages.journal.entry
pages.journal.file pages.layer pages.layers pages.legend pages.paper pages.place pages.practice
pages.practice_list pages.programs.offered pages.script pages.slides.deck pages.slides.pdf
pages.start pages.suggesting.suggest pages.trainings.calendar pages.trainings.feed
pages.trainings.one pages.worklist.file pages.worklist.work static tiles.tile
"""
# Public addresses that take a form without a session: what they change needs no account.
PUBLIC_FORMS = {
    "lost.lost",
    "pages.caseform.new",
    "pages.confirming.confirm",
    "pages.gaps.prove",
    "pages.suggesting.suggest",
}
# These are for everybody, but take a form with the seal of its own browser alone.
SEALED = {
    "pages.account.invitation",
    "pages.account.second",
    "pages.account.sign_in",
    "pages.account.sign_out",
}
SAFE = {"GET", "HEAD", "OPTIONS"}


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    root = tmp_path_factory.mktemp("roles")
    with site.a_site(make.an_instance(root / "tiny"), root / "state") as app:
        yield Door(app)


@pytest.fixture(scope="module")
def visitors(door):
    with pytest.MonkeyPatch.context() as patch:
        quicken(patch)
        people = {role: door.account(role, f"matrix-{role}", password="") for role in accounts.ROLES}
    return {"nobody": None, **people}


def rules(door):
    return [
        (rule, signin.role_of(door.app.view_functions[rule.endpoint]))
        for rule in door.app.url_map.iter_rules()
    ]


def test_every_address_is_listed_as_public_or_demands_a_role(door):
    public = {rule.endpoint for rule, role in rules(door) if not role}

    assert public - {*PUBLIC.split()} == set(), "list it above, or demand a role"
    assert {*PUBLIC.split()} - public == set(), "it is gone, or demands a role"


def test_what_is_for_those_who_sign_in_demands_a_role(door):
    own = {rule.endpoint for rule, role in rules(door) if "/edit/" in rule.rule and not role}

    assert own == set()


def test_only_listed_addresses_take_a_form_from_everybody(door):
    asked = {rule.endpoint for rule, role in rules(door) if not role and rule.methods - SAFE}

    assert asked == PUBLIC_FORMS | SEALED


def test_every_role_gets_what_it_may_and_nothing_else(door, visitors):
    """303 to the page on which one signs in, 403 for a role too low, anything else but these for the rest."""
    wrong, asked = [], 0
    for rule, role in rules(door):
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"}) if role else ():
            for who, account in visitors.items():
                status, to = ask(door, rule, method, account)
                asked += 1
                if who == "nobody":
                    is_right = status == 303 and "/account/sign-in" in to
                elif accounts.ROLES.index(who) < accounts.ROLES.index(role):
                    is_right = status == 403
                else:
                    is_right = status not in (403, 500) and "/account/sign-in" not in to
                wrong += [] if is_right else [(rule.rule, method, who, status, to)]

    assert asked >= 40
    assert wrong == []


def address(rule):
    """The address of a rule, with something in each of its gaps."""
    kinds = rule._converters.items()
    values = {name: 1 if isinstance(kind, IntegerConverter) else "x" for name, kind in kinds}
    return rule.build({**values, "language": "en"})[1]


def ask(door, rule, method, account):
    """One question of a visitor who has just signed in, with a form that would be taken."""
    client, path = door.visitor(account), address(rule)
    own = "/en/account" if account else "/en/account/sign-in"
    said = client.open(
        path, method=method, data={"csrf_token": seal(client, own)} if method != "GET" else None
    )
    return said.status_code, said.headers.get("Location", "")


def test_a_form_without_its_seal_is_refused_before_anybody_is_asked(door, visitors):
    sealed = [address(rule) for rule, role in rules(door) if role and "POST" in rule.methods]
    client = door.visitor(visitors["admin"])
    said = {path: client.post(path).status_code for path in sealed}

    assert len(said) >= 4
    assert {*said.values()} == {403}
