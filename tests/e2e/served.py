"""A server in a process of its own, with scripted models: `python served.py DATA_DIR [SLICES] [PORT]` prints its address.

With SLICES (not `-`) it prints `stuck` in place of embedding the slice of a file's chunks behind so many, and waits there.
"""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from aiohttp import web

from tenantai.providers.protocols import Vectors
from tenantai.providers.scripted import ScriptedChat, ScriptedEmbedding
from tenantai.server.app import Models, create_app
from tenantai.server.protocol import Runner
from tenantai.settings import Plan, Plans, Settings

MANY = 1_000_000_000


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


async def main() -> None:
    """Serve until killed."""
    wide = Plan(requests_per_minute=MANY, requests_per_hour=MANY, requests_per_day=MANY, requests_per_month=MANY)
    settings = Settings(data_dir=Path(sys.argv[1]), port=0, plans=Plans(pro=wide))
    slices, port = (*sys.argv[2:], *("-", "0")[len(sys.argv) - 2 :])
    embedding = ScriptedEmbedding() if slices == "-" else StickingEmbedding(int(slices))
    runner = Runner(create_app(settings, Models(ScriptedChat(), embedding)), shutdown_timeout_seconds=10)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(port)).start()
    tell(f"http://127.0.0.1:{runner.addresses[0][1]}")
    await asyncio.Event().wait()


asyncio.run(main())
