"""A window over a place: it is closed once, by itself, and what keys do in it is told there too."""

from typing import ClassVar, TypeVar

from textual.await_complete import AwaitComplete
from textual.screen import ModalScreen

from tenantai.tui.actions import Acting, Action, bindings

T = TypeVar("T")


class Overlay(Acting, ModalScreen[T]):
    """What every window shares: it closes itself and no other."""

    def dismiss(self, result: T | None = None) -> AwaitComplete:
        """Close with an answer, once; while another window stands over this one it stays as it is.

        Textual (8.2) would close the window on top instead, and this one could never be answered again.
        """
        return super().dismiss(result) if self.app.screen is self else AwaitComplete()


class Window(Overlay[T]):
    """What questions, reports and sources share: `?` tells their keys, unless a text is typed there."""

    ACTIONS: ClassVar[tuple[Action, ...]] = (Action("window.help", "question_mark", "help", "Help", "What every key does here."),)
    BINDINGS = bindings(ACTIONS)

    def action_help(self) -> None:
        """Show what every key does here."""
        self.operating.action_help()
