"""What tests of editing stand on: a store that holds their small country, `tiny`."""

from datetime import UTC, datetime

import pytest

from layers import imports, store
from tests.conftest import STORES, a_store, an_engine

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)


@pytest.fixture(scope="module", params=STORES)
def loaded(request, tiny, tmp_path_factory):
    """A store that holds the tiny country of the module; its tests roll back."""
    with a_store(request, request.param, tmp_path_factory.mktemp("loaded")) as url, an_engine(url) as engine:
        imports.load(engine, tiny, now=NOW)
        yield engine


@pytest.fixture
def session(loaded, tiny):
    """A session on it, whose writes are taken back."""
    with store.writing(loaded, srid=tiny.metric_crs) as session:
        yield session
