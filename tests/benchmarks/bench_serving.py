"""What the scoring server adds to a forward pass of one 32^3 image, packed."""

import http.client
import json
import tempfile
from pathlib import Path

import numpy as np
import torch

from tests.benchmarks.ratio import Ratio, interleaved_seconds
from tests.bundles import ScoringServer, packed, tiny_bundle

BOX, ROUNDS, WARM = 32, 200, 20


def measure() -> list[Ratio]:
    """Return the milliseconds that a request costs beside the bare forward pass."""
    torch.set_num_threads(1)  # as the server's; threads that wait for a busy core hide the rest
    bundle = tiny_bundle(BOX, decoder="conv", pose_dims=3, channels=16, depth=5)
    image = np.random.default_rng(0).random((1, 1, BOX, BOX, BOX), dtype=np.float32)
    body = json.dumps({"inputs": packed(image)}).encode()
    normalise = bundle.model.config.normalisation

    def forward() -> None:
        with torch.inference_mode():
            bundle.model.encode(normalise(torch.from_numpy(image)))

    with tempfile.TemporaryDirectory(prefix="latentlaw-serving-") as scratch:
        folder = Path(scratch) / "bundle"
        bundle.save(folder)
        server = ScoringServer(folder)
        server.start()
        try:
            connection = http.client.HTTPConnection("127.0.0.1", server.port)

            def post() -> None:
                headers = {"content-type": "application/json"}
                connection.request("POST", "/invocations", body, headers)
                response = connection.getresponse()
                response.read()
                if response.status != 200:
                    raise RuntimeError(f"the server answered {response.status}")

            interleaved_seconds(post, forward, rounds=WARM)
            served, bare = interleaved_seconds(post, forward, rounds=ROUNDS)
        finally:
            server.kill()
    return [
        Ratio(
            f"serving beside the forward pass, 1 x {BOX}^3 packed",
            "the bare forward pass",
            1e3 * (served - bare),
            1e3 * bare,
            "ms",
            10.0,
            at_most=True,
        )
    ]
