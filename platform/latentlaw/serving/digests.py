"""What a folder of files was when it was written: the SHA-256 of each, in `digests.json`."""

import hashlib
import json
from pathlib import Path

from latentlaw.errors import CheckpointError

DIGESTS = "digests.json"


def digests_of(folder: Path, pattern: str = "*") -> dict[str, str]:
    """Return the SHA-256 of each file below `folder` that fits `pattern`, by its path there."""
    files = sorted(path for path in folder.rglob(pattern) if path.is_file())
    return {path.relative_to(folder).as_posix(): _sha256(path.read_bytes()) for path in files}


def write_digests(folder: Path) -> None:
    """Write the digest of every file of `folder` beside them."""
    (folder / DIGESTS).write_text(json.dumps(digests_of(folder), indent=1))


def read_digests(folder: Path) -> dict[str, str]:
    """Return the recorded digest of each file of `folder`, by name.

    Raises
    ------
    CheckpointError
        If there is no whole list of them.
    """
    try:
        digests: dict[str, str] = json.loads((folder / DIGESTS).read_text())
        return dict(digests)
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(
            f"{folder}: not a whole model bundle ({error}); fetch the model again"
        ) from error


def read_checked(folder: Path, name: str, digests: dict[str, str]) -> bytes:
    """Return the content of a file whose digest is the recorded one.

    Raises
    ------
    CheckpointError
        If the file is missing or was changed.
    """
    try:
        content, wanted = (folder / name).read_bytes(), digests[name]
    except (OSError, KeyError) as error:
        raise CheckpointError(
            f"{folder}: not a whole model bundle ({error}); fetch the model again"
        ) from error
    found = _sha256(content)
    if found != wanted:
        raise CheckpointError(
            f"{folder / name}: found SHA-256 {found[:12]}…, expected {wanted[:12]}…: the file was "
            "changed or damaged; fetch the model again"
        )
    return content


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
