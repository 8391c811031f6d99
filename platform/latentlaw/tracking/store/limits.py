"""What MLflow cannot hold is encoded here, before it refuses it or cuts it."""

import hashlib
import math
import posixpath
import re
import sys
from collections.abc import Mapping

#: MLflow cuts longer values of parameters.
LONGEST_VALUE = 6000
_LONGEST_KEY = 250
_REFUSED = re.compile(r"[^/\w.\- :]")
_SHOWN = 200


def fitting_key(name: str) -> str:
    """Return a name of a metric or parameter as MLflow takes it.

    A character that it refuses becomes `_uXXXX_`, its code point in hexadecimal; so do the dots
    and slashes of a name that would be another one as a path (`../a`, `a//b`). A name that is
    too long ends in its SHA-256.
    """
    key = _REFUSED.sub(_code_point, name)
    path = posixpath.normpath(key)
    if path != key or path.startswith(("..", "/")) or path == ".":
        key = re.sub(r"[/.]", _code_point, key)
    if len(key) > _LONGEST_KEY:
        key = f"{key[:_SHOWN]}_{hashlib.sha256(name.encode()).hexdigest()[:32]}"
    return key or "_"


def fitting_params(
    params: Mapping[str, str], whole: str
) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Split parameters into what MLflow holds and what must be kept whole beside it.

    Parameters
    ----------
    params
        Values by name.
    whole
        Where the others are kept, to which a value that is too long refers.

    Returns
    -------
    fitting : dict
        Values by key.
    others : dict
        `name` and `value` as they were, by the key that stands for them.
    """
    fitting: dict[str, str] = {}
    others: dict[str, dict[str, str]] = {}
    for name, value in params.items():
        key = fitting_key(name)
        fitting[key] = value
        if len(value) > LONGEST_VALUE:
            fitting[key] = f"{value[:_SHOWN]}… ({len(value)} characters, whole in {whole})"
        if fitting[key] != value or key != name:
            others[key] = {"name": name, "value": value}
    return fitting, others


def encode_value(value: float) -> float:
    """Return a metric's value as MLflow stores it: infinity as the largest number, NaN as it is.

    MLflow does that itself without a word; here it is undone by `decode_value`.
    """
    return math.copysign(sys.float_info.max, value) if math.isinf(value) else float(value)


def decode_value(value: float) -> float:
    """Return the value that `encode_value` was given."""
    return math.copysign(math.inf, value) if abs(value) == sys.float_info.max else value


def _code_point(match: re.Match[str]) -> str:
    return f"_u{ord(match[0]):04x}_"
