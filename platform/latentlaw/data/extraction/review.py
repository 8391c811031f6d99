"""What boxes hold, seen before they are used: voxels that are no number, constant boxes."""

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentlaw.errors import DataError

NonfinitePolicy = Literal["fail", "drop", "zero"]
_LISTED = 10


class Review:
    """Looks at boxes before they are used: which are not finite, which constant."""

    def __init__(self, policy: NonfinitePolicy) -> None:
        self.policy = policy
        self.nonfinite: list[str] = []
        self.constant: list[str] = []
        self._written: list[NDArray[np.int64]] = []

    def __call__(
        self, images: NDArray[np.float32], rows: pd.DataFrame
    ) -> tuple[NDArray[np.float32], pd.DataFrame]:
        """Return the images `(n, c, [z,] y, x)` and rows that are to be written."""
        voxels = tuple(range(1, images.ndim))
        low, high = images.min(axis=voxels), images.max(axis=voxels)
        bad = ~(np.isfinite(low) & np.isfinite(high))  # NaN is the least and the greatest of all
        self.nonfinite += rows["particle_id"][bad].tolist()
        same = low == high
        if bad.any() and self.policy == "zero":
            images[bad] = np.nan_to_num(images[bad], nan=0.0, posinf=0.0, neginf=0.0)
            same[bad] = ~images[bad].any(axis=voxels)
        elif bad.any():
            images, rows, same = images[~bad], rows[~bad], same[~bad]
        self.constant += rows["particle_id"][same].tolist()
        self._written.append(rows["row"].to_numpy())
        return images, rows

    def finish(self, source: str | Path) -> None:
        """Refuse boxes that are not finite, if the policy is to fail, when all are known.

        Raises
        ------
        DataError
            If there is one, naming the particles.
        """
        if self.policy == "fail" and self.nonfinite:
            more = len(self.nonfinite) - _LISTED
            raise DataError(
                f"{source}: found NaN or infinite voxels in {len(self.nonfinite)} particles, "
                f"{', '.join(self.nonfinite[:_LISTED])}{f' and {more} more' * (more > 0)}; "
                "mend the tomogram, or pass nonfinite=drop or nonfinite=zero"
            )

    def written(self) -> NDArray[np.int64]:
        """Return the numbers `(n,)` that the stack's particles have in the list, in its order."""
        return np.concatenate(self._written)
