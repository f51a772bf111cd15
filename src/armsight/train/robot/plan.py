"""How the hours for a new robot's weights are shared out, from rates measured on this machine."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from armsight.errors import ConfigError
from armsight.files import atomic_write

RENDERING_SHARE = 0.4
"""Of the time that calibration and score leave; the rest is training"""
FEWEST_PICTURES, MOST_PICTURES = 512, 61_440
SHARD_ROWS = 128
FITS_EACH = 12
"""Calibration solves a picture about so many times, with other settings and claims"""


@dataclass(frozen=True)
class SetSize:
    """One of the sets that calibrate or score: so many pictures of a preset."""

    name: str
    preset: str
    seed: int
    count: int
    shows_robot: bool


def set_sizes(hours: float) -> tuple[SetSize, ...]:
    """The sets for calibration (seed 1) and the score (seed 0), smaller where time is short."""
    share = min(1.0, max(0.12, hours / 2))
    return tuple(
        SetSize(name, preset, seed, max(24, round(share * count)), shows)
        for name, preset, seed, count, shows in (
            ("calibration-whole", "held-out", 1, 250, True),
            ("calibration-part", "robot-camera", 1, 80, True),
            ("calibration-empty", "no-robot", 1, 200, False),
            ("calibration-other", "other-arm", 1, 120, False),
            ("held-out", "held-out", 0, 300, True),
        )
    )


@dataclass(frozen=True)
class Plan:
    """What is made, and how long it is expected to take."""

    hours: float
    pictures: int
    """for training"""
    training_s: float
    crops_per_s: float
    """rendered, by all workers"""
    answer_s: float
    """to read one picture"""
    workers: int

    @property
    def sets_s(self) -> float:
        """Rendering what calibrates and scores: whole frames are three times a crop."""
        return 3 * sum(one.count for one in set_sizes(self.hours)) / self.crops_per_s

    @property
    def calibration_s(self) -> float:
        return _calibration_s(self.hours, self.answer_s)

    @property
    def score_s(self) -> float:
        return _score_s(self.hours, self.answer_s)

    @property
    def rendering_s(self) -> float:
        return self.pictures / self.crops_per_s

    def table(self) -> str:
        """What takes how long, for the user."""
        rows = (
            ("pictures for training", f"{self.pictures:,}", self.rendering_s),
            ("training", "head and denoiser", self.training_s),
            ("pictures to calibrate and score", "", self.sets_s),
            ("calibration", "", self.calibration_s),
            ("score", "", self.score_s),
        )
        lines = [f"  {name:32} {what:20} {_time(seconds)}" for name, what, seconds in rows]
        total = sum(seconds for _, _, seconds in rows)
        return "\n".join([
            f"on this machine ({self.crops_per_s:.0f} pictures/s rendered with {self.workers} "
            f"workers, {1e3 * self.answer_s:.0f} ms to read one):",
            *lines, f"  {'in all':53} {_time(total)}",
        ])  # fmt: skip


def make_plan(hours: float, crops_per_s: float, answer_s: float, workers: int) -> Plan:
    """Share `hours` out.

    Raises:
        ConfigError: they do not even suffice for calibration and score.
    """
    sets = 3 * sum(one.count for one in set_sizes(hours)) / crops_per_s
    left = 3600 * hours - sets - _calibration_s(hours, answer_s) - _score_s(hours, answer_s)
    fewest = FEWEST_PICTURES / crops_per_s
    if left * RENDERING_SHARE < fewest:
        needed = (3600 * hours - left + fewest / RENDERING_SHARE) / 3600
        raise ConfigError(
            f"--hours {hours:g} is too short: on this machine the smallest set of pictures, "
            f"calibration and score need about {needed:.2g} hours"
        )
    pictures = int(left * RENDERING_SHARE * crops_per_s)
    pictures = min(MOST_PICTURES, pictures // SHARD_ROWS * SHARD_ROWS)
    training_s = left - pictures / crops_per_s
    return Plan(hours, pictures, round(training_s), crops_per_s, answer_s, workers)


def read_plan(path: Path) -> Plan | None:
    """The plan of an earlier run; None where there is none."""
    if not path.is_file():
        return None
    content: dict[str, Any] = json.loads(path.read_text())
    return Plan(**content)


def write_plan(path: Path, plan: Plan) -> None:
    """Keep a plan, so that the same command goes on along it."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(asdict(plan), indent=1) + "\n")


def _calibration_s(hours: float, answer_s: float) -> float:
    sets = [one for one in set_sizes(hours) if one.name.startswith("calibration")]
    return answer_s * sum(one.count * (FITS_EACH if one.shows_robot else 0.5) for one in sets)


def _score_s(hours: float, answer_s: float) -> float:
    return answer_s * sum(one.count for one in set_sizes(hours) if one.seed == 0)


def _time(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"
