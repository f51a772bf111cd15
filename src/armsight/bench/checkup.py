"""Does the installed package work here, and what would each of its extras add?"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np

from armsight.errors import ArmsightError

ADDS = {
    "hub": "weights from the Hugging Face Hub",
    "actions": "actions as Parquet files",
    "ros": "ROS 2 bags in and out",
    "robots": "load_robot('arm.urdf'): robots from URDF and MJCF files",
    "render": "armsight render: training and test pictures",
    "train": "armsight train, export: models of your own",
    "control": "armsight control: LIBERO-Object (armsight doctor control checks it)",
    "world": "world models of diffusers as sources of videos",
    "vlm": "armsight ask, evaluate vlm: questions to vision-language models",
    "live": "armsight live and armsight serve: a local page, and HTTP",
    "viz": "--report pages, plots of actions, --rerun, Estimate.to_supervision()",
    "scale": "armsight audit and estimate on many machines: --engine ray",
    "docs": "the pages of the documentation as a site",
    "dev": "the project's own tests",
}
"""What each extra of the package is for"""
CLASHING = ("opencv-python", "opencv-python-headless")
REQUIREMENT = re.compile(r"^([A-Za-z0-9._-]+)[^;]*(?:;.*extra\s*==\s*['\"]([\w-]+)['\"])?")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str
    fix: str = ""
    """What to do, where it is not ok"""


@dataclass(frozen=True)
class Extra:
    """One extra of the package."""

    name: str
    installed: bool
    adds: str
    packages: dict[str, str | None]
    """Versions by package; None where one is missing"""

    @property
    def install(self) -> str:
        """The command that brings it."""
        return f"pip install 'armsight[{self.name}]'"


def checkup() -> Iterator[Finding]:
    """Look at the runtime, one thing after the other; nothing is raised."""
    for name, look, fix in (
        ("packages", _packages, "reinstall: pip install --force-reinstall armsight"),
        ("processor", _processor, ""),
        ("weights", _weights, "reinstall armsight: its weights come with the package"),
        ("video", _video, "reinstall av: pip install --force-reinstall av"),
    ):
        try:
            detail = look()
        except (ArmsightError, ImportError, OSError, RuntimeError, ValueError) as error:
            yield Finding(name, False, f"{type(error).__name__}: {error}", fix)
        else:
            yield Finding(name, True, detail)
    if all(_version(package) for package in CLASHING):
        yield Finding(
            "opencv",
            False,
            f"{' and '.join(CLASHING)} are both installed and share their files",
            f"pip uninstall -y {' '.join(CLASHING)} && pip install opencv-python-headless",
        )


def extras(requires: list[str] | None = None) -> list[Extra]:
    """The package's extras, and which of their packages are there.

    Args:
        requires: requirement lines; by default the installed package's own.
    """
    found: dict[str, dict[str, str | None]] = {}
    for line in requires if requires is not None else metadata.requires("armsight") or []:
        match = REQUIREMENT.match(line)
        if match and match[2]:
            package = re.split(r"[\[<>=!~ ]", match[1])[0]
            found.setdefault(match[2], {})[package] = _version(package)
    return [
        Extra(name, all(packages.values()), ADDS.get(name, ""), packages)
        for name, packages in found.items()
    ]


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _packages() -> str:
    import av
    import cv2
    import onnxruntime
    import PIL
    import yaml

    modules: tuple[tuple[str, str], ...] = (
        ("numpy", np.__version__),
        ("pillow", PIL.__version__),
        ("opencv", cv2.__version__),
        ("av", av.__version__),
        ("onnxruntime", onnxruntime.__version__),
        ("pyyaml", yaml.__version__),
    )
    return ", ".join(f"{name} {version}" for name, version in modules)


def _processor() -> str:
    import onnxruntime

    from armsight.cpus import available_cpus
    from armsight.network import DEVICES, default_threads

    there = onnxruntime.get_available_providers()
    devices = [name for name, provider in DEVICES.items() if provider in there]
    return (
        f"{available_cpus()} CPUs, of which the network takes {default_threads()}; "
        f"--device {', '.join(devices)}"
    )


def _weights() -> str:
    """Load the weights of every robot, and read the picture that comes with them."""
    from armsight.estimate.estimator import Estimator
    from armsight.estimate.pretrained import WEIGHTS, available_weights

    told = []
    for name in available_weights():
        estimator = Estimator.from_pretrained(name)
        picture = WEIGHTS / name / "example.jpg"
        if not picture.is_file():
            told.append(name)
            continue
        start = time.monotonic()
        if not estimator(picture).robot_found:
            raise ValueError(f"the {name} in {picture} is not found")
        told.append(f"{name} (reads its example in {time.monotonic() - start:.2f} s)")
    if not told:
        raise ValueError(f"there are none in {WEIGHTS}")
    return ", ".join(told)


def _video() -> str:
    """Write a short H.264 video, and read it again."""
    from armsight.data.video import VideoReader, VideoWriter

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        with VideoWriter(path, 10) as writer:
            for i in range(3):
                writer.write(np.full((64, 96, 3), 60 * i, np.uint8), i / 10)
        with VideoReader(path) as reader:
            count = sum(1 for _ in reader)
    if count != 3:
        raise ValueError(f"of 3 frames that were written {count} are read")
    return "H.264 is written and read"
