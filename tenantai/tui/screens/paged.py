"""A place with lists that come page by page: the first page at once, the others as far as somebody looks.

What must stay true: what is asked for anew replaces as many rows as there were, and no page of a walk that was given up is shown.
"""

from collections.abc import AsyncGenerator, Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from textual import on
from textual.message import Message

from tenantai.tui.screens.place import Place
from tenantai.tui.walk import Walk
from tenantai.tui.widgets.record_list import RecordList

if TYPE_CHECKING:
    from tenantai.client import Client

R = TypeVar("R")
RENEWED_MAX = 2000


@dataclass(eq=False)
class Pages(Generic[R]):
    """How far a list was walked: `owner` is whose rows they are, `least` how many the first page is to have."""

    walk: Walk[R]
    owner: Hashable
    group: str
    least: int
    is_begun: bool = False


class Paged(Place):
    """Loads its lists by pages; `page_came` is called after each."""

    @dataclass
    class PageCame(Message):
        """A page of a list came."""

        records: RecordList[Any]
        pages: Pages[Any]
        page: list[Any]
        has_more: bool

    def __init__(self) -> None:
        super().__init__()
        self._pages: dict[RecordList[Any], Pages[Any]] = {}

    def load_pages(
        self,
        records: RecordList[R],
        begin: "Callable[[Client], AsyncGenerator[R]]",
        *,
        owner: Hashable = None,
        group: str = "load",
    ) -> None:
        """Ask for a list's first page, or for as many rows as it has of the same owner (`RENEWED_MAX` at most). `group` as in `ask`."""
        before = self._pages.get(records)
        there = len(records.records) if before is not None and before.owner == owner else 0
        self._pages[records] = Pages(Walk(begin), owner, group, min(there, RENEWED_MAX))
        self._ask_page(records)

    def leave_pages(self, records: RecordList[Any], *, unless_of: Hashable) -> None:
        """Take no more pages of a list, unless they are such an owner's."""
        if records in self._pages and self._pages[records].owner != unless_of:
            del self._pages[records]

    def page_came(self, records: RecordList[Any]) -> None:
        """Do what follows where a page of a list came."""

    def renew(self) -> None:
        """Load what has become old, as far as it was loaded; where that is very far, it stays."""
        if all(len(records.records) <= RENEWED_MAX for records in self.query(RecordList)):
            self.load()

    def _ask_page(self, records: RecordList[R]) -> None:
        pages = self._pages[records]

        async def work(client: "Client") -> Message:
            page, has_more = await pages.walk.next_page(client, least=0 if pages.is_begun else pages.least)
            return self.PageCame(records, pages, page, has_more)

        self.ask(work, group=pages.group)

    @on(RecordList.WantsMore)
    def _wants_more(self, event: RecordList.WantsMore) -> None:
        if event.records in self._pages:
            self._ask_page(event.records)

    @on(PageCame)
    def _page_came(self, event: PageCame) -> None:
        if self._pages.get(event.records) is not event.pages:
            return
        put = event.records.add if event.pages.is_begun else event.records.show
        event.pages.is_begun = True
        put(event.page, has_more=event.has_more)
        self.page_came(event.records)
