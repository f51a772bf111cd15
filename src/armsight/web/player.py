"""From a source to the stage: threads that take pictures and read them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeAlias

from armsight.errors import ArmsightError
from armsight.outputs.sink import Shot
from armsight.state import Estimate
from armsight.web.sources import Source
from armsight.web.stage import Stage

Read: TypeAlias = "Callable[[Shot], Estimate]"
log = logging.getLogger("armsight.web")


class Player:
    """Plays a source onto a stage, from `start` to `close`."""

    def __init__(self, source: Source, make_reader: Callable[[], Read], stage: Stage) -> None:
        """Prepare; `make_reader` makes what reads the pictures, anew for each playing."""
        self._source = source
        self._make_reader = make_reader
        self._stage = stage
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def start(self) -> None:
        """Play from the start."""
        with self._starting:
            self.stop()
            self._stop = threading.Event()
            play = self._follow if self._source.live else self._every
            self._thread = threading.Thread(
                target=self._play, args=(play, self._stop), name="play", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """End the playing, and wait for that."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(15)

    def _play(self, play: Callable[[Read, threading.Event], None], stop: threading.Event) -> None:
        try:
            play(self._make_reader(), stop)
            if not stop.is_set():
                self._stage.say("ended")
        except ArmsightError as error:
            self._stage.say("failed", str(error))
        except Exception:
            log.exception("cannot go on with %s", self._source.name)
            self._stage.say("failed", "the server failed; its log says why")

    def _every(self, read: Read, stop: threading.Event) -> None:
        """Each picture of a file, at its rate or as fast as they are read."""
        while not self._stage.wait_for_page(0.5):
            if stop.is_set():
                return
        self._stage.say("playing")
        start: float | None = None
        for shot in self._source.shots():
            estimate = read(shot)
            now = time.monotonic()
            start = now - shot.time if start is None else start
            if stop.wait(max(0.0, start + shot.time - now)):
                return
            # A slow reader shifts the clock: what was late is not made up for in a rush.
            start = max(start, time.monotonic() - shot.time)
            self._stage.write(shot, estimate)

    def _follow(self, read: Read, stop: threading.Event) -> None:
        """The newest picture of a camera: another thread takes them, and never waits for us."""
        self._stage.say("playing")
        newest = Newest()

        def take() -> None:
            try:
                for shot in self._source.shots():
                    if stop.is_set():
                        break
                    self._stage.show(shot, time.monotonic())
                    newest.put(shot)
            except Exception as error:  # raised again by the thread that reads
                newest.fail(error)
            newest.end()

        taking = threading.Thread(target=take, name="take", daemon=True)
        taking.start()
        while not stop.is_set():
            shot = newest.get(0.5)
            if shot is not None:
                self._stage.tell(shot, read(shot))
            elif newest.ended:
                break
        if not stop.is_set():
            newest.reraise()


class Newest:
    """A place for one shot: a newer one takes the place of one that nobody fetched."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._shot: Shot | None = None
        self._error: Exception | None = None
        self._ended = False

    @property
    def ended(self) -> bool:
        """Nothing more will come."""
        return self._ended

    def put(self, shot: Shot) -> None:
        """Leave a shot."""
        with self._changed:
            self._shot = shot
            self._changed.notify()

    def get(self, seconds: float) -> Shot | None:
        """Fetch the shot; None where none comes within the time."""
        with self._changed:
            self._changed.wait_for(lambda: self._shot is not None or self._ended, seconds)
            shot, self._shot = self._shot, None
            return shot

    def end(self) -> None:
        """Say that nothing more will come."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    def fail(self, error: Exception) -> None:
        """Leave an error."""
        self._error = error

    def reraise(self) -> None:
        """Raise the error that was left, if any."""
        if self._error is not None:
            raise self._error
