"""Photos whose joint angles and camera are known: how far off is what one photo says?

    python benchmarks/known_joints.py PATH_TO_xarm7_known_joints [--robot xarm7] [--weights FOLDER]

The folder holds `color/`, `joint_positions.csv` [rad], `K.txt`, and `T_cam_base_depth.txt`, the
base in the camera by registration of depth (good to about 5 mm). Each photo is read alone, with K.
ADD is the mean distance of the robot's keypoints, all of them, from where they truly are. A photo
without an answer has no figures, and is said.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from armsight.estimate.estimator import Estimator
from armsight.geometry import transform_points


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--robot", default="xarm7")
    parser.add_argument("--weights", help="in place of the package's")
    given = parser.parse_args()
    estimator = Estimator.from_pretrained(given.weights or given.robot)
    robot = estimator.robot
    angles = np.loadtxt(given.folder / "joint_positions.csv", delimiter=",", skiprows=1)
    K, T = (np.loadtxt(given.folder / name) for name in ("K.txt", "T_cam_base_depth.txt"))
    photos = sorted((given.folder / "color").iterdir())
    means, adds, inside = [], [], []
    for photo, q in zip(photos, angles, strict=True):
        state = estimator(photo, K=K)
        if state.joint_positions is None or state.joint_std is None or state.T_cam_base is None:
            print(f"{photo.name}: no answer ({'; '.join(state.messages)})")
            continue
        error = np.abs(state.joint_positions - q)
        found = transform_points(state.T_cam_base, robot.keypoints(state.joint_positions))
        add = np.linalg.norm(found - transform_points(T, robot.keypoints(q)), axis=-1).mean()
        means.append(np.degrees(error[:6]).mean())
        adds.append(1000 * add)
        inside.append(error[:6] <= 2 * state.joint_std[:6])
        print(
            f"{photo.name}: confidence {state.confidence:.2f}, joints 1 to 6 off by "
            f"{means[-1]:.1f} deg (each: {', '.join(f'{d:.1f}' for d in np.degrees(error))}), "
            f"ADD {adds[-1]:.0f} mm"
        )
    print(f"{len(means)} of {len(photos)} photos answered")
    if means:
        print(f"joints 1 to 6: mean {np.mean(means):.1f} deg; median {np.median(means):.1f} deg")
        print(f"ADD: mean {np.mean(adds):.0f} mm, median {np.median(adds):.0f} mm")
        print(f"joints 1 to 6 within two stds: {100 * np.mean(inside):.0f} %")


if __name__ == "__main__":
    main()
