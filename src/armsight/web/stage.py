"""What a live page shows now: the newest picture and its numbers, and nothing older.

Pages ask for what is newer than what they have, and are told when there is something. A slow page
therefore skips pictures, and never falls behind.
"""

from __future__ import annotations

import json
import struct
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import cv2

from armsight.camera.image import LoadedImage
from armsight.outputs.documents import frame_row
from armsight.outputs.sink import Shot
from armsight.state import Estimate

LONGEST = 1280
"""Longer side [px] of the pictures that are sent"""
QUALITY = 85
RATE_FRAMES = 30
"""So many frames a rate is the mean of"""
ALIVE = 3.0
"""[s] after its last question a page counts as gone"""
REMEMBERED = 600
"""Answers whose joints are kept for the curves of pages that skipped their pictures"""
JOINTS = ("frame", "time", "robot_found", "confidence", "joint_positions", "joint_std")


class Rate:
    """Events a second, over the last few."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=RATE_FRAMES)

    def tick(self) -> None:
        """One has happened."""
        self._times.append(time.monotonic())

    @property
    def per_second(self) -> float:
        """0 where there were too few, or the last one is long ago."""
        if len(self._times) < 2 or time.monotonic() - self._times[-1] > ALIVE:
            return 0.0
        return (len(self._times) - 1) / max(1e-6, self._times[-1] - self._times[0])


@dataclass(frozen=True)
class Moment:
    """The newest picture, and the newest estimate, which may be a few pictures older."""

    number: int
    shot: Shot | None
    document: Mapping[str, Any] | None
    """The estimate's JSON, with the `frame` that it is of"""
    taken: float
    """[s] `time.monotonic` when the picture came"""


class Stage:
    """A sink that holds the newest shot and estimate for any number of pages."""

    def __init__(self, photos: bool) -> None:
        """Start empty; `photos` are sent with all that is known of each."""
        self._photos = photos
        self._changed = threading.Condition()
        self._moment = Moment(0, None, None, 0.0)
        self._joints: deque[tuple[int, dict[str, Any]]] = deque(maxlen=REMEMBERED)
        self._encoded: tuple[Shot | None, bytes] = (None, b"")
        self._encoding = threading.Lock()
        self._state = "waiting"
        self._message = ""
        self._asked = float("-inf")
        self._closed = False
        self.shown, self.read = Rate(), Rate()

    def show(self, shot: Shot, taken: float) -> None:
        """A new picture, whose estimate is still to come."""
        self.shown.tick()
        self._change(shot=shot, taken=taken)

    def tell(self, shot: Shot, estimate: Estimate) -> None:
        """The estimate of a picture that was shown."""
        self.read.tick()
        self._change(document=self._document(shot, estimate))

    def write(self, shot: Shot, estimate: Estimate) -> None:
        """A picture together with its estimate."""
        self.shown.tick()
        self.read.tick()
        self._change(shot=shot, document=self._document(shot, estimate), taken=time.monotonic())

    def close(self, keep: bool) -> None:
        """Wake all who wait."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def say(self, state: str, message: str = "") -> None:
        """`waiting`, `playing`, `ended` or `failed`, and why."""
        with self._changed:
            self._state, self._message = state, message
        self._change()

    def wait_for_page(self, seconds: float) -> bool:
        """Whether a page asks, or did a moment ago; waits that long for one."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self._closed or time.monotonic() - self._asked < ALIVE, seconds
            )

    def next(self, after: int, seconds: float) -> bytes | None:
        """What is newer than number `after`, packed; None where nothing comes within the time.

        A packet is the length of its JSON (4 bytes, little-endian), the JSON, and a JPEG.
        """
        with self._changed:
            self._asked = time.monotonic()
            self._changed.notify_all()
            newer = self._changed.wait_for(
                lambda: self._closed or self._moment.number > after, seconds
            )
            self._asked = time.monotonic()
            if not newer or self._closed:
                return None
            moment, state = self._moment, (self._state, self._message)
            missed = [joints for number, joints in self._joints if number > after]
        return self._head(moment, missed, *state) + self._jpeg(moment.shot)

    def _change(self, **changes: Any) -> None:
        with self._changed:
            self._moment = replace(self._moment, number=self._moment.number + 1, **changes)
            if document := changes.get("document"):
                joints = {name: document[name] for name in JOINTS}
                self._joints.append((self._moment.number, joints))
            self._changed.notify_all()

    def _document(self, shot: Shot, estimate: Estimate) -> dict[str, Any]:
        if self._photos:
            return {"frame": shot.index, "time": shot.time, **estimate.to_json()}
        return frame_row(shot.index, shot.time, estimate)

    def _jpeg(self, shot: Shot | None) -> bytes:
        with self._encoding:  # once, however many pages ask
            if shot is not self._encoded[0]:
                self._encoded = shot, b"" if shot is None else jpeg(shot.image)
            return self._encoded[1]

    def _head(
        self, moment: Moment, missed: list[dict[str, Any]], state: str, message: str
    ) -> bytes:
        shot = moment.shot
        head = {
            "number": moment.number,
            "state": state,
            "message": message,
            "frame": None if shot is None else shot.index,
            "name": None if shot is None else shot.image.name,
            "size": None if shot is None else [shot.image.width, shot.image.height],
            "shown_fps": self.shown.per_second,
            "read_fps": self.read.per_second,
            "age": time.monotonic() - moment.taken if shot else None,
            "estimate": moment.document,
            "joints": missed,
        }
        text = json.dumps(head, allow_nan=False).encode()
        return struct.pack("<I", len(text)) + text


def jpeg(image: LoadedImage) -> bytes:
    """A picture for a page, made smaller where it is large."""
    pixels = image.pixels
    factor = LONGEST / max(pixels.shape[:2])
    if factor < 1:
        size = (round(pixels.shape[1] * factor), round(pixels.shape[0] * factor))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    _, encoded = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return encoded.tobytes()
