"""Explain what a model of equations answers for single particles."""

from pathlib import Path
from typing import Annotated

import mlflow
import numpy as np
import pandas as pd
import torch
from latentlaw.data.particles.stack import ParticleStack, open_stack
from latentlaw.data.storage.output import check_new, new_output
from latentlaw.discovery.equations.explain import explain_decision
from latentlaw.discovery.equations.model import EquationModel
from latentlaw.errors import ConfigError, DataError, nearest_hint
from latentlaw.evaluation.embed import embed
from latentlaw.evaluation.strips import decode
from latentlaw.models.vae import AutoEncoder
from latentlaw.serving.log import load_logged_bundle
from latentlaw.tracking.names import EXPLAINED, EXPLANATION, LATENTS
from latentlaw.tracking.reading.logged import load_json, source_run
from latentlaw.tracking.recording.runs import (
    configure_tracking,
    json_text,
    log_data,
    log_json,
    stage_run,
    tag_run,
)
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from pipelines.cli.command import command, use_threads
from pipelines.cli.parameters import Entry, split_commas
from pipelines.figures.explanation import Explained, explanation_figure, explanation_text

Ids = Annotated[tuple[str, ...], BeforeValidator(split_commas), Field(min_length=1)]


class Explain(Entry):
    """Say which expression decided, what each term gave, and what would have changed the class."""

    model: str = Field(
        description="run id of a discover run, or runs:/ or models:/ URI of a model"
    )
    data: str = Field(description="particle stack, NAME.particles.zarr")
    particle: Ids = Field(description="particle ids, comma-separated")
    out: str | None = Field(
        None, description="folder for explanation.json and explanation.png too; none: the run only"
    )
    overwrite: bool = Field(False, description="replace what is at `out`")


def run(parameters: Explain) -> list[Explained]:
    """Explain, print, log, and return the explanations."""
    p = parameters
    if p.out is not None:
        check_new(Path(p.out), overwrite=p.overwrite)
    with stage_run("explain", p.model_dump()):
        use_threads()
        bundle, stack = load_logged_bundle(p.model), open_stack(p.data)
        if bundle.equations is None:
            raise ConfigError(
                f"model: found no equations in {p.model}; run `discover` with model={p.model} and "
                "give its run id"
            )
        tag_run(family=bundle.model.config.family)
        log_data(p.data, stack.digest, stack.table, "explanation")
        rows = rows_of(stack, p.particle)
        check_shape(stack, bundle.model)
        named = load_json(source_run(p.model), LATENTS) or []
        meanings = {each["latent"]: each["meaning"] for each in named if each["meaning"]}
        sigma = np.array(bundle.head.scale)
        explained = explain_rows(stack, rows, bundle.model, bundle.equations, sigma)
        records = [each.to_dict() for each in explained]
        figure = explanation_figure(explained)
        log_json(EXPLANATION, records)
        mlflow.log_figure(figure, EXPLAINED)
        if p.out is not None:
            with new_output(p.out, overwrite=p.overwrite) as folder:
                folder.mkdir(parents=True)
                (folder / Path(EXPLANATION).name).write_text(json_text(records))
                figure.savefig(folder / Path(EXPLAINED).name)
    for each in explained:
        print(explanation_text(each, meanings))
    return explained


def rows_of(stack: ParticleStack, ids: tuple[str, ...]) -> NDArray[np.intp]:
    """Return the rows of particles by their ids.

    Raises
    ------
    DataError
        Naming the first that is not in the stack, and the nearest that is.
    """
    row = {each: i for i, each in enumerate(stack.table["particle_id"])}
    for each in ids:
        if each not in row:
            hint = nearest_hint(each, row) or f"; the first is {next(iter(row), None)!r}"
            raise DataError(f"particle: found no {each!r} in {stack.path}{hint}")
    return np.array([row[each] for each in ids])


def check_shape(stack: ParticleStack, model: AutoEncoder) -> None:
    """Refuse images that the model does not take.

    Raises
    ------
    DataError
        If the shape of particles is another than the model's.
    """
    if stack.item_shape != model.config.image_shape:
        raise DataError(
            f"{stack.path}: found particles of shape {stack.item_shape}, expected the model's "
            f"{model.config.image_shape}; give the stack of its kind"
        )


def explain_rows(
    stack: ParticleStack,
    rows: NDArray[np.intp],
    model: AutoEncoder,
    equations: EquationModel,
    sigma: NDArray[np.float64],
) -> list[Explained]:
    """Explain particles of a stack, and decode what would be another class."""
    images = stack.read(rows)
    codes = embed(model, images)
    explanations = [explain_decision(equations, mu, sigma) for mu in codes.mu]
    flipped = np.array([e.latents if e.flip is None else e.flip.latents for e in explanations])
    normalised = model.config.normalisation(torch.from_numpy(images)).numpy()
    decoded, after = decode(model, codes.mu, codes.pose), decode(model, flipped, codes.pose)
    labels = stack.table["label"].iloc[rows].tolist()
    return [
        Explained(
            particle_id=str(stack.table["particle_id"].iloc[row]),
            label=None if pd.isna(label) else str(label),
            explanation=each,
            image=normalised[i],
            decoded=decoded[i],
            flipped=None if each.flip is None else after[i],
        )
        for i, (row, label, each) in enumerate(zip(rows, labels, explanations, strict=True))
    ]


if __name__ == "__main__":
    configure_tracking()
    command(Explain, run)
