"""An embedding that waits, for tests of what happens meanwhile."""

import asyncio
from collections.abc import Sequence
from typing import Literal

from tenantai.providers.protocols import Vectors
from tenantai.providers.scripted import ScriptedEmbedding


class GatedEmbedding(ScriptedEmbedding):
    """Embeds documents only while its gate is open; `begun` lists the first words of what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.begun: list[str] = []

    async def embed(self, texts: Sequence[str], *, purpose: Literal["document", "query"]) -> Vectors:
        """Wait for the gate, then embed."""
        if purpose == "document":
            self.begun.append(texts[0].split()[0])
            await self.gate.wait()
        return await super().embed(texts, purpose=purpose)
