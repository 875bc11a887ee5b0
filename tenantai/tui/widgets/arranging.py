"""Which rows of a list are shown, and in which order: worked out in slices, so that keys and frames come in between.

What must stay true: a list that is short or whose texts are known is arranged within the first slice; ties stay in the order of the records.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

R = TypeVar("R")
SLICE = 1000
SLICE_SECONDS = 0.01
PAUSE_SECONDS = 0.02  # a frame is drawn within it
RUN = 20_000
Order = tuple[Callable[[R], Any], bool]
Steps = Iterator[tuple[list[R], bool]]


@dataclass(frozen=True, slots=True)
class Sieve:
    """What the rows are to hold, or not to hold."""

    text: str
    inverted: bool


class Arranging(Generic[R]):
    """Sorts and sifts records; what it found out about them it keeps until it is told to forget."""

    def __init__(self, text_of: Callable[[R], str]) -> None:
        self._text_of = text_of
        self._texts: dict[int, str] = {}
        self._alive: dict[int, R] = {}
        self._ordered: tuple[Sequence[R], object, list[R]] = ((), None, [])

    def forget(self) -> None:
        """Let go of what the records said: they are other ones, or may say something else by now."""
        self._texts.clear()
        self._alive.clear()

    def steps(self, records: Sequence[R], sieve: Sieve | None, order: Order[R] | None, *, ordered_by: object) -> Steps[R]:
        """Yield the rows as far as they are known, and whether these are all, as often as others should have their turn."""
        if order is not None:
            yield from self._sort(records, order, ordered_by)
            records = self._ordered[2]
        if sieve is None:
            yield list(records), True
        else:
            yield from self._sift(records, sieve)

    def _sort(self, records: Sequence[R], order: Order[R], ordered_by: object) -> Steps[R]:
        """Sort in runs, and the runs together, unless that was done."""
        if self._ordered[0] is records and self._ordered[1] == ordered_by:
            return
        by, descending = order
        keys: list[Any] = []
        runs: list[int] = []
        for start in range(0, len(records), RUN):
            if runs:
                yield [], False
            keys += map(by, records[start : start + RUN])
            runs += sorted(range(start, len(keys)), key=keys.__getitem__, reverse=descending)
        runs.sort(key=keys.__getitem__, reverse=descending)
        self._ordered = records, ordered_by, [records[at] for at in runs]

    def _sift(self, records: Sequence[R], sieve: Sieve) -> Steps[R]:
        wanted, passing = sieve.text.casefold(), list[R]()
        until = time.perf_counter() + SLICE_SECONDS
        for start in range(0, len(records), SLICE):
            if start and time.perf_counter() > until:
                yield list(passing), False
                until = time.perf_counter() + SLICE_SECONDS
            part = records[start : start + SLICE]
            texts = self._texts_of(part)
            passing += [record for record, text in zip(part, texts, strict=True) if (wanted in text) != sieve.inverted]
        self._bound(len(records))
        yield passing, True

    def learn(self, records: Sequence[R]) -> Iterator[None]:
        """Make the texts of records before they are asked for."""
        until = time.perf_counter() + SLICE_SECONDS
        for start in range(0, len(records), SLICE):
            self._texts_of(records[start : start + SLICE])
            if time.perf_counter() > until:
                yield
                until = time.perf_counter() + SLICE_SECONDS

    def _texts_of(self, records: Sequence[R]) -> list[str]:
        known = self._texts
        texts = list(map(known.get, map(id, records)))
        if None in texts:
            for record in records:
                if id(record) not in known:  # the record is kept as long as its text, so no other can have its id
                    known[id(record)], self._alive[id(record)] = self._text_of(record).casefold(), record
            return [known[id(record)] for record in records]
        return cast("list[str]", texts)

    def _bound(self, count: int) -> None:
        """Let go of everything where most of it is of records that are gone."""
        if len(self._texts) > 2 * count + SLICE:
            self.forget()
