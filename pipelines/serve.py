"""Serve a model on a port of this machine."""

from typing import Annotated

from latentlaw.serving.app import LOOPBACK, Limits, serve
from latentlaw.serving.log import load_logged_bundle
from latentlaw.tracking.recording.runs import configure_tracking
from latentlaw.tracking.say import say
from pydantic import BeforeValidator, Field

from pipelines.cli.command import command, use_threads
from pipelines.cli.parameters import Entry, split_commas


class Serve(Entry):
    """Answer images or latents over HTTP: class, novelty, latents, pose, and the equation."""

    model: str = Field(
        "models:/latentlaw@champion", description="run id, or runs:/ or models:/ URI of a model"
    )
    host: str = Field("127.0.0.1", description="address to bind; 0.0.0.0: of all networks")
    port: int = Field(5001, ge=1, le=65535, description="port to listen on")
    hosts: Annotated[tuple[str, ...], BeforeValidator(split_commas)] = Field(
        LOOPBACK, description="names by which clients may call the server, comma-separated"
    )
    body_mib: int = Field(64, ge=1, le=4096, description="largest request, MiB")
    particles: int = Field(4096, ge=1, description="most particles per request")
    requests: int = Field(8, ge=1, description="most requests in work at once")
    body_s: float = Field(30.0, gt=0, description="time in which a request must arrive, seconds")


def run(parameters: Serve) -> None:
    """Load the model, say where it answers, and serve."""
    p = parameters
    use_threads()
    bundle = load_logged_bundle(p.model)
    limits = Limits(
        hosts=p.hosts,
        body_bytes=p.body_mib * 2**20,
        particles=p.particles,
        requests=p.requests,
        body_s=p.body_s,
    )
    say(f"serve: {p.model} on http://{p.host}:{p.port}/invocations, images {bundle.image_shape}")
    serve(bundle, p.host, p.port, limits.of_host(p.host))


if __name__ == "__main__":
    configure_tracking()
    command(Serve, run)
