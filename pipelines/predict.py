"""Predict with a trained model: a stack, particles of tomograms, or what it finds in them."""

from itertools import islice
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import mlflow
import pandas as pd
from latentlaw.data.extraction.review import NonfinitePolicy
from latentlaw.data.tomograms.names import tomograms_by_name
from latentlaw.errors import ConfigError, DataError
from latentlaw.serving.log import load_logged_bundle
from latentlaw.serving.prediction.picking import Picking, pick
from latentlaw.serving.prediction.predict import Placing, predict_particles, predict_stack
from latentlaw.serving.prediction.predictions import TABLE
from latentlaw.serving.prediction.work import Settings
from latentlaw.tracking.recording.runs import configure_tracking, log_metrics, stage_run, tag_run
from latentlaw.tracking.say import say
from latentlaw.training.devices import DeviceName
from pydantic import Field

from pipelines.cli.command import ProgressBar, command, for_workers
from pipelines.cli.parameters import Entry
from pipelines.figures.picks import picks_figure
from pipelines.steps.tomogram_parameters import Edge, Missing, OfProtein, PixelSize, Scheduler

Auto = Literal["auto"]
N = TypeVar("N", int, float)
STACK = ".particles.zarr"
_PICTURES = 5


class Predict(Entry):
    """Class, probability, novelty, latents and pose of particles, as Parquet and STAR."""

    model: str = Field(description="run id, or runs:/ or models:/ URI of a model")
    source: str = Field(
        description="particle stack, tomogram store, a folder of them, or a copick tree"
    )
    coordinates: str | None = Field(
        None, description="particles in tomograms: STAR, CSV, copick JSON or tree; none: find them"
    )
    out: str = Field(description="folder to make, for predictions.parquet and predictions.star")
    edge: Edge = "pad"
    missing: Missing = "fail"
    nonfinite: NonfinitePolicy = Field(
        "fail", description="what to do with images that hold NaN or infinite values"
    )
    contrast: OfProtein = "bright"
    pixel_size: PixelSize = None
    stride: Annotated[int, Field(ge=1)] | Auto = Field(
        "auto",
        description="step between the windows of picking, voxels; auto: an eighth of the box",
    )
    min_distance: Annotated[float, Field(gt=0)] | Auto = Field(
        "auto", description="least distance of two picks, angstrom; auto: half the box"
    )
    threshold: float | Auto = Field(
        "auto",
        description="least score of a pick, standard deviations above the background; "
        "auto: one false window expected",
    )
    batch_size: Annotated[int, Field(ge=1)] | Auto = Field(
        "auto", description="particles to embed at once; auto: by the memory that is free"
    )
    device: DeviceName = Field(
        "auto", description="where the model runs; auto: a GPU where there is one"
    )
    scheduler: Scheduler = "threads"
    overwrite: bool = Field(False, description="replace what is at `out`")


def run(parameters: Predict) -> str:
    """Predict, say what became of the particles, and return the run's id."""
    p = parameters
    source = for_workers(p.source.rstrip("/"), p.scheduler)
    check_source(source, p.coordinates)
    with stage_run("predict", p.model_dump()) as active:
        bundle = load_logged_bundle(p.model)
        tag_run(family=bundle.model.config.family)
        settings = Settings(
            scheduler=p.scheduler,
            batch_size=set_value(p.batch_size),
            device=p.device,
            overwrite=p.overwrite,
        )
        out, progress = for_workers(p.out, p.scheduler), ProgressBar()
        if source.endswith(STACK):
            report = predict_stack(
                bundle, source, out, settings, nonfinite=p.nonfinite, progress=progress
            )
        elif p.coordinates is None:
            picking = Picking(
                stride=set_value(p.stride),
                min_distance_a=set_value(p.min_distance),
                threshold=set_value(p.threshold),
                contrast=p.contrast,
            )
            report = pick(bundle, source, out, settings, picking=picking, progress=progress)
            log_picks(source, report.path, bundle.image_shape[-1])
        else:
            report = predict_particles(
                bundle,
                source,
                p.coordinates,
                out,
                settings,
                placing=Placing(p.edge, p.missing, p.contrast, p.pixel_size),
                nonfinite=p.nonfinite,
                progress=progress,
            )
        log_metrics({f"predict/{name}": count for name, count in report.counts.items()})
        said = ", ".join(f"{count} {name}" for name, count in report.counts.items())
        say(f"predict: {said}; see {report.path}")
        for line in report.warnings:
            say(f"predict: {line}")
        return str(active.info.run_id)


def log_picks(source: str, out: Path, box: int) -> None:
    """Log a picture of the picks in some of the tomograms."""
    picks = pd.read_parquet(out / TABLE)
    stores = tomograms_by_name(source)
    for name, rows in islice(picks.groupby("tomogram"), _PICTURES):
        mlflow.log_figure(picks_figure(stores[str(name)], rows, box), f"figures/picks_{name}.png")


def set_value(value: Auto | N) -> N | None:
    """Return a number that was set, None where it is left to the work."""
    return None if value == "auto" else value


def check_source(source: str, coordinates: str | None) -> None:
    """Refuse what cannot be predicted before a model is loaded.

    Raises
    ------
    DataError
        If there is nothing at `source`.
    ConfigError
        If coordinates are given for a stack.
    """
    if "://" not in source and not Path(source).exists():
        raise DataError(
            f"source: found no {source}; give a particle stack or tomogram stores, which "
            "`extract` and `ingest` make"
        )
    if source.endswith(STACK) and coordinates is not None:
        raise ConfigError(
            f"coordinates: found {coordinates}, expected none for {source}, whose particles are "
            "cut out; leave it out, or give the tomograms as source"
        )


if __name__ == "__main__":
    configure_tracking()
    command(Predict, run)
