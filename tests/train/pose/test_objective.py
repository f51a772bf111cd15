"""The encoder's losses against what they should reward."""

from __future__ import annotations

import torch
from torch import Tensor

from armsight.models.encoder import Encoding
from armsight.train.pose.objective import encoder_losses

B, K, CELLS = 2, 4, 16


def batch_of() -> dict[str, Tensor]:
    g = torch.Generator().manual_seed(0)
    return {
        "keypoints_2d": 10 + 40 * torch.rand(B, K, 2, generator=g),
        "keypoints_visible": torch.tensor([[1.0, 2, 1, 0], [1, 1, 1, 1]]),
        "in_crop": torch.tensor([[1.0, 1, 1, 0], [1, 1, 1, 1]]),
        "robot_found": torch.tensor([1.0, 0.0]),
        "log_depth": 0.3 + 0.1 * torch.randn(B, K, generator=g),
        "camera": torch.full((B, 4), 0.7),
    }


def encoding_of(batch: dict[str, Tensor], depth_error: float, log_std: float) -> Encoding:
    told = batch["log_depth"] - batch["camera"][:, :1] + depth_error
    return Encoding(
        keypoints_2d=batch["keypoints_2d"].clone(),
        keypoints_log_std=torch.zeros(B, K),
        keypoints_seen=torch.zeros(B, K),
        keypoints_log_depth=told.requires_grad_(),
        keypoints_log_depth_log_std=torch.full((B, K), log_std),
        keypoint_features=torch.zeros(B, K, 1),
        coarse_features=torch.zeros(B, 1, 1),
        presence=torch.zeros(B),
        heatmap_logits=torch.zeros(B, K, CELLS, CELLS),
    )


def test_depth_is_rewarded_for_being_right_and_for_knowing_how_wrong_it_is() -> None:
    batch = batch_of()

    def loss(error: float, log_std: float) -> float:
        return float(encoder_losses(encoding_of(batch, error, log_std), batch)["depth"].detach())

    assert loss(0.0, -3.0) < loss(0.1, -3.0) < loss(0.2, -3.0)
    # A Laplace likelihood with std s: for an error e, s = sqrt(2) e costs least.
    best = float(torch.log(torch.tensor(2**0.5 * 0.1)))
    assert loss(0.1, best) < min(loss(0.1, best - 0.3), loss(0.1, best + 0.3))


def test_only_keypoints_of_a_robot_in_the_crop_have_a_depth_to_learn() -> None:
    batch = batch_of()
    encoding = encoding_of(batch, 0.1, -2.0)
    encoder_losses(encoding, batch)["depth"].backward()
    learns = encoding.keypoints_log_depth.grad != 0
    assert learns.tolist() == [[True, True, True, False], [False] * 4]


def test_without_depths_in_the_data_there_is_no_depth_loss() -> None:
    batch = batch_of()
    encoding = encoding_of(batch, 0.1, -2.0)
    del batch["log_depth"]
    assert "depth" not in encoder_losses(encoding, batch)
