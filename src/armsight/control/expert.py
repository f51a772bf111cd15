"""A scripted expert: picks the object and drops it into the basket, each time a little differently.

It reads the simulator's own object poses, so it may make demonstrations, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.control.scene import Grasp, bodies, grasps, target_and_basket
from armsight.control.simulation import Simulation

Vector = NDArray[np.float64]
POINTING_DOWN = np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, -1]])
"""End effector's axes in the base frame at yaw 0"""
POSITION_SCALE, ROTATION_SCALE = 0.05, 0.5
OPEN, CLOSE = -1.0, 1.0
MAX_STEPS = 420
MOST_OPEN = 0.078
"""Between the fingers [m]"""
WORKSPACE = np.array([[0.35, -0.28, 0.12], [0.8, 0.32, 0.36]])
"""Corners of the box that detours go through, base frame [m]"""


@dataclass(frozen=True)
class Style:
    """How one episode is carried out. Lengths in metres, times in control steps."""

    speed: float = 1.0
    """Largest norm of the translation command"""
    descent: float = 0.6
    """Part of `speed` near the object and the basket"""
    gain: float = 1.8
    """Command per distance, in units of the command's scale"""
    smoothing: float = 0.5
    """Part of the last command that is kept"""
    approach: float = 0.08
    """How far above the grasp the descent begins"""
    depth: float = 0.03
    """How far below the object's top it is held"""
    clearance: float = 0.04
    """Of the carried object's bottom over the basket's rim"""
    drop: float = 0.03
    """The object is let go this far below the carrying height"""
    close_steps: int = 10
    grasp_offset: tuple[float, float] = (0.0, 0.0)
    yaw_offset: float = 0.0
    drop_offset: tuple[float, float] = (0.0, 0.0)
    second_grasp: bool = False
    """Take the second best turn of the gripper"""
    detours: tuple[tuple[float, float, float, float], ...] = ()
    """x, y, z, yaw to pass through before the approach"""
    via: tuple[tuple[float, float, float, float], ...] = ()
    """The same between lifting and the basket; never lower than the carrying height"""
    hesitation: float = 0.0
    """Chance of a pause at each change of plan"""
    noise: float = 0.0
    """Standard deviation of what is added to the command"""
    noise_memory: float = 0.0
    """Correlation of that from step to step"""
    after: int = 2
    """Steps after success"""


def draw_style(rng: np.random.Generator) -> Style:
    """A random way to carry out an episode."""

    def somewhere() -> tuple[float, float, float, float]:
        x, y, z = rng.uniform(*WORKSPACE)
        return float(x), float(y), float(z), float(rng.normal(0, 0.5))

    offset = rng.normal(0, 0.003, 2).clip(-0.006, 0.006)
    drop = rng.normal(0, 0.012, 2).clip(-0.025, 0.025)
    return Style(
        speed=float(rng.uniform(0.7, 1.5)),
        descent=float(rng.uniform(0.45, 0.9)),
        gain=float(rng.uniform(1.5, 2.6)),
        smoothing=float(rng.uniform(0.1, 0.7)),
        approach=float(rng.uniform(0.03, 0.13)),
        depth=float(rng.uniform(0.02, 0.045)),
        clearance=float(rng.uniform(0.03, 0.09)),
        drop=float(rng.uniform(0.0, 0.08)),
        close_steps=int(rng.integers(8, 16)),
        grasp_offset=(float(offset[0]), float(offset[1])),
        yaw_offset=float(rng.normal(0, 0.06)),
        drop_offset=(float(drop[0]), float(drop[1])),
        second_grasp=bool(rng.random() < 0.15),
        detours=tuple(somewhere() for _ in range(rng.choice(3, p=[0.65, 0.25, 0.1]))),
        via=tuple(somewhere() for _ in range(rng.choice(2, p=[0.85, 0.15]))),
        hesitation=float(rng.choice([0.0, 0.15, 0.4], p=[0.5, 0.3, 0.2])),
        noise=float(rng.choice([0.0, 0.04, 0.1], p=[0.3, 0.4, 0.3])),
        noise_memory=float(rng.uniform(0, 0.9)),
        after=int(rng.integers(0, 10)),
    )


@dataclass(frozen=True)
class Leg:
    """One part of the way: where to, how the gripper stands, and when it is done."""

    position: Vector
    yaw: float
    gripper: float
    tolerance: float
    """[m]; the leg also ends when the arm gets no nearer"""
    speed: float = 1.0
    min_steps: int = 1
    max_steps: int = 120
    stay: bool = False
    """Hold still for `min_steps`"""
    straight: float = np.inf
    """Go down only while the horizontal error is about this small [m]"""


class Expert:
    """Drives a simulation that was just reset.

    Args:
        sim: read before each action: poses of the arm and of the objects.
        style: how to do it.
        rng: for noise and hesitation only.
    """

    def __init__(self, sim: Simulation, style: Style, rng: np.random.Generator) -> None:
        self.sim, self.style, self._rng = sim, style, rng
        self._target, self._basket = target_and_basket(sim)
        self._last = np.zeros(6)
        self._noise = np.zeros(6)

    def actions(self) -> Iterator[Vector]:
        """(7,) commands; after each, the caller steps the simulation with it.

        Ends after success, or when the expert gives up.
        """
        count = 0
        for attempt in range(3):
            for leg in self._plan(attempt):
                for action in self._follow(leg):
                    yield action
                    count += 1
                    if self.sim.success or count >= MAX_STEPS:
                        break
                if self.sim.success or count >= MAX_STEPS:
                    break
            if self.sim.success or count >= MAX_STEPS:
                break
        if self.sim.success:
            here, yaw = self.sim.T_base_ee[:3, 3], self._yaw()
            up = Leg(here + [0, 0, 0.1], yaw, OPEN, 0.0, max_steps=self.style.after)
            yield from self._follow(up)

    def _plan(self, attempt: int) -> Iterator[Leg]:
        """The legs of one attempt; each is planned when the one before has ended."""
        style = self.style
        scene = bodies(self.sim)
        grasp = self._choose(grasps(scene, self._target, style.depth, 0.012))
        if attempt == 0:
            for x, y, z, yaw in style.detours:
                yield Leg(np.array([x, y, z]), yaw, OPEN, 0.04)
        start = self.sim.T_base_ee[:3, 3]
        yaw = grasp.yaw + style.yaw_offset * (attempt == 0)
        # What is nearly as wide as the open gripper must be met in the middle.
        margin = max((MOST_OPEN - grasp.width) / 2, 0.004)
        offset = np.array([*style.grasp_offset, 0.0]) * (attempt == 0) * min(1, margin / 0.015)
        over = grasp.position + offset + [0, 0, style.approach]
        tall = max(body.high[2] for body in scene.values()) + 0.02
        if attempt and start[2] < tall:
            yield Leg(np.array([*start[:2], tall]), yaw, OPEN, 0.03)
        exact = min(0.4 * margin, 0.008)
        yield Leg(over, yaw, OPEN, max(exact, 0.003))
        yield Leg(grasp.position + offset, yaw, OPEN, 0.004, style.descent, straight=exact)
        if self.sim.T_base_ee[2, 3] > grasp.position[2] + 0.015:
            return  # a finger stands on something
        held = self.sim.T_base_ee[:3, 3]
        yield Leg(held, yaw, CLOSE, 0.0, min_steps=style.close_steps, stay=True)

        scene = bodies(self.sim)
        held = self.sim.T_base_ee[:3, 3]
        rim = scene[self._basket].high[2]
        hang = held[2] - scene[self._target].low[2]
        carry = min(rim + hang + style.clearance, 0.42)
        centre = (scene[self._basket].low + scene[self._basket].high)[:2] / 2
        goal = np.array([*(centre + style.drop_offset), carry])
        yield Leg(np.array([*held[:2], carry]), yaw, CLOSE, 0.03)
        if bodies(self.sim)[self._target].low[2] < 0.02:
            return  # it slipped: plan anew
        for x, y, z, turn in style.via:
            yield Leg(np.array([x, y, max(z, carry)]), turn, CLOSE, 0.05)
        yield Leg(goal, yaw, CLOSE, 0.015)
        if bodies(self.sim)[self._target].low[2] < 0.02:
            return
        low = goal - [0, 0, style.drop]
        yield Leg(low, yaw, CLOSE, 0.01, style.descent)
        yield Leg(self.sim.T_base_ee[:3, 3], yaw, OPEN, 0.0, min_steps=25, stay=True)

    def _choose(self, ranked: list[Grasp]) -> Grasp:
        good = [grasp for grasp in ranked if grasp.cost < ranked[0].cost + 0.15]
        return good[1] if self.style.second_grasp and len(good) > 1 else good[0]

    def _follow(self, leg: Leg) -> Iterator[Vector]:
        """Commands until the leg is done."""
        style, rng = self.style, self._rng
        if rng.random() < style.hesitation:
            for _ in range(rng.integers(2, 9)):
                yield self._command(np.zeros(6), leg.gripper)
        best, since = np.inf, 0
        for step in range(leg.min_steps if leg.stay else leg.max_steps):
            T = self.sim.T_base_ee
            error = leg.position - T[:3, 3]
            turn = _rotation_vector(_pointing_down(leg.yaw) @ T[:3, :3].T)
            distance = float(np.linalg.norm(error))
            if not leg.stay and step >= leg.min_steps:
                if distance < leg.tolerance and np.linalg.norm(turn) < 0.12:
                    return
                since = 0 if distance < best - 5e-4 else since + 1
                if since > 12:
                    return
            best = min(best, distance)
            move = style.gain * error / POSITION_SCALE
            limit = style.speed * leg.speed
            move *= min(1.0, limit / max(float(np.linalg.norm(move)), 1e-9))
            aside = float(np.linalg.norm(error[:2]))
            if move[2] < 0 and aside > leg.straight:
                move[2] *= max(0.0, 1 - (aside - leg.straight) / 0.005)
            turn = style.gain * turn / ROTATION_SCALE
            turn *= min(1.0, 0.5 * limit / max(float(np.linalg.norm(turn)), 1e-9))
            yield self._command(np.concatenate([move, turn]), leg.gripper)

    def _command(self, wanted: Vector, gripper: float) -> Vector:
        style = self.style
        self._last = style.smoothing * self._last + (1 - style.smoothing) * wanted
        fresh = np.sqrt(1 - style.noise_memory**2) * style.noise
        self._noise = style.noise_memory * self._noise + fresh * self._rng.normal(size=6)
        arm = np.clip(self._last + self._noise * [1, 1, 1, 0.5, 0.5, 0.5], -1, 1)
        return np.append(arm, gripper)

    def _yaw(self) -> float:
        along = self.sim.T_base_ee[:2, 0]
        return float(np.arctan2(-along[0], along[1]))


def _pointing_down(yaw: float) -> Vector:
    c, s = np.cos(yaw), np.sin(yaw)
    return np.asarray(np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ POINTING_DOWN)


def _rotation_vector(R: Vector) -> Vector:
    return np.asarray(cv2.Rodrigues(R)[0].ravel(), np.float64)
