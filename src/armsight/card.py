"""The card of a weights folder, `model.json`: what the weights are, and how they are to be used."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from armsight.errors import WeightsError
from armsight.files import atomic_write

CARD_FILE = "model.json"
POSE, ACTIONS = "armsight-weights", "armsight-actions"
"""Kinds of weights: what stands before the slash in `format`"""
WORDS = ("description", "licence", "metrics", "training")
"""Entries that nothing is computed from"""

Value = TypeVar("Value")


@dataclass(frozen=True)
class Card:
    """What is written on a card; None or empty where it says nothing."""

    format: str
    """Kind and version, such as "armsight-weights/2" """
    robot: str
    input_size: int
    """Side of the network's square picture [px]"""
    num_hypotheses: int | None
    """Samples of the diffusion model"""
    keypoint_names: tuple[str, ...]
    joint_names: tuple[str, ...]
    encoder: str
    """Poses: SHA-256 of the encoder that robots share"""
    num_video_hypotheses: int | None
    task: str
    """Actions: the data set that they were trained on"""
    max_stride: int
    """Actions: the most control steps between two keyframes"""
    default_stride: int | None
    default_span: int | None
    default_route: str | None
    presence_threshold: float | None
    entries: Mapping[str, Any]
    """All that is written, also `thresholds`, `calibration` and what nothing is computed from"""

    @classmethod
    def from_json(cls, entries: Mapping[str, Any]) -> Card:
        """A card by its entries.

        Raises:
            KeyError, TypeError, ValueError: they lack something, or hold impossible values.
        """

        def maybe(kind: Callable[[Any], Value], name: str) -> Value | None:
            return kind(entries[name]) if name in entries else None

        return cls(
            format=str(entries["format"]),
            robot=str(entries["robot"]),
            input_size=int(entries["input_size"]),
            num_hypotheses=maybe(int, "num_hypotheses"),
            keypoint_names=tuple(entries.get("keypoint_names", ())),
            joint_names=tuple(entries.get("joint_names", ())),
            encoder=str(entries.get("encoder", "")),
            num_video_hypotheses=maybe(int, "num_video_hypotheses"),
            task=str(entries.get("task", "")),
            max_stride=int(entries.get("max_stride", 1)),
            default_stride=maybe(int, "default_stride"),
            default_span=maybe(int, "default_span"),
            default_route=maybe(str, "default_route"),
            presence_threshold=maybe(float, "presence_threshold"),
            entries=entries,
        )


def read_card(folder: Path, formats: Mapping[str, Sequence[str]], keys: Sequence[str]) -> Card:
    """The card of weights that are about to be loaded.

    Args:
        formats: what the card's `format` may be, and the graphs that must then be there.
        keys: what else it must hold.

    Raises:
        WeightsError: card or graph is missing, broken, or of another format.
    """
    path = folder / CARD_FILE
    entries = read_entries(folder)
    found = str(entries.get("format"))
    if found not in formats:
        raise WeightsError(
            f"{path} has format {found!r}, and this version reads "
            f"{' or '.join(map(repr, formats))}; {_hint(found, next(iter(formats)))}"
        )
    missing = [name for name in formats[found] if not (folder / name).is_file()]
    if missing:
        raise WeightsError(
            f"{folder} has no {' and no '.join(missing)}; make them with `armsight export`"
        )
    for key in keys:
        if key not in entries:
            raise WeightsError(f"{path} lacks {key!r}; export the weights again")
    try:
        return Card.from_json(entries)
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{path} is broken: {error}; export the weights again") from error


def read_entries(folder: Path) -> dict[str, Any]:
    """All that a folder's card says, whatever weights they are.

    Raises:
        WeightsError: there is no card, or it is broken.
    """
    path = folder / CARD_FILE
    if not path.is_file():
        raise WeightsError(f"{folder} has no {CARD_FILE}; make weights with `armsight export`")
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} is broken: {error}") from error
    if not isinstance(entries, dict):
        raise WeightsError(f"{path} is broken: it holds no JSON object")
    return entries


def write_card(folder: Path, entries: Mapping[str, Any]) -> None:
    """Write a card.

    Raises:
        OutputError: it cannot be written; an older one then stays as it was.
    """
    with atomic_write(folder / CARD_FILE) as path:
        path.write_text(json.dumps(entries, indent=1, allow_nan=False) + "\n")


def update_card(folder: Path, entries: Mapping[str, Any]) -> None:
    """Write entries in place of older ones; the others stay.

    Raises:
        WeightsError: there is no card, or it is broken.
        OutputError: it cannot be written; the old one then stays as it was.
    """
    write_card(folder, {**read_entries(folder), **entries})


def weights_digest(folder: Path) -> str:
    """Changes with all that answers depend on: graphs, card, the robot's file, first pictures.

    A shared encoder is named by its digest on the card. To write down what a run found, or words,
    makes no other weights.
    """
    digest = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        if file.name == CARD_FILE:
            try:
                entries = json.loads(file.read_text())
                kept = {name: entries[name] for name in sorted(entries) if name not in WORDS}
                digest.update(json.dumps(kept).encode())
            except (ValueError, TypeError):  # broken, which is said where it is loaded
                digest.update(file.read_bytes())
        elif file.suffix in (".onnx", ".json", ".npz"):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _hint(found: Any, wanted: str) -> str:
    """What to do about weights of another format."""
    kinds = {
        POSE: "these weights read poses: use `armsight estimate`",
        ACTIONS: "these weights read actions: use `armsight actions`",
    }
    kind = str(found).partition("/")[0]
    if kind in kinds and kind != wanted.partition("/")[0]:
        return kinds[kind]
    return "update armsight or export the weights again"
