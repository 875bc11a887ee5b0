"""A sliding window that counts.

What must stay true: no span of the window's length ever holds more than was let in by its count, and its memory is bounded by
`SLOTS`, however much it counts. The price is that a place is free again up to a 600th of the window late.
"""

from collections import deque

SLOTS = 600


class SlidingWindow:
    """Counts what came within the last `seconds`."""

    __slots__ = ("_newest", "_slots", "_width", "used")

    def __init__(self, seconds: float) -> None:
        self._width = seconds / SLOTS
        self._slots: deque[list[int]] = deque()
        self._newest = 0
        self.used = 0

    def at(self, moment: float) -> int:
        """Return how much is in the window now; where the clock was set back, what is in it keeps its age."""
        slot = int(moment / self._width)
        if slot < self._newest:
            self._set_back(slot)
        elif slot > self._newest:
            self._newest = slot
            slots = self._slots
            while slots and slots[0][0] < slot - SLOTS:
                self.used -= slots.popleft()[1]
        return self.used

    def add(self, moment: float, more: int = 1) -> None:
        """Count, at a time."""
        self.at(moment)
        self.add_now(more)

    def add_now(self, more: int = 1) -> None:
        """Count at the time that was last asked for."""
        if self._slots and self._slots[-1][0] == self._newest:
            self._slots[-1][1] += more
        else:
            self._slots.append([self._newest, more])
        self.used += more

    def _set_back(self, slot: int) -> None:
        for held in self._slots:
            held[0] -= self._newest - slot
        self._newest = slot

    @property
    def counts_until(self) -> float:
        """When the next slot begins: nothing leaves the window before, and what comes belongs to this one."""
        return (self._newest + 1) * self._width

    def free_at(self, limit: int, moment: float) -> float:
        """Return when less than `limit` is in the window, where nothing more comes."""
        left = self.at(moment)
        for slot, held in self._slots:
            if left < limit:
                break
            left -= held
            moment = (slot + SLOTS + 1) * self._width
        return moment
