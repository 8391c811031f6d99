"""A time budget that long loops ask, so that work ends early rather than late."""

from __future__ import annotations

import time


class Deadline:
    """Seconds that count from its making; `hit` tells afterwards whether it cut any work."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self.hit = False

    @property
    def left(self) -> float:
        """Seconds that are left, at least 0."""
        return max(0.0, self._end - time.monotonic())

    def passed(self) -> bool:
        """Say whether work must end now, and remember it if so."""
        over = self.left == 0.0
        self.hit = self.hit or over
        return over
