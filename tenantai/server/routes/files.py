"""Files of an account."""

from aiohttp import web

from tenantai.errors import NotFound
from tenantai.server.idempotency import idempotent
from tenantai.server.keys import DATABASE, DOCUMENTS
from tenantai.server.metering import plan_in_path
from tenantai.server.middlewares import success
from tenantai.server.paging import page_of
from tenantai.server.principal import acting, own_account, tenant_in_path
from tenantai.server.uploads import upload_of
from tenantai.storage import accounts, files
from tenantai.storage.files import File
from tenantai.wire.files import FileRecord


async def page(request: web.Request) -> web.Response:
    """Return an account's files by creation."""
    principal, tenant_id = tenant_in_path(request, "file:read")
    account_id = own_account(principal, request.match_info["account_id"]) or ""
    asked = page_of(request, "account files", tenant_id, account_id)
    reading = request.app[DATABASE].reading
    if await accounts.get(reading, tenant_id, account_id=account_id) is None:
        raise NotFound("There is no such account in this tenant. Check the id.")
    found = await files.page_of_account(
        reading, tenant_id, account_id=account_id, after=asked.after_id, row_count=asked.row_count
    )
    shown, following = asked.cut(found, lambda file: (file.id,))
    return success({"files": [record_of(file) for file in shown], "nextCursor": following})


@idempotent
async def upload(request: web.Request) -> web.Response:
    """Take in one file, in a multipart part named `file`; it is indexed behind the answer."""
    principal, tenant_id = tenant_in_path(request, "file:upload")
    account_id = own_account(principal, request.match_info["account_id"]) or ""
    given = await upload_of(request)
    plan = await plan_in_path(request, principal)
    file, is_new = await request.app[DOCUMENTS].receive(
        tenant_id,
        account_id=account_id,
        name=given.name,
        pieces=given.pieces(),
        storage_bytes_max=plan.storage_bytes,
        actor=acting(request),
    )
    return success({"file": record_of(file), "operationId": file.operation_id, "isNew": is_new}, status=202)


async def delete(request: web.Request) -> web.Response:
    """Delete a file: it is in no later answer."""
    principal, tenant_id = tenant_in_path(request, "file:delete")
    account_id = own_account(principal, request.match_info["account_id"]) or ""
    file_id = request.match_info["file_id"]
    await request.app[DOCUMENTS].delete(tenant_id, file_id=file_id, account_id=account_id, actor=acting(request))
    return success({"id": file_id, "deleted": True})


def record_of(file: File) -> dict[str, object]:
    """Return a file as a client reads it."""
    return FileRecord.model_validate(file).json_ready()
