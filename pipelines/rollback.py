"""Move an alias back to a version that held it before."""

from latentlaw.errors import LatentlawError, RegistryError
from latentlaw.serving.log import load_logged_bundle
from latentlaw.tracking.recording.registry import PREVIOUS, move_alias, standing, way_back
from latentlaw.tracking.recording.runs import configure_tracking, stage_run
from latentlaw.tracking.say import say
from pydantic import Field

from pipelines.cli.command import command
from pipelines.cli.parameters import Entry


class Rollback(Entry):
    """Move an alias back to a version that held it, whose files are whole.

    Said twice, it goes two versions back; `to` names any version that ever held the alias.
    """

    name: str = Field(
        "latentlaw", pattern=r"^[\w.-]+$", description="name of the registered model"
    )
    alias: str = Field("champion", pattern=r"^[a-z][\w-]*$", description="alias to move")
    to: str = Field(
        PREVIOUS,
        pattern=rf"^({PREVIOUS}|[1-9]\d*)$",
        description="version to go back to; previous: the one before",
    )


def run(parameters: Rollback) -> str:
    """Check the version's files, move the alias to it, and return its number."""
    p = parameters
    with stage_run("rollback", p.model_dump()):
        way = way_back(p.name, p.alias, p.to)
        try:
            load_logged_bundle(f"models:/{p.name}/{way.to}")
        except LatentlawError as error:
            raise RegistryError(
                f"to: version {way.to} of {p.name} does not load, so {p.alias} stays with version "
                f"{way.now}: {error}; or name another by `to`"
            ) from error
        moves = move_alias(p.name, p.alias, way.to, "rollback", seen=way.now)
        *before, _ = standing(moves)
        then = f"the one before is {before[-1]}" if before else "none is before it"
        say(f"rollback: {p.alias} of {p.name} is version {way.to}, was {way.now}; {then}")
        return way.to


if __name__ == "__main__":
    configure_tracking()
    command(Rollback, run)
