"""The face: Flask pages and Folium maps over `layers`. It has no knowledge of its own."""

from urllib.parse import urlsplit

from flask import Flask, Response, current_app, g, request
from flask_compress import Compress
from werkzeug.middleware.proxy_fix import ProxyFix

from layers import catalog, store
from layers.catalog import Basemap
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
from webmap.settings import Settings

# 'self' alone: every script, style, font and address is our own. Online basemaps add their hosts to img-src.
_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "font-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "manifest-src": "'self'",
    "worker-src": "'self'",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'self'",
}
# What a page of ours asks of the device: where it is, when somebody wants that. Nothing else.
_DEVICE = "geolocation=(self), camera=(), microphone=(), payment=(), usb=(), display-capture=(), midi=()"
_ALWAYS_SAID = {
    "X-Content-Type-Options": "nosniff",
    # OpenStreetMap's tiles want to know the site that shows them, never the page.
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Permissions-Policy": _DEVICE,
    "Cross-Origin-Opener-Policy": "same-origin",
}
_HTTPS_ONLY = "max-age=31536000; includeSubDomains"
_ALONE = f"frame-ancestors {_POLICY['frame-ancestors']}"


def create_app(settings: Settings | None = None, *, runner: Runner = EMBEDDED) -> Flask:
    """The application over one instance. The store must have been set up (`turvakaart setup`).

    `runner` answers what gaps and coverage ask part by part.

    Raises:
        BadInstance: the instance's folder cannot be read.
    """
    settings = settings or Settings()
    app = Flask(__name__)
    app.request_class = params.Asking
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
    policy = _policy(context.basemaps(instance.basemaps, settings))
    framed = policy.replace(_ALONE, " ".join((_ALONE, *settings.embed_origins)))
    app.config["ADDRESS"] = settings.address
    app.config["STATE"] = settings.state
    app.config["MAX_CONTENT_LENGTH"] = settings.upload_mb * 1_000_000
    app.config["JOBS"] = settings.state / "jobs"
    app.config["FETCH"], app.config["FETCH_HOSTS"] = settings.fetch, settings.fetch_hosts
    # What a process of ours needs to do a long import.
    app.config["INSTANCE"], app.config["STORE"] = settings.instance, settings.store_url(instance.key)
    app.config["PLANNING"] = settings.planning
    app.config["CORRECTIONS"] = settings.corrections
    app.after_request(lambda response: _protect(response, framed if _is_embedded() else policy))
    app.context_processor(lambda: context.words(settings))
    porch.init_app(app, meters.init_app(app))
    if settings.proxies:
        proxied = ProxyFix(app.wsgi_app, x_for=settings.proxies, x_proto=settings.proxies)
        app.wsgi_app = proxied  # type: ignore[method-assign]
    return app


def _policy(basemaps: tuple[Basemap, ...]) -> str:
    parts = {name: [value] for name, value in _POLICY.items()}
    for basemap in basemaps:
        address = urlsplit(basemap.url)
        parts["img-src"].append(f"{address.scheme}://{address.netloc}")
    return "; ".join(f"{name} {' '.join(values)}" for name, values in parts.items())


def _is_embedded() -> bool:
    return request.endpoint == "pages.embed"


def _protect(response: Response, policy: str) -> Response:
    if request.endpoint == "static" and "v" in request.args:
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    # Public data is for every site; pages, pictures and whatever somebody signed in sees are for ours.
    is_data = request.path.startswith("/api/") and not g.get("is_private")
    wanted = {
        **_ALWAYS_SAID,
        "Content-Security-Policy": policy,
        "Cross-Origin-Resource-Policy": "cross-origin" if is_data else "same-origin",
    }
    if request.is_secure or current_app.config["ADDRESS"].startswith("https://"):
        wanted["Strict-Transport-Security"] = _HTTPS_ONLY
    # Headers.setdefault raises and catches an exception for every name that is absent, and most are.
    said = {name.lower() for name, _ in response.headers}
    response.headers.extend({name: value for name, value in wanted.items() if name.lower() not in said})
    return response
