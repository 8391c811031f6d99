"""Register the model of a run."""

from latentlaw.tracking.registry import Registration, register_run
from latentlaw.tracking.runs import configure_tracking, log_metrics, stage_run
from pydantic import Field

from pipelines._entry import Entry, command, say


class Register(Entry):
    """Register a run's model as a version; the alias moves to it only if it is not worse."""

    run: str = Field(description="run id of a train or discover run")
    name: str = Field("latentlaw", pattern=r"^[\w.-]+$", description="registered model")
    alias: str = Field("champion", pattern=r"^[a-z][\w-]*$", description="alias to move")


def run(parameters: Register) -> Registration:
    """Register and say what happened to the alias."""
    p = parameters
    with stage_run("register", p.model_dump()):
        done = register_run(p.run, p.name, p.alias)
        log_metrics({"register/promoted": float(done.promoted)})
        now = f"is {p.alias}" if done.promoted else f"is candidate, not {p.alias}"
        say(f"register: {done.name} version {done.version} {now}: {done.reason}")
        return done


if __name__ == "__main__":
    configure_tracking()
    command(Register, run)
