"""A robot arm, read from its data file.

A new robot is a new data file (see docs/train-your-own.md); no code knows a robot by name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import ArrayLike, NDArray

from armsight.errors import BadShapeError, UnknownRobotError
from armsight.geometry import make_transform
from armsight.robots.check import check_robot
from armsight.robots.kinematics import Chain, link_frames, points_on_links

Array = NDArray[np.floating]

DATA_FOLDER = Path(__file__).parent
DESCRIPTION_SUFFIXES = (".urdf", ".xml", ".mjcf", ".xacro")
"""Of files that may be a robot description."""


@dataclass(frozen=True)
class ToolFrame:
    """A frame fixed on a link."""

    link: str
    T_link_tool: Array
    """(4, 4) [m]"""


@dataclass(frozen=True)
class Robot:
    """Joints, link frames and keypoints of one robot. J joints, L links, K keypoints."""

    name: str
    joint_names: tuple[str, ...]
    joint_limits: Array
    """(J, 2) lower and upper [rad]"""
    ready_positions: Array
    """(J,) a usual working pose [rad]"""
    link_names: tuple[str, ...]
    chain: Chain
    keypoint_names: tuple[str, ...]
    num_origin_keypoints: int
    """The first so many keypoints are link frame origins (DREAM's), the others surface points."""
    keypoint_links: NDArray[np.intp]
    """(K,) index of the link that carries each keypoint"""
    keypoint_positions: Array
    """(K, 3) [m] in the link's frame"""
    skeleton: tuple[tuple[int, int], ...]
    """Pairs of keypoint indices that a drawing joins by a line"""
    simulation: dict[str, Any] = field(repr=False)
    """Where the MuJoCo model comes from; read by armsight.render only"""
    folder: Path = field(repr=False, default=DATA_FOLDER)
    max_velocity: Array | None = None
    """(J,) [rad/s], where the data file says it"""
    max_acceleration: Array | None = None
    """(J,) [rad/s^2], where the data file says it"""
    tool_frames: Mapping[str, ToolFrame] = field(repr=False, default_factory=dict)
    """Frames that end effectors are known by, such as the point between the fingertips"""
    notes: tuple[str, ...] = field(repr=False, default=())
    """What was noticed when the data file was made from a URDF or MJCF"""

    def forward_kinematics(self, joint_positions: ArrayLike) -> Array:
        """Link frames `T_base_link` (..., L, 4, 4) [m] for joint positions (..., J) [rad].

        Raises:
            BadShapeError: the last axis is not J long.
        """
        rotations, origins = link_frames(self.chain, self._check(joint_positions), np)
        T = np.zeros((*origins.shape[:-1], 4, 4))
        T[..., :3, :3], T[..., :3, 3], T[..., 3, 3] = rotations, origins, 1.0
        return T

    def keypoints(self, joint_positions: ArrayLike) -> Array:
        """Keypoints (..., K, 3) [m, base frame] for joint positions (..., J) [rad].

        Raises:
            BadShapeError: the last axis is not J long.
        """
        frames = link_frames(self.chain, self._check(joint_positions), np)
        points: Array = points_on_links(frames, self.keypoint_links, self.keypoint_positions)
        return points

    def tool_frame(self, name: str) -> ToolFrame:
        """The tool frame, or else the link, of that name.

        Raises:
            UnknownRobotError: this robot has neither.
        """
        if name in self.tool_frames:
            return self.tool_frames[name]
        if name in self.link_names:
            return ToolFrame(name, np.eye(4))
        raise UnknownRobotError(
            f"{self.name} has no frame {name!r}; its data file names the tool frames "
            f"{', '.join(self.tool_frames) or '(none)'} and the links {', '.join(self.link_names)}"
        )

    def clip(self, joint_positions: ArrayLike) -> Array:
        """Joint positions (..., J) [rad] moved to the nearest ones within the limits."""
        q = self._check(joint_positions)
        clipped: Array = np.clip(q, self.joint_limits[:, 0], self.joint_limits[:, 1])
        return clipped

    @cached_property
    def joint_links(self) -> list[int]:
        """(J) the link that each joint turns"""
        return [self.chain.joints.index(j) for j in range(len(self.joint_names))]

    @cached_property
    def joint_axes(self) -> Array:
        """(J, 3) each joint's axis in the frame of the link that it turns"""
        W = self.chain.axis_skews[self.joint_links]
        return np.stack([W[:, 2, 1], W[:, 0, 2], W[:, 1, 0]], -1)

    @cached_property
    def joint_moves(self) -> NDArray[np.bool_]:
        """(J, L) whether each joint moves each link"""
        moves = np.zeros((len(self.chain.parents), len(self.joint_names)), dtype=bool)
        for i, (parent, joint) in enumerate(
            zip(self.chain.parents, self.chain.joints, strict=True)
        ):
            if parent >= 0:
                moves[i] = moves[parent]
            if joint >= 0:
                moves[i, joint] = True
        return moves.T

    @cached_property
    def reach(self) -> float:
        """[m] How far from the base the arm gets: of 512 random poses the farthest keypoint's
        distance, but for the farthest hundredth of the poses."""
        low, high = self.joint_limits.T
        q = low + (high - low) * np.random.default_rng(0).random((512, len(low)))
        distances = np.linalg.norm(self.keypoints(q), axis=-1).max(axis=-1)
        return float(np.quantile(distances, 0.99))

    @property
    def shapes_written(self) -> int:
        """[ns] When the file of link shapes was written, 0 where there is none."""
        path = self.folder / f"{self.name}.npz"
        return path.stat().st_mtime_ns if path.is_file() else 0

    def link_shapes(self) -> dict[str, tuple[Array, NDArray[np.int64]]]:
        """Light meshes for outlines: link name -> vertices (V, 3) [m, link frame], faces (F, 3).

        Links without a shape are left out.

        Raises:
            UnknownRobotError: the file of meshes beside the data file is missing or broken.
        """
        path = self.folder / f"{self.name}.npz"
        try:
            # NumPy leaves a file open that it cannot read.
            with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
                names = [name for name in self.link_names if f"{name}.vertices" in data]
                pairs = [(data[f"{name}.vertices"], data[f"{name}.faces"]) for name in names]
        except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
            raise UnknownRobotError(
                f"cannot read the link shapes of {self.name} from {path}: {error}; it is written "
                "beside the data file by `armsight make-robot`, so copy both"
            ) from error
        return {n: (v.astype(float), f.astype(int)) for n, (v, f) in zip(names, pairs, strict=True)}

    def _check(self, joint_positions: ArrayLike) -> Array:
        q = np.asarray(joint_positions, dtype=float)
        if q.ndim == 0 or q.shape[-1] != len(self.joint_names):
            raise BadShapeError(
                f"joint positions of {self.name} have shape {q.shape}, but the last axis must be "
                f"{len(self.joint_names)} long, one value [rad] for each of "
                f"{', '.join(self.joint_names)}"
            )
        return q


def available_robots() -> tuple[str, ...]:
    """Names of the robots whose data files come with the package."""
    return tuple(sorted(path.stem for path in DATA_FOLDER.glob("*.json")))


def is_description(name: str | Path) -> bool:
    """Whether a robot's name is a URDF or MJCF file, perhaps with `#TIP` or `#BASE:TIP`."""
    return Path(str(name).partition("#")[0]).suffix.lower() in DESCRIPTION_SUFFIXES


def load_robot(name: str | Path) -> Robot:
    """The robot of that name, or the one described by a file at that path.

    Args:
        name: a name, a data file (.json), or a URDF or MJCF file as it is. Of one with several
            arms, `FILE#TIP` or `FILE#BASE:TIP` choose the links where the arm ends and begins.

    Raises:
        UnknownRobotError: there is no such robot, or the data file is broken.
        ConfigError: the URDF or MJCF, or one of its meshes, cannot be used.
        MissingExtraError: a URDF or MJCF is given, and what reads it is not installed.
    """
    path = Path(name)
    if is_description(name):
        from armsight.robots.description.from_file import data_file_of

        path = data_file_of(name)
    if path.suffix != ".json":
        path = DATA_FOLDER / f"{name}.json"
        if str(name) not in available_robots():
            raise UnknownRobotError(
                f"unknown robot {str(name)!r}; known: {', '.join(available_robots())}. "
                "For your own robot give its URDF or MJCF file, or a .json data file."
            )
    try:
        changed = path.stat().st_mtime_ns
    except OSError:
        changed = 0
    return _read(path, changed)


@lru_cache(maxsize=16)
def _read(path: Path, changed: int) -> Robot:
    """`changed` is when the file was written last, so that a new one is read again."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        check_robot(data)
    except OSError as error:
        raise UnknownRobotError(f"cannot read robot file {path}: {error.strerror}") from error
    except ValueError as error:
        raise UnknownRobotError(f"robot file {path} is broken: {error}") from error
    return _from_json(data, path.parent)


def _from_json(data: dict[str, Any], folder: Path) -> Robot:
    links, joints, keypoints = data["links"], data["joints"], data["keypoints"]
    link_index = {link["name"]: i for i, link in enumerate(links)}
    joint_index = {joint["name"]: i for i, joint in enumerate(joints)}
    axes = np.array([joints[joint_index[k["joint"]]]["axis"] if k["joint"] else [0, 0, 0]
                     for k in links], dtype=float)  # fmt: skip
    x, y, z = axes.T
    zero = np.zeros_like(x)
    chain = Chain(
        parents=tuple(-1 if k["parent"] is None else link_index[k["parent"]] for k in links),
        joints=tuple(-1 if k["joint"] is None else joint_index[k["joint"]] for k in links),
        rotations=np.array([_rotation_wxyz(k["rotation_wxyz"]) for k in links]),
        translations=np.array([k["translation"] for k in links], dtype=float),
        axis_skews=np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(-1, 3, 3),
    )
    names = tuple(k["name"] for k in keypoints)
    return Robot(
        name=data["name"],
        joint_names=tuple(joint_index),
        joint_limits=np.array([joint["limits"] for joint in joints], dtype=float),
        ready_positions=np.array([joint["ready"] for joint in joints], dtype=float),
        link_names=tuple(link_index),
        chain=chain,
        keypoint_names=names,
        num_origin_keypoints=sum(k["kind"] == "origin" for k in keypoints),
        keypoint_links=np.array([link_index[k["link"]] for k in keypoints]),
        keypoint_positions=np.array([k["position"] for k in keypoints], dtype=float),
        skeleton=tuple((names.index(a), names.index(b)) for a, b in data["skeleton"]),
        simulation=data.get("simulation", {}),
        folder=folder,
        max_velocity=_of_all(joints, "max_velocity"),
        max_acceleration=_of_all(joints, "max_acceleration"),
        tool_frames={
            key: ToolFrame(
                frame["link"],
                make_transform(_rotation_wxyz(frame["rotation_wxyz"]), frame["translation"]),
            )
            for key, frame in data.get("tool_frames", {}).items()
        },
        notes=tuple(data.get("notes", ())),
    )


def _of_all(joints: list[dict[str, Any]], key: str) -> Array | None:
    """(J,) of every joint, or None where one of them lacks it."""
    if not all(key in joint for joint in joints):
        return None
    return np.array([joint[key] for joint in joints], dtype=float)


def _rotation_wxyz(quaternion_wxyz: list[float]) -> Array:
    w, x, y, z = np.asarray(quaternion_wxyz, dtype=float) / np.linalg.norm(quaternion_wxyz)
    R: Array = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    return R
