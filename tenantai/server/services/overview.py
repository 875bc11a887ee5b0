"""What is happening now, over all tenants.

What must stay true: it costs a few look-ups in indexes and one question to analytics, however much there is.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from tenantai.errors import NotReady
from tenantai.identifiers import now, timestamp
from tenantai.server.services.analytics_feed import AnalyticsFeed
from tenantai.server.services.analytics_questions import Questions
from tenantai.server.services.progress import ProgressBoard
from tenantai.server.services.stream_slots import StreamSlots
from tenantai.storage import across_tenants
from tenantai.storage.across_tenants import Alert
from tenantai.storage.analytics_overview import Interval, Used, used_since
from tenantai.storage.audit import OPERATOR_CHAIN
from tenantai.storage.database import Database
from tenantai.storage.operations import Operation
from tenantai.wire.overview import (
    OpenStreams,
    Overview,
    OverviewBucket,
    OverviewUsage,
    QueueLengths,
    RunningOperation,
    StreamsOfTenant,
    UsageAlert,
    UsageSpan,
)

TENANTS_COUNTED_MAX = 10_000
TENANTS_SHOWN, OPERATIONS_SHOWN, ALERTS_SHOWN = 20, 50, 20
ALERTS_FOR = timedelta(days=30)
Names = Mapping[str, str]


class Overviews:
    """Tells what is happening now."""

    def __init__(
        self,
        database: Database,
        board: ProgressBoard,
        questions: Questions,
        feed: AnalyticsFeed,
        *,
        streams: Mapping[str, StreamSlots],
    ) -> None:
        self._database = database
        self._board = board
        self._questions = questions
        self._feed = feed
        self._streams = streams

    async def now(self, span: UsageSpan) -> Overview:
        """Return it, with the use of the last hour or the last day."""
        reading = self._database.reading
        tenant_count = await across_tenants.tenant_count(reading, at_most=TENANTS_COUNTED_MAX + 1)
        open_ones = await across_tenants.open_operations(reading, after="", row_count=OPERATIONS_SHOWN)
        alerts = await across_tenants.alerts(reading, since=timestamp(now() - ALERTS_FOR), row_count=ALERTS_SHOWN)
        chats = self._streams["chat"].most(TENANTS_SHOWN)
        named = {tenant_id for tenant_id, _ in chats} | {o.tenant_id for o in open_ones} | {a.tenant_id for a in alerts}
        names = await across_tenants.names_of(reading, tenant_ids=sorted(named))
        return Overview(
            tenants=min(tenant_count, TENANTS_COUNTED_MAX),
            tenants_is_exact=tenant_count <= TENANTS_COUNTED_MAX,
            streams=OpenStreams(
                chat=self._streams["chat"].open_count,
                live=self._streams["live"].open_count,
                by_tenant=[StreamsOfTenant(tenant_id=t, tenant_name=names.get(t), streams=count) for t, count in chats],
            ),
            operations=[await self._running(operation, names) for operation in open_ones],
            queue=QueueLengths(**await across_tenants.queue_lengths(reading)),
            usage=await self._usage(span),
            alerts=[_alert(alert, names) for alert in alerts],
        )

    async def _running(self, operation: Operation, names: Names) -> RunningOperation:
        progress = await self._board.of(operation)
        return RunningOperation(
            tenant_id=operation.tenant_id,
            tenant_name=names.get(operation.tenant_id),
            operation_id=operation.id,
            kind="sync" if operation.kind == "sync" else "index",
            stage=progress.stage,
            percentage=progress.percentage,
            processed_files=progress.processed_files,
            total_files=progress.total_files,
            failed_files=progress.failed_files,
            eta_seconds=progress.eta_seconds,
            started_at=operation.started_at,
        )

    async def _usage(self, span: UsageSpan) -> OverviewUsage | None:
        """Return what was used, None where analytics can't be asked now."""
        step, count = (timedelta(minutes=1), 60) if span == "hour" else (timedelta(hours=1), 24)
        begun = now().astimezone(UTC).replace(second=0, microsecond=0, tzinfo=None)
        last = begun if span == "hour" else begun.replace(minute=0)
        starts = [last - step * back for back in reversed(range(count))]
        interval: Interval = "minute" if span == "hour" else "hour"
        through = self._feed.complete_through
        try:
            used = await self._questions.ask(
                OPERATOR_CHAIN, lambda session: used_since(session, interval=interval, since=starts[0])
            )
        except NotReady:
            return None
        return OverviewUsage(span=span, buckets=_buckets(starts, used), complete_through=through)


def _buckets(starts: Sequence[datetime], used: Mapping[datetime, Used]) -> list[OverviewBucket]:
    nothing = Used()
    found = [(start, used.get(start, nothing)) for start in starts]
    return [
        OverviewBucket(
            start=timestamp(start.replace(tzinfo=UTC)),
            requests=one.requests,
            errors=one.errors,
            refused=one.refused,
            input_tokens=one.input_tokens,
            output_tokens=one.output_tokens,
        )
        for start, one in found
    ]


def _alert(alert: Alert, names: Names) -> UsageAlert:
    told = {name: alert.details.get(name) for name in ("limit", "percent", "used", "allowed")}
    return UsageAlert.model_validate(
        {**told, "tenant_id": alert.tenant_id, "tenant_name": names.get(alert.tenant_id), "created_at": alert.created_at}
    )
