"""Frames in, actions out, against a network of which every answer is known."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from armsight import ActionModel
from armsight.actions.ensemble import Weights, equal, middle_first, steady_votes
from armsight.card import ACTIONS
from armsight.errors import (
    ConfigError,
    KeyframesError,
    MissingExtraError,
    UnknownTaskError,
    WeightsError,
)
from armsight.estimate import pretrained
from armsight.geometry import make_transform
from tests.fake_action_weights import (
    DARK,
    OFFSETS,
    SPREAD,
    pictures,
    true_actions,
    write_fake_action_weights,
)

GREYS = np.array([60, 90, 150, 120, 180, 240])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ActionModel:
    return ActionModel.from_pretrained(write_fake_action_weights(tmp_path_factory.mktemp("w")))


@pytest.mark.parametrize("stride", range(1, 9))
def test_actions_of_every_stride(model: ActionModel, stride: int) -> None:
    sequence = model.predict_action_chunk(pictures(GREYS), stride, num_hypotheses=16, span=1)
    expected = np.clip(true_actions(GREYS, stride), -1, 1)
    assert sequence.actions.shape == ((len(GREYS) - 1) * stride + 1, 7)
    np.testing.assert_allclose(sequence.actions[:, :6], expected[:, :6], atol=5 * SPREAD)
    votes = steady_votes(expected[:, 6])
    sure = np.abs(expected[:, 6]) > 5 * SPREAD
    np.testing.assert_array_equal(sequence.actions[sure, 6], votes[sure])
    assert set(sequence.actions[:, 6]) == {-1, 1}
    assert sequence.keyframe_steps.tolist() == list(range(0, len(sequence), stride))
    np.testing.assert_allclose(sequence.ee_position[:, 0], expected[:, 0], atol=5 * SPREAD)
    np.testing.assert_allclose(sequence.gripper_opening, expected[:, 0], atol=1e-6)
    assert sequence.stride == stride


def test_uneven_steps(model: ActionModel) -> None:
    steps = [10, 12, 20, 21, 26, 29]
    sequence = model.predict_action_chunk(pictures(GREYS), steps=steps, num_hypotheses=16, span=1)
    a = np.interp(np.arange(10, 30), steps, GREYS) / 255
    np.testing.assert_allclose(sequence.actions[:, 0], a, atol=5 * SPREAD)
    assert sequence.keyframe_steps.tolist() == [0, 2, 10, 11, 16, 19]
    assert sequence.stride is None
    assert np.isnan(sequence.pair_actions[0, 3:]).all()
    assert np.isfinite(sequence.pair_actions[0, :3]).all()


def test_lerobots_conventions(model: ActionModel) -> None:
    """A chunk is (horizon, action_dim), as a policy's predict_action_chunk returns for one."""
    sequence = model.predict_action_chunk(pictures(GREYS))
    assert sequence.stride == 3  # of the card
    chunk = np.asarray(sequence)
    assert chunk.shape == (len(sequence), 7) == (16, 7)
    assert np.asarray(sequence, np.float32).dtype == np.float32
    assert sequence.action_names == ("dx", "dy", "dz", "rx", "ry", "rz", "gripper")
    assert np.abs(chunk).max() <= 1
    np.testing.assert_allclose(np.diff(sequence.times), 1 / 20)


def test_shared_keyframes_are_averaged(model: ActionModel) -> None:
    sequence = model.predict_action_chunk(pictures(GREYS), 2, num_hypotheses=2, span=1)
    alone = sequence.pair_actions
    for p in range(1, len(GREYS) - 1):
        np.testing.assert_allclose(
            sequence.actions[2 * p, :6], (alone[p - 1, 2] + alone[p, 0])[:6] / 2
        )
        np.testing.assert_allclose(sequence.actions[2 * p + 1, :6], alone[p, 1, :6])
    without = model.predict_action_chunk(pictures(GREYS), 2, num_hypotheses=2, weights=None)
    np.testing.assert_allclose(without.actions[2:-1:2, :6], alone[1:, 0, :6])
    assert set(without.actions[:, 6]) <= {-1, 1}
    other = model.predict_action_chunk(pictures(GREYS), 2, weights=middle_first)
    assert len(other) == len(sequence)


def test_wider_spans_average_more_opinions(model: ActionModel) -> None:
    """In the fake the middle keyframe is not on the line between its neighbours, and each pair
    says so: what comes out is the mean of what the pairs say."""
    options: dict[str, Any] = {"num_hypotheses": 2, "merge": "mean"}
    sequence = model.predict_action_chunk(pictures([60, 150, 120]), 2, span=2, **options)
    a = np.array([60, 150, 120]) / 255
    assert sequence.pairs.tolist() == [[0, 1], [0, 2], [1, 2]]
    neighbours = [a[0], a[:2].mean(), a[1], a[1:].mean(), a[2]]
    wide = np.linspace(a[0], a[2], 5)
    expected = [(x + y) / 2 for x, y in zip(neighbours, wide, strict=True)]
    expected[2] = (2 * a[1] + wide[2]) / 3  # two neighbouring pairs say the middle
    np.testing.assert_allclose(sequence.actions[:, 0], expected, atol=1e-6)
    assert sequence.keyframe_steps.tolist() == [0, 2, 4]
    assert sequence.stride == 2
    # By itself so where keyframes are close, and not where averaging is ruled out.
    by_itself = model.predict_action_chunk(pictures([60, 150, 120]), 2, **options)
    np.testing.assert_array_equal(by_itself.actions, sequence.actions)
    for no_more in ({"span": 1}, {"weights": None}):
        few = model.predict_action_chunk(pictures([60, 150, 120]), 2, **options, **no_more)
        assert few.pairs.tolist() == [[0, 1], [1, 2]]
    # Pairs wider than the model knows are left out.
    assert len(model.predict_action_chunk(pictures(GREYS), 5, span=2).pairs) == 5


@pytest.mark.parametrize("weights", [equal, None])
def test_a_gripper_in_doubt_does_not_chatter(model: ActionModel, weights: Weights | None) -> None:
    """The fake closes above a grey of 127.5: it flickers there, grips, and is in doubt again. The
    first flicker is borne out and the grip begins with it; the last one is not."""
    doubt = [100, 130, 120, 132]
    greys = np.array([60, 60, *doubt, 240, 240, 240, 240, 60, 60, *doubt])
    sequence = model.predict_action_chunk(
        pictures(greys), 1, num_hypotheses=16, weights=weights, span=1
    )
    np.testing.assert_array_equal(np.flatnonzero(sequence.actions[:, 6] > 0), range(3, 10))


def test_std_is_that_of_the_hypotheses(model: ActionModel) -> None:
    sequence = model.predict_action_chunk(pictures(np.full(9, 128)), 3, num_hypotheses=64)
    assert np.median(sequence.std) == pytest.approx(SPREAD, rel=0.1)
    assert np.median(sequence.ee_position_std) == pytest.approx(SPREAD, rel=0.1)


def test_twins_cancel_the_samplers_noise(model: ActionModel) -> None:
    """The fake is linear in the noise, so that the mean of opposite twins is exact."""
    sequence = model.predict_action_chunk(pictures(GREYS), 3, num_hypotheses=4, merge="mean")
    np.testing.assert_allclose(sequence.actions[:, :6], true_actions(GREYS, 3)[:, :6], atol=1e-6)


def test_the_same_frames_give_the_same_actions(model: ActionModel) -> None:
    one, two = (model.predict_action_chunk(pictures(GREYS), 3) for _ in range(2))
    np.testing.assert_array_equal(one.actions, two.actions)
    longer = model.predict_action_chunk(pictures([*GREYS, 77]), 3)
    np.testing.assert_array_equal(longer.actions[: len(one) - 1], one.actions[:-1])
    seeded = model.predict_action_chunk(pictures(GREYS), 3, seed=1, num_hypotheses=1)
    assert np.abs(seeded.actions - one.actions)[:, :6].max() > 0


def test_track_follows_the_path(model: ActionModel) -> None:
    asked: list[Any] = []

    def tracker(path: np.ndarray, gripper: np.ndarray) -> Any:
        asked.extend([path, gripper])
        return SimpleNamespace(actions=np.full((len(path), 7), 0.25))

    direct = model.predict_action_chunk(pictures(GREYS), 3, route="direct")
    tracked = model.predict_action_chunk(pictures(GREYS), 3, route="track", tracker=tracker)
    path, gripper = asked
    np.testing.assert_allclose(path, make_transform(direct.ee_rotation, direct.ee_position))
    np.testing.assert_array_equal(gripper, direct.actions[:, 6])
    assert (tracked.actions == 0.25).all()
    assert (tracked.route, direct.route) == ("track", "direct")
    np.testing.assert_array_equal(tracked.pair_actions, direct.pair_actions)


def test_track_without_the_simulator(tmp_path: Path) -> None:
    """What was asked for fails; what is only the default is replaced, and it is said."""

    def absent(path: np.ndarray, gripper: np.ndarray) -> Any:
        raise MissingExtraError("LIBERO", "robosuite", "pip install it")

    model = ActionModel.from_pretrained(write_fake_action_weights(tmp_path, default_route="track"))
    with pytest.raises(MissingExtraError, match="pip install it"):
        model.predict_action_chunk(pictures(GREYS), 3, route="track", tracker=absent)
    sequence = model.predict_action_chunk(pictures(GREYS), 3, tracker=absent)
    assert sequence.route == "direct"
    assert "better with route track" in sequence.messages[0]
    assert "pip install it" in sequence.messages[0]
    asked = model.predict_action_chunk(pictures(GREYS), 3, route="direct", tracker=absent)
    assert asked.messages == ()
    np.testing.assert_array_equal(asked.actions, sequence.actions)


def test_one_frame_is_too_few(model: ActionModel) -> None:
    with pytest.raises(KeyframesError, match="1 keyframe gives no action"):
        model.predict_action_chunk(pictures([100]))


def test_no_robot_in_view(model: ActionModel) -> None:
    dark = int(DARK) - 10
    with pytest.raises(KeyframesError, match=r"no panda in view in 3 of 4 frames; .*\[:, ::-1\]"):
        model.predict_action_chunk(pictures([dark, dark, 100, dark]))
    sequence = model.predict_action_chunk(pictures([100, dark, 100, 100]))
    assert "no panda seen in 1 frames (1)" in sequence.messages[0]
    assert (sequence.presence < 0.5).tolist() == [False, True, False, False]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stride": 0}, "stride 0 is out of range; .* 1 to 8"),
        ({"stride": 9}, "stride 9 is out of range"),
        ({"stride": 2.5}, r"stride 2\.5 is out of range"),
        ({"stride": 3, "steps": [0, 1, 2, 3, 4, 5]}, "only one of stride and steps"),
        ({"steps": [0, 3]}, "2 steps for 6 frames"),
        ({"steps": [0, 3, 6, 9, 12, 30]}, "stride 18 is out of range"),
        ({"route": "fast"}, "'fast'; valid: direct, track"),
        ({"num_hypotheses": 0}, "num_hypotheses is 0"),
        ({"span": 0}, "span is 0"),
        ({"merge": "best"}, "'best'; valid: robust"),
    ],
)
def test_settings_that_make_no_sense(
    model: ActionModel, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        model.predict_action_chunk(pictures(GREYS), **options)


def test_weights_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.fake_weights import write_fake_weights

    write_fake_action_weights(tmp_path / "libero_object")
    write_fake_weights(tmp_path / "panda")
    monkeypatch.setattr(pretrained, "WEIGHTS", tmp_path)
    assert ActionModel.from_pretrained("libero_object").task == "libero_object"
    assert pretrained.available_weights() == ("panda",)
    assert pretrained.available_weights(ACTIONS) == ("libero_object",)
    for wrong in ("libero_goal", "panda"):
        with pytest.raises(UnknownTaskError, match=f"'{wrong}'; known tasks: libero_object"):
            ActionModel.from_pretrained(wrong)


def test_a_card_may_choose(tmp_path: Path) -> None:
    folder = write_fake_action_weights(
        tmp_path, default_stride=2, num_hypotheses=6, presence_threshold=0.0, control_hz=10
    )
    model = ActionModel.from_pretrained(folder)
    sequence = model.predict_action_chunk(pictures([5, 5]))
    assert (sequence.stride, sequence.control_hz, model.num_hypotheses) == (2, 10, 6)
    np.testing.assert_allclose(sequence.actions[:, 6], np.sign(OFFSETS[6]))


@pytest.mark.parametrize(
    "wrong", [{"max_stride": "many"}, {"control_hz": 0}, {"action_scale": [1, 1]}]
)
def test_cards_that_make_no_sense(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(WeightsError, match=r"model\.json is broken"):
        ActionModel.from_pretrained(write_fake_action_weights(tmp_path, **wrong))
