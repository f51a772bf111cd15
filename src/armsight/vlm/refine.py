"""`--refine K`: draw the estimated pose, show it beside the target, ask for corrections.

Beyond the paper. After each round the better of the two poses is kept, by a score that looks at
the image alone: how well the drawn arm's outline lies on the picture's edges and colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.camera.image import LoadedImage
from armsight.robots import Robot
from armsight.viz.silhouette import silhouette
from armsight.vlm import prompt
from armsight.vlm.ask import ModelAnswer, Question, contents, messages
from armsight.vlm.drawing import Camera, Drawer, default_camera
from armsight.vlm.errors import ModelError
from armsight.vlm.parse import parse_angles
from armsight.vlm.picture import SentPicture, encode
from armsight.vlm.providers import engine
from armsight.vlm.providers.engine import ModelSettings, Reply

Array = NDArray[np.floating]
Pixels = NDArray[np.uint8]

LONGER_SIDE = 320
"""[px] at which the score looks: edges of a few pixels' width"""
ALIGNMENT_SCALE = 0.02
"""Edges this share of the longer side away earn e^-1 of a hit"""


@dataclass(frozen=True)
class Round:
    """One correction: the pose that was drawn, the new one, their scores, which was kept."""

    before: Array
    after: Array | None
    scores: tuple[float | None, float | None]
    kept: str
    reply: Reply

    def to_json(self) -> dict[str, Any]:
        return {
            "before": self.before.tolist(),
            "after": None if self.after is None else self.after.tolist(),
            "score_before": self.scores[0],
            "score_after": self.scores[1],
            "kept": self.kept,
            "seconds": self.reply.seconds,
            "text": self.reply.text,
            "error": self.reply.error,
        }


class ImageScore:
    """How well a pose explains a picture, without knowing the truth: higher is better.

    The outline of the drawn arm should lie on edges of the picture, and the colours inside of it
    should differ from those around it.
    """

    def __init__(self, robot: Robot, pixels: Pixels, K: Array, T_cam_base: Array) -> None:
        """`K` [px] refers to `pixels` (H, W, 3) RGB."""
        self.robot, self.T = robot, T_cam_base
        factor = min(1.0, LONGER_SIDE / max(pixels.shape[:2]))
        h, w = (max(1, round(side * factor)) for side in pixels.shape[:2])
        small = np.asarray(cv2.resize(pixels, (w, h), interpolation=cv2.INTER_AREA), np.uint8)
        self.K = np.diag([w / pixels.shape[1], h / pixels.shape[0], 1.0]) @ K
        self.size = (w, h)
        grey = cv2.GaussianBlur(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), (3, 3), 0)
        edges = cv2.Canny(grey, 40, 120)
        distance = cv2.distanceTransform(255 - edges, cv2.DIST_L2, 3)
        self.near_edge = np.exp(-np.asarray(distance, float) / (ALIGNMENT_SCALE * max(w, h)))
        self.lab = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2LAB), float)

    def __call__(self, joint_positions: Array) -> float:
        """Score of a pose (J,) [rad]; 0 where nothing of it would be in the picture."""
        mask = silhouette(self.robot, joint_positions, self.T, self.K, *self.size)
        kernel = np.ones((3, 3), np.uint8)
        mask = np.asarray(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, kernel), np.uint8)
        inside = mask > 0
        if inside.sum() < 20:
            return 0.0
        border = inside & ~(np.asarray(cv2.erode(mask, kernel)) > 0)
        border[[0, -1]] = border[:, [0, -1]] = False
        if not border.any():
            return 0.0
        band = np.asarray(cv2.dilate(mask, np.ones((13, 13), np.uint8)), np.uint8) > 0
        around = band & ~inside
        contrast = 0.0
        if around.sum() > 20:
            a, b = self.lab[inside], self.lab[around]
            spread = np.sqrt(a.var(axis=0) + b.var(axis=0)) + 4.0
            contrast = float(np.tanh(np.abs(a.mean(axis=0) - b.mean(axis=0)) / spread).mean())
        return float(self.near_edge[border].mean()) + 0.5 * contrast


async def refine_all(
    model: Any,
    question: Question,
    settings: ModelSettings,
    answers: Sequence[ModelAnswer],
    rounds: int,
    image: LoadedImage,
    view: tuple[Array, Array] | None,
) -> tuple[list[ModelAnswer], list[list[dict[str, Any]]]]:
    """Refine each usable sample.

    Args:
        view: K (3, 3) [px of the original] and T_cam_base (4, 4), where they are known: the pose
            is then drawn and judged as that camera sees it. Without, it is drawn from a standard
            view, cannot be judged by the image, and the model's last word is kept.

    Returns:
        The answers with their angles replaced and their replies extended, and what happened.
    """
    drawer = Drawer(question.robot)
    try:
        refined: list[ModelAnswer] = []
        history: list[list[dict[str, Any]]] = []
        for answer in answers:
            if answer.parsed.joint_positions is None:
                refined.append(answer)
                history.append([])
                continue
            new, steps = await refine(
                model, question, settings, answer, rounds, image, view, drawer
            )
            refined.append(new)
            history.append([step.to_json() for step in steps])
        return refined, history
    finally:
        drawer.close()


async def refine(
    model: Any,
    question: Question,
    settings: ModelSettings,
    answer: ModelAnswer,
    rounds: int,
    image: LoadedImage,
    view: tuple[Array, Array] | None,
    drawer: Drawer,
) -> tuple[ModelAnswer, list[Round]]:
    """K rounds for one sample; a round without a usable reply changes nothing."""
    m = engine.load_inspect().model
    robot = question.robot
    config = engine.generate_config(settings, question.schema())
    score = None
    if view is not None:
        h, w = image.pixels.shape[:2]
        K = np.diag([w / image.width, h / image.height, 1.0]) @ view[0]
        score = ImageScore(robot, image.pixels, K, view[1])
    longer = max(question.target.width, question.target.height)
    parsed, replies, steps = answer.parsed, list(answer.replies), []
    cut_short: ModelError | None = None
    for _ in range(rounds):
        assert parsed.joint_positions is not None
        pose = robot.clip(parsed.joint_positions)
        camera, seen_from = _camera(robot, pose, question, image, view)
        drawing = encode(drawer.draw(pose, camera), longer, "estimate")
        text = prompt.refine_text(robot, pose, seen_from)
        chat = messages(question)
        parts: list[str | SentPicture] = [text, drawing, question.target]
        chat += [
            m.ChatMessageAssistant(content=answer.replies[-1].text or "(no answer)"),
            m.ChatMessageUser(content=contents(parts)),
        ]
        try:
            reply = await engine.call(model, chat, config)
        except ModelError as error:
            steps.append(Round(pose, None, (None, None), "before", Reply(error=str(error))))
            cut_short = error
            break
        replies.append(reply)
        new = parse_angles(reply.text, robot, reply.stop_reason)
        if new.joint_positions is None:
            steps.append(Round(pose, None, (None, None), "before", reply))
            continue
        after = robot.clip(new.joint_positions)
        scores = (None, None) if score is None else (score(pose), score(after))
        better = scores[0] is None or scores[1] is None or scores[1] > scores[0]
        steps.append(Round(pose, after, scores, "after" if better else "before", reply))
        parsed = new if better else parsed
    asked = len(replies) - len(answer.replies)
    return ModelAnswer(parsed, None, tuple(replies), asked, cut_short), steps


def _camera(
    robot: Robot,
    pose: Array,
    question: Question,
    image: LoadedImage,
    view: tuple[Array, Array] | None,
) -> tuple[Camera, str]:
    if view is None:
        return (
            default_camera(robot, pose),
            "seen from ahead of the robot and to its left (not from the target's camera)",
        )
    w, h = question.target.width, question.target.height
    K = np.diag([w / image.width, h / image.height, 1.0]) @ view[0]
    return Camera(K, view[1], w, h), "seen from the target's camera"
