"""The routes of `armsight live`: a page, the robot to draw, and the newest picture."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from armsight.robots import Robot
from armsight.web.api import PAGE
from armsight.web.failure import Refusal
from armsight.web.guard import COOKIE
from armsight.web.player import Player
from armsight.web.robot_model import robot_model
from armsight.web.sources import Source
from armsight.web.stage import Stage

FILES = {
    "live.css": "text/css",
    "live.js": "text/javascript",
    "arm.js": "text/javascript",
    "draw.js": "text/javascript",
    "curves.js": "text/javascript",
}
"""What the page loads; nothing else of the folder is served"""
POLICY = "default-src 'self'; img-src 'self' blob: data:"
WAIT = 5.0
"""[s] that a page is let wait for a picture"""


@dataclass(frozen=True)
class Live:
    """A page, and what plays on it; without a source it reads photos that are dropped on it."""

    robot: Robot
    source: Source | None = None
    stage: Stage | None = None
    player: Player | None = None

    def routes(self) -> list[BaseRoute]:
        """For `make_app`."""
        return [
            Route("/", self.page),
            Route("/page/{name}", self.file),
            Route("/live/about", self.about),
            Route("/live/next", self.next),
            Route("/live/replay", self.replay, methods=["POST"]),
        ]

    @asynccontextmanager
    async def playing(self) -> AsyncIterator[None]:
        """Play while the server runs."""
        if self.player is None or self.stage is None:
            yield
            return
        self.player.start()
        yield
        self.stage.close(keep=True)
        await run_in_threadpool(self.player.stop)

    async def page(self, request: Request) -> Response:
        """The page; a token in the address becomes a cookie, and leaves the address."""
        if token := request.query_params.get("token"):
            response: Response = RedirectResponse("/", 303)
            response.set_cookie(COOKIE, token, httponly=True, samesite="strict")
            return response
        return FileResponse(PAGE / "live.html", headers={"Content-Security-Policy": POLICY})

    async def file(self, request: Request) -> Response:
        """A script or a style of the page."""
        name = request.path_params["name"]
        if name not in FILES:
            raise Refusal(404, "Not Found")
        return FileResponse(
            PAGE / name, media_type=FILES[name], headers={"Cache-Control": "no-cache"}
        )

    async def about(self, request: Request) -> Response:
        """The robot, and what plays."""
        source = self.source
        playing: dict[str, Any] | None = None
        if source is not None:
            playing = {"name": source.name, "live": source.live, "photos": source.photos}
        return JSONResponse({"robot": robot_model(self.robot), "source": playing})

    async def next(self, request: Request) -> Response:
        """The newest picture and estimate, once they are newer than number `after`."""
        if self.stage is None:
            raise Refusal(404, "nothing plays here")
        after = request.query_params.get("after", "0")
        if not after.isdigit():
            raise Refusal(400, f"after is {after!r}; give the number of the last packet")
        packet = await run_in_threadpool(self.stage.next, int(after), WAIT)
        if packet is None:
            return Response(status_code=204)
        return Response(packet, media_type="application/octet-stream")

    async def replay(self, request: Request) -> Response:
        """Play a clip or a folder again."""
        if self.player is None or self.source is None or self.source.live:
            raise Refusal(409, "there is nothing to play again")
        await run_in_threadpool(self.player.start)
        return Response(json.dumps({"state": "playing"}), media_type="application/json")
