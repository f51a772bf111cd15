"""Effects against simple cases."""

from __future__ import annotations

import numpy as np

from armsight.render.imaging import effects


def test_ambient_occlusion_darkens_a_step_from_below_only() -> None:
    depth = np.full((64, 64), 1.05, np.float32)
    depth[:, :32] = 1.0
    share = effects.ambient_occlusion(depth, 8, 0.1)
    assert share[32, 34] < share[32, 60] - 0.1
    assert share[32, 10] > 0.95
    far = np.full((64, 64), 9.0, np.float32)
    far[:, :32] = 1.0
    # What is far behind is not near enough to be shaded.
    assert effects.ambient_occlusion(far, 8, 0.1).min() > 0.95


def test_effects_follow_their_seed() -> None:
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    for seed in range(10):
        a, b = (effects.apply_effects(np.random.default_rng(seed), image) for _ in range(2))
        np.testing.assert_array_equal(a, b)
        assert a.shape == image.shape
    other = effects.apply_effects(np.random.default_rng(11), image)
    assert (other != a).any()


def test_effects_neither_blind_nor_blacken() -> None:
    grey = np.full((60, 80, 3), 60, np.uint8)
    means = [effects.apply_effects(np.random.default_rng(i), grey).mean() for i in range(200)]
    assert min(means) > 20
    assert max(means) < 225
    assert 95 < np.median(means) < 150


def test_jpeg_keeps_red_red() -> None:
    red = np.zeros((32, 32, 3), np.uint8)
    red[..., 0] = 200
    stored = effects.jpeg(red, 90)
    assert stored[..., 0].mean() > 150
    assert stored[..., 2].mean() < 30
