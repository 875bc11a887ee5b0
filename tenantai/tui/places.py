"""The places of the console: their order, keys and words, and the modules that hold them, imported when they are first gone to."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, cast

from tenantai.tui.actions import Action

if TYPE_CHECKING:
    from tenantai.tui.screens.place import Place


@dataclass(frozen=True, slots=True)
class Spot:
    """One place: its name (also its `:` word), its key, its title, what it is for, and the class that shows it."""

    name: str
    key: str
    title: str
    help: str
    screen: str

    @property
    def action(self) -> Action:
        """How to go there."""
        return Action(f"go.{self.name}", self.key, f"go('{self.name}')", self.title, self.help, word=self.name, in_footer=False)

    def maker(self) -> Callable[[], "Place"]:
        """Return what makes its screen."""

        def make() -> "Place":
            kind = getattr(import_module(f"tenantai.tui.screens.{self.name}"), self.screen)
            return cast("Place", kind())

        return make


SPOTS = (
    Spot("overview", "1", "Overview", "How the server and the tenants are now.", "Overview"),
    Spot("chat", "2", "Chat", "Ask the documents of a tenant.", "Chat"),
    Spot("store", "3", "Store", "Files that answers are made from: upload, import, search.", "StorePlace"),
    Spot("assets", "4", "Assets", "The vault as a tree: upload, download, import.", "AssetsPlace"),
    Spot("audit", "5", "Audit", "What happened and who did it: filter, follow, prove, export.", "Audit"),
    Spot("keys", "6", "Keys", "API keys: make, rotate, revoke.", "Keys"),
    Spot("tenants", "7", "Tenants", "Tenants, their plans and limits, their accounts.", "Tenants"),
    Spot("usage", "8", "Usage", "What was used, when and by what; limits with their forecast; SQL.", "Usage"),
    Spot("estimates", "9", "Estimates", "What stands in photos, and what holds it.", "Estimates"),
    Spot("logs", "0", "Logs", "What the server writes as it works, live.", "Logs"),
)
BY_NAME = {spot.name: spot for spot in SPOTS}
