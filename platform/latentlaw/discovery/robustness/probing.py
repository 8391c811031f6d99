"""Probe a model of the frontier: attacks, natural shifts, and what its smallest attacks change.

Every model is probed on the same images, so that a shortcut of the black box can be seen beside
what an equation of the same accuracy rests on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from latentlaw.discovery.robustness.attacks import BATCH, Target
from latentlaw.discovery.robustness.smallest_changes import smallest_changes
from latentlaw.evaluation.meanings.image_features import foregrounds
from latentlaw.evaluation.meanings.perturbations import (
    energy_inside,
    feature_changes,
    named_features,
)
from latentlaw.evaluation.meanings.shifts import apply_shift

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from latentlaw.discovery.robustness.attacks import Logits, Norm
    from latentlaw.discovery.robustness.smallest_changes import SmallestChanges
    from latentlaw.evaluation.meanings.shifts import Shift
    from latentlaw.models.normalisation import Normalisation

UNIT = "normalised images"


@dataclass(frozen=True)
class ProbeImages:
    """The images that models are probed with.

    Attributes
    ----------
    raw
        `(n, c, [z,] y, x)`, grey levels.
    labels
        Class indices `(n,)`.
    normalisation
        How they become a model's input.
    """

    raw: NDArray[np.float32]
    labels: NDArray[np.int64]
    normalisation: Normalisation

    @cached_property
    def normalised(self) -> Tensor:
        """The images `(n, c, [z,] y, x)` as models take them."""
        return self.normalisation(torch.from_numpy(self.raw))

    @cached_property
    def masks(self) -> NDArray[np.bool_]:
        """The foregrounds of the images in grey levels, `(n, c, [z,] y, x)`."""
        return foregrounds(self.in_grey_levels(self.normalised))

    def in_grey_levels(self, normalised: Tensor) -> NDArray[np.float32]:
        """Return normalised images, moved or not, in the grey levels of the raw ones.

        Both are `(n, c, [z,] y, x)`.
        """
        grey = self.normalisation.undo(normalised, torch.from_numpy(self.raw))
        return np.asarray(grey.numpy(), dtype=np.float32)


@dataclass(frozen=True)
class Probes:
    """Radii to ask accuracies for, in units of normalised images, natural shifts, and a seed."""

    linf: Sequence[float]
    l2: Sequence[float]
    shifts: Sequence[Shift]
    seed: int = 0

    @property
    def radii(self) -> dict[Norm, Sequence[float]]:
        """Radii by norm."""
        return {"linf": self.linf, "l2": self.l2}


@dataclass(frozen=True)
class RungProbe:
    """What was found of one rung.

    Attributes
    ----------
    linf, l2
        Smallest changes that make it err, by norm.
    inside, area
        Of each smallest `l2` change, the share of its energy in the foreground of the unmoved
        image, and the foreground's share of the image, the level of chance; NaN where there is
        no change.
    answers
        Class indices that the rung gives to the images after those changes, `(n,)`.
    features
        Median size of what those changes do to plain features, in standard deviations over images.
    shifted
        Accuracy under each shift.
    """

    family: str
    probes: Probes
    linf: SmallestChanges
    l2: SmallestChanges
    inside: NDArray[np.float64]
    area: NDArray[np.float64]
    answers: NDArray[np.int64]
    features: dict[str, float]
    shifted: dict[str, float]

    @property
    def metrics(self) -> dict[str, float]:
        """Metrics of a run; those that are not finite are left out."""
        robust = {
            **{f"eps_{e:g}": self.linf.accuracy(e) for e in self.probes.linf},
            **{f"l2_{e:g}": self.l2.accuracy(e) for e in self.probes.l2},
            "median_linf": self.linf.median,
            "median_l2": self.l2.median,
            "inside": _mean(self.inside),
            "inside_chance": _mean(self.area),
            "search_share": max(self.linf.search_share, self.l2.search_share),
            **{f"change_{_plain(name)}": value for name, value in self.features.items()},
        }
        shifted = {"none": self.linf.accuracy(0), **self.shifted}
        found = {f"robustness/{self.family}/{name}": value for name, value in robust.items()}
        found |= {f"shifts/{self.family}/{name}": value for name, value in shifted.items()}
        return {name: value for name, value in found.items() if math.isfinite(value)}

    def to_dict(self) -> dict[str, Any]:
        """Return a record of `robustness.json`; what is not defined is NaN."""
        attacks = {
            norm: {
                "accuracy": {f"{e:g}": changes.accuracy(e) for e in (0.0, *radii)},
                "median_radius": changes.median if math.isfinite(changes.median) else math.nan,
                "search_share": changes.search_share,
            }
            for norm, changes, radii in (
                ("linf", self.linf, self.probes.linf),
                ("l2", self.l2, self.probes.l2),
            )
        }
        return {
            "family": self.family,
            "images": len(self.linf.radii),
            "unit": UNIT,
            "attacks": attacks,
            "inside": {"share": _mean(self.inside), "chance": _mean(self.area)},
            "feature_changes_sd": self.features,
            "shifts": {"none": self.linf.accuracy(0), **self.shifted},
        }


def probe_rungs(
    rungs: Mapping[str, Logits], images: ProbeImages, probes: Probes
) -> Iterable[RungProbe]:
    """Yield what is found of each rung, one after the other.

    Parameters
    ----------
    rungs
        By family, a function of normalised images `(n, c, [z,] y, x)` to logits `(n, K)`,
        differentiable.
    images
        Images with their classes, in grey levels.
    probes
        Radii, shifts and the seed of the attacks.

    Raises
    ------
    ConfigError
        If a radius or a shift is out of range.
    """
    generator = torch.Generator().manual_seed(probes.seed)
    shifted = {
        shift.name: images.normalisation(
            torch.from_numpy(apply_shift(images.raw, shift, generator))
        )
        for shift in probes.shifts
    }
    normalised = images.normalised
    labels = torch.from_numpy(images.labels)
    features, masks = named_features(images.in_grey_levels(normalised)), images.masks
    area = masks.mean(axis=tuple(range(1, masks.ndim)))
    for family, logits in rungs.items():
        linf, l2 = (
            smallest_changes(
                Target(logits, normalised, labels, norm),
                radii,
                generator=torch.Generator().manual_seed(probes.seed),
            )
            for norm, radii in probes.radii.items()
        )
        inside = energy_inside((l2.images - normalised).numpy(), masks)
        moved = l2.moved.numpy()
        after = named_features(images.in_grey_levels(l2.images))
        changes = feature_changes(features, after)[moved].abs()
        yield RungProbe(
            family=family,
            probes=probes,
            linf=linf,
            l2=l2,
            inside=np.where(moved, inside, np.nan),
            area=np.where(moved, area, np.nan),
            answers=_answers(logits, l2.images),
            features={str(name): float(changes[name].median()) for name in changes},
            shifted={
                name: float((_answers(logits, each) == images.labels).mean())
                for name, each in shifted.items()
            },
        )


def _answers(logits: Logits, normalised: Tensor) -> NDArray[np.int64]:
    """Return the classes `(n,)` that a rung gives to images."""
    with torch.no_grad():
        parts = [logits(batch).argmax(dim=1) for batch in normalised.split(BATCH)]
    return np.asarray(torch.cat(parts).numpy())


def _mean(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else math.nan


def _plain(name: str) -> str:
    return name.replace(" ", "_")
