"""Episodes on many machines with Ray Data (Apache-2.0; https://docs.ray.io/en/latest/data).

Every machine must reach the data set by the same path, and have armsight installed. Rows come back
to the process that was started, which alone writes them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from armsight.episodes.run import Row, Worker
from armsight.episodes.units import Unit
from armsight.errors import ArmsightError, MissingExtraError


def run_on_ray(
    make_worker: Callable[[], Worker], units: Sequence[Unit], workers: int
) -> Iterator[Row]:
    """Rows of the units as they are finished, from `workers` Ray actors with a core each.

    A cluster that is running is joined (`RAY_ADDRESS`, or `ray start` on this machine); where
    there is none, a local one is started for the length of the run.

    Raises:
        MissingExtraError: ray is not installed.
        ArmsightError: Ray could not run the work; finished episodes are kept.
    """
    ray = _ray()
    ours = not ray.is_initialized()
    if ours:
        ray.init(num_cpus=None if _joined() else workers + 1, log_to_driver=False,
                 include_dashboard=False, logging_level="ERROR")  # fmt: skip
    try:
        ray.data.DataContext.get_current().enable_progress_bars = False
        tasks = [{"episode": unit.episode, "camera_key": unit.camera_key} for unit in units]
        # One block for each unit, so that a row is kept when its episode is finished.
        finished = ray.data.from_items(tasks, override_num_blocks=len(tasks)).map(
            _Actor, fn_constructor_args=(make_worker,), concurrency=workers, num_cpus=1
        )
        for row in finished.iter_rows():
            yield json.loads(row["row"])
    except ray.exceptions.RayError as error:
        raise ArmsightError(
            f"Ray could not finish: {error}. Run the same command again; finished "
            "episodes are kept."
        ) from error
    finally:
        if ours:
            ray.shutdown()


class _Actor:
    """A worker whose rows are JSON texts: Ray gives columns of one type each."""

    def __init__(self, make_worker: Callable[[], Worker]) -> None:
        self._work = make_worker()

    def __call__(self, task: dict[str, Any]) -> dict[str, str]:
        row = self._work(Unit(int(task["episode"]), str(task["camera_key"])))
        return {"row": json.dumps(row)}


def _joined() -> bool:
    """Whether a running cluster was named."""
    import os

    return bool(os.environ.get("RAY_ADDRESS"))


def _ray() -> Any:
    try:
        import ray
        import ray.data
    except ImportError:
        raise MissingExtraError("--engine ray", "ray", "pip install 'armsight[scale]'") from None
    return ray
