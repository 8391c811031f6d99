"""A line to the user. Not by `logging`: MLflow's migrations switch off the loggers of others."""

import sys

from latentlaw.tracking.scrub import scrub


def say(line: str) -> None:
    """Tell the user what happened or is skipped."""
    print(f"latentlaw: {scrub(line)}", file=sys.stderr, flush=True)
