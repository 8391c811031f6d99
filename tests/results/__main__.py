"""Measure what docs/results.md claims, and write it: `python -m tests.results [NAME …]`.

Without a name everything is measured, in the order of the page, one after another: hours.
`--list` says what there is and how long it takes, `--page` only writes the page again. What is
not measured keeps its record (docs/results/NAME.json), with its date. A measurement whose data are
absent, or that fails, is told and keeps its record too. The exit code is 0 if all was measured.
"""

import argparse
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

import torch

from tests.results import records
from tests.results.catalogue import MEASUREMENTS, SPEED
from tests.results.page import PAGE, rendered
from tests.results.records import ROOT, Record
from tests.results.scratch import AbsentError, Scratch


def measure(name: str) -> None:
    """Make a measurement and keep its record."""
    scratch, load, started = Scratch(name), os.getloadavg()[0], time.monotonic()
    rows = tuple(MEASUREMENTS[name].measure(scratch))
    records.write(
        name,
        Record(
            commands=tuple(scratch.commands),
            date=time.strftime("%Y-%m-%d", time.gmtime()),
            rows=rows,
            commit=newest_commit(),
            seconds=round(time.monotonic() - started, 1),
            cores=len(os.sched_getaffinity(0)),
            load=round(load, 2),
            machine=machine(),
        ),
    )


def machine() -> str:
    """Return the processor, the GPU if one can be used, and the version of torch."""
    told = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    names = [told[1] if told else platform.machine()]
    if torch.cuda.is_available():
        names.append(torch.cuda.get_device_name())
    return ", ".join([*names, f"torch {torch.__version__}"])


def newest_commit() -> str:
    """Return the newest commit of what is measured; `+` if it was changed since."""
    code = ["platform", "pipelines"]
    commit = _git("log", "-1", "--format=%h", "--", *code)
    return commit + ("+" if _git("status", "--porcelain", "--", *code) else "")


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip()


def main(arguments: list[str]) -> int:
    """Measure what is named, then write the page."""
    parser = argparse.ArgumentParser(prog="python -m tests.results", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="speed: all that are of speed")
    parser.add_argument("--list", action="store_true", help="only say what there is")
    parser.add_argument("--page", action="store_true", help="only write the page")
    p = parser.parse_args(arguments)
    names = [n for name in p.names for n in (SPEED if name == "speed" else (name,))]
    if unknown := [name for name in names if name not in MEASUREMENTS]:
        parser.error(f"no measurement {unknown[0]!r}; known: speed, {', '.join(MEASUREMENTS)}")
    if p.list:
        for name, each in MEASUREMENTS.items():
            print(f"{name:20} about {each.minutes:g} min")
        return 0
    missed = 0
    if len(names) == 1:
        missed = _measured(names[0])
    elif not p.page:
        # A process each: threads, stores and warnings of one are not the next one's.
        for name in names or MEASUREMENTS:
            missed += subprocess.run([sys.executable, "-m", "tests.results", name]).returncode
    PAGE.write_text(rendered())
    return min(missed, 1)


def _measured(name: str) -> int:
    print(f"{name}: about {MEASUREMENTS[name].minutes:g} min", flush=True)
    try:
        measure(name)
    except (AbsentError, RuntimeError) as error:
        before = records.read(name)
        kept = f"its record of {before.date} stays" if before else "it has no record"
        print(f"{name}: not measured, {kept}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
