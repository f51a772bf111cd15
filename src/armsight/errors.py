"""Every error that a user of armsight can meet, in one tree.

Each message says what was wrong (with the value), what would have been valid, and what to do
next. `exit_code` is what the command line returns.
"""

from __future__ import annotations


class ArmsightError(Exception):
    """Base of all errors that armsight raises on purpose."""

    exit_code = 1


class BadImageError(ArmsightError):
    """The image cannot be read, or is not something an arm could be seen in."""

    exit_code = 3


class BadVideoError(ArmsightError):
    """The video cannot be read, or ended in the middle of a frame."""

    exit_code = 3


class KeyframesError(ArmsightError):
    """From these keyframes no actions can be read: too few, of different sizes, without a robot."""

    exit_code = 3


class BadIntrinsicsError(ArmsightError):
    """The camera matrix, the field of view or the camera file makes no sense."""

    exit_code = 4


class UnknownRobotError(ArmsightError):
    """No robot of that name is known, or its data file is broken."""

    exit_code = 5


class BadShapeError(ArmsightError):
    """An array has the wrong shape, or holds NaN or infinity."""

    exit_code = 2


class WeightsError(ArmsightError):
    """The weights are missing, broken, or belong to another robot or version."""

    exit_code = 6


class DatasetError(ArmsightError):
    """A data set cannot be read: a file is missing, or its numbers contradict each other."""

    exit_code = 7


class OutputError(ArmsightError):
    """A result cannot be written (no such folder, no permission, disk full)."""

    exit_code = 8


class ConfigError(ArmsightError):
    """A setting has an unknown name or an impossible value."""

    exit_code = 2


class ControlError(ArmsightError):
    """A simulated task cannot be set up or carried out."""

    exit_code = 10


class UnknownTaskError(ControlError):
    """No suite, task, split or initial state of that name is known."""

    exit_code = 2


class MissingExtraError(ArmsightError):
    """A part of armsight needs packages that are not installed."""

    exit_code = 9

    def __init__(self, what: str, package: str, install: str) -> None:
        super().__init__(f"{what} needs {package}, which is not installed. Run: {install}")
