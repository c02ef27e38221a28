"""What a pool is, and the plainest one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

__all__ = ["ATTEMPTS", "Due", "Here", "Lost", "Pool"]

T = TypeVar("T")
R = TypeVar("R")

ATTEMPTS = 2  # an item whose worker dies gets another one, once


@dataclass(frozen=True, slots=True)
class Lost:
    """What stands for the result of an item whose workers died, twice.

    Attributes:
        reason: how the last one ended.
    """

    reason: str


class Pool(Protocol):
    """Somewhere to run things."""

    def map(self, function: Callable[[T], R], items: Sequence[T]) -> Generator[tuple[int, R | Lost], None, None]:
        """Run `function` on every item.

        Yields:
            The number of an item with its result, in the order of completion, every item once. Closing the generator ends the workers.

        Raises:
            Exception: whatever `function` raises, as soon as it does; items that are not done stay so.
        """
        ...


@dataclass(frozen=True, slots=True)
class Here:
    """One item after the other, in this process."""

    def map(self, function: Callable[[T], R], items: Sequence[T]) -> Generator[tuple[int, R | Lost], None, None]:
        """See `Pool.map`."""
        for i, item in enumerate(items):
            yield i, function(item)


class Due:
    """Numbers of the items that wait for a worker, and how often each had one.

    Args:
        count: of all items.
    """

    def __init__(self, count: int) -> None:
        self._waiting = deque(range(count))
        self._attempts = [0] * count

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self) -> int:
        """The next item, for a worker."""
        number = self._waiting.popleft()
        self._attempts[number] += 1
        return number

    def again(self, number: int, ending: str) -> Lost | None:
        """Let an item whose worker died wait in front of all others; what stands for its result where it has waited often enough."""
        if self._attempts[number] < ATTEMPTS:
            self._waiting.appendleft(number)
            return None
        return Lost(f"its worker died {ATTEMPTS} times, {ending}")
