"""Row 57: malformed JSON, missing key, wrong shape or type, ragged, empty: 4xx names the field."""

from typing import Any

import numpy as np
import pytest

from tests.bundles import ScoringServer, packed

IMAGES = np.random.default_rng(0).random((2, 1, 8, 8, 8), dtype=np.float32)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{", "body"),
        (b"", "body"),
        ([], "body"),
        ({}, "inputs"),
        ({"input": IMAGES.tolist()}, "input"),
        ({"inputs": IMAGES[:, :, 1:].tolist()}, "inputs"),
        ({"inputs": np.repeat(IMAGES, 3, axis=1).tolist()}, "inputs"),
        ({"inputs": [[[[["a"] * 8] * 8] * 8]]}, "inputs"),
        ({"inputs": [IMAGES[0].tolist(), IMAGES[0, :, 1:].tolist()]}, "inputs"),
        ({"inputs": []}, "inputs"),
        ({"inputs": packed(IMAGES[:0])}, "inputs"),
        ({"inputs": packed(IMAGES) | {"dtype": "float16"}}, "inputs.b64"),
        ({"latents": [[0.0]]}, "latents"),
        ({"inputs": packed(IMAGES), "params": {"returns": ["colour"]}}, "returns"),
    ],
)
def test_request_is_refused_by_its_field(
    scoring_server: ScoringServer, body: Any, field: str
) -> None:
    status, content = scoring_server.post(body)
    assert status == 400
    assert field in content["error"].split(":")[0] or f"'{field}'" in content["error"]


def test_wrong_box_says_the_size_that_is_wanted(scoring_server: ScoringServer) -> None:
    _, content = scoring_server.post({"inputs": IMAGES[:, :, 1:].tolist()})
    assert content["error"] == (
        "inputs: found shape (2, 1, 7, 8, 8), expected (n, c=1, z=8, y=8, x=8)"
    )


def test_server_answers_after_all_of_that(scoring_server: ScoringServer) -> None:
    listed = scoring_server.post({"inputs": IMAGES.tolist()})
    assert listed == scoring_server.post({"inputs": packed(IMAGES)})
    status, content = listed
    assert status == 200
    assert [record["class"] in ("large", "small") for record in content["predictions"]] == [
        True,
        True,
    ]
