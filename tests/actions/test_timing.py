"""Control steps by time stamps and frame numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from armsight import ActionModel
from armsight.actions.keyframes import load_keyframes, numbers_in
from armsight.actions.timing import keyframe_timing
from armsight.data.video import VideoWriter
from tests.fake_action_weights import pictures, true_actions, write_fake_action_weights

GREYS = [60, 90, 150, 120, 180, 240]


def test_even_frames_need_nothing() -> None:
    for moments in (np.arange(9) / 7, np.arange(9) * 3, np.round(np.arange(9) / 30, 2)):
        assert keyframe_timing(moments, 3, 8) is None
    assert keyframe_timing([0, 0, 0], 3, 8) is None  # nothing can be told


@pytest.mark.parametrize("stride", [1, 3, 4])
def test_gaps_repeats_and_uneven_steps(stride: int) -> None:
    """Against counting in a loop: moments in whole control steps, some thousandths off."""
    rng = np.random.default_rng(stride)
    true = np.cumsum([0, stride, stride, 2 * stride, 0, stride, stride, stride + 1, stride])
    moments = 5.0 + 0.05 * true + rng.normal(0, 1e-4, len(true))
    found = keyframe_timing(moments, stride, 8)
    assert found is not None
    assert np.flatnonzero(~found.kept).tolist() == [4]
    assert found.steps.tolist() == [int(t) for i, t in enumerate(true) if i != 4]
    assert f"frames 2 and 3 ({2 * stride})" in found.notes[0]
    assert "left out: 4" in found.notes[1]


def test_a_gap_beyond_the_model_is_a_note() -> None:
    found = keyframe_timing([0, 1, 2, 12, 13], 3, 8)
    assert found is not None
    assert found.steps.tolist() == [0, 3, 6, 14, 17]
    assert "between frames 2 and 3 is a gap of 30 control steps" in found.notes[-1]
    assert "counts as 8" in found.notes[-1]


def test_numbers_in_names() -> None:
    found = numbers_in(["run2_0007.png", "run2_0010.jpg", "run2_0019.png"])
    assert found is not None
    assert found.tolist() == [0, 3, 12]
    nanoseconds = numbers_in(["1700000000000000001.png", "1700000000050000002.png"])
    assert nanoseconds is not None
    assert nanoseconds.tolist() == [0, 50000001]
    assert numbers_in(["a1_2.png", "a2_3.png"]) is None
    assert numbers_in(["a.png", "b.png"]) is None


def test_a_video_that_dropped_a_frame(tmp_path: Path) -> None:
    model = ActionModel.from_pretrained(write_fake_action_weights(tmp_path / "w"))
    with VideoWriter(tmp_path / "clip.mp4", 20 / 3) as video:
        for i, frame in enumerate(pictures(GREYS, 64, 64)):
            if i != 3:
                video.write(frame, i * 3 / 20)
    found = model.predict_action_chunk(tmp_path / "clip.mp4", 3, span=1)
    assert found.keyframe_steps.tolist() == [0, 3, 6, 12, 15]
    assert "frames 2 and 3 (6)" in found.messages[0]
    kept = np.delete(GREYS, 3)
    wanted = np.interp(np.arange(16), [0, 3, 6, 12, 15], true_actions(kept, 1)[:, 0])
    np.testing.assert_allclose(found.actions[:, 0], wanted, atol=0.03)


def test_a_folder_with_a_missing_picture(tmp_path: Path) -> None:
    model = ActionModel.from_pretrained(write_fake_action_weights(tmp_path / "w"))
    (tmp_path / "frames").mkdir()
    for i, frame in enumerate(pictures(GREYS)):
        if i != 2:
            Image.fromarray(frame).save(tmp_path / "frames" / f"frame_{10 * i:04}.png")
    found = model.predict_action_chunk(tmp_path / "frames", 2)
    assert found.keyframe_steps.tolist() == [0, 2, 6, 8, 10]
    even = model.predict_action_chunk(tmp_path / "frames", steps=[0, 2, 4, 6, 8])
    assert even.keyframe_steps.tolist() == [0, 2, 4, 6, 8]  # who says the steps is believed
    assert load_keyframes(pictures(GREYS), 32).moments is None
