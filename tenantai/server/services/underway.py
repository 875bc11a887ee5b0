"""The files under way: what is done with each, how far it is, at what pace, and when it will be through.

What must stay true: a file's percentage never goes back within one try, and its stages come in one order; a pace that is told was
measured on this file.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from tenantai.pace import Pace
from tenantai.wire.files import FileEnded, FileProgress, FileStage, RateUnit

EXTRACTED, CHUNKED, EMBEDDED = 0.12, 0.15, 0.97
SHARES: dict[FileStage, tuple[float, float]] = {
    "extracting": (0.0, EXTRACTED),
    "chunking": (EXTRACTED, CHUNKED),
    "embedding": (CHUNKED, EMBEDDED),
    "finishing": (EMBEDDED, 1.0),
}
ENDED_MAX = 50
ENDED_SECONDS = 5.0


@dataclass(slots=True)
class Underway:
    """A file that a worker has."""

    id: str
    name: str
    account_id: str | None
    stage: FileStage = "extracting"
    fraction: float = 0.0
    done: int | None = None
    total: int | None = None
    unit: RateUnit | None = None
    pace: Pace = field(default_factory=Pace)

    def go_on(
        self, stage: FileStage, *, done: int | None = None, total: int | None = None, unit: RateUnit | None = None, moment: float
    ) -> None:
        """Take note of how far it is: so many of so many of what the unit counts, where its stage tells that."""
        if stage != self.stage or unit != self.unit:
            self.stage, self.unit, self.pace = stage, unit, Pace()
        self.done, self.total = done, total
        if done is not None:
            self.pace.note(done, moment)
        begins, ends = SHARES[stage]
        share = done / total if done is not None and total else 0.0
        self.fraction = max(self.fraction, begins + (ends - begins) * share)

    def told(self, moment: float) -> FileProgress:
        """Return it as a client reads it."""
        rate = self.pace.rate(moment)
        left = self.pace.seconds_left(self.total, moment) if self.stage == "embedding" and self.total is not None else None
        return FileProgress(
            id=self.id,
            name=self.name,
            stage=self.stage,
            percentage=round(100 * self.fraction, 1),
            done=self.done,
            total=self.total,
            rate=None if rate is None else round(rate, 1),
            rate_unit=self.unit,
            eta_seconds=None if left is None else round(left, 1),
        )


@dataclass(slots=True)
class FilesOfTenant:
    """A tenant's files under way, in the order in which they were begun, and those that ended lately."""

    clock: Callable[[], float] = time.monotonic
    underway: dict[str, Underway] = field(default_factory=dict)
    _ended: deque[tuple[float, str | None, FileEnded]] = field(default_factory=lambda: deque(maxlen=ENDED_MAX))

    def go_on(
        self,
        file_id: str,
        *,
        name: str,
        account_id: str | None,
        stage: FileStage,
        done: int | None,
        total: int | None,
        unit: RateUnit | None,
    ) -> None:
        """Take note of how far a file is."""
        file = self.underway.setdefault(file_id, Underway(file_id, name, account_id))
        file.go_on(stage, done=done, total=total, unit=unit, moment=self.clock())

    def let_go(self, file_id: str) -> None:
        """Take note that nothing is done with a file any more."""
        self.underway.pop(file_id, None)

    def end(self, ended: FileEnded, *, account_id: str | None) -> None:
        """Take note of what became of a file: it is under way no more."""
        self.let_go(ended.id)
        self._ended.append((self.clock(), account_id, ended))

    def seen(self, visible_to: str | None) -> list[Underway]:
        """Return the files under way that an account may see, all where it is None."""
        return [file for file in self.underway.values() if _may_see(visible_to, file.account_id)]

    def ended(self, visible_to: str | None) -> tuple[FileEnded, ...]:
        """Return what became lately of the files that an account may see, the newest first."""
        since = self.clock() - ENDED_SECONDS
        return tuple(told for at, account_id, told in reversed(self._ended) if at >= since and _may_see(visible_to, account_id))


def _may_see(visible_to: str | None, account_id: str | None) -> bool:
    return visible_to is None or account_id in {None, visible_to}
