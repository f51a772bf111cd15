"""Writing files so that a reader never sees half of one, and two writers never meet."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from armsight.errors import OutputError


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` when the block succeeds.

    The temporary name keeps the suffix, so that writers which choose a format by it still do.
    When the block fails, nothing is left behind and an older `path` stays as it was.

    Raises:
        OutputError: the folder cannot be made or written to, the disk is full, or `path` is
            something that must not be replaced: a folder or a device such as /dev/null.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        what = "a folder" if path.is_dir() else "a device or a pipe"
        raise OutputError(f"cannot write {path}: it is {what}; give the name of a file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent
        )
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes the file private; give it the mode that a plain open() would have given.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def cache_folder(kind: str) -> Path:
    """Where files of one kind that can be made again are kept for the user."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "armsight" / kind


@contextmanager
def exclusive(folder: str | Path) -> Iterator[None]:
    """Keep other processes of armsight from writing to `folder`, which is made if need be.

    The lock ends with the block, or with the process however that ends, and leaves no file behind.

    Raises:
        OutputError: another process holds it, or the folder cannot be made.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise OutputError(f"cannot write to {folder}: {error.strerror or error}") from error
    try:
        lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def claimed(path: str | Path) -> Iterator[None]:
    """Keep other processes of armsight from writing what belongs to `path`, in a folder that is
    there; other names in it are free.

    Raises:
        OutputError: another process writes it, or the folder cannot be written to.
    """
    path = Path(path)
    name = path.with_name(f".{path.name}.lock")
    while True:
        try:
            descriptor = os.open(name, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
        try:
            lock(descriptor, path)
            if os.fstat(descriptor).st_nlink:  # else its owner has just removed it
                try:
                    yield
                finally:
                    name.unlink(missing_ok=True)
                return
        finally:
            os.close(descriptor)


def lock(descriptor: int, path: str | Path) -> None:
    """Lock an open file or folder until it is closed.

    Raises:
        OutputError: another process holds it.
    """
    import fcntl  # Unix only, as are the simulators that need it

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OutputError(
            f"another process is writing to {path}; wait until it is done, or write elsewhere"
        ) from None
    except OSError:  # a file system without locks
        return
