"""Camera matrices and boxes as people type them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from armsight.camera.crops import Box
from armsight.errors import BadIntrinsicsError, ConfigError


def parse_K(text: str, name: str = "--K") -> NDArray[np.floating]:
    """`fx,fy,cx,cy` (or nine numbers, row by row) [px] as a (3, 3) matrix; errors call it `name`.

    Raises:
        BadIntrinsicsError: these are not four or nine numbers.
    """
    try:
        numbers = [float(number) for number in text.replace(",", " ").split()]
    except ValueError:
        numbers = []
    if len(numbers) == 9:
        return np.array(numbers).reshape(3, 3)
    if len(numbers) != 4:
        raise BadIntrinsicsError(
            f"{name} is {text!r}; give fx,fy,cx,cy in pixels, e.g. 600,600,320,240"
        )
    fx, fy, cx, cy = numbers
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])


def parse_box(text: str, name: str = "--box") -> Box:
    """`x0,y0,x1,y1` [px] as a box; errors call it `name`.

    Raises:
        ConfigError: these are not four numbers.
    """
    try:
        x0, y0, x1, y1 = (float(number) for number in text.replace(",", " ").split())
    except ValueError:
        raise ConfigError(
            f"{name} is {text!r}; give x0,y0,x1,y1 in pixels, e.g. 100,50,400,350"
        ) from None
    return x0, y0, x1, y1
