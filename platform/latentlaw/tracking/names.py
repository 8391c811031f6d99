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
