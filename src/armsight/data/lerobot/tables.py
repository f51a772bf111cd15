"""Parquet files of a LeRobotDataset: NumPy columns in, NumPy columns out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.data.lerobot.layout import TASKS, Features, columns, staged
from armsight.data.parquet import pyarrow
from armsight.errors import DatasetError

Array = NDArray[Any]
Columns = dict[str, Array]

NOT_NUMBERS = ("string", "image")
"""Kinds of columns that are not read: nothing here computes with them, and data sets such as DROID
have dozens"""
TASK_COLUMN = "__index_level_0__"
"""The name that pandas gives an index without one"""


def data_schema(features: Features) -> Any:
    """The Arrow schema of `data/`: numbers as they are, vectors and matrices as lists."""
    pa = pyarrow()
    fields = []
    for name in columns(features):
        feature = features[name]
        kind = pa.bool_() if feature["dtype"] == "bool" else getattr(pa, feature["dtype"])()
        shape = feature["shape"]
        if len(shape) == 2:
            kind = pa.list_(pa.list_(kind))
        elif shape != [1]:
            kind = pa.list_(kind, shape[0])
        fields.append(pa.field(name, kind))
    return pa.schema(fields)


def to_table(rows: Mapping[str, Array], features: Features) -> Any:
    """An Arrow table of `rows` (N, *shape); scalars are (N,)."""
    pa = pyarrow()
    schema = data_schema(features)
    arrays = []
    for field in schema:
        values = rows[field.name]
        shape = features[field.name]["shape"]
        flat = pa.array(np.ascontiguousarray(values).reshape(-1))
        if len(shape) == 2:
            inner = pa.ListArray.from_arrays(_offsets(len(values) * shape[0], shape[1]), flat)
            flat = pa.ListArray.from_arrays(_offsets(len(values), shape[0]), inner)
        elif shape != [1]:
            flat = pa.FixedSizeListArray.from_arrays(flat, shape[0])
        arrays.append(flat)
    return pa.Table.from_arrays(arrays, schema=schema)


def _offsets(count: int, size: int) -> Any:
    return pyarrow().array(np.arange(count + 1, dtype=np.int32) * size)


def to_columns(table: Any, features: Features, path: Path) -> Columns:
    """NumPy columns (N, *shape) of an Arrow table; scalars (N,).

    Columns of NOT_NUMBERS are left out.

    Raises:
        DatasetError: a column is missing, or has another shape than its feature.
    """
    found: Columns = {}
    for name in numbers(features):
        if name not in table.column_names:
            raise DatasetError(f"{path} has no column {name!r}, which info.json names")
        values = table[name].combine_chunks()
        while hasattr(values, "flatten") and str(values.type).startswith(
            ("list", "fixed_size_list", "large_list", "extension")
        ):
            values = (
                values.storage if str(values.type).startswith("extension") else values.flatten()
            )
        array = values.to_numpy(zero_copy_only=False)
        shape = [] if features[name]["shape"] == [1] else list(features[name]["shape"])
        if array.size != table.num_rows * int(np.prod(shape)) or array.dtype == object:
            raise DatasetError(
                f"{path}: column {name!r} does not hold {table.num_rows} rows of shape {shape}; "
                "fetch or write the data set again"
            )
        found[name] = array.reshape(table.num_rows, *shape)
    return found


def numbers(features: Features) -> list[str]:
    """Names of the columns in Parquet that hold numbers."""
    return [name for name in columns(features) if features[name]["dtype"] not in NOT_NUMBERS]


def read_table(path: Path, wanted: Callable[[str], bool] = lambda name: True) -> Any:
    """A Parquet file as an Arrow table.

    Args:
        wanted: says which columns, by name.

    Raises:
        DatasetError: the file is missing or broken.
    """
    pa = pyarrow()
    if not path.is_file():
        raise DatasetError(f"{path} is missing; fetch or write the data set again")
    try:
        file = pa.parquet.ParquetFile(path)
        return file.read(columns=[name for name in file.schema_arrow.names if wanted(name)])
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(
            f"{path} is broken: {error}; fetch or write the data set again"
        ) from error


def write_table(table: Any, path: Path, folder: Path) -> None:
    """Write an Arrow table of the data set `folder`, whole or not at all."""
    pa = pyarrow()
    with staged(path, folder) as temporary:
        pa.parquet.write_table(table, temporary, compression="snappy", use_dictionary=True)


def write_tasks(tasks: Sequence[str], folder: Path) -> None:
    """`tasks.parquet`: a pandas frame whose index is the task and whose column its number."""
    pa = pyarrow()
    table = pa.table({"task_index": pa.array(range(len(tasks)), pa.int64()), TASK_COLUMN: tasks})
    kinds = (
        ("task_index", "task_index", "int64", "int64"),
        (None, TASK_COLUMN, "unicode", "object"),
    )
    pandas = {
        "index_columns": [TASK_COLUMN],
        "column_indexes": [],
        "columns": [
            {
                "name": name,
                "field_name": field,
                "pandas_type": kind,
                "numpy_type": numpy_kind,
                "metadata": None,
            }
            for name, field, kind, numpy_kind in kinds
        ],
        "creator": {"library": "pyarrow", "version": pa.__version__},
        "pandas_version": "2.0.0",
    }
    table = table.replace_schema_metadata({"pandas": json.dumps(pandas)})
    write_table(table, folder / TASKS, folder)


def read_tasks(path: Path) -> list[str]:
    """The tasks by their number.

    Raises:
        DatasetError: the file is missing, broken or has no column of texts.
    """
    table = read_table(path)
    texts = [name for name in table.column_names if name != "task_index"]
    if "task_index" not in table.column_names or len(texts) != 1:
        raise DatasetError(
            f"{path} has columns {table.column_names}; it must have 'task_index' and the task"
        )
    pairs = zip(table["task_index"].to_pylist(), table[texts[0]].to_pylist(), strict=True)
    return [str(task) for _, task in sorted(pairs)]


def to_episodes(rows: Sequence[Mapping[str, Any]]) -> Any:
    """An Arrow table of episode records; arrays become lists."""
    pa = pyarrow()

    def plain(value: Any) -> Any:
        return value.tolist() if isinstance(value, np.ndarray | np.generic) else value

    return pa.Table.from_pylist([{k: plain(v) for k, v in row.items()} for row in rows])
