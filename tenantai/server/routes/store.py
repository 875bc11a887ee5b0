"""The document store of a tenant: what is in it, how far its indexing is, actions, and a search to debug answers."""

import asyncio

from aiohttp import web

from tenantai.errors import Forbidden, NotFound
from tenantai.server.binding import body_of, query_of
from tenantai.server.idempotency import idempotent
from tenantai.server.key_watch import watched
from tenantai.server.keys import DATABASE, DOCUMENTS, LIVE_STREAMS, PROGRESS, SEARCH, STORE_SYNC, TERMS, VISIT
from tenantai.server.middlewares import success
from tenantai.server.paging import page_of
from tenantai.server.principal import acting, own_account, tenant_in_path
from tenantai.server.routes.files import record_of
from tenantai.server.services.credentials import Principal
from tenantai.server.services.file_text import read_text
from tenantai.server.services.progress import ProgressBoard
from tenantai.server.services.store_settings import change_settings, settings_of
from tenantai.server.sse import EventStream, event_stream
from tenantai.storage import files, room, stores, tenants
from tenantai.wire.file_text import TextQuery
from tenantai.wire.files import FileActions, SearchHit, SearchScores, StoreSearch
from tenantai.wire.store import NewSync, StoreSettingsChange, SyncStarted


async def show(request: web.Request) -> web.Response:
    """Return bytes, counts, settings, the newest operation, the newest sync and a page of the files."""
    principal, tenant_id = tenant_in_path(request, "store:read")
    asked = page_of(request, "store", tenant_id, principal.account_id)
    reading = request.app[DATABASE].reading
    tenant = await tenants.get(reading, tenant_id)
    if tenant is None:
        raise NotFound("There is no such tenant. Check the id.")
    counts = await files.counts(reading, tenant_id, visible_to=principal.account_id)
    used = sum(size for _, _, _, size in counts)
    if principal.account_id is None:
        used = await room.bytes_used(reading, tenant_id)
    found = await files.page(reading, tenant_id, visible_to=principal.account_id, after=asked.after_id, row_count=asked.row_count)
    shown, following = asked.cut(found, lambda file: (file.id,))
    board = request.app[PROGRESS]
    newest = await board.current(tenant_id, visible_to=principal.account_id)
    last_sync = await board.last_sync(tenant_id, visible_to=principal.account_id)
    quota = request.app[TERMS].of(tenant).storage_bytes
    return success(
        {
            "storage": {"usedBytes": used, "quotaBytes": quota},
            "counts": _counts(counts),
            "settings": settings_of(await stores.get(reading, tenant_id)).json_ready(),
            "operation": newest.json_ready(),
            "lastSync": last_sync.json_ready(),
            "files": [record_of(file) for file in shown],
            "nextCursor": following,
        }
    )


async def change(request: web.Request) -> web.Response:
    """Change how answers cite, and what they are made from."""
    principal, tenant_id = tenant_in_path(request, "store:write")
    body = await body_of(request, StoreSettingsChange)
    if principal.account_id is not None:
        raise Forbidden("Settings concern the whole tenant. Change them with a key that is not bound to an account.")
    changed = await change_settings(request.app[DATABASE], tenant_id, change=body, actor=acting(request))
    return success(changed.json_ready())


async def progress(request: web.Request) -> web.StreamResponse:
    """Return how far the newest operation is; live where the client accepts an event stream."""
    principal, tenant_id = tenant_in_path(request, "store:read")
    board = request.app[PROGRESS]
    if "text/event-stream" not in request.headers.get("Accept", ""):
        return success((await board.current(tenant_id, visible_to=principal.account_id)).json_ready())
    with request.app[LIVE_STREAMS].taken(tenant_id, limit=request[VISIT].ledger.plan.streams):
        async with event_stream(request, headers={}) as (stream, response):
            sending = asyncio.create_task(_send_progress(stream, board, tenant_id, principal), name="live progress")
            with watched(request, principal, scope="store:read", on_refused=sending.cancel):
                try:
                    await asyncio.wait([sending])
                finally:
                    sending.cancel()
            if not sending.cancelled():
                sending.result()
            stream.end()
    return response


@idempotent
async def sync(request: web.Request) -> web.Response:
    """Bring the store in line with the vault: some assets, or all that changed; where a sync runs already, that one is named."""
    principal, tenant_id = tenant_in_path(request, "store:write")
    body = await body_of(request, NewSync, may_be_empty=True)
    _refuse_bound(principal)
    operation, is_new = await request.app[STORE_SYNC].begin(tenant_id, asset_ids=body.asset_ids, actor=acting(request))
    started = SyncStarted(operation_id=operation.id, is_new=is_new, started_at=operation.started_at)
    return success(started.json_ready(), status=202)


async def refresh(request: web.Request) -> web.Response:
    """Read the vault's metadata again and return what a sync would do; nothing is changed."""
    principal, tenant_id = tenant_in_path(request, "store:write")
    _refuse_bound(principal)
    return success((await request.app[STORE_SYNC].refresh(tenant_id)).json_ready())


async def _send_progress(stream: EventStream, board: ProgressBoard, tenant_id: str, principal: Principal) -> None:
    async for state in board.changes(tenant_id, visible_to=principal.account_id):
        await stream.send(state.json_ready())


async def cancel(request: web.Request) -> web.Response:
    """Cancel the operation in progress; what is ready stays ready."""
    principal, tenant_id = tenant_in_path(request, "store:write")
    if principal.account_id is not None:
        raise Forbidden("An operation concerns the whole tenant. Cancel it with a key that is not bound to an account.")
    cancelled = await request.app[DOCUMENTS].cancel(tenant_id, actor=acting(request))
    return success({"cancelledFiles": cancelled})


async def act(request: web.Request) -> web.Response:
    """Exclude, include, delete or resync files; a result for each."""
    principal, tenant_id = tenant_in_path(request, "store:write")
    body = await body_of(request, FileActions)
    results = await request.app[DOCUMENTS].act(
        tenant_id, action=body.action, file_ids=body.file_ids, visible_to=principal.account_id, actor=acting(request)
    )
    return success({"results": [result.json_ready() for result in results]})


async def text(request: web.Request) -> web.Response:
    """Return a part of a file's text, by page or by characters."""
    principal, tenant_id = tenant_in_path(request, "store:read")
    asked = query_of(request, TextQuery)
    reading, file_id = request.app[DATABASE].reading, request.match_info["file_id"]
    found = await read_text(reading, tenant_id, file_id=file_id, visible_to=principal.account_id, asked=asked)
    return success(found.json_ready())


async def search(request: web.Request) -> web.Response:
    """Return what retrieval would hand to the model, with scores."""
    principal, tenant_id = tenant_in_path(request, "store:read")
    body = await body_of(request, StoreSearch)
    account_id = own_account(principal, body.account_id)
    store = await stores.get(request.app[DATABASE].reading, tenant_id)
    retrieval = settings_of(store).retrieval
    passages = await request.app[SEARCH].passages(
        tenant_id,
        question=body.query,
        top_k=body.top_k or retrieval.top_k,
        min_score=retrieval.min_score,
        account_id=account_id,
        generation=store.generation,
    )
    hits = [
        SearchHit(
            file_id=p.file_id,
            file_name=p.file_name,
            account_id=p.account_id,
            heading=p.heading,
            page=p.page,
            text=p.text,
            start=p.start,
            end=p.end,
            scores=SearchScores(lexical=p.scores.lexical, vector=p.scores.vector, fused=p.scores.fused),
        )
        for p in passages
    ]
    return success({"results": [hit.json_ready() for hit in hits]})


def _refuse_bound(principal: Principal) -> None:
    if principal.account_id is not None:
        raise Forbidden("The vault is the whole tenant's. Use a key that is not bound to an account.")


def _counts(groups: list[tuple[str, bool, int, int]]) -> dict[str, int]:
    counts = {"active": 0, "excluded": 0, "failed": 0, "pending": 0, "cancelled": 0, "skipped": 0}
    names = {"ready": "active", "failed": "failed", "pending": "pending", "indexing": "pending", "cancelled": "cancelled"}
    names["skipped"] = "skipped"
    for state, excluded, number, _ in groups:
        counts["excluded" if excluded else names[state]] += number
    return counts
