"""The judge on drawn arms of which everything is known: each fault raises its own part."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from armsight.judge.arm import ArmInClip
from armsight.judge.measures import PART_OF, Measure, measure
from armsight.judge.scenes import known_scene, usual
from armsight.judge.score import excess_of, part_scores, score_clip
from armsight.robots import load_robot
from armsight.viz.silhouette import silhouette

PANDA = load_robot("panda")
SIZE, COUNT = 384, 16
SCENE = known_scene("libero_object")


def drawn(shift: float = 0.0) -> ArmInClip:
    """A Panda that turns slowly, bright before a checkered wall; `shift` [m] moves its base in the
    second half of the pictures, not in what is claimed of them."""
    assert SCENE is not None
    T, K = np.array(SCENE.T_cam_base), SCENE.K(SIZE)
    q = np.tile(SCENE.ready_positions, (COUNT, 1))
    q[:, 0] += np.linspace(-0.3, 0.3, COUNT)
    v, u = np.mgrid[:SIZE, :SIZE] // 48
    wall = (60 + 20 * ((u + v) % 2)).astype(np.uint8)
    images = []
    for n in range(COUNT):
        moved = T.copy()
        moved[:3, 3] += T[:3, :3] @ [0, shift * (n >= COUNT // 2), 0]
        mask = silhouette(PANDA, q[n], moved, K, SIZE, SIZE)
        grey = np.where(mask > 0, 220, wall).astype(np.uint8)
        cv2.rectangle(grey, (40, 300), (60, 320), 150, -1)
        images.append(np.repeat(grey[..., None], 3, axis=2))
    return ArmInClip(
        PANDA, np.arange(COUNT), np.arange(COUNT) * 0.15, q, T, K, images, np.zeros(COUNT), "scene"
    )


@pytest.fixture(scope="module")
def true() -> ArmInClip:
    return drawn()


def test_a_base_that_moves(true: ArmInClip) -> None:
    before, after = measure(true, None), measure(drawn(0.12), None)
    for name in ("arm", "base"):
        assert after[name].value > before[name].value + 0.1
        by_frame = after[name].by_frame
        assert by_frame[COUNT // 2 :].mean() > by_frame[: COUNT // 2].mean() + 0.1
    assert after["speed"].value == before["speed"].value  # it is no matter of motion


def test_frames_in_another_order(true: ArmInClip) -> None:
    order = np.random.default_rng(0).permutation(COUNT)
    shuffled = replace(
        true, joint_positions=true.joint_positions[order], images=[true.images[i] for i in order]
    )
    before, after = measure(true, None), measure(shuffled, None)
    step = 0.6 / (COUNT - 1) / 0.15
    assert before["speed"].value == pytest.approx(step / PANDA.max_velocity[0])
    assert after["acceleration"].value > 10 * max(before["acceleration"].value, 0.01)
    assert after["arm"].value == pytest.approx(before["arm"].value, abs=0.1)


def test_an_object_that_jumps(true: ArmInClip) -> None:
    images = [image.copy() for image in true.images]
    for image in images[9:]:
        image[295:325, 35:65] = image[295:325, 135:165]
        image[340:361, 40:61] = 150
    assert measure(true, None)["elsewhere"].value == 0
    found = measure(replace(true, images=images), None)["elsewhere"]
    assert int(found.by_frame.argmax()) == 9
    # Two squares of 20 px, seen through a blur of 3 px.
    assert found.value == pytest.approx(100 * 2 * 21**2 / SIZE**2, rel=0.6)


def test_a_gripper_that_melts(true: ArmInClip) -> None:
    images = [image.copy() for image in true.images]
    for n, image in enumerate(images[8:], 8):
        x, y = np.round(true.hand(n)).astype(int)
        image[y - 45 : y + 45, x - 45 : x + 45] = cv2.GaussianBlur(
            image[y - 45 : y + 45, x - 45 : x + 45], (0, 0), 8
        )
    before, after = measure(true, None), measure(replace(true, images=images), None)
    assert after["blur"].value > before["blur"].value + 0.3


def test_one_number_of_its_parts(true: ArmInClip) -> None:
    known = usual("scene")
    fine = {name: Measure(known[name]["median"], np.zeros(COUNT), "") for name in known}
    score = score_clip(true, fine, None)
    assert score.score == 1
    assert score.fault is None
    assert score.parts["task"] is None
    far = known["base"]["high"] + 4 * max(
        known["base"]["high"] - known["base"]["median"], known["base"]["least_width"]
    )
    by_frame = np.zeros(COUNT)
    by_frame[5] = far
    broken = {**fine, "base": Measure(far, by_frame, "the base is elsewhere")}
    score = score_clip(true, broken, solved=False)
    assert score.parts["arm"] == pytest.approx(np.exp(-2))
    assert score.score == pytest.approx(np.exp(-2) * 0.3)
    assert score.fault == "arm"
    assert (score.moments[0].frame, score.moments[0].measure) == (5, "base")
    assert score.to_json()["excess"]["base"] == pytest.approx(4)


def test_every_measure_has_a_part_and_a_usual_value() -> None:
    assert set(usual("scene")) == set(PART_OF)
    assert set(usual("poses")) == set(PART_OF) - {"doubt", "chatter"}
    assert excess_of(0.5, {"median": 0.4, "high": 0.6, "least_width": 0.1}) == 0
    assert part_scores({"arm": 0.0, "base": 2.0, "hand": 0.0}, PART_OF) == {
        "arm": pytest.approx(np.exp(-1)), "gripper": 1.0,
    }  # fmt: skip
