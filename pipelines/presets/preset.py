"""What a preset is: data, prior and settings, made by the entries that a user could call."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
from latentlaw.data.collection.collect import collect_particles
from numpy.typing import NDArray

from pipelines.cli.parameters import Entry, build

Size = Literal["small", "full"]


@dataclass(frozen=True)
class Preset:
    """A particle stack, its prior, and what differs from the defaults.

    Attributes
    ----------
    training
        Parameters of `train`, `hold_out` and `epochs` among them.
    test_data
        Stack to test on where it is another one.
    models
        Methods to compare; empty: all.
    """

    data: str
    affinity: str
    training: dict[str, Any] = field(default_factory=dict)
    test_data: str | None = None
    models: tuple[str, ...] = ()


@dataclass(frozen=True)
class Order:
    """Where a preset finds its source and puts what it makes, how much, and by which draw."""

    source: Path
    out: Path
    size: Size = "small"
    seed: int = 0
    overwrite: bool = False

    def step(self, entry: type[Entry], run: Callable[[Any], Any], **values: Any) -> Any:
        """Run an entry of the pipeline."""
        shared = {"seed": self.seed, "overwrite": self.overwrite}
        own = {name: value for name, value in shared.items() if name in entry.model_fields}
        texts = {k: str(v) if isinstance(v, Path) else v for k, v in values.items()}
        return run(build(entry, own | texts))

    def collect(self, name: str, images: NDArray[Any], labels: list[str]) -> Path:
        """Collect images `(n, …)` in memory into a stack below `out`, and return it."""
        stack = self.out / f"{name}.particles.zarr"
        with TemporaryDirectory() as scratch:
            archive = Path(scratch) / f"{name}.npz"
            np.savez(archive, images=images, labels=np.array(labels))
            collect_particles(archive, stack, overwrite=self.overwrite)
        return stack
