"""What a frozen encoder says of many pictures, computed once and kept in a file.

Denoisers that are compared share their encoder. Its pass is the dear part on a CPU, so it runs once
per picture; every denoiser then trains on, and is scored on, the very same numbers.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from armsight.errors import ConfigError
from armsight.files import atomic_write
from armsight.models.pose_model import PoseModel
from armsight.models.state_model import measure
from armsight.train.pose.augment import Backgrounds
from armsight.train.pose.batches import make_batch
from armsight.train.pose.encoded import encode, joined, remember_batch
from armsight.train.pose.sources import open_table

TRUTH = ("joint_positions", "keypoints_2d", "log_depth", "robot_found")
BATCH = 32
LAYOUT = 2
"""of the file; older ones are not read"""

Rows = dict[str, Tensor]


def check_disjoint(train: list[str], test: str) -> None:
    """Make sure that no test row can also be a training row.

    Every random number of a rendered row follows from its data set's seed, split and row.

    Raises:
        ConfigError: a training folder has the seed and split of the test rows.
    """
    for folder in train:
        if _origin(folder) == _origin(test):
            seed, split = _origin(test)
            raise ConfigError(
                f"test rows {test} and training rows {folder} both come from seed {seed}, split "
                f"{split!r}: they are the same rows; render test rows with another --seed"
            )


def _origin(folder: str) -> tuple[int, str]:
    index = json.loads((Path(folder) / "dataset.json").read_text())
    return int(index["seed"]), str(index.get("settings", {}).get("split", "train"))


def encoded_rows(
    model: PoseModel, folders: list[str], *, limit: int, work: Path, strength: float,
    backgrounds: Path | None = None, seed: int = 0,
) -> Rows:  # fmt: skip
    """Up to `limit` pictures with a robot, each once, augmented by `strength`, encoded.

    Returns:
        one row per picture: camera, true state, and what the encoder said (train/pose/encoded.py).
        Read from `work` if the same encoder and folders were asked for before.
    """
    path = (
        work / f"encodings-{_key(model, folders, limit, strength, backgrounds, seed)}.safetensors"
    )
    if not path.exists():
        rows = _encode(model, folders, limit, strength, backgrounds, seed)
        with atomic_write(path) as temporary:
            save_file(rows, temporary)
    return dict(load_file(path))


def _key(
    model: PoseModel, folders: list[str], limit: int, strength: float, backgrounds: Path | None,
    seed: int,
) -> str:  # fmt: skip
    key = hashlib.sha256()
    for value in model.encoder.state_dict().values():
        key.update(value.contiguous().numpy().tobytes())
    where = [str(Path(folder).resolve()) for folder in folders]
    what = [LAYOUT, where, limit, strength, str(backgrounds), seed, model.config.input_size]
    key.update(json.dumps(what).encode())
    return key.hexdigest()[:12]


def _encode(
    model: PoseModel, folders: list[str], limit: int, strength: float, backgrounds: Path | None,
    seed: int,
) -> Rows:  # fmt: skip
    table = open_table(tuple(folders), model.config.robot)
    found = np.flatnonzero(table.labels["robot_found"])
    # Training rows at random, test rows as they come; sorted, because neighbours share a file.
    chosen = np.random.default_rng(seed).permutation(found) if strength else found
    chosen = np.sort(chosen[:limit])
    pictures = Backgrounds(backgrounds) if backgrounds and strength else None
    model.encoder.eval().to(memory_format=torch.channels_last)
    units = []
    for first in range(0, len(chosen), BATCH):
        rows = chosen[first : first + BATCH]
        rngs = [np.random.default_rng([seed, int(row)]) for row in rows]
        batch = make_batch(table, rows, model.config.input_size, rngs, pictures, strength)
        batch = {name: batch[name] for name in ("image", "camera", *TRUTH)}
        units.append(remember_batch(model.encoder, batch))
        if first % (BATCH * 64) == 0:
            print(f"encoded {first + len(rows)} of {len(chosen)} pictures", flush=True)
    return {name: value.contiguous() for name, value in joined(units).items()}


def context_of(model: PoseModel, rows: Rows, which: Tensor) -> Tensor:
    """The context tokens (B, C, d) of some rows, through the model's own input layers."""
    encoding = encode(model.encoder, {name: value[which] for name, value in rows.items()})
    return model.context(measure(encoding, rows["camera"][which]), encoding)


def truth_of(rows: Rows, which: Tensor) -> Rows:
    """The true state of some rows, named as the training objective wants it."""
    return {name: rows[name][which] for name in TRUTH}
