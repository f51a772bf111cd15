"""The state that a picture shows is found, also under other light and at another size."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from armsight.control.resemblance import most_alike, rank

SIDE = 96


class Table:
    """Twelve states: three blocks stand at slightly other places on the same striped floor."""

    def __init__(self) -> None:
        self.state = 0

    def reset(self, initial_state: int) -> None:
        self.state = initial_state

    def render(self) -> NDArray[np.uint8]:
        floor = 90 + 40 * (np.arange(SIDE) // 6 % 2)
        picture = np.broadcast_to(floor[:, None, None], (SIDE, SIDE, 3)).astype(np.uint8).copy()
        rng = np.random.default_rng(self.state)
        for x, y in ((20, 20), (60, 30), (40, 70)):
            dx, dy = rng.uniform(-4, 4, 2).round().astype(int)
            picture[y + dy : y + dy + 9, x + dx : x + dx + 7] = (200, 60, 40)
        return picture


def other_light(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    lighter = 70 + 0.55 * picture + np.linspace(0, 30, SIDE)[:, None]
    noise = np.random.default_rng(0).normal(0, 2, picture.shape)
    return np.clip(lighter + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("state", [0, 5, 11])
def test_the_state_is_found(state: int) -> None:
    table = Table()
    table.reset(state)
    picture = other_light(table.render())
    states, alike = most_alike(table, picture, range(12))
    assert states[0] == state
    assert sorted(states) == list(range(12))
    assert (np.diff(alike) <= 0).all()
    assert alike[0] > 0.6
    assert alike[0] - alike[1] > 0.1


def test_pictures_of_another_size() -> None:
    table = Table()
    pictures = []
    for state in range(12):
        table.reset(state)
        pictures.append(cv2.resize(table.render(), (192, 192), interpolation=cv2.INTER_CUBIC))
    table.reset(7)
    order, _ = rank(pictures, other_light(table.render()))
    assert order[0] == 7


def test_one_state_is_the_most_alike() -> None:
    states, alike = most_alike(Table(), np.zeros((SIDE, SIDE, 3), np.uint8), [4])
    assert states == [4]
    assert np.isfinite(alike).all()
