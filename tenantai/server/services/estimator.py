"""One analysis: pictures in, items out as they are seen, then what they come to; kept as an estimate.

What must stay true: whatever ends an analysis (the model, the time limit, the client, a shutdown, its key), the model's work is
stopped first, the stream is closed in the order STREAM.md gives, and what was found is kept with its true status.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace

import structlog

from tenantai.errors import Conflict, NotFound, NotReady, ProviderFailed, TenantaiError
from tenantai.estimating.items import Estimate, Finding, Item
from tenantai.estimating.sizing import item_of
from tenantai.estimating.summing import summarise
from tenantai.identifiers import new_id, timestamp
from tenantai.pictures.picture import Picture
from tenantai.providers.protocols import Again, Cut, Sighting, Usage, VisionModel
from tenantai.server.services.answering import added, usage_of
from tenantai.server.services.documents import refuse_over_quota, remove_unused
from tenantai.server.services.estimate_telling import item_told, summary_told, written
from tenantai.server.services.looking import Begun, Ended, Event, look_at
from tenantai.storage import accounts, estimates, room
from tenantai.storage.blobs import Blobs, Received
from tenantai.storage.database import Database, Transaction
from tenantai.storage.estimates import KeptEstimate, KeptPicture
from tenantai.wire import events
from tenantai.wire.estimator import Analysed, PictureTold, ProgressTold, SummaryTold, Unit, Withdrawn
from tenantai.wire.stream import FinishReason

PICTURES_AT_ONCE = 4
NO_VISION = (
    "The server has no model that looks at pictures. The operator sets TENANTAI_VISION: to gemini (with GEMINI_API_KEY), openai "
    "(with TENANTAI_OPENAI_BASE_URL and TENANTAI_OPENAI_VISION_MODEL), or detector (with a file of its own)."
)
TOO_LONG = "Looking at the pictures took longer than a stream may last, so it was stopped. Send fewer pictures at a time."
SHUTTING_DOWN = "The server is shutting down, so the analysis was stopped. Send the pictures again in a moment."
MAY_BE_MORE = "The model's answer ended at its limit; there may be more in this picture than was told."

Send = Callable[[events.Event], Awaitable[None]]

logger = structlog.get_logger("tenantai.estimator")


@dataclass(slots=True)
class _Looked:
    """What became of one picture so far."""

    status: str = "waiting"
    problem: str | None = None
    items: list[Item] = field(default_factory=list)
    withdrawn: set[str] = field(default_factory=set)
    usage: Usage | None = None


@dataclass(slots=True)
class AnalysisTurn:
    """An analysis under way and what it has come to."""

    kept: KeptEstimate
    pictures: Sequence[bytes]
    request_id: str
    stream_seconds: float
    is_compatible: bool = False
    looked: list[_Looked] = field(default_factory=list)
    estimate: Estimate | None = None
    status: str = "running"
    finish_reason: FinishReason = "error"
    error: TenantaiError | None = None
    limit: asyncio.Timeout | None = None
    ended_by: TenantaiError | None = None
    charge: Callable[[Usage], None] | None = None

    @property
    def id(self) -> str:
        """The estimate's id."""
        return self.kept.id

    @property
    def unit(self) -> Unit:
        """The unit that was asked for."""
        return "imperial" if self.kept.unit == "imperial" else "metric"

    @property
    def items(self) -> list[Item]:
        """All that was seen."""
        return [item for looked in self.looked for item in looked.items]

    @property
    def usage(self) -> Usage:
        """Tokens used so far, in all pictures."""
        total: Usage | None = None
        for looked in self.looked:
            total = total if looked.usage is None else added(total, looked.usage)
        return total or Usage(0, 0)

    def told(self) -> list[PictureTold]:
        """Return how it went with each picture."""
        return [
            PictureTold.model_validate(
                {"image": index, "status": looked.status, "items": len(looked.items), "problem": looked.problem}
            )
            for index, looked in enumerate(self.looked)
        ]

    def progress(self, stage: str = "looking") -> ProgressTold:
        """Return how far it is."""
        images = self.told()
        finished = sum(image.status in {"done", "partial", "failed"} for image in images)
        share = finished / len(images)
        return ProgressTold.model_validate(
            {
                "stage": stage,
                "percentage": round(100 * share, 1),
                "finished": finished,
                "total": len(images),
                "items": len(self.items),
                "images": images,
            }
        )

    def summary(self) -> SummaryTold:
        """Return what it came to."""
        estimate = self.estimate or summarise(())
        return summary_told(estimate, estimate_id=self.id, status=self.status, unit=self.unit, pictures=self.told())

    def whole(self) -> Analysed:
        """Return all of it at once."""
        return Analysed.model_validate({**dict(self.summary()), "model": self.kept.model, "usage": usage_of(self.usage)})

    def end(self, error: TenantaiError) -> None:
        """End the analysis now, with this error."""
        self.ended_by = error
        if self.limit is not None:
            with suppress(RuntimeError):
                self.limit.reschedule(asyncio.get_running_loop().time())

    def charge_once(self) -> None:
        """Have the tokens counted that were used so far; once."""
        charge, self.charge = self.charge, None
        if charge is not None:
            charge(self.usage)


class Estimator:
    """Runs the analyses of all tenants."""

    def __init__(self, database: Database, blobs: Blobs, model: VisionModel | None) -> None:
        self._database = database
        self._blobs = blobs
        self._model = model
        self.pictures_at_once = PICTURES_AT_ONCE
        self._limits: set[asyncio.Timeout] = set()
        self._is_draining = False

    @property
    def model(self) -> VisionModel:
        """The model that looks; raises Conflict where there is none."""
        if self._model is None:
            raise Conflict(NO_VISION)
        return self._model

    async def begin(
        self,
        tenant_id: str,
        pictures: Sequence[Picture],
        *,
        account_id: str | None,
        unit: Unit,
        request_id: str,
        stream_seconds: float,
        storage_bytes_max: int,
    ) -> AnalysisTurn:
        """Keep the pictures and an empty estimate. Raises Conflict, NotFound, or LimitExceeded where the storage is full."""
        model = self.model
        if account_id is not None and await accounts.get(self._database.reading, tenant_id, account_id=account_id) is None:
            raise NotFound("There is no such account in this tenant. Check accountId.")
        moment = timestamp()
        kept = KeptEstimate(
            new_id(), tenant_id, account_id, "running", unit, model.model, 0, 0, 0, 0.0, 0.0, "", 1, None, None, moment, moment
        )
        await self._keep_pictures(kept, pictures, storage_bytes_max)
        contents = [picture.content for picture in pictures]
        return AnalysisTurn(kept, contents, request_id, stream_seconds, looked=[_Looked() for _ in pictures])

    async def run(self, turn: AnalysisTurn, send: Send) -> None:
        """Look and tell; raises CancelledError or ConnectionError where the client has left, after keeping what was found."""
        try:
            await send(events.start_estimate(new_id(), estimate_id=turn.id, request_id=turn.request_id))
            await send(events.start_step())
            await self._look(turn, send)
            await self._close(turn, send)
        finally:
            await self.settle(turn)

    async def of_pictures(self, turn: AnalysisTurn) -> SummaryTold:
        """Run an analysis that nobody reads on the way; raises what it ends with."""
        await self.run(turn, _unsent)
        if turn.error is not None:
            raise turn.error
        return turn.summary()

    async def settle(self, turn: AnalysisTurn) -> None:
        """Keep an analysis that was broken off, or never begun, with what it has."""
        if turn.status == "running":
            turn.status = "interrupted"
            await asyncio.shield(self._keep(turn))

    def drain(self) -> None:
        """End every analysis now, each with an error event."""
        self._is_draining = True
        for limit in self._limits:
            with suppress(RuntimeError):
                limit.reschedule(asyncio.get_running_loop().time())

    async def _look(self, turn: AnalysisTurn, send: Send) -> None:
        """Have all pictures looked at; a fault is noted in the turn, not raised."""
        try:
            ends_now = self._is_draining or turn.ended_by is not None
            async with asyncio.timeout(0 if ends_now else turn.stream_seconds) as limit:
                self._limits.add(limit)
                turn.limit = limit
                try:
                    await self._see(turn, send)
                finally:
                    self._limits.discard(limit)
        except TimeoutError:
            turn.error = turn.ended_by or (NotReady(SHUTTING_DOWN) if self._is_draining else ProviderFailed(TOO_LONG))
        except (asyncio.CancelledError, ConnectionError):
            raise
        except TenantaiError as error:
            turn.error = error
        except Exception:
            logger.exception("estimator fault", request_id=turn.request_id, tenant_id=turn.kept.tenant_id)
            turn.error = TenantaiError()

    async def _see(self, turn: AnalysisTurn, send: Send) -> None:
        await send(_progress(turn))
        failed: list[TenantaiError] = []
        async with aclosing(look_at(self.model, turn.pictures, at_once=self.pictures_at_once)) as seen:
            async for index, event in seen:
                if isinstance(event, Ended) and event.error is not None:
                    failed.append(event.error)
                await self._take(turn, index, event, send)
        if len(failed) == len(turn.pictures):
            raise failed[0]

    async def _take(self, turn: AnalysisTurn, index: int, event: Event, send: Send) -> None:
        """Note what happens to a picture, and tell it."""
        looked = turn.looked[index]
        if isinstance(event, Sighting):
            item = await asyncio.to_thread(item_of, _finding(index, event), item_id=f"{index}-{len(looked.items)}")
            looked.items.append(item)
            looked.withdrawn.discard(item.id)
            await send(events.data("item", item.id, item_told(item, unit=turn.unit).json_ready()))
        elif isinstance(event, Usage):
            looked.usage = event
        elif isinstance(event, Again):
            looked.withdrawn |= {item.id for item in looked.items}
            looked.items.clear()
        elif isinstance(event, Cut):
            looked.status, looked.problem = "partial", MAY_BE_MORE
        elif isinstance(event, Begun):
            looked.status = "looking"
            await send(_progress(turn))
        else:
            await self._end_picture(turn, index, event, send)

    async def _end_picture(self, turn: AnalysisTurn, index: int, ended: Ended, send: Send) -> None:
        """Note how looking at a picture ended; what was taken back and not seen again is withdrawn."""
        looked = turn.looked[index]
        if ended.error is not None:
            looked.withdrawn |= {item.id for item in looked.items}
            looked.items.clear()
            looked.status, looked.problem = "failed", ended.error.message
        elif looked.status != "partial":
            looked.status = "done"
        for item_id in sorted(looked.withdrawn):
            await send(events.data("item", item_id, Withdrawn(id=item_id, image=index).json_ready()))
        looked.withdrawn.clear()
        await send(_progress(turn))

    async def _close(self, turn: AnalysisTurn, send: Send) -> None:
        """Sum up, keep the estimate before the client reads that it is whole, and send what follows."""
        if turn.error is not None:
            turn.status = "failed"
            await self._keep(turn)
            await send(events.error(turn.error.message))
            await send(events.finish_step())
        else:
            is_whole = all(looked.status == "done" for looked in turn.looked)
            turn.status, turn.finish_reason = ("complete" if is_whole else "partial"), "stop"
            await self._keep(turn)
            await send(events.data("progress", "progress", turn.progress("summing").json_ready()))
            await send(events.data("summary", f"summary-{turn.id}", turn.summary().json_ready()))
            await send(events.finish_step())
            metadata = {"estimateId": turn.id, "model": turn.kept.model, "usage": usage_of(turn.usage)}
            await send(events.message_metadata(metadata))
        await send(events.finish(turn.finish_reason, compatible=turn.is_compatible))

    async def _keep(self, turn: AnalysisTurn) -> None:
        """Write what was found."""
        turn.charge_once()
        turn.estimate = await asyncio.to_thread(summarise, turn.items)
        usage, tenant_id = turn.usage, turn.kept.tenant_id
        kept = replace(
            turn.kept,
            status=turn.status,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            item_count=len(turn.estimate.items),
            volume_m3=turn.estimate.volume_m3.typical,
            weight_kg=turn.estimate.weight_kg.typical,
            report=await asyncio.to_thread(written, turn.estimate),
            updated_at=timestamp(),
        )

        async def unit(transaction: Transaction) -> None:
            await estimates.change(transaction, tenant_id, estimate=kept, of_version=turn.kept.version)
            for image, looked in enumerate(turn.looked):
                await estimates.change_picture(
                    transaction, tenant_id, estimate_id=kept.id, image=image, status=looked.status, problem=looked.problem
                )

        await self._database.write(unit)
        turn.kept = kept

    async def _keep_pictures(self, kept: KeptEstimate, pictures: Sequence[Picture], storage_bytes_max: int) -> None:
        """Keep pictures as blobs, and the estimate that they are of, or neither."""
        received: list[Received] = []
        try:
            for content in [picture.content for picture in pictures]:
                received += [await self._blobs.receive(_whole(content), bytes_max=len(content))]
            async with self._blobs.lock(kept.tenant_id):
                await self._record(kept, pictures, received, storage_bytes_max)
        finally:
            await asyncio.to_thread(_discard, received)

    async def _record(
        self, kept: KeptEstimate, pictures: Sequence[Picture], received: Sequence[Received], storage_bytes_max: int
    ) -> None:
        tenant_id = kept.tenant_id
        rows = [
            KeptPicture(kept.id, image, tenant_id, blob.sha256, blob.bytes, picture.width, picture.height, "waiting", None)
            for image, (picture, blob) in enumerate(zip(pictures, received, strict=True))
        ]

        async def unit(transaction: Transaction) -> None:
            used = await room.bytes_used(transaction, tenant_id)
            refuse_over_quota(used, sum(row.bytes for row in rows), storage_bytes_max)
            await estimates.create(transaction, tenant_id, estimate=kept, pictures_of_it=rows)

        for blob in {blob.sha256: blob for blob in received}.values():
            await asyncio.to_thread(self._blobs.keep, tenant_id, received=blob)
        try:
            await self._database.write(unit)
        except BaseException as error:
            await asyncio.shield(self._undo(kept, {row.sha256 for row in rows}))
            if isinstance(error, sqlite3.IntegrityError):
                raise NotFound("The tenant or the account of this analysis was deleted meanwhile.") from error
            raise

    async def _undo(self, kept: KeptEstimate, contents: set[str]) -> None:
        """Take an estimate back whose caller is gone, or that could not be kept: its write may yet be made before this one."""

        async def unit(transaction: Transaction) -> None:
            await estimates.delete(transaction, kept.tenant_id, estimate_id=kept.id)

        with suppress(NotReady):
            await self._database.write(unit)
            await remove_unused(self._database, self._blobs, kept.tenant_id, contents)


async def _unsent(_event: events.Event) -> None:
    """Take an event that nobody reads: the whole estimate is in the turn."""


async def _whole(content: bytes) -> AsyncIterator[bytes]:
    yield content


def _discard(received: Sequence[Received]) -> None:
    for blob in received:
        blob.discard()


def _finding(image: int, seen: Sighting) -> Finding:
    return Finding(
        image=image,
        name=seen.name,
        label=seen.label,
        room=seen.room,
        quantity=seen.quantity,
        length_cm=seen.length_cm,
        width_cm=seen.width_cm,
        height_cm=seen.height_cm,
        confidence=seen.confidence,
        box=seen.box,
        fragile=seen.fragile,
        built_in=seen.built_in,
    )


def _progress(turn: AnalysisTurn) -> events.Event:
    return events.data("progress", "progress", turn.progress().json_ready())
