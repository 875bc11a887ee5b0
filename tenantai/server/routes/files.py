"""Files of an account."""

from collections.abc import AsyncIterator
from urllib.parse import unquote

from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from tenantai.errors import NotFound, PayloadTooLarge, UnsupportedMedia, ValidationFailed
from tenantai.server import body_waits
from tenantai.server.body_waits import BodyWaits
from tenantai.server.keys import BODY_WAITS, DATABASE, DOCUMENTS, SETTINGS
from tenantai.server.metering import plan_in_path
from tenantai.server.middlewares import success
from tenantai.server.paging import page_of
from tenantai.server.principal import acting, own_account, tenant_in_path
from tenantai.storage import accounts, files
from tenantai.storage.files import File
from tenantai.wire.files import FileRecord

MALFORMED = (ValueError, AssertionError, RuntimeError, HttpProcessingError, web.RequestPayloadError)
PIECE_BYTES = 256 * 1024
FRAMING_BYTES = 64 * 1024


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


async def upload(request: web.Request) -> web.Response:
    """Take in one file, in a multipart part named `file`; it is indexed behind the answer."""
    principal, tenant_id = tenant_in_path(request, "file:upload")
    account_id = own_account(principal, request.match_info["account_id"]) or ""
    form, part = await _file_part(request)
    plan = await plan_in_path(request, principal)
    file, is_new = await request.app[DOCUMENTS].receive(
        tenant_id,
        account_id=account_id,
        name=unquote(part.filename or "unnamed"),
        pieces=_pieces(form, part, request.app[BODY_WAITS]),
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


async def _file_part(request: web.Request) -> tuple[MultipartReader, BodyPartReader]:
    """Return the form and its part that holds the file; raises what is wrong with the form."""
    bytes_max = request.app[SETTINGS].upload_bytes_max
    if request.content_type != "multipart/form-data":
        raise UnsupportedMedia("Send the file as multipart/form-data, in a part named file.")
    if (request.content_length or 0) > bytes_max + FRAMING_BYTES:
        raise PayloadTooLarge(f"The file is larger than the {bytes_max} bytes that are taken.")
    try:
        async with request.app[BODY_WAITS].within(body_waits.UPLOAD_SILENCE_SECONDS):
            reader = await request.multipart()
            part = await reader.next()
    except MALFORMED as error:
        raise ValidationFailed([{"field": "body", "problem": "is not a well-formed multipart form"}]) from error
    if not isinstance(part, BodyPartReader) or part.name != "file" or not part.filename:
        raise ValidationFailed([{"field": "file", "problem": "is required: one part named file, with a file name, and no other"}])
    return reader, part


async def _pieces(form: MultipartReader, part: BodyPartReader, waits: BodyWaits) -> AsyncIterator[bytes]:
    """Yield the file's bytes; raises ValidationFailed where the form ends before the file does, BodyTooSlow where it stalls."""
    try:
        while piece := await _next_piece(part, waits):
            yield part.decode(piece)
        async with waits.within(body_waits.UPLOAD_SILENCE_SECONDS):
            is_alone = not part.at_eof() or await form.next() is None
    except MALFORMED as error:
        raise ValidationFailed([{"field": "file", "problem": "is cut off or wrongly encoded"}]) from error
    if not part.at_eof():
        raise ValidationFailed([{"field": "file", "problem": "is cut off"}])
    if not is_alone:
        raise ValidationFailed([{"field": "body", "problem": "has more than one part; send one file at a time"}])


async def _next_piece(part: BodyPartReader, waits: BodyWaits) -> bytes:
    async with waits.within(body_waits.UPLOAD_SILENCE_SECONDS):
        return bytes(await part.read_chunk(PIECE_BYTES))
