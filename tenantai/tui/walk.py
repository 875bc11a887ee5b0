"""A walk through a list of the server, a page at a time.

What must stay true: no record is handed out twice or left out because the server was gone in between.
"""

from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from tenantai.client import Client

R = TypeVar("R")
PAGE = 200


class Walk(Generic[R]):
    """Goes on where it was, also after the server was gone."""

    def __init__(self, begin: "Callable[[Client], AsyncGenerator[R]]", *, page: int = PAGE) -> None:
        self._begin = begin
        self._page = page
        self._taken = 0
        self._rows: AsyncGenerator[R] | None = None

    async def next_page(self, client: "Client", *, least: int = 0) -> tuple[list[R], bool]:
        """Return the next records, a page or `least` of them, and whether there may be more.

        Raises what the walk raises, and can be called again then.
        """
        if self._rows is None:
            self._rows = self._begin(client)
            for _ in range(self._taken):
                await anext(self._rows, None)
        found: list[R] = []
        try:
            while len(found) < max(self._page, least):
                found.append(await anext(self._rows))
        except StopAsyncIteration:
            self._taken += len(found)
            return found, False
        except BaseException:
            self._rows = None
            raise
        self._taken += len(found)
        return found, True
