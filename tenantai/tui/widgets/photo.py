"""A photo with its caption; what shows it is made when the first one comes."""

import asyncio
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from tenantai.tui import shown

if TYPE_CHECKING:
    from PIL.Image import Image


class Room(Container):
    """What a photo may fill."""

    @dataclass
    class Resized(Message):
        """There is more room or less, or its cells have another size."""

    def on_resize(self) -> None:
        """Tell of it."""
        self.post_message(self.Resized())


class Photo(Vertical):
    """One photo at a time, with a frame around a thing in it."""

    DEFAULT_CSS: ClassVar[str] = """
    Photo { height: 1fr; }
    Photo > #caption { height: 1; color: $text-muted; }
    Photo > #room { height: 1fr; width: 100%; }
    Photo > #room.graphics { margin-bottom: 1; }
    Photo .picture > * { width: 100%; height: 100%; }
    """

    def __init__(self) -> None:
        super().__init__(id="photo")
        self.told = ""

    def compose(self) -> ComposeResult:
        """Lay out the caption, and the room for the photo."""
        yield Static("", id="caption", markup=False)
        yield Room(id="room")

    async def show(self, content: bytes, caption: str, *, box: tuple[int, int, int, int] | None) -> None:
        """Show a photo, or say why it can't be."""
        from tenantai.tui import pictures  # noqa: PLC0415  decoding pictures costs a tenth of a second that only this pays

        try:
            picture = await asyncio.to_thread(pictures.decoded, content, box)
        except pictures.NoPicture as none:
            self._say(str(none))
            return
        self._say(caption)
        widget = await self._made()
        self._fit(widget, picture)
        widget.image = picture

    async def _made(self) -> Any:
        """Return what shows pictures here, made with the first one."""
        from tenantai.tui import pictures  # noqa: PLC0415  as above

        found = self.query(".picture")
        if found:
            return found.first()
        is_terminal = sys.__stdout__ is not None and sys.__stdout__.isatty()
        widget = pictures.make_widget(await asyncio.to_thread(pictures.best_way, os.environ, is_terminal=is_terminal))
        widget.add_class("picture")
        room = self.query_one("#room")
        room.set_class(pictures.is_graphics(widget), "graphics")
        await room.mount(widget)
        return widget

    @on(Room.Resized)
    def _fit_again(self) -> None:
        for widget in self.query(".picture"):
            self._fit(widget, getattr(widget, "image", None))

    def _fit(self, widget: Widget, picture: "Image | None") -> None:
        """Give graphics of the terminal as many cells as they fill; half cells see to it themselves."""
        from tenantai.tui import pictures  # noqa: PLC0415  as above

        room = self.query_one("#room").size
        if picture is not None and room and pictures.is_graphics(widget):
            widget.styles.width, widget.styles.height = pictures.fitted(
                picture.size, (room.width, room.height), pictures.measured_cell()
            )

    async def clear(self) -> None:
        """Show none."""
        self._say("")
        await self.query(".picture").remove()

    def _say(self, text: str) -> None:
        self.told = text
        self.query_one("#caption", Static).update(shown.line(text))
