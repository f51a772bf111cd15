"""What `armsight serve` and `armsight live` have in common: options, a socket, a running server."""

from __future__ import annotations

import contextlib
import logging
import secrets
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from armsight.errors import MissingExtraError, OutputError

if TYPE_CHECKING:
    from armsight.web.api import Access

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def server_options(port: int) -> Callable[[Any], Any]:
    """`--host`, `--port` and `--token`; `port` is the default one."""

    def add(command: Any) -> Any:
        for option in (
            click.option("--token", metavar="TEXT", envvar="ARMSIGHT_TOKEN", show_envvar=True,
                         help="What clients must name.  [default: none on loopback, else made up"
                         " and printed]"),
            click.option("--port", type=click.IntRange(0, 65535), default=port, show_default=True,
                         help="0 for any free one."),
            click.option("--host", default="127.0.0.1", show_default=True,
                         help="Address to listen on; 0.0.0.0 for all of this machine's."),
        ):  # fmt: skip
            command = option(command)
        return command

    return add


def need_live_extra(what: str) -> None:
    """Raises MissingExtraError where the packages of the extra `live` are missing."""
    try:
        import multipart  # noqa: F401
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            what, error.name or "starlette", "pip install 'armsight[live]'"
        ) from None


def access(host: str, token: str | None) -> Access:
    """Who may use a server on `host`: beyond loopback, only who holds a token."""
    from armsight.web.api import Access

    local = host in LOOPBACK
    if token is None and not local:
        token = secrets.token_urlsafe(24)
    return Access(token, only_loopback=local)


def bind(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        OutputError: the port is taken, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
        made.listen(256)
    except OSError as error:
        made.close()
        raise OutputError(
            f"cannot listen on {host}:{port}: {error.strerror or error}; choose another --port "
            "or --host"
        ) from error
    return made


def address(listening: socket.socket, token: str | None, path: str = "/") -> str:
    """Where a browser on this machine finds the server."""
    host, port = listening.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "::1": "[::1]"}.get(host, host)
    query = "" if token is None else f"?token={token}"
    return f"http://{host}:{port}{path}{query}"


def run_server(app: Any, listening: socket.socket, started: Callable[[], Any]) -> None:
    """Serve `app` until Ctrl-C or SIGTERM; requests at hand are finished.

    `started` is called when the server answers, and can be stopped in order.
    """
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            started()

    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        # Tokens may stand in addresses, and a proxy's word for a client's address is not checked.
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=5,
    )
    with contextlib.suppress(KeyboardInterrupt):  # which uvicorn raises again when it has finished
        Server(config).run(sockets=[listening])
