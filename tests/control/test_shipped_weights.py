"""The weights that come with the package read a demonstration that nobody trained on."""

from __future__ import annotations

import numpy as np
import pytest

from armsight import ActionModel
from armsight.card import ACTIONS
from armsight.control.expert import Expert, Style
from armsight.control.simulation import Simulation
from armsight.control.suite import find_task, split_of
from armsight.errors import ArmsightError
from armsight.estimate.pretrained import available_weights
from tests.control.conftest import needs_libero

pytestmark = needs_libero
STATE, STRIDE = 43, 3


@pytest.fixture(scope="module")
def model() -> ActionModel:
    if "libero_object" not in available_weights(ACTIONS):
        pytest.skip("no weights in this checkout")
    return ActionModel.from_pretrained("libero_object")


def test_the_path_and_the_gripper_of_a_test_state_are_read(model: ActionModel) -> None:
    assert split_of(STATE) == "test"
    with Simulation(find_task("cream_cheese")) as sim:
        sim.reset(STATE)
        try:
            frames, path, commands = [sim.render()], [], []
        except ArmsightError as error:
            pytest.skip(f"nothing can be drawn here: {error}")
        expert = Expert(sim, Style(after=0), np.random.default_rng(0))
        for step, action in enumerate(expert.actions()):
            if step and step % STRIDE == 0:
                frames.append(sim.render())
            path.append(sim.T_base_ee[:3, 3])
            commands.append(action)
            sim.step(action)
    read = model.predict_action_chunk(np.stack(frames), stride=STRIDE, route="direct")
    count = len(read.actions)
    assert count == (len(frames) - 1) * STRIDE + 1
    distance = np.linalg.norm(read.ee_position - np.array(path)[:count], axis=1)
    assert np.median(distance) < 0.012  # about 5 mm with the weights as they are
    truth = np.array(commands)[:count]
    assert np.mean(np.sign(read.actions[:, 6]) == np.sign(truth[:, 6])) > 0.93
    still = np.abs(truth[:, :6]).mean()
    assert np.abs(read.actions[:, :6] - truth[:, :6]).mean() < 0.7 * still
