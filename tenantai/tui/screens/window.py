"""A window over a place: what keys do in it is told there too."""

from typing import ClassVar, TypeVar

from textual.screen import ModalScreen

from tenantai.tui.actions import Acting, Action, bindings

T = TypeVar("T")


class Window(Acting, ModalScreen[T]):
    """What questions, reports and sources share: `?` tells their keys, unless a text is typed there."""

    ACTIONS: ClassVar[tuple[Action, ...]] = (Action("window.help", "question_mark", "help", "Help", "What every key does here."),)
    BINDINGS = bindings(ACTIONS)

    def action_help(self) -> None:
        """Show what every key does here."""
        self.operating.action_help()
