"""What it takes to cross from our simulation to data that others made.

`python -m tests.results crossing` trains on our own tomograms of the 14 classes of
`tomograms/shrec_like` and tests on that, the work of another simulator; each line of the table
changes one thing about the training. `… ribosomes` does so at 12 angstrom, and asks of the 30
real 70S particles of `real_subtomograms_70S` whether they are found to be ribosomes. About two
minutes a line, six with the splat decoder.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from latentlaw.data.formats.mrc import read_map
from latentlaw.data.particles.stack import ParticleStack, open_stack
from latentlaw.data.particles.writer import new_stack
from latentlaw.data.star.euler import euler_to_quaternion
from latentlaw.evaluation.embed import embed
from latentlaw.evaluation.scores.pose import pose_errors_by_class
from latentlaw.serving.log import load_logged_bundle

from pipelines import affinity, evaluate, extract, ingest, simulate, train
from pipelines.cli.parameters import build
from pipelines.presets import shrec
from tests.results.records import Row

RIBOSOME = "4v5a"
CLASSES = (
    "1aon", "1bxn", "1qvr", "1s3x", "1u6g", "2cg9", "3cf3", "3d2f", "3gl1", "3h84", "3j9i", "3qm1",
    "4v1w", RIBOSOME,
)  # fmt: skip
MICROSCOPE = {"tilt_step": 3.0, "defocus": 30000.0, "amplitude_contrast": 0.07}
#: Nothing was chosen by data that others made.
SETTINGS = {**shrec.TRAINING, "channels": 8, "epochs": 40}
MEASURES = {
    "macro-F1": "classification/macro_f1",
    "macro-F1, KNN": "classification/knn_macro_f1",
    "silhouette": "separation/silhouette",
    "pose error, deg": "pose/median_error_deg",
}
#: Point groups of `structures.csv`, C1 where there is none.
SYMMETRY = {
    "1aon": "C7", "1bxn": "D4", "1qvr": "C6", "2cg9": "C2", "3cf3": "C6", "3h84": "D2",
    "3j9i": "D7", "3qm1": "C2", "4v1w": "O",
}  # fmt: skip


@dataclass(frozen=True)
class Variant:
    """What is told to `simulate`, `train` and to the `extract` of what is tested on."""

    name: str
    simulation: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    contrast: str = "dark"


VARIANTS = (
    Variant("signs left as they are", contrast="bright"),
    Variant("protein made bright"),
    Variant("and its microscope", MICROSCOPE),
    Variant("and less noise, SNR 0.5", MICROSCOPE | {"snr": 0.5}),
    Variant("and wedges of any direction", MICROSCOPE | {"snr": 0.5}, {"wedge": "random"}),
    Variant(
        "splat decoder told the wedge, SNR 0.5",
        MICROSCOPE | {"snr": 0.5},
        {"decoder": "splat", "tilt_range": 60.0, "beta": 1e-4, "gamma": 1.0},
    ),
)


class Crossing:
    """Trains variants below a folder; each simulation is made once."""

    def __init__(self, data: Path, out: Path, voxel_size_a: float) -> None:
        self.data, self.out, self.voxel_size_a = data, out, voxel_size_a

    def trained(self, variant: Variant) -> tuple[str, Path]:
        """Return the run of a variant's model and the stack that it was trained on."""
        stack, prior = self._simulated(variant.simulation)
        settings = {**SETTINGS, "affinity": str(prior), **variant.training}
        return train.run(build(train.Train, {"data": str(stack), **settings})), stack

    def _simulated(self, settings: dict[str, Any]) -> tuple[Path, Path]:
        name = "-".join(f"{key}_{value}" for key, value in settings.items()) or "plain"
        folder = self.out / f"{name}_{self.voxel_size_a:g}A"
        stack, prior = folder / "s.particles.zarr", folder / "affinity.csv"
        if prior.exists():
            return stack, prior
        made = folder / "simulated"
        told = {
            "templates": str(self._structures()),
            "classes": CLASSES,
            "tomograms": 4,
            "particles": 260,
            "shape": (128, 256, 256),
            "voxel_size": self.voxel_size_a,
            "out": str(made),
            **settings,
        }
        simulate.run(build(simulate.Simulate, told))
        self.cut(made / "tomograms", made / "particles.star", stack)
        templates = str(made / "templates")
        told = {"templates": templates, "method": "correlation", "out": str(prior)}
        affinity.run(build(affinity.Affinity, told))
        return stack, prior

    def _structures(self) -> Path:
        """Structures under the names that the other simulator gives them."""
        folder = self.out / "structures"
        folder.mkdir(exist_ok=True)
        for path in (self.data / "structures").resolve().glob("*.gz"):
            link = folder / path.name.replace("_ribosome1", "")
            if not link.exists():
                link.symlink_to(path)
        return folder

    def cut_foreign(self, contrast: str) -> Path:
        """Extract the particles of the other simulator's tomogram, once."""
        folder = self.data / "tomograms" / "shrec_like"
        return self.cut(
            folder / "reconstruction.mrc",
            folder / "particle_locations.txt",
            self.out / f"shrec_like_{contrast}.particles.zarr",
            pixel_size=self.voxel_size_a,
            contrast=contrast,
        )

    def cut(self, tomograms: Path, coordinates: Path, stack: Path, **settings: Any) -> Path:
        """Ingest tomograms and extract particles from them, once."""
        if not stack.exists():
            stores = stack.with_suffix(".stores")
            told = {"source": str(tomograms), "out": str(stores), "overwrite": True}
            ingest.run(build(ingest.Ingest, told))
            told = {"tomograms": str(stores), "coordinates": str(coordinates), "out": str(stack)}
            extract.run(build(extract.Extract, {**told, "edge": "pad", **settings}))
        return stack


def cross_simulators(
    crossing: Crossing, variants: tuple[Variant, ...], seeds: int
) -> Iterator[dict[str, Any]]:
    """Yield measures on held-out tomograms of ours and on the other simulator's."""
    for variant in variants:
        foreign = crossing.cut_foreign(variant.contrast)
        for seed in range(seeds):
            told = Variant(variant.name, variant.simulation, variant.training | {"seed": seed})
            model, stack = crossing.trained(told)
            row: dict[str, Any] = {"variant": variant.name, "seed": seed}
            asked = evaluate.Evaluate(model=model, data=str(stack), symmetry=SYMMETRY)
            own = evaluate.run(asked)
            other = evaluate.run(
                asked.model_copy(update={"data": str(foreign), "train_data": str(stack)})
            )
            for where, metrics in (("ours", own), ("theirs", other)):
                row |= {f"{k}, {where}": metrics.get(v, np.nan) for k, v in MEASURES.items()}
            yield row


def find_ribosomes(
    crossing: Crossing, variants: tuple[Variant, ...], seeds: int
) -> Iterator[dict[str, Any]]:
    """Yield how many real 70S particles are classified as ribosomes, and how novel they look."""
    real = real_ribosomes(crossing.data / "real_subtomograms_70S", crossing.out)
    for variant in variants:
        for seed in range(seeds):
            told = Variant(variant.name, variant.simulation, variant.training | {"seed": seed})
            model, _ = crossing.trained(told)
            bundle = load_logged_bundle(model)
            codes = embed(bundle.model, real.images)
            classes = bundle.head.classify(codes.mu)
            pose = np.nan
            if bundle.model.config.explicit_pose:
                truth = real.table[["qw", "qx", "qy", "qz"]].to_numpy()
                errors = pose_errors_by_class(codes.pose, truth, real.table["label"].to_numpy())
                pose = float(np.median(errors[RIBOSOME]))
            yield {
                "variant": variant.name,
                "seed": seed,
                "called ribosome": float((classes == RIBOSOME).mean()),
                "novelty, median": float(np.median(bundle.head.novelty(codes.mu))),
                "pose error, deg": pose,
                "most called": pd.Series(classes).mode()[0],
            }


def real_ribosomes(folder: Path, out: Path) -> ParticleStack:
    """Stack the real 70S particles with RELION's orientations."""
    path = out / "real_70S.particles.zarr"
    table = pd.read_csv(folder / "particles.csv")
    if not path.exists():
        maps = np.stack([np.asarray(read_map(folder / f)[0], np.float32) for f in table["file"]])
        angles = table[["rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"]].to_numpy()
        poses = dict(zip(("qw", "qx", "qy", "qz"), euler_to_quaternion(angles).T, strict=True))
        rows = pd.DataFrame({"label": RIBOSOME, "tomogram": table["tomogram"], **poses})
        rows = rows.assign(group=table["tomogram"], **dict.fromkeys("zyx", np.nan))
        with new_stack(path, item_shape=(1, *maps.shape[1:]), voxel_size_a=12.0) as writer:
            writer.append(maps[:, None], rows)
    return open_stack(path)


def measure(data: Path, out: Path, *, real: bool) -> Iterator[Row]:
    """Train, test, and yield rows of each variant, on one seed.

    Parameters
    ----------
    data, out
        Folders of real inputs, and for what is made.
    real
        Test on real ribosomes instead of another simulator's particles.
    """
    crossing = Crossing(data, out, 12.0 if real else 10.0)
    if real:  # they are bright already
        found = find_ribosomes(crossing, VARIANTS[1:], 1)
    else:
        found = cross_simulators(crossing, VARIANTS, 1)
    for line in found:
        for column, value in line.items():
            if isinstance(value, float) and not np.isnan(value):
                most = f"(most called: {line['most called']})" if "most called" in line else ""
                beside = most if column == "called ribosome" else ""
                yield Row(line["variant"], value, column=column, beside=beside, table="training")
