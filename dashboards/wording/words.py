"""What pages call things: the field's words for the codes that runs are tagged with."""

from latentlaw.tracking.reading.queries import PREEMPTED

FAMILIES = {
    "affinity-vae": "Affinity-VAE",
    "beta-vae": "β-VAE",
    "tc-vae": "β-TCVAE",
    "autoencoder": "Autoencoder",
    "cnn": "CNN on pixels",
}
# In the order of the pipeline.
STAGES = {
    "main": "whole pipeline",
    "simulate": "simulate",
    "ingest": "ingest",
    "extract": "extract",
    "collect": "collect",
    "affinity": "affinity prior",
    "train": "train",
    "evaluate": "evaluate",
    "compare": "compare",
    "discover": "discover laws",
    "ladder": "cross-validate",
    "explain": "explain",
    "tune": "study",
    "trial": "trial",
    "register": "register",
    "predict": "predict",
}
STATUSES = {
    "FINISHED": "Finished",
    "RUNNING": "Running",
    "SCHEDULED": "Waiting",
    PREEMPTED: "Preempted, can go on",
    "KILLED": "Stopped",
    "FAILED": "Failed",
}
#: A run without a stage: made by `mlflow run` and left empty, or written by something else.
HALF_WRITTEN = "Half-written"


def family(code: str) -> str:
    """Return the field's name of a model family."""
    return FAMILIES.get(code, code)


def stage(code: str) -> str:
    """Say what a run does."""
    return STAGES.get(code, "half-written" if code == "unknown" else code)


def status(code: str, stage_code: str = "") -> str:
    """Say how a run stands."""
    return HALF_WRITTEN if stage_code == "unknown" else STATUSES.get(code, code.capitalize())
