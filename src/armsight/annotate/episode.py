"""One episode before one camera: its video is read, and the estimates are kept as a table."""

from __future__ import annotations

import base64
import time
from functools import cached_property, partial

import numpy as np

from armsight.annotate.columns import Columns, columns, to_rows
from armsight.annotate.plan import EstimatePlan
from armsight.camera.camera_file import read_camera_file
from armsight.data.lerobot.film import EpisodeFilm
from armsight.data.lerobot.tables import to_table
from armsight.data.parquet import pyarrow
from armsight.data.recordings.episodes import Episodes, LeRobotEpisodes
from armsight.episodes.run import Row
from armsight.episodes.units import Unit
from armsight.errors import ArmsightError, MissingExtraError, OutputError
from armsight.estimate.clips.film import choose_reading
from armsight.estimate.estimator import Estimator
from armsight.state import Estimate

FATAL = (MissingExtraError, OutputError)
"""Errors of the set-up; all others are an episode's own, and do not stop the rest"""
TABLE = "table"
"""Key of a row's Parquet file (base64), until it is written"""


class EpisodeEstimator:
    """Reads episodes of one data set; each process has its own."""

    def __init__(self, plan: EstimatePlan) -> None:
        """Nothing is loaded before the first episode."""
        self.plan = plan

    @cached_property
    def estimator(self) -> Estimator:
        """What reads frames"""
        plan = self.plan
        loaded = Estimator.from_pretrained(plan.robot, threads=plan.threads, device=plan.device)
        return loaded.with_outline(plan.outline is not False)

    @cached_property
    def episodes(self) -> LeRobotEpisodes:
        """The data set"""
        return LeRobotEpisodes(self.plan.dataset)

    def __call__(self, unit: Unit) -> Row:
        """An episode's row: JSON-ready; `table` (base64) goes into a file of its own.

        Raises:
            MissingExtraError: a package is missing.
            WeightsError, UnknownRobotError: the weights cannot be loaded.
        """
        start = time.perf_counter()
        row = empty_row(self.episodes, unit)
        estimates: list[Estimate] = []
        try:
            row["notes"] = self._read(unit, estimates)
        except FATAL:
            raise
        except ArmsightError as error:
            row |= {"error": str(error), "exit_code": error.exit_code}
        except Exception as error:  # one odd episode must not end thousands
            row |= {"error": f"{type(error).__name__}: {error}", "exit_code": 1}
        row["num_read"] = len(estimates)
        row["num_robot_found"] = sum(one.robot_found for one in estimates)
        if estimates:
            row["intrinsics_source"] = estimates[0].intrinsics_source
            joint_names = self.plan.joint_names
            table = to_rows(estimates, joint_names, row["num_frames"])
            row[TABLE] = base64.b64encode(_parquet(table, joint_names)).decode()
        row["seconds"] = round(time.perf_counter() - start, 2)
        return row

    def _read(self, unit: Unit, estimates: list[Estimate]) -> list[str]:
        """Fill `estimates` as far as the video goes, and say what to know about it."""
        plan = self.plan
        open_film = partial(EpisodeFilm, self.episodes.reader, unit.episode, unit.camera_key)
        read, notes = choose_reading(
            self.estimator,
            open_film,
            None if plan.K is None else np.reshape(plan.K, (3, 3)),
            plan.hypotheses,
            still=plan.still,
            outline=plan.outline,
            camera=None if plan.camera is None else read_camera_file(plan.camera),
            fov_deg=plan.fov_deg,
        )
        with open_film() as film:
            for estimate, _ in read(film):
                estimates.append(estimate)
        return list(notes)


def empty_row(episodes: Episodes, unit: Unit) -> Row:
    """A row of which nothing is known yet but which episode it is."""
    return {
        "key": unit.key,
        "episode": unit.episode,
        "camera_key": unit.camera_key,
        "digest": episodes.digest(unit.episode, unit.camera_key),
        "num_frames": episodes.length(unit.episode, unit.camera_key),
        "num_read": 0,
        "num_robot_found": 0,
        "intrinsics_source": None,
        "notes": [],
        "error": None,
        "exit_code": 0,
        TABLE: None,
    }


def _parquet(table: Columns, joint_names: tuple[str, ...]) -> bytes:
    pa = pyarrow()
    sink = pa.BufferOutputStream()
    pa.parquet.write_table(to_table(table, columns(joint_names)), sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content
