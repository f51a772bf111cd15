"""What happens to inputs that were mutated from good ones: nothing may crash, hang or mislead.

    armsight render --preset held-out --seed 9000 --count 40 --out frames
    python benchmarks/fuzz_inputs.py frames --count 1000

Each input is a frame of a labelled data set and its camera, of which one thing is changed: bytes or
header of the picture's file, its pixels, the camera matrix, the text of a camera file, or the
file's name. The answer is wrong where a keypoint of the arm lies more than 50 mm off and outside of
two of its standard deviations; it misleads where it says so with a confidence of 0.5 or more. What
a changed camera matrix does to distances cannot be seen in a picture of an unknown arm, but in one
of a known arm it can.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from armsight import Estimate, Estimator, read_camera_file
from armsight.camera.parse import parse_K
from armsight.data.dataset import open_dataset
from armsight.data.frame import Frame
from armsight.errors import ArmsightError
from armsight.reports.intervals import wilson_interval

Rng = np.random.Generator
OFF_M, SURE, HANGS_S = 0.05, 0.5, 60.0


@dataclass
class Input:
    """A picture's file and what is said of its camera."""

    data: bytes
    name: str
    K: str | None
    camera: bytes | None = None
    camera_name: str = "camera.yaml"


def encode(pixels: NDArray[np.uint8], rng: Rng) -> tuple[bytes, str]:
    """As JPEG, PNG or WebP."""
    kind = rng.choice(["JPEG", "JPEG", "PNG", "WEBP"])
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, str(kind), quality=int(rng.integers(60, 98)))
    return file.getvalue(), str(kind).lower()


def change_bytes(data: bytes, rng: Rng, first: int, last: int) -> bytes:
    changed = bytearray(data)
    for place in rng.integers(first, max(first + 1, last), int(rng.integers(1, 5))):
        how = rng.integers(3)
        if how == 0:
            changed[place % len(changed)] = rng.integers(256)
        elif how == 1:
            changed[place % len(changed)] ^= 1 << int(rng.integers(8))
        else:
            del changed[place % len(changed)]
    if rng.random() < 0.15:
        del changed[int(rng.integers(1, len(changed))) :]
    return bytes(changed)


def body(given: Input, pixels: NDArray[np.uint8], rng: Rng) -> None:
    given.data = change_bytes(given.data, rng, 600, len(given.data))


def header(given: Input, pixels: NDArray[np.uint8], rng: Rng) -> None:
    given.data = change_bytes(given.data, rng, 0, 400)


def content(given: Input, pixels: NDArray[np.uint8], rng: Rng) -> None:
    """Pixels: a block moved, blacked out, inverted; noise; another brightness; few grey values."""
    changed = pixels.copy()
    h, w = changed.shape[:2]
    y, x = int(rng.integers(h // 2)), int(rng.integers(w // 2))
    part = (slice(y, y + h // 3), slice(x, x + w // 3))
    how = rng.integers(6)
    if how == 0:
        changed[part] = changed[h // 2 : h // 2 + h // 3, w // 2 : w // 2 + w // 3]
    elif how == 1:
        changed[part] = 0
    elif how == 2:
        changed[part] = 255 - changed[part]
    elif how == 3:
        noise = rng.normal(0, rng.uniform(5, 60), changed.shape)
        changed = np.clip(changed + noise, 0, 255).astype(np.uint8)
    elif how == 4:
        changed = np.clip(changed * rng.uniform(0.05, 4.0), 0, 255).astype(np.uint8)
    else:
        step = int(rng.integers(16, 100))
        changed = (changed // step * step).astype(np.uint8)
    given.data, kind = encode(changed, rng)
    given.name = f"picture.{kind}"


def matrix(given: Input, pixels: NDArray[np.uint8], rng: Rng) -> None:
    """K: another resolution, other units, swapped numbers, a sign, words, too few numbers."""
    assert given.K is not None
    fx, fy, cx, cy = (float(v) for v in given.K.split(","))
    scale = float(rng.choice([0.25, 0.5, 0.75, 1.5, 2.0, 3.0]))
    choices: list[str] = [
        f"{fx * scale},{fy * scale},{cx * scale},{cy * scale}",
        f"{fx * scale},{fy * scale},{cx},{cy}",
        f"{cx},{cy},{fx},{fy}",
        f"{fx},{cx},{fy},{cy}",
        f"{-fx},{fy},{cx},{cy}",
        f"{fx / 1000},{fy / 1000},{cx},{cy}",
        f"{fx},{fy},{cx}",
        f"{fx},{fy},nan,{cy}",
        f"{fx};{fy};{cx};{cy}",
        "fx,fy,cx,cy",
        f"{fx},{fy},{cx + pixels.shape[1]},{cy}",
        f"1e400,{fy},{cx},{cy}",
    ]
    given.K = str(rng.choice(choices))


def camera_text(given: Input, pixels: NDArray[np.uint8], rng: Rng) -> None:
    """A camera file whose bytes are changed."""
    assert given.K is not None
    fx, fy, cx, cy = (float(v) for v in given.K.split(","))
    K = [fx, 0, cx, 0, fy, cy, 0, 0, 1]
    height, width = pixels.shape[:2]
    rows = json.dumps([K[:3], K[3:6], K[6:]])
    texts = {
        "camera.yaml": f"image_width: {width}\nimage_height: {height}\ncamera_matrix:\n"
        f"  rows: 3\n  cols: 3\n  data: {K}\ndistortion_model: plumb_bob\n"
        "distortion_coefficients:\n  rows: 1\n  cols: 5\n  data: [0, 0, 0, 0, 0]\n",
        "camera.json": json.dumps({"K": K, "width": width, "height": height}),
        "K.txt": "\n".join(" ".join(map(str, K[i : i + 3])) for i in (0, 3, 6)),
        "camera_matrix.json": f'{{"camera_matrix": {rows}, "image_size": [{width}, {height}]}}',
    }
    name = str(rng.choice(list(texts)))
    data = texts[name].encode()
    given.camera = change_bytes(data, rng, 0, len(data))
    given.camera_name, given.K = name, None


def file_name(given: Input, pixels: NDArray[np.uint8], rng: Rng) -> None:
    names = [
        "räume & arme.jpg", "picture", "a" * 200 + ".png", "%s%n.jpg", "picture.jpg.jpg",
        "picture.json", ".hidden.png", "new\nline.jpg", "picture.mp4.jpg", "-rf.png",
    ]  # fmt: skip
    given.name = str(rng.choice(names))


MUTATIONS: dict[str, Callable[[Input, NDArray[np.uint8], Rng], None]] = {
    "body": body, "header": header, "content": content, "matrix": matrix,
    "camera_text": camera_text, "file_name": file_name,
}  # fmt: skip


def mutated(
    pixels: NDArray[np.uint8], K: NDArray[np.floating], rng: Rng, only: str | None = None
) -> tuple[Input, str]:
    """A picture and its camera with one change, and which change that is."""
    data, kind = encode(pixels, rng)
    numbers = ",".join(str(float(K[at])) for at in ((0, 0), (1, 1), (0, 2), (1, 2)))
    given = Input(data, f"picture.{kind}", numbers)
    mutation = only or str(rng.choice(list(MUTATIONS)))
    MUTATIONS[mutation](given, pixels, rng)
    return given, mutation


def answer(estimator: Estimator, given: Input, folder: Path) -> Estimate:
    """As `armsight estimate` reads it."""
    path = folder / given.name
    path.write_bytes(given.data)
    camera = None
    try:
        if given.camera is not None:
            file = folder / given.camera_name
            file.write_bytes(given.camera)
            camera = read_camera_file(file)
        K = None if given.K is None else parse_K(given.K)
        return estimator(path, K, camera=camera)
    finally:
        path.unlink()


def misleads(estimate: Estimate, frame: Frame) -> bool:
    """Sure, and a keypoint more than 50 mm off and outside of two of its stds."""
    if estimate.confidence < SURE or estimate.keypoints_3d_cam is None:
        return False
    assert frame.keypoints_3d_cam is not None
    where = {name: i for i, name in enumerate(estimate.keypoint_names)}
    chosen = [where[name] for name in frame.keypoint_names if name in where]
    true = [i for i, name in enumerate(frame.keypoint_names) if name in where]
    off = np.linalg.norm(estimate.keypoints_3d_cam[chosen] - frame.keypoints_3d_cam[true], axis=1)
    std = np.zeros(len(off))
    if estimate.T_cam_base_std is not None:
        # Of the base's place; joints add to it further out.
        std += np.linalg.norm(estimate.T_cam_base_std[3:])
    return bool(((off > OFF_M) & (off > 2 * std)).mean() > 0.5)


def outcome(estimator: Estimator, given: Input, frame: Frame, folder: Path) -> tuple[str, Any]:
    begun = time.monotonic()
    try:
        estimate = answer(estimator, given, folder)
    except ArmsightError as error:
        return "clear error", str(error)
    except OSError as error:
        return "not written", str(error)
    except Exception:
        return "crash", traceback.format_exc()
    if time.monotonic() - begun > HANGS_S:
        return "hang", None
    if misleads(estimate, frame):
        return "misleads", {"confidence": estimate.confidence, "messages": estimate.messages}
    return ("right or unsure" if estimate.robot_found else "no arm found"), None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--robot", default="panda")
    parser.add_argument("--only", choices=MUTATIONS)
    options = parser.parse_args()
    estimator = Estimator.from_pretrained(options.robot)
    frames = [f for f in open_dataset(options.dataset).frames if f.robot_in_view]
    counts: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for i in range(options.count):
            rng = np.random.default_rng([options.seed, i])
            frame = frames[int(rng.integers(len(frames)))]
            pixels = np.asarray(Image.open(frame.image_path).convert("RGB"))
            assert frame.K is not None
            given, mutation = mutated(pixels, frame.K, rng, options.only)
            result, what = outcome(estimator, given, frame, Path(folder))
            counts[mutation, result] += 1
            if result in ("crash", "hang", "misleads", "not written"):
                print(f"{options.seed}/{i} {mutation}: {result}: {given.K} {what}", flush=True)
    report(counts)


def report(counts: Counter[tuple[str, str]]) -> None:
    results = sorted({result for _, result in counts})
    print("| changed | n | " + " | ".join(results) + " |\n| --- |" + " --- |" * (len(results) + 1))
    for mutation in MUTATIONS:
        row = [counts[mutation, result] for result in results]
        if sum(row):
            print(f"| {mutation} | {sum(row)} | " + " | ".join(map(str, row)) + " |")
    total = sum(counts.values())
    for result in ("crash", "hang", "misleads"):
        hits = sum(n for (_, one), n in counts.items() if one == result)
        low, high = wilson_interval(hits, total)
        print(f"{result}: {hits} of {total}, {100 * hits / total:.2f} % "
              f"[{100 * low:.2f}, {100 * high:.2f}]")  # fmt: skip


if __name__ == "__main__":
    main()
