"""A photo with its caption; what shows it is made when the first one comes."""

import asyncio
import os
import sys
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from tenantai.tui import shown


class Photo(Vertical):
    """One photo at a time, with a frame around a thing in it."""

    DEFAULT_CSS: ClassVar[str] = """
    Photo { height: 1fr; }
    Photo > #caption { height: 1; color: $text-muted; }
    Photo > TGPImage, Photo > SixelImage { width: auto; height: 1fr; max-width: 100%; }
    """

    def __init__(self) -> None:
        super().__init__(id="photo")
        self.told = ""

    def compose(self) -> ComposeResult:
        """Lay out the caption."""
        yield Static("", id="caption", markup=False)

    async def show(self, content: bytes, caption: str, *, box: tuple[int, int, int, int] | None) -> None:
        """Show a photo, or say why it can't be."""
        from tenantai.tui import pictures  # noqa: PLC0415  decoding pictures costs a tenth of a second that only this pays

        try:
            picture = await asyncio.to_thread(pictures.decoded, content, box)
        except pictures.NoPicture as none:
            self._say(str(none))
            return
        self._say(caption)
        found = self.query(".picture")
        if found:
            widget = found.first()
        else:
            is_terminal = sys.__stdout__ is not None and sys.__stdout__.isatty()
            widget = pictures.make_widget(pictures.best_way(os.environ, is_terminal=is_terminal))
            widget.add_class("picture")
            await self.mount(widget)
        widget.image = picture  # type: ignore[attr-defined]

    async def clear(self) -> None:
        """Show none."""
        self._say("")
        await self.query(".picture").remove()

    def _say(self, text: str) -> None:
        self.told = text
        self.query_one("#caption", Static).update(shown.line(text))
