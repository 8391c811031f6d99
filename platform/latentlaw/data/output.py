"""Outputs that are whole or absent: written beside the final name, then renamed onto it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from latentlaw.errors import ConfigError


@contextmanager
def new_output(path: str | Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside `path` to write a file or folder to; rename it at the end.

    When the block raises, what it wrote is removed and `path` stays as it was.

    Raises
    ------
    ConfigError
        If `path` exists and `overwrite` is false, or its parent cannot be written to.
    """
    final = Path(path)
    check_new(final, overwrite=overwrite)
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{final}: its folder cannot be made ({error.strerror})") from error
    if not os.access(final.parent, os.W_OK):
        raise ConfigError(f"{final.parent}: no permission to write here; choose another `out`")
    partial = final.with_name(f".{final.name}.partial-{os.getpid()}")
    try:
        yield partial
        remove(final)
        partial.rename(final)
    finally:
        remove(partial)


def check_new(path: Path, *, overwrite: bool) -> None:
    """Refuse a path that exists already, unless it may be overwritten.

    Raises
    ------
    ConfigError
        If `path` exists and `overwrite` is false.
    """
    if path.exists() and not overwrite:
        raise ConfigError(f"{path}: exists already; pass overwrite=true or another `out`")


def remove(path: Path) -> None:
    """Remove a file or a folder tree, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
