"""What the tests of the face stand on: applications over Estonia and over a hostile country."""

import pytest

from tests.webmap import site


@pytest.fixture(scope="session")
def state(tmp_path_factory):
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="session")
def app(estonia, state):
    """The application over Estonia."""
    with site.a_site(estonia.folder, state) as app:
        yield app


@pytest.fixture
def client(app):
    """A visitor who brings no cookie."""
    return app.test_client(use_cookies=False)


@pytest.fixture(scope="session")
def pages(app, estonia, state):
    """Every page of Estonia that can be reached: address → what is seen there."""
    starts = [f"/{code}/" for code in estonia.languages]
    return site.crawl_all(starts, estonia.folder, state)


@pytest.fixture(scope="session")
def hostile(tmp_path_factory):
    """A visitor to a country whose names try to be more than text."""
    folder = site.a_hostile_instance(tmp_path_factory.mktemp("hostile") / "tiny")
    with site.a_site(folder, tmp_path_factory.mktemp("state")) as app:
        yield app.test_client(use_cookies=False)


# --- Signed in at the `door` of a module (`desk.Door`)


@pytest.fixture
def steward(door):
    """A browser in which a steward is signed in."""
    return door.visitor(door.account(password=""))


@pytest.fixture
def partner(door):
    """A browser in which a partner is signed in."""
    return door.visitor(door.account("partner", password=""))
