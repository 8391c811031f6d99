"""What a request holds: images or latents, as nested lists or packed bytes, and what to return."""

import base64
import binascii
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from latentlaw.errors import DataError, nearest_hint

#: Types that packed values may have, little-endian.
DTYPES = {"float32": "<f4", "float16": "<f2", "uint8": "|u1"}
_FIELDS = ("inputs", "latents", "params")
_PACKED = ("b64", "shape", "dtype")


class NotFiniteError(DataError):
    """A value of a request is NaN or infinite: well formed, but nothing to compute with."""


class TooManyError(DataError):
    """A request holds more particles than are answered at once."""


@dataclass(frozen=True)
class Request:
    """Particles as raw images `(n, c, [z,] y, x)` or as latents `(n, d)`, float32."""

    kind: Literal["images", "latents"]
    values: NDArray[np.float32]
    returns: Iterable[str] | None


def read_request(
    body: bytes,
    *,
    image_shape: tuple[int, ...] | None,
    latent_dims: int,
    most: int | None = None,
) -> Request:
    """Read a request, `{"inputs": …}` or `{"latents": …}`, and `"params": {"returns": […]}`.

    Values are nested lists of numbers, or packed: `{"b64": …, "shape": […], "dtype": "float32"}`,
    the base64 of the raw little-endian values in C order, float32, float16 or uint8.

    Parameters
    ----------
    body
        JSON, UTF-8.
    image_shape
        `(c, [z,] y, x)` that the model takes; None: it takes latents only.
    latent_dims
        Latents that the model has.
    most
        Particles that a request may hold; None: any number.

    Raises
    ------
    NotFiniteError
        If a value is NaN or infinite.
    TooManyError
        If there are more particles than `most`.
    DataError
        If the body is not JSON or a field is not as described; it names the field.
    """
    fields = _json(body)
    returns = _returns(fields.get("params"))
    given = [name for name in ("inputs", "latents") if name in fields]
    if len(given) != 1:
        wanted = "`latents`" if image_shape is None else "one of `inputs` and `latents`"
        found = ", ".join(given) or ", ".join(str(name)[:40] for name in list(fields)[:5])
        raise DataError(f"inputs: found {found or 'nothing'}, expected {wanted}")
    name = given[0]
    values = _values(name, fields[name], most)
    if name == "latents":
        return Request("latents", checked_latents(values, latent_dims), returns)
    if image_shape is None:
        raise DataError("inputs: this server answers latents only; send `latents` `(n, d)`")
    return Request("images", checked_images(values, image_shape), returns)


def checked_images(images: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return images as `(n, *shape)`; the channel may lack where `shape` `(c, …)` has only one.

    Raises
    ------
    NotFiniteError
        If a value is NaN or infinite.
    DataError
        If the shape is another, or there is no image.
    """
    if images.ndim == len(shape) and shape[0] == 1:
        images = images[:, None]
    if images.ndim != len(shape) + 1 or images.shape[1:] != shape:
        raise DataError(f"inputs: found shape {images.shape}, expected {_expected(shape)}")
    return _checked("inputs", images)


def checked_latents(latents: NDArray[Any], dims: int) -> NDArray[np.float32]:
    """Return latents `(n, dims)`.

    Raises
    ------
    NotFiniteError
        If a value is NaN or infinite.
    DataError
        If the shape is another, or there is no particle.
    """
    if latents.ndim != 2 or latents.shape[1] != dims:
        raise DataError(f"latents: found shape {latents.shape}, expected (n, {dims})")
    return _checked("latents", latents)


def _checked(name: str, values: NDArray[Any]) -> NDArray[np.float32]:
    if not len(values):
        raise DataError(f"{name}: found no particle, expected one at least")
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and told below
        values = values.astype(np.float32, copy=False)
    if not np.isfinite(values).all():
        bad = np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(axis=1))
        raise NotFiniteError(
            f"{name}: found NaN or infinite values in particle {', '.join(map(str, bad[:5]))}"
            f"{' …' if len(bad) > 5 else ''} of {len(values)}; mend or leave them out"
        )
    return values


def _expected(shape: tuple[int, ...]) -> str:
    axes = ("c", "z", "y", "x") if len(shape) == 4 else ("c", "y", "x")
    sizes = ", ".join(f"{axis}={size}" for axis, size in zip(axes, shape, strict=True))
    return f"(n, {sizes})"


def _json(body: bytes) -> Mapping[str, Any]:
    try:
        fields = json.loads(body)
    except RecursionError:
        raise DataError(
            "body: found JSON nested too deeply, expected `inputs` of images"
        ) from None
    except (ValueError, UnicodeDecodeError) as error:
        raise DataError(f"body: cannot be read as JSON ({str(error)[:80]})") from None
    if not isinstance(fields, dict):
        kind = "a list" if isinstance(fields, list) else type(fields).__name__
        raise DataError(f"body: found {kind}, expected an object with `inputs`")
    _check_keys("body", fields, _FIELDS)
    return fields


def _returns(params: Any) -> tuple[str, ...] | None:
    if params is None:
        return None
    if not isinstance(params, dict):
        raise DataError('params: expected an object, as in {"returns": ["class"]}')
    _check_keys("params", params, ("returns",))
    names = params.get("returns")
    if names is None:
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DataError("params.returns: expected a list of names")
    return tuple(names)


def _values(name: str, given: Any, most: int | None) -> NDArray[Any]:
    if isinstance(given, dict):
        return _packed(name, given, most)
    if not isinstance(given, list):
        raise DataError(f"{name}: expected nested lists of numbers, or b64, shape and dtype")
    _check_count(name, len(given), most)
    try:
        values = np.array(given)
    except (ValueError, OverflowError, RecursionError) as error:
        raise DataError(
            f"{name}: cannot be read as a rectangular array of numbers ({str(error)[:80]})"
        ) from None
    if values.dtype.kind not in "fiu" and values.size:
        raise DataError(f"{name}: expected numbers in nested lists of equal length")
    return values


def _packed(name: str, given: Mapping[str, Any], most: int | None) -> NDArray[Any]:
    _check_keys(name, given, _PACKED)
    for key in ("b64", "shape"):
        if key not in given:
            raise DataError(f"{name}.{key}: found none, expected b64, shape and dtype")
    shape, dtype = given["shape"], given.get("dtype", "float32")
    if dtype not in DTYPES:
        raise DataError(f"{name}.dtype: found {str(dtype)[:40]!r}, expected {', '.join(DTYPES)}")
    if (
        not isinstance(shape, list)
        or not 1 <= len(shape) <= 5
        or not all(type(size) is int and size >= 0 for size in shape)
    ):
        raise DataError(f"{name}.shape: expected a list of up to five sizes, as in [1, 1, 32, 32]")
    _check_count(name, shape[0], most)
    if not isinstance(given["b64"], str):
        raise DataError(f"{name}.b64: expected text")
    try:
        raw = base64.b64decode(given["b64"], validate=True)
    except (binascii.Error, ValueError) as error:
        raise DataError(f"{name}.b64: cannot be read as base64 ({error})") from None
    wanted = math.prod(shape) * np.dtype(DTYPES[dtype]).itemsize
    if len(raw) != wanted:
        raise DataError(
            f"{name}.b64: found {len(raw)} bytes, expected {wanted} of {dtype} in shape {shape}"
        )
    # A copy: torch warns of arrays that cannot be written to.
    return np.frombuffer(raw, dtype=DTYPES[dtype]).reshape(shape).copy()


def _check_count(name: str, count: int, most: int | None) -> None:
    if most is not None and count > most:
        raise TooManyError(
            f"{name}: found {count} particles, expected at most {most} per request; send batches, "
            "or use the entry predict"
        )


def _check_keys(where: str, given: Mapping[str, Any], known: Sequence[str]) -> None:
    for key in given:
        if key not in known:
            hint = nearest_hint(key[:40], known) or f"; known: {', '.join(known)}"
            raise DataError(f"{where}: found unknown field {key[:40]!r}{hint}")
