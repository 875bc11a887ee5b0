"""A server in a process of its own, with scripted models: `python served.py DATA_DIR` prints its address."""

import asyncio
import sys
from pathlib import Path

from aiohttp import web

from tenantai.providers.scripted import ScriptedChat, ScriptedEmbedding
from tenantai.server.app import Models, create_app
from tenantai.settings import Settings


async def main() -> None:
    """Serve until killed."""
    settings = Settings(data_dir=Path(sys.argv[1]), port=0)
    runner = web.AppRunner(create_app(settings, Models(ScriptedChat(), ScriptedEmbedding())), handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stderr.write(f"http://127.0.0.1:{runner.addresses[0][1]}\n")
    sys.stderr.flush()
    await asyncio.Event().wait()


asyncio.run(main())
