"""What a worker does of a search: score windows of a tomogram, and keep the scores."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlaw.data.tomograms.contrast import Contrast, bright
from latentlaw.data.tomograms.store import Tomogram
from latentlaw.evaluation.scores.detection import best_shift, reconstruction_correlation
from latentlaw.models.vae import AutoEncoder
from latentlaw.serving.prediction.answering import ModelPlace
from latentlaw.serving.prediction.parts import keep_part

SCORE, MOVE = "score", ["dz", "dy", "dx"]
Voxels = NDArray[np.int64]
Windows = NDArray[np.float32]


@dataclass(frozen=True)
class WindowPart:
    """Windows of edge `box` about voxels `centres` `(n, 3)` zyx that lie near each other."""

    model: ModelPlace
    tomogram: Tomogram
    centres: Voxels
    box: int
    contrast: Contrast
    out: Path

    def __len__(self) -> int:
        return len(self.centres)

    @property
    def name(self) -> str:
        """What to call it in messages."""
        low, high = self.centres.min(axis=0), self.centres.max(axis=0)
        return f"windows {low.tolist()} to {high.tolist()} of {self.tomogram.name}"

    def batches(self) -> Iterator[Windows]:
        """Yield windows `(n, 1, box, box, box)` of one read, protein bright.

        What lies outside the tomogram is the mean of what is inside; other voxels that are not
        finite stay.
        """
        shape, half = np.array(self.tomogram.shape), self.box // 2
        origin = self.centres.min(axis=0) - half
        end = self.centres.max(axis=0) + half
        low, high = np.maximum(origin, 0), np.minimum(end, shape)
        voxels = self.tomogram.read(tuple(map(slice, low.tolist(), high.tolist())))
        beyond = np.stack((low - origin, end - high), axis=1)
        seen = bright(voxels.astype(np.float32), self.contrast)
        padded = np.pad(seen, beyond, constant_values=np.nan)
        view = np.lib.stride_tricks.sliding_window_view(padded, (self.box,) * 3)
        corners = self.centres - half
        inside = np.minimum(corners + self.box, shape) - np.maximum(corners, 0)
        outside = self.box**3 - inside.prod(axis=1)
        for start in range(0, len(corners), self.model.batch_size):
            batch = slice(start, start + self.model.batch_size)
            places = corners[batch] - origin
            windows = view[places[:, 0], places[:, 1], places[:, 2]]
            for window, missing in zip(windows, outside[batch], strict=True):
                unknown = np.isnan(window) if missing else np.zeros(0, bool)
                if missing and unknown.sum() == missing:
                    window[unknown] = window[~unknown].mean(dtype=np.float64)
            yield windows[:, None]


def score(part: WindowPart) -> None:
    """Keep the score of each window, NaN where a voxel is not finite.

    Raises
    ------
    DataError
        If a chunk is damaged.
    """
    keep_part(part.out, pd.DataFrame({SCORE: np.concatenate([_scores(*b) for b in _ready(part)])}))


def align(part: WindowPart) -> None:
    """Keep the score of each window, and the voxels `dz dy dx` to move it by to show more.

    The part's windows are wider than the model's box, by twice the farthest move.

    Raises
    ------
    DataError
        If a chunk is damaged.
    """
    tables = []
    for model, wide in _ready(part):
        reach = (part.box - model.config.image_shape[-1]) // 2
        inner = (slice(None), slice(None), *[slice(reach, part.box - reach)] * 3)
        finite = np.isfinite(wide)
        known = np.where(finite, wide, wide[finite].mean() if finite.any() else 0)
        moves = best_shift(model, _on_device(model, known)).cpu().numpy()
        table = pd.DataFrame(moves, columns=MOVE)
        tables.append(table.assign(**{SCORE: _scores(model, wide[inner])}))
    keep_part(part.out, pd.concat(tables, ignore_index=True))


def _ready(part: WindowPart) -> Iterator[tuple[AutoEncoder, Windows]]:
    model = part.model.load().model
    return ((model, windows) for windows in part.batches())


def _scores(model: AutoEncoder, windows: Windows) -> NDArray[np.float32]:
    finite = np.isfinite(windows).all(axis=(1, 2, 3, 4))
    scores = np.full(len(windows), np.nan, np.float32)
    if finite.any():
        images = _on_device(model, windows[finite])
        scores[finite] = reconstruction_correlation(model, images).cpu().numpy()
    return scores


def _on_device(model: AutoEncoder, windows: Windows) -> Tensor:
    return torch.from_numpy(windows).to(next(model.parameters()).device)
