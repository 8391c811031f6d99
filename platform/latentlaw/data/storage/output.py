"""Outputs that are whole or absent: written beside the final name, then renamed onto it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from latentlaw.data.storage.locks import locked
from latentlaw.errors import ConfigError, LatentlawError, WorkerError


@contextmanager
def new_output(path: str | Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside `path` to write a file or folder to; rename it at the end.

    When the block raises, what it wrote is removed and `path` stays as it was.

    Raises
    ------
    ConfigError
        If `path` exists and `overwrite` is false, its parent cannot be written to, or another
        process writes to it.
    """
    with _claimed(Path(path), overwrite=overwrite) as partial:
        try:
            remove(partial)  # left by a process that was killed
            yield partial
            _replace(partial, Path(path))
        finally:
            remove(partial)


@contextmanager
def resumable_output(path: str | Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield the same temporary path each time, so that a block that was broken off can go on.

    What was written is removed only if the block raises a `LatentlawError` of its input. A killed
    process or worker, a full disk or an interrupt leave it to be resumed.

    Raises
    ------
    ConfigError
        As `new_output`.
    """
    with _claimed(Path(path), overwrite=overwrite) as partial:
        try:
            yield partial
        except WorkerError:
            raise
        except LatentlawError:
            remove(partial)
            raise
        _replace(partial, Path(path))


def check_new(path: Path, *, overwrite: bool) -> None:
    """Refuse a path that exists already, unless it may be overwritten, or cannot be written.

    Called before inputs are read, it spares the work; nothing is made.

    Raises
    ------
    ConfigError
        If `path` exists and `overwrite` is false, or the folder that it is to lie in, or the
        nearest one that is there, may not be written to.
    """
    if path.exists() and not overwrite:
        raise ConfigError(f"{path}: exists already; pass overwrite=true or another `out`")
    check_writable(path.absolute().parent, "out")


def check_writable(folder: Path, parameter: str) -> None:
    """Refuse a folder, there or to be made, in which nothing may be written.

    Raises
    ------
    ConfigError
        Naming the `parameter` to change.
    """
    there = next(each for each in (folder, *folder.parents) if each.exists())
    if not os.access(there, os.W_OK):
        raise ConfigError(f"{there}: no permission to write here; choose another `{parameter}`")


def remove(path: Path) -> None:
    """Remove a file or a folder tree, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def _claimed(final: Path, *, overwrite: bool) -> Iterator[Path]:
    """Check that `final` may be written and lock it; yield where to write until it is whole."""
    check_new(final, overwrite=overwrite)
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"{final}: its folder cannot be made ({error.strerror}); choose another `out`"
        ) from error
    with locked(final):
        yield final.with_name(f".{final.name}.partial")


def _replace(partial: Path, final: Path) -> None:
    remove(final)
    partial.rename(final)
