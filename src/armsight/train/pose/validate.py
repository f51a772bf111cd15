"""Figures on held-out rows during training: the network alone, without the solver."""

from __future__ import annotations

import numpy as np
import torch

from armsight.models.pose_model import PoseModel
from armsight.models.state_model import measure
from armsight.train.config import TrainConfig
from armsight.train.pose.batches import make_batch
from armsight.train.pose.sources import open_table

ROWS = 512
BATCH = 32
HYPOTHESES = 8
STEPS = 10


@torch.no_grad()
def validate(model: PoseModel, config: TrainConfig, rows: int = ROWS) -> dict[str, float]:
    """Errors of keypoints [px of the input], log depth [%], presence [%] and joints [deg]."""
    table = open_table(config.validation_data, config.one_robot)
    g = torch.Generator().manual_seed(0)
    joint_errors, pixel_errors, depth_errors, wrong = [], [], [], []
    for first in range(0, min(rows, len(table)), BATCH):
        chosen = np.arange(first, min(first + BATCH, rows, len(table)))
        rngs = [np.random.default_rng(0) for _ in chosen]
        batch = make_batch(table, chosen, config.input_size, rngs, None, strength=0.0)
        encoding = model.encoder(batch["image"].float())
        found = batch["robot_found"] > 0
        known = ~found | ((batch["keypoints_visible"] > 0).sum(1) >= 4)
        wrong.append(((encoding.presence > 0) != found)[known])
        seen = (batch["keypoints_visible"] > 0) & found[:, None]
        pixel_errors.append((encoding.keypoints_2d - batch["keypoints_2d"]).norm(dim=-1)[seen])
        log_depth = batch["log_depth"] - batch["camera"][:, :1]
        depth_errors.append((encoding.keypoints_log_depth - log_depth).abs()[seen])
        if config.stage == "encoder":
            continue
        context = model.context(measure(encoding, batch["camera"]), encoding)
        shape = (len(chosen), HYPOTHESES, model.spec.num_tokens, model.spec.dim)
        states = model.sample(context, torch.randn(shape, generator=g), STEPS)
        q = states["joint_positions"][..., 0].median(1).values
        joint_errors.append((q - batch["joint_positions"]).abs()[found])
    result = {
        "keypoint_median_px": float(torch.cat(pixel_errors).median()),
        "keypoint_mean_px": float(torch.cat(pixel_errors).mean()),
        "depth_median_percent": 100 * float(torch.cat(depth_errors).median()),
        "presence_wrong_percent": 100 * float(torch.cat(wrong).float().mean()),
    }
    if joint_errors:
        errors = torch.rad2deg(torch.cat(joint_errors))[:, :-1]
        result["joint_mean_deg"] = float(errors.mean())
        result["joint_median_deg"] = float(errors.median())
    return result
