"""The form for an item of an estimate: a new one, or what a person knows better of one that was seen."""

from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import ValidationError
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Checkbox, Input, Static

from tenantai.tui import shown
from tenantai.tui.actions import Action, bindings
from tenantai.tui.screens.questions import Question
from tenantai.wire.estimator import ItemAdded, ItemEdit, ItemTold

TEXTS = {"name": "what it is, such as sofa 3 seat", "label": "what tells it apart, such as grey", "room": "room"}
SIZES = {"length_cm": "length in cm", "width_cm": "width in cm", "height_cm": "height in cm"}


@dataclass(frozen=True, slots=True)
class _Given:
    """What stands in the form."""

    texts: dict[str, str]
    fragile: bool


class EditItem(Question):
    """The form; dismisses with an `ItemEdit` of what was changed, an `ItemAdded` for a new item, or None."""

    DEFAULT_CSS: ClassVar[str] = """
    EditItem .row { height: 1; align-horizontal: left; }
    EditItem .row > Static { width: 12; }
    EditItem .row > Input { width: 1fr; }
    EditItem Checkbox { margin: 1 0; }
    EditItem #problem { height: auto; }
    """
    ACTIONS: ClassVar[tuple[Action, ...]] = (Action("item.save", "ctrl+s", "save", "Save", "Send the item."),)
    BINDINGS = bindings(ACTIONS)

    def __init__(self, item: ItemTold | None) -> None:
        super().__init__()
        self._item = item
        self._was = _given(item)

    def compose(self) -> ComposeResult:
        """Lay out the form."""
        with Vertical():
            title = "A new item" if self._item is None else f"{shown.line(self._item.name, most=50)}"
            yield Static(title, classes="title", markup=False)
            for name, about in {**TEXTS, "quantity": "how many", **SIZES}.items():
                with Horizontal(classes="row"):
                    yield Static(name.removesuffix("_cm"), markup=False)
                    yield Input(self._was.texts[name], placeholder=about, id=name, compact=True)
            yield Checkbox("fragile", self._was.fragile, id="fragile", compact=True)
            yield Static("", id="problem", classes="warning", markup=False)
            with Horizontal():
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Save (ctrl+s)", id="save", variant="primary", compact=True)

    @on(Button.Pressed, "#save")
    @on(Input.Submitted)
    def action_save(self) -> None:
        """Answer with what stands in the form, where it can be sent."""
        now = {name: self.query_one(f"#{name}", Input).value.strip() for name in self._was.texts}
        changed: dict[str, Any] = {name: text or None for name, text in now.items() if text != self._was.texts[name]}
        if (fragile := self.query_one("#fragile", Checkbox).value) != self._was.fragile:
            changed["fragile"] = fragile
        if "label" in changed:
            changed["label"] = changed["label"] or ""
        try:
            self.dismiss(self._answer(changed))
        except ValidationError as error:
            told = [f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()]
            self.query_one("#problem", Static).update(shown.lines("\n".join(told)))

    def _answer(self, changed: dict[str, Any]) -> ItemEdit | ItemAdded | None:
        if self._item is None:
            return ItemAdded.model_validate(changed, by_name=True, strict=False)
        return ItemEdit.model_validate({"id": self._item.id, **changed}, by_name=True, strict=False) if changed else None

    @on(Button.Pressed, "#cancel")
    def _cancelled(self) -> None:
        self.dismiss(None)


def _given(item: ItemTold | None) -> _Given:
    """Return what the form begins with, nothing in it that would steer the terminal."""
    if item is None:
        return _Given({**dict.fromkeys(TEXTS, ""), "quantity": "1", **dict.fromkeys(SIZES, "")}, fragile=False)
    words = {"name": item.name, "label": item.label, "room": item.room or "", "quantity": str(item.quantity)}
    texts = {name: shown.line(text).strip() for name, text in words.items()}
    sizes = {name: "" if (side := getattr(item, name)) is None else f"{side:g}" for name in SIZES}
    return _Given({**texts, **sizes}, fragile=item.fragile)
