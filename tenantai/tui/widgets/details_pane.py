"""A side pane with all there is to one record, to scroll through."""

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from tenantai.tui.widgets.scrolling import Scrolling


class DetailsPane(Scrolling):
    """Lines of text; what they hold must have passed through `shown`."""

    ALLOW_MAXIMIZE = True
    DEFAULT_CSS: ClassVar[str] = """
    DetailsPane { scrollbar-size-vertical: 1; }
    DetailsPane > Static { height: auto; }
    """

    def compose(self) -> ComposeResult:
        """Lay out the text."""
        yield Static("", markup=False)

    def show(self, lines: Iterable[Content | str]) -> None:
        """Show these lines from the top."""
        self.query_one(Static).update(Content("\n").join(Content(line) if isinstance(line, str) else line for line in lines))
        self.scroll_home(animate=False)

    @property
    def text(self) -> str:
        """What is shown, without its colours."""
        return str(self.query_one(Static).content)
