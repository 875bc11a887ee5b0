"""The console's own list with a hundred thousand records behind it, without a server: `python -m benchmarks.long_list`."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from textual.app import ComposeResult

from tenantai.tui import shown
from tenantai.tui.app import Console, Start
from tenantai.tui.link import LinkState
from tenantai.tui.screens.place import Place
from tenantai.tui.widgets.columns import Column
from tenantai.tui.widgets.record_list import RecordList

COUNT = 100_000
STATES = ("ready", "failed", "queued", "excluded")
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Document:
    """A record like a file of the store."""

    number: int
    name: str
    state: str
    bytes: int
    at: str


def document(number: int) -> Document:
    """Return a record of a number, always the same."""
    drawn = random.Random(number)
    name = f"{number:06d} {drawn.choice('abcdefghij')}{drawn.randrange(10**6)}.pdf"
    at = (BEGAN + timedelta(seconds=drawn.randrange(10**7))).isoformat()
    return Document(number, name, drawn.choice(STATES), drawn.randrange(10**8), at)


class LongList(Place):
    """A place with that list alone."""

    SPOT: ClassVar[str] = "overview"

    def compose_middle(self) -> ComposeResult:
        """Lay out the list."""
        columns = [
            Column[Document]("name", lambda one: one.name, grows=True, sort=lambda one: one.name[7:]),
            Column[Document]("state", lambda one: one.state, tone=lambda one: "good" if one.state == "ready" else ""),
            Column[Document]("size", lambda one: shown.size(one.bytes), right=True, sort=lambda one: one.bytes),
            Column[Document]("created", lambda one: shown.when(one.at), sort=lambda one: one.at),
        ]
        yield RecordList(columns, key=lambda one: one.number, noun="documents")

    def on_mount(self) -> None:
        """Show all records."""
        self.query_one(RecordList).show([document(number) for number in range(COUNT)])


class Listing(Console):
    """A console with that place alone, which looks for no server."""

    MODES: ClassVar[dict[str, Any]] = {"overview": LongList}

    def _reach(self) -> None:
        """Look for no server, and count no seconds until the next try."""
        self.link_state = LinkState("online")


if __name__ == "__main__":
    Listing(Start(folder=Path("/nonexistent"))).run()
