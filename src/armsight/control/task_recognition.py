"""Which task of a suite a first picture shows, and how that is known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.actions.first_pictures import FirstPictures
from armsight.actions.histogram_matching import ToneHistogram
from armsight.control.resemblance import rank
from armsight.control.simulation import Simulation
from armsight.control.suite import SuiteTask, tasks

Pixels = NDArray[np.uint8]

SMALL = 64
"""Sides [px] of a task's picture: its objects tell, not where exactly they stand"""
CLEARLY = 0.15
"""By how much another task's correlation must be better. So 899 of 900 wrong names of 100 first
pictures of test states are doubted, and none of the 100 right ones"""


def look_at(
    suite: str,
    initial_states: Sequence[int],
    progress: Callable[[Sequence[SuiteTask]], Iterable[SuiteTask]] = lambda tasks: tasks,
) -> FirstPictures:
    """See every task of a suite in some initial states, in the suite's own look.

    Args:
        progress: yields the tasks, and may say so.

    Raises:
        UnknownTaskError: no such suite or initial state.
        MissingExtraError, NoDisplayError: there is no simulator, or nothing can draw here.
    """
    seen = []
    for task in progress(tasks(suite)):
        with Simulation(task) as simulation:
            for state in initial_states:
                simulation.reset(state)
                seen.append(simulation.render())
    every = np.stack(seen).reshape(-1, len(initial_states), *seen[0].shape)
    means = [_small(np.round(own.mean(axis=0)).astype(np.uint8)) for own in every]
    return FirstPictures(
        tuple(t.name for t in tasks(suite)), np.stack(means), ToneHistogram.of(every)
    )


def task_fits(known: FirstPictures, picture: Pixels) -> dict[str, float]:
    """How well a first picture (H, W, 3) fits each task: correlations by name, the best first."""
    order, alike = rank(list(known.pictures), _small(picture))
    return {known.tasks[i]: float(fit) for i, fit in zip(order, alike, strict=True)}


def doubt(fits: Mapping[str, float], task: str) -> str | None:
    """What to say where a first picture fits another task clearly better than the named one."""
    best = max(fits, key=lambda name: fits[name])
    if task not in fits or fits[best] - fits[task] <= CLEARLY:
        return None
    return (
        f"the first frame looks more like {best} (correlation {fits[best]:.2f}) than like {task} "
        f"({fits[task]:.2f}); is that the right task?"
    )


def _small(picture: Pixels) -> Pixels:
    return np.asarray(cv2.resize(picture, (SMALL, SMALL), interpolation=cv2.INTER_AREA), np.uint8)
