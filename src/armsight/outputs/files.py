"""Files as sinks. Each grows under a name of its own, and gets its name when it is whole."""

from __future__ import annotations

import csv
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from armsight.data.video import VideoWriter
from armsight.errors import OutputError
from armsight.files import atomic_write
from armsight.outputs.documents import csv_head, csv_row, dumps, frame_row
from armsight.outputs.sink import Shot, Sink, Sinks
from armsight.robots import Robot
from armsight.state import Estimate
from armsight.viz.overlay import draw_overlay

PARTIAL = ".partial-"
"""Part of the names of files that grow; a killed run leaves readable files under these names."""


class GrowingFile:
    """A hidden file beside its target that no other run writes to."""

    def __init__(self, target: Path) -> None:
        """Make it.

        Raises:
            OutputError: the folder cannot be written to.
        """
        self.target = target
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(
                prefix=f".{target.stem}{PARTIAL}", suffix=target.suffix, dir=target.parent
            )
        except OSError as error:
            raise OutputError(f"cannot write {target}: {error.strerror or error}") from error
        os.close(handle)
        self.path = Path(name)

    def finish(self, keep: bool) -> None:
        """Give the file its name, or remove it.

        Raises:
            OutputError: the target's place is taken by a folder, or cannot be written to.
        """
        if not keep:
            self.path.unlink(missing_ok=True)
            return
        umask = os.umask(0)
        os.umask(umask)
        try:
            self.path.chmod(0o666 & ~umask)  # mkstemp makes it private
            self.path.replace(self.target)
        except OSError as error:
            raise OutputError(f"cannot write {self.target}: {error.strerror}") from error


class TextLines:
    """A growing text file of which every piece is on disk at once, whole or not at all."""

    def __init__(self, target: Path) -> None:
        self._file = GrowingFile(target)
        self._stream = self._file.path.open("wb", buffering=0)
        self._whole = 0
        self._error: OSError | None = None

    def write(self, text: str) -> None:
        """Add text.

        Raises:
            OutputError: the disk is full; nothing more is written then, also when it is emptied.
        """
        content = text.encode()
        try:
            if self._error is not None:
                raise self._error
            written = self._stream.write(content)
            if written != len(content):
                self._stream.write(content[written:])  # says why not all was written
            self._whole += len(content)
        except OSError as error:
            self._error = error
            self._stream.truncate(self._whole)
            raise OutputError(f"cannot write {self._file.target}: {error.strerror}") from error

    def close(self, keep: bool) -> None:
        """Close it; `keep` gives it its name."""
        self._stream.close()
        self._file.finish(keep)


class Rows:
    """JSON lines, one for each frame."""

    def __init__(self, target: Path) -> None:
        """Open `target`."""
        self._lines = TextLines(target)

    def write(self, shot: Shot, estimate: Estimate) -> None:
        """Add a frame's row."""
        self._lines.write(dumps(frame_row(shot.index, shot.time, estimate)) + "\n")

    def close(self, keep: bool) -> None:
        """See `Sink`."""
        self._lines.close(keep)


class Table:
    """A CSV file for spreadsheets, one row for each frame."""

    def __init__(self, target: Path) -> None:
        """Open `target`."""
        self._lines = TextLines(target)
        self._writer = csv.writer(self._lines, lineterminator="\n")
        self._begun = False

    def write(self, shot: Shot, estimate: Estimate) -> None:
        """Add a frame's row, after the head where it is the first."""
        if not self._begun:
            self._writer.writerow(csv_head(estimate))
            self._begun = True
        self._writer.writerow(csv_row(shot.index, shot.time, estimate))

    def close(self, keep: bool) -> None:
        """See `Sink`."""
        self._lines.close(keep)


class OverlayVideo:
    """An MP4 with the estimates drawn over the frames."""

    def __init__(self, target: Path, fps: float, robot: Robot) -> None:
        """Open `target`."""
        self._file = GrowingFile(target)
        self._video = VideoWriter(self._file.path, fps, target)
        self._robot = robot

    def write(self, shot: Shot, estimate: Estimate) -> None:
        """Add a drawn frame."""
        self._video.write(draw_overlay(shot.image.pixels, estimate, self._robot), shot.time)

    def close(self, keep: bool) -> None:
        """See `Sink`."""
        try:
            self._video.close()
        finally:
            self._file.finish(keep)


class PictureDocument:
    """One picture's estimate as a JSON file."""

    def __init__(self, target: Path) -> None:
        """Write to `target`, when the estimate is there."""
        self._target = target

    def write(self, shot: Shot, estimate: Estimate) -> None:
        """Write the file."""
        with atomic_write(self._target) as path:
            path.write_text(dumps(estimate.to_json()) + "\n", encoding="utf-8")

    def close(self, keep: bool) -> None:
        """Nothing is left to do."""


class OverlayPicture:
    """One picture with its estimate drawn over it."""

    def __init__(self, target: Path, robot: Robot | None = None) -> None:
        """Write to `target`; without `robot`, the estimate's own is drawn."""
        self._target = target
        self._robot = robot

    def write(self, shot: Shot, estimate: Estimate) -> None:
        """Draw, and write the file."""
        image = shot.image
        size = (image.width, image.height)
        drawn = draw_overlay(image.pixels, estimate, self._robot, full_size=size)
        with atomic_write(self._target) as path:
            Image.fromarray(drawn).save(path)

    def close(self, keep: bool) -> None:
        """Nothing is left to do."""


def video_files(targets: Mapping[str, Path], fps: float, robot: Robot) -> Sinks:
    """The files of one video's results.

    Args:
        targets: by kind: `rows` (JSON lines), `csv`, `overlay` (MP4); any of them.
        fps: of the overlay.
        robot: that is drawn.

    Raises:
        OutputError: one cannot be opened; none is left behind then.
    """
    opened: list[Sink] = []
    try:
        for kind, target in targets.items():
            if kind == "overlay":
                opened.append(OverlayVideo(target, fps, robot))
            else:
                opened.append(Rows(target) if kind == "rows" else Table(target))
    except OutputError:
        Sinks(opened).close(keep=False)
        raise
    return Sinks(opened)
