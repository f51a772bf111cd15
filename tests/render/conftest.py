"""Tests that draw are skipped, with the reason, where nothing can draw off screen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from armsight.errors import ArmsightError
from armsight.render.frame import FrameMaker, FrameSettings
from armsight.render.imaging.camera import CameraRanges
from armsight.robots import load_robot

SIZE = 96


@pytest.fixture(scope="session")
def maker() -> Iterator[FrameMaker]:
    """Makes small training crops of the Panda."""
    settings = FrameSettings(size=SIZE, no_robot=0.0, cameras=CameraRanges())
    made = FrameMaker(load_robot("panda"), settings, None)
    try:
        made.make(0)
    except ArmsightError as error:
        pytest.skip(f"nothing can be drawn here: {error}")
    yield made
    made.close()


@pytest.fixture
def scene(maker: FrameMaker) -> Any:
    """The Panda's scene, of SIZE pixels at double resolution."""
    return maker._scene(None)
