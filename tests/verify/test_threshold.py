"""The verifier's threshold: as many false alarms as stated, on pictures not fitted on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from armsight.data.dataset import open_dataset
from armsight.errors import DatasetError
from armsight.estimate.estimator import Estimator
from armsight.verify.threshold import (
    DEFAULTS,
    conformal_quantile,
    fit_thresholds,
    threshold,
)
from tests.labelled_folders import write_ndds


@pytest.mark.parametrize(("count", "rate"), [(19, 0.05), (60, 0.05), (300, 0.05), (50, 0.2)])
def test_new_true_claims_are_called_wrong_as_often_as_stated(count: int, rate: float) -> None:
    rng = np.random.default_rng(0)
    alarms = []
    for _ in range(2000):
        limit = conformal_quantile(rng.gamma(2.0, size=count).tolist(), rate)
        alarms.append((rng.gamma(2.0, size=50) >= limit).mean())
    assert rate - 2 / (count + 1) < np.mean(alarms) < rate + 0.004


def test_too_few_frames_for_a_rate_are_named() -> None:
    with pytest.raises(DatasetError, match=r"0\.05 needs at least 19 frames.*not 18"):
        conformal_quantile(np.arange(18.0).tolist(), 0.05)


def test_cards_without_thresholds_have_defaults() -> None:
    assert threshold({}, "picture") == DEFAULTS["picture"]
    card = {"thresholds": {"claim_wrong_camera_known": 1.5}}
    assert threshold(card, "camera known") == 1.5
    assert threshold(card, "picture") == DEFAULTS["picture"]


def test_thresholds_are_quantiles_of_true_claims(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnx")
    # The fake sees the same arm through any camera.
    monkeypatch.setattr("armsight.estimate.camera_doubt.CONTRADICTED_CONFIDENCE", 1.0)
    from armsight.camera.image import load_image
    from armsight.verify.claims import ClaimVerifier
    from tests.fake_weights import write_fake_weights

    sure = {"confidence": {"bias": 9.0, "weights": {}}, "joint_scale": 0.01}
    estimator = Estimator.from_pretrained(write_fake_weights(tmp_path / "w", calibration=sure))
    data = open_dataset(write_ndds(tmp_path / "d", 5, suffix=".rgb.png"), estimator.robot)
    found, measured = fit_thresholds(estimator, [data], false_alarms=0.5)
    judge = ClaimVerifier(estimator)
    scores = [
        judge.read(load_image(frame.load_image()), frame.K).scores(
            frame.joint_positions, frame.T_cam_base
        )
        for frame in data.frames
    ]
    for kind, name in (("picture", "claim_wrong"), ("camera known", "claim_wrong_camera_known")):
        assert found[name] == pytest.approx(np.median([one[kind] for one in scores]), abs=1e-3)
        assert measured[name]["true_claims"] == measured[name]["wrong_claims"] == 5
        rate, low, high = measured[name]["wrong_claims_found"]
        assert low <= rate <= high
    assert measured["false_alarms"] == 0.5
