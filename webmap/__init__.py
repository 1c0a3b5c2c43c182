"""The face: Flask pages and Folium maps over `layers`. It has no knowledge of its own."""

from collections.abc import Callable
from typing import Any

from flask import Flask, Response, request
from flask_compress import Compress
from werkzeug.middleware.proxy_fix import ProxyFix

from layers import catalog, store
from layers.gaps.parts import EMBEDDED, Runner
from layers.tiles import Shelf
from webmap import (
    addresses,
    api,
    budgets,
    context,
    db,
    downloads,
    drawn,
    errors,
    exchange,
    feeds,
    health,
    i18n,
    meters,
    offline,
    ogc,
    oidc,
    pages,
    params,
    porch,
    signin,
    tiles,
)
from webmap.protection import Protection
from webmap.settings import Settings


class _Turvakaart(Flask):
    """No view here is a coroutine: to look whether one is cost a tenth of what Flask does for a request."""

    request_class = params.Asking

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func

    def send_static_file(self, filename: str) -> Response:
        """A file, for ever where its address names its bytes (`context.asset`)."""
        found = super().send_static_file(filename)
        if "v" in request.args:
            found.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return found


def create_app(settings: Settings | None = None, *, runner: Runner = EMBEDDED) -> Flask:
    """The application over one instance. The store must have been set up (`turvakaart setup`).

    `runner` answers what gaps and coverage ask part by part.

    Raises:
        BadInstance: the instance's folder cannot be read.
    """
    settings = settings or Settings()
    app = _Turvakaart(__name__)
    instance = catalog.read_instance(settings.instance)
    engine = store.open_store(settings.store_url(instance.key))
    app.config["COMPRESS_MIMETYPES"] = [
        "text/html",
        "text/css",
        "text/javascript",
        "application/json",
        "application/geo+json",
        "application/problem+json",
        "application/schema+json",
        "application/vnd.oai.openapi+json",
        "image/svg+xml",
    ]
    app.config["COMPRESS_STREAMS"] = True
    # Brotli's fifth step makes Leaflet a seventh smaller than zstd's own default. The sixth would take
    # another hundredth away, and three times as long for an answer: 1.5 ms.
    app.config["COMPRESS_ALGORITHM"] = ["br", "gzip"]
    app.config["COMPRESS_BR_LEVEL"] = 5
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = 3600
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.tests["web"] = params.is_web
    Compress(app)
    i18n.init_app(app)
    shelf = Shelf(settings.tiles(instance.key), settings.tiles_from)
    db.init_app(app, db.House(instance, engine, shelf, runner))
    errors.init_app(app)
    budgets.init_app(app, settings)
    addresses.init_app(app, addresses.Gazetteer(settings.address_search, bounds=instance.bounds))
    signin.init_app(app, signin.Desk.of(settings))
    oidc.init_app(app, oidc.Provider(settings))
    app.register_blueprint(api.bp)
    app.register_blueprint(downloads.files)
    app.register_blueprint(drawn.bp)
    app.register_blueprint(tiles.bp)
    app.register_blueprint(ogc.bp)
    app.register_blueprint(pages.bp)
    app.register_blueprint(feeds.bp)
    exchange.init_app(app)
    offline.init_app(app, offered=settings.offline)
    health.init_app(app, token_file=settings.metrics_token_file)
    app.config["ADDRESS"] = settings.address
    app.config["STATE"] = settings.state
    app.config["MAX_CONTENT_LENGTH"] = settings.upload_mb * 1_000_000
    app.config["JOBS"] = settings.state / "jobs"
    app.config["FETCH"], app.config["FETCH_HOSTS"] = settings.fetch, settings.fetch_hosts
    # What a process of ours needs to do a long import.
    app.config["INSTANCE"], app.config["STORE"] = settings.instance, settings.store_url(instance.key)
    app.config["PLANNING"] = settings.planning
    app.config["CORRECTIONS"] = settings.corrections
    app.context_processor(lambda: context.words(settings))
    protection = Protection(settings, context.basemaps(instance.basemaps, settings))
    porch.init_app(app, meters.init_app(app), protection)
    if settings.proxies:
        proxied = ProxyFix(app.wsgi_app, x_for=settings.proxies, x_proto=settings.proxies)
        app.wsgi_app = proxied  # type: ignore[method-assign]
    return app
