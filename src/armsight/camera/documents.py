"""Camera files as plain data: YAML, JSON, OpenCV's XML, INI, COLMAP, NumPy and tables of numbers.

Only the syntax is read here. What the data means is told in armsight.camera.camera_file.
"""

from __future__ import annotations

import codecs
import configparser
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import yaml

from armsight.errors import BadIntrinsicsError

LARGEST_FILE = 10_000_000
"""[bytes] No camera file is larger."""
ENCODINGS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
COLMAP_LINE = re.compile(r"^\s*\d+\s+([A-Z_]+)\s+\d+\s+\d+(\s+[-+.\deE]+)+\s*$")
COLMAP_PARAMETERS = {
    "SIMPLE_PINHOLE": ("f", "cx", "cy"),
    "PINHOLE": ("fx", "fy", "cx", "cy"),
    "SIMPLE_RADIAL": ("f", "cx", "cy", "k1"),
    "RADIAL": ("f", "cx", "cy", "k1", "k2"),
    "OPENCV": ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2"),
    "OPENCV_FISHEYE": ("fx", "fy", "cx", "cy", "k1", "k2", "k3", "k4"),
    "FULL_OPENCV": ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6"),
}
"""Of COLMAP's cameras.txt (https://colmap.github.io/cameras.html)"""


class _Loader(yaml.SafeLoader):
    """Plain YAML, and OpenCV's matrices as mappings."""


def _opencv_matrix(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:opencv-matrix", _opencv_matrix)


def read_documents(path: Path) -> list[Any]:
    """The documents in a file: mappings, lists and NumPy arrays of numbers.

    Raises:
        BadIntrinsicsError: it cannot be read, or its syntax is broken.
    """
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise BadIntrinsicsError(
                f"{path} has {path.stat().st_size / 1e6:.0f} MB; camera files are small"
            )
        data = path.read_bytes()
    except OSError as error:
        raise BadIntrinsicsError(f"cannot read camera file {path}: {error.strerror}") from error
    try:
        if path.suffix.lower() in (".npy", ".npz"):
            return [_numpy(path)]
        return list(_documents(_text(data), path.suffix.lower()))
    except (ValueError, EOFError, yaml.YAMLError, configparser.Error, ElementTree.ParseError) as e:
        problem = " ".join(str(e).split())
        raise BadIntrinsicsError(f"camera file {path} cannot be read: {problem}") from e


def _text(data: bytes) -> str:
    encoding = next((name for mark, name in ENCODINGS if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        raise ValueError("it is not text") from None


def _documents(text: str, suffix: str) -> Iterator[Any]:
    start = text.lstrip()
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if start.startswith("<"):
        yield _xml(text)
    elif suffix == ".json" or start.startswith("{"):
        yield json.loads(text)
    elif (numbers := _numbers(lines)) is not None:
        yield numbers
    elif lines and all(COLMAP_LINE.match(line) for line in lines):
        yield from (_colmap(line) for line in lines)
    elif re.search(r"^\s*\[\w[^\]]*\]\s*$", text, re.MULTILINE) and "=" in text:
        yield _ini(text)
    else:
        # OpenCV writes a directive that YAML does not have.
        text = re.sub(r"\A\s*%YAML:[\d.]+\s*\n", "", text)
        yield from (one for one in yaml.load_all(text, _Loader) if one is not None)


def _numbers(lines: list[str]) -> Any:
    """A table that holds nothing but numbers, as an array; None for anything else."""
    table = " \n".join(line.partition("#")[0] for line in lines)
    if re.fullmatch(r"\s*(-?\d+(,\d+)?\s+){8}-?\d+(,\d+)?\s*", table):
        table = table.replace(",", ".")  # a decimal comma: nine numbers only that way
    words = re.sub(r"[\[\](),;]", " ", table).split()
    try:
        return np.array([float(word) for word in words]) if words else None
    except ValueError:
        return None


def _numpy(path: Path) -> Any:
    loaded = np.load(path, allow_pickle=False)
    if isinstance(loaded, np.lib.npyio.NpzFile):
        with loaded:
            return {name: loaded[name] for name in loaded.files}
    return loaded


def _colmap(line: str) -> dict[str, Any]:
    number, model, width, height, *values = line.split()
    if model not in COLMAP_PARAMETERS:
        raise ValueError(
            f"COLMAP's camera model {model} is not known; known: {', '.join(COLMAP_PARAMETERS)}"
        )
    names = COLMAP_PARAMETERS[model]
    found: dict[str, Any] = dict(zip(names, map(float, values), strict=True))
    if "f" in found:
        found["fx"] = found["fy"] = found.pop("f")
    model = "fisheye" if model == "OPENCV_FISHEYE" else "plumb_bob"
    return {"camera": number, "width": int(width), "height": int(height), "model": model, **found}


def _ini(text: str) -> dict[str, Any]:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.read_string(text)

    def value(word: str) -> Any:
        try:
            return float(word)
        except ValueError:
            return word

    return {
        section: {key: value(word) for key, word in parser[section].items()}
        for section in parser.sections()
    }


def _xml(text: str) -> Any:
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("XML with its own entities is not read")

    def value(element: ElementTree.Element) -> Any:
        if len(element):
            return {child.tag: value(child) for child in element}
        words = (element.text or "").split()
        try:
            numbers = [float(word) for word in words]
        except ValueError:
            return element.text
        return numbers[0] if len(numbers) == 1 else numbers

    return value(ElementTree.fromstring(text))


def plain_key(key: Any) -> str:
    """A name without what people write differently: 'Camera_Matrix' and 'camera-matrix' are one."""
    return "".join(c for c in str(key).lower() if c.isalnum())
