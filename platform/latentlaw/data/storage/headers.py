"""The header that every store of ours carries, and what makes one fit to open."""

from typing import Any

from latentlaw.errors import DataError


def check_header(location: str, header: Any, *, kind: str, newest: int, remedy: str) -> None:
    """Refuse a store that is of another kind, unfinished, or newer than this package.

    Raises
    ------
    DataError
        Naming what was found and what was expected.
    """
    known = isinstance(header, dict) and header.get("kind") == kind
    if not known or not header.get("complete") or not isinstance(header.get("version"), int):
        raise DataError(
            f"{location}: found {header}, expected a complete store of {kind}; {remedy}"
        )
    if header["version"] > newest:
        raise DataError(
            f"{location}: found format version {header['version']}, expected at most {newest}; "
            "update latentlaw"
        )
