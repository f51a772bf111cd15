"""`ActionSequence` in files: Parquet for tables, npz for NumPy alone; both say what they hold."""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.action_spec import ActionSpec, libero_object_spec
from armsight.actions.sequence import ARRAYS, FORMAT, ActionSequence
from armsight.data.parquet import pyarrow
from armsight.errors import ArmsightError, BadShapeError, DatasetError
from armsight.files import atomic_write

Array = NDArray[Any]

_ZIP_DAMAGE = (OSError, ValueError, EOFError, NotImplementedError, RuntimeError, AttributeError,
               zipfile.BadZipFile, zlib.error, struct.error)  # fmt: skip
"""What NumPy and zipfile raise in the middle of a broken file"""
KEY = b"armsight"
"""Name of the metadata in a Parquet file's schema"""
COLUMNS = {"actions": "action", "std": "action_std"}
"""Columns whose names are not the arrays' own; `action` is LeRobot's name"""
OFF_TABLE = ("keyframe_steps", "presence", "pairs", "pair_actions")
"""Arrays with one row per keyframe or pair: small, and beside the table"""


def write_actions(sequence: ActionSequence, path: str | Path) -> Path:
    """Write `path`, a `.parquet` or `.npz` file, whole or not at all.

    Raises:
        DatasetError: another suffix.
        OutputError: it cannot be written.
        MissingExtraError: Parquet, and pyarrow is not installed.
    """
    path = Path(path)
    if path.suffix not in _WRITERS:
        raise DatasetError(f"{path} ends in {path.suffix!r}; valid: {', '.join(_WRITERS)}")
    _WRITERS[path.suffix](sequence, path)
    return path


def read_actions(path: str | Path) -> ActionSequence:
    """Read what `write_actions` wrote.

    Raises:
        DatasetError: the file is missing, broken, or holds something else.
        MissingExtraError: Parquet, and pyarrow is not installed.
    """
    path = Path(path)
    if path.suffix not in _READERS:
        raise DatasetError(f"{path} ends in {path.suffix!r}; valid: {', '.join(_READERS)}")
    if not path.is_file():
        raise DatasetError(f"{path} does not exist or is not a file")
    metadata, arrays = _READERS[path.suffix](path)
    if metadata.get("format") != FORMAT:
        raise DatasetError(
            f"{path} has format {metadata.get('format')!r}, and this version reads {FORMAT!r}; "
            "write it again with `armsight actions`"
        )
    try:
        spec = _read_spec(metadata)
        states, stds = {}, {}
        for part in spec.parts:
            states[part.name] = arrays[part.name]
            if (name := f"{part.name}_std") in arrays:
                stds[part.name] = arrays[name]
        return ActionSequence(
            **{name: arrays[name] for name in ARRAYS},
            states=states,
            states_std=stds,
            **{name: metadata[name] for name in ("task", "robot", "route", "source", "stride")},
            spec=spec,
            card=metadata["card"],
            **{name: metadata.get(name, {}) for name in ("tones", "scene")},  # not in older files
            messages=tuple(metadata["messages"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(
            f"{path} lacks {error}; write it again with `armsight actions`"
        ) from error
    except BadShapeError as error:
        raise DatasetError(f"{path} is damaged: {error}") from error


def _read_spec(metadata: Mapping[str, Any]) -> ActionSpec:
    """What an action is; files from before there was a specification are of LIBERO."""
    if "action_spec" in metadata:
        return ActionSpec.from_json(metadata["action_spec"])
    return libero_object_spec(
        metadata["task"],
        metadata["robot"],
        metadata["control_hz"],
        metadata["action_names"],
        metadata["action_scale"],
    )


def _write_npz(sequence: ActionSequence, path: Path) -> None:
    arrays: dict[str, Any] = sequence.arrays()
    metadata = np.array(json.dumps(sequence.metadata()))
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, metadata=metadata, **arrays)


def _read_npz(path: Path) -> tuple[dict[str, Any], dict[str, Array]]:
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return json.loads(str(arrays.pop("metadata"))), arrays
    except KeyError:
        raise DatasetError(f"{path} holds no actions of armsight: it has no 'metadata'") from None
    except _ZIP_DAMAGE as error:
        raise DatasetError(f"{path} is broken: {error}; write it again") from error


def _write_parquet(sequence: ActionSequence, path: Path) -> None:
    pa = pyarrow()
    columns = {
        "step": pa.array(np.arange(len(sequence))),
        "timestamp": pa.array(sequence.times),
        "is_keyframe": pa.array(sequence.is_keyframe),
    }
    for name, array in sequence.arrays().items():
        if name in OFF_TABLE:
            continue
        values = pa.array(np.ascontiguousarray(array).reshape(-1))
        for size in array.shape[:0:-1]:
            values = pa.FixedSizeListArray.from_arrays(values, size)
        columns[COLUMNS.get(name, name)] = values
    # What has one row per keyframe or pair is small, and goes beside the table.
    document = {**sequence.metadata(), **_off_table(sequence)}
    table = pa.table(columns).replace_schema_metadata({KEY: json.dumps(document)})
    with atomic_write(path) as temporary:
        pa.parquet.write_table(table, temporary, write_page_checksum=True)


def _off_table(sequence: ActionSequence) -> dict[str, Any]:
    document = sequence.to_json()
    return {name: document[name] for name in OFF_TABLE}


def _read_parquet(path: Path) -> tuple[dict[str, Any], dict[str, Array]]:
    pa = pyarrow()
    try:
        table = pa.parquet.ParquetFile(path, page_checksum_verification=True).read()
        text = (table.schema.metadata or {}).get(KEY)
        if text is None:
            raise DatasetError(f"{path} holds no actions of armsight: its metadata lack 'armsight'")
        document = json.loads(text)
        arrays: dict[str, Array] = {}
        names = {column: name for name, column in COLUMNS.items()}
        for column in table.column_names:
            if column in ("step", "timestamp", "is_keyframe"):
                continue
            values = table[column].combine_chunks()
            shape = [table.num_rows]
            while pa.types.is_fixed_size_list(values.type):
                shape.append(values.type.list_size)
                values = values.flatten()
            array = values.to_numpy(zero_copy_only=False).reshape(shape)
            arrays[names.get(column, column)] = array
        arrays["keyframe_steps"] = np.array(document["keyframe_steps"], np.int64)
        arrays["pairs"] = np.array(document["pairs"], np.int64)
        arrays["presence"] = np.array(document["presence"], float)
        arrays["pair_actions"] = padded([np.array(chunk) for chunk in document["pair_actions"]])
    except ArmsightError:
        raise
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, IndexError) as error:
        # Parquet's own words may hold line breaks, and bytes of the broken file.
        why = "".join(c if c.isprintable() else " " for c in str(error))
        why = " ".join(why.split()).rstrip(".")
        raise DatasetError(f"{path} is broken: {why}; write it again") from error
    return document, arrays


def padded(chunks: list[Array]) -> Array:
    """(P, L, D) of chunks (L_p, D), with NaN behind the shorter ones' ends."""
    length = max(map(len, chunks))
    result = np.full((len(chunks), length, *chunks[0].shape[1:]), np.nan)
    for target, chunk in zip(result, chunks, strict=True):
        target[: len(chunk)] = chunk
    return result


_WRITERS = {".parquet": _write_parquet, ".npz": _write_npz}
_READERS: Mapping[str, Any] = {".parquet": _read_parquet, ".npz": _read_npz}
