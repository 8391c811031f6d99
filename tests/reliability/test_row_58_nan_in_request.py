"""Row 58: NaN or infinity in a request: 422, and what comes back is JSON."""

import numpy as np
import pytest

from tests.bundles import ScoringServer, packed


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("listed", [True, False])
def test_value_that_is_not_finite(
    scoring_server: ScoringServer, value: float, listed: bool
) -> None:
    images = np.zeros((3, 1, 8, 8, 8), dtype=np.float32)
    images[1, 0, 4, 4, 4] = value
    status, content = scoring_server.post(
        {"inputs": images.tolist() if listed else packed(images)}
    )
    assert status == 422
    assert "inputs: found NaN or infinite values in particle 1 of 3" in content["error"]


def test_latents_that_are_not_finite(scoring_server: ScoringServer) -> None:
    status, content = scoring_server.post({"latents": [[np.nan] * 8]})
    assert status == 422
    assert content["error"].startswith("latents: found NaN")


def test_values_that_overflow_in_the_network(scoring_server: ScoringServer) -> None:
    images = np.random.default_rng(0).random((1, 1, 8, 8, 8)) * 3e38
    status, content = scoring_server.post({"inputs": packed(images)})
    assert status == 422
    assert "overflows" in content["error"]
