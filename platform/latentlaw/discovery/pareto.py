"""The Pareto front: what nothing else beats in cost and loss at once."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


def pareto_front(items: Iterable[T], key: Callable[[T], tuple[Any, ...]]) -> list[T]:
    """Return the items that no other beats: none costs as little and loses less.

    Parameters
    ----------
    items
        To choose from, in any order.
    key
        Cost and loss of an item; what follows them decides between equals, then the order given.

    Returns
    -------
    list
        Costs rise and losses fall strictly along it.
    """
    front: list[T] = []
    for item in sorted(items, key=key):
        if not front or key(item)[1] < key(front[-1])[1]:
            front.append(item)
    return front
