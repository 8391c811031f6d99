"""What a worker does of a prediction: read or cut a part's particles, embed them, keep answers."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, reduce
from pathlib import Path
from threading import Lock

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentlaw.data.extraction.boxes import cut_boxes
from latentlaw.data.extraction.review import NonfinitePolicy, Review
from latentlaw.data.particles.stack import ParticleStack, open_stack
from latentlaw.data.scheduler import HERE
from latentlaw.data.tomograms.contrast import Contrast
from latentlaw.data.tomograms.store import Tomogram
from latentlaw.errors import DataError
from latentlaw.evaluation.embed import Embedding, embed
from latentlaw.serving.bundle import Bundle, load_bundle
from latentlaw.serving.prediction.parts import keep_part
from latentlaw.training.devices import DeviceName, pick_device

#: Number of a particle in the list or stack that it is from, in a part's table.
ROW = "row"
_PARTS = ("class", "probability", "novelty", "latents", "pose", "expression")
_loading = Lock()
Batches = Iterator[tuple[NDArray[np.float32], pd.DataFrame]]


@dataclass(frozen=True)
class ModelPlace:
    """Where workers find the bundle, and how they use it.

    Attributes
    ----------
    digest
        Of the bundle, so that another one at the same place is not taken for it.
    device
        As in `pick_device`, which the worker asks.
    batch_size
        Particles to embed at once.
    """

    folder: str
    digest: str
    device: DeviceName
    batch_size: int

    def load(self) -> Bundle:
        """Load the bundle, once per process."""
        with _loading:  # threads that come first together would each load it
            return _load(self.folder, self.digest, self.device)


@dataclass(frozen=True)
class StackPart:
    """Particles `start` to `stop` of a stack, whose answers go to `out`."""

    model: ModelPlace
    stack: str
    digest: str
    start: int
    stop: int
    nonfinite: NonfinitePolicy
    out: Path

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def name(self) -> str:
        """What to call it in messages."""
        return f"particles {self.start} to {self.stop} of {self.stack}"

    def batches(self) -> Batches:
        """Yield images `(n, c, [z,] y, x)` and their rows."""
        stack = _open_stack(self.stack, self.digest)
        places = np.arange(self.start, self.stop)
        rows = stack.table[["particle_id"]].iloc[places].assign(**{ROW: places})
        for start in range(0, len(self), self.model.batch_size):
            batch = slice(start, start + self.model.batch_size)
            yield stack.images.read(places[batch]), rows[batch]


@dataclass(frozen=True)
class Cutting:
    """How boxes of edge `box` are cut: contrast of protein, what becomes of voxels not finite."""

    box: int
    contrast: Contrast
    nonfinite: NonfinitePolicy


@dataclass(frozen=True)
class TomogramPart:
    """Placed particles of a tomogram, `rows` of `placement.place`, whose answers go to `out`."""

    model: ModelPlace
    tomogram: Tomogram
    rows: pd.DataFrame
    cutting: Cutting
    out: Path

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def nonfinite(self) -> NonfinitePolicy:
        """What to do with voxels that are no number."""
        return self.cutting.nonfinite

    @property
    def name(self) -> str:
        """What to call it in messages."""
        return f"{len(self.rows)} particles of {self.tomogram.name}"

    def batches(self) -> Batches:
        """Cut images `(n, 1, box, box, box)`, protein bright, and their rows."""
        cutting = self.cutting
        return cut_boxes(self.tomogram, self.rows, cutting.box, HERE, cutting.contrast)


def answer(part: StackPart | TomogramPart) -> None:
    """Keep the answers for a part: `row`, then what the bundle says of each particle.

    Raises
    ------
    DataError
        If voxels are NaN or infinite and the policy is to fail, grey levels are so large that
        latents are, or a chunk is damaged.
    """
    bundle = part.model.load()
    review = Review(part.nonfinite)
    codes, numbers = [], []

    def take(images: NDArray[np.float32], rows: pd.DataFrame) -> NDArray[np.bool_]:
        """Embed images, keep what is finite, and tell which are not."""
        found = embed(bundle.model, images, batch_size=part.model.batch_size)
        finite = np.isfinite(found.mu).all(axis=1) & np.isfinite(found.pose).all(axis=1)
        codes.append(found.rows(np.flatnonzero(finite)))
        numbers.append(rows[ROW].to_numpy()[finite])
        return np.asarray(~finite)

    for images, rows in part.batches():
        # A voxel that is not finite makes all latents so; it costs nothing to look there.
        bad = take(images, rows)
        if bad.any():
            kept, these = review(images[bad], rows[bad])
            if len(kept) and take(kept, these).any():
                raise DataError(
                    f"{part.name}: grey levels are so large that the network overflows; scale the "
                    "images"
                )
    review.finish(part.name)
    said = pd.DataFrame({ROW: np.concatenate(numbers)})
    if len(said):
        together = reduce(Embedding.followed_by, codes)
        said = said.join(pd.DataFrame(bundle.answers(together, returns=_PARTS)))
    keep_part(part.out, said)


@lru_cache(maxsize=1)
def _load(folder: str, digest: str, device: DeviceName) -> Bundle:
    bundle = load_bundle(Path(folder))
    bundle.model.to(pick_device(device))
    return bundle


@lru_cache(maxsize=1)
def _open_stack(path: str, digest: str) -> ParticleStack:
    return open_stack(path)
