"""Tones of another renderer are matched to the camera's own, where they are far off."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from armsight import ActionModel
from armsight.actions.files import read_actions, write_actions
from armsight.actions.first_pictures import (
    FILE,
    FirstPictures,
    read_first_pictures,
    write_first_pictures,
)
from armsight.actions.histogram_matching import AUTO_MATCH_LEVELS, ToneHistogram, adapt, match_tones
from armsight.errors import ConfigError, WeightsError
from tests.fake_action_weights import SIZE, write_fake_action_weights

WHOLE = (slice(None), slice(None))


@pytest.fixture
def scene() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 200, (3, 40, 40, 3), dtype=np.uint8)


def lighter(scene: np.ndarray) -> np.ndarray:
    return (255 * (scene / 255) ** [0.6, 0.6, 0.9]).round().astype(np.uint8)


def test_a_lighter_and_yellower_rendering_gets_the_cameras_tones_back(scene: np.ndarray) -> None:
    other = lighter(scene)
    back = match_tones(other, ToneHistogram.of(scene[0]))
    assert np.abs(other.astype(int) - scene).mean() > 20
    assert np.abs(back.astype(int) - scene).mean() < 2  # the later frames too
    # Its own tones, in another size, change nothing.
    large = cv2.resize(scene[0], (80, 80), interpolation=cv2.INTER_NEAREST)
    np.testing.assert_array_equal(match_tones(scene, ToneHistogram.of(large))[0], scene[0])


def test_distance_is_how_far_grey_values_move(scene: np.ndarray) -> None:
    tones = ToneHistogram.of(scene)
    assert tones.distance(tones) == 0
    assert tones.distance(ToneHistogram.of(scene + 30)) == pytest.approx(30)
    red = scene.copy()
    red[..., 0] += 30
    assert tones.distance(ToneHistogram.of(red)) == pytest.approx(10)  # the mean of three channels


@pytest.mark.parametrize(
    ("shift", "mode", "matched"),
    [(40, "auto", True), (2, "auto", False), (2, "always", True), (40, "never", False)],
)
def test_modes(scene: np.ndarray, shift: int, mode: str, matched: bool) -> None:
    frames, wanted = scene + np.uint8(shift), ToneHistogram.of(scene[0])
    images, done = adapt(frames, WHOLE, wanted, mode)
    assert (done.mode, done.matched) == (mode, matched)
    assert done.distance == pytest.approx(shift, abs=0.01)
    np.testing.assert_array_equal(images[0], scene[0] if matched else frames[0])
    assert (frames == scene + shift).all()  # the input stays
    note = done.note("suite")
    assert (note is None) == (not matched and shift < AUTO_MATCH_LEVELS)
    assert note is None or f"{shift} grey levels off suite's own" in note


def test_the_black_around_a_picture_is_no_tone(scene: np.ndarray) -> None:
    frames = np.zeros((3, 40, 40, 3), np.uint8)
    inside = (slice(8, 32), slice(None))
    frames[:, 8:32] = scene[:, 8:32] + 40
    images, done = adapt(frames, inside, ToneHistogram.of(scene[0, 8:32]), "auto")
    assert done.matched
    np.testing.assert_array_equal(images[0, 8:32], scene[0, 8:32])
    assert not images[:, :8].any()
    assert not images[:, 32:].any()


def test_without_tones_to_match_to(scene: np.ndarray) -> None:
    for mode in ("auto", "never"):
        images, done = adapt(scene, WHOLE, None, mode)
        assert images is scene
        assert done.to_json() == {"mode": mode, "matched": False, "distance": None}
        assert done.note("suite") is None
    with pytest.raises(ConfigError, match="armsight control first-pictures"):
        adapt(scene, WHOLE, None, "always")
    with pytest.raises(ConfigError, match="'often'; valid: auto, always, never"):
        adapt(scene, WHOLE, None, "often")


def made(scene: np.ndarray) -> FirstPictures:
    return FirstPictures(("a", "b", "c"), scene, ToneHistogram.of(scene))


def test_first_pictures_on_disk(scene: np.ndarray, tmp_path: Path) -> None:
    assert read_first_pictures(tmp_path) is None
    write_first_pictures(made(scene), tmp_path / FILE)
    read = read_first_pictures(tmp_path)
    assert read is not None
    assert read.tasks == ("a", "b", "c")
    np.testing.assert_array_equal(read.pictures, scene)
    np.testing.assert_array_equal(read.tones.shares, ToneHistogram.of(scene).shares)


def test_broken_first_pictures_are_named(scene: np.ndarray, tmp_path: Path) -> None:
    write_first_pictures(made(scene), tmp_path / FILE)
    whole = (tmp_path / FILE).read_bytes()
    odd = FirstPictures(("a", "b"), scene, ToneHistogram.of(scene))
    for content in (b"", b"no zip", whole[: len(whole) // 2]):
        (tmp_path / FILE).write_bytes(content)
        with pytest.raises(WeightsError, match=r"first_pictures\.npz is broken"):
            read_first_pictures(tmp_path)
    for wrong in (odd, FirstPictures(("a", "b", "c"), scene, ToneHistogram(np.ones((3, 5))))):
        write_first_pictures(wrong, tmp_path / FILE)
        with pytest.raises(WeightsError, match="expected armsight-first-pictures/1"):
            read_first_pictures(tmp_path)


def test_the_model_matches_and_says_so(tmp_path: Path) -> None:
    """The fake reads grey values as actions: it must see those of the known camera."""
    folder = write_fake_action_weights(tmp_path / "w")
    rng = np.random.default_rng(0)
    known = rng.integers(60, 180, (4, SIZE, SIZE, 3), dtype=np.uint8)
    known[..., :8, :, :] = 255  # not even grey, so that a first frame says what tones are
    write_first_pictures(made(known[:3]), folder / FILE)
    model = ActionModel.from_pretrained(folder)
    truth = model.predict_action_chunk(known, 3)
    assert truth.tones["matched"] is False
    assert truth.tones["distance"] < 2
    assert truth.messages == ()
    off = model.predict_action_chunk(lighter(known), 3)
    as_is = model.predict_action_chunk(lighter(known), 3, match_tones="never")
    assert np.abs(off.actions - truth.actions)[:, :6].max() < 0.01
    assert np.abs(as_is.actions - truth.actions)[:, :6].max() > 0.05
    assert off.tones["matched"] is True
    assert "were matched to them" in off.messages[0]
    assert "were left so" in as_is.messages[0]
    write_actions(off, tmp_path / "a.npz")
    assert read_actions(tmp_path / "a.npz").tones == off.tones
