"""Start the dashboard."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from pydantic import Field

from pipelines.cli.command import command
from pipelines.cli.parameters import Entry

_ROOT = Path(__file__).resolve().parents[1]


class Dashboard(Entry):
    """Serve the dashboard on this machine's loopback address."""

    port: int = Field(8501, ge=1024, le=65535, description="port on 127.0.0.1")


def run(parameters: Dashboard) -> None:
    """Serve until interrupted."""
    app = [sys.executable, "-m", "dashboards"]
    options = ["--server.port", str(parameters.port), "--server.address", "127.0.0.1"]
    path = os.pathsep.join((str(_ROOT), str(_ROOT / "platform")))
    environment = {**os.environ, "PYTHONPATH": path}
    with suppress(KeyboardInterrupt):  # how it is meant to end
        subprocess.run(  # noqa: S603 - our own module by our own Python
            [*app, *options], cwd=_ROOT, env=environment, check=False
        )


if __name__ == "__main__":
    command(Dashboard, run)
