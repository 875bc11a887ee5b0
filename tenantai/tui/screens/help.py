"""The help: every key that works now, the focused pane's first, with what it does and its `:` word."""

from textwrap import fill
from typing import ClassVar

from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from tenantai.tui.actions import Action, bindings
from tenantai.tui.commands import Offer
from tenantai.tui.screens.window import Overlay
from tenantai.tui.widgets.scrolling import Scrolling

KEY_WIDTH, TITLE_WIDTH, WORD_WIDTH = 13, 16, 15
WIDTH_MAX, FRAME = 110, 8


class Help(Overlay[None]):
    """A page made from the actions that apply."""

    DEFAULT_CSS: ClassVar[str] = """
    Help { align: center middle; }
    Help > VerticalScroll { width: 110; max-width: 96%; height: 90%; padding: 1 2; background: $surface; border: round $primary; }
    Help Static { height: auto; }
    """
    ACTIONS: ClassVar[tuple[Action, ...]] = (Action("help.leave", "escape,q,question_mark", "leave", "Close", "Close the help."),)
    BINDINGS = bindings(ACTIONS)

    def __init__(self, offers: list[Offer]) -> None:
        super().__init__()
        self._offers = offers

    def compose(self) -> ComposeResult:
        """Lay out a paragraph for each group of keys."""
        width = min(WIDTH_MAX, self.app.size.width * 96 // 100) - FRAME
        with Scrolling():
            for group in dict.fromkeys(offer.group for offer in self._offers):
                lines = [_line(offer, width=width) for offer in self._of(group)]
                yield Static(Content.assemble((f"{group}\n", "bold"), *lines), markup=False)

    def _of(self, group: str) -> list[Offer]:
        return [offer for offer in self._offers if offer.group == group]

    def action_leave(self) -> None:
        """Close the help."""
        self.dismiss()


def _line(offer: Offer, *, width: int) -> Content:
    """Return an action's line, its sentence wrapped within its own column."""
    word = f":{offer.word}" if offer.word else ""
    tone = "" if offer.is_enabled else "$text-disabled"
    keys = offer.keys if len(offer.keys) < KEY_WIDTH else f"{offer.keys[: KEY_WIDTH - 2]}…"
    before = f"{keys:<{KEY_WIDTH}}{offer.title:<{TITLE_WIDTH}}{word:<{WORD_WIDTH}}"
    wrapped = fill(offer.help, width, initial_indent=before, subsequent_indent=" " * len(before)) if offer.help else before
    return Content.styled(f"{wrapped}\n", tone)
