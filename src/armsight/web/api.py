"""`POST /v1/estimate` and what belongs to it, as a Starlette application."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

import armsight
from armsight.errors import ArmsightError
from armsight.estimate.estimator import Estimator
from armsight.outputs.documents import dumps, failure
from armsight.state import Estimate
from armsight.web.asked import read_request
from armsight.web.desk import Desk, Settings
from armsight.web.failure import (
    Refusal,
    on_crash,
    on_http_error,
    on_refusal,
    refusal_of,
)
from armsight.web.guard import Guard
from armsight.web.limits import Limits
from armsight.web.openapi import openapi

PAGE = Path(__file__).parent / "page"
log = logging.getLogger("armsight.web")


@dataclass(frozen=True)
class Access:
    """Who may use a server."""

    token: str | None = None
    """Everyone who can reach it where None"""
    only_loopback: bool = True
    """It is bound to loopback, and answers to loopback's names only"""


class Api:
    """The routes that read images."""

    def __init__(self, desk: Desk, defaults: Settings, limits: Limits) -> None:
        """Answer with `desk`; `defaults` hold where a request does not say."""
        self._desk = desk
        self._defaults = defaults
        self._limits = limits

    def routes(self) -> list[BaseRoute]:
        """For a Starlette application."""
        return [
            Route("/v1/estimate", self.estimate, methods=["POST"]),
            Route("/v1/robots", self.robots),
            Route("/v1/health", self.health),
            Route("/openapi.json", self.openapi),
            Route("/docs", self.docs),
        ]

    async def estimate(self, request: Request) -> Response:
        """Images in, estimates out."""
        try:
            asked = await read_request(request, self._defaults, self._desk.robots, self._limits)
        except ArmsightError as error:
            raise refusal_of(error) from error
        answers = await self._desk.read(asked.contents, asked.settings)
        documents = [
            _document(answer, name, asked.settings.robot, asked.many)
            for answer, name in zip(answers, asked.names, strict=True)
        ]
        body = dumps({"estimates": documents} if asked.many else documents[0])
        return Response(body, media_type="application/json")

    async def robots(self, request: Request) -> Response:
        """The robots that are served; the first is the default."""
        return JSONResponse({"robots": list(self._desk.robots)})

    async def health(self, request: Request) -> Response:
        """That the server is up."""
        waiting = self._desk.waiting
        return JSONResponse({"status": "ok", "version": armsight.__version__, "waiting": waiting})

    async def openapi(self, request: Request) -> Response:
        """The description of all this."""
        return JSONResponse(openapi(armsight.__version__, self._desk.robots, self._limits))

    async def docs(self, request: Request) -> Response:
        """The description for people, with a form to try it."""
        return FileResponse(PAGE / "docs.html")


def _document(
    answer: Estimate | BaseException, name: str | None, robot: str, many: bool
) -> dict[str, Any]:
    """An image's JSON. In a list, one that could not be read does not take the others along."""
    if isinstance(answer, Estimate):
        return {**answer.to_json(), "image": name}
    refusal = answer
    if isinstance(answer, ArmsightError):
        refusal = refusal_of(answer)
    if not isinstance(refusal, Refusal):
        raise refusal
    if refusal.status >= 500:
        log.error("cannot read an image", exc_info=answer)
    if not many:
        raise refusal
    return failure(name or "", robot, refusal)


def make_app(
    estimators: dict[str, Estimator],
    defaults: Settings,
    *,
    threads: int,
    limits: Limits | None = None,
    access: Access | None = None,
    more_routes: Sequence[BaseRoute] = (),
    running: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
) -> Starlette:
    """The application that `armsight serve` runs.

    Args:
        estimators: by the robot's name.
        defaults: settings where a request does not say.
        threads: images that are read at a time.
        limits, access: what is allowed, and to whom.
        more_routes: of pages that use the same API.
        running: entered while the server runs.
    """
    limits, access = limits or Limits(), access or Access()
    desk = Desk(estimators, threads, limits)

    @asynccontextmanager
    async def open_desk(app: Starlette) -> AsyncIterator[None]:
        async with running():
            yield
        desk.close()

    return Starlette(
        routes=[*Api(desk, defaults, limits).routes(), *more_routes],
        middleware=[
            Middleware(Guard, limits=limits, token=access.token, only_loopback=access.only_loopback)
        ],
        exception_handlers={Refusal: on_refusal, HTTPException: on_http_error, Exception: on_crash},
        lifespan=open_desk,
    )
