"""Options that exclude each other are said before data is read."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from latentlaw.data.particles.chunks import ImageChunks
from latentlaw.data.particles.writer import new_stack


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "affinity-vae", "gamma": 1}, "affinity: found none"),
        (
            {"model": "tc-vae", "affinity": "a.csv"},
            "affinity: found one, expected none for a tc-vae",
        ),
        (
            {"model": "beta-vae", "reconstruction": "bce", "normalisation": "particle"},
            "found bce, normalisation=particle",
        ),
    ],
)
def test_row_33_incompatible_options(
    refused: Callable[..., str],
    options: dict[str, object],
    message: str,
) -> None:
    assert message in refused("train", data="is-not-there", **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "affinity-vae"}, "error: affinity: found none, expected a CSV"),
        ({"objective": "classification/macrof1"}, "did you mean 'classification/macro_f1'"),
        ({"objective": "separation/affinity_spearman"}, "objective=separation/affinity_spearman"),
        ({"objective": "val/loss"}, "found val/loss and a space of beta"),
        ({"objective": "pareto", "pruner": "median"}, "use pruner=none"),
        ({"workers": 2, "scheduler": "tcp://127.0.0.1:1"}, "workers: found 2 and a scheduler"),
    ],
)
def test_row_33_studies(
    refused: Callable[..., str], options: dict[str, object], message: str
) -> None:
    assert message in refused("tune", **{"data": "is-not-there", "model": "beta-vae"} | options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": 3}, "(12, 12) divisible by 8; use depth=2"),
        (
            {"decoder": "splat", "pose_dims": 4},
            "found 4, expected the 2 of the splat decoder in 2-D",
        ),
        ({"final_channels": 4}, "final_channels: found 4 and decoder=conv"),
        (
            {"wedge": "random"},
            "wedge: found images, expected volumes, which alone lack a wedge; use wedge=none",
        ),
        ({"device": "cuda"}, "device: cuda was asked for"),
    ],
)
def test_row_33_options_that_do_not_fit_the_box(
    tmp_path: Path,
    refused: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, object],
    message: str,
) -> None:
    data = tmp_path / "s.particles.zarr"
    with new_stack(data, item_shape=(1, 12, 12)) as writer:
        writer.append(np.zeros((8, 1, 12, 12)), pd.DataFrame({"label": ["a", "b"] * 4}))

    def read(*_: object) -> None:
        pytest.fail("an image was read")

    monkeypatch.setattr(ImageChunks, "_get", read)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert message in refused("train", data=data, model="beta-vae", **options)
