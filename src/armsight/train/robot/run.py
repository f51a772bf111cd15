"""From a robot's description to scored weights: `armsight train robot`.

Data file, pictures, a head and a denoiser on the encoder that all robots share, calibration and
score. The shared backbone stays as it is, so that adding a robot changes nobody else's answers.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.card import CARD_FILE, read_entries, update_card
from armsight.data.dataset import open_dataset
from armsight.errors import OutputError
from armsight.estimate.estimator import Estimator
from armsight.estimate.pretrained import weights_folder
from armsight.evaluate.calibration.run import ShowProgress, calibrate_weights
from armsight.evaluate.poses.collect import ANSWERS_FILE, collect_answers
from armsight.evaluate.poses.methods import Method
from armsight.evaluate.poses.pose import evaluate_pose
from armsight.evaluate.poses.report import write_report
from armsight.files import atomic_write
from armsight.models.checkpoint import read_info
from armsight.models.export import export_checkpoint
from armsight.render.dataset import render_set
from armsight.render.presets import FORMATS, preset
from armsight.render.shards import shard_path
from armsight.robots import Robot, load_robot
from armsight.robots.description.from_file import make_robot_file_of
from armsight.train.config import ALL_BLOCKS, TrainConfig
from armsight.train.loop import train
from armsight.train.robot.plan import (
    SHARD_ROWS,
    Plan,
    make_plan,
    read_plan,
    set_sizes,
    write_plan,
)
from armsight.viz.contact_sheet import contact_sheet

START = "encoder/start"
"""Among the package's weights: the shared backbone and a head to begin with"""
SHEET_COLUMNS, SHEET_ROWS = 8, 4
INFERENCE_STEPS, HYPOTHESES = 5, 16
UNENDING = 10_000_000
TRAINING_SET = ("train-robot-camera", 2)
"""Preset and seed; those for calibration have seed 1, those for the score 0"""

Say = Callable[[str], None]


@dataclass(frozen=True)
class RobotRun:
    """One robot's way to its weights in `out`; every step goes on where it stopped."""

    description: str
    out: Path
    hours: float
    backgrounds: Path | None
    workers: int
    say: Say
    show: ShowProgress

    @property
    def work(self) -> Path:
        """Pictures, checkpoints and notes: needed to go on, not to use the weights."""
        return self.out / "training"

    def __call__(self) -> dict[str, Any]:
        """Do all that is left to do; returns the score.

        Raises:
            ConfigError: the description holds no arm, or the time is too short.
            OutputError: `out` holds something else.
            MissingExtraError: rendering or training is not installed.
        """
        if (self.out / CARD_FILE).is_file() and not self.work.is_dir():
            raise OutputError(f"{self.out} holds weights of something else; choose another --out")
        robot = self._data_file()
        plan = self._plan(robot)
        self.say(plan.table())
        self._pictures("train", *TRAINING_SET, plan.pictures)
        checkpoint = self._train(robot, plan)
        for one in set_sizes(plan.hours):
            self._pictures(one.name, one.preset, one.seed, one.count)
        self._export(checkpoint)
        self._calibrate(plan)
        return self._score(plan)

    @property
    def _robot_file(self) -> Path:
        made = sorted(self.work.glob("robot/*.json"))
        return made[0] if made else self.work / "robot"

    def _data_file(self) -> Robot:
        if not self._robot_file.is_file():
            _, notes = make_robot_file_of(self.description, self.work / "robot")
            for note in notes:
                self.say(f"note: {note}")
        robot = load_robot(self._robot_file)
        self.say(
            f"{robot.name}: {len(robot.joint_names)} joints, "
            f"{len(robot.keypoint_names)} keypoints, "
            f"reach {robot.reach:.2f} m; {self._robot_file}"
        )
        return robot

    def _plan(self, robot: Robot) -> Plan:
        path = self.work / "plan.json"
        earlier = read_plan(path)
        if earlier and earlier.hours == self.hours:
            return earlier
        self.say("measuring how fast this machine renders and reads ...")
        made = count = 0
        while not made:  # those of a run that was stopped here tell nothing of the speed
            count += SHARD_ROWS * self.workers
            begun = time.monotonic()
            folder, made = self._pictures("train", *TRAINING_SET, count)
        rate = earlier.crops_per_s if earlier else made / (time.monotonic() - begun)
        sheet = self.work / "look.jpg"
        pictures = _first_pictures(folder)
        self._write_sheet(sheet, pictures)
        self.say(f"look at {sheet}: is this your robot, whole, in its colours and usual poses?")
        plan = make_plan(self.hours, rate, _answer_s(), self.workers)
        write_plan(path, plan)
        return plan

    def _pictures(self, name: str, kind: str, seed: int, count: int) -> tuple[Path, int]:
        """The folder of a set, and how many pictures of it were not there yet."""
        folder = self.work / "pictures" / name
        with self.show(count, f"rendering {name}") as bar:
            made = render_set(
                str(self._robot_file), replace(preset(kind), seed=seed), folder, count,
                format=FORMATS[kind], workers=self.workers, backgrounds=self.backgrounds,
                progress=bar.update, rows=SHARD_ROWS,
            )  # fmt: skip
            bar.update(count - made)
        return folder, made

    def _train(self, robot: Robot, plan: Plan) -> Path:
        config = TrainConfig(
            robot=str(self._robot_file), data=(str(self.work / "pictures" / "train"),),
            backgrounds=str(self.backgrounds) if self.backgrounds else None,
            stage="joint", init_from=str(weights_folder("panda").parent / START),
            input_size=224, frozen_blocks=ALL_BLOCKS, denoiser="mlp", denoiser_width=96,
            denoiser_depth=3, batch_size=32, noise_draws=4, learning_rate=2e-3, warmup_steps=100,
            ema_decay=0.998, steps=UNENDING, time_limit=plan.training_s, checkpoint_every=200,
            loader_threads=1, seed=TRAINING_SET[1],
        )  # fmt: skip
        self.say(f"training for {plan.training_s / 60:.0f} min; stop and resume it at any time")
        train(config, self.work / "run")
        return self.work / "run" / "checkpoint"

    def _export(self, checkpoint: Path) -> None:
        steps = read_info(checkpoint)["step"]
        card = self.out / CARD_FILE
        if card.is_file() and read_entries(self.out)["training"]["steps"] == steps:
            return
        export_checkpoint(
            checkpoint, self.out, num_inference_steps=INFERENCE_STEPS, num_hypotheses=HYPOTHESES
        )

    def _calibrate(self, plan: Plan) -> None:
        if "calibration" in read_entries(self.out):
            return
        sets = [one for one in set_sizes(plan.hours) if one.name.startswith("calibration")]
        folder = self.work / "pictures"
        calibrate_weights(
            self.out, [folder / one.name for one in sets if one.shows_robot],
            [folder / one.name for one in sets if not one.shows_robot], self.show,
        )  # fmt: skip

    def _score(self, plan: Plan) -> dict[str, Any]:
        data = open_dataset(self.work / "pictures" / "held-out", load_robot(self._robot_file))
        method = Method("default", str(self._robot_file), str(self.out))
        settings = method.settings()
        report = self.out / "score"
        with self.show(len(data.frames), "scoring") as bar:
            answers = collect_answers(
                data.frames, method, file=report / ANSWERS_FILE, settings=settings,
                progress=bar.update,
            )  # fmt: skip
        evaluation = evaluate_pose(data, answers, settings)
        write_report(report, evaluation)
        result = evaluation.to_json()
        update_card(self.out, {"metrics": {"held_out_renders": _main_figures(result)}})
        return result

    def _write_sheet(self, path: Path, pictures: NDArray[np.uint8]) -> None:
        sheet = contact_sheet(list(pictures[: SHEET_COLUMNS * SHEET_ROWS]), SHEET_COLUMNS)
        with atomic_write(path) as temporary:
            good, jpeg = cv2.imencode(".jpg", sheet[..., ::-1])
            assert good
            temporary.write_bytes(jpeg.tobytes())


def _first_pictures(folder: Path) -> NDArray[np.uint8]:
    from safetensors.numpy import load_file

    return np.asarray(load_file(shard_path(folder, 0))["images"])


def _answer_s() -> float:
    """How long an estimator of the same kind takes for a picture of its robot."""
    estimator = Estimator.from_pretrained("panda")
    example = weights_folder("panda") / "example.jpg"
    estimator(example)
    begun = time.monotonic()
    estimator(example)
    return time.monotonic() - begun


def _main_figures(result: dict[str, Any]) -> dict[str, Any]:
    return {name: result[name] for name in ("joints", "add") if name in result}
