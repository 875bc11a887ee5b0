"""What is sent to the server now, as one line; while nothing is, it takes no room."""

from typing import ClassVar

from textual.widgets import Static


class SendingLine(Static):
    """The file that is sent, how far it is, and at what rate."""

    DEFAULT_CSS: ClassVar[str] = """
    SendingLine { height: 1; padding: 0 1; display: none; color: $text-accent; text-wrap: nowrap; text-overflow: ellipsis; }
    SendingLine.shown { display: block; }
    """

    def __init__(self) -> None:
        super().__init__("", markup=False, id="sending")
        self.text = ""

    def say(self, text: str) -> None:
        """Say it, or nothing more where it is empty; it must have passed through `shown`."""
        self.text = text
        self.update(text)
        self.set_class(bool(text), "shown")
