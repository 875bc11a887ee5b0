"""A pane that is only read: the letters that move a cursor in rows scroll it."""

from typing import ClassVar

from textual.containers import VerticalScroll

from tenantai.tui.actions import Acting, Action, bindings

SCROLLING = (
    Action("pane.down", "j", "scroll_down", "Scroll down", "Scroll a line down.", in_footer=False),
    Action("pane.up", "k", "scroll_up", "Scroll up", "Scroll a line up.", in_footer=False),
    Action("pane.first", "g", "scroll_home", "To the top", "Scroll to the first line.", in_footer=False),
    Action("pane.last", "G", "scroll_end", "To the end", "Scroll to the last line.", in_footer=False),
)


class Scrolling(Acting, VerticalScroll, can_focus=True):
    """What stands in it, scrolled by arrows, letters and the mouse."""

    ACTIONS: ClassVar[tuple[Action, ...]] = SCROLLING
    BINDINGS = bindings(SCROLLING)
