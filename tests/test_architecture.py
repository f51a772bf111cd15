"""The lines of the design that hold it together: who may import whom, and what is public."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import TypeGuard

import pytest

import armsight

SOURCE = Path(armsight.__file__).parent

ALLOWED = {"numpy", "PIL", "cv2", "av", "onnxruntime", "click", "yaml", "armsight"}
"""What the runtime may import besides the standard library."""
RUNTIME = ("camera", "fit", "estimate", "actions", "robots",
           "viz/overlay.py", "viz/panel.py", "viz/silhouette.py",
           "data/video.py", "data/parquet.py", "prefetch.py", "cli/__init__.py",
           "bench/measure.py", "cli/estimate", "cli/actions", "cli/bench.py",
           "cli/_inputs.py", "cli/_report.py", "outputs",
           "cli/_notes.py", "cli/_progress.py", "action_spec.py", "state.py", "errors.py",
           "files.py", "geometry.py", "network.py", "card.py",
           "cpus.py", "__init__.py")  # fmt: skip
OPTIONAL = {
    "rerun",
    "mcap",
    "supervision",
    "huggingface_hub",
    "onnx",
    "pyarrow",
    "mujoco",
    "fast_simplification",
    "trimesh",
    "jinja2",
    "markupsafe",
    "matplotlib",
}
"""Imported inside functions, with a clear error where missing."""

BELOW = {
    "robots": {"robots", "geometry", "errors", "files"},
    "geometry": set(),
    "state": {"errors"},
    "errors": set(),
    "files": {"errors"},
    "cpus": set(),
    "card": {"errors", "files"},
    "hub": {"card", "errors"},
    "action_spec": set(),
    "network": {"cpus", "errors"},
    "camera": {"geometry", "state", "errors"},
    "fit": {"camera", "robots", "geometry", "state", "errors"},
    "prefetch": set(),
    "estimate": {
        "card",
        "camera",
        "fit",
        "network",
        "prefetch",
        "robots",
        "geometry",
        "state",
        "errors",
        "hub",
    },
    "actions": {
        "path_tracking",
        "card",
        "action_spec",
        "actions",
        "reports",
        "camera",
        "estimate",
        "data",
        "network",
        "robots",
        "geometry",
        "errors",
        "files",
    },
    "annotate": {
        "annotate",
        "camera",
        "data",
        "episodes",
        "estimate",
        "reports",
        "state",
        "errors",
        "files",
    },
    "episodes": {"data", "parallel", "reports", "errors"},
    "recorded": {
        "recorded",
        "camera",
        "data",
        "estimate",
        "fit",
        "robots",
        "viz",
        "errors",
        "files",
    },
    "judge": {
        "judge",
        "actions",
        "camera",
        "data",
        "estimate",
        "fit",
        "reports",
        "robots",
        "viz",
        "geometry",
        "errors",
    },
    "audit": {
        "audit",
        "episodes",
        "recorded",
        "camera",
        "data",
        "fit",
        "reports",
        "robots",
        "viz",
        "geometry",
        "errors",
        "files",
    },
    "outputs": {
        "estimate",
        "prefetch",
        "outputs",
        "camera",
        "data",
        "robots",
        "viz",
        "geometry",
        "state",
        "errors",
        "files",
    },
    "web": {
        "web",
        "camera",
        "cpus",
        "data",
        "estimate",
        "outputs",
        "prefetch",
        "robots",
        "geometry",
        "state",
        "errors",
    },
    "parallel": {"errors"},
    "path_tracking": {"geometry", "robots", "errors"},
    "reports": {"errors", "files"},
    "viz": {"viz", "robots", "geometry", "state", "errors", "files"},
    "models": {"action_spec", "card", "models", "robots", "geometry", "state", "errors", "files"},
}
"""What each part may import of armsight; parts that are not named may import anything."""

EXTRAS = (
    "torch",
    "mujoco",
    "robosuite",
    "pyarrow",
    "scipy",
    "matplotlib",
    "jinja2",
    "safetensors",
    "onnx",
    "tensorboard",
    "starlette",
    "uvicorn",
    "rerun",
    "rosbags",
    "mcap",
)


def runtime_files() -> list[Path]:
    files: list[Path] = []
    for name in RUNTIME:
        path = SOURCE / name
        files += sorted(path.rglob("*.py")) if path.is_dir() else [path]
    return files


def is_lookup(node: ast.AST) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and "import_module" in ast.dump(node.func)


def imports(path: Path, top_level_only: bool = False) -> set[str]:
    """Full names of the modules that a file imports (not under TYPE_CHECKING)."""
    tree = ast.parse(path.read_text())
    checking = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.dump(block.test)
        for statement in block.body
        for node in ast.walk(statement)
    }
    found: set[str] = set()
    nodes = tree.body if top_level_only else ast.walk(tree)
    for node in nodes:
        if id(node) in checking:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif is_lookup(node) and isinstance(node.args[0], ast.Constant):
            found.add(str(node.args[0].value))
    return found


def test_runtime_imports_only_what_it_is_installed_with() -> None:
    for path in runtime_files():
        tops = {name.split(".")[0] for name in imports(path)}
        foreign = tops - ALLOWED - OPTIONAL - set(sys.stdlib_module_names)
        assert not foreign, f"{path.relative_to(SOURCE)} imports {foreign}"
        always = {name.split(".")[0] for name in imports(path, top_level_only=True)}
        assert not always & OPTIONAL, f"{path.relative_to(SOURCE)} needs {always & OPTIONAL}"


@pytest.mark.parametrize("part", BELOW)
def test_arrows_point_one_way(part: str) -> None:
    place = SOURCE / part
    files = sorted(place.rglob("*.py")) if place.is_dir() else [SOURCE / f"{part}.py"]
    assert files
    for path in files:
        used = {
            name.split(".")[1]
            for name in imports(path)
            if name.startswith("armsight.") and name.split(".")[1][:1].islower()
        }
        too_high = used - BELOW[part] - {part}
        assert not too_high, f"{path.relative_to(SOURCE)} imports armsight.{too_high}"


def test_no_import_is_hidden() -> None:
    """No test here sees a module of armsight's that is looked up by a computed name."""
    hidden = {
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if is_lookup(node) and not isinstance(node.args[0], ast.Constant)
    }
    # The tables of lazy names and of commands; GL's platform; LIBERO, which is no module of ours.
    assert hidden == {
        "__init__.py",
        "cli/__init__.py",
        "cli/actions/__init__.py",
        "render/imaging/gl.py",
        "control/suite.py",
    }


def test_the_map_of_rooms_has_the_order_of_imports() -> None:
    """In docs/architecture.md a room imports only from those above it, and all are there."""
    text = (Path(__file__).parents[1] / "docs" / "architecture.md").read_text()
    table = text.partition("## Rooms")[2].partition("## ")[0]
    first_cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    order = [name for cell in first_cells for name in re.findall(r"`(\w+)/?`", cell)]
    for path in SOURCE.rglob("*.py"):
        room = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        if not room.startswith("__"):
            used = {name.split(".")[1] for name in imports(path) if name.startswith("armsight.")}
            for other in used & set(order) - {room}:
                assert order.index(other) < order.index(room), f"{path} imports {other}"


def test_the_map_names_files_that_are_there() -> None:
    text = (Path(__file__).parents[1] / "docs" / "architecture.md").read_text()
    named = set(re.findall(r"`([a-z_/]+/[a-z_]+\.(?:py|html|md))`", text))
    assert len(named) > 30
    named.discard("tests/test_architecture.py")
    assert not {name for name in named if not (SOURCE / name).is_file()}


def test_nothing_heavy_is_loaded_for_an_estimate() -> None:
    script = (
        "import sys, armsight\n"
        "import armsight.cli.estimate, armsight.outputs.film, armsight.cli.bench\n"
        "import armsight.cli.actions.read\n"
        "for name in armsight.__all__: getattr(armsight, name)\n"
        f"print([name for name in {EXTRAS!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_help_is_quick() -> None:
    """`armsight --help` loads no part of the network, the solver or the image libraries."""
    script = (
        "import sys\nfrom click.testing import CliRunner\nfrom armsight.cli import group\n"
        "result = CliRunner().invoke(group, ['--help'])\n"
        "assert result.exit_code == 0 and 'estimate' in result.output\n"
        "print([n for n in ('onnxruntime', 'cv2', 'av', 'torch', 'PIL') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_exported_names() -> None:
    assert len(armsight.__all__) <= 15
    for name in armsight.__all__:
        value = getattr(armsight, name)
        assert name == "__version__" or value.__doc__, f"{name} has no docstring"
    assert set(dir(armsight)) >= set(armsight.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Estimater'"):
        armsight.Estimater  # noqa: B018


def test_version_is_that_of_the_package() -> None:
    from importlib.metadata import version

    assert armsight.__version__ == version("armsight")


def test_files_are_short() -> None:
    """400 lines at most; a file that grows beyond that does two things."""
    long = {
        str(path.relative_to(SOURCE)): count
        for path in SOURCE.rglob("*.py")
        if (count := len(path.read_text().splitlines())) > 400
    }
    assert not long


def test_functions_fit_a_screen() -> None:
    """60 lines at most beside the docstring; what is longer does two things."""
    long = {}
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if ast.get_docstring(node):
                    lines -= (node.body[0].end_lineno or 0) - node.body[0].lineno + 1
                if lines > 60:
                    long[f"{path.relative_to(SOURCE)}:{node.name}"] = lines
    assert not long


def test_no_pickles() -> None:
    """Weights and data sets are read without running anything that they contain."""
    for path in SOURCE.rglob("*.py"):
        text = path.read_text()
        assert "pickle.load" not in text, path
        assert "allow_pickle=True" not in text, path
        assert "weights_only=False" not in text, path


def test_every_command_has_help_and_a_module() -> None:
    from armsight.cli import COMMANDS, module_of

    for name in COMMANDS:
        module = importlib.util.find_spec(module_of(name))
        assert module, f"armsight {name} has no {module_of(name)}"


def test_rooms_are_not_crowded() -> None:
    """16 modules at most in a folder; one that holds more is two rooms."""
    counts = {
        str(folder.relative_to(SOURCE)): len(
            [p for p in folder.glob("*.py") if p.stem != "__init__"]
        )
        for folder in SOURCE.rglob("*")
        if folder.is_dir()
    }
    assert not {name: count for name, count in counts.items() if count > 16}
