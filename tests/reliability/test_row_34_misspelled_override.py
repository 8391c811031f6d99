"""A parameter that does not exist is an error with the nearest that does; so is a bad value."""

from collections.abc import Callable

import pytest


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"checkpoint_evry": 5}, "did you mean 'checkpoint_every'"),
        ({"checkpoint_every": "inf"}, "parameter 'checkpoint_every'"),
        ({"patience": 0}, "parameter 'patience"),
        ({"precision": "fp8"}, "parameter 'precision': Input should be 'auto', 'fp32'"),
    ],
)
def test_row_34_misspelled_override(
    refused: Callable[..., str],
    option: dict[str, object],
    message: str,
) -> None:
    assert message in refused("train", data="is-not-there", **option)
