"""SHA-256 of each file of a folder, by which a changed file is found before it is read."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from latentlaw.errors import CheckpointError


def digests_of(folder: Path, pattern: str = "*") -> dict[str, str]:
    """Return the SHA-256 of each file below `folder` that fits `pattern`, by its path."""
    files = sorted(path for path in folder.rglob(pattern) if path.is_file())
    return {path.relative_to(folder).as_posix(): _sha256(path) for path in files}


def check_digests(folder: Path, digests: Mapping[str, str]) -> None:
    """Compare the files of `folder` with the digests that were recorded of them.

    Raises
    ------
    CheckpointError
        If a file is another.
    OSError
        If a file is missing.
    """
    for name, digest in digests.items():
        found = _sha256(folder / name)
        if found != digest:
            raise CheckpointError(
                f"{folder / name}: SHA-256 {found[:12]}… where {digest[:12]}… was recorded; "
                "the file was changed or damaged, fetch the model again"
            )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
