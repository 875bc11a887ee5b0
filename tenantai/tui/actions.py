"""What a person can do, declared once: the footer, the palette, the `:` line and the help all read it from here.

What must stay true: every binding of ours comes from an `Action`, so that it has an id, a title and a sentence; one that changes
something is grey where the console only reads or the key may not.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType

if TYPE_CHECKING:
    from textual.dom import DOMNode
    from textual.message import Message
    from textual.screen import Screen

    from tenantai.tui.app import Console

    Node = DOMNode
else:
    Node = object  # Textual takes the styles of the first base that is a DOMNode: that must be the widget

BY_ID: dict[str, "Action"] = {}


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that a person can do somewhere.

    `name` is the Textual action (`action_<name>`), `word` what is typed after `:` (the name with dashes where it is left out),
    `argument` what may follow the word (empty: nothing may; `action_<name>` takes it as text), `changes` whether it changes
    something on the server, `scope` what the key needs for it.
    """

    id: str
    key: str
    name: str
    title: str
    help: str
    word: str = ""
    argument: str = ""
    changes: bool = False
    scope: str = ""
    in_footer: bool = True
    priority: bool = False

    @property
    def command(self) -> str:
        """What is typed after `:` for it."""
        return self.word or self.name.replace("_", "-")


def bindings(actions: Iterable[Action]) -> list[BindingType]:
    """Return the bindings of actions, and note the actions under their ids."""
    made: list[BindingType] = []
    for action in actions:
        if BY_ID.setdefault(action.id, action) != action:
            raise ValueError(f"two actions have the id {action.id}")
        made.append(
            Binding(
                action.key,
                action.name,
                action.title,
                show=action.in_footer,
                priority=action.priority,
                id=action.id,
                tooltip=action.help,
            )
        )
    return made


class Acting(Node):
    """A node of the console with actions of its own; a subclass lists them and makes its BINDINGS of them."""

    ACTIONS: ClassVar[tuple[Action, ...]] = ()

    @property
    def operating(self) -> "Console":
        """The console that this node is part of."""
        from tenantai.tui.app import Console  # noqa: PLC0415  the console imports its nodes

        app = self.app
        if not isinstance(app, Console):
            raise TypeError("this node belongs into the console")
        return app

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Tell whether an action applies (True), is grey (None) or is hidden (False) now."""
        del parameters
        declared = declared_in(type(self)).get(action)
        if declared is None:
            return True
        if not self.operating.permits(declared):
            return None
        return self.applies(action)

    async def _dispatch_message(self, message: "Message") -> None:
        """Handle a message; a fault of ours is reported, and this node goes on: Textual would end its loop (8.2)."""
        try:
            await super()._dispatch_message(message)
        except Exception as error:  # noqa: BLE001  no fault may close the console, or leave a pane dead
            self.operating.report(error)

    def applies(self, action: str) -> bool | None:
        """Tell whether one of this node's own actions makes sense now; where not, None greys and False hides it."""
        del action
        return True


def declared_in(kind: type[Any]) -> dict[str, Action]:
    """Return the actions that a class and those it is made from declare, by their names."""
    found: dict[str, Action] = {}
    for ancestor in reversed(kind.__mro__):
        found |= {action.name: action for action in vars(ancestor).get("ACTIONS", ())}
    return found


def is_typing(screen: "Screen[Any]") -> bool:
    """Tell whether what is typed goes into a text now.

    Keys that open a line for typing have priority, where Textual (8.2) else hands the keys that come at once with them to what had the focus.
    """
    from textual.widgets import Input, TextArea  # noqa: PLC0415  widgets import their actions

    return isinstance(screen.focused, Input | TextArea)
