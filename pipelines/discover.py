"""Discover laws on the latents of a trained model."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from latentlaw.data.particles.splits import TEST, TRAIN, VAL
from latentlaw.data.particles.stack import ParticleStack, open_stack
from latentlaw.data.particles.tasks import task_labels
from latentlaw.discovery.baselines.features import feature_data
from latentlaw.discovery.discover import Discovery, discover_laws
from latentlaw.discovery.frontier import Rung, model_rung
from latentlaw.discovery.latents import LatentData, LatentSplit, check_latents
from latentlaw.discovery.networks.dense import fit_logistic
from latentlaw.discovery.networks.sparse import SparseMethod
from latentlaw.discovery.robustness.attacks import Logits
from latentlaw.discovery.robustness.probing import ProbeImages, Probes
from latentlaw.discovery.search.engines.engine import SearchSpec
from latentlaw.discovery.search.engines.selection import EngineName, select_engine
from latentlaw.errors import DataError
from latentlaw.evaluation.embed import Embedding, embed
from latentlaw.evaluation.figures import traversal_strip
from latentlaw.evaluation.head.head import LatentHead, fit_head
from latentlaw.evaluation.meanings.image_features import image_features
from latentlaw.evaluation.meanings.latent_meanings import Meaning, latent_meanings
from latentlaw.evaluation.meanings.shifts import Shift
from latentlaw.models.vae import AutoEncoder
from latentlaw.serving.bundle import Bundle
from latentlaw.serving.log import example_images, load_logged_bundle, log_bundle
from latentlaw.tracking.names import EQUATIONS, FRONTIER, LATENTS
from latentlaw.tracking.reading.origins import training_run
from latentlaw.tracking.reading.splits import load_split
from latentlaw.tracking.recording.runs import (
    configure_tracking,
    log_data,
    log_image,
    log_json,
    log_metrics,
    stage_run,
    tag_run,
)
from latentlaw.tracking.say import say
from latentlaw.training.classifier import BlackBox
from latentlaw.training.prepare import PreparedData
from numpy.typing import NDArray
from pydantic import AfterValidator, BeforeValidator, Field

from pipelines.cli.command import ProgressBar, command, use_threads
from pipelines.cli.parameters import Entry, split_commas
from pipelines.steps.black_box import black_box_rung, train_black_box
from pipelines.steps.robustness import attacked_rows, log_robustness

BLACK_BOX, EQUATION = "black box", "equations"


def some_above_zero(radii: tuple[float, ...]) -> tuple[float, ...]:
    """Refuse radii of which none is a change."""
    if not any(radii):
        raise ValueError("expected at least one radius above 0")
    return radii


Operators = Annotated[tuple[str, ...], BeforeValidator(split_commas)]
Radii = Annotated[
    tuple[Annotated[float, Field(ge=0, le=1000)], ...],
    BeforeValidator(split_commas),
    AfterValidator(some_above_zero),
]
Shifts = Annotated[
    tuple[Annotated[str, AfterValidator(lambda text: Shift.parse(text).name)], ...],
    BeforeValidator(split_commas),
]
BlackBoxes = Annotated[
    tuple[Literal["cnn", "resnet"], ...], Field(min_length=1), BeforeValidator(split_commas)
]


class Discover(Entry):
    """Fit models from black boxes to equations; log the frontier and a model of laws."""

    model: str = Field(description="run id, or runs:/ or models:/ URI of a model")
    data: str = Field(description="particle stack, NAME.particles.zarr")
    classes: str | None = Field(
        None,
        description="classes to tell apart, as in Interphase=G1+S+G2,Prophase; none: all",
    )
    engine: EngineName = Field(
        "auto",
        description="engine of the symbolic regression; auto: PySR if Julia is there, else Operon",
    )
    budget_s: float = Field(60.0, gt=0, description="seconds for the search for equations")
    max_complexity: int = Field(30, ge=3, le=100, description="most nodes of one expression")
    targets: Literal["both", "distil", "labels"] = Field(
        "both",
        description="what equations are fitted to: both, a network's logits (distil), or labels",
    )
    operators: Operators = Field(
        SearchSpec.operators, description="operators of the equations, as in add,mul,div,tanh"
    )
    sparse_method: SparseMethod = Field(
        "magnitude",
        description="how sparse networks are found: sparse from the start, or pruned by magnitude",
    )
    black_boxes: BlackBoxes = Field(
        ("cnn", "resnet"),
        description="networks on pixels; the best is what laws are compared with",
    )
    epochs: int = Field(
        30, ge=1, description="passes over the data in training a network on pixels"
    )
    epsilons: Radii = Field(
        (0.0, 0.05, 0.1, 0.2),
        description="radii of attacks: largest change of a pixel, in units of normalised images",
    )
    epsilons_l2: Radii = Field(
        (0.5, 1.0, 2.0), description="radii of attacks: L2 norm of the change, in the same units"
    )
    attacked: int | None = Field(
        None,
        ge=0,
        description="test particles to attack; 0: skip the attacks; none: up to 200, fewer "
        "of large images",
    )
    shifts: Shifts = Field(
        (
            "noise_0.1",
            "noise_0.3",
            "blur_1",
            "blur_2",
            "intensity_0.8",
            "intensity_1.25",
            "rotation_15",
            "rotation_90",
            "translation_2",
            "translation_4",
            "equal_intensity",
        ),
        description="natural shifts of the test images, KIND_STRENGTH or equal_intensity",
    )


@dataclass(frozen=True)
class Discovered:
    """A run and what it found."""

    run_id: str
    discovery: Discovery
    meanings: tuple[Meaning, ...]

    @property
    def laws(self) -> str:
        """The equations chosen, and what the latents in them mean."""
        found = [f"{each.class_name}: {each.expression}" for each in self.discovery.equations]
        used = {name for each in self.discovery.equations for name in each.latents}
        said = [f"{m.latent}: {m.text}" for m in self.meanings if m.latent in used and m.text]
        return "; ".join(found) + (f" ({', '.join(said)})" if said else "")

    def records(self) -> list[dict[str, Any]]:
        """Return one record per model: the networks, the black box and the equations chosen."""
        found = self.discovery
        chosen: list[tuple[str, Rung | None]] = [
            (rung.name, rung) for rung in found.rungs if rung.family != "equation"
        ]
        chosen += [(BLACK_BOX, found.black_box), (EQUATION, found.equation)]
        largest = found.metrics["discovery/equation_complexity_largest"]
        return [
            {
                "model": name,
                **{k: v for k, v in asdict(rung).items() if k != "expressions"},
                "nodes": largest if rung.family == "equation" else np.nan,
                "laws": self.laws if rung.family == "equation" else "",
            }
            for name, rung in chosen
            if rung is not None
        ]


def run(parameters: Discover) -> str:
    """Discover, log the model of equations, and return the run's id."""
    return discovered(parameters).run_id


def discovered(p: Discover) -> Discovered:
    """Discover, log the model of equations, and return what was found."""
    select_engine(p.engine)  # what cannot be searched is said before networks are trained
    SearchSpec(operators=p.operators)
    with stage_run("discover", p.model_dump()) as active:
        threads = use_threads()
        bundle, stack = load_logged_bundle(p.model), open_stack(p.data)
        trained_by = training_run(p.model).info.run_id
        tag_run(family=bundle.model.config.family, trained_by=trained_by)
        log_data(p.data, stack.digest, stack.table, "discovery")
        data, codes, head = told_apart(p, bundle, stack)
        latents = latent_data(data, codes, pd.factorize(stack.table["group"])[0])
        check_latents(latents)  # before the black boxes, which take long
        features = image_features(data.images)
        progress = ProgressBar()
        boxes: dict[str, BlackBox] = {
            kind: train_black_box(
                kind, data, bundle.model, epochs=p.epochs, seed=p.seed, progress=progress
            )
            for kind in p.black_boxes
        }
        rungs = [black_box_rung(kind, data, box, bundle.model) for kind, box in boxes.items()]
        found = discover_laws(
            latents,
            engine=p.engine,
            budget_s=p.budget_s,
            max_complexity=p.max_complexity,
            targets=p.targets,
            operators=p.operators,
            sparse_method=p.sparse_method,
            seed=p.seed,
            threads=threads,
            extra_rungs=(*rungs, *feature_rungs(data, latents, features, p.seed)),
            progress=lambda step, share: progress(round(100 * share), 100, f"discover {step}"),
        )
        say(f"discover: {found.engine} ({found.engine_reason})")
        meanings = name_latents(data, codes, features, bundle.model)
        collapsed = sum(meaning.collapsed for meaning in meanings)
        log_metrics(found.metrics | {"discovery/collapsed_latents": collapsed})
        say_laws(found)
        if p.attacked != 0:
            probe(p, data, bundle.model, rungs_by_family(bundle.model, boxes, found), progress)
        log_json(FRONTIER, found.frontier_records())
        log_json(LATENTS, [meaning.to_dict() for meaning in meanings])
        log_json(EQUATIONS, found.equation_records({m.latent: m.text for m in meanings}))
        for dimension in range(codes.mu.shape[1]):
            strip = traversal_strip(bundle.model, codes.mu, codes.pose, dimension)
            log_image(f"traversals/z{dimension}.png", strip)
        example = example_images(data.particles(data.rows(TEST)))
        log_bundle(Bundle(bundle.model, head, found.model), example)
        return Discovered(str(active.info.run_id), found, tuple(meanings))


def told_apart(
    p: Discover, bundle: Bundle, stack: ParticleStack
) -> tuple[PreparedData, Embedding, LatentHead]:
    """Return the data with the classes of the task, its latents, and a head for those classes."""
    labels = stack.table["label"].fillna("").to_numpy(dtype=str)
    names, head = list(bundle.head.class_names), bundle.head
    if p.classes is not None:
        labels = task_labels(labels, p.classes)
        names = sorted(set(labels.tolist()) - {""})
    data = PreparedData(stack.images, labels, load_split(p.model, stack), names)
    codes = embed(bundle.model, data.images)
    if p.classes is not None:
        rows = data.rows(TRAIN, labelled=True)
        head = fit_head(codes.mu[rows], labels[rows], codes.mu[data.known_rows(VAL)])
    return data, codes, head


def latent_data(
    data: PreparedData, codes: Embedding, groups: NDArray[np.int64] | None = None
) -> LatentData:
    """Latents of the three splits, and the group `(n,)` of each particle."""
    splits = []
    for name in (TRAIN, VAL, TEST):
        rows = data.known_rows(name)
        own = None if groups is None else groups[rows]
        splits.append(LatentSplit(codes.mu[rows], data.indices(rows), own))
    names = tuple(f"z{i}" for i in range(codes.mu.shape[1]))
    return LatentData(splits[0], splits[1], splits[2], tuple(data.class_names), names)


def name_latents(
    data: PreparedData, codes: Embedding, features: pd.DataFrame, model: AutoEncoder
) -> list[Meaning]:
    """Name latents by the features of test images, and say which are named or collapsed."""
    rows = data.rows(TEST)
    meanings = latent_meanings(
        codes.rows(rows), features.iloc[rows], variational=model.config.variational
    )
    said = [f"{each.latent} {each.text}" for each in meanings if each.text]
    say(f"discover: {'; '.join(said) or 'no latent goes with one image feature'}")
    return meanings


def say_laws(found: Discovery) -> None:
    """Say how right the equations are beside the best black box, and what they are."""
    right = [f"equations {found.equation.accuracy:.3f}"]
    if found.black_box is not None:
        right.append(f"{found.black_box.name} {found.black_box.accuracy:.3f}")
    say(f"discover: test accuracy: {', '.join(right)}")
    for each in found.equations:
        say(f"discover: {each.class_name}: {each.expression}")


def feature_rungs(
    data: PreparedData, latents: LatentData, features: pd.DataFrame, seed: int
) -> list[Rung]:
    """Score logistic regression on plain image features; none where no image has an object."""
    tables = [features.iloc[data.known_rows(name)] for name in (TRAIN, VAL, TEST)]
    try:
        measured = feature_data(latents, tables)
        scaling, _ = check_latents(measured)
    except DataError as error:
        say(f"discover: no model of image features ({error})")
        return []
    model = fit_logistic(measured, scaling, seed=seed)
    return [model_rung(measured, model, "features", "logistic regression on image features")]


def rungs_by_family(
    model: AutoEncoder, boxes: Mapping[str, BlackBox], found: Discovery
) -> dict[str, Logits]:
    """Return each family as one function of normalised images to logits."""
    heads: dict[str, Logits] = {"dense": found.dense.torch_logits}
    if found.sparse:
        heads["sparse"] = found.sparse[-1].network.torch_logits
    heads["equation"] = found.model.torch_logits
    model.eval()
    pixels: dict[str, Logits] = {kind: box.eval() for kind, box in boxes.items()}
    return pixels | {family: on_images(model, head) for family, head in heads.items()}


def on_images(model: AutoEncoder, head: Logits) -> Logits:
    """Return a function of latents as one of normalised images."""
    return lambda images: head(model.encode(images).mu)


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


if __name__ == "__main__":
    configure_tracking()
    command(Discover, run)
