"""When garbage is looked for: not among all that is loaded while somebody presses keys, where it would hold up one of them.

What must stay true: what was set apart from the collector is looked through once nobody presses anything, and every five minutes at the
latest, so that none of it is kept for good.
"""

import gc
import time
from collections.abc import Callable

NEW_OBJECTS = 10_000
ROWS_MIN = 2000
ROUND_SECONDS = 30.0
QUIET_SECONDS = 10.0
LATEST_SECONDS = 300.0


class Garbage:
    """Sets what is loaded apart from Python's collector, which looks through all else by itself; does nothing before it is begun."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._is_begun = False
        self._is_due = False
        self._rows = 0
        self._touched_at = self._looked_at = clock()

    def begin(self) -> None:
        """Set apart what is there by now, most of it imported; look for garbage among so many new objects, not at every 700."""
        self._is_begun = True
        gc.set_threshold(NEW_OBJECTS, *gc.get_threshold()[1:])
        self._set_apart()

    def count_rows(self, count: int) -> None:
        """Take note that so many rows are shown anew; many are set apart at once, which takes no time."""
        self._rows += count
        if self._is_begun and self._rows >= ROWS_MIN:
            self._set_apart()

    def touch(self) -> None:
        """Take note that somebody presses a key or points."""
        self._is_due, self._touched_at = True, self._clock()

    def go_round(self) -> None:
        """Look through everything, where something happened since last time; not while somebody is busy, unless that was long ago."""
        now = self._clock()
        if (
            self._is_begun
            and self._is_due
            and (now - self._touched_at >= QUIET_SECONDS or now - self._looked_at >= LATEST_SECONDS)
        ):
            gc.unfreeze()
            gc.collect()
            self._set_apart()
            self._is_due, self._looked_at = False, now

    def _set_apart(self) -> None:
        gc.freeze()
        self._rows, self._is_due = 0, True
