"""How long work tells its caller how far it is."""

from typing import Protocol


class Progress(Protocol):
    """A callable told, after each step, how many of how many are done, and of what."""

    def __call__(self, done: int, total: int, what: str) -> None:
        """Take note that `done` of `total` steps of `what` are over."""


def silent(done: int, total: int, what: str) -> None:
    """Take note of nothing."""
