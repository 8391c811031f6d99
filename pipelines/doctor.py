"""Close runs that dead processes left open."""

import mlflow
from latentlaw.tracking.doctor import OpenRuns, close_dead_runs
from latentlaw.tracking.runs import configure_tracking
from latentlaw.tracking.server import check_server
from latentlaw.tracking.spool import send_left

from pipelines._entry import Entry, command, say


class Doctor(Entry):
    """Mark runs KILLED whose process on this machine is dead; send metrics that wait."""


def run(parameters: Doctor) -> OpenRuns:
    """Close the runs, and say which."""
    uri = mlflow.get_tracking_uri()
    check_server(uri)
    send_left(uri)
    found = close_dead_runs(uri)
    for run_id in found.closed:
        say(f"run {run_id}: its process is dead; marked KILLED")
    for run_id, host in found.elsewhere.items():
        say(f"run {run_id}: runs on {host}, or did; ask there")
    if not found.closed:
        say("no run of a dead process on this machine")
    return found


if __name__ == "__main__":
    configure_tracking()
    command(Doctor, run)
