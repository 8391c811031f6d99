"""A tiny model with a law, and a real server of it on the loopback address."""

import base64
import http.client
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import sympy
from latentlaw.discovery.equations.expressions import symbol
from latentlaw.discovery.equations.model import EquationModel
from latentlaw.evaluation.head.head import fit_head
from latentlaw.models.config import ModelConfig
from latentlaw.models.vae import AutoEncoder
from latentlaw.serving.bundle import Bundle

from tests.servers import Server, answers, free_port

ROOT = Path(__file__).parents[1]


def tiny_bundle(box: int = 8, **options: Any) -> Bundle:
    """Return an untrained splat model of volumes `(1, box, box, box)`; z0 < 0.25 is `small`.

    `options` are those of `ModelConfig`.
    """
    values = {"family": "affinity-vae", "image_shape": (1, box, box, box), "pose_dims": 4}
    values |= {"decoder": "splat", "channels": 4, "depth": 1} | options
    mu = np.random.default_rng(0).normal(size=(40, 8))
    labels = np.where(mu[:, 0] > 0.25, "large", "small")
    law = EquationModel(
        ("large", "small"),
        tuple(f"z{i}" for i in range(8)),
        (-2 * symbol("z0") + sympy.Float(0.5),),
    )
    return Bundle(
        AutoEncoder(ModelConfig.model_validate(values)).eval(), fit_head(mu, labels, mu), law
    )


def packed(images: np.ndarray) -> dict[str, Any]:
    """Return values as a request packs them."""
    raw = np.ascontiguousarray(images, dtype="<f4").tobytes()
    return {"b64": base64.b64encode(raw).decode(), "shape": list(images.shape)}


class ScoringServer(Server):
    """`python -m latentlaw.serving` of the bundle in a folder."""

    def __init__(
        self,
        folder: Path,
        *options: str,
        command: Sequence[str] = (),
        path: str = f"{ROOT}:{ROOT / 'platform'}",
    ) -> None:
        self.port = free_port()
        command = command or [sys.executable, "-m", "latentlaw.serving", str(folder), *options]
        super().__init__(
            [*command, "--port", str(self.port)],
            folder.parent / f"server-{self.port}.log",
            lambda: answers(f"http://127.0.0.1:{self.port}/ping"),
            environment={"OMP_NUM_THREADS": "1", "PYTHONPATH": path},
        )

    def post(self, body: Any, **headers: str) -> tuple[int, Any]:
        """Send a body, JSON unless it is bytes; return the status and the JSON that came back."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(
            "POST", "/invocations", raw, {"content-type": "application/json"} | given
        )
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response.status, json.loads(content, parse_constant=_no_constant)

    @property
    def process_id(self) -> int:
        """Of the server."""
        assert self._process is not None
        return self._process.pid

    def resident_bytes(self) -> int:
        """Return the memory that the server's process holds."""
        return int(psutil.Process(self.process_id).memory_info().rss)


def _no_constant(name: str) -> float:
    raise AssertionError(f"{name} is not JSON")
