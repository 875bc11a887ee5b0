"""The rows of the audit log: any of ten million at once where nothing but times is asked for, else one page after the other.

What must stay true: no more than `PAGES_KEPT` pages are held, and every row stays in its place while new entries come before it.
"""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

from tenantai.client import AuditFilters, Client
from tenantai.tui import shown
from tenantai.wire.audit import AuditRecord

PAGE = 500  # a tenant's requests are limited, and so is the time that a key press may wait for their reading
PAGES_KEPT = 20
SIFTED_PAGE = 1000
ROUNDS_MAX = 10
ENOUGH = 100
FRESH_MAX = 2_000
TRIES_MAX = 5


@dataclass(frozen=True)
class Part:
    """What came for some rows: which page it is of, the entries, and what the server said of all."""

    page: int
    records: Sequence[AuditRecord]
    last_event_id: int
    total: int
    total_is_exact: bool = True
    next_cursor: str | None = None
    looked_at: int = 0


@dataclass
class Block:
    """Entries of one page by their sequence, whole up to `whole_to`."""

    records: dict[int, AuditRecord] = field(default_factory=dict)
    whole_to: int = 0


class WholeLog:
    """All entries, or all of a time: their sequence has no gaps, so that a row's is known without asking."""

    about = ""

    def __init__(self, filters: AuditFilters) -> None:
        self.filters = filters
        self.newest, self.oldest = 0, 1
        self._top = 0
        self._blocks: OrderedDict[int, Block] = OrderedDict()

    def __len__(self) -> int:
        return max(0, self.newest - self.oldest + 1)

    @property
    def total_text(self) -> str:
        """How many there are."""
        return shown.number(len(self))

    @property
    def pages_held(self) -> int:
        """How many pages are in memory."""
        return len(self._blocks)

    def at(self, row: int) -> AuditRecord | None:
        """Return the entry of a row where it is held."""
        sequence = self.newest - row
        block = self._blocks.get(sequence // PAGE)
        return block.records.get(sequence) if block else None

    def row_of(self, key: Hashable) -> int | None:
        """Return the row of an entry by its sequence."""
        return self.newest - key if isinstance(key, int) and self.oldest <= key <= self.newest else None

    def lacks(self, first: int, last: int, *, is_urged: bool) -> bool:
        """Tell whether some of these rows must be asked for."""
        del is_urged
        return self._lacking(first, last) is not None

    def _lacking(self, first: int, last: int) -> int | None:
        if not len(self):
            return None
        highest, lowest = self.newest - first, self.newest - min(last, len(self)) + 1
        for number in range(max(highest, lowest) // PAGE, lowest // PAGE - 1, -1):
            block = self._blocks.get(number)
            if block is None or block.whole_to < self._end_of(number):
                return number
            self._blocks.move_to_end(number)
        return None

    def _end_of(self, number: int) -> int:
        return min(self.newest, number * PAGE + PAGE - 1)

    async def first_part(self, client: Client) -> Part:
        """Ask for the newest entries."""
        page = await client.audit.page(self.filters, limit=PAGE)
        return Part(-1, page.logs, int(page.last_event_id), page.total)

    async def part(self, client: Client, first: int, last: int) -> Part | None:
        """Ask for a page that these rows lack."""
        number = self._lacking(first, last)
        if number is None:
            return None
        high, low = self._end_of(number), max(self.oldest, number * PAGE)
        for _ in range(TRIES_MAX):
            page = await client.audit.page(self.filters, limit=high - low + 1, offset=max(0, self._top - high))
            if int(page.last_event_id) == self._top:
                break
            self._top = int(page.last_event_id)
        return Part(number, page.logs, self._top, page.total)

    def take(self, part: Part) -> None:
        """Take in what came."""
        if part.page < 0:
            self.newest = self._top = part.last_event_id
            self.oldest = self.newest - part.total + 1
        whole_to = self._end_of(part.page) if part.page >= 0 else self.newest
        for record in part.records:
            self._block(record.sequence // PAGE).records[record.sequence] = record
        if part.page >= 0:
            self._block(part.page).whole_to = max((record.sequence for record in part.records), default=whole_to)
        else:
            self._whole_first_blocks(part.records)
        while len(self._blocks) > PAGES_KEPT:
            self._blocks.popitem(last=False)

    def _whole_first_blocks(self, records: Sequence[AuditRecord]) -> None:
        """Take note of the blocks that the newest entries fill from their beginning; the others are asked for when looked at."""
        lowest = min((record.sequence for record in records), default=0)
        for number, block in self._blocks.items():
            if max(self.oldest, number * PAGE) >= lowest:
                block.whole_to = self._end_of(number)

    def _block(self, number: int) -> Block:
        block = self._blocks.setdefault(number, Block())
        self._blocks.move_to_end(number)
        return block

    def put_first(self, records: Sequence[AuditRecord]) -> int:
        """Take in entries that were written since; returns how many rows came before the others."""
        before = self.newest
        for record in sorted(records, key=lambda record: record.sequence):
            if record.sequence <= self.newest:
                continue
            self.newest = record.sequence
            number = record.sequence // PAGE
            block = self._blocks.get(number)
            if block is None and record.sequence % PAGE == 0:
                block = self._block(number)
                block.whole_to = record.sequence - 1
            if block is not None and block.whole_to == record.sequence - 1:
                block.records[record.sequence], block.whole_to = record, record.sequence
        return self.newest - before

    @property
    def is_overfull(self) -> bool:
        """Whether so many came that the list is to begin anew: never, for any row can be asked for again."""
        return False


class SiftedLog:
    """Entries that filters leave, page by page in the order of the log; `passes` sifts what the server can't."""

    def __init__(self, filters: AuditFilters, passes: Callable[[AuditRecord], bool] | None) -> None:
        self.filters = filters
        self.passes = passes
        self.fresh: list[AuditRecord] = []
        self.looked_at, self.total, self.total_is_exact = 0, 0, True
        self._cursors: list[str | None] = [None]
        self._starts: list[int] = [0]
        self._pages: OrderedDict[int, Sequence[AuditRecord]] = OrderedDict()
        self._is_whole = False
        self._is_stalled = False

    def __len__(self) -> int:
        return len(self.fresh) + self._starts[-1]

    @property
    def total_text(self) -> str:
        """How many there are, as far as is known."""
        if self.passes is None:
            return shown.number(max(self.total + len(self.fresh), len(self))) + ("" if self.total_is_exact else "+")
        return f"{shown.number(len(self))}{'' if self._is_whole else '+'}"

    @property
    def about(self) -> str:
        """How many entries were looked at, where that is not all."""
        if self.passes is None or self._is_whole:
            return ""
        more = " (down looks further)" if self._is_stalled else ""
        of_all = f"{shown.number(self.total)}{'' if self.total_is_exact else '+'}"
        return f"looked at {shown.number(self.looked_at)} of {of_all}{more}"

    @property
    def pages_held(self) -> int:
        """How many pages are in memory."""
        return len(self._pages)

    def at(self, row: int) -> AuditRecord | None:
        """Return the entry of a row where it is held."""
        if row < len(self.fresh):
            return self.fresh[row]
        behind = row - len(self.fresh)
        number = bisect_right(self._starts, behind) - 1
        page = self._pages.get(number)
        at = behind - self._starts[number]
        return page[at] if page is not None and at < len(page) else None

    def row_of(self, key: Hashable) -> int | None:
        """Return the row of an entry by its sequence, where it is held."""
        for row, record in enumerate(self.fresh):
            if record.sequence == key:
                return row
        for number, page in self._pages.items():
            for at, record in enumerate(page):
                if record.sequence == key:
                    return len(self.fresh) + self._starts[number] + at
        return None

    def lacks(self, first: int, last: int, *, is_urged: bool) -> bool:
        """Tell whether some of these rows must be asked for."""
        if is_urged:
            self._is_stalled = False
        return self._lacking(first, last) is not None

    def _lacking(self, first: int, last: int) -> int | None:
        known = len(self._starts) - 1
        fresh = len(self.fresh)
        start = max(0, bisect_right(self._starts, max(0, first - fresh)) - 1)
        for number in range(start, known):
            if self._starts[number] > last - fresh:
                return None
            if number not in self._pages and self._starts[number] < self._starts[number + 1]:
                return number
            if number in self._pages:
                self._pages.move_to_end(number)
        return None if self._is_whole or self._is_stalled or last <= len(self) else known

    async def first_part(self, client: Client) -> Part:
        """Ask for the newest entries."""
        return await self._walked(client, 0)

    async def part(self, client: Client, first: int, last: int) -> Part | None:
        """Ask for a page that these rows lack."""
        number = self._lacking(first, last)
        return None if number is None else await self._walked(client, number)

    async def _walked(self, client: Client, number: int) -> Part:
        found: list[AuditRecord] = []
        looked_at, cursor = 0, self._cursors[number]
        for _ in range(ROUNDS_MAX):
            page = await client.audit.page(self.filters, limit=SIFTED_PAGE if self.passes else PAGE, cursor=cursor)
            found += page.logs if self.passes is None else filter(self.passes, page.logs)
            looked_at += len(page.logs)
            cursor = page.next_cursor
            if cursor is None or len(found) >= ENOUGH:
                break
        return Part(number, found, int(page.last_event_id), page.total, page.total_is_exact, cursor, looked_at)

    def take(self, part: Part) -> None:
        """Take in what came."""
        self._pages[part.page] = part.records
        if part.page == len(self._starts) - 1:
            self._starts.append(self._starts[-1] + len(part.records))
            self._cursors.append(part.next_cursor)
            self._is_whole = part.next_cursor is None
            self._is_stalled = len(part.records) < ENOUGH
            self.looked_at += part.looked_at
            if part.page == 0:
                self.total, self.total_is_exact = part.total, part.total_is_exact
        while len(self._pages) > PAGES_KEPT:
            self._pages.popitem(last=False)

    def put_first(self, records: Sequence[AuditRecord]) -> int:
        """Take in entries that were written since; returns how many rows came before the others."""
        newest = max((record.sequence for record in self.fresh), default=0)
        come = [r for r in records if r.sequence > newest and (self.passes is None or self.passes(r))]
        self.fresh = [*sorted(come, key=lambda record: -record.sequence), *self.fresh]
        return len(come)

    @property
    def is_overfull(self) -> bool:
        """Whether so many came that the list is to begin anew."""
        return len(self.fresh) > FRESH_MAX


Log = WholeLog | SiftedLog
