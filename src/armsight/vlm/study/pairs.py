"""Sets of reference and target pictures to ask about: a folder with `pairs.json` and `images/`.

The paper's set ('DREAM-Mini') is not published; sets made here have a fixed seed. A target never
is its own reference. Where a source has pictures enough, references and targets are disjoint;
where it has not (ten photos), each target is asked about with references from the others.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.data.dataset import open_dataset
from armsight.data.frame import Dataset, Frame
from armsight.errors import DatasetError
from armsight.robots import Robot, load_robot

Array = NDArray[np.floating]

FORMAT = "armsight-pairs/1"
FILE = "pairs.json"
RENDERED = "rendered"
TARGETS_PER_REFERENCE = 5
"""So that errors can be clustered by the reference that the targets share"""


@dataclass(frozen=True)
class LabelledPicture:
    """A picture with its true joint angles."""

    name: str
    path: Path
    joint_positions: Array
    """(J,) [rad]"""
    group: str
    """The source it comes from"""
    K: Array | None = None
    T_cam_base: Array | None = None


@dataclass(frozen=True)
class Pair:
    """A target and its references, the first of which is used first."""

    name: str
    target: LabelledPicture
    references: tuple[LabelledPicture, ...]


@dataclass(frozen=True)
class PairSet:
    """What a study asks about."""

    path: Path
    robot: Robot
    pairs: tuple[Pair, ...]
    notes: tuple[str, ...] = ()

    @property
    def most_references(self) -> int:
        return min(len(pair.references) for pair in self.pairs)

    @property
    def fingerprint(self) -> str:
        """Changes with pictures' names, order, angles and references."""
        digest = hashlib.sha256(self.robot.name.encode())
        for pair in self.pairs:
            for shot in (pair.target, *pair.references):
                digest.update(shot.name.encode() + shot.joint_positions.tobytes())
        return digest.hexdigest()[:16]


def choose(
    shots: Sequence[LabelledPicture], count: int | None, references: int, rng: np.random.Generator
) -> tuple[list[Pair], bool]:
    """Pairs from one source, and whether references and targets are disjoint.

    Args:
        shots: the source's pictures.
        count: targets; as many as there are by default.
        references: of each target.

    Raises:
        DatasetError: there are too few pictures.
    """
    order = [shots[i] for i in rng.permutation(len(shots))]
    wanted = len(order) if count is None else count
    pool = max(references, -(-wanted // TARGETS_PER_REFERENCE))
    disjoint = count is not None and len(order) >= wanted + pool
    if not disjoint and (wanted > len(order) or references >= len(order)):
        raise DatasetError(
            f"{shots[0].group if shots else 'the source'} has {len(order)} pictures with joint "
            f"angles; {wanted} targets with {references} references each need more"
        )
    if disjoint:
        sources, targets = order[:pool], order[pool : pool + wanted]
    else:
        sources, targets = order, order[:wanted]
    pairs = []
    for k, target in enumerate(targets):
        turned = [sources[(k + i) % len(sources)] for i in range(len(sources))]
        chosen = tuple(shot for shot in turned if shot.name != target.name)[:references]
        pairs.append(Pair(target.name, target, chosen))
    return pairs, disjoint


def shots_of(dataset: Dataset, group: str) -> list[LabelledPicture]:
    """The pictures of a labelled data set that have joint angles."""
    return [
        LabelledPicture(f"{group}-{plain(frame.name)}", frame.image_path, frame.joint_positions,
                        group, frame.K, _camera_pose(frame, dataset.robot))
        for frame in dataset.frames
        if frame.robot_in_view and frame.joint_positions is not None
        and np.isfinite(frame.joint_positions).all()
    ]  # fmt: skip


def open_pairs(path: Path, robot: str, references: int, seed: int = 0) -> PairSet:
    """A set of pairs, or pairs made on the spot from a labelled data set.

    Raises:
        DatasetError: there is neither.
    """
    if (path / FILE).is_file():
        return read_pairs(path, robot)
    dataset = open_dataset(path, robot)
    rng = np.random.default_rng(np.random.SeedSequence((seed, 0x9A125)))
    shots = shots_of(dataset, plain(path.resolve().name))
    if not shots:
        raise DatasetError(f"{path} has no pictures with joint angles")
    pairs, _ = choose(shots, None, references, rng)
    note = "made on the spot: targets are also references of other targets"
    return PairSet(path, dataset.robot, tuple(pairs), (note,))


def read_pairs(path: Path, robot: str | None = None) -> PairSet:
    """Read a set.

    Raises:
        DatasetError: it is broken, or about another robot.
    """
    try:
        document = json.loads((path / FILE).read_text(encoding="utf-8"))
        if document["format"] != FORMAT:
            raise ValueError(f"its format is {document['format']!r}, not {FORMAT}")
        known = load_robot(document["robot"] if robot is None else robot)
        if document["joint_names"] != list(known.joint_names):
            raise ValueError(f"its joints are not those of {known.name}")
        shots = {one["name"]: _shot(path, one) for one in document["shots"]}
        pairs = tuple(
            Pair(one["name"], shots[one["target"]], tuple(shots[r] for r in one["references"]))
            for one in document["pairs"]
        )
        if not pairs:
            raise ValueError("it has no pairs")
        return PairSet(path, known, pairs, tuple(document.get("notes", ())))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"{path} is not a readable set of pairs ({error!r}); make one with "
            "`armsight make-pairs`"
        ) from error


def _shot(folder: Path, one: dict[str, Any]) -> LabelledPicture:
    def array(name: str) -> Array | None:
        return None if one.get(name) is None else np.array(one[name], dtype=float)

    q = array("joint_positions")
    if q is None or not np.isfinite(q).all():
        raise ValueError(f"{one['name']} has no joint angles")
    path = folder / one["image"]
    if not path.is_file():
        raise ValueError(f"picture {path} is missing")
    return LabelledPicture(one["name"], path, q, one["group"], array("K"), array("T_cam_base"))


def _camera_pose(frame: Frame, robot: Robot) -> Array | None:
    """`T_cam_base` as stated, or fitted to the 3D keypoints (rigid, Kabsch)."""
    if frame.T_cam_base is not None:
        return frame.T_cam_base
    if frame.keypoints_3d_cam is None or frame.joint_positions is None:
        return None
    known = [n in robot.keypoint_names for n in frame.keypoint_names]
    indices = [
        robot.keypoint_names.index(n) for n in frame.keypoint_names if n in robot.keypoint_names
    ]
    cam = frame.keypoints_3d_cam[known]
    seen = np.isfinite(cam).all(axis=1)
    if seen.sum() < 4:
        return None
    base = robot.keypoints(frame.joint_positions)[indices][seen]
    cam = cam[seen]
    U, _, Vt = np.linalg.svd((base - base.mean(0)).T @ (cam - cam.mean(0)))
    flip = np.diag([1.0, 1.0, np.sign(np.linalg.det(Vt.T @ U.T))])
    R = Vt.T @ flip @ U.T
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = R, cam.mean(0) - R @ base.mean(0)
    return T


def plain(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in name)
