"""Where output cannot be written, that is told at once, before any work.

The kernel's own file system stands for a read-only disk: not even root can write to it.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.reliability.test_row_48_one_output_path import inputs

__all__ = ["inputs"]


@pytest.mark.parametrize(
    ("name", "option", "message"),
    [
        ("ingest", "out", "no permission to write here"),
        ("collect", "out", "no permission to write here"),
        ("affinity", "out", "no permission to write here"),
        ("train", "checkpoints", "cannot be made"),
    ],
)
def test_row_45_no_permission(
    refused: Callable[..., str],
    inputs: dict[str, dict[str, object]],
    name: str,
    option: str,
    message: str,
) -> None:
    own = inputs[name]
    target = Path("/proc/self") / Path(str(own[option])).name
    assert message in refused(
        name, **{**own, option: target if name != "ingest" else target.parent}
    )
