"""How well the camera of rendered photos with known joints is found, for eight arms.

    pip install --no-deps gym-aloha==0.1.5 robosuite==1.4.0 example-robot-data==6.0.0
    python benchmarks/rendered_cameras.py --scenes 20 --journal runs/cameras.jsonl
    python benchmarks/rendered_cameras.py --scenes 20 --journal runs/no-K.jsonl --unknown-intrinsics
    python benchmarks/rendered_cameras.py --held-out 100 --journal runs/held-out.jsonl

Each scene is a room, a camera and 8 photos of an arm (`armsight render-clips`); seeds below 1000
are for tuning. With `--held-out`: the Panda before the cameras of the preset `held-out`, 10 frames
a clip, two a second. A scene counts as found within 10 mm and 0.5 degrees of the camera's place
and turn in the base frame. An interrupted run goes on from its journal.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from armsight.evaluate.poses.metrics import add, auc
from armsight.fit.calibrate_camera import calibrate_camera
from armsight.geometry import invert_transform
from armsight.render.clips.clip import Clip, ClipMaker, ClipSettings
from armsight.render.presets import PRESETS
from armsight.reports.intervals import wilson_interval
from armsight.reports.journal import Journal
from armsight.robots import Robot, available_robots, load_robot
from armsight.robots.description.recipe import make_robot, read_recipe

RECIPES = Path(__file__).parent / "recipes"
ARMS = ("panda", "xarm7", "ur5e", "iiwa7", "sawyer", "kinova3", "so101", "vx300s")
SEEDS_APART = 100
"""Between the seeds of two arms: no two arms stand in the same room"""
FOUND_M, FOUND_DEG, FOCAL = 0.010, 0.5, 0.03


def robot_of(arm: str, folder: Path) -> Robot:
    """A robot that comes along, or one made of a recipe beside this file."""
    if arm in available_robots():
        return load_robot(arm)
    recipe = folder / f"{arm}.recipe.json"
    recipe.write_text((RECIPES / f"{arm}.json").read_text())
    if arm == "vx300s":
        (folder / "vx300s.xml").write_text(viper_model())
    return load_robot(make_robot(read_recipe(recipe), folder)[0])


def viper_model() -> str:
    """ALOHA's ViperX as a model of its own: the package has only a scene with two of them."""
    found = find_spec("gym_aloha")
    if found is None or found.origin is None:
        raise SystemExit("the ViperX needs: pip install --no-deps gym-aloha==0.1.5")
    assets = Path(found.origin).parent / "assets"
    arm = (assets / "vx300s_left.xml").read_text()
    arm = arm.replace('"vx300s_left"', '"base_link"').replace("vx300s_left/", "")
    arm = arm.replace("<mujocoinclude>", "").replace("</mujocoinclude>", "")
    return (
        f'<mujoco><compiler meshdir="{assets}"/><include file="{assets}/vx300s_dependencies.xml"/>'
        f"<worldbody>{arm}</worldbody></mujoco>"
    )


def measure(robot: Robot, clip: Clip, seed: int, known_K: bool) -> dict[str, Any]:
    """Calibrate one clip; a line of numbers."""
    begin = time.process_time()
    answer = calibrate_camera(
        robot, clip.images, clip.log, K=clip.K if known_K else None, image_times=clip.times,
        log_times=clip.times,
    )  # fmt: skip
    line: dict[str, Any] = {
        "key": f"{robot.name}/{seed}", "arm": robot.name, "seed": seed,
        "verdict": answer.verdict, "seconds": time.process_time() - begin,
    }  # fmt: skip
    T, truth = answer.T_base_cam, invert_transform(clip.T_cam_base[0])
    line["found"] = T is not None
    if T is None:
        return line
    turn = cv2.Rodrigues(T[:3, :3] @ truth[:3, :3].T)[0].ravel()
    shift = T[:3, 3] - truth[:3, 3]
    std = answer.T_base_cam_std
    line["position_m"] = float(np.linalg.norm(shift))
    line["turn_deg"] = float(np.rad2deg(np.linalg.norm(turn)))
    line["focal"] = float(answer.K[0, 0] / clip.K[0, 0] - 1)
    if std is not None:
        line["in_two_std"] = (np.abs([*turn, *shift]) <= 2 * std).tolist()
    points = np.asarray(robot.keypoints(clip.joint_positions))[:, : robot.num_origin_keypoints]
    one, other = (
        points @ pose[:3, :3].T + pose[:3, 3] for pose in (answer.T_cam_base, clip.T_cam_base[0])
    )
    line["add_m"] = add(one, other).tolist()
    return line


def good(line: dict[str, Any]) -> bool:
    return bool(line["found"] and line["position_m"] <= FOUND_M and line["turn_deg"] <= FOUND_DEG)


def share(name: str, hits: int, count: int) -> str:
    if not count:
        return f"{name} -"
    low, high = wilson_interval(hits, count)
    return f"{name} {100 * hits / count:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def report(name: str, lines: list[dict[str, Any]], known_K: bool) -> None:
    found = [line for line in lines if line["found"]]
    right = sum(map(good, lines))
    wrong = sum(line["verdict"] == "fine" and not good(line) for line in lines)
    within = [hit for line in found for hit in line.get("in_two_std", [])]
    parts = [
        share("within 10 mm and 0.5 deg", right, len(lines)),
        share("wrong and called fine", wrong, len(lines)),
        share("errors within two std", sum(within), len(within)),
    ]
    if found:
        mm = 1000 * np.median([line["position_m"] for line in found])
        parts.append(f"median {mm:.1f} mm")
        parts.append(f"{np.median([line['turn_deg'] for line in found]):.2f} deg")
    if not known_K:
        close = sum(abs(line["focal"]) <= FOCAL for line in found)
        parts.append(share("focal length within 3 %", close, len(lines)))
    seconds = float(np.mean([line["seconds"] for line in lines]))
    print(f"{name:8} n {len(lines):3}: {'; '.join(parts)}; {seconds:.1f} s of CPU", flush=True)


def report_add(lines: list[dict[str, Any]], frames: int) -> None:
    errors = np.array([line.get("add_m", [np.inf] * frames) for line in lines])
    found = np.isfinite(errors).all(1)
    rng = np.random.default_rng(0)
    # Frames of one clip err together: whole clips are resampled. Refused clips score 0 in the AUC.
    for name, of, rows in (
        ("mean ADD of the clips found [mm]", lambda e: 1000 * e.mean(), errors[found]),
        ("AUC [%], refused clips as 0", lambda e: 100 * auc(e), errors),
    ):
        if not len(rows):
            continue
        drawn = rows[rng.integers(len(rows), size=(2000, len(rows)))]
        low, high = np.quantile([of(one.ravel()) for one in drawn], [0.025, 0.975])
        print(f"{name} {of(rows.ravel()):.1f} [{low:.1f}, {high:.1f}], n {rows.size} frames")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--scenes", type=int, default=20, help="for each arm")
    parser.add_argument("--seed", type=int, default=1000, help="of the first arm's first scene")
    parser.add_argument("--photos", type=int, default=8)
    parser.add_argument("--unknown-intrinsics", action="store_true")
    parser.add_argument("--held-out", type=int, metavar="CLIPS", help="clips of the Panda instead")
    parser.add_argument("--journal", type=Path, required=True)
    options = parser.parse_args()
    settings = ClipSettings(frames=options.photos)
    arms, count = options.arms, options.scenes
    if options.held_out:
        cameras = PRESETS["held-out"].cameras
        settings = ClipSettings(frames=10, fps=2.0, cameras=cameras)
        arms, count = ["panda"], options.held_out
    known_K = not options.unknown_intrinsics
    about = {"settings": repr(settings), "known_K": known_K}
    journal = Journal(options.journal, "rendered-cameras/1", about, "key")
    everything = []
    for arm in arms:
        with tempfile.TemporaryDirectory() as folder:
            robot, lines = robot_of(arm, Path(folder)), []
            maker = ClipMaker(robot, settings)
            first = options.seed + SEEDS_APART * ARMS.index(arm)
            for seed in range(first, first + count):
                line = journal.lines.get(f"{arm}/{seed}")
                if line is None:
                    line = measure(robot, maker.make(seed), seed, known_K)
                    journal.add(line)
                lines.append(line)
            maker.close()
        report(arm, lines, known_K)
        everything += lines
    report("all", everything, known_K)
    if options.held_out:
        report_add(everything, settings.frames)
    missed = [line["key"] for line in everything if not good(line)]
    print("not found:", " ".join(missed) or "none")


if __name__ == "__main__":
    main()
