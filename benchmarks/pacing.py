"""A scripted model that says so many pieces a second, and tells in its first one when it began."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence

from tenantai.providers.protocols import ChatEvent, ChatRequest, TextDelta
from tenantai.providers.scripted import Script, ScriptedChat


class PacedChat(ScriptedChat):
    """Plays one answer at a pace; piece number n is due n / rate seconds after the moment that the first words tell."""

    def __init__(self, answer: Sequence[str], rate: float) -> None:
        super().__init__([answer])
        self._answer, self._rate = tuple(answer), rate

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent]:
        """Yield the pieces when they are due."""
        began = time.perf_counter()
        yield TextDelta(f"Began at {began:.4f} of the machine's clock.\n\n")
        for number, piece in enumerate(self._answer):
            if (left := began + number / self._rate - time.perf_counter()) > 0:
                await asyncio.sleep(left)
            yield TextDelta(piece)
        for event in Script(self._answer).endings(request):
            yield event
