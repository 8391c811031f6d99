"""Artifacts of runs, read and checked; what is absent or damaged is an answer, not an error."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any, Literal, TypeVar

import numpy as np
import pandas as pd
from mlflow import MlflowClient
from numpy.typing import NDArray

from latentlaw.tracking.names import AFFINITY, EMBEDDINGS, EQUATIONS, FRONTIER, LATENTS
from latentlaw.tracking.reading.queries import is_run_id
from latentlaw.tracking.store.failures import UNREACHABLE, store_exists

T = TypeVar("T")
_MOST_BYTES = 512 * 2**20
_PNG_START, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"


@dataclass(frozen=True)
class Missing:
    """An artifact that cannot be shown, and why."""

    run_id: str
    name: str
    reason: Literal["absent", "damaged", "unreachable"]
    detail: str = ""

    @property
    def message(self) -> str:
        """One sentence that names the artifact, the run and the fault."""
        what = {
            "absent": "was not recorded, or was deleted since",
            "damaged": "is damaged",
            "unreachable": "cannot be reached",
        }[self.reason]
        return f"{self.name} of run {self.run_id[:8]} {what}" + (
            f": {self.detail}" if self.detail else ""
        )


@dataclass(frozen=True)
class Affinity:
    """Similarities of classes `(k, k)`: the prior as given and as used, and as learned."""

    class_names: tuple[str, ...]
    given: NDArray[np.float64] | None
    used: NDArray[np.float64] | None
    learned: NDArray[np.float64] | None


class DamagedError(ValueError):
    """What an artifact holds is not what its name promises."""


def load_artifact_json(tracking_uri: str, run_id: str, name: str) -> Any | Missing:
    """Read a JSON artifact of a run."""
    return _load(tracking_uri, run_id, name, _json)


def load_artifact_csv(
    tracking_uri: str, run_id: str, name: str, columns: Sequence[str]
) -> pd.DataFrame | Missing:
    """Read a CSV artifact of a run, which must have some columns."""
    return _load(tracking_uri, run_id, name, lambda path: _csv(path, columns))


def load_artifact_png(tracking_uri: str, run_id: str, name: str) -> bytes | Missing:
    """Read a PNG artifact of a run, whole: one that is cut off counts as damaged."""
    return _load(tracking_uri, run_id, name, _png)


def load_embeddings(tracking_uri: str, run_id: str) -> pd.DataFrame | Missing:
    """Read a run's embedding: `particle_id, label, split, z0…, px, py`, one row per particle."""
    return _load(tracking_uri, run_id, EMBEDDINGS, _embeddings)


def load_affinity(tracking_uri: str, run_id: str) -> Affinity | Missing:
    """Read a run's affinity matrices."""
    return _load(tracking_uri, run_id, AFFINITY, lambda path: _affinity(_json(path)))


def load_frontier(tracking_uri: str, run_id: str, task: int = 0) -> pd.DataFrame | Missing:
    """Read a run's frontier, one row per model.

    Columns are `family, name, complexity, accuracy, macro_f1`; `accuracy_low, accuracy_high`, an
    interval over folds and seeds, NaN where there is none; and `expressions`, a dict by class,
    empty of what is no equation. Models without a complexity or an accuracy are left out.

    Parameters
    ----------
    tracking_uri, run_id
        Store of runs, and which of them.
    task
        Which of the run's tasks; only `ladder` has several.
    """
    name = f"{task}/{FRONTIER}" if task else FRONTIER
    table = _load(tracking_uri, run_id, name, lambda path: _frontier(_json(path)))
    return table if isinstance(table, Missing) else table.dropna(subset=["complexity", "accuracy"])


def load_equations(tracking_uri: str, run_id: str) -> pd.DataFrame | Missing:
    """Read a run's equations, one row per class.

    `class, expression, latex, complexity, accuracy`, and in how many (`times`) of how many (`of`)
    searches the law was found, NaN where the run does not say.
    """
    return _load(tracking_uri, run_id, EQUATIONS, lambda path: _equations(_json(path)))


def load_meanings(tracking_uri: str, run_id: str) -> dict[str, str] | Missing:
    """Read what a run's latents mean, as in `z3: eccentricity, r = -0.91`; of those named."""
    return _load(tracking_uri, run_id, LATENTS, lambda path: _meanings(_json(path)))


def _load(tracking_uri: str, run_id: str, name: str, read: Callable[[Path], T]) -> T | Missing:
    if not is_run_id(run_id) or not store_exists(tracking_uri):
        return Missing(run_id, name, "absent")
    try:
        client = MlflowClient(tracking_uri=tracking_uri)
        folder = str(PurePosixPath(name).parent).removeprefix(".")
        listed = {entry.path: entry for entry in client.list_artifacts(run_id, folder or None)}
        if name not in listed:
            return Missing(run_id, name, "absent")
        size = listed[name].file_size or 0
        if size > _MOST_BYTES:
            return Missing(run_id, name, "damaged", f"{size / 2**20:.0f} MiB is too large to show")
        with TemporaryDirectory() as scratch:
            path = Path(client.download_artifacts(run_id, name, scratch))
            try:
                return read(path)
            except (DamagedError, ValueError, OSError, RecursionError, KeyError) as error:
                detail = (str(error).splitlines() or [type(error).__name__])[0][:200]
                return Missing(run_id, name, "damaged", detail)
    except UNREACHABLE as error:
        return Missing(run_id, name, "unreachable", str(error).split("\n", 1)[0][:200])


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _csv(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    table = pd.read_csv(path)
    if lacking := [name for name in columns if name not in table]:
        raise DamagedError(f"found no columns {lacking}")
    return table


def _png(path: Path) -> bytes:
    content = path.read_bytes()
    if not content.startswith(_PNG_START) or not content.rstrip(b"\0").endswith(_PNG_END):
        raise DamagedError("not a whole PNG file")
    return content


def _embeddings(path: Path) -> pd.DataFrame:
    table = pd.read_parquet(path)
    lacking = [c for c in ("particle_id", "label", "split", "px", "py") if c not in table]
    if lacking:
        raise DamagedError(f"found no columns {lacking}")
    for axis in ("px", "py"):
        table[axis] = pd.to_numeric(table[axis], errors="coerce")
    table["split"] = table["split"].astype("string").fillna("unknown").astype(str)
    return table


def _records(content: Any, texts: Sequence[str], numbers: Sequence[str]) -> pd.DataFrame:
    if not isinstance(content, list) or not all(isinstance(row, Mapping) for row in content):
        raise DamagedError("expected a list of records")
    wanted = [*texts, *numbers]
    for index, row in enumerate(content):
        if lacking := [key for key in wanted if key not in row]:
            raise DamagedError(f"record {index}: found no {lacking}")
    table = pd.DataFrame(content, columns=wanted)
    for name in texts:
        table[name] = [str(row[name]) for row in content]
    for name in numbers:
        table[name] = pd.to_numeric(table[name], errors="coerce").astype(float)
    return table


def _frontier(content: Any) -> pd.DataFrame:
    table = _records(content, ("family", "name"), ("complexity", "accuracy", "macro_f1"))
    for key in ("accuracy_low", "accuracy_high"):
        bounds = pd.Series([row.get(key) for row in content], dtype=object)
        table[key] = pd.to_numeric(bounds, errors="coerce").astype(float)
    found = [row.get("expressions") for row in content]
    laws = [
        {str(k): str(v) for k, v in each.items()} if isinstance(each, Mapping) else {}
        for each in found
    ]
    table["expressions"] = pd.Series(laws, dtype=object)
    return table


def _equations(content: Any) -> pd.DataFrame:
    table = _records(content, ("class", "expression", "latex"), ("complexity", "accuracy"))
    found = [row.get("found") for row in content]
    for key in ("times", "of"):
        counts = [each.get(key) if isinstance(each, Mapping) else None for each in found]
        table[key] = pd.to_numeric(pd.Series(counts, dtype=object), errors="coerce").astype(float)
    return table


def _meanings(content: Any) -> dict[str, str]:
    latents = _records(content, ("latent", "meaning"), ())["latent"]
    found = [row["meaning"] for row in content]
    return {z: str(text) for z, text in zip(latents, found, strict=True) if text is not None}


def _affinity(content: Any) -> Affinity:
    if not isinstance(content, Mapping) or not isinstance(content.get("class_names"), list):
        raise DamagedError("expected class_names, given, used and learned")
    names = tuple(str(name) for name in content["class_names"])
    matrices: dict[str, NDArray[np.float64] | None] = {}
    for key in ("given", "used", "learned"):
        value = content.get(key)
        matrices[key] = None if value is None else _square(key, value, len(names))
    return Affinity(names, **matrices)


def _square(key: str, value: Any, size: int) -> NDArray[np.float64]:
    try:
        matrix = np.array(value, dtype=float)  # null becomes NaN
    except TypeError as error:
        raise DamagedError(f"{key} is not a matrix of numbers") from error
    if matrix.shape != (size, size):
        raise DamagedError(f"{key}: found shape {matrix.shape}, expected {(size, size)}")
    return matrix
