"""The commands as a person starts them: a process of their own, with nothing of ours in its environment."""

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from tenantai.settings import PREFIX
from tests.running import Running, Tenant

WAIT_SECONDS = 30.0


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str


def environment(home: Path, **more: str) -> dict[str, str]:
    """Return this process's environment without any setting of tenantai, at home elsewhere."""
    foreign = {name: value for name, value in os.environ.items() if not name.startswith((PREFIX, "GEMINI", "GOOGLE", "XDG"))}
    return {**foreign, "HOME": str(home), **more}


async def start(*arguments: str, home: Path, **more: str) -> asyncio.subprocess.Process:
    """Start a command."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tenantai",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(home, **more),
    )


async def run(*arguments: str, home: Path, typed: str = "", **more: str) -> Outcome:
    """Run a command to its end."""
    process = await start(*arguments, home=home, **more)
    return await outcome(process, typed=typed)


async def over_http(running: Running, tenant: Tenant, *arguments: str, home: Path, typed: str = "") -> Outcome:
    """Run a command against a server, with a tenant's key."""
    return await run(*arguments, home=home, typed=typed, TENANTAI_URL=running.url, TENANTAI_API_KEY=tenant.key)


async def outcome(process: asyncio.subprocess.Process, *, typed: str = "") -> Outcome:
    """Wait for a command's end."""
    out, err = await asyncio.wait_for(process.communicate(typed.encode()), WAIT_SECONDS)
    assert process.returncode is not None
    return Outcome(process.returncode, out.decode(), err.decode())
