"""What stays open under a key ends with it: a stream asks again and again whether its key may still have it.

What must stay true: within a second of a key's revocation, or of the loss of its scope, nothing more is sent under it.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from aiohttp import web

from tenantai.errors import NotReady, Unauthorized
from tenantai.server.middlewares import ask_again
from tenantai.server.services.credentials import Principal

ASKED_AGAIN_SECONDS = 0.5


async def until_refused(request: web.Request, principal: Principal, *, scope: str) -> None:
    """Return once the request's key may not have what it was given for this scope any more."""
    while True:
        try:
            now = await ask_again(request)
        except Unauthorized:
            return
        except NotReady:
            now = principal
        if scope not in now.scopes or (now.tenant_id, now.account_id) != (principal.tenant_id, principal.account_id):
            return
        await asyncio.sleep(ASKED_AGAIN_SECONDS)


@contextmanager
def watched(request: web.Request, principal: Principal, *, scope: str, on_refused: Callable[[], object]) -> Iterator[None]:
    """Call `on_refused` where the key is refused while the block runs; a block that is over soon costs a timer only."""
    watch: asyncio.Task[None] | None = None

    async def call_once_refused() -> None:
        await until_refused(request, principal, scope=scope)
        on_refused()

    def begin() -> None:
        nonlocal watch
        watch = asyncio.create_task(call_once_refused(), name="watch of a key")

    timer = asyncio.get_running_loop().call_later(ASKED_AGAIN_SECONDS, begin)
    try:
        yield
    finally:
        timer.cancel()
        if watch is not None:
            watch.cancel()
