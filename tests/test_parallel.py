"""Work shared out among processes."""

from __future__ import annotations

import os
from functools import partial

import pytest

from armsight.errors import ArmsightError, WeightsError
from armsight.parallel import Workers


class Doubler:
    """Doubles; notes in a list that it was closed."""

    def __init__(self, closed: list[bool] | None = None) -> None:
        self.closed = closed

    def __call__(self, number: int) -> int:
        if number < 0:
            os.kill(os.getpid(), 9)
        return 2 * number

    def close(self) -> None:
        if self.closed is not None:
            self.closed.append(True)


def broken() -> Doubler:
    raise WeightsError("these weights are broken")


@pytest.mark.parametrize("count", [1, 2])
def test_results_of_all_tasks(count: int) -> None:
    with Workers(Doubler, count, "results") as workers:
        assert sorted(workers.run(range(5))) == [0, 2, 4, 6, 8]
        assert sorted(workers.run([7])) == [14]  # the same workers once more


def test_a_worker_is_made_when_there_is_work_and_closed_at_the_end() -> None:
    closed: list[bool] = []
    with Workers(partial(Doubler, closed), 1, "results") as workers:
        assert list(workers.run([1])) == [2]
        assert not closed
    assert closed == [True]
    with Workers(broken, 1, "results") as workers:
        assert list(workers.run([])) == []


@pytest.mark.parametrize("count", [1, 2])
def test_errors_of_making_a_worker_reach_the_caller(count: int) -> None:
    with (
        Workers(broken, count, "results") as workers,
        pytest.raises(WeightsError, match="these weights"),
    ):
        list(workers.run([1]))


def test_a_killed_process_says_what_is_kept() -> None:
    with (
        Workers(Doubler, 2, "finished things") as workers,
        pytest.raises(ArmsightError, match=r"fewer --workers; finished things are kept"),
    ):
        list(workers.run([1, -1]))
