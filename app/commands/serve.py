"""`goods serve`: everything from the database to the port, and back again in the opposite order."""

import gc
import os
import signal
import socket
import sys
from types import FrameType

import uvicorn

from app import __version__
from app.application import Parts, create_app
from app.commands.database import announce, database_settings
from app.commands.migrate import migrate_or_exit
from app.commands.sample import load_catalogue_if_empty
from app.config.conf import Settings, load_settings
from app.errors.http import problem_body
from app.logs.pipeline import configure_logging
from app.middleware.request_context import new_context
from app.middleware.route import UNMATCHED
from app.server.protocol import Answer, ProtocolLimits, Rejecter, Rejection, protocol_class
from app.server.server import DrainingServer, build_config
from app.server.workers import listening, serve_workers

_FIRST_HANDED_OVER = 3


def serve(settings: Settings, *, migrate_first: bool) -> None:
    """Serve until a signal comes. The embedded server, if there is one, starts first and stops last."""
    configure_logging(level=settings.log_level, form=settings.log_format, version=__version__)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        # First of all, so that a port that is taken is found out before anything is started.
        with _bound(settings) as bound, database_settings(settings) as configured:
            if migrate_first or not settings.database_configured:
                migrate_or_exit(configured)
            if settings.sample and not settings.database_configured:
                load_catalogue_if_empty(configured)
            _serve(configured, bound)
    except KeyboardInterrupt:
        sys.exit(130)


def _interrupt(_: int, __: FrameType | None) -> None:
    """SIGTERM while starting ends it like Ctrl-C does: through every clean-up."""
    raise KeyboardInterrupt


def _bound(settings: Settings) -> socket.socket:
    """The socket that systemd or another supervisor hands over (sd_listen_fds(3)), or one of our own."""
    if os.environ.pop("LISTEN_PID", "") == str(os.getpid()) and os.environ.pop("LISTEN_FDS", "") == "1":
        return socket.socket(fileno=_FIRST_HANDED_OVER)
    try:
        return listening(settings.api_host, settings.api_port)
    except OSError as error:
        place = f"{settings.api_host}:{settings.api_port}"
        sys.exit(f"goods: cannot listen on {place}: {error.strerror}; API_PORT chooses another port")


def _serve(settings: Settings, bound: socket.socket) -> None:
    if settings.api_workers == 1:
        build_server(settings, welcome=True).run([bound])
        return
    # The workers read the environment, so it has to name the database that was just made ready.
    os.environ.update(
        DB_HOST=str(settings.db_host), DB_PORT=str(settings.db_port), DB_USER=settings.db_user, DB_NAME=settings.db_name
    )
    _welcome(*bound.getsockname()[:2])
    serve_workers("app.commands.serve:build_worker", bound=bound, workers=settings.api_workers)


def build_worker() -> uvicorn.Server:
    """Make the server of one of several workers."""
    return build_server(load_settings(os.environ), welcome=False)


def build_server(settings: Settings, *, welcome: bool) -> DrainingServer:
    """Make the server of one process, ready to run. `welcome` tells the person at the terminal where it is."""
    app = create_app(settings)
    parts: Parts = app.state.parts
    limits = ProtocolLimits(header_timeout=settings.header_timeout)
    config = build_config(
        app,
        protocol=protocol_class(limits, rejecter(parts)),
        host=settings.api_host,
        port=settings.api_port,
        keep_alive_timeout=settings.keep_alive_timeout,
        shutdown_timeout=settings.shutdown_timeout,
        trusted_proxies=settings.trusted_proxies,
    )

    def on_listening(host: str, port: int) -> None:
        _spare_the_collector()
        if welcome:
            _welcome(host, port)

    return DrainingServer(
        config, on_drain=parts.lifecycle.drain, delay=settings.shutdown_delay, on_listening=on_listening
    )


def _spare_the_collector() -> None:
    """Let the garbage collector look at what requests leave behind, and no more at what the service consists of.

    By default it walks the application's 200,000 objects again and again, for an eighth of a point read's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def rejecter(parts: Parts) -> Rejecter:
    """What happens to a request that the HTTP parser rejects: it is logged, counted and answered like any other."""

    def reject(rejection: Rejection) -> Answer:
        context = new_context(rejection.request_id)
        parts.http_metrics.answered("", UNMATCHED, rejection.status, 0.0)
        parts.access_log.write(
            context=context, method="", route=UNMATCHED, path="", status=rejection.status, duration_seconds=0.0
        )
        body = problem_body(rejection.name, detail=rejection.detail, request_id=context.request_id)
        return Answer(context.request_id, body)

    return reject


def _welcome(host: str, port: int) -> None:
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    announce(
        f"Goods API {__version__} serves on {address}\n"
        f"  goods    {address}/goods\n"
        f"  try it   {address}/docs\n"
        f"  metrics  {address}/metrics\n"
        "Ctrl-C stops it."
    )
