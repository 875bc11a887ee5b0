"""The footer of a place. What must stay true: keys that it no longer shows are let go."""

from textual.app import ComposeResult
from textual.widgets import Footer


class KeyFooter(Footer):
    """Textual's footer, without what that keeps of each key that it ever showed (8.2: a watcher of `compact` for each)."""

    def compose(self) -> ComposeResult:
        """Let go of the keys before, and lay out those of now."""
        for watchers in self.__dict__.get("__watchers", {}).values():
            watchers[:] = [watcher for watcher in watchers if watcher[0].is_attached]
        yield from super().compose()
