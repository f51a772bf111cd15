"""What a frame of recorded video costs, and what a million would on one core, many, and a GPU.

    armsight render-clips --robot panda --format lerobot --fps 15 --frames 100 --count 3 --out clips
    python benchmarks/scale.py clips

Every episode is read as `armsight estimate DATASET` reads it, by one process with one thread; what
counts is its processor time, which other load on the machine hardly changes. The network's share
says how much a GPU could take over.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from armsight.annotate.episode import EpisodeEstimator
from armsight.annotate.plan import make_plan
from armsight.reports.intervals import bootstrap_interval, mean_of

MILLION = 1e6
MACHINES = ((1, "one core"), (16, "one machine of 16 cores"), (1600, "a hundred of them"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--robot")
    parser.add_argument("--episodes")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    for outline in (None, False):
        plan = make_plan(
            options.dataset, options.robot, episodes=options.episodes, threads=1, outline=outline
        )
        worker = EpisodeEstimator(plan)
        network = Stopwatch(worker.estimator.session.read)
        worker.estimator.session.read = network  # type: ignore[method-assign]
        seconds, shares, frames = [], [], 0
        for unit in plan.units():
            start, network.seconds = time.process_time(), 0.0
            row = worker(unit)
            spent = time.process_time() - start
            if row["error"]:
                raise SystemExit(row["error"])
            seconds.append(spent / row["num_frames"])
            shares.append(network.seconds / spent)
            frames += row["num_frames"]
        report("with contours" if outline is None else "--no-outline", seconds, shares, frames)


class Stopwatch:
    """Calls what it wraps, and adds up the processor time that it takes."""

    def __init__(self, wrapped: Callable[..., Any]) -> None:
        self._wrapped = wrapped
        self.seconds = 0.0

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        start = time.process_time()
        try:
            return self._wrapped(*arguments, **options)
        finally:
            self.seconds += time.process_time() - start


def report(name: str, seconds: list[float], shares: list[float], frames: int) -> None:
    mean, share = float(np.mean(seconds)), float(np.mean(shares))
    low, high = bootstrap_interval(seconds, mean_of)
    interval = f"[{1000 * low:.0f}, {1000 * high:.0f}]"
    print(
        f"\n{name}: {1000 * mean:.0f} ms of a core a frame {interval} ({len(seconds)} episodes, "
        f"{frames} frames), of which the network takes {share:.0%}"
    )
    print("| a million frames on | hours |\n| --- | --- |")
    for cores, words in MACHINES:
        print(f"| {words} | {mean * MILLION / cores / 3600:.2g} |")
    rest = mean * (1 - share)
    print(f"| one core and a GPU that costs nothing | {rest * MILLION / 3600:.2g} |")


if __name__ == "__main__":
    main()
