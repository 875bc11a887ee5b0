"""The form for how answers cite and what they are made from; only what was changed is sent."""

from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Checkbox, Input, Select, Static

from tenantai.tui.actions import Action, bindings
from tenantai.tui.screens.questions import Question
from tenantai.wire.store import CITATIONS_MAX, PASSAGES_MAX, CitationChange, RetrievalChange, StoreSettings

STYLES = (("numbered: [1] in the text", "numbered"), ("inline: the file's name and page", "inline"), ("none in the text", "none"))


@dataclass(frozen=True, slots=True)
class SettingsWish:
    """What is to change; None where nothing of a group is."""

    citations: CitationChange | None
    retrieval: RetrievalChange | None


class EditSettings(Question):
    """The form; dismisses with a `SettingsWish`, or None."""

    DEFAULT_CSS: ClassVar[str] = """
    EditSettings .row { height: 1; margin-bottom: 1; align-horizontal: left; }
    EditSettings .row > Static { width: 30; }
    EditSettings .row Input { width: 10; }
    EditSettings .row Select { width: 36; }
    EditSettings Checkbox { margin-bottom: 1; }
    """
    ACTIONS: ClassVar[tuple[Action, ...]] = (Action("settings.save", "ctrl+s", "save", "Save", "Send what was changed."),)
    BINDINGS = bindings(ACTIONS)

    def __init__(self, settings: StoreSettings) -> None:
        super().__init__()
        self._settings = settings

    def compose(self) -> ComposeResult:
        """Lay out the form."""
        citing, finding = self._settings.citations, self._settings.retrieval
        with Vertical():
            yield Static("How answers cite, and what they are made from", classes="title", markup=False)
            yield Checkbox("Answers cite their sources", citing.enabled, id="enabled", compact=True)
            yield from _row(
                "How they stand in the text", Select(STYLES, value=citing.style, allow_blank=False, id="style", compact=True)
            )
            yield from _row(f"Citations at most (1–{CITATIONS_MAX})", _number("max-citations", citing.max_citations))
            yield Checkbox("Citations carry the words that are cited", citing.include_quotes, id="include-quotes", compact=True)
            yield from _row(f"Passages for an answer (1–{PASSAGES_MAX})", _number("top-k", finding.top_k))
            yield from _row("How good beside the best (0–1)", _number("min-score", finding.min_score))
            with Horizontal():
                yield Button("Cancel", id="cancel")
                yield Button("Save (ctrl+s)", id="save", variant="primary")

    @on(Button.Pressed, "#save")
    @on(Input.Submitted)
    def action_save(self) -> None:
        """Send what was changed."""
        citing, finding = self._settings.citations, self._settings.retrieval
        given = {"max-citations": CITATIONS_MAX, "top-k": PASSAGES_MAX}
        numbers = {name: _whole(self.query_one(f"#{name}", Input).value, most) for name, most in given.items()}
        score = _share(self.query_one("#min-score", Input).value)
        if None in numbers.values() or score is None:
            self.notify("The numbers must be within what stands beside them.", severity="warning", markup=False)
            return
        citations = {
            "enabled": self.query_one("#enabled", Checkbox).value,
            "style": self.query_one("#style", Select).value,
            "max_citations": numbers["max-citations"],
            "include_quotes": self.query_one("#include-quotes", Checkbox).value,
        }
        retrieval = {"top_k": numbers["top-k"], "min_score": score}
        cited = {name: value for name, value in citations.items() if value != getattr(citing, name)}
        found = {name: value for name, value in retrieval.items() if value != getattr(finding, name)}
        wish = SettingsWish(
            CitationChange.model_validate(cited, by_name=True) if cited else None,
            RetrievalChange.model_validate(found, by_name=True) if found else None,
        )
        self.dismiss(wish if cited or found else None)

    @on(Button.Pressed, "#cancel")
    def _cancelled(self) -> None:
        self.dismiss(None)


def _row(title: str, field: Input | Select[str]) -> ComposeResult:
    with Horizontal(classes="row"):
        yield Static(title, markup=False)
        yield field


def _number(name: str, value: float) -> Input:
    return Input(f"{value:g}", id=name, compact=True)


def _whole(text: str, most: int) -> int | None:
    return int(text) if text.strip().isascii() and text.strip().isdigit() and 1 <= int(text) <= most else None


def _share(text: str) -> float | None:
    try:
        share = float(text)
    except ValueError:
        return None
    return share if 0 <= share <= 1 else None
