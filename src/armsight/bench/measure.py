"""How fast the runtime is on this machine: one image, its stages, a video, a fresh process."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from armsight.camera.crops import whole_frame
from armsight.camera.image import LoadedImage, load_image
from armsight.camera.intrinsics import find_intrinsics
from armsight.cpus import available_cpus
from armsight.errors import ArmsightError
from armsight.estimate.build_estimate import build_estimate
from armsight.estimate.crop_reading import Crop, read_crops
from armsight.estimate.estimator import Estimator

PEERS = ("vit_b16", "resnet50")
VIDEO_SIZE = (640, 480)


def time_ms(run: Callable[[], Any], repeats: int) -> float:
    """Median time [ms] of `run`, after one run that does not count."""
    run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


def time_stages(
    estimator: Estimator, path: Path, picture: LoadedImage, repeats: int
) -> tuple[dict[str, float], bool]:
    """Median time [ms] of each stage of a single image, and whether the robot was found."""
    camera = find_intrinsics(picture)
    frame = Crop(picture, camera.K, whole_frame(picture.width, picture.height))
    seen = read_crops(estimator.session, [frame], 0)[0]
    close = Crop(picture, camera.K, estimator.box(seen))
    last = read_crops(estimator.session, [close], estimator.session.num_hypotheses)[0]
    estimate = build_estimate(estimator.robot, estimator.tuning, picture, camera, last)
    keypoints = replace(estimator.tuning, solver="both")

    from armsight.viz.overlay import draw_overlay

    stages: dict[str, Callable[[], Any]] = {
        "load_image": lambda: load_image(path),
        "look_at_frame": lambda: read_crops(estimator.session, [frame], 0),
        "look_at_crop": lambda: read_crops(
            estimator.session, [close], estimator.session.num_hypotheses
        ),
        "solve": lambda: build_estimate(estimator.robot, keypoints, picture, camera, last),
        "solve_and_outline": lambda: build_estimate(
            estimator.robot, estimator.tuning, picture, camera, last
        ),
        "draw_overlay": lambda: draw_overlay(picture.pixels, estimate, estimator.robot),
    }
    return {name: time_ms(run, repeats) for name, run in stages.items()}, estimate.robot_found


def first_answer(robot: str, path: Path) -> tuple[float, float | None]:
    """Seconds and peak memory [MB] of a fresh `armsight estimate`."""
    with tempfile.TemporaryDirectory() as out, tempfile.TemporaryFile("w+") as said:
        arguments = ["estimate", str(path.resolve()), "--robot", robot, "--out", out]
        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "armsight", *arguments],
            stdout=subprocess.DEVNULL,
            stderr=said,
        )
        peak = None
        while process.poll() is None:
            peak = peak_memory_mb(process.pid) or peak
            time.sleep(0.005)
        seconds = time.perf_counter() - start
        if process.returncode != 0:
            said.seek(0)
            raise ArmsightError(f"armsight estimate failed: {said.read().strip()}")
    return seconds, peak


def peak_memory_mb(pid: int) -> float | None:
    """Peak memory [MB] of a running process; None where the system does not tell.

    The kernel's usage of an ended child will not do: it counts what the parent held at the fork.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    line = next((line for line in status.splitlines() if line.startswith("VmHWM:")), None)
    return None if line is None else int(line.split()[1]) * 1024 / 1e6


def video_fps(estimator: Estimator, picture: LoadedImage, frames: int) -> float:
    """Frames a second of a whole video, from opening it to the closed overlay video.

    The video is the picture under a slowly moving camera.
    """
    from armsight.data.video import VideoReader, VideoWriter
    from armsight.estimate.clips.film import follow
    from armsight.estimate.track import Tracker
    from armsight.outputs.files import video_files
    from armsight.outputs.film import estimate_film

    width, height = VIDEO_SIZE
    side = min(picture.width / width, picture.height / height)
    with tempfile.TemporaryDirectory() as folder:
        clip, out = Path(folder) / "clip.mp4", Path(folder)
        with VideoWriter(clip, 30) as writer:
            for i in range(frames):
                shift = np.array([np.sin(i / 20), np.cos(i / 27)]) * 0.02 * picture.width
                writer.write(pan(picture, shift, side), i / 30)
        targets = {
            "rows": out / "clip.jsonl",
            "csv": out / "clip.csv",
            "overlay": out / "clip.overlay.mp4",
        }
        start = time.perf_counter()
        sinks = partial(video_files, targets, robot=estimator.robot)
        read = follow(Tracker(estimator))
        estimate_film(partial(VideoReader, clip), read, sinks)
        return frames / (time.perf_counter() - start)


def pan(picture: LoadedImage, shift: Any, side: float) -> Any:
    """The picture cut to `VIDEO_SIZE`, its centre moved by `shift` [px]."""
    import cv2

    width, height = VIDEO_SIZE
    h, w = picture.pixels.shape[:2]
    scale = picture.width / w
    A = np.array([[side / scale, 0, 0], [0, side / scale, 0]])
    A[:, 2] = (np.array([w, h]) - A[0, 0] * np.array([width, height])) / 2 + shift / scale
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(
        picture.pixels, A, VIDEO_SIZE, flags=flags, borderMode=cv2.BORDER_REPLICATE
    )


def time_peer(
    name: str, threads: int, repeats: int, image_ms: float, wanted: bool
) -> dict[str, Any]:
    """One forward pass of another system's encoder [ms], and how many times `image_ms` that is."""
    if not wanted:
        return {f"{name}_ms": None, f"{name}_reason": "not asked for"}
    options = ["-m", "armsight.bench.peers", name, str(threads), str(repeats)]
    done = subprocess.run([sys.executable, *options], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return {
            f"{name}_ms": None,
            f"{name}_reason": done.stderr.strip().splitlines()[-1].split("Error: ", 1)[-1],
        }
    taken = float(done.stdout)
    return {f"{name}_ms": taken, f"{name}_over_image": taken / image_ms}


def machine() -> dict[str, Any]:
    """What the numbers were measured on; a load above 0 makes them worse than they are."""
    import cv2
    import onnxruntime

    load = getattr(os, "getloadavg", lambda: (None,))()[0]
    return {
        "cpu_count": available_cpus(),
        "cpu": cpu_name(),
        "load_average": load,
        "python": platform.python_version(),
        "onnxruntime": onnxruntime.__version__,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
    }


def cpu_name() -> str:
    """The processor's own name, where the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
