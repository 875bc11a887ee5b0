"""A headless console that is used as in an hour: `python -m benchmarks.console_hour JSON` prints what it held, in megabytes."""

import asyncio
import itertools
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from textual.screen import ModalScreen

from tenantai.client import Client
from tenantai.tui.app import Console, Start
from tenantai.tui.memory import Memory
from tenantai.tui.places import SPOTS

SIZE = (120, 36)
FILES = 40
SETTLE_SECONDS = 30.0
ASKING = frozenset({"load", "change", "answer"})
GLANCES = (
    ("j", "j", "k", "G", "g"),
    ("slash", "a", "b", "escape"),
    ("question_mark", "escape"),
    ("ctrl+p", "escape"),
    ("space", "j", "space", "escape"),
    ("l", "o", "o", "o"),
    ("n", "escape"),
    ("t", "escape"),
    ("z", "z"),
    ("ctrl+r",),
    ("tab", "tab", "j", "k"),
)
"""What one does in a place: each is an action."""


async def use(url: str, key: str, tenant_id: str, *, actions: int) -> dict[str, float]:
    """Do so many actions; the memory after a fifth of them and at the end."""
    await _furnish(url, key, tenant_id)
    held: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="tenantai-bench-") as folder:
        start = Start(url, key, tenant_id, folder=Path(folder), memory=Memory(Path(folder) / "console.json"))
        console = Console(start)
        async with console.run_test(size=SIZE) as pilot:
            async with asyncio.timeout(SETTLE_SECONDS):
                while not console.times_online:  # noqa: ASYNC110  nothing tells of it
                    await asyncio.sleep(0.01)
            for number, keys in enumerate(itertools.islice(_actions(), actions)):
                await _act(console, pilot, keys)
                if number == actions // 5:
                    held["first"] = _resident_megabytes()
            held["last"] = _resident_megabytes()
    return held


async def _furnish(url: str, key: str, tenant_id: str) -> None:
    """Give the tenant an account and some files."""
    async with Client(url, key) as client:
        account = await client.accounts.create(tenant_id, name="Desk", role="member")
        with tempfile.TemporaryDirectory(prefix="tenantai-bench-") as folder:
            for number in range(FILES):
                path = Path(folder) / f"about {number}.txt"
                path.write_text(f"What is known about the number {number}. " * 20)
                await client.files.upload(tenant_id, account.id, path=path)


def _actions() -> Iterator[tuple[str, ...]]:
    """Go from place to place, with all that one does there; each round begins a conversation and follows the live tails."""
    for turn in itertools.count():
        for spot in SPOTS:
            yield (spot.key,)
            if spot.name == "chat":
                yield ("i", "escape", "n", *f"question {turn}", "enter")
                yield ("escape",)
            else:
                yield from GLANCES
            if spot.name in {"audit", "logs"}:
                yield ("f",)
                yield ("f",)


async def _act(console: Console, pilot: Pilot[None], keys: tuple[str, ...]) -> None:
    """Press keys, wait until what they asked for is there, and leave whatever they opened."""
    await pilot.press(*keys)
    async with asyncio.timeout(SETTLE_SECONDS):
        while any(w.group in ASKING and not w.is_finished for w in console.workers):  # noqa: ASYNC110  nothing tells
            await asyncio.sleep(0.005)
    await pilot.pause()
    while isinstance(console.screen, ModalScreen):
        await pilot.press("escape")


def _resident_megabytes() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


if __name__ == "__main__":
    given: dict[str, Any] = json.loads(sys.argv[1])
    print(json.dumps(asyncio.run(use(given["url"], given["operator"], given["tenant_id"], actions=given["actions"]))))
