"""Write docs/words.md from the dashboard's help: `python -m dashboards.wording.reference`."""

from latentlaw.tracking.markdown import table

from dashboards.wording.help_text import MEASURES, WORDS

_HEADER = """# Words and measures

What they mean here; the dashboard's help has the same. Made by `make mlproject` from
`dashboards/wording/help_text.py`.
"""


def reference() -> str:
    """Return the text of docs/words.md."""
    words = table(["word", "meaning"], WORDS.items())
    measures = table(
        ["measure", "range, better", "what it says"],
        ([name, *told] for name, told in MEASURES.items()),
    )
    return f"{_HEADER}\n{words}\n## Measures\n\n{measures}"


if __name__ == "__main__":
    print(reference(), end="")
