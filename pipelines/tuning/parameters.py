"""Parameters of `tune`."""

from typing import Literal

from latentlaw.models.config import Family
from latentlaw.tuning.search import PrunerName, SamplerName
from pydantic import Field

from pipelines.cli.parameters import Entry


class Tune(Entry):
    """Search a model's parameters by trials on validation data; retrain the best, and test it.

    The same command goes on with a study that was interrupted, up to the number of trials.
    """

    data: str = Field(description="particle stack, NAME.particles.zarr")
    affinity: str | None = Field(None, description="affinity CSV; none: no prior")
    model: Family = Field("affinity-vae", description="family of the model")
    epochs: int = Field(100, ge=1, le=100_000, description="passes over the data per trial")
    objective: str = Field(
        "classification/macro_f1",
        description="measures of validation data, comma-separated; pareto: accuracy and "
        "complexity of equations",
    )
    space: str | None = Field(
        None, description="YAML file of ranges by parameter; none: the preset of the model"
    )
    trials: int = Field(
        20, ge=1, le=100_000, description="trials of the study, those before included"
    )
    timeout: float | None = Field(
        None, gt=0, description="seconds after which no trial begins; none: no limit"
    )
    sampler: SamplerName = Field("tpe", description="how trials are drawn")
    pruner: Literal["auto", PrunerName] = Field(
        "auto",
        description="how trials are ended early; auto: median where trials can be pruned, "
        "else none",
    )
    study: str = Field(
        "auto",
        pattern=r"^[\w.-]+$",
        description="name of the study; auto: made of what it searches",
    )
    storage: str = Field(
        "auto",
        description="SQLAlchemy URL of the study; auto: $OPTUNA_STORAGE, or SQLite beside "
        "mlflow.db",
    )
    workers: int = Field(1, ge=1, le=256, description="trials at once on this machine")
    scheduler: str | None = Field(
        None, description="Dask address tcp://…, for trials on its workers; none: here"
    )
    retries: int = Field(
        2,
        ge=0,
        le=100,
        description="times that a trial is run again whose process or machine died",
    )
    heartbeat: int = Field(
        10,
        ge=1,
        le=3600,
        description="time between a trial's signs of life, seconds; it is dead after three",
    )
