"""Jobs, workers that fail and workers that are killed."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from armsight.errors import DatasetError, MissingExtraError
from armsight.render.workers import RenderJob, WorkerError, run_jobs

JOBS = [RenderJob((i,)) for i in range(6)]


@dataclass(frozen=True)
class Starter:
    kind: str

    def start(self) -> Starter:
        return self

    def __call__(self, job: RenderJob, made: Callable[[int], None]) -> None:
        if self.kind == "fails" and job.indices[0] == 3:
            raise DatasetError("picture 3 is broken")
        if self.kind == "dies" and job.indices[0] == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        made(1)

    def close(self) -> None:
        pass


@pytest.mark.parametrize("workers", [1, 2])
def test_all_jobs_are_done_and_counted(workers: int) -> None:
    counted: list[int] = []
    run_jobs(Starter("works"), JOBS, workers, counted.append)
    assert sum(counted) == 6


def test_a_worker_that_fails_ends_the_run_with_its_reason() -> None:
    with pytest.raises(WorkerError, match="picture 3 is broken") as caught:
        run_jobs(Starter("fails"), JOBS, 2, lambda n: None)
    assert caught.value.exit_code == DatasetError.exit_code


def test_a_worker_that_is_killed_ends_the_run() -> None:
    with pytest.raises(WorkerError, match="exit code -9"):
        run_jobs(Starter("dies"), JOBS, 2, lambda n: None)


def test_without_mujoco_the_install_line_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from armsight.robots.description.simulator import load_mujoco

    monkeypatch.setitem(sys.modules, "mujoco", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'armsight\[render\]'"):
        load_mujoco()
