"""Feature maps of a frozen backbone, computed once and kept on disk.

The backbone is nine tenths of the work of a step. Left as ImageNet made it, it needs to see each
picture only once: what is then trained on two CPU cores in an hour is the head, which decides
where to look, and the denoiser. Each picture is kept as it is and in one other look (lights,
colours, sharpness), drawn per episode and camera.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import torch
from numpy.typing import NDArray

from armsight.errors import OutputError
from armsight.files import atomic_write
from armsight.models.lite0 import TAPS, FeatureMaps, Lite0
from armsight.train.pose.augment import Photometric
from armsight.train.pose.encoded import MAPS
from armsight.train.recorded.pictures import PictureCache

LOOKS = 2
"""Plain, and another look"""
BLOCK = 16
"""Keyframes that pass the backbone at a time"""


@dataclass(frozen=True)
class MapCache:
    """Maps of F kept pictures in LOOKS looks, half precision, on disk."""

    maps: tuple[NDArray[np.float16], ...]
    """For each tap (F, LOOKS, cameras, C, S / stride, S / stride)"""
    pictures: PictureCache

    def of(
        self, episode: int, chosen: NDArray[np.int64], look: Sequence[int]
    ) -> dict[str, NDArray[Any]]:
        """Maps (N, cameras, C, h, w) of an episode's kept pictures, by name; `look` of each
        camera."""
        rows = self.pictures.starts[episode] + chosen
        cameras = np.arange(len(look))
        return {
            MAPS + name: values[rows][:, list(look), cameras]
            for name, values in zip(FeatureMaps._fields, self.maps, strict=True)
        }


def open_maps(pictures: PictureCache, episodes: Sequence[int], folder: Path, seed: int) -> MapCache:
    """The maps of all pictures of `episodes`; computed into `folder` unless they are there.

    Raises:
        OutputError: the disk is full, or `folder` cannot be written.
        MissingExtraError: the package with the backbone's weights is not installed.
    """
    count, cameras, size = pictures.pixels.shape[:3]
    what = {"pictures": [count, cameras, size, pictures.every], "seed": seed,
            "episodes": list(episodes)}  # fmt: skip
    name = hashlib.sha256(json.dumps(what).encode()).hexdigest()[:12]
    paths = [folder / f"maps-{name}-{tap}.npy" for tap in FeatureMaps._fields]
    card = folder / f"maps-{name}.json"
    if not card.is_file():
        temporaries = [folder / f".{uuid4().hex}.npy" for _ in paths]
        try:
            arrays = []
            for temporary, (tap, channels) in zip(
                temporaries, zip(FeatureMaps._fields, TAPS.values(), strict=True), strict=True
            ):
                side = size // int(tap.removeprefix("stride"))
                shape = (count, LOOKS, cameras, channels, side, side)
                arrays.append(np.lib.format.open_memmap(temporary, "w+", np.float16, shape))
            _fill(arrays, pictures, episodes, seed)
            del arrays
            for temporary, path in zip(temporaries, paths, strict=True):
                temporary.replace(path)
        except OSError as error:
            raise OutputError(f"cannot write to {folder}: {error.strerror or error}") from error
        finally:
            for temporary in temporaries:
                temporary.unlink(missing_ok=True)
        with atomic_write(card) as written:
            written.write_text(json.dumps(what))
    return MapCache(tuple(np.load(path, mmap_mode="r") for path in paths), pictures)


@torch.no_grad()
def _fill(
    arrays: Sequence[NDArray[np.float16]],
    pictures: PictureCache,
    episodes: Sequence[int],
    seed: int,
) -> None:
    backbone = Lite0()
    backbone.load_imagenet()
    backbone.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for number, episode in enumerate(episodes):
        rng = np.random.default_rng([seed, episode])
        cameras = pictures.pixels.shape[1]
        looks = [Photometric.draw(rng, jpeg=0.3) for _ in range(cameras)]
        first, last = pictures.starts[episode : episode + 2]
        for at in range(first, last, BLOCK):
            rows = slice(at, min(at + BLOCK, last))
            plain = np.array(pictures.pixels[rows])
            other = plain.copy()
            for c, look in enumerate(looks):
                other[:, c] = np.stack([look.apply(one, rng) for one in plain[:, c]])
            both = torch.from_numpy(np.stack([plain, other], 1))
            images = both.flatten(0, 2).permute(0, 3, 1, 2).float()
            for array, values in zip(arrays, backbone(images), strict=True):
                array[rows] = values.reshape(*both.shape[:3], *values.shape[1:]).numpy()
        if (number + 1) % 10 == 0:
            print(f"maps of {number + 1} of {len(episodes)} episodes", file=sys.stderr)
