"""`armsight audit` from end to end, on drawn episodes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from armsight.audit.plan import make_plan, robot_of, with_camera_file
from armsight.cli.audit import command
from armsight.data.lerobot import LeRobotReader
from armsight.errors import BadIntrinsicsError, ConfigError, DatasetError
from tests.audit.drawn_arm import CAMERA_KEY, HEIGHT, T_CAM_BASE, WIDTH, Drawn, K, write_dataset

K_TEXT = ",".join(str(K[i]) for i in ((0, 0), (1, 1), (0, 2), (1, 2)))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("drawn") / "set", [Drawn(12, 0), Drawn(12, 1)])


def audit(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)


def test_camera_of_two_episodes(dataset: Path, tmp_path: Path) -> None:
    result = audit(dataset, "--K", K_TEXT, "--report", tmp_path / "report", "--json", "--write",
                   tmp_path / "copy", "--workers", 2)  # fmt: skip
    found = json.loads(result.stdout)
    assert found["counts"] == {"fine": 2}
    (camera,) = found["cameras"]
    assert camera["episodes"] == [0, 1]
    centre = -T_CAM_BASE[:3, :3].T @ T_CAM_BASE[:3, 3]
    assert np.linalg.norm(np.array(camera["T_base_cam"])[:3, 3] - centre) < 0.01
    assert json.loads((tmp_path / "report/audit.json").read_text()) == found
    assert "overlays/" in (tmp_path / "report/report.html").read_text()
    copied = LeRobotReader(tmp_path / "copy").rows(1)["observation.cameras.front.T_cam_base"]
    np.testing.assert_allclose(copied[0].reshape(4, 4), camera["T_cam_base"], atol=1e-5)
    # Once more, from the report: nothing is done again, and the table says the same.
    again = audit(dataset, "--K", K_TEXT, "--report", tmp_path / "report")
    assert "2 fine" in again.stdout
    assert CAMERA_KEY in again.stdout


def test_a_broken_video_does_not_stop_the_others(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "set", [Drawn(3, 0), Drawn(3, 1), Drawn(3, 2)])
    videos = sorted((folder / "videos").rglob("*.mp4"))
    videos[0].write_bytes(b"no video")
    videos[1].unlink()
    found = json.loads(audit(folder, "--K", K_TEXT, "--json").stdout)
    verdicts = [episode["verdict"] for episode in found["episodes"]]
    assert verdicts[:2] == ["unreadable", "unreadable"]
    assert verdicts[2] != "unreadable"
    assert "cannot be read" in found["episodes"][0]["reason"]
    assert "missing" in found["episodes"][1]["reason"]


def test_what_is_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no LeRobotDataset"):
        audit(tmp_path)


def test_logs_that_are_broken_are_episodes_of_their_own(tmp_path: Path) -> None:
    """One log is NaN all over, one has no row; the third is audited."""
    folder = write_dataset(tmp_path / "set", [Drawn(3, 0), Drawn(3, 1), Drawn(3, 2)])
    files = sorted((folder / "data").rglob("*.parquet"))
    table = pq.read_table(files[0])
    kind = table.schema.field("observation.state").type
    column = pa.array([[float("nan")] * 7] * 3, kind)
    place = table.column_names.index("observation.state")
    pq.write_table(table.set_column(place, "observation.state", column), files[0])
    pq.write_table(pq.read_table(files[1]).slice(0, 0), files[1])
    found = json.loads(audit(folder, "--K", K_TEXT, "--json").stdout)["episodes"]
    assert found[0]["verdict"] in ("too_few_frames", "unreadable")
    assert found[1]["verdict"] == "unreadable"
    assert "holds 0 rows of episode 1" in found[1]["reason"]
    assert found[2]["verdict"] != "unreadable"


def test_a_camera_file_for_all_videos(dataset: Path, tmp_path: Path) -> None:
    """Rescaled to the videos' size; a lens that distorts and a second camera option are refused."""
    plan = make_plan(dataset, "panda")
    doubled = np.diag([2.0, 2.0, 1.0]) @ K
    file = tmp_path / "camera.json"
    size = {"width": 2 * WIDTH, "height": 2 * HEIGHT}
    file.write_text(json.dumps({"K": doubled.tolist(), **size}))
    told = with_camera_file(plan, file)
    assert told.K is not None
    np.testing.assert_allclose(np.reshape(told.K, (3, 3))[:2, :2], K[:2, :2])
    assert told.intrinsics_source == "camera_file"
    file.write_text(json.dumps({"K": doubled.tolist(), **size, "D": [0.1, 0, 0, 0, 0]}))
    with pytest.raises(BadIntrinsicsError, match="undistort the videos first"):
        audit(dataset, "--camera", file)
    with pytest.raises(BadIntrinsicsError, match="only one of --K, --camera"):
        audit(dataset, "--camera", file, "--K", K_TEXT)


def test_a_foreign_data_set_whose_pictures_are_grey(shared_data: Path) -> None:
    """Eight unnamed state columns, and no arm in view."""
    result = audit(shared_data / "odd_inputs" / "lerobot_v3", "--json")
    found = json.loads(result.stdout)
    assert found["counts"] == {"arm_not_in_view": 2}


def test_which_robot(dataset: Path, tmp_path: Path) -> None:
    """The data set's own by default, which must be known."""
    assert robot_of(dataset) == "panda"
    folder = write_dataset(tmp_path / "set", [Drawn(3, 0)])
    info = folder / "meta/info.json"
    info.write_text(info.read_text().replace('"panda"', '"so100_follower"'))
    with pytest.raises(ConfigError, match=r"'so100_follower', which is none of.*panda.*--robot"):
        audit(folder)
    with pytest.raises(BadIntrinsicsError, match="only one of --K, --camera and --fov"):
        audit(dataset, "--K", K_TEXT, "--fov", 60)
