"""Whether the server can take requests: every dependency asked at once, each within its own time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog

from tenantai.errors import TenantaiError
from tenantai.providers.protocols import ChatModel
from tenantai.server.services.analytics_feed import AnalyticsFeed
from tenantai.server.services.embedding_watch import TOLD, EmbeddingWatch
from tenantai.server.services.finishing import begin
from tenantai.storage import across_tenants
from tenantai.storage.database import Database

DATABASE_SECONDS = 5.0
PROVIDER_SECONDS = 5.0
ANALYTICS_SECONDS = 1.0
PROVIDER_FRESH_SECONDS = 30.0

logger = structlog.get_logger("tenantai.readiness")


@dataclass(frozen=True, slots=True)
class Check:
    """One dependency: how to ask it, how long it may take, and whether nothing works without it."""

    name: str
    ask: Callable[[], Awaitable[None]]
    seconds: float
    critical: bool


class Readiness:
    """Asks the dependencies; red as well while the server shuts down or where its database cannot be served on."""

    def __init__(self, database: Database, chat_model: ChatModel, analytics: AnalyticsFeed, embedding: EmbeddingWatch) -> None:
        self.is_draining = False
        self._database = database
        self._chat_model = chat_model
        self._analytics = analytics
        self._embedding = embedding
        self._provider_seen = -PROVIDER_FRESH_SECONDS
        self._asking_analytics: asyncio.Task[None] | None = None
        self._checks = (
            Check("database", self._ask_database, DATABASE_SECONDS, critical=True),
            Check("provider", self._ask_provider, PROVIDER_SECONDS, critical=False),
            Check("analytics", self._ask_analytics, ANALYTICS_SECONDS, critical=False),
        )

    async def report(self) -> tuple[bool, dict[str, Any]]:
        """Return whether the server is ready, and the report that says why."""
        began = time.perf_counter()
        results = await asyncio.gather(*(_outcome(check) for check in self._checks))
        checks = dict(zip((check.name for check in self._checks), results, strict=True))
        checks["cache"] = {"status": "not_configured", "latencyMs": 0.0, "critical": False}
        checks["analytics"] = self._told_of_analytics(checks["analytics"])
        checks["embedding"] = self._embedding_check()
        is_ready = not self.is_draining and all(c["status"] != "down" or not c["critical"] for c in checks.values())
        degraded = any(c["status"] in {"down", "degraded"} for c in checks.values())
        status = "not_ready" if not is_ready else "degraded" if degraded else "ready"
        return is_ready, {"status": status, "checks": checks, "totalLatencyMs": _milliseconds_since(began)}

    def _told_of_analytics(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Return how analytics are: as they say where they know of something wrong, else as they answered."""
        status = self._analytics.status
        if status.state == "up" and status.error is None:
            return asked
        told = {"error": status.error} if status.error else {}
        return {"status": status.state, "latencyMs": asked["latencyMs"], "critical": False, **told}

    def _embedding_check(self) -> dict[str, Any]:
        """Return whether every store can be searched by meaning: full text can be, so it is never critical."""
        told = {"status": "degraded", "error": TOLD} if self._embedding.others else {"status": "up"}
        return {**told, "latencyMs": 0.0, "critical": False}

    async def _ask_database(self) -> None:
        await across_tenants.ping(self._database.reading)
        await self._database.write(across_tenants.write_something)

    async def _ask_analytics(self) -> None:
        """Ask analytics where they say that they are up; one question at a time, however many probes there are."""
        if self._analytics.status.state != "up":
            return
        if self._asking_analytics is None or self._asking_analytics.done():
            self._asking_analytics = begin(self._analytics.ask())
        await asyncio.shield(self._asking_analytics)

    async def _ask_provider(self) -> None:
        """Ask the provider, unless it answered within the last half minute: probes must not become its load."""
        if time.monotonic() - self._provider_seen < PROVIDER_FRESH_SECONDS:
            return
        await self._chat_model.check()
        self._provider_seen = time.monotonic()


async def _outcome(check: Check) -> dict[str, Any]:
    began = time.perf_counter()
    outcome: dict[str, Any] = {"status": "up", "critical": check.critical}
    try:
        async with asyncio.timeout(check.seconds):
            await check.ask()
    except TimeoutError:
        outcome |= {"status": "down", "error": f"no answer within {check.seconds:g} s"}
    except TenantaiError as error:
        outcome |= {"status": "down", "error": error.message}
    except Exception:
        logger.exception("readiness check failed", check=check.name)
        outcome |= {"status": "down", "error": "failed; the log has the reason"}
    return {**outcome, "latencyMs": _milliseconds_since(began)}


def _milliseconds_since(began: float) -> float:
    return round((time.perf_counter() - began) * 1000, 2)
