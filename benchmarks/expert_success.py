"""How often the scripted expert solves LIBERO-Object.

    python benchmarks/expert_success.py --tasks 0-9 --initial-states 0-19 --style plain

`plain` is the expert as it is, `varied` as it makes demonstrations (speed, approach, detours,
noise ... drawn at random). One attempt per episode; nothing is drawn.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from armsight.control.expert import Expert, Style, draw_style
from armsight.control.simulation import Simulation
from armsight.control.suite import find_task
from armsight.reports.intervals import wilson_interval


def numbers(text: str) -> range:
    """`3` or `0-19`."""
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=numbers, default=range(10))
    parser.add_argument("--initial-states", type=numbers, default=range(20))
    parser.add_argument("--style", choices=("plain", "varied"), default="plain")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    solved = total = 0
    for task in options.tasks:
        with Simulation(find_task(task)) as sim:
            start, wins, steps, missed = time.process_time(), 0, [], []
            for state in options.initial_states:
                rng = np.random.default_rng([options.seed, task, state])
                style = draw_style(rng) if options.style == "varied" else Style()
                sim.reset(state)
                count = 0
                for action in Expert(sim, style, rng).actions():
                    sim.step(action)
                    count += 1
                wins += sim.success
                steps.append(count)
                if not sim.success:
                    missed.append(state)
            each = (time.process_time() - start) / len(steps)
            print(
                f"{sim.task.name:<58} {wins:>3}/{len(steps)}  {np.mean(steps):5.0f} steps  "
                f"{each:.1f} s of CPU each  missed {missed}",
                flush=True,
            )
            solved, total = solved + wins, total + len(steps)
    low, high = wilson_interval(solved, total)
    print(f"{solved}/{total} = {solved / total:.1%}, 95 % interval {low:.1%} to {high:.1%}")


if __name__ == "__main__":
    main()
