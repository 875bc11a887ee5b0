"""Makes the pictures of the console in docs/images: `make screenshots`.

What must stay true: nothing in them is made up; a real server reads the documents of examples/, and the real console shows it.
"""

import asyncio
import os
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from textual.pilot import Pilot

from tenantai.client import Client
from tenantai.commands.local_server import local_server
from tenantai.commands.model_files import pull_if_missing
from tenantai.settings import Settings
from tenantai.tui.app import Console, Start
from tenantai.tui.memory import Memory
from tenantai.tui.screens.chat import Chat
from tenantai.tui.screens.source import Source

IMAGES = Path(__file__).parent / "images"
EXAMPLES = Path(__file__).parents[1] / "examples"
SIZE = (120, 36)
QUESTION = "When may the goods be sold if the rent is not paid?"
ASKED_BEFORE = ("How long is the notice period?", "What does an L12 unit cost a month at Quayside?")
WAIT_SECONDS = 60.0
ASKING = frozenset({"load", "change", "answer", "load-conversation", "show", "arrival"})
CLASS_OF_RICH = re.compile(r"terminal-\d+-")
FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)  # fetched from the internet: a picture needs none


async def main() -> None:
    """Serve, fill the server as a person would, and take a picture of each place."""
    with tempfile.TemporaryDirectory(prefix="tenantai-pictures-") as made:
        folder = Path(made)
        settings = Settings(data_dir=folder / "data")
        settings.data_dir.mkdir(mode=0o700)
        _take_model(settings.data_dir)
        await pull_if_missing(settings)
        environment = {"TENANTAI_REGISTRATION": "open"}
        async with local_server(settings.data_dir, log=folder / "log", environment=environment) as url:
            key = (settings.data_dir / "operator.key").read_text().strip()
            tenant_id = await _furnish(url)
            async with _opened(url, key, tenant_id, folder) as (console, pilot):
                await _take_all(console, pilot)


def _take_model(data_dir: Path) -> None:
    """Use the files of the local model that the tests keep, where they are there."""
    kept = os.environ.get("TENANTAI_TEST_MODELS", Path.home() / ".cache" / "tenantai-tests" / "models")
    if Path(kept).is_dir():
        (data_dir / "models").symlink_to(kept)


async def _furnish(url: str) -> str:
    """Register a tenant and another, upload the documents, make keys, ask; return the tenant's id."""
    async with Client(url) as client:
        registered = await client.tenants.register(email="desk@example.org", organization_name="Quayside Storage")
        await client.tenants.register(email="office@example.org", organization_name="Hillgate Removals")
    tenant_id = registered.tenant_id
    async with Client(url, registered.api_key) as client:
        account = await client.accounts.create(tenant_id, name="Front desk", role="member")
        for path in sorted(path for path in EXAMPLES.iterdir() if path.is_file()):
            await client.files.upload(tenant_id, account.id, path=path)
        async for _ in client.store.live_progress(tenant_id):
            pass
        await client.api_keys.create(tenant_id, name="web site", scopes=["chat:create"], account_id=account.id)
        await client.api_keys.create(tenant_id, name="reports", scopes=["usage:read", "audit:read"])
        for question in ASKED_BEFORE:
            async for _ in client.chat.stream(tenant_id, question):
                pass
    return tenant_id


@asynccontextmanager
async def _opened(url: str, key: str, tenant_id: str, folder: Path) -> AsyncIterator[tuple[Console, Pilot[None]]]:
    console = Console(Start(url, key, tenant_id, folder=folder, memory=Memory(folder / "console.json")))
    async with console.run_test(size=SIZE) as pilot:
        await _until(lambda: console.times_online)
        yield console, pilot


async def _take_all(console: Console, pilot: Pilot[None]) -> None:
    await pilot.press("2")
    await _quiet(console, pilot)
    await _ask(console, pilot)
    await _take(console, pilot, "chat")
    await pilot.press("escape", "s", "enter")
    await _until(lambda: isinstance(console.screen, Source))
    await _take(console, pilot, "source")
    await pilot.press("escape")
    for key, name in (("1", "overview"), ("3", "store"), ("5", "audit"), ("6", "keys"), ("7", "tenants"), ("8", "usage")):
        await pilot.press(key)
        await _take(console, pilot, name)
    await pilot.press("6", "question_mark")
    await _take(console, pilot, "help")


async def _ask(console: Console, pilot: Pilot[None]) -> None:
    chat = console.screen
    if not isinstance(chat, Chat):
        raise TypeError(chat)
    chat.dialogue.prompt.put(QUESTION)
    await pilot.press("enter")
    await _until(lambda: chat.talk.messages and not chat.dialogue.is_answering)
    await _quiet(console, pilot)


async def _take(console: Console, pilot: Pilot[None], name: str) -> None:
    """Write the screen as a picture once nothing moves on it any more."""
    await _quiet(console, pilot)
    picture = FONT.sub("", console.export_screenshot(title="tenantai"))
    text = CLASS_OF_RICH.sub("terminal-", "\n".join(line.rstrip() for line in picture.splitlines()))
    IMAGES.mkdir(exist_ok=True)
    (IMAGES / f"{name}.svg").write_text(f"{text}\n", encoding="utf-8")


async def _quiet(console: Console, pilot: Pilot[None]) -> None:
    await _until(lambda: not any(worker.group in ASKING and not worker.is_finished for worker in console.workers))
    await pilot.pause(0.3)


async def _until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not condition():  # noqa: ASYNC110  nothing tells of it
            await asyncio.sleep(0.01)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
