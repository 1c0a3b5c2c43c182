"""A short run of `scripts/faults.py`: some faults of every sort, whatever befalls nothing is lost."""

from random import Random

import pytest

from tests.conftest import NO_POSTGIS, lacking
from tests.faults import deeds, kinds, promises, reader, strikes

pytestmark = [
    pytest.mark.slow,
    # Newer Pythons warn of a fork beside the threads of numpy; nothing of theirs is used in the child.
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]
SEED = 20261122
OFTEN = {
    "kill −9, edit (sqlite)": 5,
    "kill −9, import by command (sqlite)": 5,
    "kill −9, restore (sqlite)": 3,
    "kill −9, set-up by two (sqlite)": 2,
    "kill −9, migration (sqlite)": 3,
    "full disk, edit": 2,
    "read-only disk, edit": 1,
    "file limit, backup": 2,
    "clock, edit": 2,
    "damaged archive while serving": 4,
    "damaged store": 5,
    "damaged store while serving": 2,
    "damaged keys": 3,
    "damaged backup": 4,
    "damaged instance": 3,
    "kill −9, import by command (postgis)": 3,
    "kill −9, edit (postgis)": 2,
    "connections cut, edit": 2,
    "connections cut while serving": 1,
    "database gone while serving": 1,
}


@pytest.fixture(scope="module")
def stage():
    with deeds.stages() as stage:
        yield stage


@pytest.fixture
def struck(request, stage):
    """A kind of fault by its name, where it can be made."""
    name = request.param
    kind = next(one for one in kinds.all_of_them() if one.name == name)
    if kind.needs == "server" and stage.server is None:
        lacking(request.config, NO_POSTGIS)
    if why := kinds.lacks(kind, stage):
        pytest.skip(why)
    return kind


@pytest.mark.parametrize("struck", OFTEN, indirect=True)
def test_whatever_befalls_nothing_accepted_is_lost_and_nothing_half_is_shown(stage, struck):
    for number in range(OFTEN[struck.name]):
        struck.make(stage, Random(f"{SEED}/{struck.name}/{number}"))  # noqa: S311  moments of death


# --- What checks, checks


def test_a_half_state_a_lost_change_and_a_leftover_are_noticed(stage):
    before, states = promises.expected(stage, deeds.DEEDS["edit"], "sqlite")
    ended = strikes.Ended(0, "")
    half = stage.copy(before)
    with reader.sqlite3.connect(half.file) as connection:
        connection.execute("UPDATE revision SET number = number + 1")
    connection.close()
    with pytest.raises(promises.Broken, match="a half state"):
        promises.kept(half, states, ended)

    same = stage.copy(before)
    ended.told = [{"done": "all"}]
    with pytest.raises(promises.Broken, match="an acknowledged change is lost"):
        promises.kept(same, states, ended)

    (same.state / "left.part").write_text("half")
    with pytest.raises(promises.Broken, match=r"left over.*left\.part"):
        promises.mended(same, deeds.DEEDS["edit"], states, 0)


def test_a_page_that_tells_too_much_is_noticed():
    for text, wrong in (
        ('<html lang="en"><p>The store cannot be used just now.</p>', ""),
        ('<html lang="et"><p>The store cannot be used just now.</p>', "another language"),
        ('<html lang="en"><p>no</p>', "no sentence"),
    ):
        assert promises.fault_of(text, "/en/") == wrong
    assert "it shows" in promises.fault_of("The store /tmp/x.sqlite cannot be used.", "/en/")


def test_the_same_seed_gives_the_same_point_of_death(stage):
    deed = deeds.DEEDS["edit"]
    before, states = promises.expected(stage, deed, "sqlite")
    found = set()
    for _ in range(2):
        world = stage.copy(before)
        strike = strikes.Strike("point", point=states.points - 3)
        ended = strikes.run(lambda world=world: deed.do(world), strike, environment=world.environment)
        found.add((ended.code, world.digest()))
        world.drop()
    assert found == {(None, states.digests[-1])}
