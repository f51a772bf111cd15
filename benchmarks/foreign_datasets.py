"""Data sets of robots that the package's action weights do not know, made in a simulator.

    python benchmarks/foreign_datasets.py so101 OUT --episodes 50 --seed 0
    python benchmarks/foreign_datasets.py panda OUT --episodes 50 --seed 0
    python benchmarks/foreign_datasets.py aloha OUT --episodes 50 --seed 0

so101   an SO-101, cameras `front` and `side`, 30 Hz, actions are joint targets in degrees and the
        gripper's in percent
panda   a Panda, camera `front`, 10 Hz, actions are steps of the end effector [m, rotation vector]
        and a gripper's sign
aloha   two ViperX arms of gym-aloha, camera `top`, 25 Hz, 14 joint targets [rad] of both

Each episode picks up a block and puts it down at random places. The arms follow their targets with
a lag, as position servos do, and the recorded state has the noise of an encoder. The pictures are
drawn by MuJoCo; the look of the room is the same in all episodes of a data set.
Needs armsight[render,control], for `aloha` also gym-aloha's files (pip install --no-deps
gym-aloha==0.1.5), for `so101` example-robot-data (pip install --no-deps example-robot-data==6.0.0).
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from armsight.data.lerobot import LeRobotWriter
from armsight.render.scene.appearance import Appearance, Light, Solid
from armsight.render.scene.scene import Scene
from armsight.robots import Robot, load_robot

Array = NDArray[np.float64]
SIZE = 128
LAG = 0.35
"""Share of the way to its target that a joint goes in one step of 1/30 s"""


def look_at(eye: Any, target: Any) -> Array:
    """T_cam_world (4, 4) of an OpenCV camera at `eye` that looks at `target`, upright."""
    eye, target = np.asarray(eye, float), np.asarray(target, float)
    z = (target - eye) / np.linalg.norm(target - eye)
    x = np.cross(z, [0, 0, 1])
    x /= np.linalg.norm(x)
    R = np.stack([x, np.cross(z, x), z])
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = R, -R @ eye
    return T


def camera_matrix(fov_deg: float) -> Array:
    """Intrinsics [px] of a SIZE x SIZE picture."""
    f = SIZE / 2 / np.tan(np.radians(fov_deg) / 2)
    c = (SIZE - 1) / 2
    return np.array([[f, 0, c], [0, f, c], [0, 0, 1]])


def minimum_jerk(knots: list[Array], lasts: list[int]) -> Array:
    """Rows from knot to knot, `lasts[i]` steps from knot i to the next."""
    rows = []
    for a, b, count in zip(knots[:-1], knots[1:], lasts, strict=True):
        t = np.arange(count)[:, None] / count
        rows.append(a + (b - a) * t**3 * (10 - 15 * t + 6 * t**2))
    return np.concatenate([*rows, knots[-1][None]])


def follow(targets: Array, start: Array, lag: float) -> Array:
    """States before each target is sent: a first-order servo."""
    state, rows = start.copy(), []
    for target in targets:
        rows.append(state.copy())
        state = state + lag * (target - state)
    return np.array(rows)


class Arm:
    """One arm of the package, its inverse kinematics, and its pictures."""

    def __init__(self, name: str, tip: str, cameras: dict[str, tuple[Array, Array]]) -> None:
        self.robot: Robot = load_robot(name)
        self.tip = self.robot.link_names.index(tip)
        self.cameras = cameras
        self.scene = Scene(self.robot, SIZE, SIZE)
        self.block = Solid("box", (0.015, 0.015, 0.015), (0.2, 0.0, 0.015), rgb=(0.8, 0.15, 0.1))
        table = Solid("box", (0.9, 0.9, 0.02), (0.2, 0.0, -0.021), rgb=(0.62, 0.5, 0.38))
        floor = Solid("plane", (5.0, 5.0, 0.1), (0.0, 0.0, -0.8), rgb=(0.35, 0.36, 0.4))
        lights = [Light(direction=(-0.4, 0.3, -1.0)), Light(direction=(0.5, -0.4, -0.8))]
        self.crop = Appearance(
            lights=lights, furniture={"floor": floor, "table": table}, shadows=False
        )

    def pose_of(self, q: Array) -> Array:
        """(4, 4) of the tip in the base frame."""
        return np.asarray(self.robot.forward_kinematics(q))[self.tip]

    def reach(self, position: Array, down: float, start: Array) -> Array:
        """Joint positions whose tip is at `position`; `down`: how much its z axis has to hang."""
        low, high = np.array(self.robot.joint_limits).T

        def miss(q: Array) -> Array:
            T = self.pose_of(q)
            return np.concatenate(
                [20 * (T[:3, 3] - position), down * (T[:3, 2] - [0, 0, -1]), 0.05 * (q - start)]
            )

        start = np.clip(start, low + 1e-3, high - 1e-3)
        return np.asarray(least_squares(miss, start, bounds=(low, high)).x)

    def pictures(self, q: Array, opening: float, block: Array) -> dict[str, NDArray[np.uint8]]:
        """What each camera sees."""
        self.scene.pose(q, opening)
        self.block.position = tuple(block)
        self.crop.objects = [self.block]
        self.scene.apply(self.crop)
        return {
            name: self.scene.draw(K, T, (SIZE, SIZE)).rgb for name, (K, T) in self.cameras.items()
        }


def carried(tips: Array, closed: NDArray[np.bool_], start: Array, height: float) -> Array:
    """(N, 3) of the block: it goes with the tip while the gripper is closed near it."""
    rows, at, held = [], start.copy(), None
    for tip, shut in zip(tips, closed, strict=True):
        if shut and held is None and np.linalg.norm(tip - at) < 0.06:
            held = at - tip
        if not shut:
            held = None
            at = np.array([at[0], at[1], height])
        if held is not None:
            at = tip + held
        rows.append(at)
    return np.array(rows)


def so101_episode(arm: Arm, rng: np.random.Generator) -> tuple[dict[str, Array], Any]:
    """Joint targets in degrees at 30 Hz."""
    ready = np.asarray(arm.robot.ready_positions, float)

    def place() -> Array:
        angle, far = rng.uniform(-0.9, 0.9), rng.uniform(0.17, 0.28)
        return np.array([far * np.cos(angle), far * np.sin(angle), 0.015])

    start, end = place(), place()
    up = np.array([0, 0, 0.07])
    home = ready + rng.normal(0, 0.12, len(ready))
    poses = [home]
    for point in (start + up, start, start + up, end + up, end, end + up):
        poses.append(arm.reach(point, 0.15, poses[-1]))
    poses.append(ready + rng.normal(0, 0.12, len(ready)))
    speed = rng.uniform(0.8, 1.3)
    lasts = [int(n / speed) for n in (24, 16, 16, 26, 16, 16, 20)]
    arm_path = minimum_jerk(poses, lasts)
    marks = np.cumsum(lasts)
    grip = np.full(len(arm_path), 0.6)
    close, release = marks[1] - rng.integers(0, 4), marks[4] - rng.integers(0, 4)
    grip[close:release] = 0.12
    targets = np.column_stack([np.degrees(arm_path), 100 * grip]).astype(float)
    states = follow(targets, targets[0], LAG)
    q, opening = np.radians(states[:, :-1]), states[:, -1] / 100
    tips = np.array([arm.pose_of(one)[:3, 3] for one in q])
    block = carried(tips, opening < 0.35, start, 0.015)
    noise = rng.normal(0, 0.05, states.shape)
    rows = {"action": targets, "observation.state": states + noise}
    return rows, (arm.pictures(*one) for one in zip(q, opening, block, strict=True))


def panda_episode(arm: Arm, rng: np.random.Generator) -> tuple[dict[str, Array], Any]:
    """Steps of the end effector at 10 Hz: translation [m], rotation vector [rad], gripper."""

    def place() -> Array:
        return np.array([rng.uniform(0.35, 0.6), rng.uniform(-0.28, 0.28), 0.1])

    start, end = place(), place()
    up = np.array([0, 0, 0.14])
    home = np.array([0.45, 0.0, 0.4]) + rng.normal(0, 0.05, 3)
    points = [home, start + up, start, start + up, end + up, end, end + up, home]
    turns = [0.0, *np.repeat(rng.uniform(-0.6, 0.6, 2), 3), 0.0]
    speed = rng.uniform(0.8, 1.3)
    lasts = [int(n / speed) for n in (14, 9, 9, 14, 9, 9, 10)]
    knots = [np.array([*p, turn]) for p, turn in zip(points, turns, strict=True)]
    goal = minimum_jerk(knots, lasts)
    marks = np.cumsum(lasts)
    gripper = np.full(len(goal), -1.0)
    gripper[marks[1] : marks[4]] = 1.0
    reached = follow(goal, goal[0], 0.6)
    step = goal - reached  # the controller's goal moves ahead of where the arm is
    zeros = np.zeros(len(goal))
    action = np.column_stack([step[:, :3], zeros, zeros, step[:, 3], gripper])
    opening = follow(np.where(gripper > 0, 0.02, 0.08)[:, None], np.array([0.08]), 0.6)[:, 0]
    state = np.column_stack(
        [reached[:, :3], zeros, zeros, reached[:, 3], opening / 2, -opening / 2]
    )
    q, rows_q = np.asarray(arm.robot.ready_positions, float), []
    low, high = np.array(arm.robot.joint_limits).T
    for x, y, z, turn in reached:
        R = Rotation.from_euler("z", turn).as_matrix() @ np.diag([1.0, -1.0, -1.0])
        R = R @ Rotation.from_euler("z", np.pi / 4).as_matrix()

        place = np.array([x, y, z])

        def miss(joints: Array, R: Array = R, at: Array = place, before: Array = q) -> Array:
            T = arm.pose_of(joints)
            return np.concatenate(
                [10 * (T[:3, 3] - at), (T[:3, :2] - R[:, :2]).ravel(), 0.01 * (joints - before)]
            )

        inside = np.clip(q, low + 1e-3, high - 1e-3)
        q = np.asarray(least_squares(miss, inside, bounds=(low, high)).x)
        rows_q.append(q)
    tips = np.column_stack([reached[:, :2], reached[:, 2] - 0.085])
    block = carried(tips, opening < 0.05, np.array([*start[:2], 0.015]), 0.015)
    state = state + rng.normal(0, 2e-4, state.shape)
    rows = {"action": action, "observation.state": state}
    pictures = (
        arm.pictures(one, gap / 0.08, at)
        for one, gap, at in zip(rows_q, opening, block, strict=True)
    )
    return rows, pictures


class TwoArms:
    """gym-aloha's pair of ViperX arms above a table."""

    def __init__(self) -> None:
        import mujoco

        found = importlib.util.find_spec("gym_aloha")
        if found is None or found.origin is None:
            raise SystemExit("pip install --no-deps gym-aloha==0.1.5")
        path = Path(found.origin).parent / "assets" / "bimanual_viperx_transfer_cube.xml"
        self._mj, self.model = mujoco, mujoco.MjModel.from_xml_path(str(path))
        self.model.vis.global_.offwidth = self.model.vis.global_.offheight = 2 * SIZE
        self.data = mujoco.MjData(self.model)
        from armsight.render.imaging.gl import Canvas

        self.canvas = Canvas(self.model, SIZE, SIZE)
        names = [self.model.joint(i).name for i in range(self.model.njnt)]
        self.arms = [
            [i for i, n in enumerate(names) if n.startswith(f"vx300s_{side}/")]
            for side in ("left", "right")
        ]
        self.names = [
            f"{side}_{part}"
            for side in ("left", "right")
            for part in ("waist", "shoulder", "elbow", "forearm_roll", "wrist_angle",
                         "wrist_rotate", "gripper")
        ]  # fmt: skip
        self.K, self.T = camera_matrix(75), look_at((0.0, -0.25, 1.0), (0.0, 0.45, 0.15))

    def pictures(self, q: Array, cube: Array) -> dict[str, NDArray[np.uint8]]:
        """q (14,): six joints [rad] and an opening 0 to 1 of each arm."""
        for side, joints in enumerate(self.arms):
            own = q[7 * side : 7 * side + 7]
            for joint, value in zip(joints[:6], own, strict=False):
                self.data.qpos[self.model.jnt_qposadr[joint]] = value
            finger = 0.021 + own[6] * (0.057 - 0.021)
            for joint, sign in zip(joints[6:8], (1, -1), strict=True):
                self.data.qpos[self.model.jnt_qposadr[joint]] = sign * finger
        free = np.flatnonzero(self.model.jnt_type == self._mj.mjtJoint.mjJNT_FREE)[0]
        address = self.model.jnt_qposadr[free]
        self.data.qpos[address : address + 7] = [*cube, 1, 0, 0, 0]
        self._mj.mj_kinematics(self.model, self.data)
        self._mj.mj_camlight(self.model, self.data)
        return {"top": self.canvas.draw(self.data, self.K, self.T, False, (SIZE, SIZE)).rgb}


def aloha_episode(arms: TwoArms, rng: np.random.Generator) -> tuple[dict[str, Array], Any]:
    """Both arms go from pose to pose; the grippers close and open on their own."""
    rest = np.array([0.0, -0.96, 1.16, 0.0, -0.3, 0.0, 1.0])
    spread = np.array([0.35, 0.35, 0.3, 0.25, 0.35, 0.4, 0.0])
    paths = []
    count = int(rng.integers(110, 140))
    for _ in range(2):
        knots, lasts, total = [rest + 0.3 * rng.normal(0, 1, 7) * spread], [], 0
        while total < count:
            lasts.append(int(rng.integers(18, 40)))
            knots.append(rest + rng.uniform(-1, 1, 7) * spread)
            total += lasts[-1]
        path = minimum_jerk(knots, lasts)[:count]
        close = int(rng.integers(20, 55))
        path[:, 6] = 1.0
        path[close : close + int(rng.integers(25, 50)), 6] = 0.05
        paths.append(path)
    targets = np.concatenate(paths, 1)
    states = follow(targets, targets[0], LAG)
    cube = np.array([rng.uniform(-0.1, 0.1), rng.uniform(0.4, 0.6), 0.05])
    rows = {"action": targets, "observation.state": states + rng.normal(0, 1e-3, states.shape)}
    return rows, (arms.pictures(one, cube) for one in states)


def vector(names: list[str]) -> dict[str, Any]:
    return {"dtype": "float32", "shape": (len(names),), "names": names}


def make(kind: str, out: Path, episodes: int, seed: int) -> None:
    """Write one data set."""
    make_one: Callable[[Any, np.random.Generator], tuple[dict[str, Array], Any]]
    arm: Any
    if kind == "so101":
        cameras = {
            "front": (camera_matrix(50), look_at((0.62, 0.12, 0.42), (0.16, 0.0, 0.06))),
            "side": (camera_matrix(50), look_at((0.2, -0.62, 0.3), (0.17, 0.0, 0.08))),
        }
        arm, make_one, fps = Arm("so101", "gripper_frame_link", cameras), so101_episode, 30
        names = [f"{name}.pos" for name in (*arm.robot.joint_names, "gripper")]
        states = names
    elif kind == "panda":
        cameras = {"front": (camera_matrix(45), look_at((1.5, 0.1, 0.95), (0.35, 0.0, 0.25)))}
        arm, make_one, fps = Arm("panda", "panda_hand", cameras), panda_episode, 10
        names = ["x", "y", "z", "roll", "pitch", "yaw", "gripper"]
        states = ["x", "y", "z", "roll", "pitch", "yaw", "finger_left", "finger_right"]
    else:
        arm, make_one, fps = TwoArms(), aloha_episode, 25
        cameras, names = {"top": (arm.K, arm.T)}, arm.names
        states = names
    features = {"action": vector(names), "observation.state": vector(states)}
    for name in cameras:
        features[f"observation.images.{name}"] = {
            "dtype": "video", "shape": (SIZE, SIZE, 3), "names": ["height", "width", "channels"],
        }  # fmt: skip
    with LeRobotWriter(out, fps=fps, robot_type=kind, features=features) as writer:
        for number in range(len(writer), episodes):
            rows, pictures = make_one(arm, np.random.default_rng([seed, number]))
            taken = list(pictures)
            frames = {
                f"observation.images.{name}": [one[name] for one in taken] for name in cameras
            }
            kept = {name: values.astype(np.float32) for name, values in rows.items()}
            writer.add_episode(kept, frames, "move the block")
            print(f"episode {number + 1} of {episodes}: {len(taken)} steps", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=("so101", "panda", "aloha"))
    parser.add_argument("out", type=Path)
    parser.add_argument("--episodes", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    make(given.kind, given.out, given.episodes, given.seed)
