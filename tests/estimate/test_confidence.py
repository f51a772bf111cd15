"""Confidence: of what can be seen, less where joints cannot be told."""

from __future__ import annotations

import numpy as np
import pytest

from armsight.estimate.confidence import CANNOT_TELL, cannot_tell, confidence, refused_confidence

NAMES = ("a", "b", "c", "d")


def test_joints_that_cannot_be_told_take_up_to_half_of_the_confidence() -> None:
    known, open_ = 0.5 * CANNOT_TELL, 2 * CANNOT_TELL
    assert confidence(0.9, np.full(4, known)) == pytest.approx(0.9)
    assert confidence(0.9, np.full(4, open_)) == pytest.approx(0.45)
    falling = [confidence(0.9, np.array([open_] * n + [known] * (4 - n))) for n in range(5)]
    assert (np.diff(falling) < 0).all()


def test_the_joints_that_cannot_be_told_are_named() -> None:
    stds = np.array([2.0, 0.5, 2.0, 0.5]) * CANNOT_TELL
    assert cannot_tell(NAMES, stds) == ("a, c cannot be told from this picture (std over 25 deg)",)
    assert cannot_tell(NAMES, 0.5 * stds / 2) == ()
    assert cannot_tell(NAMES, 9 * stds)[0].startswith("no joint can be told")


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.93])
def test_a_refusal_never_looks_sure(threshold: float) -> None:
    presences = np.linspace(0, threshold, 20)
    confidences = [refused_confidence(float(p), threshold) for p in presences]
    assert confidences[-1] == pytest.approx(0.5)
    assert (np.diff(confidences) > 0).all()
    assert confidences[0] < 1e-4
