"""The audit log: pages, a live tail, exports and the proof of its chain."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

import structlog
from aiohttp import web

from tenantai.errors import Forbidden, NotFound, NotReady, Unauthorized, ValidationFailed
from tenantai.server.binding import query_of
from tenantai.server.keys import (
    ANALYTICS,
    ANALYTICS_FEED,
    AUDIT_TAIL,
    DATABASE,
    EXPORTS,
    LIVE_STREAMS,
    REQUEST_ID,
    REQUEST_ID_HEADER,
    VISIT,
)
from tenantai.server.metering import begin
from tenantai.server.middlewares import ask_again, success
from tenantai.server.paging import Page, cursor_of, numbered, offset_of, page_of, position_of
from tenantai.server.principal import own_account, own_tenant, require, tenant_in_path
from tenantai.server.routes.exports import send_file
from tenantai.server.services.audit_export import csv_head, csv_lines, exported, json_lines
from tenantai.server.services.audit_proof import Link, Proof, has_anchor, prove
from tenantai.server.services.credentials import Principal
from tenantai.server.tails import last_event_id, send_tail
from tenantai.storage import audit_log, tenants
from tenantai.storage.analytics_questions import export_audit
from tenantai.storage.audit import OPERATOR_CHAIN, Entry
from tenantai.storage.audit_log import COUNTED_MAX, Filters, Span
from tenantai.wire.audit import (
    STORE_EVENTS,
    STORE_NAMES,
    AuditProof,
    AuditQuery,
    AuditRecord,
    BrokenLink,
    ProofQuery,
    ProvedLink,
    StoreAuditQuery,
    StoreAuditRecord,
)

LIMIT_DEFAULT, LIMIT_MAX = 100, 1000
CATCH_UP_SECONDS = 5.0
MEDIA_TYPES = {"csv": "text/csv", "jsonl": "application/jsonl"}
ENCODERS = {"csv": csv_lines, "jsonl": json_lines}
Shown = dict[str, object]

logger = structlog.get_logger("tenantai.audit")


async def log(request: web.Request) -> web.StreamResponse:
    """Return a page of entries, the newest first; a live tail or an export where that is asked for."""
    principal = require(request, "audit:read")
    query = query_of(request, AuditQuery)
    chain = await _chain(request, principal, query.tenant_id)
    filters = _filters(principal, query)
    if "text/event-stream" in request.headers.get("Accept", ""):
        return await _tail(request, principal, chain, filters)
    within = await audit_log.span(request.app[DATABASE].reading, chain, since=query.since, until=query.until)
    asked = page_of(request, "audit", chain, repr(filters), query.since, query.until, limits=(LIMIT_DEFAULT, LIMIT_MAX))
    if query.format is not None:
        export = _export_parquet if query.format == "parquet" else _export
        return await export(request, chain, filters, within, query.format)
    data, entries = await _page(request, asked, chain, filters, within)
    data["lastEventId"] = str(within.below - 1)
    return await asyncio.to_thread(_answer, data, entries, _record)


async def of_store(request: web.Request) -> web.Response:
    """Return a page of what concerns the document store, the newest first."""
    principal, tenant_id = tenant_in_path(request, "audit:read")
    query = query_of(request, StoreAuditQuery)
    chain = await _chain(request, principal, tenant_id)
    filters = Filters(query.event_type, None, principal.account_id, None, query.asset_id, of_store=query.event_type is None)
    within = await audit_log.span(request.app[DATABASE].reading, chain, since=query.since, until=query.until)
    asked = page_of(request, "store audit", chain, repr(filters), query.since, query.until, limits=(LIMIT_DEFAULT, LIMIT_MAX))
    data, entries = await _page(request, asked, chain, filters, within)
    return await asyncio.to_thread(_answer, data, entries, _store_record)


async def verify(request: web.Request) -> web.Response:
    """Prove the chain, or name its first broken link."""
    principal = require(request, "audit:read")
    if principal.account_id is not None:
        raise Forbidden("The chain is the whole tenant's. Prove it with a key that is not bound to an account.")
    query = query_of(request, ProofQuery)
    chain = await _chain(request, principal, query.tenant_id)
    of_list, database = ("audit proof", chain), request.app[DATABASE]
    if query.anchor is not None and not await has_anchor(database, chain, _link(query.anchor.split(":"))):
        raise NotFound("The anchor is not in this chain: it is another chain's, or this one was written anew since then.")
    after = _link(position_of(of_list, query.cursor, parts=2)) if query.cursor else None
    proof = await prove(database, chain, after=after)
    return success(_proof(proof, of_list).json_ready())


async def _chain(request: web.Request, principal: Principal, named: str | None) -> str:
    """Return whose chain is asked for: the key's own tenant's; the operator names a tenant, or reads the operator's own."""
    tenant_id = named or principal.tenant_id
    if tenant_id is None:
        return OPERATOR_CHAIN
    if principal.is_operator and await tenants.get(request.app[DATABASE].reading, tenant_id) is None:
        raise NotFound("There is no such tenant. Check the id.")
    return own_tenant(principal, tenant_id)


def _filters(principal: Principal, query: AuditQuery) -> Filters:
    """Return the filters asked for, cut down to the account that the key is bound to."""
    actor, key_id = query.actor, query.key_id
    if key_id is not None:
        by_key = "operator" if key_id == "operator" else f"key:{key_id}"
        if actor not in {None, by_key}:
            raise ValidationFailed([{"field": "actor", "problem": "is another than the key that keyId names"}])
        actor = by_key
    return Filters(query.event_type, actor, own_account(principal, query.account_id), query.subject_id, query.asset_id)


async def _page(request: web.Request, asked: Page, chain: str, filters: Filters, within: Span) -> tuple[Shown, Sequence[Entry]]:
    """Return the entries of a page and what is told beside them."""
    reading = request.app[DATABASE].reading
    is_whole = not filters.given and not filters.of_store
    offset = offset_of(request, at_most=None if is_whole else COUNTED_MAX)
    count, is_exact = await audit_log.total(reading, chain, filters=filters, within=within)
    below = min(within.below, numbered(asked)) if asked.after else within.below - (offset if is_whole else 0)
    skipped = 0 if is_whole else offset
    row_count = skipped + asked.limit + 1
    rest = Span(within.above, max(below, within.above + 1))
    found = await audit_log.page(reading, chain, filters=filters, within=rest, row_count=row_count, skipped=skipped)
    entries = found.entries
    shown = entries[: asked.limit]
    last = shown[-1].sequence if len(entries) > asked.limit else found.rest.below
    is_end = len(entries) <= asked.limit and not found.rest.length
    following = None if is_end else cursor_of(asked.of_list, (str(last),))
    return {"total": count, "totalIsExact": is_exact, "nextCursor": following}, shown


def _answer(data: Shown, entries: Sequence[Entry], record: Callable[[Entry], Shown]) -> web.Response:
    return success({"logs": [record(entry) for entry in entries], **data})


def _record(entry: Entry) -> Shown:
    return {name: getattr(entry, name) for name in AuditRecord.model_fields}


def _store_record(entry: Entry) -> Shown:
    shown = {name: getattr(entry, name) for name in StoreAuditRecord.model_fields}
    return {**shown, "event_type": STORE_NAMES.get(entry.event_type, entry.event_type)}


async def _tail(request: web.Request, principal: Principal, chain: str, filters: Filters) -> web.StreamResponse:
    """Send entries as they are written, from `Last-Event-ID` on, else from now."""
    tail = request.app[AUDIT_TAIL]
    last, given = await tail.last(chain), last_event_id(request)
    return await send_tail(
        request,
        tail.entries(chain, filters=filters, after=last if given is None else min(given, last)),
        of=chain,
        still_allowed=partial(_refuse_unless_still_allowed, request, principal),
        event=lambda entry: (entry.sequence, _record(entry)),
    )


async def _refuse_unless_still_allowed(request: web.Request, principal: Principal) -> None:
    """Raise Unauthorized where the key may not have this stream any more: it was revoked, or its role changed."""
    now = await ask_again(request)
    if "audit:read" not in now.scopes or (now.tenant_id, now.account_id) != (principal.tenant_id, principal.account_id):
        raise Unauthorized


async def _export(request: web.Request, chain: str, filters: Filters, within: Span, form: str) -> web.StreamResponse:
    """Send every entry as a file, oldest first; where that fails midway the connection breaks, so that half never seems whole."""
    disposition = f'attachment; filename="audit.{form}"'
    headers = {
        "Content-Type": f"{MEDIA_TYPES[form]}; charset=utf-8",
        "Content-Disposition": disposition,
        REQUEST_ID_HEADER: request[REQUEST_ID],
    }
    with request.app[LIVE_STREAMS].taken(chain, limit=request[VISIT].ledger.plan.streams):
        response = web.StreamResponse(headers=headers)
        begin(request, response)
        await response.prepare(request)
        if not await _write_all(request, response, chain, filters, within, form) and request.transport is not None:
            request.transport.abort()
    return response


async def _export_parquet(request: web.Request, chain: str, filters: Filters, within: Span, form: str) -> web.StreamResponse:
    """Send the same entries from analytics, once these have them."""
    await request.app[ANALYTICS_FEED].catch_up(seconds=CATCH_UP_SECONDS)
    events = STORE_EVENTS if filters.of_store else ()
    work = partial(
        export_audit,
        request.app[ANALYTICS],
        tenant_id=chain,
        above=within.above,
        below=within.below,
        equal=tuple(filters.given.items()),
        events=events,
    )
    with request.app[LIVE_STREAMS].taken(chain, limit=request[VISIT].ledger.plan.streams):
        return await send_file(request, await request.app[EXPORTS].ask(chain, work), name="audit", form=form)


async def _write_all(
    request: web.Request, response: web.StreamResponse, chain: str, filters: Filters, within: Span, form: str
) -> bool:
    """Write a file piece by piece; whether it is whole, which a shutdown or a failing database keeps it from."""
    if form == "csv":
        await response.write(csv_head())
    try:
        async for piece in exported(request.app[DATABASE], chain, filters=filters, within=within, encode=ENCODERS[form]):
            await response.write(piece)
            if request.app[AUDIT_TAIL].is_draining:
                return False
    except NotReady:
        return False
    return True


def _link(parts: Sequence[str]) -> Link:
    return Link(int(parts[0]), parts[1])


def _proof(proof: Proof, of_list: tuple[str, ...]) -> AuditProof:
    proved, broken = proof.proved, proof.broken
    following = None if proof.is_complete else cursor_of(of_list, (str(proved.sequence), proved.hash))
    return AuditProof(
        is_valid=broken is None,
        is_complete=proof.is_complete,
        checked=proof.checked,
        proved=ProvedLink(sequence=proved.sequence, hash=proved.hash, anchor=f"{proved.sequence}:{proved.hash}"),
        broken=BrokenLink(sequence=broken.sequence, id=broken.id, fault=broken.fault) if broken else None,
        next_cursor=following,
    )
