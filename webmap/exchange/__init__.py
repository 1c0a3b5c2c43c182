"""What we know, in the forms of others' fields: HSDS, LoST, DCAT-AP and schema.org, each by its standard.

Everything is asked through the same doors as the pages and /api, so that privacy, hidden facts and precision
are settled before a fact comes here. Addresses take `as_of`, `known` and `lang` as those of /api do.
"""

from typing import Any

from flask import Flask

from webmap.exchange import catalogue, hsds, linked, lost


def init_app(app: Flask) -> None:
    """Adds the addresses; pages find what they tell search engines of themselves under `linked`."""
    for room in (catalogue, hsds, linked, lost):
        app.register_blueprint(room.bp)
    app.context_processor(_words)


def _words() -> dict[str, Any]:
    return {"linked": linked}
