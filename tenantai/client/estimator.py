"""Photos and the estimates that they come to."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import aiohttp

from tenantai.client.errors import broken_off
from tenantai.client.events import DONE, ChatFault, ChatFinished, frames
from tenantai.client.files import sendable
from tenantai.client.shaping import parsed, present, shaped, step
from tenantai.client.transport import EVENT_STREAM, JSON, Transport, keyed
from tenantai.wire.estimator import (
    Analysed,
    EstimateChange,
    EstimateRecord,
    EstimateShown,
    ItemTold,
    ProgressTold,
    SummaryTold,
    Unit,
)

ANALYZE, ESTIMATES = "/estimator/analyze", "/estimator/estimates"


@dataclass(frozen=True, slots=True)
class EstimateStarted:
    """The analysis begins."""

    estimate_id: str
    request_id: str


@dataclass(frozen=True, slots=True)
class ItemWithdrawn:
    """An item was taken back."""

    id: str


EstimatorEvent = EstimateStarted | ProgressTold | ItemTold | ItemWithdrawn | SummaryTold | ChatFault | ChatFinished


class Estimator:
    """`/estimator`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def stream(
        self,
        tenant_id: str,
        photos: Sequence[Path | str],
        *,
        account_id: str | None = None,
        unit: Unit = "metric",
        idempotency_key: str | None = None,
    ) -> AsyncGenerator[EstimatorEvent]:
        """Yield what is seen in photos (paths, or ids of assets) as it is seen; raises ClientError where that breaks off.

        With an `idempotency_key` the server goes on though this client leaves, and yields the same of the same photos again.
        """
        headers = keyed(EVENT_STREAM, idempotency_key)
        with ExitStack() as files:
            form = await asyncio.to_thread(_form, files, tenant_id, photos, account_id, unit)
            async with self._transport.response("POST", ANALYZE, data=form, headers=headers) as response:
                async for data in frames(response):
                    event = None if data == DONE else _event(parsed(data))
                    if event is not None:
                        yield event
                    if isinstance(event, ChatFinished):
                        return
        raise broken_off("The analysis")

    async def analyze(
        self,
        tenant_id: str,
        photos: Sequence[Path | str],
        *,
        account_id: str | None = None,
        unit: Unit = "metric",
        idempotency_key: str | None = None,
    ) -> Analysed:
        """Return the whole estimate at once."""
        headers = keyed(JSON, idempotency_key)
        with ExitStack() as files:
            form = await asyncio.to_thread(_form, files, tenant_id, photos, account_id, unit)
            return await self._transport.call("POST", ANALYZE, Analysed, data=form, headers=headers)

    def all(self, tenant_id: str, *, account_id: str | None = None) -> AsyncGenerator[EstimateRecord]:
        """Yield estimates without their items, the newest first."""
        query = present(tenantId=tenant_id, accountId=account_id)
        return self._transport.pages(ESTIMATES, "estimates", EstimateRecord, query=query)

    async def get(self, estimate_id: str) -> EstimateShown:
        """Return an estimate with all its items."""
        return await self._transport.call("GET", _path(estimate_id), EstimateShown)

    async def change(self, estimate_id: str, change: EstimateChange) -> EstimateShown:
        """Change, remove and add items."""
        body = change.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return await self._transport.call("PATCH", _path(estimate_id), EstimateShown, json=body)

    async def approve(self, estimate_id: str) -> EstimateRecord:
        """Approve an estimate as it is now."""
        return await self._transport.call("POST", f"{_path(estimate_id)}/approve", EstimateRecord)

    async def delete(self, estimate_id: str) -> None:
        """Delete an estimate with its pictures."""
        await self._transport.do("DELETE", _path(estimate_id))

    def export(self, estimate_id: str, form: Literal["csv", "pdf"]) -> AsyncGenerator[bytes]:
        """Yield the pieces of a file with an estimate; raises where it breaks off."""
        return self._transport.pieces(f"{_path(estimate_id)}/export", query={"format": form})

    async def picture(self, estimate_id: str, image: int) -> bytes:
        """Return a picture of an estimate as it was looked at, a JPEG; they count from 0."""
        async with self._transport.response("GET", f"{_path(estimate_id)}/pictures/{image}") as response:
            return await response.read()


def _path(estimate_id: str) -> str:
    return f"{ESTIMATES}/{step(estimate_id)}"


def _form(files: ExitStack, tenant_id: str, photos: Sequence[Path | str], account_id: str | None, unit: Unit) -> aiohttp.FormData:
    """Return photos as a form that reads them piece by piece; raises OSError where one can't be read."""
    form = aiohttp.FormData(quote_fields=False)
    for name, value in present(tenantId=tenant_id, accountId=account_id, unit=unit).items():
        form.add_field(name, value)
    for photo in photos:
        if isinstance(photo, str):
            form.add_field("images", photo)
        else:
            content = files.enter_context(photo.open("rb"))
            form.add_field("images", content, filename=sendable(photo.name), content_type="application/octet-stream")
    return form


def _event(event: Mapping[str, Any]) -> EstimatorEvent | None:  # noqa: PLR0911  one way out for each kind of event
    """Return an event of the stream as its type, None for those that a plain client skips."""
    metadata, data = event.get("messageMetadata") or {}, event.get("data") or {}
    match event.get("type"):
        case "start":
            return EstimateStarted(str(metadata.get("estimateId", "")), str(metadata.get("requestId", "")))
        case "data-progress":
            return shaped(ProgressTold, data)
        case "data-item":
            return ItemWithdrawn(str(data.get("id"))) if data.get("status") == "withdrawn" else shaped(ItemTold, data)
        case "data-summary":
            return shaped(SummaryTold, data)
        case "error":
            return ChatFault(str(event.get("errorText", "")))
        case "finish":
            return ChatFinished(str(event.get("finishReason", "other")))
    return None
