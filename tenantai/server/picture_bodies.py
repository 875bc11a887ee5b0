"""The body of an analysis, JSON or a form: written to disk as it comes, its pictures never in this process's memory.

What must stay true: a body is refused as soon as it is over its limit; nothing of it stays on disk once its request is over.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.http_exceptions import HttpProcessingError
from pydantic import ValidationError

from tenantai.errors import NotReady, PayloadTooLarge, Problem, ValidationFailed
from tenantai.parsing import PROBLEMS_MAX, problems_of
from tenantai.pictures.bodies import UUID
from tenantai.pictures.picture import BYTES_MAX, MEGABYTE, PICTURES_MAX, TOO_LARGE
from tenantai.pictures.pool import PicturePool
from tenantai.server import body_waits
from tenantai.server.body_waits import BodyWaits
from tenantai.server.keys import BODY_WAITS
from tenantai.server.services.pictures import Given
from tenantai.server.uploads import MALFORMED
from tenantai.storage.blobs import Blobs
from tenantai.wire.estimator import Analysis

JSON_BYTES_MAX = PICTURES_MAX * BYTES_MAX * 3 // 2
FORM_BYTES_MAX = PICTURES_MAX * BYTES_MAX + MEGABYTE
FIELD_BYTES_MAX = 1024
PARTS_MAX = 64  # an empty part has no bytes that its limit could count
PIECE_BYTES = 256 * 1024
IMAGES = "images"
FIELDS = frozenset({"tenantId", "accountId", "unit"})
ELSEWHERE = "-"
"""Stands for a picture in the shape, which only counts them."""
DISK_FULL = "The server's disk is full, so the pictures were not taken. Tell the operator."
NO_FILE = "is neither a file nor the id of an asset; send pictures as parts with a file name"


@dataclass(frozen=True, slots=True)
class Sent:
    """What is asked, without its pictures (None where problems are found), and the pictures."""

    analysis: Analysis | None
    pictures: Sequence[Given]
    problems: Sequence[Problem] = ()


async def sent_in(request: web.Request, *, blobs: Blobs, pool: PicturePool, folder: Path) -> Sent:
    """Return what was sent, its pictures in files of the folder.

    Raises ValidationFailed, PayloadTooLarge, BodyTooSlow, and NotReady where the disk is full.
    """
    if request.content_type == "multipart/form-data":
        _refuse_over(request.content_length or 0, FORM_BYTES_MAX)
        return await _Form(request.app[BODY_WAITS], folder).read(await _opened(request))
    _refuse_over(request.content_length or 0, JSON_BYTES_MAX)
    return await _of_json(request, blobs, pool, folder)


async def _of_json(request: web.Request, blobs: Blobs, pool: PicturePool, folder: Path) -> Sent:
    received = await blobs.receive(_pieces(request), bytes_max=JSON_BYTES_MAX)
    try:
        told = await pool.unpack(received.path, folder)
    finally:
        await asyncio.to_thread(received.discard)
    if "disk" in told:
        raise NotReady(DISK_FULL)
    pictures = [_given(picture, folder) for picture in told["pictures"]]
    if "problems" in told:
        return Sent(None, pictures, told["problems"])
    return Sent(Analysis.model_validate({**told["body"], IMAGES: [ELSEWHERE] * len(pictures)}), pictures)


async def _pieces(request: web.Request) -> AsyncIterator[bytes]:
    waits = request.app[BODY_WAITS]
    try:
        while True:
            async with waits.within(body_waits.UPLOAD_SILENCE_SECONDS):
                piece = await request.content.readany()
            if not piece:
                return
            yield piece
    except (HttpProcessingError, web.RequestPayloadError) as error:
        problem = "is not what its Content-Encoding or Transfer-Encoding says"
        raise ValidationFailed([{"field": "body", "problem": problem}]) from error


def _given(told: dict[str, str], folder: Path) -> Given:
    if "file" in told:
        return Given(path=folder / told["file"])
    return Given(asset_id=told.get("asset", ""), problem=told.get("problem", ""))


async def _opened(request: web.Request) -> MultipartReader:
    try:
        return await request.multipart()
    except MALFORMED as error:
        raise ValidationFailed([{"field": "body", "problem": "is not a well-formed multipart form"}]) from error


class _Form:
    """A form that is read part by part: files and ids of assets under `images`, the other fields as text."""

    def __init__(self, waits: BodyWaits, folder: Path) -> None:
        self._waits = waits
        self._folder = folder
        self._bytes = 0
        self._fields: dict[str, Any] = {}
        self._pictures: list[Given] = []
        self._problems: list[Problem] = []

    async def read(self, form: MultipartReader) -> Sent:
        """Read to the end; raises ValidationFailed where that is impossible, or PayloadTooLarge."""
        parts = 0
        try:
            while (part := await self._next(form)) is not None:
                parts += 1
                if parts > PARTS_MAX:
                    raise ValidationFailed([{"field": "body", "problem": f"has more than {PARTS_MAX} parts"}])
                await self._take(part)
        except MALFORMED as error:
            raise ValidationFailed([{"field": "body", "problem": "is cut off or wrongly encoded"}]) from error
        pictures = self._pictures[:PICTURES_MAX]
        try:
            analysis = Analysis.model_validate({**self._fields, IMAGES: [ELSEWHERE] * len(self._pictures)})
        except ValidationError as error:
            return Sent(None, pictures, [*problems_of(error), *self._problems])
        return Sent(None if self._problems else analysis, pictures, self._problems)

    async def _next(self, form: MultipartReader) -> BodyPartReader | MultipartReader | None:
        async with self._waits.within(body_waits.UPLOAD_SILENCE_SECONDS):
            return await form.next()

    async def _take(self, part: BodyPartReader | MultipartReader) -> None:
        if not isinstance(part, BodyPartReader) or not part.name:
            raise ValidationFailed([{"field": "body", "problem": "has a part without a name"}])
        if part.name == IMAGES and part.filename is not None:
            self._pictures.append(await self._picture(part))
        elif part.name == IMAGES:
            self._pictures.append(_asset(await self._text(part)))
        elif part.name in FIELDS and part.name not in self._fields:
            self._fields[part.name] = await self._text(part)
        else:
            await self._refuse(part, part.name)

    async def _refuse(self, part: BodyPartReader, name: str) -> None:
        """Note a field that there is not, or not again, and leave what it holds unread."""
        if len(self._problems) < PROBLEMS_MAX:
            problem = "is given more than once" if name in FIELDS else "is not known here"
            self._problems.append({"field": name[:FIELD_BYTES_MAX], "problem": problem})
        async for _ in self._pieces(part):
            pass

    async def _picture(self, part: BodyPartReader) -> Given:
        """Keep a file's bytes; of one that is too large or one too many, none."""
        path = self._folder / str(len(self._pictures))
        size = 0
        file = await asyncio.to_thread(path.open, "xb")
        try:
            async for piece in self._pieces(part):
                size += len(piece)
                if size <= BYTES_MAX and len(self._pictures) < PICTURES_MAX:
                    await asyncio.to_thread(file.write, piece)
        except OSError as error:
            raise NotReady(DISK_FULL) from error
        finally:
            await asyncio.to_thread(file.close)
        return Given(problem=TOO_LARGE) if size > BYTES_MAX else Given(path=path)

    async def _text(self, part: BodyPartReader) -> str:
        text = b"".join([piece async for piece in self._pieces(part, bytes_max=FIELD_BYTES_MAX)])
        return text.decode(errors="replace").strip()

    async def _pieces(self, part: BodyPartReader, *, bytes_max: int = FORM_BYTES_MAX) -> AsyncIterator[bytes]:
        taken = 0
        while True:
            async with self._waits.within(body_waits.UPLOAD_SILENCE_SECONDS):
                piece = bytes(await part.read_chunk(PIECE_BYTES))
            if not piece:
                return
            taken += len(piece)
            self._bytes += len(piece)
            _refuse_over(self._bytes, FORM_BYTES_MAX)
            if taken > bytes_max:
                raise ValidationFailed([{"field": str(part.name), "problem": f"is longer than {bytes_max} bytes"}])
            yield part.decode(piece)


def _asset(text: str) -> Given:
    return Given(asset_id=text.lower()) if UUID.fullmatch(text) else Given(problem=NO_FILE)


def _refuse_over(size: int, bytes_max: int) -> None:
    if size > bytes_max:
        raise PayloadTooLarge(f"The body is larger than the {bytes_max} bytes that are taken.")
