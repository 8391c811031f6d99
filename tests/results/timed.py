"""Measurements of what a newcomer types, of a large simulation, and of what tests hold."""

import re
import time
from collections.abc import Iterator

from tests.results.records import Row
from tests.results.scratch import Scratch, seconds_of

#: What tests hold, and how pytest is told to run those.
_HELD = {
    "a sparse MRC of 30 GB, more than memory, is ingested whole in 1 GiB": (
        "-m slow tests/data/test_larger_than_memory.py"
    ),
    "`kill -9` of an ingest at 100 random moments, then the same command: the same bytes": (
        "tests/reliability/test_row_38_killed_conversion.py"
    ),
    "one of three Dask worker processes killed on the way: finished, every chunk sound": (
        "tests/data/test_cluster.py"
    ),
    "flipped bytes of a shard are found, and only its shard is named": (
        "tests/reliability/test_row_14_damaged_chunk.py"
    ),
    "one bad file of 1,000: 999 stores, one line, exit code 2": (
        "tests/reliability/test_row_52_one_bad_file.py"
    ),
    "a STAR file of 1,000,000 rows, quotes, tabs, CRLF": (
        "tests/reliability/test_row_26_star_text.py"
    ),
    "STAR files, byte for byte through text, token for token through a stack": (
        "tests/data/test_star_round_trip.py"
    ),
    "70S subtomograms turned back by RELION's angles have the given average": (
        "tests/data/test_real_subtomograms.py"
    ),
    "shrec_like, posed map against particle: the true pose fits, its inverse does not": (
        "tests/data/test_real_shrec.py"
    ),
}


def fresh_clone(scratch: Scratch) -> Iterator[Row]:
    """Time what a newcomer types, in a clone without an environment."""
    clone = scratch.folder / "clone"
    scratch.run(["git", "clone", "-q", ".", str(clone)])
    for target, minutes in ((".venv/.ready", 5), ("demo", 5), ("test", 15)):
        start = time.monotonic()
        scratch.run(["make", "-C", str(clone), target])
        yield Row(f"`make {target}`", time.monotonic() - start, "s", at_most=60 * minutes,
                  table="after the one above")  # fmt: skip


def at_scale(scratch: Scratch) -> Iterator[Row]:
    """Simulate a tomogram of the size of SHREC's."""
    classes = "1bxn,1qvr,1s3x,1u6g,2cg9,3cf3,3d2f,3gl1,3h84,3qm1,4cr2,4v94,5mrc"
    run = scratch.entry(
        "simulate",
        templates=scratch.data("templates_10A"),
        classes=classes,
        shape="200,512,512",
        particles=1200,
        tomograms=1,
        contrast="dark",
        defocus=40000,
        tilt_step=3,
        out=scratch.folder / "simulated",
    )
    yield Row("time of 1,200 particles in 200 x 512 x 512 voxels", seconds_of(run), "s")


def held_by_tests(scratch: Scratch) -> Iterator[Row]:
    """Count the tests of what the data layer has to stand; none may fail or be skipped."""
    for what, told in _HELD.items():
        start = time.monotonic()
        said = scratch.run(["python", "-m", "pytest", "-q", *told.split()])
        counts = {word: int(n) for n, word in re.findall(r"(\d+) (passed|skipped)", said)}
        yield Row(what, counts.get("passed", 0), column="tests passed", table="what",
                  at_least=sum(counts.values()))  # fmt: skip
        yield Row(what, time.monotonic() - start, "s", column="time of all", table="what")
