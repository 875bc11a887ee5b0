"""Jumping: a letter on everything that can have the focus; typing it gives it the focus."""

from string import ascii_lowercase
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.geometry import Offset
from textual.widget import Widget
from textual.widgets import Static

from tenantai.tui.actions import Action, bindings
from tenantai.tui.screens.window import Overlay


class Jump(Overlay[Widget | None]):
    """The letters over the screen; dismisses with the widget that was chosen, or None."""

    DEFAULT_CSS: ClassVar[str] = """
    Jump { background: $background 40%; }
    Jump > Static { width: 3; height: 1; background: $accent; color: $background; text-style: bold; position: absolute; text-align: center; }
    """
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action("jump.leave", "escape,ctrl+o", "leave", "Cancel", "Stay where the focus is."),
    )
    BINDINGS = bindings(ACTIONS)

    def __init__(self, widgets: list[Widget]) -> None:
        super().__init__()
        self._targets = dict(zip(ascii_lowercase, widgets, strict=False))

    def compose(self) -> ComposeResult:
        """Lay a letter over each widget's corner."""
        for letter, widget in self._targets.items():
            label = Static(letter, markup=False)
            label.styles.offset = Offset(widget.region.x, widget.region.y)
            yield label

    def on_key(self, event: events.Key) -> None:
        """Choose by letter."""
        if (target := self._targets.get(event.key)) is not None:
            event.stop()
            self.dismiss(target)

    def action_leave(self) -> None:
        """Choose none."""
        self.dismiss(None)
