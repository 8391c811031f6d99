"""Row 59: deeply nested JSON: 4xx, and the server goes on."""

import pytest

from tests.bundles import ScoringServer


@pytest.mark.parametrize("depth", [60, 900, 400_000])
@pytest.mark.parametrize("key", [b"inputs", b"params"])
def test_nested_json(scoring_server: ScoringServer, depth: int, key: bytes) -> None:
    body = b'{"' + key + b'": ' + b"[" * depth + b"]" * depth + b"}"
    status, content = scoring_server.post(body)
    assert status == 400
    assert content["error"]
    assert scoring_server.post({"latents": [[0.0] * 8]})[0] == 200
