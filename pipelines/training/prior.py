"""The prior of a training: read, made reachable, and said how far it was from that."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from latentlaw.priors.files import read_affinity
from latentlaw.priors.table import AffinityTable, project, projection_report
from latentlaw.tracking.names import PRIOR
from latentlaw.tracking.recording.runs import log_json, log_metrics
from latentlaw.tracking.say import say

Projection = Literal["nearest", "none"]


@dataclass(frozen=True)
class Prior:
    """Similarities of the classes in training, as they were given and as they are trained on."""

    given: AffinityTable
    used: AffinityTable

    @classmethod
    def read(cls, path: str | Path, class_names: list[str], projection: Projection) -> "Prior":
        """Read the rows and columns of the classes in training."""
        given = read_affinity(path).select(class_names)
        return cls(given, given if projection == "none" else project(given))

    @property
    def matrix(self) -> torch.Tensor:
        """Similarities that are trained on, `(classes, classes)`, float32."""
        return torch.tensor(self.used.values, dtype=torch.float32)

    def log(self) -> None:
        """Log both tables, and say so where the given one is not reachable by cosines."""
        report = projection_report(self.given, self.used)
        log_metrics({f"affinity/{name}": value for name, value in report.items()})
        if report["projection_shift"] > 1e-3:
            say(
                f"affinity: asymmetry {self.given.asymmetry:.2f}, smallest eigenvalue "
                f"{self.given.smallest_eigenvalue:.2f}: no latents have these cosines (their loss "
                f"would stay at about {report['floor']:.3f}); trained on the nearest table that "
                "some have (affinity_projection=none to train on it as it is)"
            )
        log_json(
            PRIOR,
            {
                "class_names": self.given.class_names,
                "given": self.given.values.tolist(),
                "used": self.used.values.tolist(),
            },
        )
