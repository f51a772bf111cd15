"""Work shared out among processes: results come back as they are finished."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from typing import Any, Generic, TypeVar

from armsight.errors import ArmsightError

Task = TypeVar("Task")
Result = TypeVar("Result")
Worker = Callable[[Task], Result]


class WorkerDiedError(ArmsightError):
    """A worker's process was killed, or ended by itself."""


class Workers(Generic[Task, Result]):
    """Workers in this process or in several, for the length of a `with` block.

    Each process makes its own worker when its first task comes, so that errors of making it reach
    the caller, and so that nothing is loaded where there is nothing to do.
    """

    def __init__(
        self,
        make_worker: Callable[[], Worker[Task, Result]],
        count: int,
        kept: str,
        apart: bool = False,
    ) -> None:
        """Start `count` processes; with one or fewer the work is done in this one.

        Args:
            make_worker: makes what does a task; must be picklable for several processes. A worker
                that has a method `close` is closed at the end where it ran in this process.
            kept: what survives when a process dies, for the error, such as "finished episodes".
            apart: start a process even where one is enough, so that it may die.
        """
        self._kept = kept
        self._make = cache(make_worker)
        self._made: list[Worker[Task, Result]] = []
        self._pool: ProcessPoolExecutor | None = None
        if count > 1 or apart:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(count, context, _start_process, (make_worker,))

    def run(self, tasks: Iterable[Task], ordered: bool = False) -> Iterator[Result]:
        """Results as they are finished.

        Args:
            ordered: in the order of the tasks; else, of several processes, who is first is first.

        Raises:
            WorkerDiedError: a process was killed. What a worker raises is raised here as it is.
        """
        if self._pool is None:
            for task in tasks:
                self._made = [self._make()]
                yield self._made[0](task)
            return
        futures = [self._pool.submit(_work, task) for task in tasks]
        try:
            for future in futures if ordered else as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            raise WorkerDiedError(
                f"a worker process ended unexpectedly ({error}); perhaps the memory was short. Run "
                f"the same command with fewer --workers; {self._kept} are kept."
            ) from error
        finally:
            # The pool itself forgets to when it is collected before its thread has looked.
            for future in futures:
                future.cancel()

    def __enter__(self) -> Workers[Task, Result]:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._made:
            getattr(worker, "close", lambda: None)()
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)


_worker: Callable[[], Worker[Any, Any]]


def _start_process(make_worker: Callable[[], Worker[Any, Any]]) -> None:
    global _worker
    _worker = cache(make_worker)


def _work(task: Any) -> Any:
    return _worker()(task)
