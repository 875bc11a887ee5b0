"""Files of an account, and actions on files of the tenant."""

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Literal

import aiohttp

from tenantai.client.sending import Sent, opened
from tenantai.client.shaping import account_path, step, tenant_path
from tenantai.client.transport import Transport
from tenantai.wire.files import FileActionResult, FileRecord
from tenantai.wire.shapes import Computed

FileAction = Literal["exclude", "include", "delete", "resync"]


class Uploaded(Computed):
    """A file as it was taken in; `is_new` is false where the same bytes were there."""

    file: FileRecord
    operation_id: str
    is_new: bool


class _Results(Computed):
    results: list[FileActionResult]


class Files:
    """`/tenants/{tenantId}/accounts/{accountId}/files`, and `/tenants/{tenantId}/store/files/actions`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def all(self, tenant_id: str, account_id: str) -> AsyncGenerator[FileRecord]:
        """Yield an account's files by creation."""
        return self._transport.pages(f"{account_path(tenant_id, account_id)}/files", "files", FileRecord)

    async def upload(self, tenant_id: str, account_id: str, *, path: Path, sent: Sent | None = None) -> Uploaded:
        """Send a file from the disk, piece by piece; it is indexed behind the answer. Raises OSError where it can't be read."""
        with await opened(path, sent=sent) as content:
            form = aiohttp.FormData(quote_fields=False)
            form.add_field("file", content, filename=sendable(path.name), content_type="application/octet-stream")
            return await self._transport.call("POST", f"{account_path(tenant_id, account_id)}/files", Uploaded, data=form)

    async def delete(self, tenant_id: str, account_id: str, *, file_id: str) -> None:
        """Delete a file: it is in no later answer."""
        await self._transport.do("DELETE", f"{account_path(tenant_id, account_id)}/files/{step(file_id)}")

    async def act(self, tenant_id: str, *, action: FileAction, file_ids: Sequence[str]) -> list[FileActionResult]:
        """Do one action on files of any account; a result for each."""
        body = {"action": action, "fileIds": list(file_ids)}
        return (await self._transport.call("POST", f"{tenant_path(tenant_id)}/store/files/actions", _Results, json=body)).results


def sendable(name: str) -> str:
    """Return a file's name as a form can carry it: no control characters, no bytes that are not text."""
    text = name.encode("utf-8", "replace").decode()
    return "".join(character for character in text if character.isprintable()) or "unnamed"
