"""Say what works here, and what to do about what does not."""

from itertools import chain
from pathlib import Path

import mlflow
from latentlaw.errors import ConfigError
from latentlaw.tracking.recording.runs import configure_tracking
from latentlaw.tracking.say import say
from pydantic import Field

from pipelines.cli.command import command
from pipelines.cli.parameters import Entry
from pipelines.steps.findings import Finding, accelerator, engines, machine, stores, tracking


class Doctor(Entry):
    """Say what works here: machine, GPU, engines, tracking, stores, models, runs left open."""

    data: str = Field("work", description="folder whose stores and stacks are opened")
    deep: bool = Field(False, description="read every chunk of them too")
    mend: bool = Field(
        True, description="mark runs of dead processes KILLED, and send metrics that wait"
    )


def run(parameters: Doctor) -> list[Finding]:
    """Look at everything, a line each.

    Raises
    ------
    ConfigError
        If something is broken.
    """
    p = parameters
    uri = mlflow.get_tracking_uri()
    found = []
    for finding in chain(
        machine(),
        accelerator(),
        engines(),
        tracking(uri, mend=p.mend),
        stores(Path(p.data), deep=p.deep),
    ):
        say(str(finding))
        found.append(finding)
    if broken := sum(finding.state == "broken" for finding in found):
        raise ConfigError(f"doctor: found {broken} of {len(found)} broken, named above")
    return found


if __name__ == "__main__":
    configure_tracking()
    command(Doctor, run)
