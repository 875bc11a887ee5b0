"""One analysis: pictures in, items out as they are seen, then what they come to; kept as an estimate.

What must stay true: whatever ends an analysis (the model, the time limit, the client, a shutdown, its key), the model's work is
stopped first, the stream is closed in the order STREAM.md gives, and what was found is kept with its true status.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace

import structlog

from tenantai.errors import Conflict, NotFound, TenantaiError
from tenantai.estimating.items import Finding
from tenantai.estimating.sizing import item_of
from tenantai.estimating.summing import summarise
from tenantai.identifiers import new_id, timestamp
from tenantai.pictures.picture import Picture
from tenantai.providers.protocols import Again, Cut, Sighting, Usage, VisionModel
from tenantai.server.services.analysis_turn import AnalysisTurn, Looked
from tenantai.server.services.answering import usage_of
from tenantai.server.services.estimate_telling import item_told, written
from tenantai.server.services.looking import Begun, Ended, Event, look_at
from tenantai.server.services.pack_plans import PackPlans
from tenantai.server.services.picture_keeping import PictureKeeping
from tenantai.server.services.runs import Runs
from tenantai.storage import accounts, estimates
from tenantai.storage.audit import Actor
from tenantai.storage.blobs import Blobs
from tenantai.storage.database import Database, Transaction
from tenantai.storage.estimates import KeptEstimate
from tenantai.wire import events
from tenantai.wire.estimator import SummaryTold, Unit, Withdrawn

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


class Estimator:
    """Runs the analyses of all tenants."""

    def __init__(self, database: Database, blobs: Blobs, model: VisionModel | None, *, plans: PackPlans) -> None:
        self._database = database
        self._pictures = PictureKeeping(database, blobs)
        self._plans = plans
        self._model = model
        self.pictures_at_once = PICTURES_AT_ONCE
        self._runs = Runs(too_long=TOO_LONG, shutting_down=SHUTTING_DOWN)

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
        actor: Actor,
    ) -> AnalysisTurn:
        """Keep the pictures and an empty estimate.

        Raises Conflict, NotFound, LimitExceeded where the storage is full, or NotReady while the server shuts down.
        """
        self._runs.require_open()
        model = self.model
        if account_id is not None and await accounts.get(self._database.reading, tenant_id, account_id=account_id) is None:
            raise NotFound("There is no such account in this tenant. Check accountId.")
        moment = timestamp()
        kept = KeptEstimate(
            new_id(), tenant_id, account_id, "running", unit, model.model, 0, 0, 0, 0.0, 0.0, "", 1, None, None, moment, moment
        )
        await self._pictures.keep(kept, pictures, storage_bytes_max=storage_bytes_max, actor=actor)
        contents = [picture.content for picture in pictures]
        return AnalysisTurn(
            tenant_id=tenant_id,
            request_id=request_id,
            stream_seconds=stream_seconds,
            kept=kept,
            pictures=contents,
            looked=[Looked() for _ in pictures],
        )

    async def run(self, turn: AnalysisTurn, send: Send) -> None:
        """Look and tell; raises CancelledError or ConnectionError where the client has left, after keeping what was found."""
        try:
            await send(events.start_estimate(new_id(), estimate_id=turn.id, request_id=turn.request_id))
            await send(events.start_step())
            await self._runs.bounded(turn, self._see(turn, send))
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
        self._runs.drain()

    async def _see(self, turn: AnalysisTurn, send: Send) -> None:
        """Have all pictures looked at; raises a fault that all of them met."""
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
        if turn.error is None:
            await send(events.data("progress", "progress", turn.progress("summing").json_ready()))
        await self._sum_up(turn)
        if turn.error is not None:
            await send(events.error(turn.error.message))
            await send(events.finish_step())
        else:
            await send(events.data("summary", f"summary-{turn.id}", turn.summary().json_ready()))
            await send(events.finish_step())
            metadata = {"estimateId": turn.id, "model": turn.kept.model, "usage": usage_of(turn.counted)}
            await send(events.message_metadata(metadata))
        await send(events.finish(turn.finish_reason, compatible=turn.is_compatible))

    async def _sum_up(self, turn: AnalysisTurn) -> None:
        """Keep an estimate with its sums; one that can't be kept has failed, whatever was seen."""
        try:
            if turn.error is None:
                estimate = await asyncio.to_thread(summarise, turn.items)
                turn.estimate = await self._plans.with_plan(turn.tenant_id, estimate)
                is_whole = all(looked.status == "done" for looked in turn.looked)
                turn.status, turn.finish_reason = ("complete" if is_whole else "partial"), "stop"
                await self._keep(turn)
                return
        except Exception as error:
            logger.exception("an estimate could not be kept", request_id=turn.request_id, tenant_id=turn.tenant_id)
            turn.error = turn.error or (error if isinstance(error, TenantaiError) else TenantaiError())
        turn.status, turn.finish_reason = "failed", "error"
        try:
            await self._keep(turn)
        except Exception:
            logger.exception("an estimate that failed is not kept", request_id=turn.request_id, tenant_id=turn.tenant_id)

    async def _keep(self, turn: AnalysisTurn) -> None:
        """Write what was found."""
        turn.charge_once()
        if turn.estimate is None:
            turn.estimate = await asyncio.to_thread(summarise, turn.items)
        usage, tenant_id = turn.counted, turn.tenant_id
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


async def _unsent(_event: events.Event) -> None:
    """Take an event that nobody reads: the whole estimate is in the turn."""


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
