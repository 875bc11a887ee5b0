"""A read-only SQL box over the analytics: each question is answered by a process of its own, from copies of what may be seen.

What must stay true: the process that runs a tenant's SQL holds that tenant's rows and no others; it can reach nothing else,
and is ended with its question.
"""

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tenantai.errors import NotReady, ValidationFailed
from tenantai.sandbox.parent import JobCrashed, JobTooSlow, Sandbox
from tenantai.server.services.analytics_questions import Questions
from tenantai.storage.analytics import Analytics
from tenantai.storage.analytics_copies import Copies, Copy
from tenantai.storage.audit import OPERATOR_CHAIN
from tenantai.wire.analytics import AnalyticsAnswer, AnalyticsTable

PROCESSES, OPEN_MAX = 2, 8
DUCKDB_MEMORY_BYTES, PROCESS_MEMORY_BYTES = 512 * 1024**2, 2 * 1024**3
LOADING_SECONDS = 15.0
BUSY = "The SQL box is busy with other questions. Try again in a few seconds."
YOURS = "A question of this tenant is under way. Wait for its end."
ENDED = "takes too much time or memory, and was ended"


class SqlBox:
    """A few processes, and so many questions that run or wait at most; one of a tenant at a time."""

    def __init__(self, analytics: Analytics, questions: Questions, *, seconds_max: float) -> None:
        self._analytics = analytics
        self._questions = questions
        self._seconds_max = seconds_max
        self._asking: set[str] = set()
        self.sandboxes = [
            Sandbox(
                "tenantai.storage.analytics_child",
                time_limit_seconds=seconds_max + LOADING_SECONDS,
                memory_limit_bytes=PROCESS_MEMORY_BYTES,
                jobs_per_child=1,
            )
            for _ in range(PROCESSES)
        ]
        self._free: asyncio.LifoQueue[Sandbox] = asyncio.LifoQueue()
        for sandbox in self.sandboxes:
            self._free.put_nowait(sandbox)

    async def ask(self, sql: str, *, tenant_id: str | None, names: Sequence[str], row_count: int) -> AnalyticsAnswer:
        """Return what a SELECT over these tables comes to, of a tenant's rows, or, for None, of everyone's.

        Raises ValidationFailed with what is wrong with it, or NotReady.
        """
        with self._taken(tenant_id or OPERATOR_CHAIN):
            copies = Copies(self._analytics, tenant_id=tenant_id, names=names)
            try:
                made = await self._questions.ask(tenant_id or OPERATOR_CHAIN, copies.make)
                return await self._answered(sql, made, row_count)
            finally:
                copies.discard()

    async def close(self) -> None:
        """End the processes and wait until they are gone."""
        for sandbox in self.sandboxes:
            await sandbox.close()

    @contextmanager
    def _taken(self, whose: str) -> Iterator[None]:
        if whose in self._asking:
            raise NotReady(YOURS)
        if len(self._asking) >= OPEN_MAX:
            raise NotReady(BUSY)
        self._asking.add(whose)
        try:
            yield
        finally:
            self._asking.discard(whose)

    async def _answered(self, sql: str, copies: Sequence[Copy], row_count: int) -> AnalyticsAnswer:
        job = {
            "sql": sql,
            "tables": {copy.name: str(copy.path) for copy in copies},
            "row_count": row_count,
            "seconds": self._seconds_max,
            "memory_bytes": DUCKDB_MEMORY_BYTES,
        }
        sandbox = await self._free.get()
        try:
            _, pieces = await sandbox.ask(job)
        except (JobTooSlow, JobCrashed) as error:
            raise _refused(ENDED) from error
        finally:
            self._free.put_nowait(sandbox)
        return await asyncio.to_thread(_read, pieces, copies)


def _read(pieces: Sequence[bytes], copies: Sequence[Copy]) -> AnalyticsAnswer:
    """Return the answer of a process, megabytes of it; raises ValidationFailed where it says what is wrong with the question."""
    answer = json.loads(b"".join(pieces))
    if "problem" in answer:
        raise _refused(str(answer["problem"]))
    tables = [AnalyticsTable(name=copy.name, rows=copy.row_count, is_whole=copy.is_whole) for copy in copies]
    return AnalyticsAnswer.model_validate({**answer, "tables": tables})


def _refused(problem: str) -> ValidationFailed:
    return ValidationFailed([{"field": "sql", "problem": problem}])
