"""Making sets of pairs: pictures are rendered or copied, references are chosen by a fixed seed."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from armsight.data.dataset import open_dataset
from armsight.errors import ConfigError
from armsight.files import atomic_write
from armsight.robots import Robot, load_robot
from armsight.vlm.study.pairs import (
    FILE,
    FORMAT,
    RENDERED,
    TARGETS_PER_REFERENCE,
    LabelledPicture,
    Pair,
    PairSet,
    choose,
    plain,
    read_pairs,
    shots_of,
)


def make_pairs(
    out: Path,
    robot: str,
    sources: Sequence[tuple[Path, int | None]],
    *,
    rendered: int = 0,
    references: int = 4,
    seed: int = 0,
    frame_size: tuple[int, int] = (640, 480),
    progress: Callable[[int], None] = lambda made: None,
) -> PairSet:
    """Write a set of pairs.

    Args:
        out: folder; must not hold another set.
        sources: labelled folders (DREAM or pictures with joint angles) and how many targets of
            each; None: all that there are.
        rendered: targets to render, before the sources' ones.
        references: of each target, at least the most that a study will ask with.
        frame_size: width, height [px] of rendered pictures.
        progress: called with the number of pictures that were just rendered.

    Raises:
        ConfigError: nothing is asked for, or `out` holds a set already.
        DatasetError: a source cannot be read or is too small.
        MissingExtraError: rendering is not installed.
    """
    if (out / FILE).exists():
        raise ConfigError(f"{out} holds a set of pairs already; choose another folder")
    if not sources and rendered < 1:
        raise ConfigError("nothing to make: give --rendered N or --from FOLDER")
    known = load_robot(robot)
    rng = np.random.default_rng(np.random.SeedSequence((seed, 0x9A125)))
    pairs: list[Pair] = []
    notes: list[str] = []
    with tempfile.TemporaryDirectory() as scratch:
        groups: list[tuple[str, list[LabelledPicture], int | None]] = []
        if rendered:
            pool = max(references, -(-rendered // TARGETS_PER_REFERENCE))
            folder = Path(scratch) / RENDERED
            shots = render(folder, known, rendered + pool, seed, frame_size, progress)
            groups.append((RENDERED, shots, rendered))
        for folder, count in sources:
            name = _unique(folder.resolve().name, [group[0] for group in groups])
            groups.append((name, shots_of(open_dataset(folder, known), name), count))
        for name, shots, count in groups:
            chosen, disjoint = choose(shots, count, references, rng)
            pairs += chosen
            if not disjoint:
                notes.append(f"{name}: targets are also references of other targets")
        kept = {s.name: s for pair in pairs for s in (pair.target, *pair.references)}
        for shot in kept.values():
            target = out / "images" / f"{shot.name}{shot.path.suffix}"
            with atomic_write(target) as temporary:
                shutil.copyfile(shot.path, temporary)
        _write(out, known, kept, pairs, notes, seed)
    return read_pairs(out)


def render(
    folder: Path,
    robot: Robot,
    count: int,
    seed: int,
    frame_size: tuple[int, int],
    progress: Callable[[int], None],
) -> list[LabelledPicture]:
    """Pictures of the held-out kind, written to `folder` in DREAM's layout."""
    from armsight.render import ndds
    from armsight.render.frame import FrameMaker
    from armsight.render.presets import preset

    settings = replace(preset("held-out"), seed=seed, frame_size=frame_size)
    maker = FrameMaker(robot, settings, None)
    shots = []
    try:
        for i in range(count):
            frame = maker.make(i)
            ndds.write_frame(folder, i, frame, robot)
            path = folder / f"{i:06d}.rgb.jpg"
            q = np.asarray(frame.joint_positions, dtype=float)
            shots.append(
                LabelledPicture(f"{RENDERED}-{i:06d}", path, q, RENDERED, frame.K, frame.T_cam_base)
            )
            progress(1)
    finally:
        maker.close()
    return shots


def _write(
    out: Path,
    robot: Robot,
    shots: dict[str, LabelledPicture],
    pairs: list[Pair],
    notes: list[str],
    seed: int,
) -> None:
    document = {
        "format": FORMAT,
        "robot": robot.name,
        "joint_names": list(robot.joint_names),
        "seed": seed,
        "notes": notes,
        "shots": [
            {
                "name": shot.name,
                "image": f"images/{shot.name}{shot.path.suffix}",
                "group": shot.group,
                "joint_positions": shot.joint_positions.tolist(),
                "K": None if shot.K is None else np.asarray(shot.K).tolist(),
                "T_cam_base": None if shot.T_cam_base is None else shot.T_cam_base.tolist(),
            }
            for shot in shots.values()
        ],
        "pairs": [
            {
                "name": pair.name,
                "target": pair.target.name,
                "references": [shot.name for shot in pair.references],
            }
            for pair in pairs
        ],
    }
    with atomic_write(out / FILE) as temporary:
        temporary.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _unique(name: str, taken: list[str]) -> str:
    base = chosen = plain(name)
    k = 2
    while chosen in taken:
        chosen, k = f"{base}-{k}", k + 1
    return chosen
