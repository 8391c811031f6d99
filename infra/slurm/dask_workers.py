"""Run Dask workers as SLURM jobs until interrupted: `python infra/slurm/dask_workers.py 10`.

Prints the address to pass as `scheduler=tcp://…` to ingest, extract and others. Jobs are queued
while there is work, up to the number given, and leave when there is none. What a job asks for is
in `~/.config/dask/jobqueue.yaml`, of which `jobqueue.yaml` beside this file is an example.
"""

import signal
import sys

from dask_jobqueue import SLURMCluster


def main(most_jobs: int) -> None:
    """Hold the scheduler, and the jobs that its work needs."""
    with SLURMCluster() as cluster:
        cluster.adapt(maximum_jobs=most_jobs)
        print(cluster.scheduler_address, flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    main(int(sys.argv[1]))
