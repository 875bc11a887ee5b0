"""A server in a process of its own, with scripted models: `served.py DATA_DIR [SLICES|kept|saying|-] [PORT]` prints its address.

With SLICES it prints `stuck` in place of embedding the slice of a file's chunks behind so many, and waits there for its end;
with `kept` it does so once the first bytes are kept, before anything names them; with `saying` no answer of its chat ends.
"""

import asyncio
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Literal
from unittest.mock import patch

from aiohttp import web

from tenantai.providers.protocols import Vectors
from tenantai.providers.scripted import ScriptedChat, ScriptedEmbedding
from tenantai.server.app import Models, create_app
from tenantai.server.protocol import Runner
from tenantai.settings import Plan, Plans, Settings
from tenantai.storage.blobs import Blobs, Received

MANY = 1_000_000_000
SAID = ["A long answer has many words. "] * 40


class StickingEmbedding(ScriptedEmbedding):
    """Embeds so many slices of documents, then no more."""

    def __init__(self, slices: int) -> None:
        super().__init__()
        self._slices_left = slices

    async def embed(self, texts: Sequence[str], *, purpose: Literal["document", "query"]) -> Vectors:
        """Embed, or say that this is the end and wait."""
        if purpose == "document":
            if not self._slices_left:
                tell("stuck")
                await asyncio.Event().wait()
            self._slices_left -= 1
        return await super().embed(texts, purpose=purpose)


def tell(line: str) -> None:
    """Write a line that a test waits for."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


KEEP = Blobs.keep


def keep_and_stick(blobs: Blobs, tenant_id: str, *, received: Received) -> None:
    """Keep bytes, and never say so."""
    KEEP(blobs, tenant_id, received=received)
    tell("stuck")
    threading.Event().wait()


async def main() -> None:
    """Serve until killed."""
    wide = Plan(requests_per_minute=MANY, requests_per_hour=MANY, requests_per_day=MANY, requests_per_month=MANY)
    settings = Settings(data_dir=Path(sys.argv[1]), port=0, plans=Plans(pro=wide))
    sticks, port = (*sys.argv[2:], *("-", "0")[len(sys.argv) - 2 :])
    embedding = StickingEmbedding(int(sticks)) if sticks.isdigit() else ScriptedEmbedding()
    chat = ScriptedChat([[*SAID, asyncio.Event()]]) if sticks == "saying" else ScriptedChat()
    if sticks == "kept":
        patch.object(Blobs, "keep", keep_and_stick).start()
    runner = Runner(create_app(settings, Models(chat, embedding)), shutdown_timeout_seconds=10)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(port)).start()
    tell(f"http://127.0.0.1:{runner.addresses[0][1]}")
    await asyncio.Event().wait()


asyncio.run(main())
