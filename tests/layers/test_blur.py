"""Estimators that try to find a home behind its blurred point: none beats a blind guess in the cell."""

from dataclasses import replace

import numpy as np
import pytest
import shapely

from layers import catalog
from layers.sources import privacy
from tests import make

CELL_M, HOMES = 300.0, 400
KEYS = 200


@pytest.fixture(scope="module")
def keeper(tmp_path_factory):
    folder = make.an_instance(tmp_path_factory.mktemp("blur") / "tiny")
    make.change(
        folder, "instance.yaml", lambda about: about["layers"][1].update(finest={"settlement": CELL_M})
    )
    make.write(folder, "privacy.key", "a key that nobody knows")
    return privacy.keepers(catalog.read_instance(folder), ())["villages"]


@pytest.fixture(scope="module")
def homes():
    chance = np.random.default_rng(8)
    return chance.uniform((400_000, 6_400_000), (700_000, 6_600_000), (HOMES, 2))


def shown(keeper, at):
    point = keeper.coarse(shapely.Point(at), precision="settlement", settlement="")
    return np.array([point.x, point.y])


def errors_m(found, homes):
    return np.hypot(*(np.asarray(found) - homes).T)


def blind_m():
    """What a blind guess errs in the mean: two points drawn in one cell."""
    pairs = np.random.default_rng(1).uniform(0, CELL_M, (2, 100_000, 2))
    return float(np.hypot(*(pairs[0] - pairs[1]).T).mean())


def test_the_published_point_is_no_better_than_a_blind_guess_in_the_cell(keeper, homes):
    found = errors_m([shown(keeper, home) for home in homes], homes)

    assert found.mean() == pytest.approx(blind_m(), rel=0.1)
    assert found.max() < CELL_M * np.sqrt(2)


def test_repeats_and_rows_a_step_apart_average_to_nothing_finer_than_their_cells(keeper, homes):
    """A hundred rows, corrections or editions of each home, as inexact as a device is: their mean is tried.

    Rows in one cell are one point. Only rows that a border of the secret grid parts tell of that border, and
    so the nearest homes to it stay the hard case: of those that it does not part nothing is learned.
    """
    chance, parted, better = np.random.default_rng(3), 0, []
    for home in homes[:60]:
        repeated = {tuple(shown(keeper, home + chance.normal(0, 3, 2))) for _ in range(100)}
        parted += len(repeated) > 1
        if len(repeated) == 1:
            better.append(errors_m([repeated.pop()], home[None])[0])

    assert parted < 20
    assert np.mean(better) > 0.8 * blind_m()


def test_another_key_for_each_backup_would_average_the_home_out_so_backups_keep_the_key(keeper, homes):
    """The control: with hundreds of keys the mean comes near. One rotation still leaves most of the cell."""
    some = homes[:40]

    def found(number):
        keys = [replace(keeper, secret=f"key {one}".encode()) for one in range(number)]
        return errors_m([np.mean([shown(key, home) for key in keys], axis=0) for home in some], some).mean()

    assert found(KEYS) < 0.15 * blind_m()
    assert found(2) > 0.5 * blind_m()
