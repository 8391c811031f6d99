"""What extraction says to its user: counts of each fate, and what to look at."""

from pathlib import Path

from latentlaw.data.extraction.extract import ExtractReport

from pipelines.extract import _remarks


def test_remarks_name_what_to_look_at() -> None:
    report = ExtractReport(
        path=Path("s"),
        extracted=9,
        skipped=1,
        padded=0,
        constant=tuple("abcdefg"),
        tomograms_without_particles=("TS_1",),
        warnings=("positions look wrong",),
    )
    assert _remarks(report) == [
        "positions look wrong",
        "7 constant boxes, which become zeros in training: a, b, c, d, e and 2 more",
        "1 tomograms without particles: TS_1",
    ]
    assert _remarks(ExtractReport(path=Path("s"), extracted=9, skipped=0, padded=0)) == []
