"""Results on disk as they come: one JSON object a line, in a file that survives a kill."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from armsight.errors import ConfigError, OutputError
from armsight.files import lock

Line = dict[str, Any]


class Journal:
    """A header with the settings, then one appended line for each result.

    A line that a kill cut short is dropped when the file is opened again.
    """

    def __init__(self, path: Path, kind: str, settings: dict[str, Any], key: str) -> None:
        """Open, or begin, the results that were made with exactly these settings.

        Args:
            kind: what the lines are, with a version, such as "armsight-answers/1".
            key: the field that names a result; of two with one name the later counts.

        Raises:
            ConfigError: the file holds results that were made with other settings.
            OutputError: it cannot be written, or another process is at it.
        """
        self.path, self._key = path, key
        self.lines: dict[str, Line] = {}
        header = {"format": kind, "settings": settings}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            whole = path.read_bytes() if path.exists() else b""
            kept = whole[: whole.rfind(b"\n") + 1]
            lines = kept.splitlines()
            if lines:
                self._check_header(json.loads(lines[0]), header)
                self.lines = {line[key]: line for line in map(json.loads, lines[1:])}
            self._file = path.open("ab")
            try:
                lock(self._file.fileno(), path)
                self._file.truncate(len(kept))
            except BaseException:
                self._file.close()
                raise
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(f"{path} is damaged ({error}); remove it to start anew") from error
        except OSError as error:
            raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
        if not lines:
            try:
                self._append(header)
            except OutputError:
                self._file.close()
                raise

    def add(self, line: Line) -> None:
        """Keep a result; it survives a kill from here on."""
        self.lines[line[self._key]] = line
        self._append(line)

    def close(self) -> None:
        """Close the file; `lines` stay readable."""
        self._file.close()

    def _append(self, line: Line) -> None:
        try:
            self._file.write(json.dumps(line, allow_nan=False).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise OutputError(f"cannot write {self.path}: {error.strerror or error}") from error

    def _check_header(self, found: Line, wanted: Line) -> None:
        # Through JSON, so that tuples and lists compare equal.
        if found == json.loads(json.dumps(wanted)):
            return
        old, new = found.get("settings", {}), wanted["settings"]
        differing = [
            f"{name} {old.get(name)!r} there, {new.get(name)!r} now"
            for name in sorted(old.keys() | new.keys())
            if old.get(name) != new.get(name)
        ]
        raise ConfigError(
            f"{self.path} holds answers made with other settings ({'; '.join(differing)}). "
            "Choose another --report folder, or remove that file."
        )
