"""Trials that take no time or die in every way, served by `python -m tests.tuning.fake_trials`."""

import os
import signal
import time
from pathlib import Path

from latentlaw.errors import ConfigError
from latentlaw.tuning.server import Report, Request, serve
from threadpoolctl import threadpool_info


def fake(request: Request, report: Report) -> dict[str, float]:
    """Do what `values` and the drawn parameters say; the objective is `x`."""
    told = {**request.values, **request.drawn}
    marks = Path(told.get("marks", "."))
    match told.get("act", "none"):
        case "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "exit":
            os._exit(7)
        case "server":  # that this was forked from
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(60)
        case "memory":
            raise ConfigError(
                "batch_size: 64 images of (1, 8, 8) do not fit into the memory of cuda:0; "
                "16 fit: use batch_size=16"
            )
        case "bug":
            raise ZeroDivisionError("of a bug")
        case "undefined":
            return {}
        case "busy":
            end = time.process_time() + told["seconds"]
            while time.process_time() < end:
                pass
        case "sleep":
            (marks / f"{time.time_ns()}-{os.getpid()}").touch()
            time.sleep(told["seconds"])
        case "once":  # dies the first time that it is drawn
            mark = marks / "died"
            if not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
    for epoch in range(told.get("epochs", 0)):
        report(epoch, told["x"])
    pools = [pool["num_threads"] for pool in threadpool_info()]
    return {
        "separation/silhouette": told["x"],
        "trial/threads": max([int(os.environ["OMP_NUM_THREADS"]), *pools]),
    }


if __name__ == "__main__":
    serve(fake)
