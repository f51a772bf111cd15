"""What an assumed principal point adds to the covariance of a camera's pose."""

from __future__ import annotations

import numpy as np
import pytest

from armsight.fit.extrinsics.uncertainty import PRINCIPAL_POINT_STD, of_principal_point
from armsight.geometry import invert_transform, make_transform, rotation_from_rotvec


def test_it_is_a_turn_about_the_cameras_own_centre() -> None:
    """Against cameras that are turned by random angles: poses, not derivatives."""
    R = rotation_from_rotvec(np.array([[0.3, -1.2, 0.5]]))[0]
    T = make_transform(R, np.array([0.2, -0.1, 1.4]))
    std = PRINCIPAL_POINT_STD * 640 / 600
    rng = np.random.default_rng(0)
    changes = []
    for a, b in rng.normal(0, std, (4000, 2)):
        turned = make_transform(rotation_from_rotvec(np.array([[a, b, 0.0]]))[0], np.zeros(3)) @ T
        np.testing.assert_allclose(invert_transform(turned)[:3, 3], invert_transform(T)[:3, 3])
        changes.append([a, b, 0.0, *(turned[:3, 3] - T[:3, 3])])
    expected = np.cov(np.array(changes).T)
    found = of_principal_point(T, 600.0, 640.0)
    np.testing.assert_allclose(found, expected, atol=0.06 * expected.max())
    assert np.sqrt(found[0, 0]) == pytest.approx(std)
