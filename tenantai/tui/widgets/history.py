"""The conversations of a tenant, the latest first; the server searches in what was said."""

from datetime import datetime
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Vertical

from tenantai.tui import shown
from tenantai.tui.widgets.columns import Column
from tenantai.tui.widgets.record_list import RecordList
from tenantai.wire.chat import ConversationRecord


class History(Vertical):
    """The list at the left."""

    DEFAULT_CSS: ClassVar[str] = """
    History { width: 22%; min-width: 24; max-width: 40; border-right: solid $panel; }
    History:focus-within { border-right: solid $primary; }
    """

    def compose(self) -> ComposeResult:
        """Lay out the list."""
        columns = [
            Column[ConversationRecord]("conversation", lambda kept: kept.title, grows=True),
            Column[ConversationRecord]("", lambda kept: day_of(kept.updated_at), right=True, sort=lambda kept: kept.updated_at),
        ]
        yield RecordList(columns, key=lambda kept: kept.id, noun="conversations", filters_on_server=True, id="conversations")

    @property
    def records(self) -> RecordList[ConversationRecord]:
        """The list itself."""
        return self.query_one("#conversations", RecordList)


def day_of(timestamp: str) -> str:
    """Return the hour of a moment of today, the date of an earlier one."""
    local = shown.when(timestamp)
    today = datetime.now().astimezone().strftime("%Y-%m-%d")
    return local[11:16] if local.startswith(today) else local[2:10]
