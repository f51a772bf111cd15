"""Files of claimed angles and poses: read right, or refused in words."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from armsight.errors import BadIntrinsicsError, DatasetError
from armsight.robots import load_robot
from armsight.verify.claim_files import read_joints, read_pose

ROBOT = load_robot("panda")
Q = ROBOT.ready_positions


def test_real_files_of_one_claim(shared_data: Path) -> None:
    """Named in another order, and a JointState with fingers first: the same angles."""
    folder = shared_data / "odd_inputs" / "claims"
    one, two = (read_joints(folder / name, ROBOT) for name in ("q_named_13.json", "q_ros.json"))
    np.testing.assert_allclose(np.degrees(one[:3]), [-32.6, 21.8, -38.0], atol=0.1)
    np.testing.assert_array_equal(one, two)


REFUSED = {
    "degrees": (" ".join(map(str, np.degrees(Q))), "in degrees.*joint_positions_deg"),
    "two rows": ("\n".join([" ".join(map(str, Q))] * 2), "has 2 rows"),
    "beyond the limits": (" ".join(map(str, [*Q[:3], 1.0, *Q[4:]])), "panda_joint4 is 1 rad"),
    "words": ("a b c", "has no rows|holds numbers"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(tmp_path: Path, case: str) -> None:
    text, message = REFUSED[case]
    (tmp_path / "q.txt").write_text(text)
    with pytest.raises(DatasetError, match=message):
        read_joints(tmp_path / "q.txt", ROBOT)


def test_poses(tmp_path: Path) -> None:
    T = np.eye(4)
    T[:3, 3] = 0.1, 0.2, 1.5
    np.savetxt(tmp_path / "T.txt", T)
    (tmp_path / "T.json").write_text(json.dumps({"T_cam_base": T.tolist()}))
    for name in ("T.txt", "T.json"):
        np.testing.assert_array_equal(read_pose(tmp_path / name), T)
    (tmp_path / "T.json").write_text(json.dumps({"T_cam_base": (2 * T).tolist()}))
    with pytest.raises(BadIntrinsicsError, match="holds no T_cam_base"):
        read_pose(tmp_path / "T.json")
