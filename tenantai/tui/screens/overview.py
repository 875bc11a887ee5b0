"""The first place: how the server and the tenants are now."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.widgets import Static

from tenantai.tui.screens.place import Place


class Overview(Place):
    """Health, tenants, use and alerts at a glance."""

    SPOT: ClassVar[str] = "overview"

    def compose_middle(self) -> ComposeResult:
        """Lay out the panels."""
        yield Static("", id="health", markup=False)
