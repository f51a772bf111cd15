"""The image encoder: one backbone pass gives keypoint measurements, context tokens and presence.

The backbone's feature maps know no robot; several robots can share them. A robot's head reads
them: a heatmap for every keypoint at stride 4; from each heatmap a location, a standard deviation,
a probability of being seen, and the feature found there (one context token per keypoint), which
also tells the keypoint's distance, since the arm's size is known; the stride-32 map as coarse
context tokens; one logit: is this robot in view?
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from armsight.models.lite0 import TAPS, FeatureMaps, Lite0

HEATMAP_STRIDE = 4
SHARPENING = 3.0
"""Locations are the mean of the heatmap's probability to this power. The plain mean is drawn to
the middle of the arm: it looks smaller, thus farther away. A power of 3 nearly ends that, and
still weighs enough cells to read fractions of one."""

LOG_STD_RANGE = (-1.5, 4.0)
"""Bounds of the log standard deviation of a keypoint, in heatmap cells / HEATMAP_STRIDE pixels."""

LOG_DEPTH_LOG_STD_RANGE = (-4.5, 0.5)
"""Bounds of the log standard deviation of a log depth: 1 % to 165 %."""


@dataclass(frozen=True)
class EncoderConfig:
    num_keypoints: int
    head_channels: int = 96
    """channels of the up-sampling path at strides 16 and 8; two thirds of it at stride 4"""
    feature_channels: int = 64


class Encoding(NamedTuple):
    """What the encoder says of a batch of B square images of S pixels, K keypoints."""

    keypoints_2d: Tensor
    """(B, K, 2) [px of the network's input]"""
    keypoints_log_std: Tensor
    """(B, K) natural log of the standard deviation [px]"""
    keypoints_seen: Tensor
    """(B, K) logit that the keypoint is inside of the image and not covered by something else"""
    keypoints_log_depth: Tensor
    """(B, K) log of depth over focal length, log(z S / f) with z [m] along the optical axis and f
    [px of the input]: what the apparent size tells without knowing the camera"""
    keypoints_log_depth_log_std: Tensor
    """(B, K) natural log of its standard deviation"""
    keypoint_features: Tensor
    """(B, K, F) the feature map around each keypoint's location"""
    coarse_features: Tensor
    """(B, (S/32)^2, 320)"""
    presence: Tensor
    """(B,) logit that this robot is in view"""
    heatmap_logits: Tensor
    """(B, K, S/4, S/4)"""


def conv_block(cin: int, cout: int) -> nn.Sequential:
    """Depthwise-separable 3x3 convolution: what a CPU does fastest."""
    return nn.Sequential(
        nn.Conv2d(cin, cin, 3, 1, 1, groups=cin, bias=False),
        nn.Conv2d(cin, cout, 1, bias=False),
        nn.BatchNorm2d(cout),
        nn.ReLU(inplace=True),
    )


class Encoder(nn.Module):
    """EfficientNet-lite0, an up-sampling path with lateral links, and the keypoint heads."""

    def __init__(self, config: EncoderConfig, *, own_backbone: bool = True) -> None:
        """A new encoder; without `own_backbone` it reads the maps of one that is shared."""
        super().__init__()
        self.config = config
        if own_backbone:
            self.backbone = Lite0()
        wide, features = config.head_channels, config.feature_channels
        c4, c8, c16, c32 = TAPS.values()
        self.lateral32 = nn.Conv2d(c32, wide, 1)
        self.lateral16 = nn.Conv2d(c16, wide, 1)
        self.lateral8 = nn.Conv2d(c8, wide, 1)
        self.lateral4 = nn.Conv2d(c4, features, 1)
        self.up16 = conv_block(wide, wide)
        self.up8 = conv_block(wide, features)
        self.up4 = conv_block(features, features)
        self.heatmap = nn.Conv2d(features, config.num_keypoints, 1)
        self.measure = nn.Sequential(
            nn.Linear(features + 4, 64), nn.ReLU(inplace=True), nn.Linear(64, 2)
        )
        self.depth_in = nn.Linear(features + 4, 64)
        self.depth_coarse = nn.Linear(c32, 64, bias=False)
        # Each keypoint sits on a part of another size: each has its own output matrix.
        self.depth_out = nn.Parameter(torch.randn(config.num_keypoints, 64, 2) / 64)
        self.depth_bias = nn.Parameter(torch.tensor([0.0, -1.5]).repeat(config.num_keypoints, 1))
        self.presence = nn.Sequential(nn.Linear(c32, 64), nn.ReLU(inplace=True), nn.Linear(64, 1))

    def forward(self, image: Tensor) -> Encoding:
        """Encode RGB images (B, 3, S, S) in [0, 255]; S is a multiple of 32."""
        return self.read(self.backbone(image))

    def read(self, maps: FeatureMaps) -> Encoding:
        """What the backbone's maps say of this robot."""
        f4, f8, f16, f32 = maps
        x = self.up16(upsample(self.lateral32(f32)) + self.lateral16(f16))
        x = self.up8(upsample(x) + self.lateral8(f8))
        x = self.up4(upsample(x) + self.lateral4(f4))
        # Sums over whole heatmaps need all the digits that mixed precision saves elsewhere.
        with torch.autocast(x.device.type, enabled=False):
            return self._measure(x.float(), f32.float())

    def _measure(self, x: Tensor, f32: Tensor) -> Encoding:
        """Keypoints and presence from features at stride 4 and the coarse map."""
        logits = self.heatmap(x)
        keypoints, features, statistics = read_heatmaps(logits, x)
        measured = torch.cat([features, statistics], -1)
        log_std, seen = self.measure(measured).unbind(-1)
        # The heatmap's own spread is the starting point; the head learns the correction.
        log_std = (log_std + statistics[..., 0]).clamp(*LOG_STD_RANGE)
        coarse = f32.mean((2, 3))
        hidden = torch.relu(self.depth_in(measured) + self.depth_coarse(coarse)[:, None])
        depth = (hidden[..., None, :] @ self.depth_out)[..., 0, :] + self.depth_bias
        return Encoding(
            keypoints_2d=keypoints,
            keypoints_log_std=log_std,
            keypoints_seen=seen + statistics[..., 2],
            keypoints_log_depth=depth[..., 0],
            keypoints_log_depth_log_std=depth[..., 1].clamp(*LOG_DEPTH_LOG_STD_RANGE),
            keypoint_features=features,
            coarse_features=f32.flatten(2).transpose(1, 2),
            presence=self.presence(coarse)[:, 0],
            heatmap_logits=logits,
        )


def upsample(x: Tensor) -> Tensor:
    return nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")


def read_heatmaps(logits: Tensor, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Locations, features there, and four statistics, from heatmap logits (B, K, h, w).

    The location is the mean (soft-argmax) of the softmax to the power of SHARPENING, which keeps
    a second, weaker peak from pulling the answer into the middle.

    Returns:
        keypoints (B, K, 2) [px of the input], features (B, K, F), statistics (B, K, 4):
        log spread [px], log of the peak's probability, centred peak logit, peak concentration.
    """
    h, w = logits.shape[2:]
    flat = logits.flatten(2)
    p = flat.softmax(-1)
    sharp = (SHARPENING * flat).softmax(-1)
    # Cell i covers input pixels 4 i .. 4 i + 3: its centre is at 4 i + 1.5.
    x = torch.arange(w, dtype=logits.dtype, device=logits.device) * HEATMAP_STRIDE + 1.5
    y = torch.arange(h, dtype=logits.dtype, device=logits.device) * HEATMAP_STRIDE + 1.5
    grid_x = x.repeat(h)
    grid_y = y[:, None].expand(h, w).reshape(-1)
    u, v = (sharp * grid_x).sum(-1), (sharp * grid_y).sum(-1)
    keypoints = torch.stack([u, v], -1)
    variance = (p * ((grid_x - u[..., None]) ** 2 + (grid_y - v[..., None]) ** 2)).sum(-1) / 2
    peak = p.amax(-1)
    statistics = torch.stack(
        [
            0.5 * torch.log(variance + 0.05),
            torch.log(peak + 1e-6),
            0.25 * (flat.amax(-1) - flat.mean(-1)) - 2.0,
            (sharp * p).sum(-1),
        ],
        -1,
    )
    return keypoints, sharp @ features.flatten(2).transpose(1, 2), statistics
