"""Questions to analytics, a few at a time, each with a limit of time.

What must stay true: no question keeps another request waiting: where too many are under way, the next one is refused with a
sentence; one whose time is over or whose caller left is stopped.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event
from typing import Generic, TypeVar

from tenantai.errors import NotReady
from tenantai.storage.analytics import CLOSED, TOO_SLOW, Analytics, Damaged, Session

BUSY = "Analytics are busy with other questions. Try again in a few seconds."
YOURS = "Several questions of this tenant to analytics are under way. Wait for one to end."

STOP_SECONDS = 0.05

T = TypeVar("T")


class Questions:
    """A few threads that ask, and so many questions waiting for one at most."""

    def __init__(
        self,
        analytics: Analytics,
        *,
        threads: int,
        open_max: int,
        of_tenant_max: int,
        seconds_max: float,
        on_damage: Callable[[], None],
    ) -> None:
        self._analytics = analytics
        self._threads = ThreadPoolExecutor(threads, "analytics questions")
        self._open_max = open_max
        self._of_tenant_max = of_tenant_max
        self._seconds_max = seconds_max
        self._on_damage = on_damage
        self._open: Counter[str] = Counter()

    async def ask(self, tenant_id: str, work: Callable[[Session], T]) -> T:
        """Return what a question of a tenant comes to; raises NotReady with a sentence."""
        self._refuse_too_many(tenant_id)
        question = _Question(self._analytics, work)
        running = asyncio.get_running_loop().run_in_executor(self._threads, question.run)
        self._open[tenant_id] += 1
        running.add_done_callback(partial(self._ended, tenant_id))
        try:
            async with asyncio.timeout(self._seconds_max):
                return await asyncio.shield(running)
        except TimeoutError as error:
            raise NotReady(TOO_SLOW) from error
        except Damaged as error:
            self._on_damage()
            raise NotReady(CLOSED) from error
        finally:
            _stop(question, running)

    async def close(self) -> None:
        """Wait for the questions that are under way, which their callers' end has stopped."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)

    def _refuse_too_many(self, tenant_id: str) -> None:
        if self._open.total() >= self._open_max:
            raise NotReady(BUSY)
        if self._open[tenant_id] >= self._of_tenant_max:
            raise NotReady(YOURS)

    def _ended(self, tenant_id: str, running: "asyncio.Future[object]") -> None:
        """Give the place back; what became of a question that nobody waits for any more is of no interest."""
        self._open[tenant_id] -= 1
        if not self._open[tenant_id]:
            del self._open[tenant_id]
        if not running.cancelled():
            running.exception()


def _stop(question: "_Question[T]", running: "asyncio.Future[T]") -> None:
    """Stop a question, again until it is over: DuckDB forgets an interruption that comes just before a statement begins."""
    if not running.done():
        question.stop()
        asyncio.get_running_loop().call_later(STOP_SECONDS, _stop, question, running)


class _Question(Generic[T]):
    """One question, on whichever thread it gets to."""

    def __init__(self, analytics: Analytics, work: Callable[[Session], T]) -> None:
        self._analytics = analytics
        self._work = work
        self._session: Session | None = None
        self._is_over = Event()

    def run(self) -> T:
        """Ask; on the thread."""
        with self._analytics.session() as session:
            self._session = session
            if self._is_over.is_set():
                raise NotReady(TOO_SLOW)
            try:
                return self._work(session)
            finally:
                self._session = None

    def stop(self) -> None:
        """Stop what it does now, or keep it from beginning."""
        self._is_over.set()
        session = self._session
        if session is not None:
            session.interrupt()
