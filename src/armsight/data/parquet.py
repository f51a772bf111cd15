"""Where pyarrow comes from."""

from __future__ import annotations

from typing import Any

from armsight.errors import MissingExtraError


def pyarrow() -> Any:
    """The pyarrow package, with `pyarrow.parquet`.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtraError(
            "a Parquet file", "pyarrow", "pip install 'armsight[actions]'"
        ) from None
    return pyarrow
