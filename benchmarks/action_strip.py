"""The README's picture strip: keyframes of an episode above, what was executed below.

python benchmarks/action_strip.py REPORT [--task ketchup] [--state 42] [--out docs/actions.jpg]

REPORT is a folder of `armsight evaluate control --rows track --report REPORT`: the demonstration's
pictures and the actions that were read from them are taken from there, and played once more.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from armsight.control.simulation import Simulation
from armsight.control.suite import find_task
from armsight.evaluate.control.demos import DemonstrationFolder
from armsight.files import atomic_write

CELL, GAP, STRIDE = 192, 3, 3
"""Sides of a picture [px], white lines between [px], control steps between keyframes"""


def row_of(pictures: list[np.ndarray]) -> np.ndarray:
    """Pictures side by side, each framed by white lines."""
    cells = [
        cv2.copyMakeBorder(
            cv2.resize(picture, (CELL, CELL), interpolation=cv2.INTER_CUBIC),
            *(0, GAP, 0, GAP), cv2.BORDER_CONSTANT, value=(255, 255, 255),
        )
        for picture in pictures
    ]  # fmt: skip
    return np.concatenate(cells, axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path)
    parser.add_argument("--task", default="ketchup")
    parser.add_argument("--state", type=int, default=42)
    parser.add_argument("--count", type=int, default=6)
    parser.add_argument("--out", type=Path, default=Path("docs/actions.jpg"))
    options = parser.parse_args()
    task, state = find_task(options.task, "libero_object"), options.state

    demonstrations = DemonstrationFolder(options.report / "demonstrations")
    shown = demonstrations.read(task.name, state, 0)
    if shown is None:
        parser.error(f"{options.report} has no demonstration of {task.name}, state {state}")
    name = f"{task.name}.{state}.track.{STRIDE}.npz"
    with np.load(options.report / "actions" / name, allow_pickle=False) as file:
        actions = file["actions"]

    steps = [step for step in sorted(shown.frames) if step % STRIDE == 0 and step < len(actions)]
    chosen = [steps[i] for i in np.linspace(0, len(steps) - 1, options.count).round().astype(int)]
    executed, success = [], False
    with Simulation(task, image_size=CELL) as simulation:
        simulation.reset(state)
        for step, action in enumerate(actions):  # to the end, not only to success
            if step in chosen:
                executed.append(simulation.render())
            success = simulation.step(action) or success
    strip = np.concatenate([
        row_of([shown.frames[step] for step in chosen]),
        row_of(executed),
    ])  # fmt: skip
    with atomic_write(options.out) as path:
        encoded = cv2.imencode(".jpg", strip[:-GAP, :-GAP, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])[1]
        path.write_bytes(encoded.tobytes())
    print(f"{task.instruction}, state {state}: {'success' if success else 'no success'}; "
          f"steps {chosen}")  # fmt: skip


if __name__ == "__main__":
    main()
