"""How well the camera of real photos with known joints is found.

    python benchmarks/camera_calibration.py ../shared/data

Reads `xarm7_known_joints` (ten photos of an xArm7; truth by registration of depth, good to about
5 mm) and `franka_real` (ten photos of a Panda whose log runs ahead of photos 2 to 9; no truth).
Errors are those of the camera's place and turn in the base frame. Every row has its number of
runs, and a share comes with Wilson's 95 % interval.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from armsight import CameraCalibration, calibrate_camera, load_robot
from armsight.camera.image import load_image
from armsight.geometry import invert_transform
from armsight.reports.intervals import wilson_interval

Array = NDArray[np.floating]

NUM_STARTS, NUM_SUBSETS = 10, 10


@dataclass(frozen=True)
class Photos:
    """Photos, joints (N, J) [rad], K (3, 3) [px] and the true camera (4, 4), where it is known."""

    robot: str
    images: list[NDArray[np.uint8]]
    q: Array
    K: Array
    T_cam_base: Array | None


@dataclass(frozen=True)
class Run:
    """One calibration, how long it took [s], and how far off it is."""

    found: CameraCalibration
    seconds: float
    truth: Array
    K: Array

    @property
    def mm(self) -> float:
        """of the camera's place; infinite without an answer"""
        if self.found.T_base_cam is None:
            return np.inf
        off = self.found.T_base_cam[:3, 3] - invert_transform(self.truth)[:3, 3]
        return 1000 * float(np.linalg.norm(off))

    @property
    def deg(self) -> float:
        """of its turn"""
        if self.found.T_cam_base is None:
            return np.inf
        turn = self.found.T_cam_base[:3, :3] @ self.truth[:3, :3].T
        return float(np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1))))

    @property
    def focal(self) -> float:
        """of the focal length, as a share"""
        if self.found.T_cam_base is None:
            return np.inf
        return float(abs(self.found.K[0, 0] / self.K[0, 0] - 1))

    @property
    def within_two_stds(self) -> bool:
        """Whether each coordinate of the camera's place is within two of its stds."""
        std = self.found.T_base_cam_std
        if std is None or self.found.T_base_cam is None:
            return False
        off = self.found.T_base_cam[:3, 3] - invert_transform(self.truth)[:3, 3]
        return bool((np.abs(off) <= 2 * std[3:]).mean() > 0.99)


def read(folder: Path, robot: str, suffix: str) -> Photos:
    """A folder of the shared data."""
    paths = sorted((folder / "color").glob(f"*{suffix}"))
    images = [load_image(path).pixels for path in paths]
    if (folder / "joint_positions.csv").exists():
        q = np.loadtxt(folder / "joint_positions.csv", delimiter=",", skiprows=1)
    else:
        q = np.stack([np.loadtxt(path)[:7] for path in sorted((folder / "qpos").glob("*.txt"))])
    truth = folder / "T_cam_base_depth.txt"
    T = np.loadtxt(truth) if truth.exists() else None
    return Photos(robot, images, q, np.loadtxt(folder / "K.txt"), T)


def calibrated(photos: Photos, which: Array, seed: int, known_K: bool = True) -> Run:
    """From some of the photos."""
    start = time.perf_counter()
    found = calibrate_camera(
        load_robot(photos.robot),
        [photos.images[i] for i in which],
        photos.q[which],
        K=photos.K if known_K else None,
        seed=seed,
    )
    truth = np.eye(4) if photos.T_cam_base is None else photos.T_cam_base
    return Run(found, time.perf_counter() - start, truth, photos.K)


def row(name: str, runs: list[Run], bar: Callable[[Run], bool]) -> None:
    """Print one."""
    good = sum(bar(run) for run in runs)
    low, high = wilson_interval(good, len(runs))
    mm, deg = (np.array([getattr(run, key) for run in runs]) for key in ("mm", "deg"))
    print(
        f"| {name} | {len(runs)} | {np.median(mm):.1f} ({mm.max():.1f}) | "
        f"{np.median(deg):.2f} ({deg.max():.2f}) | "
        f"{100 * np.median([run.focal for run in runs]):.2f} % | {good}/{len(runs)} "
        f"[{100 * low:.0f}, {100 * high:.0f}] % | "
        f"{sum(run.within_two_stds for run in runs)}/{len(runs)} | "
        f"{np.median([run.seconds for run in runs]):.1f} |",
        flush=True,
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    xarm = read(data / "xarm7_known_joints", "xarm7", ".jpg")
    every = np.arange(len(xarm.images))
    print(
        "| xArm7 | n | mm: median (worst) | deg: median (worst) | focal length off "
        "| within the bar [95 %] | place within two stds | seconds |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    row(
        "ten photos, K known (10 mm, 0.3 deg)",
        [calibrated(xarm, every, seed) for seed in range(NUM_STARTS)],
        lambda run: run.mm <= 10 and run.deg <= 0.3,
    )
    subsets = [
        np.sort(np.random.default_rng(seed).permutation(len(every))[:5])
        for seed in range(NUM_SUBSETS)
    ]
    row(
        "five photos, K known (15 mm, 0.6 deg)",
        [calibrated(xarm, which, seed) for seed, which in enumerate(subsets)],
        lambda run: run.mm <= 15 and run.deg <= 0.6,
    )
    row(
        "ten photos, K unknown (focal length 3 %)",
        [calibrated(xarm, every, seed, known_K=False) for seed in range(NUM_STARTS)],
        lambda run: run.focal <= 0.03,
    )
    wrong = [
        calibrate_camera(
            "xarm7", xarm.images, xarm.q[np.random.default_rng(seed).permutation(10)], K=xarm.K
        )
        for seed in range(3)
    ]
    print(f"\nshuffled logs: {[one.verdict for one in wrong]}")
    franka = read(data / "franka_real", "panda", ".png")
    found = calibrated(franka, np.arange(10), 0).found
    print(f"\nfranka_real: {found}")
    print("edge alignment:", ", ".join(f"{f.index}: {f.edge_alignment:.2f}" for f in found.frames))


if __name__ == "__main__":
    main()
