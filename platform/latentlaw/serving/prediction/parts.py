"""Work that is kept part by part, so that what was broken off goes on and ends the same."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from latentlaw.data.storage.output import remove

_PLAN = "plan.json"


def begin_or_go_on(
    folder: Path, plan: Mapping[str, Any], make: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """Make `folder` for the work that `plan` describes, or keep the one that was begun for it.

    Parameters
    ----------
    folder
        Of the work; what is there for another plan is removed.
    plan
        What the work is of, in plain JSON values: all that its result depends on.
    make
        Fills a new folder, and returns what is chosen when the work begins and holds to its end.

    Returns
    -------
    dict
        What `make` returned when the work began.
    """
    file = folder / _PLAN
    try:
        begun = json.loads(file.read_text())
        if begun["plan"] == json.loads(json.dumps(plan)):
            chosen: dict[str, Any] = begun["chosen"]
            return chosen
    except (OSError, ValueError, KeyError, TypeError):
        pass
    remove(folder)
    folder.mkdir(parents=True)
    chosen = make()
    # Last, so that a folder with a plan has all that `make` puts into it.
    _write(file, lambda path: path.write_text(json.dumps({"plan": dict(plan), "chosen": chosen})))
    return chosen


def keep_part(path: Path, table: pd.DataFrame) -> None:
    """Write a part of the result as Parquet; it is there whole or not at all."""
    _write(path, lambda partial: table.to_parquet(partial, index=False))


def _write(path: Path, write: Callable[[Path], object]) -> None:
    partial = path.with_name(f".{path.name}.partial")
    write(partial)
    partial.replace(path)
