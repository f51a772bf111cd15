"""The tensor augmentation does what OpenCV's does, and labels follow the picture."""

import cv2
import numpy as np
import pytest
import torch

from armsight.geometry import project
from armsight.train.draws import Draws
from armsight.train.pose import augment_device as device
from armsight.train.pose.augment import augment
from armsight.train.pose.augment_device import (
    augment_rows,
    background_bank,
    blur,
    random_similarities,
    warp,
)

SIDE, SIZE, COUNT = 96, 64, 48


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def rows(seed=0, count=COUNT, keypoints=8):
    """Pictures that are black but for a soft white dot on the first keypoint."""
    rng = np.random.default_rng(seed)
    K = np.tile(np.array([[90.0, 0, 50], [0, 90, 45], [0, 0, 1]]), (count, 1, 1))
    cam = np.stack([rng.uniform(-0.3, 0.3, (count, keypoints)),
                    rng.uniform(-0.3, 0.3, (count, keypoints)),
                    rng.uniform(0.9, 1.1, (count, keypoints))], -1)  # fmt: skip
    uv = np.stack([project(c, k) for c, k in zip(cam, K, strict=True)])
    y, x = np.mgrid[:SIDE, :SIDE]
    distance = (x - uv[:, :1, :1]) ** 2 + (y - uv[:, :1, 1:]) ** 2
    dot = (255 * np.exp(-distance / (2 * 2.0**2))).astype(np.uint8)
    table = {
        "images": np.repeat(dot[..., None], 3, -1),
        "masks": np.full((count, SIDE, SIDE), 255, np.uint8),
        "keypoints_2d": uv.astype(np.float32),
        "keypoints_visible": np.ones((count, keypoints), np.uint8),
        "K": K.astype(np.float32),
        "frame_rect": np.tile(np.float32([-0.5, -0.5, SIDE - 0.5, SIDE - 0.5]), (count, 1)),
        "composited": np.ones(count, np.uint8),
    }
    return {name: torch.from_numpy(value) for name, value in table.items()}, cam


def brightest(image):
    """Centre (B, 2) of the dot in pictures (B, 3, S, S)."""
    weight = (image.mean(1) - 0.5 * image.mean(1).amax((1, 2), keepdim=True)).clamp(min=0)
    line = torch.arange(image.shape[-1], dtype=torch.float32)
    total = weight.sum((1, 2))
    return (
        torch.stack([(weight * line).sum((1, 2)), (weight * line[:, None]).sum((1, 2))], 1)
        / (total[:, None])
    )


def test_warp_is_opencvs():
    table, _ = rows()
    image = table["images"].permute(0, 3, 1, 2).float()
    A = random_similarities(table["keypoints_2d"], torch.ones(COUNT, 8, dtype=torch.bool), SIDE,
                            SIZE, Draws(generator(), COUNT), 1.0)  # fmt: skip
    ours = warp(image, A, SIZE)
    for i in range(0, COUNT, 5):
        theirs = cv2.warpAffine(table["images"][i].numpy(), A[i].double().numpy(), (SIZE, SIZE))
        # OpenCV rounds positions to 1/32 px.
        np.testing.assert_allclose(ours[i].permute(1, 2, 0), theirs, atol=6)


def test_blur_is_opencvs():
    table, _ = rows(count=3)
    image = table["images"].permute(0, 3, 1, 2).float()
    sigma = torch.tensor([0.0, 0.5, 0.9])
    ours = blur(image, sigma)
    torch.testing.assert_close(ours[0], image[0])
    for i in (1, 2):
        theirs = cv2.GaussianBlur(table["images"][i].numpy().astype(np.float32), (7, 7),
                                  float(sigma[i]))  # fmt: skip
        np.testing.assert_allclose(ours[i].permute(1, 2, 0), theirs, atol=0.5)


def test_labels_follow_the_picture():
    table, _ = rows()
    out = augment_rows(table, SIZE, generator(3))
    point, seen = out["keypoints_2d"][:, 0], out["keypoints_visible"][:, 0] > 0
    margin = ((point > 8) & (point < SIZE - 8)).all(-1) & seen
    assert margin.sum() > COUNT / 3
    image = out["image"]
    # A cover or noise may outshine the dot: most dots must be where their label is.
    off = (brightest(image) - point).norm(dim=-1)[margin]
    clean = off[off < 10]
    assert len(clean) > 0.5 * margin.sum()
    assert clean.median() < 0.6


def test_the_camera_follows_too():
    """Points in space, seen through the camera of the answer, land on the moved keypoints."""
    table, cam = rows()
    out = augment_rows(table, SIZE, generator(1))
    camera = out["camera"].double().numpy()
    for i in range(COUNT):
        f = np.exp(camera[i, :2]) * SIZE
        c = camera[i, 2:] * SIZE + (SIZE - 1) / 2
        uv = cam[i, :, :2] / cam[i, :, 2:] * f + c
        moved = out["keypoints_2d"][i].double().numpy()
        # The picture was rolled: a rotation about the principal point maps one to the other.
        a, b = uv - c, moved - c
        np.testing.assert_allclose(np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1), atol=1e-2)
        angle = np.angle((a[:, 0] + 1j * a[:, 1]) / (b[:, 0] + 1j * b[:, 1]))
        assert np.ptp(angle) < 1e-3


def test_strength_zero_is_the_loaders_resizing():
    table, _ = rows(count=4)
    out = augment_rows(table, SIZE, generator(), strength=0.0)
    for i in range(4):
        one = augment(
            table["images"][i].numpy(), table["masks"][i].numpy(),
            table["keypoints_2d"][i].numpy(), table["keypoints_visible"][i].numpy(),
            table["K"][i].numpy(), SIZE, np.random.default_rng(0), strength=0.0,
        )  # fmt: skip
        np.testing.assert_allclose(out["keypoints_2d"][i], one.keypoints_2d, atol=1e-3)
        np.testing.assert_allclose(out["camera"][i], one.camera, atol=1e-5)
        np.testing.assert_allclose(out["image"][i].permute(1, 2, 0), one.image, atol=8)


def test_what_lies_beyond_a_moved_edge_is_black_and_not_seen():
    table, _ = rows(count=400)
    table["images"] = torch.full_like(table["images"], 200)
    before = table["keypoints_visible"].float()
    image, visible = device._with_moved_edges(
        table["images"].permute(0, 3, 1, 2).float(), table, before, Draws(generator(), 400)
    )
    cut = (image == 0).flatten(1).any(1)
    assert 0.02 < cut.float().mean() < 0.5
    assert (visible[cut].sum(1) >= device.FEWEST_LEFT).all()
    pixels = table["keypoints_2d"].round().long().clamp(0, SIDE - 1)
    lit = image[torch.arange(400)[:, None], 0, pixels[..., 1], pixels[..., 0]] > 0
    inner = ((table["keypoints_2d"] > 1) & (table["keypoints_2d"] < SIDE - 2)).all(-1)
    agree = (lit == (visible > 0))[inner]
    assert agree.float().mean() > 0.97  # a keypoint on the very edge may round either way


def test_another_background_leaves_the_robot(tmp_path):
    cv2.imwrite(str(tmp_path / "green.png"), np.full((200, 240, 3), (0, 255, 0), np.uint8))
    bank = background_bank(tmp_path)
    table, _ = rows(count=200)
    table["images"] = torch.full_like(table["images"], 90)
    table["masks"][:, :, SIDE // 2 :] = 0
    image = device._with_backgrounds(
        table["images"].permute(0, 3, 1, 2).float(), table, bank, Draws(generator(), 200)
    )
    torch.testing.assert_close(image[:, :, :, : SIDE // 2 - 4],
                               torch.full((200, 3, SIDE, SIDE // 2 - 4), 90.0))  # fmt: skip
    green = image[:, 1, SIDE // 2, -4] > 200
    assert green.float().mean() == pytest.approx(device.REPLACED, abs=0.12)


def test_a_robot_of_another_colour_keeps_its_shade_and_its_surroundings():
    table, _ = rows(count=200)
    image = torch.full((200, 3, SIDE, SIDE), 60.0)
    image[:, :, : SIDE // 2] = 120.0  # the lit half
    table["masks"][:, :, SIDE // 2 :] = 0
    painted = device._repainted(image, table["masks"], 0.5, Draws(generator(), 200))
    torch.testing.assert_close(painted[..., SIDE // 2 :], image[..., SIDE // 2 :])
    lit, dark = painted[:, :, 4, 4], painted[:, :, -4, 4]
    other = ((lit - 120).abs() > 5).any(1)
    assert other.float().mean() == pytest.approx(0.5, abs=0.12)
    unclipped = (lit < 255).all(1)
    torch.testing.assert_close(lit[unclipped], 2 * dark[unclipped], atol=1e-2, rtol=1e-3)
    assert (lit.amax(1) - lit.amin(1) > 40)[other].float().mean() > 0.3  # colours, not only greys
