"""What a client is told when it gets no estimate."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from armsight.errors import (
    ArmsightError,
    BadImageError,
    BadIntrinsicsError,
    BadShapeError,
    ConfigError,
)

BAD_INPUT = (BadImageError, BadIntrinsicsError, BadShapeError, ConfigError)
"""Errors that the client's own input causes"""


class Refusal(Exception):
    """A request that is not answered: an HTTP status, and why."""

    def __init__(self, status: int, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers


def refusal_of(error: ArmsightError) -> Refusal:
    """An error of the estimator as a refusal: 422 for what the client sent, 500 for the rest."""
    if isinstance(error, BAD_INPUT):
        return Refusal(422, str(error))
    return Refusal(500, f"{type(error).__name__} on the server; its log says more")


def error_body(status: int, message: str) -> bytes:
    """`{"error": {"status": ..., "message": ...}}`, which every failed request gets."""
    return json.dumps({"error": {"status": status, "message": message}}).encode()


def error_response(refusal: Refusal) -> Response:
    """A refusal as a response."""
    body = error_body(refusal.status, str(refusal))
    headers = {name.replace("_", "-"): value for name, value in refusal.headers.items()}
    return Response(body, refusal.status, headers, "application/json")


async def on_refusal(request: Request, error: Exception) -> Response:
    """Starlette's handler of `Refusal`."""
    assert isinstance(error, Refusal)
    return error_response(error)


async def on_http_error(request: Request, error: Any) -> Response:
    """Starlette's handler of its own errors: no such page, a broken form."""
    return error_response(Refusal(error.status_code, str(error.detail)))


async def on_crash(request: Request, error: Exception) -> Response:
    """What we did not foresee is told to nobody but the log."""
    return error_response(Refusal(500, "the server failed; its log says why"))
