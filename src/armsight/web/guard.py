"""Who may ask, and how much: checked before a request's body is read.

A server on this machine is open to every page in its user's browser. Such pages send an `Origin`
that is not ours, or reach us by a name of their own that resolves to this machine (DNS rebinding);
both are refused. Beyond loopback, a token is asked for.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from armsight.web.failure import Refusal, error_response
from armsight.web.limits import MEGABYTE, Limits

LOOPBACK = ("127.0.0.1", "::1", "localhost")
OPEN_PATHS = ("/v1/health",)
"""Asked for by load balancers, which hold no token"""
COOKIE = "armsight_token"
SAFE_METHODS = ("GET", "HEAD")


class Guard:
    """Middleware that lets through what is allowed, and answers the rest."""

    def __init__(
        self, app: ASGIApp, limits: Limits, token: str | None, only_loopback: bool
    ) -> None:
        """Guard `app`.

        Args:
            limits: of a request's body.
            token: that clients must name; None where everyone may ask.
            only_loopback: refuse names of this machine other than loopback's.
        """
        self._app = app
        self._limits = limits
        self._token = token
        self._only_loopback = only_loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        try:
            self._check(scope)
            await self._app(scope, Body(receive, self._limits), send)
        except Refusal as refusal:
            await error_response(refusal)(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        headers = {
            key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]
        }
        host = headers.get("host", "")
        if self._only_loopback and urlsplit(f"//{host}").hostname not in LOOPBACK:
            raise Refusal(421, f"this server answers to localhost only, not to {host!r}")
        origin = headers.get("origin")
        foreign = origin is not None and urlsplit(origin).netloc != host
        if foreign and scope["method"] not in SAFE_METHODS:
            raise Refusal(403, f"pages of {origin} may not use this server")
        if self._token is not None and scope["path"] not in OPEN_PATHS:
            given = _given_token(scope, headers)
            if not hmac.compare_digest(given.encode(), self._token.encode()):
                raise Refusal(
                    401,
                    "give this server's token as 'Authorization: Bearer TOKEN', or open its page "
                    "with ?token=TOKEN",
                    www_authenticate="Bearer",
                )
        length = headers.get("content-length", "0")
        if length.isdigit() and int(length) > self._limits.body_bytes:
            raise too_large(self._limits)


class Body:
    """`receive` that refuses bodies that are too large or take too long."""

    def __init__(self, receive: Receive, limits: Limits) -> None:
        self._receive = receive
        self._limits = limits
        self._read = 0
        self._done = False
        self._until = asyncio.get_running_loop().time() + limits.upload_seconds

    async def __call__(self) -> Message:
        if self._done:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            seconds = self._limits.upload_seconds
            raise Refusal(408, f"the request did not arrive within {seconds:g} s") from None
        self._read += len(message.get("body", b""))
        self._done = not message.get("more_body", False)
        if self._read > self._limits.body_bytes:
            raise too_large(self._limits)
        return message


def too_large(limits: Limits) -> Refusal:
    """The refusal of a body above the limit."""
    return Refusal(
        413,
        f"the request has more than {limits.body_bytes / MEGABYTE:g} MB; make the image smaller",
    )


def _given_token(scope: Scope, headers: Mapping[str, str]) -> str:
    """From the header, the cookie that the page sets, or the address; '' where there is none."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    query: list[str] = parse_qs(scope["query_string"].decode("latin-1")).get("token", [])
    if query:
        return query[0]
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return cookie.value if cookie else ""
