"""The built wheel holds all that the runtime needs, and works where it is installed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, copy = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("copy")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    shutil.copytree(ROOT / "src" / "armsight", copy / "src" / "armsight")
    build = [sys.executable, "-m", "pip", "wheel", str(copy), "--no-deps", "--no-build-isolation"]
    command = [*build, "--quiet", "--wheel-dir", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl"))


def test_contents(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    source = ROOT / "src" / "armsight"
    expected = {
        f"armsight/{path.relative_to(source).as_posix()}"
        for pattern in (
            "**/*.py",
            "**/*.html",
            "robots/**/*.json",
            "robots/*.npz",
            "weights/*/*",
            "py.typed",
        )
        for path in source.glob(pattern)
        if path.is_file()
    }
    assert expected <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not any(name.startswith(("tests/", "build/")) for name in names)


def test_installed_elsewhere_it_works(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    script = (
        f"import sys; sys.path.insert(0, {str(target)!r}); import armsight, numpy\n"
        "assert armsight.__file__.startswith(sys.path[0]), armsight.__file__\n"
        "robot = armsight.load_robot('panda')\n"
        "print(robot.keypoints(robot.ready_positions).shape, len(robot.link_shapes()) > 5)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.stdout.strip() == "(31, 3) True", done.stderr
