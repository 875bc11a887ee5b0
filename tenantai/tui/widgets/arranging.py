"""Which rows of a list are shown, and in which order: worked out in slices, so that keys and frames come in between.

What must stay true: a list that is short or whose texts are known is arranged within the first slice; ties stay in the order of the records.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

R = TypeVar("R")
SLICE = 250
FIRST_SECONDS = 0.005
SLICE_SECONDS = 0.01
FIRST_PAUSE_SECONDS = 0.04  # what a key did needs two frames where the first one comes before all widgets were told
PAUSE_SECONDS = 0.02  # a frame is drawn within it
RUN = 10_000
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

    def let_order_go(self) -> None:
        """Let go of the order that was worked out last: a record was put in another's place."""
        self._ordered = ((), None, [])

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
        """Sort, unless that was done."""
        if self._ordered[0] is records and self._ordered[1] == ordered_by:
            return
        found: list[R] = []
        for _ in _in_turns(_sorted_into(found, records, order)):
            yield [], False
        self._ordered = records, ordered_by, found

    def _sift(self, records: Sequence[R], sieve: Sieve) -> Steps[R]:
        passing: list[R] = []
        for _ in _in_turns(self._sift_into(passing, records, sieve)):
            yield list(passing), False
        self._bound(len(records))
        yield passing, True

    def _sift_into(self, passing: list[R], records: Sequence[R], sieve: Sieve) -> Iterator[None]:
        wanted = sieve.text.casefold()
        for start in range(0, len(records), SLICE):
            part = records[start : start + SLICE]
            texts = self._texts_of(part)
            passing += [record for record, text in zip(part, texts, strict=True) if (wanted in text) != sieve.inverted]
            yield

    def learn(self, records: Sequence[R]) -> Iterator[None]:
        """Make the texts of records before they are asked for, unless as many are known."""
        if len(self._texts) >= len(records):
            return iter(())
        return _in_turns(self._texts_of(records[start : start + SLICE]) for start in range(0, len(records), SLICE))

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


def _in_turns(pieces: Iterator[object]) -> Iterator[None]:
    """Do a work piece by piece, and yield as often as others should have their turn: soon for the first time, since a key began it."""
    until = time.perf_counter() + FIRST_SECONDS
    for _ in pieces:
        if time.perf_counter() > until:
            yield
            until = time.perf_counter() + SLICE_SECONDS


def _sorted_into(found: list[R], records: Sequence[R], order: Order[R]) -> Iterator[None]:
    """Sort runs of records, then neighbouring runs together, and gather the records: no piece takes much longer than another."""
    by, descending = order
    keys: list[Any] = []
    runs: list[list[int]] = []
    for start in range(0, len(records), RUN):
        keys += map(by, records[start : start + RUN])
        runs.append(sorted(range(start, len(keys)), key=keys.__getitem__, reverse=descending))
        yield
    while len(runs) > 1:
        for at in range(len(runs) // 2):
            runs[at : at + 2] = [sorted(runs[at] + runs[at + 1], key=keys.__getitem__, reverse=descending)]
            yield
    for start in range(0, len(records), RUN):
        found += [records[at] for at in runs[0][start : start + RUN]]
        yield
