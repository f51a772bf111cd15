"""Notes for a person, on standard error: what was assumed, what looks odd."""

from __future__ import annotations

from collections.abc import Iterable

import click

from armsight.actions.keyframes import Keyframes
from armsight.actions.model import ActionModel
from armsight.cli._report import printable


def say(notes: Iterable[str]) -> None:
    """Print each."""
    for note in notes:
        click.echo(printable(f"note: {note}"), err=True)


def stride_notes(
    model: ActionModel, keyframes: Keyframes, stride: int | None, every: int
) -> list[str]:
    """What to know of the stride: that it is a default, that the video's rate says otherwise."""
    notes = []
    used = stride or model.default_stride
    if stride is None:
        notes.append(
            f"--stride was not given: {used} control steps between frames, as the weights say"
        )
    if keyframes.fps:
        shown = model.spec.rate_hz * every / keyframes.fps
        if abs(shown - used) > 0.25 * used:
            notes.append(
                f"if the video plays in real time ({keyframes.fps:g} frames/s), its stride is "
                f"{shown:.2g} control steps, not {used}"
            )
    return notes
