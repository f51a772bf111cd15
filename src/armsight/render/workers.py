"""Jobs shared out among processes."""

from __future__ import annotations

import multiprocessing as mp
import queue
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from armsight.errors import ArmsightError


class WorkerError(ArmsightError):
    """A process that rendered failed or was killed."""


@dataclass(frozen=True)
class RenderJob:
    """Frames that one worker makes in one go."""

    indices: tuple[int, ...]


class Work(Protocol):
    """Does jobs in a worker."""

    def __call__(self, job: RenderJob, made: Callable[[int], None]) -> None:
        """Do a job; call `made` with the number of frames just made."""

    def close(self) -> None:
        """Let go of what it holds."""


class Starter(Protocol):
    """Made in the parent, sent to each worker, which calls `start` once."""

    def start(self) -> Work:
        """What does the jobs."""


def run_jobs(
    starter: Starter, jobs: Sequence[RenderJob], workers: int, progress: Callable[[int], None]
) -> None:
    """Do all jobs in `workers` processes (in this one, for one worker).

    Raises:
        WorkerError: a worker failed, or was killed; the message says how.
    """
    if workers <= 1 or len(jobs) <= 1:
        if not jobs:
            return
        work = starter.start()
        try:
            for job in jobs:
                work(job, progress)
        finally:
            work.close()
        return
    context = mp.get_context("spawn")
    tasks, reports = context.Queue(), context.Queue()
    for task in [*jobs, *[None] * workers]:
        tasks.put(task)
    processes = [
        context.Process(target=_serve, args=(starter, tasks, reports), daemon=True)
        for _ in range(min(workers, len(jobs)))
    ]
    for process in processes:
        process.start()
    try:
        _follow(processes, reports, progress, len(jobs))
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()


def _follow(
    processes: Sequence[Any], reports: Any, progress: Callable[[int], None], jobs: int
) -> None:
    while jobs:
        try:
            kind, value = reports.get(timeout=0.5)
        except queue.Empty:
            killed = [p.exitcode for p in processes if p.exitcode not in (None, 0)]
            if killed:
                raise WorkerError(
                    f"a rendering process ended with exit code {killed[0]} (-9: killed, perhaps "
                    "for want of memory). Run the same command again with fewer --workers; "
                    "finished pictures are kept."
                ) from None
            continue
        if kind == "error":
            code, message = value
            error = WorkerError(message)
            error.exit_code = code
            raise error
        if kind == "made":
            progress(value)
        jobs -= kind == "done"


def _serve(starter: Starter, tasks: Any, reports: Any) -> None:
    import signal

    import cv2

    # The parent handles Ctrl-C and ends the workers, who tidy up their temporary files.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(SystemExit(0)))
    cv2.setNumThreads(1)
    try:
        work = starter.start()
        try:
            while (job := tasks.get()) is not None:
                work(job, lambda n: reports.put(("made", n)))
                reports.put(("done", None))
        finally:
            work.close()
    except ArmsightError as error:
        reports.put(("error", (error.exit_code, str(error))))
    except Exception as error:
        reports.put(("error", (1, f"a rendering process failed: {error!r}")))
