"""True and corrupted videos, and how well `armsight actions score` tells them apart.

    python benchmarks/judge_videos.py make OUT --episodes 36 --split test --seed 0
    python benchmarks/judge_videos.py usual VALIDATION                 # into the package's table
    python benchmarks/judge_videos.py score OUT [--poses]

`make` plays the scripted expert in LIBERO-Object, draws a keyframe each third control step at
128 px, and writes every episode as it was and once corrupted, the kinds in turn:

stretched   the forearm grows to 1.3 times its length from a random frame on
drifts      the base slides by 12 cm from a random frame on, while the camera stands still
shuffled    the frames between two random moments are in random order
melts       the gripper smears into its surroundings from a random frame on
jumps       an object that nobody touches is 12 cm farther from one frame to the next
spliced     the second half is another episode's

`usual` measures what is usual in true videos (of another split). `score` judges every video, and
prints the area under the ROC curve with its 95 % interval (bootstrap over episodes) for each kind,
against all true videos, and which part was named. Needs armsight[control,actions]; all can be
stopped and run again.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.control.demos import draw_style
from armsight.control.expert import Expert
from armsight.control.simulation import ROBOT, Simulation
from armsight.control.suite import states_of, tasks
from armsight.data.video import VideoWriter

Pixels = NDArray[np.uint8]
KINDS = ("stretched", "drifts", "shuffled", "melts", "jumps", "spliced")
STRIDE, CONTROL_HZ, SIZE = 3, 20, 128
FOREARM = "robot0_link5"


class Episode:
    """MuJoCo's positions at every keyframe of one go of the expert, and pictures of them."""

    def __init__(self, sim: Simulation, state: int, rng: np.random.Generator) -> None:
        self.sim, self.positions, grips = sim, [], []
        for _ in range(5):
            sim.reset(state)
            self.positions, grips = [], []
            for step, action in enumerate(Expert(sim, draw_style(rng), rng).actions()):
                if step % STRIDE == 0:
                    self.positions.append(sim.data.qpos.copy())
                    grips.append(sim.T_base_ee[:3, 3])
                sim.step(action)
            if sim.success:
                break
        self.success = sim.success
        T = sim.T_cam_base
        points = np.array(grips) @ T[:3, :3].T + T[:3, 3]
        self.grips = points[:, :2] / points[:, 2:] * sim.K[0, 0] + sim.K[:2, 2]

    def __len__(self) -> int:
        return len(self.positions)

    def pictures(self, change: Any = None, moved: Any = None) -> list[Pixels]:
        """Frames; `change(i)` may alter the model before frame i, `moved(i, qpos)` its state."""
        sim, frames = self.sim, []
        untouched = sim.model.body_pos.copy()
        try:
            for i, positions in enumerate(self.positions):
                qpos = positions.copy()
                sim.model.body_pos[:] = untouched
                if change is not None:
                    change(i)
                if moved is not None:
                    moved(i, qpos)
                sim._copy.qpos[0] = np.inf  # the model has changed: place everything anew
                frames.append(sim.render(qpos))
        finally:
            sim.model.body_pos[:] = untouched
            sim._copy.qpos[0] = np.inf
        return frames


def ramp(i: int, start: int, length: int = 8) -> float:
    """0 before `start`, 1 from `length` frames later on."""
    return float(np.clip((i - start) / length, 0, 1))


def corrupted(
    kind: str, episode: Episode, frames: list[Pixels], other: list[Pixels],
    rng: np.random.Generator,
) -> list[Pixels]:  # fmt: skip
    """The same episode with one fault."""
    count, sim = len(episode), episode.sim
    start = int(rng.integers(count // 5, 3 * count // 5))
    if kind == "stretched":
        body = sim.model.body(FOREARM).id
        length = sim.model.body_pos[body].copy()

        def stretch(i: int) -> None:
            sim.model.body_pos[body] = length * (1 + 0.3 * ramp(i, start))

        return episode.pictures(change=stretch)
    if kind == "drifts":
        body, angle = sim.model.body(ROBOT).id, rng.uniform(0, 2 * np.pi)
        there = sim.model.body_pos[body].copy()

        def drift(i: int) -> None:
            way = 0.12 * ramp(i, start, count - start)
            sim.model.body_pos[body] = there + [way * np.cos(angle), way * np.sin(angle), 0]

        return episode.pictures(change=drift)
    if kind == "jumps":
        address = still_object(episode)
        angle = rng.uniform(0, 2 * np.pi)

        def jump(i: int, qpos: NDArray[np.float64]) -> None:
            if i >= start:
                qpos[address : address + 2] += [0.12 * np.cos(angle), 0.12 * np.sin(angle)]

        return episode.pictures(moved=jump)
    if kind == "shuffled":
        end = min(count, start + max(8, count // 3))
        order = np.arange(count)
        order[start:end] = rng.permutation(order[start:end])
        return [frames[i] for i in order]
    if kind == "melts":
        return [melted(frame, episode.grips[i], ramp(i, start), rng)
                for i, frame in enumerate(frames)]  # fmt: skip
    return [*frames[: count // 2], *other[count // 2 :]]


def still_object(episode: Episode) -> int:
    """Where in qpos an object begins that is in the picture and that nobody touches."""
    model = episode.sim.model
    first, last = episode.positions[0], episode.positions[-1]
    best: list[tuple[float, int]] = []
    for joint in range(model.njnt):
        if model.jnt_type[joint] != 0 or "basket" in model.joint(joint).name:
            continue
        address = int(model.jnt_qposadr[joint])
        moved = float(np.linalg.norm(first[address : address + 3] - last[address : address + 3]))
        best.append((moved, address))
    return min(best)[1]


def melted(frame: Pixels, place: Any, much: float, rng: np.random.Generator) -> Pixels:
    """A disc around the gripper, smeared by a smooth random displacement and blurred."""
    if much == 0:
        return frame
    size = frame.shape[0]
    noise = rng.normal(0, 1, (2, size, size)).astype(np.float32)
    field = np.stack([cv2.GaussianBlur(one, (0, 0), 5) for one in noise])
    field *= 6 * much / field.std()
    y, x = np.mgrid[:size, :size].astype(np.float32)
    smeared = cv2.remap(frame, x + field[0], y + field[1], cv2.INTER_LINEAR,
                        borderMode=cv2.BORDER_REFLECT)  # fmt: skip
    smeared = cv2.GaussianBlur(smeared, (0, 0), 0.5 + 2 * much)
    near = np.exp(-((((x - place[0]) ** 2 + (y - place[1]) ** 2) / (2 * 13.0**2)) ** 2))[..., None]
    return np.asarray(near * smeared + (1 - near) * frame, np.uint8)


def write(path: Path, frames: list[Pixels]) -> None:
    temporary = path.with_name(f".{path.name}")
    video = VideoWriter(temporary, CONTROL_HZ / STRIDE)
    for i, frame in enumerate(frames):
        video.write(frame, i * STRIDE / CONTROL_HZ)
    video.close()
    temporary.rename(path)


def make(out: Path, episodes: int, split: str, seed: int, true_only: bool) -> None:
    """Write `NNN_true.mp4` and, but for `true_only`, `NNN_KIND.mp4` of every episode."""
    out.mkdir(parents=True, exist_ok=True)
    names, states = tasks("libero_object"), states_of(split)
    per_task = -(-episodes // len(names))
    for task in range(len(names)):
        numbers = [n for n in range(episodes) if n // per_task == task]
        wanted = 1 if true_only else 2
        left = [n for n in numbers if len(list(out.glob(f"{n:03}_*.mp4"))) < wanted]
        if not left:
            continue
        with Simulation(names[task], image_size=SIZE) as sim:
            for number in left:
                rng = np.random.default_rng([seed, number])
                chosen = rng.permutation(np.array(states))[:2]
                kind = KINDS[number % len(KINDS)]
                one = Episode(sim, int(chosen[0]), rng)
                another = Episode(sim, int(chosen[1]), rng) if kind == "spliced" else one
                frames = one.pictures()
                other = another.pictures() if kind == "spliced" else frames
                if not (one.success and another.success):
                    print(f"{number}: the expert failed; left out", flush=True)
                    continue
                write(out / f"{number:03}_true.mp4", frames)
                if true_only:
                    continue
                write(out / f"{number:03}_{kind}.mp4", corrupted(kind, one, frames, other, rng))
                print(f"{number}: {names[task].name}, {len(one)} frames, {kind}", flush=True)


def judged(folder: Path, poses: bool, pattern: str) -> list[dict[str, Any]]:
    """A row for each video, kept in the folder as they are made."""
    from armsight import ActionModel, Estimator
    from armsight.errors import ArmsightError
    from armsight.judge.video import judge_by_poses, judge_in_scene

    kept = folder / ("poses.jsonl" if poses else "scene.jsonl")
    rows = [json.loads(line) for line in kept.read_text().splitlines()] if kept.is_file() else []
    there = {row["video"] for row in rows}
    reader: Any = Estimator.from_pretrained("panda") if poses else ActionModel.from_pretrained(
        "libero_object"
    )  # fmt: skip
    for path in sorted(folder.glob(pattern)):
        if path.name in there:
            continue
        number, kind = path.stem.split("_")
        row: dict[str, Any] = {"video": path.name, "episode": int(number), "kind": kind}
        try:
            one = judge_by_poses(reader, path) if poses else judge_in_scene(reader, path, STRIDE)
            row |= {"score": one.score.score, "parts": dict(one.score.parts),
                    "measures": dict(one.score.measures), "fault": one.score.fault}  # fmt: skip
        except ArmsightError as error:  # nothing can be read: as bad as can be
            row |= {"score": 0.0, "parts": {}, "measures": {}, "fault": "unread", "why": str(error)}
        rows.append(row)
        with kept.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(path.name, f"{row['score']:.3f}", row["fault"], file=sys.stderr, flush=True)
    return rows


def rescored(row: dict[str, Any], way: str) -> float:
    """The score of kept measures, by the table as it is now."""
    from armsight.judge.measures import PART_OF
    from armsight.judge.scenes import usual
    from armsight.judge.score import excess_of, part_scores

    if not row["measures"]:
        return 0.0
    known = usual(way)
    excess = {name: excess_of(value, known[name]) for name, value in row["measures"].items()
              if name in known and np.isfinite(value)}  # fmt: skip
    parts = part_scores(excess, {name: PART_OF[name] for name in excess})
    row["fault"] = min(parts, key=lambda name: parts[name])
    return float(np.prod(list(parts.values())))


def auc(true: NDArray[Any], false: NDArray[Any]) -> float:
    """How often a true video scores above a corrupted one; ties count half."""
    above = (true[:, None] > false).mean() + 0.5 * (true[:, None] == false).mean()
    return float(above)


def report(rows: list[dict[str, Any]], way: str) -> None:
    """Print a table in Markdown."""
    for row in rows:
        row["score"] = rescored(row, way)
    episodes = np.array(sorted({row["episode"] for row in rows}))
    rng = np.random.default_rng(0)
    print("| kind | n | AUC | 95 % | median score | part named |\n" + "| --- " * 6 + "|")
    true = {row["episode"]: row["score"] for row in rows if row["kind"] == "true"}
    drawn = [rng.choice(episodes, len(episodes)) for _ in range(2000)]
    means: list[list[float]] = [[] for _ in drawn]
    values = []
    for kind in KINDS:
        own = {row["episode"]: row for row in rows if row["kind"] == kind}
        if not own:
            continue
        scores = {e: row["score"] for e, row in own.items()}
        value = auc(np.array(list(true.values())), np.array(list(scores.values())))
        values.append(value)
        some = []
        for i, sample in enumerate(drawn):
            t = np.array([true[e] for e in sample if e in true])
            f = np.array([scores[e] for e in sample if e in scores])
            if len(t) and len(f):
                some.append(auc(t, f))
                means[i].append(some[-1])
        low, high = np.quantile(some, [0.025, 0.975])
        named: dict[str, int] = {}
        for row in own.values():
            named[str(row["fault"])] = named.get(str(row["fault"]), 0) + 1
        said = ", ".join(f"{k} {v}" for k, v in sorted(named.items(), key=lambda kv: -kv[1]))
        print(f"| {kind} | {len(own)} | {value:.3f} | [{low:.3f}, {high:.3f}] | "
              f"{np.median(list(scores.values())):.3f} | {said} |")  # fmt: skip
    low, high = np.quantile([np.mean(one) for one in means if one], [0.025, 0.975])
    print(f"| mean of the kinds | {len(rows) - len(true)} | {np.mean(values):.3f} | "
          f"[{low:.3f}, {high:.3f}] | | |")  # fmt: skip
    print(f"\ntrue videos: n {len(true)}, median score {np.median(list(true.values())):.3f}")


def write_usual(rows: list[dict[str, Any]], way: str) -> None:
    """Median and 90 % quantile of every measure in the true videos, into the package's table."""
    from armsight.judge.scenes import TABLE

    table = json.loads(TABLE.read_text())
    true = [row["measures"] for row in rows if row["kind"] == "true" and row["measures"]]
    made = {}
    for name in true[0]:
        values = np.array([one[name] for one in true], float)
        values = values[np.isfinite(values)]
        if not len(values):
            continue
        median, high = np.quantile(values, [0.5, 0.9])
        made[name] = {"median": round(float(median), 5), "high": round(float(high), 5),
                      "least_width": LEAST_WIDTH.get(name, 0.02), "n": len(values)}  # fmt: skip
    table["usual"][way] = made
    TABLE.write_text(json.dumps(table, indent=1) + "\n")
    print(json.dumps(made, indent=1))


LEAST_WIDTH = {
    "chatter": 1.0,
    "elsewhere": 0.05,
    "doubt": 0.002,
    "speed": 0.05,
    "acceleration": 0.05,
}
"""Below which a spread is not believed, however alike few true videos are"""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("make", "usual", "score"))
    parser.add_argument("out", type=Path)
    parser.add_argument("--episodes", type=int, default=36)
    parser.add_argument("--split", default="test")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--true-only", action="store_true", help="make no corrupted ones")
    parser.add_argument("--poses", action="store_true", help="judge by poses, in no known scene")
    given = parser.parse_args()
    if given.what == "make":
        make(given.out, given.episodes, given.split, given.seed, given.true_only)
    else:
        way = "poses" if given.poses else "scene"
        found = judged(given.out, given.poses, "*_true.mp4" if given.what == "usual" else "*.mp4")
        write_usual(found, way) if given.what == "usual" else report(found, way)
