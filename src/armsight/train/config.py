"""Settings of a training run: a dataclass, filled from a TOML file and from the command line."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from armsight.errors import ConfigError

TASKS = ("pose", "actions")
ALL_BLOCKS = 16
"""Of the backbone"""
STAGES = ("joint", "encoder", "denoiser", "kinematic")


@dataclass(frozen=True)
class TrainConfig:
    """One stage of training a model. Paths are relative to the working folder."""

    task: str = "pose"
    """`pose`: the arm's state from one image; `actions`: control steps from two keyframes"""
    robot: str | tuple[str, ...] = "panda"
    """name or data file; several share one backbone"""
    data: tuple[str, ...] = ()
    """pose: folders of rendered shards, or DREAM folders; rows are drawn from all of them alike.
    actions: LeRobot data sets made by `armsight control demos`"""
    render_workers: int = 0
    """so many processes render pictures while the run trains: those of each robot into the folder
    of its name in the first folder of `data`"""
    render_preset: str = "train-robot-camera"
    """what they render, see `armsight render --preset`"""
    picture_pool: int = 0
    """keep up to so many pictures of each robot in the training device's memory and vary them
    there; pictures that are rendered meanwhile join. 0: read and vary them on the CPU"""
    robot_shares: tuple[float, ...] = ()
    """several robots: what share of a batch, and of the rendering, each gets; equal by default"""
    repainted: tuple[float, ...] = ()
    """picture_pool: share of each robot's pictures that show it in another colour; none by
    default"""
    validation_data: tuple[str, ...] = ()
    backgrounds: str | None = None
    """pictures to paste behind composited robots"""
    stage: str = "joint"
    """`joint`: everything; `encoder`: no denoiser; `denoiser`: encoder frozen;
    `kinematic`: denoiser on geometry alone, no images"""
    init_from: str | tuple[str, ...] | None = None
    """checkpoint folder whose fitting tensors are the start, or several, whose mean is"""
    input_size: int = 192
    denoiser: str = "transformer"
    denoiser_width: int = 128
    denoiser_depth: int = 4
    prediction_type: str = "sample"
    num_train_timesteps: int = 100
    batch_size: int = 32
    steps: int = 10_000
    time_limit: float = 0.0
    """end after so many seconds of training, if `steps` did not before; the learning rate then
    follows the clock"""
    mixed_precision: str = "no"
    """`bf16`: convolutions in bfloat16, for GPUs"""
    learning_rate: float = 1e-3
    encoder_learning_rate_scale: float = 1.0
    frozen_blocks: int = 0
    """number of the backbone's 16 blocks, counted from the image, that are not trained"""
    weight_decay: float = 0.02
    warmup_steps: int = 200
    final_learning_rate_fraction: float = 0.02
    gradient_clip: float = 2.0
    ema_decay: float = 0.999
    noise_draws: int = 4
    """noisy states per image; they share one encoder pass"""
    window: int = 5
    """actions: consecutive keyframes that share their encoder passes"""
    max_stride: int = 8
    """actions: most control steps between two keyframes"""
    camera_keys: tuple[str, ...] = ()
    """actions, of a recorded data set: its videos, the main one first; all by default"""
    action_key: str = "action"
    """actions, of a recorded data set: the column that holds them"""
    picture_folder: str | None = None
    """actions, of a recorded data set: where its pictures are kept, decoded"""
    cached_maps: bool = False
    """actions, of a recorded data set: the backbone stays as ImageNet made it, and sees each
    picture once"""
    cached_batches: int = 0
    """stage `denoiser`: encode so many augmented batches once, and train from memory"""
    cached_per_step: int = 8
    """how many of them make up a step"""
    hide_features: float = 0.15
    """share of the batches whose denoiser sees geometry alone"""
    loss_weights: dict[str, float] = field(
        default_factory=lambda: {
            "heatmap": 1.0,
            "coordinate": 0.5,
            "spread": 0.2,
            "depth": 0.3,
            "seen": 0.3,
            "presence": 0.3,
            "denoise": 1.0,
        }
    )
    seed: int = 0
    num_threads: int = 0
    """torch threads, 0 for all cores"""
    loader_threads: int = 1
    log_every: int = 20
    checkpoint_every: int = 500
    validate_every: int = 2000

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise ConfigError(f"unknown training task {self.task!r}; choose one of {TASKS}")
        if self.task == "actions" and self.stage == "kinematic":
            raise ConfigError("stage 'kinematic' trains pose models only")
        self._check_pool()
        if self.cached_maps and self.frozen_blocks < ALL_BLOCKS:
            raise ConfigError(f"cached_maps needs frozen_blocks = {ALL_BLOCKS}: all of them")
        if self.window < 2 or self.max_stride < 1:
            raise ConfigError(
                f"window must be at least 2 and max_stride at least 1, "
                f"not {self.window} and {self.max_stride}"
            )
        if self.stage not in STAGES:
            raise ConfigError(f"unknown training stage {self.stage!r}; choose one of {STAGES}")
        if self.input_size % 32 or self.input_size < 64:
            raise ConfigError(
                f"input_size must be a multiple of 32 from 64 on, not {self.input_size}"
            )
        if not 0 <= self.frozen_blocks <= ALL_BLOCKS:
            raise ConfigError(f"frozen_blocks must be 0 to 16, not {self.frozen_blocks}")
        for name in (
            "batch_size", "steps", "noise_draws", "log_every", "checkpoint_every",
            "cached_per_step",
        ):  # fmt: skip
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.stage == "denoiser" and not self.starts:
            raise ConfigError(
                "stage 'denoiser' leaves the encoder as it is, and without init_from that is "
                "random; set init_from to a checkpoint whose encoder is trained"
            )
        if self.cached_batches and self.stage != "denoiser":
            raise ConfigError("cached_batches needs stage 'denoiser', whose encoder is frozen")
        if self.cached_batches and self.cached_batches < self.cached_per_step:
            raise ConfigError(
                f"cached_batches must be 0, or at least cached_per_step ({self.cached_per_step}), "
                f"not {self.cached_batches}"
            )
        if not all(isinstance(folder, str) and folder for folder in self.starts) or (
            self.init_from is not None and not self.starts
        ):
            raise ConfigError(
                f"init_from must be a checkpoint folder or a list of them, not {self.init_from!r}"
            )
        if self.stage != "kinematic" and not self.data:
            raise ConfigError(
                "no training data: set `data` to folders made by `armsight render`, or to one that "
                "`render_workers` shall fill"
            )

    def _check_pool(self) -> None:
        """The settings about pictures in the device's memory."""
        if self.mixed_precision not in ("no", "bf16"):
            raise ConfigError(f"mixed_precision must be no or bf16, not {self.mixed_precision!r}")
        for name in ("render_workers", "picture_pool", "time_limit"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} must not be negative, not {getattr(self, name)}")
        several = len(self.robots) > 1
        if (several or self.render_workers) and not self.picture_pool:
            raise ConfigError(
                "several robots, and pictures that are rendered meanwhile, need picture_pool: "
                "how many pictures of each robot to keep in memory (0.26 MB each)"
            )
        if several and self.task != "pose":
            raise ConfigError("an action model is of one robot")
        if self.picture_pool and (self.task != "pose" or self.stage not in ("joint", "encoder")):
            raise ConfigError("picture_pool is for pose models, in stages 'joint' and 'encoder'")
        if len(set(self.robots)) < len(self.robots) or not self.robots:
            raise ConfigError(f"robot must name each robot once, not {self.robot!r}")
        if self.repainted and len(self.repainted) != len(self.robots):
            raise ConfigError(
                f"repainted must hold a share for each of {', '.join(self.robots)}, not "
                f"{self.repainted}"
            )
        shares = self.robot_shares
        if shares and (len(shares) != len(self.robots) or min(shares) <= 0):
            raise ConfigError(
                f"robot_shares must hold a positive number for each of {', '.join(self.robots)}, "
                f"not {shares}"
            )

    @property
    def robots(self) -> tuple[str, ...]:
        """The robot, or the robots."""
        return (self.robot,) if isinstance(self.robot, str) else self.robot

    @property
    def one_robot(self) -> str:
        """The robot, of a run that trains one."""
        (robot,) = self.robots
        return robot

    @property
    def starts(self) -> tuple[str, ...]:
        """The checkpoint folders of `init_from`."""
        if self.init_from is None:
            return ()
        return self.init_from if isinstance(self.init_from, tuple) else (self.init_from,)

    @property
    def samples_per_step(self) -> int:
        """Rows, or windows, that one step sees in one process."""
        return self.batch_size * (self.cached_per_step if self.cached_batches else 1)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def read_config(path: Path | None, overrides: dict[str, Any]) -> TrainConfig:
    """The settings of a TOML file with `overrides` on top.

    Raises:
        ConfigError: the file cannot be read, or a setting's name or type is wrong.
    """
    settings: dict[str, Any] = {}
    if path is not None:
        try:
            settings = tomllib.loads(path.read_text())
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(f"cannot read training config {path}: {error}") from error
    settings.update(overrides)
    known = {f.name for f in fields(TrainConfig)}
    unknown = sorted(set(settings) - known)
    if unknown:
        raise ConfigError(f"unknown training settings {unknown}; known: {sorted(known)}")
    weights = settings.pop("loss_weights", {})
    for name in ("data", "validation_data"):
        if isinstance(settings.get(name), str):
            settings[name] = [settings[name]]
    for name in (
        "data",
        "validation_data",
        "init_from",
        "robot",
        "robot_shares",
        "repainted",
        "camera_keys",
    ):
        if isinstance(settings.get(name), list):
            settings[name] = tuple(settings[name])
    defaults = TrainConfig(stage="kinematic")
    bad = sorted(set(weights) - set(defaults.loss_weights))
    if bad:
        raise ConfigError(f"unknown loss weights {bad}; known: {sorted(defaults.loss_weights)}")
    for name, value in settings.items():
        wanted = getattr(defaults, name)
        if isinstance(wanted, float) and isinstance(value, int):
            settings[name] = float(value)
        elif name == "robot" and isinstance(value, tuple):
            continue
        elif wanted is not None and not isinstance(value, type(wanted)):
            raise ConfigError(f"{name} must be of type {type(wanted).__name__}, not {value!r}")
    return TrainConfig(**settings, loss_weights={**defaults.loss_weights, **weights})
