"""Write docs/entries.md from the entry points' parameters: `python -m pipelines.cli.reference`."""

import inspect

from pydantic.fields import FieldInfo

from pipelines.cli.mlproject import ENTRIES, entry_class
from pipelines.cli.parameters import text_of, words_of

_HEADER = """\
# Entry points

Made by `make mlproject` from the parameters in `pipelines/`; edit those.

`mlflow run . --env-manager=local -e NAME -P key=value` or `python -m pipelines.NAME --key value`
starts one. Every entry also takes `seed` (0); `none` stands for nothing, `~` for the home. The
second form also takes `--config FILE`: parameters in YAML, such as the `config.yaml` of a run.

`train`, `evaluate`, `discover`, `predict` and `tune` print the id of their run (`tune` that of the
best, retrained), and say all else on standard error: `RUN=$(mlflow run . … -e train …)` keeps it.
"""


def reference() -> str:
    """Return the page."""
    parts = [_HEADER]
    for name in ENTRIES:
        entry = entry_class(name)
        rows = [_row(key, field) for key, field in entry.model_fields.items() if key != "seed"]
        table = ["| parameter | default | |", "|---|---|---|", *rows] if rows else []
        parts.append(
            "\n".join([f"## {name}", "", inspect.cleandoc(entry.__doc__ or ""), "", *table])
        )
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _row(key: str, field: FieldInfo) -> str:
    default = "**required**" if field.is_required() else f"`{text_of(field.default)}`"
    words = [f"`{word}`" for word in words_of(field.annotation) if word != "auto"]
    choice = f"; {', '.join(words)}" if words else ""
    return f"| `{key}` | {default} | {_cell((field.description or '') + choice)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(reference(), end="")
