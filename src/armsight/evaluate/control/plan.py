"""What `armsight evaluate control` is to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from armsight.actions.ensemble import AHEAD_STEPS, LEAST_VOTES
from armsight.actions.histogram_matching import AUTO_MATCH_LEVELS
from armsight.actions.model import PAIR_REACH_STEPS
from armsight.card import weights_digest
from armsight.control.rollout import HOLD_STEPS
from armsight.errors import ConfigError
from armsight.evaluate.control.world import LiberoWorld, World
from armsight.path_tracking.track_path import Tracking

MODEL_ROWS = ("direct", "track", "direct_no_averaging", "track_no_averaging")
TRACKED = ("track", "track_no_averaging")
ROWS = {
    "replay": "the demonstration's own actions, played again: the ceiling",
    "direct": "the model's actions, averaged where pairs overlap",
    "track": "actions that take the arm alone along the model's path",
    "direct_no_averaging": "the model's actions, each from one pair",
    "track_no_averaging": "actions along the model's path, each pose from one pair",
    "regression": "the regression network in place of diffusion, by the default route",
    "pose_differencing": "frame-by-frame pose estimates, their differences as actions",
    "no_action": "the arm stays where it is: the floor",
}
ORACLE = "oracle"


@dataclass(frozen=True)
class PlayedEpisode:
    """One result: a row played once."""

    task: str
    initial_state: int
    row: str
    stride: int

    @property
    def key(self) -> str:
        """Its name in the journal."""
        return f"{self.task}/{self.initial_state}/{self.row}/{self.stride}"

    @property
    def file_stem(self) -> str:
        """Its name for files."""
        return f"{self.task}.{self.initial_state}.{self.row}.{self.stride}"


@dataclass(frozen=True)
class ControlPlan:
    """Tasks, initial states and rows, and what the actions come from; picklable for workers."""

    folder: Path
    """Where results, demonstrations and videos are kept"""
    tasks: tuple[str, ...]
    """Full names"""
    initial_states: tuple[int, ...]
    keyframes: str = ORACLE
    """`oracle`, or a folder of videos (see `armsight.control.world_models.find_keyframes`)"""
    rows: tuple[str, ...] = tuple(ROWS)
    stride: int = 3
    strides: tuple[int, ...] = ()
    """For the curve of success against stride, of the default row"""
    default_row: str = "direct"
    weights: str | None = None
    """Name or folder of the action model; None: there is none"""
    regression_weights: str | None = None
    pose_weights: str | None = None
    num_hypotheses: int | None = None
    seed: int = 0
    workers: int = 1
    num_videos: int = 6
    world: World = field(default_factory=LiberoWorld)

    def __post_init__(self) -> None:
        """Check names and numbers.

        Raises:
            ConfigError: a row is unknown, or a number makes no sense.
        """
        for row in (*self.rows, self.default_row):
            if row not in ROWS:
                raise ConfigError(f"unknown row {row!r}; known: {', '.join(ROWS)}")
        for stride in (self.stride, *self.strides):
            if stride < 1:
                raise ConfigError(f"stride is {stride}; give 1 or more control steps")
        if not (self.tasks and self.initial_states and self.rows):
            raise ConfigError("nothing to evaluate: give tasks, initial states and rows")

    def why_not(self, row: str) -> str | None:
        """What a row lacks; None where it can be played."""
        if row in MODEL_ROWS and self.weights is None:
            return "no weights"
        if row == "regression" and self.regression_weights is None:
            return "no weights"
        if row == "pose_differencing" and self.pose_weights is None:
            return "no weights"
        if row == "replay" and self.keyframes != ORACLE:
            return "no demonstration"
        return None

    def units(self) -> list[PlayedEpisode]:
        """Everything to be played, ordered so that one simulation serves many units."""
        playable = [row for row in self.rows if self.why_not(row) is None]
        found = []
        for task in self.tasks:
            for state in self.initial_states:
                for row in playable:
                    strided = row not in ("replay", "no_action")
                    found.append(PlayedEpisode(task, state, row, self.stride if strided else 0))
                if self.why_not(self.default_row) is None:
                    found += [
                        PlayedEpisode(task, state, self.default_row, stride)
                        for stride in self.strides
                    ]
        return list(dict.fromkeys(found))

    def all_strides(self) -> tuple[int, ...]:
        """Strides at which keyframes are needed."""
        return tuple(sorted({self.stride, *self.strides}))

    def settings(self) -> dict[str, Any]:
        """What every line of a journal depends on."""
        return {
            "keyframes": self.keyframes,
            "seed": self.seed,
            "hold_steps": HOLD_STEPS,
            **self.world.settings(),
        }

    def made_with(self, unit: PlayedEpisode) -> str:
        """What one unit's actions depend on besides; a line made with something else is stale."""
        parts: list[str] = []
        if unit.row in (*MODEL_ROWS, "pose_differencing"):
            parts.append(_digest(self.weights))
        if unit.row == "regression":
            parts += [_digest(self.regression_weights), self.default_row]
        if unit.row == "pose_differencing":
            parts.append(_digest(self.pose_weights))
        if parts and unit.stride < PAIR_REACH_STEPS:
            parts.append(f"reach {PAIR_REACH_STEPS}")
        if parts:  # what is done to frames before a network, and to grippers behind it
            parts.append(f"tones {AUTO_MATCH_LEVELS:g}, votes {AHEAD_STEPS} {LEAST_VOTES:g}")
        if (self.default_row if unit.row == "regression" else unit.row) in TRACKED:
            parts.append(repr(Tracking()))
        if parts and self.num_hypotheses:
            parts.append(f"{self.num_hypotheses} hypotheses")
        return " ".join(parts)


def _digest(weights: str | None) -> str:
    """Changes with the weights."""
    if weights is None:
        return "none"
    folder = Path(weights)
    if not folder.is_dir():
        return weights
    return weights_digest(folder)


def parse_numbers(text: str, what: str) -> tuple[int, ...]:
    """`3`, `1,2,4` or `40-49` and mixtures of them.

    Raises:
        ConfigError: that is not what it is.
    """
    found: list[int] = []
    try:
        for part in text.split(","):
            first, dash, last = part.strip().partition("-")
            found += range(int(first), int(last if dash else first) + 1)
    except ValueError:
        found = []
    if not found:
        raise ConfigError(f"{what} is {text!r}; give numbers such as 3, 1,2,4 or 40-49")
    return tuple(dict.fromkeys(found))


def parse_rows(text: str | None) -> tuple[str, ...]:
    """Names of rows with commas between; all of them for None.

    Raises:
        ConfigError: there is no such row.
    """
    rows: Sequence[str] = tuple(ROWS) if text is None else [r.strip() for r in text.split(",")]
    unknown = [row for row in rows if row not in ROWS]
    if unknown:
        raise ConfigError(f"unknown row {unknown[0]!r}; known: {', '.join(ROWS)}")
    return tuple(dict.fromkeys(rows))
