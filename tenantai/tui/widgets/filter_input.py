"""Where a filter is typed, with completion where the list has words for it."""

from collections.abc import Callable, Iterable

from textual import events
from textual.suggester import Suggester
from textual.widgets import Input

Completing = Callable[[str], Iterable[str]]
PLACEHOLDER = "filter; Esc clears, ! inverts"


class FilterSuggester(Suggester):
    """Offers how a filter may go on."""

    def __init__(self, completing: Completing) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._completing = completing

    async def get_suggestion(self, value: str) -> str | None:
        """Return a whole filter that begins with what is typed."""
        return completed(value, self._completing)


class FilterInput(Input):
    """The filter of a list; Escape and Enter go back to the rows, Tab takes the completion."""

    def __init__(self, completing: Completing | None, *, placeholder: str = PLACEHOLDER) -> None:
        suggester = FilterSuggester(completing) if completing else None
        super().__init__(placeholder=placeholder, suggester=suggester, id="filter", compact=True)
        self._completing = completing

    def on_key(self, event: events.Key) -> None:
        """Take the completion."""
        offer = completed(self.value, self._completing) if event.key == "tab" and self._completing else None
        if offer is not None:
            self.value = offer
            self.cursor_position = len(offer)
            event.stop()
            event.prevent_default()


def completed(value: str, completing: Completing) -> str | None:
    """Return the first way on that is longer than what is typed."""
    return next((offer for offer in completing(value) if offer.startswith(value) and offer != value), None)
