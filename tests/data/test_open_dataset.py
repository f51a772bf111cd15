"""Labelled folders: what is read, and what is said about folders that cannot be."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from armsight.data.dataset import open_dataset, open_pictures
from armsight.errors import DatasetError, UnknownRobotError
from armsight.geometry import project, transform_points
from armsight.robots import load_robot
from tests.labelled_folders import (
    SIZE,
    T_CAM_BASE,
    K,
    edit_json,
    labels,
    other_robot,
    poses,
    without_angles,
    write_joint_folder,
    write_json,
    write_ndds,
)

PANDA = load_robot("panda")


def _truncate(folder):
    file = folder / "000001.json"
    file.write_text(file.read_text()[:100])


def _interrupted(folder):
    write_json(folder / "dataset.json", {"count": 9})
    (folder / "000003.json").unlink()  # its picture is there already


def _zero_focal(folder):
    edit_json(
        folder / "_camera_settings.json",
        lambda data: data["camera_settings"][0]["intrinsic_settings"].update(fx=0.0),
    )


def _other_camera(folder):
    edit_json(
        folder / "_camera_settings.json",
        lambda data: data["camera_settings"][0]["intrinsic_settings"].update(cx=10.0),
    )


@pytest.mark.parametrize(
    "damage, words",
    [
        (_truncate, "000001.json is not complete JSON"),
        (lambda d: (d / "000001.json").write_bytes(b"\xff\xfe\x00"), "000001.json"),
        (lambda d: (d / "000001.json").write_text("[1]"), "holds a list"),
        (lambda d: (d / "000001.rgb.jpg").unlink(), "000001.json has no picture"),
        (lambda d: (d / "000001.json").unlink(), "000001.rgb.jpg has no labels"),
        (lambda d: (d / "000001.rgb.jpg").write_text("text"), "000001.rgb.jpg"),
        (_zero_focal, "impossible intrinsics fx=0"),
        (_other_camera, "do not project onto"),
        (_interrupted, "has 3 frames, .*promises 9: it is unfinished"),
        (lambda d: [f.unlink() for f in d.glob("0*")], "has no frames"),
    ],
)
def test_damaged_folders(tmp_path, damage, words):
    folder = write_ndds(tmp_path)
    damage(folder)
    with pytest.raises(DatasetError, match=words):
        open_dataset(folder)


def test_a_lens_may_bend_as_it_likes_outside_of_the_picture(tmp_path):
    folder = write_ndds(tmp_path)

    def far_out(data):
        points = data["objects"][0]["keypoints"]
        for point in points[: len(points) // 2 + 1]:
            point["projected_location"] = [5000.0, -3000.0]

    edit_json(folder / "000000.json", far_out)
    assert open_dataset(folder, limit=1).frames[0].T_cam_base is not None


def test_a_truncated_picture_is_found_when_it_is_loaded(tmp_path):
    folder = write_ndds(tmp_path)
    picture = folder / "000000.rgb.jpg"
    picture.write_bytes(picture.read_bytes()[:-200])
    frame = open_dataset(folder).frames[0]
    with pytest.raises(DatasetError, match="000000.rgb.jpg"):
        frame.load_image()


def test_namespaces_other_links_and_plain_names_are_read(tmp_path):
    # DREAM's synthetic sets put a namespace before joint names and label more links.
    folder = write_ndds(tmp_path, suffix=".png")

    def change(data):
        for joint in data["sim_state"]["joints"]:
            joint["name"] = "/panda/" + joint["name"]
        extra = {"name": "panda_leftfinger", "location": [0, 0, 1], "projected_location": [0, 0]}
        data["objects"][0]["keypoints"].insert(0, extra)

    edit_json(folder / "000000.json", change)
    frame = open_dataset(folder, limit=1).frames[0]
    assert frame.keypoint_names == PANDA.keypoint_names[:7]
    assert frame.joint_positions == pytest.approx(poses(PANDA, 1)[0])


def test_what_our_renderer_adds(tmp_path):
    folder = write_ndds(tmp_path)
    (folder / "_camera_settings.json").unlink()
    for file, q in zip(sorted(folder.glob("0*.json")), poses(PANDA, 4), strict=True):
        data = labels(PANDA, q, num_keypoints=len(PANDA.keypoint_names))
        points = data["objects"][0]["keypoints"]
        for k, point in enumerate(points):
            point["visible"] = k % 3
        data["objects"][0]["keypoints"] = points[:7]
        data["objects"][0]["surface_keypoints"] = points[7:]
        data["camera_intrinsics"] = {"fx": 150, "fy": 151, "cx": 79, "cy": 60}
        write_json(file, data)
    frame = open_dataset(folder).frames[3]
    assert frame.keypoint_names == PANDA.keypoint_names
    assert pytest.approx(K) == frame.K
    assert frame.keypoints_visible.tolist() == [k % 3 for k in range(len(PANDA.keypoint_names))]
    assert project(frame.keypoints_3d_cam, frame.K) == pytest.approx(frame.keypoints_2d)


def test_a_stated_camera_pose_is_read_and_checked(tmp_path):
    folder = without_angles(write_ndds(tmp_path))
    stated = T_CAM_BASE.tolist()
    for file in folder.glob("0*.json"):
        edit_json(file, lambda data: data["objects"][0].update(T_cam_base=stated))
    frame = open_dataset(folder, units="m").frames[0]
    assert frame.T_cam_base == pytest.approx(T_CAM_BASE)
    other = np.linalg.inv(T_CAM_BASE).tolist()
    write_ndds(folder)
    edit_json(folder / "000001.json", lambda data: data["objects"][0].update(T_cam_base=other))
    with pytest.raises(DatasetError, match=r"000001.json: its T_cam_base does not put"):
        open_dataset(folder)


def test_rendered_labels_must_fit_the_data_file_exactly(tmp_path):
    folder = write_ndds(tmp_path)

    def nudge(data):
        data["objects"][0]["keypoints"][6]["location"][0] += 0.005

    edit_json(folder / "000001.json", nudge)
    assert len(open_dataset(folder).frames) == 4  # 2 mm RMS: a real recording may be so
    write_json(folder / "dataset.json", {"format": "armsight-ndds/1", "units": "m"})
    with pytest.raises(DatasetError, match=r"000001.json contradict.*another version"):
        open_dataset(folder)


def test_what_the_renderer_writes_is_read(tmp_path):
    pytest.importorskip("mujoco")
    from armsight.render import ndds
    from armsight.render.frame import RenderedFrame

    q = poses(PANDA, 1)[0]
    points = transform_points(T_CAM_BASE, PANDA.keypoints(q))
    frame = RenderedFrame(
        image=np.full((SIZE[1], SIZE[0], 3), 90, np.uint8),
        mask=np.zeros((SIZE[1], SIZE[0]), np.uint8),
        joint_positions=q,
        finger_positions=np.zeros(len(PANDA.simulation.get("gripper_joints", []))),
        K=K,
        T_cam_base=T_CAM_BASE,
        keypoints_2d=project(points, K),
        keypoints_3d_cam=points,
        keypoints_visible=np.arange(len(points)).astype(np.uint8) % 3,
        frame_rect=np.array([-0.5, -0.5, SIZE[0] - 0.5, SIZE[1] - 0.5]),
        robot_found=True,
        composited=False,
    )
    ndds.write_frame(tmp_path, 0, frame, PANDA)
    ndds.write_settings(tmp_path, PANDA, SIZE, K)
    read = open_dataset(tmp_path).frames[0]
    assert read.joint_positions == pytest.approx(q)
    assert read.keypoints_3d_cam == pytest.approx(points)
    assert read.T_cam_base == pytest.approx(T_CAM_BASE)
    assert read.keypoints_visible.tolist() == frame.keypoints_visible.tolist()
    assert read.keypoint_names == PANDA.keypoint_names
    assert pytest.approx(K) == read.K


def test_no_intrinsics_is_said_by_none(tmp_path):
    folder = write_ndds(tmp_path)
    (folder / "_camera_settings.json").unlink()
    assert open_dataset(folder).frames[0].K is None


def test_frames_without_the_robot(tmp_path):
    folder = write_ndds(tmp_path)
    write_json(folder / "000000.json", {"objects": []})
    edit_json(folder / "000001.json", other_robot)
    frames = open_dataset(folder, allow_other_robots=True).frames
    assert [f.robot_in_view for f in frames] == [False, False, True, True]
    assert [f.other_robot for f in frames] == [None, "kuka", None, None]


def test_joint_folder(tmp_path):
    dataset = open_dataset(write_joint_folder(tmp_path / "set"), limit=2)
    assert dataset.layout == "joint-folder"
    assert [frame.name for frame in dataset.frames] == ["000000", "000001"]
    frame = dataset.frames[1]
    assert frame.joint_positions == pytest.approx(poses(PANDA, 2)[1])
    assert pytest.approx(K) == frame.K
    assert frame.keypoints_3d_cam is None


@pytest.mark.parametrize(
    "damage, words",
    [
        (lambda d: (d / "qpos/000001.txt").unlink(), "picture '000001' has no partner in qpos"),
        (lambda d: (d / "color/000001.png").unlink(), "'000001' has no partner in color"),
        (lambda d: (d / "qpos/000001.txt").write_text("1 2 3"), "holds 3 values.*7 joints"),
        (lambda d: (d / "qpos/000001.txt").write_text("a b"), "does not hold numbers"),
        (lambda d: (d / "qpos/000001.txt").write_text("0 -45 0 -135 0 90 45"), "in radians"),
        (lambda d: (d / "qpos/000001.txt").write_text("nan 0 0 -1 0 1 0"), "beyond its limits"),
        (lambda d: (d / "K.txt").write_text("1 2 3"), "3x3"),
        (lambda d: (d / "K.txt").write_text("0 0 0 0 0 0 0 0 1"), "not a camera matrix"),
        (lambda d: [shutil.rmtree(d / n) or (d / n).mkdir() for n in ("color", "qpos")], "no pict"),
    ],
)
def test_damaged_joint_folders(tmp_path, damage, words):
    folder = write_joint_folder(tmp_path / "set")
    damage(folder)
    with pytest.raises(DatasetError, match=words):
        open_dataset(folder)


def test_what_is_no_data_set(tmp_path):
    with pytest.raises(DatasetError, match="does not exist"):
        open_dataset(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match="is a file"):
        open_dataset(tmp_path / "file")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="Known: DREAM/NDDS .*one folder too high"):
        open_dataset(tmp_path / "empty")
    with pytest.raises(DatasetError, match="limit is 0"):
        open_dataset(write_ndds(tmp_path / "set"), limit=0)
    with pytest.raises(UnknownRobotError):
        open_dataset(tmp_path / "set", "r2d2")


def test_pictures_without_a_robot(tmp_path):
    (tmp_path / "deep").mkdir()
    Image.new("L", (50, 40)).save(tmp_path / "deep" / "grey.png")
    Image.new("RGBA", (50, 40)).save(tmp_path / "a.webp")
    dataset = open_pictures(tmp_path)
    assert [frame.name for frame in dataset.frames] == ["a.webp", "deep/grey.png"]
    assert not any(frame.robot_in_view for frame in dataset.frames)
    assert {frame.load_image().shape for frame in dataset.frames} == {(40, 50, 3)}
    (tmp_path / "none").mkdir()
    with pytest.raises(DatasetError, match="no pictures"):
        open_pictures(tmp_path / "none")


def test_the_fingerprint_tells_data_sets_apart(tmp_path):
    one = open_dataset(write_ndds(tmp_path / "a"))
    assert one.fingerprint == open_dataset(write_ndds(tmp_path / "b")).fingerprint
    assert one.fingerprint != open_dataset(tmp_path / "a", limit=3).fingerprint
    edit_json(tmp_path / "b" / "000000.json", lambda data: data.update(objects=[]))
    assert one.fingerprint != open_dataset(tmp_path / "b").fingerprint


def test_the_real_sample_of_dream(shared_data):
    frame = open_dataset(shared_data / "dream_sample").frames[0]
    raw = json.loads((shared_data / "dream_sample" / "000000.json").read_text())
    locations = [k["location"] for k in raw["objects"][0]["keypoints"]]
    assert frame.keypoints_3d_cam == pytest.approx(np.array(locations))
    posed = transform_points(frame.T_cam_base, PANDA.keypoints(frame.joint_positions)[:7])
    assert posed == pytest.approx(frame.keypoints_3d_cam, abs=1e-6)
    assert project(posed, frame.K) == pytest.approx(frame.keypoints_2d, abs=1e-3)


def test_the_real_photos_with_joint_angles(shared_data):
    dataset = open_dataset(shared_data / "franka_real")
    assert len(dataset.frames) == 10
    assert dataset.frames[1].joint_positions[5] == pytest.approx(3.276978295772585)
    assert dataset.frames[0].load_image().shape == (480, 640, 3)
