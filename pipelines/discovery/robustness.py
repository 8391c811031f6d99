"""What `discover` says of robustness: attacks, natural shifts, and what they change."""

import math
from collections.abc import Mapping

import mlflow
import numpy as np
from latentlaw.data.particles.splits import TEST
from latentlaw.discovery.robustness.attacks import Logits
from latentlaw.discovery.robustness.probing import ProbeImages, Probes, RungProbe, probe_rungs
from latentlaw.evaluation.meanings.shifts import EQUAL_INTENSITY, Shift
from latentlaw.models.vae import AutoEncoder
from latentlaw.tracking.names import PERTURBATIONS, ROBUSTNESS
from latentlaw.tracking.recording.runs import log_json, log_metrics
from latentlaw.tracking.say import say
from latentlaw.training.prepare import PreparedData
from numpy.typing import NDArray

from pipelines.cli.command import ProgressBar
from pipelines.discovery.parameters import Discover
from pipelines.figures.perturbations import perturbation_figure

#: Voxels that are attacked unless told: 200 images of 40 x 40, but `_FEWEST` particles at least.
_VOXELS, _MOST, _FEWEST = 320_000, 200, 32


def attacked_rows(
    particles: int, voxels: int, seed: int, most: int | None = None
) -> NDArray[np.intp]:
    """Draw which of the test particles to attack, images of `voxels` each; sorted.

    `most` is how many at most; None: as many as take seconds.
    """
    count = int(np.clip(_VOXELS // voxels, _FEWEST, _MOST)) if most is None else most
    drawn = np.random.default_rng(seed).permutation(particles)[:count]
    return np.asarray(np.sort(drawn))


def log_robustness(
    rungs: Mapping[str, Logits],
    images: ProbeImages,
    probes: Probes,
    class_names: list[str],
    progress: ProgressBar,
) -> None:
    """Probe every rung on test images; log metrics, `robustness.json` and a figure."""
    found: list[RungProbe] = []
    for probe in probe_rungs(rungs, images, probes):
        found.append(probe)
        log_metrics(probe.metrics)
        progress(len(found), len(rungs), "robustness")
    log_json(ROBUSTNESS, [probe.to_dict() for probe in found])
    mlflow.log_figure(perturbation_figure(found, images, class_names), PERTURBATIONS)
    say_what_leans_on_intensity(found)


def say_what_leans_on_intensity(found: list[RungProbe]) -> None:
    """Say which rung loses most accuracy on images of equal total intensity, if one does."""
    lost = {
        probe.family: (probe.linf.accuracy(0), probe.shifted[EQUAL_INTENSITY])
        for probe in found
        if EQUAL_INTENSITY in probe.shifted
    }
    family = max(lost, key=lambda name: lost[name][0] - lost[name][1], default=None)
    if family is not None and lost[family][0] > lost[family][1]:
        before, after = lost[family]
        say(
            f"discover: {family} leans most on total intensity: accuracy {before:.3f}, "
            f"{after:.3f} on images scaled to the same"
        )


def probe(
    p: Discover,
    data: PreparedData,
    model: AutoEncoder,
    rungs: dict[str, Logits],
    progress: ProgressBar,
) -> None:
    """Log how robust each family is, on test particles drawn once."""
    rows = data.known_rows(TEST)
    voxels = math.prod(model.config.image_shape)
    rows = rows[attacked_rows(len(rows), voxels, p.seed, p.attacked)]
    images = ProbeImages(data.images.read(rows), data.indices(rows), model.config.normalisation)
    shifts = [Shift.parse(text) for text in p.shifts]
    probes = Probes(p.epsilons, p.epsilons_l2, shifts, p.seed)
    log_robustness(rungs, images, probes, data.class_names, progress)
