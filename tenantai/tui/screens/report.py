"""A fault of the console itself: said, kept for a report, and lived through."""

import platform
import traceback
from typing import ClassVar

from textual.app import ComposeResult
from textual.reactive import reactive
from textual.widgets import Static

from tenantai import __version__
from tenantai.tui import shown
from tenantai.tui.actions import Action, bindings
from tenantai.tui.screens.window import Window
from tenantai.tui.widgets.scrolling import Scrolling


class Report(Window[None]):
    """What happened, to read and to copy."""

    DEFAULT_CSS: ClassVar[str] = """
    Report { align: center middle; }
    Report > VerticalScroll { width: 110; max-width: 96%; height: 80%; padding: 1 2; background: $surface; border: round $error; }
    Report Static { height: auto; }
    Report .title { text-style: bold; margin-bottom: 1; }
    """
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action("report.copy", "c,y", "copy", "Copy", "Copy the report."),
        Action("report.leave", "escape,enter,q", "leave", "Go on", "Close this and go on."),
    )
    BINDINGS = bindings(ACTIONS)

    more: reactive[int] = reactive(0)

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.text = report_of(error)

    def compose(self) -> ComposeResult:
        """Lay out the sentence and the report."""
        with Scrolling():
            yield Static(self.told(), classes="title", markup=False)
            yield Static(shown.lines(self.text), markup=False)

    def told(self) -> str:
        """Return the sentence: that something went wrong, and how much more since."""
        more = f", and {shown.number(self.more)} more since" if self.more else ""
        return f"Something went wrong in the console{more}. It goes on; c copies the report."

    def watch_more(self) -> None:
        """Say of those that came since."""
        for title in self.query(".title").results(Static):
            title.update(self.told())

    def action_copy(self) -> None:
        """Copy the report."""
        self.operating.copy(self.text, what="report")

    def action_leave(self) -> None:
        """Close the report."""
        self.dismiss()


def report_of(error: BaseException) -> str:
    """Return a report of an error, without the values of variables, which may hold a tenant's things or a key."""
    places = "".join(traceback.format_tb(error.__traceback__))
    machine = f"tenantai {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    return f"{machine}\n{type(error).__name__}: {error}\n\n{places}"
