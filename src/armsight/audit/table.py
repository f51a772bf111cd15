"""An audit as text for a terminal."""

from __future__ import annotations

import numpy as np

from armsight.audit.cameras import FoundCamera
from armsight.audit.judge import WORDS, Audit, Judgement
from armsight.reports.table import columns

WIDEST_REASON = 90


def audit_table(audit: Audit) -> str:
    """Where the cameras were, then a line for each episode and camera."""
    counts = [f"{count} {WORDS[verdict]}" for verdict, count in audit.counts().items()]
    lines = [f"{audit.dataset}: {len(audit.judgements)} episodes and cameras of {audit.robot}: "
             f"{', '.join(counts)}", ""]  # fmt: skip
    if audit.cameras:
        head = ["camera", "place in the base frame [m]", "± [mm]", "focal length [px]", "episodes"]
        rows = [[c.camera_key, place(c), doubt_mm(c), f"{c.K[0, 0]:.0f}",
                 ranges(c.episodes)] for c in audit.cameras]  # fmt: skip
        lines += [*columns([head, *rows]), ""]
    head = ["episode", "camera", "alignment", "lag [s]", "unexplained frames"]
    cells = [
        [str(j.row["episode"]), j.row["camera_key"], alignment(j), lag(j), unexplained(j)]
        for j in audit.judgements
    ]
    first, *others = columns([head, *cells])
    lines.append(f"{first}  verdict")
    for text, judgement in zip(others, audit.judgements, strict=True):
        lines.append(f"{text}  {shortened(judgement.reason)}")
    return "\n".join(lines)


def place(camera: FoundCamera) -> str:
    """The camera's centre in the base frame [m]."""
    return ", ".join(f"{value:.3f}" for value in camera.T_base_cam[:3, 3])


def doubt_mm(camera: FoundCamera) -> str:
    """Largest standard deviation of the base's place before the camera [mm]."""
    return "–" if camera.std is None else f"{1000 * camera.std[3:].max():.0f}"


def alignment(judgement: Judgement) -> str:
    """How well the outline lies on the edges."""
    value = judgement.edge_alignment
    return "–" if value is None else f"{value:.2f}"


def lag(judgement: Judgement) -> str:
    """The time offset with its standard deviation [s]."""
    offset, std = (judgement.calibration.get(k) for k in ("time_offset", "time_offset_std"))
    if offset is None:
        return "–"
    return f"{offset:+.3f}" if std is None else f"{offset:+.3f} ± {std:.3f}"


def unexplained(judgement: Judgement) -> str:
    """How many of the frames that were looked at the log does not explain, and which."""
    found, looked_at = judgement.unexplained_frames, len(judgement.frames)
    if not looked_at:
        return "–"
    return f"{len(found)} of {looked_at}" + (f" ({ranges(found, 3)})" if found else "")


def ranges(numbers: list[int] | tuple[int, ...], most: int = 6) -> str:
    """Numbers in few characters: '0–4, 9, 12–14', with '…' behind `most` of them."""
    values = np.unique(np.asarray(numbers, int))
    runs = np.split(values, np.flatnonzero(np.diff(values) > 1) + 1) if len(values) else []
    texts = [str(r[0]) if len(r) == 1 else f"{r[0]}–{r[-1]}" for r in runs]
    return ", ".join(texts[:most]) + (", …" if len(texts) > most else "")


def shortened(text: str) -> str:
    """The first sentence or so: the page and the JSON have all of it."""
    return text if len(text) <= WIDEST_REASON else text[: WIDEST_REASON - 1].rstrip() + "…"
