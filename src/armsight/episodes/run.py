"""Work through the episodes of a data set: each once, each row kept as soon as it is finished."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from armsight.data.recordings.episodes import Episodes, open_episodes
from armsight.episodes.units import Unit
from armsight.parallel import WorkerDiedError, Workers
from armsight.reports.journal import Journal

Row = dict[str, Any]
"""JSON-ready, with a `key` and a `digest`"""
Worker = Callable[[Unit], Row]
Engine = Literal["local", "ray"]
ENGINES: tuple[Engine, ...] = ("local", "ray")
KEPT = "finished episodes"
DIED = (
    "the process that worked on this episode ended unexpectedly; perhaps the memory was short. Run "
    "the same command with fewer --workers"
)


class Runner:
    """How the episodes of one data set are worked on, and what a row of one that failed is."""

    def __init__(
        self,
        dataset: Path,
        make_worker: Callable[[], Worker],
        empty_row: Callable[[Episodes, Unit], Row],
        *,
        workers: int = 1,
        engine: Engine = "local",
    ) -> None:
        """Prepare; nothing is loaded before the first episode.

        Args:
            make_worker: called once in each process; must be picklable.
            empty_row: a row of which nothing is known but which episode it is.

        Raises:
            DatasetError: the data set's metadata cannot be read.
        """
        self._episodes = open_episodes(dataset)
        self._make, self._empty_row = make_worker, empty_row
        self._workers, self._engine = workers, engine

    def run(
        self,
        units: Sequence[Unit],
        journal: Journal | None,
        keep: Callable[[Row], None],
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> list[Row]:
        """Rows of all units, in order; those that the journal holds already are not made again.

        Args:
            journal: takes each row; None: nothing is kept.
            keep: takes what is not for the journal out of a row, and writes it to its own place.
            progress: called with the number of finished and of all units.

        Raises:
            MissingExtraError: a package is missing.
            OutputError: a row cannot be written.
        """
        rows = {} if journal is None else dict(journal.lines)
        todo = [
            unit
            for unit in units
            if rows.get(unit.key, {}).get("digest")
            != self._episodes.digest(unit.episode, unit.camera_key)
        ]
        done = len(units) - len(todo)
        progress(done, len(units))
        for row in self._rows(todo):
            if journal is not None:
                # The files first: a row in the journal is not looked at again.
                keep(row)
                journal.add(row)
            rows[row["key"]] = row
            done += 1
            progress(done, len(units))
        return [rows[unit.key] for unit in units]

    def _rows(self, units: Sequence[Unit]) -> Iterator[Row]:
        if not units:
            return
        if self._engine == "ray":
            from armsight.episodes.ray_engine import run_on_ray

            yield from run_on_ray(self._make, units, self._workers)
            return
        left = list(units)
        while left:
            try:
                with Workers(self._make, self._workers, KEPT) as pool:
                    for row in pool.run(left):
                        left = [unit for unit in left if unit.key != row["key"]]
                        yield row
            except WorkerDiedError:
                # Tasks are begun in order, so that whoever died is among the first: these go alone.
                first = 2 * self._workers + 1
                suspects, left = left[:first], left[first:]
                yield from map(self._apart, suspects)

    def _apart(self, unit: Unit) -> Row:
        """An episode in a process of its own; a row with an error where it dies."""
        try:
            with Workers(self._make, 1, KEPT, apart=True) as pool:
                return next(pool.run([unit]))
        except WorkerDiedError:
            # Without a digest the row is not kept as finished: the next run tries it again.
            return self._empty_row(self._episodes, unit) | {
                "digest": "", "seconds": 0.0, "error": DIED,
            }  # fmt: skip
