"""Too few particles, of a class or of all, is said with the counts before anything is trained."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from latentlaw.data.particles.chunks import ImageChunks
from latentlaw.data.particles.writer import new_stack


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        (["a"] * 40, {}, r"found 1 class to train on \(a 40\), expected two for a classifier"),
        ([""] * 40, {}, r"found 0 class to train on \(unlabelled 40\)"),
        (
            ["a", "b"] * 20,
            {"hold_out": "b"},
            r"found 1 class to train on \(a 20, b 20\).*hold out fewer classes",
        ),
        (
            ["a"] * 20 + ["b"] * 19 + ["c"],
            {},
            r"found 1 particle of class 'c' \(a 20, b 19, c 1\).*by hold_out=c",
        ),
        (
            ["a", "a", "b", "b"],
            {},
            r"4 particles \(a 2, b 2\), of which 2 beside test \(a 1, b 1\)",
        ),
    ],
)
def test_row_30_too_few(
    tmp_path: Path,
    refused: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    labels: list[str],
    options: dict[str, object],
    message: str,
) -> None:
    n, data = len(labels), tmp_path / "s.particles.zarr"
    with new_stack(data, item_shape=(1, 8, 8)) as writer:
        table = pd.DataFrame({"label": labels, "group": np.arange(n).astype(str)})
        writer.append(np.zeros((n, 1, 8, 8)), table.replace("", None))

    def read(*_: object) -> None:
        pytest.fail("an image was read")

    monkeypatch.setattr(ImageChunks, "_get", read)
    said = refused("train", data=data, model="beta-vae", **options)
    assert re.search(message, said), said
