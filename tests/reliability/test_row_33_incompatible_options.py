"""Options that exclude each other are said before data is read."""

from collections.abc import Callable

import pytest


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "affinity-vae", "gamma": 1}, "needs `affinity`"),
        ({"model": "tc-vae", "affinity": "a.csv"}, "a tc-vae has no affinity term"),
    ],
)
def test_row_33_incompatible_options(
    entry: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    options: dict[str, object],
    message: str,
) -> None:
    assert entry("train", data="is-not-there", **options) == 2
    assert message in capsys.readouterr().err
