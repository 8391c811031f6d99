"""A request is images or latents, listed or packed; whatever else is refused by its field."""

import base64
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from latentlaw.errors import DataError
from latentlaw.serving.requests import DTYPES, NotFiniteError, Request, TooManyError, read_request

SHAPE = (1, 4, 4)


def read(fields: Any, **options: Any) -> Request:
    body = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
    return read_request(body, **{"image_shape": SHAPE, "latent_dims": 3} | options)


def packed(values: np.ndarray, dtype: str) -> dict[str, Any]:
    raw = values.astype(DTYPES[dtype]).tobytes()
    return {"b64": base64.b64encode(raw).decode(), "shape": list(values.shape), "dtype": dtype}


@given(
    hnp.arrays(np.uint8, st.tuples(st.integers(1, 3), *map(st.just, SHAPE))),
    st.sampled_from(sorted(DTYPES)),
)
def test_packed_values_are_those_listed(values: np.ndarray, dtype: str) -> None:
    listed = read({"inputs": values.tolist()}).values
    found = read({"inputs": packed(values, dtype)}).values
    assert found.dtype == np.float32
    assert found.flags.writeable  # or torch warns
    np.testing.assert_array_equal(found, values)
    np.testing.assert_array_equal(listed, values)


def test_only_channel_may_be_left_out() -> None:
    values = np.arange(32.0).reshape(2, 4, 4)
    images = read({"inputs": values.tolist()}).values
    np.testing.assert_array_equal(images, values[:, None])
    with pytest.raises(DataError, match=r"found shape \(2, 4, 4\), expected \(n, c=2, y=4, x=4\)"):
        read({"inputs": values.tolist()}, image_shape=(2, 4, 4))


def test_latents_and_what_to_return() -> None:
    request = read({"latents": [[1, 2, 3]], "params": {"returns": ["class"]}})
    assert request.kind == "latents"
    assert request.returns == ("class",)
    np.testing.assert_array_equal(request.values, [[1, 2, 3]])


GOOD = np.zeros((1, *SHAPE)).tolist()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (b"{", "body: cannot be read as JSON"),
        (b"\xff\xfe", "body: cannot be read as JSON"),
        ([1], "body: found a list, expected an object with `inputs`"),
        ({}, "inputs: found nothing, expected one of `inputs` and `latents`"),
        ({"input": GOOD}, r"body: found unknown field 'input' \(did you mean 'inputs'\?\)"),
        ({"inputs": GOOD, "latents": [[0, 0, 0]]}, "found inputs, latents"),
        ({"inputs": "text"}, "inputs: expected nested lists"),
        ({"inputs": None}, "inputs: expected nested lists"),
        ({"inputs": []}, r"inputs: found shape \(0,\), expected \(n, c=1, y=4, x=4\)"),
        (
            {"inputs": [[[[0] * 4] * 3 + [[0] * 3]]]},
            "inputs: cannot be read as a rectangular array",
        ),
        ({"inputs": [[[["a"] * 4] * 4]]}, "inputs: expected numbers"),
        ({"inputs": [[[[None] * 4] * 4]]}, "inputs: expected numbers"),
        ({"inputs": [[[[True] * 4] * 4]]}, "inputs: expected numbers"),
        ({"inputs": np.zeros((1, 1, 5, 5)).tolist()}, r"found shape \(1, 1, 5, 5\)"),
        ({"inputs": {"b64": "AAAA"}}, "inputs.shape: found none"),
        ({"inputs": {"b64": "AAAA", "shape": [1], "dtype": "object"}}, "inputs.dtype: found 'obj"),
        ({"inputs": {"b64": "AA=A", "shape": [1]}}, "inputs.b64: cannot be read as base64"),
        ({"inputs": {"b64": "AAAA", "shape": [1, -1]}}, "inputs.shape: expected a list"),
        ({"inputs": {"b64": "AAAA", "shape": [True]}}, "inputs.shape: expected a list"),
        ({"inputs": {"b64": "AAAA", "shape": [1, 1, 4, 4]}}, "found 3 bytes, expected 64"),
        ({"inputs": {"b64": 3, "shape": [1]}}, "inputs.b64: expected text"),
        ({"inputs": GOOD, "params": []}, "params: expected an object"),
        ({"inputs": GOOD, "params": {"return": []}}, "params: found unknown field 'return'"),
        ({"inputs": GOOD, "params": {"returns": "class"}}, "params.returns: expected a list"),
        ({"latents": [[0, 0]]}, r"latents: found shape \(1, 2\), expected \(n, 3\)"),
        ({"latents": np.zeros((0, 3)).tolist()}, "latents: found shape"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_field(fields: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(fields)


@pytest.mark.parametrize("bad", ["NaN", "Infinity", "1e999", "1e39"])
def test_values_that_are_not_finite_are_named(bad: str) -> None:
    body = json.dumps({"inputs": GOOD}).replace("0.0", bad, 1).encode()
    with pytest.raises(
        NotFiniteError, match="inputs: found NaN or infinite values in particle 0 of 1"
    ):
        read(body)


def test_empty_packed_batch_is_refused() -> None:
    with pytest.raises(DataError, match="inputs: found no particle"):
        read({"inputs": packed(np.zeros((0, *SHAPE)), "float32")})


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(DataError, match="nested too deeply"):
        read(b'{"inputs": ' + b"[" * 200_000 + b"]" * 200_000 + b"}")
    with pytest.raises(DataError, match="inputs"):
        read(b'{"inputs": ' + b"[" * 500 + b"]" * 500 + b"}")


@pytest.mark.parametrize("values", [GOOD * 3, packed(np.zeros((3, *SHAPE)), "uint8")])
def test_too_many_particles_are_refused(values: Any) -> None:
    assert len(read({"inputs": values}, most=3).values) == 3
    with pytest.raises(TooManyError, match="found 3 particles, expected at most 2 per request"):
        read({"inputs": values}, most=2)


def test_server_of_a_law_takes_no_images() -> None:
    with pytest.raises(DataError, match="answers latents only"):
        read({"inputs": GOOD}, image_shape=None)
