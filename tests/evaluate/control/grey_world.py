"""A world whose pictures say what to do: the stand-in for LIBERO in tests of control evaluations.

Step t of a demonstration in initial state i has grey value `greys(i)[t]`, from which the fake
action weights (tests/fake_action_weights.py) read the very action that the expert took. The task
is solved when the summed x commands come within TOLERANCE of the expert's sum, whichever way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tests.fake_action_weights import true_actions

STEPS = 24
"""Actions of a demonstration; a multiple of strides 1, 2, 3, 4, 6"""
TOLERANCE = 0.3
HARD = 7
"""An initial state in which the expert's first way fails"""


def greys(initial_state: int) -> np.ndarray:
    """(T,) grey values, straight between multiples of 12; behind the demonstration they stay."""
    nodes = np.array([80, 200, 60 + initial_state % 50, 60 + initial_state % 50])
    return np.interp(np.arange(200), [0, 12, STEPS, 199], nodes)


def expert_actions(initial_state: int) -> np.ndarray:
    actions = true_actions(greys(initial_state)[:STEPS], 1)
    actions[:, 6] = np.sign(actions[:, 6])
    return actions


class GreySimulation:
    """Notes every call, so that a test can see what happened between two steps."""

    K = np.eye(3)

    def __init__(self, task, log=None):
        self.task, self.log = task, [] if log is None else log
        self.impossible = task.startswith("impossible")
        self.closed = False

    def reset(self, initial_state):
        self.log.append(("reset", initial_state))
        self.initial_state, self.time, self.moved = initial_state, 0, 0.0
        self.success = False

    def step(self, action):
        self.log.append(("step", tuple(action)))
        self.time += 1
        self.moved += action[0]
        wanted = expert_actions(self.initial_state)[:, 0].sum()
        self.success = not self.impossible and bool(abs(self.moved - wanted) < TOLERANCE)
        return self.success

    def render(self):
        self.log.append(("render", self.time))
        grey = np.round(greys(self.initial_state)[self.time]).astype(np.uint8)
        return np.full((32, 32, 3), grey)

    def close(self):
        self.closed = True


@dataclass(frozen=True)
class GreyWorld:
    """Two kinds of tasks: those that can be done, and those named `impossible...`."""

    log: object = None

    def simulation(self, task):
        return GreySimulation(task, self.log)

    def demonstrate(self, simulation, seed):
        useless = simulation.initial_state == HARD and seed[-1] == 0
        for action in expert_actions(simulation.initial_state):
            yield action * [0, 1, 1, 1, 1, 1, 1] if useless else action

    def instruction(self, task):
        return task

    def settings(self):
        return {"suite": "grey"}
