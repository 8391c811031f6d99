"""Run every benchmark, print each ratio, and write them into docs/results.md.

`python -m tests.benchmarks [NAME …]` runs `bench_NAME.measure()` of this folder.
"""

import importlib
import sys
import time
from pathlib import Path

from tests.benchmarks.ratio import Ratio

RESULTS = Path(__file__).parents[2] / "docs" / "results.md"
BEGIN, END = "<!-- make bench writes from here -->", "<!-- to here -->"


def main(names: list[str]) -> int:
    """Return 0 if every bar is met."""
    found = sorted(path.stem for path in Path(__file__).parent.glob("bench_*.py"))
    chosen = [stem for stem in found if not names or stem.removeprefix("bench_") in names]
    ratios: list[Ratio] = []
    for stem in chosen:
        print(f"{stem} …", flush=True)
        ratios += importlib.import_module(f"tests.benchmarks.{stem}").measure()
    table = "\n".join(_table(ratios))
    print(table)
    if not names:
        text = RESULTS.read_text()
        head, rest = text.split(BEGIN)
        _, tail = rest.split(END)
        today = time.strftime("%Y-%m-%d")
        RESULTS.write_text(f"{head}{BEGIN}\nMeasured {today}.\n\n{table}\n{END}{tail}")
    return 0 if all(ratio.met for ratio in ratios) else 1


def _table(ratios: list[Ratio]) -> list[str]:
    lines = ["| what | peer | ours | peer's | ratio | asked |", "|---|---|---|---|---|---|"]
    for r in ratios:
        asked = f"<= {r.bar:g} {r.unit}" if r.at_most else f">= {r.bar:g} x"
        lines.append(
            f"| {r.name} | {r.peer} | {r.ours:.4g} {r.unit} | {r.theirs:.4g} {r.unit} | "
            f"{r.ratio:.2f} | {asked}{'' if r.met else ' **not met**'} |"
        )
    return lines


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
