"""How long a client may take to send a body.

What must stay true: no wait for a client is without an end, and a shutdown ends them all, since nothing more is read by then.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tenantai.errors import BodyTooSlow, NotReady

JSON_SECONDS = 15.0
UPLOAD_SILENCE_SECONDS = 60.0


class BodyWaits:
    """The waits for clients that are open now."""

    def __init__(self) -> None:
        self._open: set[asyncio.Timeout] = set()
        self._is_draining = False

    @asynccontextmanager
    async def within(self, seconds: float) -> AsyncIterator[None]:
        """Let the block wait so long for the client; raises BodyTooSlow after it, NotReady once the server shuts down."""
        wait = asyncio.timeout(0 if self._is_draining else seconds)
        try:
            async with wait:
                self._open.add(wait)
                yield
        except TimeoutError as error:
            if self._is_draining:
                raise NotReady("The server is shutting down, so the request was not read. Send it again.") from error
            raise BodyTooSlow from error
        finally:
            self._open.discard(wait)

    def drain(self) -> None:
        """End every wait now."""
        self._is_draining = True
        for wait in self._open:
            if not wait.expired():
                wait.reschedule(asyncio.get_running_loop().time())
