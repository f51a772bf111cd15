"""A page of judged videos: scores, parts, and the worst moments in pictures."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.judge.score import PARTS
from armsight.judge.video import Judged
from armsight.reports import page

MOST_SHOWN = 40
"""Videos whose moments are shown"""
SHOWN_SIDE = 256
"""[px]"""


def score_page(judged: Sequence[Judged], failed: Sequence[tuple[str, str]]) -> str:
    """An HTML document, the best video first.

    Args:
        judged: videos with their scores.
        failed: names and reasons of those that could not be judged.

    Raises:
        MissingExtraError: Jinja2 is not installed.
    """
    ranked = sorted(judged, key=lambda one: -one.score.score)
    rows = [
        [one.source, f"{one.score.score:.3f}", *(_cell(one.score.parts[p]) for p in PARTS),
         one.score.fault or "-"]
        for one in ranked
    ]  # fmt: skip
    parts = [
        page.paragraph(
            "1: nothing is unusual beside true videos of the scene. Each part is told by its worst "
            "measure; the score is their product. It ranks videos of one scene; it is no "
            "probability."
        ),
        page.section("Scores", page.table(["video", "score", *PARTS, "fault"], rows, names=True)),
    ]
    for one in ranked[:MOST_SHOWN]:
        pictures = [
            (data_uri(one.frames[m.frame]),
             f"{m.time:.2f} s: {m.says} ({m.measure}, {m.excess:.1f} beyond the usual)")
            for m in one.score.moments
        ]  # fmt: skip
        title = f"{one.source}: {one.score.score:.3f}"
        shown = page.pictures(pictures) if pictures else page.paragraph("Nothing unusual.")
        parts.append(page.section(title, shown))
    if failed:
        parts.append(page.section(
            "Not judged", page.table(["video", "why"], [list(one) for one in failed], prose=True)
        ))  # fmt: skip
    return page.page("Can a robot do what these videos show?", parts)


def data_uri(pixels: NDArray[np.uint8]) -> str:
    """A picture (H, W, 3) RGB as an address that holds it."""
    factor = SHOWN_SIDE / max(pixels.shape[:2])
    size = (round(pixels.shape[1] * factor), round(pixels.shape[0] * factor))
    shown = cv2.resize(
        pixels, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    )
    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(shown, cv2.COLOR_RGB2BGR))
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode()


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
