"""What streams in, gathered for a moment, so that a burst of a thousand costs one drawing."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from textual.message_pump import MessagePump

T = TypeVar("T")
SECONDS = 0.1


class Gathering(Generic[T]):
    """Hands on what came, in its order, a moment after the first of it."""

    def __init__(self, owner: MessagePump, hand_on: Callable[[Sequence[T]], None]) -> None:
        self._owner = owner
        self._hand_on = hand_on
        self._come: list[T] = []

    def add(self, one: T) -> None:
        """Take one in."""
        if not self._come:
            self._owner.set_timer(SECONDS, self._over)
        self._come.append(one)

    def forget(self) -> None:
        """Drop what was not handed on."""
        self._come.clear()

    def _over(self) -> None:
        come, self._come = self._come, []
        if come:
            self._hand_on(come)
