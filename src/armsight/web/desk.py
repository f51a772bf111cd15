"""Where images wait to be read: a bounded queue before a few threads."""

from __future__ import annotations

import asyncio
import contextlib
import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from armsight.camera.camera_file import CameraFile
from armsight.camera.crops import Box
from armsight.camera.image import load_image
from armsight.estimate.estimator import Estimator
from armsight.state import Estimate
from armsight.web.failure import Refusal
from armsight.web.limits import Limits


@dataclass(frozen=True)
class Settings:
    """How one request wants its images read."""

    robot: str
    K: NDArray[np.floating] | None = None
    camera: CameraFile | None = None
    fov_deg: float | None = None
    box: Box | None = None
    hypotheses: int | None = None
    outline: bool = True


class Desk:
    """Reads images in a few threads; what would wait too long is sent away."""

    def __init__(self, estimators: dict[str, Estimator], threads: int, limits: Limits) -> None:
        """Open the desk.

        Args:
            estimators: by the robot's name.
            threads: images that are read at a time.
            limits: how many may wait, and for how long.
        """
        self.robots = tuple(estimators)
        self._by_outline = {
            (name, outline): estimator.with_outline(outline)
            for name, estimator in estimators.items()
            for outline in (True, False)
        }
        self._limits = limits
        self._threads = ThreadPoolExecutor(threads, "read")
        self.waiting = 0
        """Images that wait or are read now"""

    async def read(self, contents: list[bytes], settings: Settings) -> list[Estimate | Exception]:
        """An estimate of each image, or why there is none.

        Raises:
            Refusal: too many images wait already, or the time was over.
        """
        if self.waiting + len(contents) > self._limits.waiting:
            raise Refusal(503, "too many images wait already; try again", retry_after="1")
        futures = [self._threads.submit(self._estimate, one, settings) for one in contents]
        self.waiting += len(futures)
        loop = asyncio.get_running_loop()
        for future in futures:
            future.add_done_callback(lambda _: self._leave_in(loop))
        try:
            async with asyncio.timeout(self._limits.answer_seconds):
                return await asyncio.gather(
                    *map(asyncio.wrap_future, futures), return_exceptions=True
                )  # type: ignore[return-value]
        except TimeoutError:
            raise Refusal(
                504, f"no answer within {self._limits.answer_seconds:g} s; try again later"
            ) from None

    def close(self) -> None:
        """Finish what is being read, and drop what waits."""
        self._threads.shutdown(cancel_futures=True)

    def _leave_in(self, loop: asyncio.AbstractEventLoop) -> None:
        with contextlib.suppress(RuntimeError):  # the server has stopped
            loop.call_soon_threadsafe(self._leave)

    def _leave(self) -> None:
        self.waiting -= 1

    def _estimate(self, content: bytes, settings: Settings) -> Estimate:
        check_pixels(content, self._limits.pixels)
        estimator = self._by_outline[settings.robot, settings.outline]
        return estimator(
            load_image(content),
            settings.K,
            settings.hypotheses,
            camera=settings.camera,
            fov_deg=settings.fov_deg,
            box=settings.box,
        )


def check_pixels(content: bytes, most: int) -> None:
    """Look at an image's head, before any pixel is decoded.

    Raises:
        Refusal: it has more pixels than `most`.
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            width, height = image.size
    except Image.DecompressionBombError:
        raise Refusal(413, f"the image has more than {most / 1e6:g} megapixels") from None
    except Exception:  # `load_image` says what is wrong with it
        return
    if width * height > most:
        raise Refusal(413, f"the image is {width}x{height}; the most is {most / 1e6:g} megapixels")
