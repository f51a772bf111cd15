"""Recordings from what a person names: a folder of photos, a video, or a LeRobot data set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from armsight.camera.camera_file import read_camera_file
from armsight.camera.image import SUFFIXES as PHOTO_SUFFIXES
from armsight.camera.image import LoadedImage, load_image
from armsight.camera.intrinsics import find_intrinsics
from armsight.data.bags.bag import is_bag
from armsight.data.bags.cameras import choose_topics
from armsight.data.bags.recording import bag_recording
from armsight.data.frame import read_text
from armsight.data.lerobot import layout
from armsight.data.lerobot.reader import LeRobotReader
from armsight.data.recordings.log_files import SUFFIXES as LOG_SUFFIXES
from armsight.data.recordings.log_files import joint_log, read_joint_log
from armsight.data.recordings.recording import JointLog, Recording
from armsight.data.recordings.sources import EpisodeFrames, Photos, VideoFrames, video_times
from armsight.data.video import SUFFIXES as VIDEO_SUFFIXES
from armsight.errors import BadImageError, BadIntrinsicsError, DatasetError
from armsight.robots import Robot

Array = NDArray[np.floating]

LOG_NAME, QPOS = "joint_positions", "qpos"
"""A log beside the photos, and EasyHeC's folder with one text file for each"""
STATE_KEYS = ("observation.state", "observation.joint_positions", "observation.qpos")


def open_recordings(
    source: Path,
    robot: Robot,
    *,
    joints: Path | None = None,
    camera_key: str | None = None,
    state_key: str | None = None,
    episodes: Sequence[int] | None = None,
) -> Iterator[Recording]:
    """The recordings at `source`, one after the other: one but for data sets.

    Args:
        source: a folder of photos, a video, a ROS 2 bag, or a LeRobot v3 data set.
        robot: whose joints were recorded.
        joints: the log, where it is not found by itself.
        camera_key, state_key, episodes: of a data set; the only ones, and all, by default. Of a
            bag the first two are topics.

    Raises:
        DatasetError: there is nothing to read, or it does not fit together.
        BadImageError, BadVideoError: no photo, or the video, cannot be read.
        BadIntrinsicsError: K.txt beside the photos cannot belong to them.
        MissingExtraError: a data set without pyarrow.
    """
    if not source.exists():
        raise DatasetError(
            f"{source} does not exist; give a folder of photos, a video or a data set"
        )
    if is_bag(source):
        if episodes is not None:
            raise DatasetError(f"{source} is one recording; leave --episodes out")
        yield _bag(source, robot, joints, camera_key, state_key)
        return
    is_data_set = layout.is_data_set(source)
    options = {"--camera-key": camera_key, "--state-key": state_key, "--episodes": episodes}
    if not is_data_set and (given := [key for key, value in options.items() if value is not None]):
        raise DatasetError(
            f"{source} is no LeRobot data set (it has no {layout.INFO}); leave {given[0]} out"
        )
    if source.is_file():
        yield _video(source, robot, joints)
    elif is_data_set:
        if joints is not None:
            raise DatasetError(f"{source} is a data set with its own joints; leave --joints out")
        yield from _episodes(source, robot, camera_key, state_key, episodes)
    else:
        yield _photos(source, robot, joints)


def _photos(folder: Path, robot: Robot, joints: Path | None) -> Recording:
    place = folder / "color" if (folder / "color").is_dir() else folder
    paths = tuple(
        path
        for path in sorted(place.iterdir())
        if path.suffix.lower() in PHOTO_SUFFIXES and not path.name.startswith(".")
    )
    if not paths:
        raise DatasetError(
            f"{place} holds no photo ({', '.join(PHOTO_SUFFIXES)}); give a folder of photos, a "
            "video, or a LeRobot v3 data set"
        )
    first, notes = _first_photo(paths)
    log = _log_of_photos(folder, paths, robot, joints)
    recording = Recording(
        name=str(folder),
        source=Photos(paths, (first.width, first.height)),
        image_size=(first.width, first.height),
        frame_names=tuple(path.name for path in paths),
        log=log,
        notes=(*notes, *(log.notes if log else ())),
    )
    camera = next((p / "K.txt" for p in (folder, place) if (p / "K.txt").is_file()), None)
    if camera is None:
        return _with_exif(recording, first)
    found = find_intrinsics(first, camera=read_camera_file(camera))
    if found.distortion is not None:
        raise BadIntrinsicsError(
            f"{camera} has lens distortion; undistort the photos first, and give the K of those"
        )
    said = tuple(f"{camera.name}: {message}" for message in found.messages)
    return replace(
        recording, K=found.K, intrinsics_source=found.source, notes=(*recording.notes, *said)
    )


def _with_exif(recording: Recording, first: LoadedImage) -> Recording:
    """With the focal length that the camera wrote into the first photo, where it did."""
    if first.focal_35mm is None:
        return recording
    found = find_intrinsics(first)
    fov = 2 * np.degrees(np.arctan(first.width / 2 / found.K[0, 0]))
    return replace(
        recording, fov_deg=float(fov), intrinsics_source=found.source,
        notes=(*recording.notes, *found.messages),
    )  # fmt: skip


def _first_photo(paths: Sequence[Path]) -> tuple[LoadedImage, tuple[str, ...]]:
    problems = []
    for path in paths:
        try:
            return load_image(path), ()
        except BadImageError as error:
            problems.append(str(error))
    raise BadImageError(f"none of {len(paths)} photos can be read; the first: {problems[0]}")


def _log_of_photos(
    folder: Path, paths: Sequence[Path], robot: Robot, joints: Path | None
) -> JointLog | None:
    if joints is None and (folder / QPOS).is_dir():
        return _one_file_each(folder / QPOS, paths, robot)
    if joints is None:
        places = [base / f"{LOG_NAME}{end}" for base in (folder, paths[0].parent, folder.parent)
                  for end in LOG_SUFFIXES]  # fmt: skip
        joints = next((place for place in places if place.is_file()), None)
    if joints is None:
        return None
    log = read_joint_log(joints, robot)
    if len(log.joint_positions) != len(paths):
        raise DatasetError(
            f"{joints} has {len(log.joint_positions)} rows, and there are {len(paths)} photos in "
            f"{paths[0].parent}; give one row for each photo, in the order of their names"
        )
    # Row i is photo i's: photos have no clock of their own.
    return replace(log, times=None)


def _one_file_each(folder: Path, paths: Sequence[Path], robot: Robot) -> JointLog:
    """EasyHeC's layout: NAME.txt holds the joints of photo NAME, then the fingers."""
    rows = []
    for path in paths:
        place = folder / f"{path.stem}.txt"
        try:
            rows.append([float(word) for word in read_text(place).replace(",", " ").split()])
        except ValueError as error:
            raise DatasetError(f"{place} does not hold numbers ({error})") from error
        if len(rows[-1]) != len(rows[0]):
            raise DatasetError(
                f"{place} holds {len(rows[-1])} numbers, and the first file {len(rows[0])}"
            )
    return joint_log(None, np.array(rows, dtype=float), robot, str(folder))


def _video(path: Path, robot: Robot, joints: Path | None) -> Recording:
    if path.suffix.lower() not in VIDEO_SUFFIXES:
        raise DatasetError(
            f"{path} is no video ({', '.join(VIDEO_SUFFIXES)}); give a folder of photos, a video, "
            "or the folder of a LeRobot v3 data set"
        )
    times, size = video_times(path)
    log = None if joints is None else _log_of_video(joints, len(times), robot)
    return Recording(
        name=str(path),
        source=VideoFrames(path, len(times)),
        image_size=size,
        frame_times=times,
        log=log,
        notes=() if log is None else log.notes,
    )


def _bag(
    path: Path, robot: Robot, joints: Path | None, camera_key: str | None, state_key: str | None
) -> Recording:
    topic = camera_key or _choose(path, "image topic", "--camera-key", None, choose_topics(path))
    recording = bag_recording(path, robot, topic, state_key, log=joints is None)
    if joints is None:
        return recording
    log = _log_of_video(joints, len(recording), robot)
    return replace(recording, log=log, notes=(*recording.notes, *log.notes))


def _log_of_video(joints: Path, count: int, robot: Robot) -> JointLog:
    log = read_joint_log(joints, robot)
    if log.times is not None:
        note = "the clocks of video and log are taken to start together"
        return replace(log, times=log.times - log.times[0], notes=(*log.notes, note))
    if len(log.joint_positions) != count:
        raise DatasetError(
            f"{joints} has {len(log.joint_positions)} rows without time stamps, and the video has "
            f"{count} frames; add a column `timestamp` [s], or give one row for each frame"
        )
    return log


def _episodes(
    folder: Path,
    robot: Robot,
    camera_key: str | None,
    state_key: str | None,
    episodes: Sequence[int] | None,
) -> Iterator[Recording]:
    reader = LeRobotReader(folder)
    camera_key = _choose(
        folder, "video", "--camera-key", camera_key, layout.video_keys(reader.features)
    )
    there = [int(record["episode_index"]) for record in reader.episodes]
    chosen = there if episodes is None else list(episodes)
    if odd := sorted(set(chosen) - set(there)):
        has = f"episodes {there[0]} to {there[-1]}" if there else "no episodes"
        raise DatasetError(f"{folder} has no episode {odd[0]}; it has {has}")
    for episode in chosen:
        yield episode_recording(reader, robot, episode, camera_key, state_key)


def episode_recording(
    reader: LeRobotReader, robot: Robot, episode: int, camera_key: str, state_key: str | None = None
) -> Recording:
    """One episode of a LeRobot data set as one of its cameras saw it.

    Raises:
        DatasetError: the episode is empty, or its state is not this robot's joints.
    """
    rows = reader.rows(episode)
    log = episode_log(reader, robot, rows, state_key)
    times = np.asarray(rows["timestamp"], dtype=float)
    if not len(times):
        raise DatasetError(f"episode {episode} of {reader.folder} is empty")
    height, width = reader.features[camera_key]["shape"][:2]
    return Recording(
        name=f"{reader.folder}, episode {episode}, {camera_key}",
        source=EpisodeFrames(reader.folder, episode, camera_key, len(times)),
        image_size=(int(width), int(height)),
        frame_times=times,
        log=log,
        episode=episode,
        camera_key=camera_key,
        notes=log.notes,
    )


def episode_log(
    reader: LeRobotReader, robot: Robot, rows: dict[str, Array], state_key: str | None = None
) -> JointLog:
    """The joints in an episode's rows.

    Raises:
        DatasetError: there is no such column, or it does not hold this robot's joints.
    """
    wide = [
        name for name, feature in reader.features.items()
        if name in rows and np.ndim(rows[name]) == 2 and feature["dtype"].startswith("float")
    ]  # fmt: skip
    usual = [key for key in STATE_KEYS if key in wide]
    key = _choose(reader.folder, "column", "--state-key", state_key, wide, usual)
    names = reader.features[key].get("names")
    if isinstance(names, dict):  # {"motors": [...]}
        names = next(iter(names.values()), None)
    flat = None if not names else [str(name) for name in names]
    values = np.asarray(rows[key], dtype=float)
    if flat is not None and len(flat) != values.shape[1]:
        flat = None
    log = joint_log(flat, values, robot, f"{reader.folder}, column {key}")
    return replace(log, times=np.asarray(rows["timestamp"], dtype=float))


def _choose(
    folder: Path, what: str, option: str, wanted: str | None, there: Sequence[str],
    usual: Sequence[str] = (),
) -> str:  # fmt: skip
    if wanted is not None:
        if wanted not in there:
            raise DatasetError(
                f"{folder} has no {what} {wanted!r}; valid: {', '.join(there) or 'none'}"
            )
        return wanted
    if usual:
        return usual[0]
    if len(there) == 1:
        return there[0]
    if not there:
        raise DatasetError(f"{folder} has no {what} that could be used")
    raise DatasetError(f"{folder} has several {what}s; choose one by {option}: {', '.join(there)}")
