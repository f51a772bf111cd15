"""The expert grips where it is narrow and free, and solves the task."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from armsight.control.expert import Expert, Style, draw_style
from armsight.control.scene import Body, bodies, grasps, target_and_basket
from armsight.control.simulation import Simulation
from armsight.control.suite import SPLITS

GRID = np.array(list(itertools.product((-1.0, 0, 1), repeat=3)))


def box(name: str, centre: tuple[float, float, float], half: tuple[float, float, float]) -> Body:
    return Body(name, (GRID * half + centre)[None])


@pytest.mark.parametrize("half,yaw", [((0.06, 0.02, 0.02), 0), ((0.02, 0.06, 0.02), 90)])
def test_fingers_close_on_the_narrow_side(half: tuple[float, float, float], yaw: float) -> None:
    scene = {"box": box("box", (0.5, 0.1, 0.02), half)}
    best = grasps(scene, "box", depth=0.03, lowest=0.012)[0]
    assert abs(abs(np.degrees(best.yaw)) - yaw) < 10
    assert best.width < 0.06
    np.testing.assert_allclose(best.position, [0.5, 0.1, 0.012], atol=1e-9)


def test_fingers_keep_off_the_neighbours() -> None:
    can = box("can", (0.5, 0, 0.05), (0.02, 0.02, 0.05))
    alone = grasps({"can": can}, "can", 0.03, 0.012)[0]
    assert alone.yaw == pytest.approx(0)  # along y
    wall = box("wall", (0.5, 0.05, 0.05), (0.02, 0.02, 0.05))
    best = grasps({"can": can, "wall": wall}, "can", 0.03, 0.012)[0]
    assert abs(np.degrees(best.yaw)) >= 45


def test_scene_is_read_in_the_base_frame(sim: Simulation) -> None:
    found = bodies(sim)
    target, basket = target_and_basket(sim)
    assert (target, basket) == ("cream_cheese_1", "basket_1")
    world = sim.data.body(target + "_main").xpos
    centre = (found[target].low + found[target].high) / 2
    np.testing.assert_allclose(centre, world + [0.6, 0, 0], atol=0.01)
    assert found[target].low[2] == pytest.approx(0, abs=3e-3)  # it lies on the ground
    assert found[basket].high[2] > 0.1


def test_styles_vary_and_repeat() -> None:
    styles = [draw_style(np.random.default_rng(i)) for i in range(40)]
    assert styles[7] == draw_style(np.random.default_rng(7))
    assert np.std([style.speed for style in styles]) > 0.1
    assert any(style.detours for style in styles)
    assert any(style.noise for style in styles)
    assert any(style.hesitation for style in styles)


def test_expert_solves_the_task_and_hesitates_when_told(sim: Simulation) -> None:
    lengths = []
    for style in (Style(), Style(hesitation=1.0, speed=0.8, after=6)):
        assert sim.initial_state in SPLITS["train"]
        sim.reset(3)
        actions = []
        for action in Expert(sim, style, np.random.default_rng(0)).actions():
            assert np.abs(action).max() <= 1
            assert action.shape == (7,)
            sim.step(action)
            actions.append(action)
        assert sim.success
        lengths.append(len(actions))
        gripper = np.array(actions)[:, 6]
        assert set(gripper) == {-1, 1}
        assert gripper[0] == -1  # open, closed, open
    assert lengths[1] > lengths[0] + 15
