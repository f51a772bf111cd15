"""What is exported: models with raw pictures as input and physical units as output."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from armsight.models.action_model import ActionModel, split_steps
from armsight.models.pose_model import PoseModel
from armsight.models.state_model import measure

Axes = dict[str, dict[int, str]]


class PoseGraph(nn.Module):
    """Image to keypoints, presence and hypotheses."""

    INPUTS: ClassVar = ("image", "camera", "noise")
    OUTPUTS: ClassVar = (
        "presence",
        "keypoints_2d",
        "keypoints_std",
        "keypoints_seen",
        "keypoints_log_depth",
        "keypoints_log_depth_std",
        "joint_positions",
        "keypoints_state",
    )
    PER_HYPOTHESIS: ClassVar = ("noise", "joint_positions", "keypoints_state")

    def __init__(self, model: PoseModel, num_inference_steps: int) -> None:
        super().__init__()
        self.model, self.num_inference_steps = model, num_inference_steps

    def forward(self, image: Tensor, camera: Tensor, noise: Tensor) -> tuple[Tensor, ...]:
        """image (B, S, S, 3) uint8 RGB, camera (B, 4), noise (B, H, T, D).

        Returns:
            presence (B,) logit, keypoints_2d (B, K, 2) [px of the crop], keypoints_std (B, K)
            [px], keypoints_seen (B, K) probability, keypoints_log_depth (B, K) log(z S / f),
            keypoints_log_depth_std (B, K), joint_positions (B, H, J) [rad],
            keypoints_state (B, H, K, 3): u, v [px of the crop], log relative depth.
        """
        encoding = self.model.encoder(image.permute(0, 3, 1, 2).float())
        context = self.model.context(measure(encoding, camera), encoding)
        states = self.model.sample(context, noise, self.num_inference_steps)
        half = self.model.config.input_size / 2
        keypoints = states["keypoints"]
        pixels = keypoints[..., :2] * half + (half - 0.5)
        return (
            encoding.presence,
            encoding.keypoints_2d,
            encoding.keypoints_log_std.exp(),
            torch.sigmoid(encoding.keypoints_seen),
            encoding.keypoints_log_depth,
            encoding.keypoints_log_depth_log_std.exp(),
            states["joint_positions"][..., 0],
            torch.cat([pixels, keypoints[..., 2:]], -1),
        )

    def example_inputs(self, batch: int, hypotheses: int) -> tuple[Tensor, ...]:
        """Random inputs of the graph's shapes."""
        g = torch.Generator().manual_seed(0)
        images, noise = _images_and_noise(self.model, batch, batch, hypotheses, g)
        return images, 0.3 * torch.randn(batch, 4, generator=g), noise

    def dynamic_axes(self) -> Axes:
        """Batch and hypotheses are free."""
        axes = {name: {0: "batch"} for name in (*self.INPUTS, *self.OUTPUTS)}
        return _with_hypotheses(axes, self.PER_HYPOTHESIS)


class ActionGraph(nn.Module):
    """Keyframes and the pairs among them to control steps."""

    INPUTS: ClassVar = ("images", "pairs", "stride", "noise")
    OUTPUTS: ClassVar = ("presence", "actions", "ee_position", "ee_rotation", "gripper_opening")

    def __init__(self, model: ActionModel, num_inference_steps: int) -> None:
        super().__init__()
        self.model, self.num_inference_steps = model, num_inference_steps

    def forward(
        self, images: Tensor, pairs: Tensor, stride: Tensor, noise: Tensor
    ) -> tuple[Tensor, ...]:
        """images (N, S, S, 3) uint8 RGB, pairs (P, 2) int64, stride (P,), noise (P, H, T, D).

        Returns:
            presence (N,) logit that the robot is in view, actions (P, H, T, 7), ee_position
            (P, H, T, 3) [m, robot base], ee_rotation (P, H, T, 3, 3), gripper_opening
            (P, H, T) [m]. Of the T steps, the first stride + 1 mean something.
        """
        encoding = self.model.encoder(images.permute(0, 3, 1, 2).float())
        context = self.model.context(encoding, pairs, stride)
        steps = self.model.sample(context, noise, self.num_inference_steps)["steps"]
        return encoding.presence, *split_steps(steps).values()

    def example_inputs(self, batch: int, hypotheses: int) -> tuple[Tensor, ...]:
        """Random inputs of the graph's shapes: `batch` pairs of neighbours."""
        g = torch.Generator().manual_seed(0)
        images, noise = _images_and_noise(self.model, batch + 1, batch, hypotheses, g)
        first = torch.arange(batch)
        stride = 1.0 + first % self.model.config.max_stride
        return images, torch.stack([first, first + 1], 1), stride, noise

    def dynamic_axes(self) -> Axes:
        """Keyframes, pairs and hypotheses are free."""
        axes = {name: {0: "pairs"} for name in (*self.INPUTS, *self.OUTPUTS)}
        axes["images"] = axes["presence"] = {0: "frames"}
        return _with_hypotheses(axes, ("noise", *self.OUTPUTS[1:]))


def _images_and_noise(
    model: PoseModel | ActionModel, images: int, states: int, hypotheses: int, g: torch.Generator
) -> tuple[Tensor, Tensor]:
    size, spec = model.config.input_size, model.spec
    pictures = torch.randint(0, 256, (images, size, size, 3), generator=g, dtype=torch.uint8)
    return pictures, torch.randn(states, hypotheses, spec.num_tokens, spec.dim, generator=g)


def _with_hypotheses(axes: Axes, names: tuple[str, ...]) -> Axes:
    return {
        name: {**free, 1: "hypotheses"} if name in names else free for name, free in axes.items()
    }


def runtime_graph(model: PoseModel | ActionModel, steps: int) -> PoseGraph | ActionGraph:
    """The graph of a model whose sampler takes `steps` steps, in evaluation mode."""
    if isinstance(model, ActionModel):
        return ActionGraph(model, steps).eval()
    return PoseGraph(model, steps).eval()
