"""What `armsight estimate` was asked to read, and under which names it may write."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from armsight.camera import image
from armsight.camera.camera_file import CameraFile
from armsight.data import video
from armsight.data.bags.bag import SUFFIXES as BAGS
from armsight.data.bags.bag import is_bag
from armsight.errors import BadImageError, OutputError
from armsight.estimate.clips.film import Film

OVERLAY, ANSWERS = ".overlay", ".estimate"
"""Ends of the names of what is written, before the suffix"""
CSV_HEAD = "frame,time_s,robot_found"
KNOWN = (*image.SUFFIXES, *video.SUFFIXES, *BAGS)
LONGEST_NAME = 200
"""[bytes] of the 255 that file systems take"""


@dataclass(frozen=True)
class Input:
    """One image or video, and the name under which its results are written."""

    path: Path
    name: str
    topic: str | None = None
    """Of a ROS bag"""

    @property
    def is_video(self) -> bool:
        return self.topic is not None or self.path.suffix.lower() in video.SUFFIXES

    @property
    def title(self) -> str:
        """For people"""
        return str(self.path) if self.topic is None else f"{self.path}, {self.topic}"

    def open_film(self) -> Film:
        """The video, opened.

        Raises:
            BadVideoError, DatasetError: it cannot be read.
        """
        if self.topic is None:
            return video.VideoReader(self.path)
        from armsight.data.bags.film import BagFilm

        return BagFilm(self.path, self.topic)

    def own_camera(self) -> CameraFile | None:
        """The intrinsics that come with the video, where some do."""
        if self.topic is None:
            return None
        from armsight.data.bags.bag import Bag
        from armsight.data.bags.cameras import camera_of_topic

        with Bag(self.path) as bag:
            return camera_of_topic(bag, self.topic)


def find_inputs(
    paths: Sequence[str],
    topics: Sequence[str] = (),
    *,
    recursive: bool = False,
    say: Callable[[str], None] = lambda note: None,
) -> list[Input]:
    """Images and videos at `paths`, folders opened; every different one gets its own name.

    Args:
        topics: of bags; all with pictures by default.
        recursive: whether folders in folders are opened.
        say: is told what a folder holds that is left out.

    Raises:
        BadImageError: a folder holds nothing that could be read.
        DatasetError: a bag cannot be read.
        MissingExtraError: a bag without what reads it.
    """
    files: list[Path] = []
    for path in map(Path, paths):
        opened = path.is_dir() and not is_bag(path)
        files += _in_folder(path, recursive, say) if opened else [path]
    found: list[tuple[Path, str | None]] = []
    for path in files:
        found += [(path, topic) for topic in _topics(path, topics)]
    used = Counter(path for path, _ in found)
    named = [
        path if topic is None or used[path] == 1 else path.with_name(f"{path.stem}{_plain(topic)}")
        for path, topic in found
    ]
    names = list(map(fitting, unique_names(named)))
    return [Input(path, name, topic) for (path, topic), name in zip(found, names, strict=True)]


def _topics(path: Path, wanted: Sequence[str]) -> Sequence[str | None]:
    """The topics of a bag; [None] for everything else."""
    if not is_bag(path):
        return [None]
    from armsight.data.bags.cameras import choose_topics

    return choose_topics(path, wanted)


def _plain(topic: str) -> str:
    """A topic as part of a file's name."""
    return topic.replace("/", "_")


def _in_folder(folder: Path, recursive: bool, say: Callable[[str], None]) -> list[Path]:
    """What can be read in a folder, by name; of the rest it is said what it is."""
    found: list[Path] = []
    left_out: Counter[str] = Counter()
    waiting = [folder]
    while waiting:
        for path in sorted(_listed(waiting.pop(0))):
            if path.name.startswith("."):
                continue
            if is_bag(path):
                found += [path] if not path.stem.endswith(ANSWERS) else []
            elif path.is_dir():
                waiting += [path] if recursive else []
                left_out["folders (--recursive)"] += not recursive
            elif not path.is_file():
                left_out["broken links"] += 1
            elif path.suffix.lower() not in KNOWN:
                left_out[path.suffix.lower() or "without suffix"] += not _is_answer(path)
            elif not path.stem.endswith((OVERLAY, ANSWERS)):
                found.append(path)
    if total := left_out.total():
        kinds = ", ".join(f"{kind} {count}" for kind, count in left_out.most_common() if count)
        say(f"{folder}: skipped {total}: {kinds}")
    if not found:
        raise BadImageError(f"{folder} holds no image or video; looked for {', '.join(KNOWN)}")
    return found


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise BadImageError(f"{folder} cannot be read: {error.strerror or error}") from error


def _is_answer(path: Path) -> bool:
    """Whether a file lies beside a picture or video of its name, as answers do."""
    kinds = {".json": (*image.SUFFIXES,), ".jsonl": video.SUFFIXES, ".csv": video.SUFFIXES}
    beside = kinds.get(path.suffix.lower(), ())
    return any(path.with_suffix(suffix).is_file() for suffix in beside)


def fitting(name: str) -> str:
    """A name that leaves room for what is put before and behind it in a file's name: longer ones
    are cut, and end in digits that tell them apart."""
    content = os.fsencode(name)
    if len(content) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(content).hexdigest()[:8]
    return content[: LONGEST_NAME - 9].decode("utf-8", "ignore") + "_" + digest


def unique_names(paths: Sequence[Path]) -> list[str]:
    """A file name stem for each path: its own, or a longer one where two would clash.

    Tried in turn: `photo`, `photo.png`, `folder_photo.png`, and so on up the folders. Names that
    differ only in case clash too, since some file systems hold them for the same.
    """
    places = [Path(os.path.abspath(path)) for path in paths]

    def name(place: Path, level: int) -> str:
        if level == 0:
            return place.stem
        return "_".join(place.parts[-level:]).replace(os.sep, "").replace(":", "")

    levels = [0] * len(places)
    while True:
        names = [name(place, level) for place, level in zip(places, levels, strict=True)]
        users = Counter(key for key, _ in set(zip(map(str.casefold, names), places, strict=True)))
        before = levels
        levels = [
            min(level + (users[own.casefold()] > 1), len(place.parts))
            for level, own, place in zip(before, names, places, strict=True)
        ]
        if levels == before:
            return _numbered(names, places)


def _numbered(names: list[str], places: list[Path]) -> list[str]:
    """Names with `_2`, `_3` where they still clash: whole paths that differ in case only."""
    owners: dict[str, Path] = {}
    numbered = []
    for name, place in zip(names, places, strict=True):
        unique, number = name, 1
        while owners.setdefault(unique.casefold(), place) != place:
            number += 1
            unique = f"{name}_{number}"
        numbered.append(unique)
    return numbered


def check_target(path: Path, inputs: Sequence[Input]) -> Path:
    """`path` itself, if writing it can destroy nothing of the user's.

    Raises:
        OutputError: it is one of the inputs, or a file that armsight did not write.
    """
    try:
        if not path.exists():
            return path
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    if any(one.path.exists() and path.samefile(one.path) for one in inputs):
        raise OutputError(f"{path} is an input and will not be overwritten; choose another --out")
    if path.stem.endswith(OVERLAY):
        return path
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error
    ours = b'"robot_found"' in head or head.startswith(CSV_HEAD.encode())
    if not ours and not (path.suffix == ".mcap" and b"armsight" in head[:64]):
        raise OutputError(
            f"{path} exists and was not written by armsight; it will not be overwritten. "
            "Choose another --out"
        )
    return path
