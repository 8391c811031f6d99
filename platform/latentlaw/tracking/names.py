"""Names that runs, tests and the dashboard share (docs/design: what a run records)."""

EXPERIMENT = "latentlaw"
DEFAULT_TRACKING_URI = "sqlite:///mlflow.db"

TAG_STAGE = "latentlaw.stage"
TAG_MODEL_FAMILY = "latentlaw.model_family"
TAG_DATA_DIGEST = "latentlaw.data_digest"
TAG_SOURCE_NOTES = "latentlaw.source_notes"
TAG_CHANGED = "latentlaw.changed_on_resume"
TAG_RESUME = "latentlaw.resume"  # folder that a run which was told to stop goes on from
TAG_STUDY = "latentlaw.study"  # of a run of `tune` and of its trials
TAG_TRIAL = "latentlaw.trial"  # number in the study
TAG_TRIAL_STATE = "latentlaw.trial_state"  # complete, pruned, failed, or dead with its process
TAG_TRIAL_ERROR = "latentlaw.trial_error"
TAG_BEST_TRIAL = "latentlaw.best_trial"
TAG_PROCESS = "latentlaw.process"  # host, process id and start of who makes the run
TAG_PARENT = "mlflow.parentRunId"
TAG_TRAINED_BY = "latentlaw.trained_by"  # run that trained the network of another run's model

# Of a model version: where it is from, and what the gate measured on held-out particles.
TAG_SOURCE_RUN = "latentlaw.source_run"
TAG_GIT_COMMIT = "latentlaw.git_commit"
TAG_GATE_METRIC = "latentlaw.gate_metric"
TAG_GATE_VALUE = "latentlaw.gate_value"
TAG_GATE_LOW = "latentlaw.gate_low"  # ends of the 95 % interval
TAG_GATE_HIGH = "latentlaw.gate_high"
TAG_GATE_PARTICLES = "latentlaw.gate_particles"
TAG_GATE_GROUPS = "latentlaw.gate_groups"
TAG_GATE_DATA = "latentlaw.gate_data_digest"
TAG_GATE_REASON = "latentlaw.gate_reason"  # why an alias moved to it, or not

SCHEDULE = "schedule.json"  # weights of the loss, by epoch
EMBEDDINGS = "embeddings.parquet"
CONFUSION = "confusion.json"
AFFINITY = "affinity.json"
FRONTIER = "frontier.json"
EQUATIONS = "equations.json"
LATENTS = "latents.json"
ROBUSTNESS = "robustness.json"
PERTURBATIONS = "figures/perturbations.png"
EXPLANATION = "explanation.json"
EXPLAINED = "figures/explanation.png"
MODEL = "model"
CARD, CARD_RECORD = "model_card.md", "model_card.json"
POSES = "poses.star"
SPLIT = "split.parquet"
PRIOR = "prior.json"
CHECKPOINTS = "checkpoints"
STUDY = "study.json"
OBJECTIVES = "objectives.json"
TRIALS = "trials.csv"
PARAMS = "params.json"  # parameters that MLflow cannot hold as they are

#: Folder of metrics that the tracking server does not have yet, and what names another.
SPOOL_FOLDER = "unsent_metrics"
SPOOL_VARIABLE = "LATENTLAW_SPOOL"

#: Stages whose runs have steps, folds or trials below them.
HOLDERS = ("main", "tune", "ladder", "compare")


def on_validation(measure: str) -> str:
    """Return the name that a trial logs a measure by: it is of validation data, and says so."""
    return measure if measure.startswith(("val/", "trial/")) else f"val/{measure}"


#: The loss and the terms that a family may have, as `train/TERM` and `val/TERM`.
LOSS_TERMS = (
    "loss",
    "reconstruction",
    "kl",
    "affinity",
    "mutual_information",
    "total_correlation",
    "dimension_wise_kl",
    "pose",
)
