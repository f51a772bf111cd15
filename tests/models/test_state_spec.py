"""Tokens and values are two names of the same thing."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from armsight.models.state_spec import StateSpec, pose_spec

LIMITS = [[-2.9, 2.9], [-1.0, 3.0], [0.0, 0.5]]


@settings(max_examples=30, deadline=None)
@given(keypoints=st.integers(1, 40), seed=st.integers(0, 99), lead=st.integers(1, 3))
def test_values_survive_the_round_trip(keypoints, seed, lead):
    g = torch.Generator().manual_seed(seed)
    spec = pose_spec(LIMITS, keypoints)
    values = {
        "joint_positions": torch.randn(lead, 2, 3, 1, generator=g),
        "keypoints": torch.randn(lead, 2, keypoints, 3, generator=g),
    }
    tokens = spec.normalise(values)
    assert tokens.shape == (lead, 2, spec.num_tokens, spec.dim) == (lead, 2, 3 + keypoints, 3)
    back = spec.denormalise(tokens)
    for name, value in values.items():
        torch.testing.assert_close(back[name], value, atol=1e-5, rtol=1e-5)


def test_limits_become_one_and_padding_is_masked():
    spec = pose_spec(LIMITS, 2)
    at_limit = torch.tensor(LIMITS)[:, 1:]
    tokens = spec.normalise({"joint_positions": at_limit, "keypoints": torch.zeros(2, 3)})
    torch.testing.assert_close(tokens[:3, 0], torch.ones(3))
    assert spec.mask().tolist() == [[1, 0, 0]] * 3 + [[1, 1, 1]] * 2


def test_json_round_trip():
    spec = pose_spec(LIMITS, 4)
    assert StateSpec.from_json(spec.to_json()) == spec
