"""Run every step, from images to a registered model of laws, in one parent run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from latentlaw.data.collection.listing import class_names
from latentlaw.data.extraction.coordinates import read_coordinates
from latentlaw.data.storage.output import check_new
from latentlaw.errors import ConfigError, DataError
from latentlaw.priors.files import read_affinity
from latentlaw.tracking.recording.runs import configure_tracking, log_metrics, stage_run, tag_run
from latentlaw.tracking.say import say
from pydantic import Field

from pipelines import (
    affinity,
    collect,
    discover,
    evaluate,
    extract,
    ingest,
    register,
    simulate,
    train,
)
from pipelines.cli.command import command, say_metrics
from pipelines.cli.parameters import Entry, build
from pipelines.discovery.parameters import Attacked
from pipelines.steps.tomogram_parameters import Box, Label, OfProtein, PixelSize

DEMO = "demo"
OF_TOMOGRAMS = ("label", "pixel_size", "box", "contrast")
# A first look is at small sets, which need many steps more than they need steady gradients.
_BATCH = 32


class Main(Entry):
    """Images in, latent space, equations and a registered model out; a child run per step."""

    source: str = Field(
        DEMO,
        description="demo (made on the spot), folder of tomograms (with coordinates) or of "
        "images, or .npz",
    )
    coordinates: str | None = Field(
        None,
        description="STAR or CSV of particles, where source is tomograms; none: source is images",
    )
    label: Label = None
    pixel_size: PixelSize = None
    box: Box = 32
    contrast: OfProtein = "bright"
    affinity: str = Field(
        "auto", description="affinity CSV; auto: made in the demo, else none; none: no prior"
    )
    out: str = Field("work", description="folder for the data that the steps make")
    epochs: int = Field(30, ge=1, description="passes over the data in training")
    budget_s: float = Field(60.0, gt=0, description="seconds for the search for equations")
    attacked: Attacked = None
    name: str = Field(
        "latentlaw", pattern=r"^[\w.-]+$", description="name of the registered model"
    )
    overwrite: bool = Field(False, description="replace what is in `out`")


def run(parameters: Main) -> None:
    """Run the steps in order; those that do not apply are skipped and said so."""
    p = parameters
    check_inputs(p)
    with stage_run("main", p.model_dump()):
        data, prior = particles(p)
        family = "affinity-vae" if prior else "tc-vae"
        tag_run(family=family)
        trained = train.run(step(p, train.Train, data=data, affinity=prior, model=family))
        metrics = evaluate.run(step(p, evaluate.Evaluate, model=trained, data=data))
        found = discover.run(step(p, discover.Discover, model=trained, data=data))
        done = register.run(step(p, register.Register, run=found, name=p.name))
        log_metrics(metrics)
        say_metrics(metrics)
        if p.source == DEMO:
            without_prior(p, data, metrics)
        say(f"model {done.name} version {done.version}; see the pages: make dashboard")


def check_inputs(p: Main) -> None:
    """Refuse what cannot work before anything is written.

    Raises
    ------
    DataError
        If source, coordinates or affinity do not exist or cannot be read.
    ConfigError
        If an output exists already.
    """
    if p.source != DEMO and not Path(p.source).exists():
        raise DataError(f"source: found no {p.source}; give a folder, an .npz, or demo")
    if p.coordinates is not None and not Path(p.coordinates).is_file():
        raise DataError(f"coordinates: found no {p.coordinates}; give a STAR or CSV file")
    if of_images(p):
        for name in OF_TOMOGRAMS:
            if (found := getattr(p, name)) != Main.model_fields[name].default:
                raise ConfigError(
                    f"{name}: found {found}, expected none where source is images; leave it out, "
                    "or give coordinates"
                )
    if p.affinity not in ("auto", "none"):
        table = read_affinity(p.affinity)
        if p.source != DEMO:
            table.select(classes(p))
    check_new(stack_path(p), overwrite=p.overwrite)


def of_images(p: Main) -> bool:
    """Return whether the source is images, not tomograms."""
    return p.source != DEMO and p.coordinates is None


def classes(p: Main) -> list[str]:
    """Return the classes of the source, sorted, without reading images."""
    if p.coordinates is None:
        return class_names(p.source)
    labels = read_coordinates(p.coordinates, label=p.label, pixel_size_a=p.pixel_size).get("label")
    return [] if labels is None else sorted(set(labels.dropna().astype(str)) - {""})


def particles(p: Main) -> tuple[str, str | None]:
    """Make the particle stack, and find or make the affinity; return both paths."""
    out, stack = Path(p.out), stack_path(p)
    prior = None if p.affinity in ("auto", "none") else p.affinity
    if of_images(p):
        skip("simulate, ingest and extract", "the source is images, not tomograms")
        collect.run(step(p, collect.Collect, source=p.source, out=stack, overwrite=p.overwrite))
    else:
        source, coordinates = p.source, p.coordinates
        if p.source == DEMO:
            made = out / "simulated"
            asked = {"out": made, "contrast": p.contrast, "overwrite": p.overwrite}
            simulate.run(step(p, simulate.Simulate, **asked))
            source, coordinates = str(made / "tomograms"), str(made / "particles.star")
        else:
            skip("simulate", "there is a source")
        stores = out / "tomograms"
        ingest.run(step(p, ingest.Ingest, source=source, out=stores, overwrite=p.overwrite))
        extract.run(
            step(
                p,
                extract.Extract,
                tomograms=stores,
                coordinates=coordinates,
                out=stack,
                edge="pad",
                overwrite=p.overwrite,
                **{name: getattr(p, name) for name in OF_TOMOGRAMS},
            )
        )
    if p.source == DEMO and p.affinity == "auto":
        prior = str(out / "affinity.csv")
        templates = out / "simulated" / "templates"
        affinity.run(
            step(p, affinity.Affinity, templates=templates, out=prior, overwrite=p.overwrite)
        )
    else:
        skip("affinity", "a table is given" if prior else "there is no prior; trains a tc-vae")
    return str(stack), prior


def without_prior(p: Main, data: str, metrics: Mapping[str, float]) -> None:
    """Train the same network with gamma = 0, and say how its held-out measures compare."""
    twin = train.run(step(p, train.Train, data=data, model="affinity-vae", gamma=0.0))
    plain = evaluate.run(step(p, evaluate.Evaluate, model=twin, data=data))
    for name in ("separation/silhouette", "classification/macro_f1"):
        log_metrics({f"{name}_gamma_0": plain[name]})
        say(f"{name}: {metrics[name]:.3f} with the prior, {plain[name]:.3f} with gamma=0")


def step(p: Main, entry: type[Any], **values: Any) -> Any:
    """Parameters of a step: those given, and those that the main job shares with it."""
    shared = p.model_dump(include={"seed", "epochs", "budget_s", "attacked"})
    shared["batch_size"] = _BATCH
    own = {name: value for name, value in shared.items() if name in entry.model_fields}
    texts = {k: str(v) if isinstance(v, Path) else v for k, v in values.items()}
    return build(entry, own | texts)


def stack_path(p: Main) -> Path:
    """Where the particle stack goes."""
    return Path(p.out) / f"{Path(p.source).name.split('.')[0]}.particles.zarr"


def skip(what: str, why: str) -> None:
    """Say that a step does not apply."""
    say(f"skipped {what}: {why}")


if __name__ == "__main__":
    configure_tracking()
    command(Main, run)
