"""What a run was made of, so that it goes on with nothing else: configuration, data, code."""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import latentlaw
from latentlaw.errors import ResumeError

_SHOWN = 12  # characters of a digest


def identify(
    *, settings: Mapping[str, Any], data_digest: str, affinity: Tensor | None, device: str
) -> dict[str, Any]:
    """Return the identity of a run as flat names and plain values.

    Parameters
    ----------
    settings
        Nested configuration of model and training.
    data_digest
        SHA-256 of the particle stack.
    affinity
        `(classes, classes)` as it is trained on, or None.
    device
        Kind of device, whose arithmetic is its own.
    """
    prior = None if affinity is None else hashlib.sha256(affinity.numpy().tobytes()).hexdigest()
    return {
        **_flat(settings),
        "data.digest": data_digest,
        "affinity.digest": prior,
        "device": device,
        "code.latentlaw": code_version(),
        "code.torch": str(torch.__version__),
    }


def check_identity(then: Mapping[str, Any], now: Mapping[str, Any], *, allow: bool) -> list[str]:
    """Return what changed, one line each: `name: before -> now`.

    Raises
    ------
    ResumeError
        If something changed and `allow` is false.
    """
    changed = [
        f"{name}: {_short(then.get(name))} -> {_short(now.get(name))}"
        for name in sorted(then.keys() | now.keys())
        if then.get(name) != now.get(name)
    ]
    if changed and not allow:
        raise ResumeError(
            f"resume: found {len(changed)} differences to the run that was begun "
            f"({'; '.join(changed)}), expected none; give the values it had, or go on with these "
            "by allow_change=true"
        )
    return changed


@cache
def code_version() -> str:
    """Return the version of the package and a digest of its sources."""
    folder = Path(latentlaw.__file__).parent
    digest = hashlib.sha256()
    for source in sorted(folder.rglob("*.py")):
        digest.update(f"{source.relative_to(folder)}\0".encode() + source.read_bytes() + b"\0")
    return f"{latentlaw.__version__}+{digest.hexdigest()[:_SHOWN]}"


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = list(value) if isinstance(value, tuple) else value
    return flat


def _short(value: object) -> str:
    text = str(value)
    return f"{text[:_SHOWN]}…" if len(text) == 64 else text
