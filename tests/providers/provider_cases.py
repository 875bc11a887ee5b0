"""What the tests of every provider over HTTP share: a request, a patience that never sleeps, and looking for the key."""

import traceback
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from tenantai.errors import ProviderFailed
from tenantai.providers.protocols import ChatEvent, ChatRequest, TextDelta, Turn
from tenantai.providers.retries import Patience

KEY = "AIza-a-key-that-must-stay-here"
REQUEST = ChatRequest("Answer briefly.", (Turn("user", "Hi"), Turn("assistant", "Hello"), Turn("user", "How are you?")), ())


class Naps:
    """A sleep that returns at once and keeps what it was asked for."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)

    def patience(self, *, first_event_seconds: float = 30) -> Patience:
        return Patience(delays_seconds=(0.5, 1.0), first_event_seconds=first_event_seconds, sleep=self.sleep)


async def collect(stream: AsyncGenerator[ChatEvent]) -> list[ChatEvent]:
    """Everything a stream yields."""
    async with aclosing(stream) as events:
        return [event async for event in events]


async def failure_of(stream: AsyncGenerator[ChatEvent]) -> tuple[str, ProviderFailed]:
    """The text that came before the stream failed, and the failure, in whose whole chain the key is not."""
    text = ""
    with pytest.raises(ProviderFailed) as caught:  # noqa: PT012  what came before the failure counts too
        async with aclosing(stream) as events:
            async for event in events:
                text += event.text if isinstance(event, TextDelta) else ""
    require_no_key(caught.value)
    return text, caught.value


def require_no_key(error: BaseException) -> None:
    """Fail where the key is in an error, its arguments, its causes or its traceback."""
    assert KEY not in "".join(traceback.format_exception(error))
    seen: BaseException | None = error
    while seen is not None:
        assert KEY not in repr(seen.args)
        assert KEY not in repr(vars(seen))
        seen = seen.__cause__ or seen.__context__
