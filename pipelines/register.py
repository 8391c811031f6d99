"""Register the model of a run, with its card; an alias moves to it only through the gate."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from latentlaw.errors import ConfigError
from latentlaw.evaluation.scores.comparison import Measure
from latentlaw.serving.promotion.card import Listing, log_card, write_card
from latentlaw.serving.promotion.card_text import card_description
from latentlaw.serving.promotion.gate import Measured, Verdict, judge, measured
from latentlaw.tracking.names import (
    TAG_DATA_DIGEST,
    TAG_GATE_DATA,
    TAG_GATE_GROUPS,
    TAG_GATE_HIGH,
    TAG_GATE_LOW,
    TAG_GATE_METRIC,
    TAG_GATE_PARTICLES,
    TAG_GATE_REASON,
    TAG_GATE_VALUE,
    TAG_GIT_COMMIT,
    TAG_MODEL_FAMILY,
    TAG_SOURCE_RUN,
)
from latentlaw.tracking.recording.registry import (
    CANDIDATE,
    LONGEST_DESCRIPTION,
    LONGEST_TAG,
    add_version,
    describe_version,
    holder_of,
    move_alias,
)
from latentlaw.tracking.recording.runs import (
    configure_tracking,
    log_data,
    log_metrics,
    stage_run,
    tag_run,
)
from latentlaw.tracking.say import say
from latentlaw.tracking.scrub import scrub
from pydantic import Field

from pipelines.cli.command import command, use_threads
from pipelines.cli.parameters import Entry


class Register(Entry):
    """Register a run's model as a version; an alias moves to it only if it is not worse.

    Candidate and champion are measured on the same particles, that neither was trained on. The
    alias moves if the lower end of the 95 % interval of candidate minus champion is at least
    -margin.
    """

    run: str = Field(description="run id of a train or discover run")
    name: str = Field(
        "latentlaw", pattern=r"^[\w.-]+$", description="name of the registered model"
    )
    alias: str = Field("champion", pattern=r"^[a-z][\w-]*$", description="alias to move")
    data: str | None = Field(
        None, description="particle stack to measure on; none: the one that the run was made from"
    )
    metric: Measure = Field("macro_f1", description="measure that must not be worse")
    margin: float = Field(
        0.02, ge=0, le=1, description="how much worse the candidate may be at most"
    )
    licence: str | None = Field(
        None,
        max_length=100,
        description="licence of the weights, as SPDX writes it; none: not stated",
    )


@dataclass(frozen=True)
class Registration:
    """A version, whether the alias moved to it, and why or why not."""

    name: str
    version: str
    promoted: bool
    reason: str


def run(parameters: Register) -> Registration:
    """Measure, register, move the alias if the gate opens, and say why or why not."""
    p = parameters
    if p.alias == CANDIDATE:
        raise ConfigError(
            f"alias: found {CANDIDATE}, which is always of the newest version; give another"
        )
    with stage_run("register", p.model_dump()) as active:
        use_threads()
        holder = holder_of(p.name, p.alias)
        found = measured(p.run, p.data, seed=p.seed)
        tag_run(family=found.candidate.bundle.model.config.family)
        log_data(found.stack.path, found.stack.digest, found.stack.table, "registration")
        source = found.candidate.run.info.run_id
        held = None if holder is None else str(holder.version)
        uri = None if held is None else f"models:/{p.name}/{held}"
        verdict = judge(found, uri, p.metric, p.margin)
        version = add_version(source, p.name, version_tags(found, verdict, p.metric))
        add_card(found, listing(p, version, verdict), active.info.run_id)
        if verdict.promoted:
            move_alias(p.name, p.alias, version, "gate", seen=held)
        log_metrics({"register/promoted": float(verdict.promoted)})
        now = f"is {p.alias}" if verdict.promoted else f"is candidate, not {p.alias}"
        say(f"register: {p.name} version {version} {now}: {verdict.reason}")
        return Registration(p.name, version, verdict.promoted, verdict.reason)


def listing(p: Register, version: str, verdict: Verdict) -> Listing:
    """Return what the card says of the registry."""
    return Listing(
        name=p.name,
        version=version,
        alias=p.alias,
        promoted=verdict.promoted,
        reason=verdict.reason,
        metric=p.metric,
        margin=p.margin,
        licence=p.licence,
    )


def add_card(found: Measured, listed: Listing, run_id: str) -> None:
    """Log the model card and its test tensors, and make it the version's description."""
    with TemporaryDirectory() as scratch:
        record = write_card(found, listed, Path(scratch))
        log_card(Path(scratch), run_id, listed.name, listed.version)
    text = card_description(record, LONGEST_DESCRIPTION)
    describe_version(listed.name, listed.version, text)


def version_tags(found: Measured, verdict: Verdict, metric: Measure) -> dict[str, str]:
    """Return what a version says of where it is from and what it is worth."""
    run = found.candidate.run
    score = found.score(metric)
    tags = {
        TAG_SOURCE_RUN: run.info.run_id,
        TAG_MODEL_FAMILY: found.candidate.bundle.model.config.family,
        TAG_DATA_DIGEST: run.data.tags.get(TAG_DATA_DIGEST),
        TAG_GIT_COMMIT: run.data.tags.get("mlflow.source.git.commit"),
        TAG_GATE_METRIC: metric,
        TAG_GATE_VALUE: repr(score.value.mean),
        TAG_GATE_LOW: repr(score.value.low),
        TAG_GATE_HIGH: repr(score.value.high),
        TAG_GATE_PARTICLES: str(score.particles),
        TAG_GATE_GROUPS: str(score.groups),
        TAG_GATE_DATA: found.stack.digest,
        TAG_GATE_REASON: scrub(verdict.reason)[:LONGEST_TAG],
    }
    return {key: value for key, value in tags.items() if value is not None}


if __name__ == "__main__":
    configure_tracking()
    command(Register, run)
