"""What is exported: models with raw pictures as input and physical units as output."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from armsight.models.action_model import ActionNetwork, split_steps
from armsight.models.encoder import Encoding
from armsight.models.lite0 import TAPS, FeatureMaps, Lite0
from armsight.models.pose_model import PoseModel
from armsight.models.state_model import EncoderOutput

Axes = dict[str, dict[int, str]]


class Graph(nn.Module):
    """A model that can be exported."""

    INPUTS: ClassVar[tuple[str, ...]]
    OUTPUTS: ClassVar[tuple[str, ...]]

    def example_inputs(self, batch: int, hypotheses: int) -> tuple[Tensor, ...]:
        """Random inputs of the graph's shapes."""
        raise NotImplementedError

    def dynamic_axes(self) -> Axes:
        """Which sides are free, by input and output; by default the first, the batch."""
        return {name: {0: "batch"} for name in (*self.INPUTS, *self.OUTPUTS)}


class EncoderGraph(Graph):
    """Image to the backbone's feature maps, which know no robot."""

    INPUTS: ClassVar[tuple[str, ...]] = ("image",)
    OUTPUTS: ClassVar[tuple[str, ...]] = FeatureMaps._fields

    def __init__(self, backbone: Lite0, input_size: int) -> None:
        super().__init__()
        self.backbone, self.input_size = backbone, input_size

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """image (B, S, S, 3) uint8 RGB to maps (B, C, S / stride, S / stride)."""
        return tuple(self.backbone(image.permute(0, 3, 1, 2).float()))

    def example_inputs(self, batch: int, hypotheses: int) -> tuple[Tensor, ...]:
        g = torch.Generator().manual_seed(0)
        size = (batch, self.input_size, self.input_size, 3)
        return (torch.randint(0, 256, size, generator=g, dtype=torch.uint8),)


class HeadGraph(Graph):
    """Feature maps to one robot's presence and keypoints."""

    INPUTS: ClassVar[tuple[str, ...]] = FeatureMaps._fields
    OUTPUTS: ClassVar[tuple[str, ...]] = (
        "presence",
        "keypoints_2d",
        "keypoints_std",
        "keypoints_seen",
        "keypoints_log_depth",
        "keypoints_log_depth_std",
        "keypoint_features",
    )

    def __init__(self, model: PoseModel) -> None:
        super().__init__()
        self.encoder, self.input_size = model.encoder, model.config.input_size

    def forward(self, *maps: Tensor) -> tuple[Tensor, ...]:
        """The backbone's maps to what was measured.

        Returns:
            presence (B,) logit, keypoints_2d (B, K, 2) [px of the crop], keypoints_std (B, K)
            [px], keypoints_seen (B, K) probability, keypoints_log_depth (B, K) log(z S / f),
            keypoints_log_depth_std (B, K), keypoint_features (B, K, F).
        """
        encoding = self.encoder.read(FeatureMaps(*maps))
        return (
            encoding.presence,
            encoding.keypoints_2d,
            encoding.keypoints_log_std.exp(),
            torch.sigmoid(encoding.keypoints_seen),
            encoding.keypoints_log_depth,
            encoding.keypoints_log_depth_log_std.exp(),
            encoding.keypoint_features,
        )

    def example_inputs(self, batch: int, hypotheses: int) -> tuple[Tensor, ...]:
        g = torch.Generator().manual_seed(0)
        sides = [self.input_size // int(name.removeprefix("stride")) for name in self.INPUTS]
        return tuple(
            torch.randn(batch, channels, side, side, generator=g)
            for channels, side in zip(TAPS.values(), sides, strict=True)
        )


class DenoiserGraph(Graph):
    """What was measured, and noise, to hypotheses of one robot's state."""

    INPUTS: ClassVar[tuple[str, ...]] = (
        "keypoints_2d",
        "keypoints_std",
        "keypoints_seen",
        "keypoint_features",
        "stride32",
        "camera",
        "noise",
    )
    OUTPUTS: ClassVar[tuple[str, ...]] = ("joint_positions", "keypoints_state")
    PER_HYPOTHESIS: ClassVar = ("noise", "joint_positions", "keypoints_state")

    def __init__(self, model: PoseModel, num_inference_steps: int) -> None:
        super().__init__()
        self.model, self.num_inference_steps = model, num_inference_steps

    def forward(
        self, keypoints_2d: Tensor, keypoints_std: Tensor, keypoints_seen: Tensor,
        keypoint_features: Tensor, stride32: Tensor, camera: Tensor, noise: Tensor,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        """Outputs of the head, the coarsest map, camera (B, 4), noise (B, H, T, D).

        Returns:
            joint_positions (B, H, J) [rad], keypoints_state (B, H, K, 3): u, v [px of the crop],
            log relative depth.
        """
        seen = keypoints_seen.clamp(1e-6, 1 - 1e-6)
        measurements = EncoderOutput(keypoints_2d, keypoints_std.log(), seen.logit(), camera)
        nothing = keypoints_seen.new_zeros(0)
        unused = dict.fromkeys(Encoding._fields, nothing)
        encoding = Encoding(**{
            **unused, "keypoint_features": keypoint_features,
            "coarse_features": stride32.flatten(2).transpose(1, 2),
        })  # fmt: skip
        context = self.model.context(measurements, encoding)
        states = self.model.sample(context, noise, self.num_inference_steps)
        half = self.model.config.input_size / 2
        keypoints = states["keypoints"]
        pixels = keypoints[..., :2] * half + (half - 0.5)
        return states["joint_positions"][..., 0], torch.cat([pixels, keypoints[..., 2:]], -1)

    def example_inputs(self, batch: int, hypotheses: int) -> tuple[Tensor, ...]:
        g = torch.Generator().manual_seed(0)
        config, spec = self.model.config, self.model.spec
        K, side = len(config.keypoint_names), config.input_size // 32

        def unit(*shape: int) -> Tensor:
            return torch.rand(batch, *shape, generator=g)

        return (
            unit(K, 2) * config.input_size, 0.5 + 3 * unit(K), 0.01 + 0.98 * unit(K),
            unit(K, config.feature_channels), unit(list(TAPS.values())[-1], side, side),
            unit(4) - 0.5, torch.randn(batch, hypotheses, spec.num_tokens, spec.dim, generator=g),
        )  # fmt: skip

    def dynamic_axes(self) -> Axes:
        """Batch and hypotheses are free."""
        return _with_hypotheses(super().dynamic_axes(), self.PER_HYPOTHESIS)


class ActionGraph(Graph):
    """Keyframes and the pairs among them to control steps."""

    def __init__(self, model: ActionNetwork, num_inference_steps: int) -> None:
        super().__init__()
        self.model, self.num_inference_steps = model, num_inference_steps
        self.spec, self.cameras = model.config.action_spec, model.config.num_cameras
        cameras = ("seen",) if self.cameras > 1 else ()
        # What a graph takes and says depends on its model.
        self.INPUTS = ("images", "pairs", "stride", "noise", *cameras)  # type: ignore[misc]
        self.OUTPUTS = ("presence", *self.spec.outputs)  # type: ignore[misc]

    def forward(
        self, images: Tensor, pairs: Tensor, stride: Tensor, noise: Tensor,
        seen: Tensor | None = None,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        """images (N, S, S, 3) uint8 RGB, or (N, cameras, S, S, 3) with seen (N, cameras) 0 or 1;
        pairs (P, 2) int64, stride (P,), noise (P, H, T, D).

        Returns:
            presence (N,) logit that the robot is in view, actions (P, H, T, A) and each part of
            the specification's states (P, H, T, ...). Of the T steps, the first stride + 1 mean
            something.
        """
        pixels = images.flatten(0, 1) if self.cameras > 1 else images
        encoding = self.model.encoder(pixels.permute(0, 3, 1, 2).float())
        presence = self.model.presence(encoding)
        if self.cameras > 1:  # the robot is in view if a camera that is there shows it
            assert seen is not None
            presence = presence.reshape(-1, self.cameras) - 1e4 * (1 - seen)
            presence = presence.amax(1)
        context = self.model.context(encoding, pairs, stride, seen)
        steps = self.model.sample(context, noise, self.num_inference_steps)["steps"]
        return presence, *split_steps(steps, self.spec).values()

    def example_inputs(self, batch: int, hypotheses: int) -> tuple[Tensor, ...]:
        """Random inputs: `batch` pairs of neighbours."""
        g = torch.Generator().manual_seed(0)
        size, spec = self.model.config.input_size, self.model.spec
        shape = (batch + 1, *((self.cameras,) if self.cameras > 1 else ()), size, size, 3)
        images = torch.randint(0, 256, shape, generator=g, dtype=torch.uint8)
        noise = torch.randn(batch, hypotheses, spec.num_tokens, spec.dim, generator=g)
        first = torch.arange(batch)
        stride = 1.0 + first % self.model.config.max_stride
        inputs = (images, torch.stack([first, first + 1], 1), stride, noise)
        if self.cameras == 1:
            return inputs
        seen = torch.ones(batch + 1, self.cameras)
        seen[0, 0] = 0
        return (*inputs, seen)

    def dynamic_axes(self) -> Axes:
        """Keyframes, pairs and hypotheses are free."""
        axes = {name: {0: "pairs"} for name in (*self.INPUTS, *self.OUTPUTS)}
        axes["images"] = axes["presence"] = {0: "frames"}
        if self.cameras > 1:
            axes["seen"] = {0: "frames"}
        return _with_hypotheses(axes, ("noise", *self.OUTPUTS[1:]))


def _with_hypotheses(axes: Axes, names: tuple[str, ...]) -> Axes:
    return {
        name: {**free, 1: "hypotheses"} if name in names else free for name, free in axes.items()
    }
