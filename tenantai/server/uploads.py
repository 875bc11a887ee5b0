"""A file in a multipart form, read piece by piece.

What must stay true: nothing is held whole in memory; a form that ends early, stalls or holds more than one file is refused.
"""

import hashlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from urllib.parse import unquote

from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from tenantai.errors import PayloadTooLarge, UnsupportedMedia, ValidationFailed
from tenantai.server import body_waits
from tenantai.server.body_waits import BodyWaits
from tenantai.server.idempotency import claim
from tenantai.server.keys import ATTEMPT, BODY_WAITS, SETTINGS

MALFORMED = (ValueError, AssertionError, RuntimeError, HttpProcessingError, web.RequestPayloadError)
PIECE_BYTES = 256 * 1024
FRAMING_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Upload:
    """A form whose file comes next."""

    form: MultipartReader
    part: BodyPartReader
    waits: BodyWaits
    request: web.Request

    @property
    def name(self) -> str:
        """The name that the client gave the file."""
        return unquote(self.part.filename or "unnamed")

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the file's bytes; raises ValidationFailed where the form ends before it does, BodyTooSlow where it stalls."""
        digest = hashlib.sha256()
        try:
            while piece := await _next_piece(self.part, self.waits):
                decoded = self.part.decode(piece)
                if ATTEMPT in self.request:
                    digest.update(decoded)
                yield decoded
            async with self.waits.within(body_waits.UPLOAD_SILENCE_SECONDS):
                is_alone = not self.part.at_eof() or await self.form.next() is None
        except MALFORMED as error:
            raise ValidationFailed([{"field": "file", "problem": "is cut off or wrongly encoded"}]) from error
        if not self.part.at_eof():
            raise ValidationFailed([{"field": "file", "problem": "is cut off"}])
        if not is_alone:
            raise ValidationFailed([{"field": "body", "problem": "has more than one part; send one file at a time"}])
        await claim(self.request, self.name.encode("utf-8", "surrogateescape"), digest.digest())


async def upload_of(request: web.Request) -> Upload:
    """Return the form up to its part named `file`; raises what is wrong with it."""
    bytes_max = request.app[SETTINGS].upload_bytes_max
    if request.content_type != "multipart/form-data":
        raise UnsupportedMedia("Send the file as multipart/form-data, in a part named file.")
    if (request.content_length or 0) > bytes_max + FRAMING_BYTES:
        raise PayloadTooLarge(f"The file is larger than the {bytes_max} bytes that are taken.")
    waits = request.app[BODY_WAITS]
    try:
        async with waits.within(body_waits.UPLOAD_SILENCE_SECONDS):
            form = await request.multipart()
            part = await form.next()
    except MALFORMED as error:
        raise ValidationFailed([{"field": "body", "problem": "is not a well-formed multipart form"}]) from error
    if not isinstance(part, BodyPartReader) or part.name != "file" or not part.filename:
        raise ValidationFailed([{"field": "file", "problem": "is required: one part named file, with a file name, and no other"}])
    return Upload(form, part, waits, request)


async def _next_piece(part: BodyPartReader, waits: BodyWaits) -> bytes:
    async with waits.within(body_waits.UPLOAD_SILENCE_SECONDS):
        return bytes(await part.read_chunk(PIECE_BYTES))
