"""The footer of a place. What must stay true: keys that it no longer shows are let go, and those that lead on from anywhere stand first."""

from textual.app import ComposeResult
from textual.widgets import Footer, TextArea
from textual.widgets._footer import FooterKey

FIRST = ("command_line", "help")


class KeyFooter(Footer):
    """Textual's footer, without what that keeps of each key that it ever showed (8.2: a watcher of `compact` for each)."""

    def compose(self) -> ComposeResult:
        """Let go of the keys before, and lay out those of now; in a box for text, its way out first."""
        for watchers in self.__dict__.get("__watchers", {}).values():
            watchers[:] = [watcher for watcher in watchers if watcher[0].is_attached]
        if isinstance(self.screen.focused, TextArea):
            yield FooterKey("escape", "Esc", "Leave", "step_back", tooltip="Leave the text.")
        keys = list(super().compose())
        yield from sorted(keys, key=lambda key: not (isinstance(key, FooterKey) and key.action in FIRST))
