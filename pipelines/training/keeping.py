"""Where a training run keeps its checkpoints, and how it goes on from one."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import mlflow
from latentlaw.data.storage.output import check_writable
from latentlaw.errors import ConfigError, PreemptedError
from latentlaw.tracking.names import CHECKPOINTS, TAG_CHANGED, TAG_RESUME
from latentlaw.tracking.recording.runs import local_artifacts
from latentlaw.tracking.say import say
from latentlaw.tracking.store.server import hasty_requests
from latentlaw.training.checkpoints import (
    Checkpoint,
    checkpoint_folder,
    forget_after,
    read_checkpoint,
)
from latentlaw.training.identity import check_identity
from latentlaw.training.keeping import Keeper, stop_signals
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from pydantic import Field

from pipelines.cli.parameters import Entry


class Keeping(Entry):
    """Parameters of an entry that keeps checkpoints."""

    checkpoints: str = Field("auto", description="folder for checkpoints; auto: in the run")
    checkpoint_every: float = Field(
        60.0,
        ge=0,
        allow_inf_nan=False,
        description="time between checkpoints, seconds; 0: after each step",
    )
    resume: str | None = Field(
        None, description="folder of checkpoints to go on from; none: begin anew"
    )
    allow_change: bool = Field(
        False, description="resume though configuration, data or code changed, and log what did"
    )
    allow_fallback: bool = Field(
        False, description="resume from the checkpoint before, if the newest is damaged"
    )

    def begun(self) -> dict[str, Any]:
        """Return the parameters of a run from its start, which are those that rerun it."""
        own = Keeping.model_fields.keys() - Entry.model_fields.keys()
        return self.model_dump() | {name: Keeping.model_fields[name].default for name in own}


def find_checkpoint(p: Keeping) -> Checkpoint | None:
    """Read the checkpoint to go on from, if one is named.

    Raises
    ------
    CheckpointError
        If there is none, or it is damaged.
    ConfigError
        If a new run would mix its checkpoints with those of another, or cannot write them.
    """
    if p.resume is not None:
        return read_checkpoint(Path(p.resume), fall_back=p.allow_fallback)
    if p.checkpoints == "auto":
        return None
    folder = Path(p.checkpoints)
    check_writable(folder.absolute(), "checkpoints")
    if folder.is_dir() and any(folder.iterdir()):
        raise ConfigError(
            f"checkpoints: found {folder} not empty; go on with resume={folder}, or choose another"
        )
    return None


@contextmanager
def keeping(
    p: Keeping, run: Run, found: Checkpoint | None, identity: Mapping[str, Any]
) -> Iterator[Keeper]:
    """Yield the keeper of a run's checkpoints, which become its artifacts at the end.

    Raises
    ------
    ResumeError
        If the run was begun with something else, and that is not allowed.
    """
    if found is not None:
        changed = check_identity(found.record.identity, identity, allow=p.allow_change)
        if changed:
            mlflow.set_tag(TAG_CHANGED, "\n".join(changed)[:5000])
            say(f"resume: goes on though these changed: {'; '.join(changed)}")
    if TAG_RESUME in run.data.tags:
        mlflow.delete_tag(TAG_RESUME)
    own = local_artifacts(run, CHECKPOINTS)
    folder = _folder(p, own or Path(CHECKPOINTS) / run.info.run_id)
    with checkpoint_folder(folder), stop_signals() as stop:
        if found is not None and found.path is not None and found.path.parent == folder:
            for damaged in forget_after(found.path):
                say(f"resume: {damaged} was damaged and is removed; goes on from {found.path}")
        say(f"checkpoints: {folder}")
        keeper = Keeper(
            folder=folder,
            every_s=p.checkpoint_every,
            identity=dict(identity),
            run_id=run.info.run_id,
            found=found,
            stop=stop,
        )
        try:
            yield keeper
        except PreemptedError:
            with hasty_requests(), suppress(MlflowException):
                mlflow.set_tag(TAG_RESUME, str(folder))
            raise
    if own is None or folder.resolve() != own.resolve():
        mlflow.log_artifacts(str(folder), CHECKPOINTS)


def _folder(p: Keeping, default: Path) -> Path:
    if p.checkpoints != "auto":
        return Path(p.checkpoints)
    return default if p.resume is None else Path(p.resume)
