"""Requests that are sent again: the first one's answer is kept, sealed, for a day.

What must stay true: two requests with one key are never both carried out while this process lives; an answer, which may hold a
new key, can be opened with what the client sends only, never with the database alone.
"""

import asyncio
import hashlib
import json
import os
import zlib
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

from tenantai.errors import Conflict
from tenantai.identifiers import now, timestamp
from tenantai.server.services.finishing import begin
from tenantai.storage import across_tenants, idempotent_answers
from tenantai.storage.database import Database, Transaction
from tenantai.storage.idempotent_answers import Held

T = TypeVar("T")

KEPT_HOURS = 24
ANSWER_BYTES_MAX = 8 * 1024 * 1024
ON_LOOP_BYTES = 16 * 1024
ZIPPED_FROM_BYTES = 1024
ZIP_LEVEL = 1
NONCE_BYTES = 12
OTHER_REQUEST = "This Idempotency-Key was used for another request. Use a new key for each request that differs."
UNDER_WAY = "The request with this Idempotency-Key is still being carried out. Send it again in a moment."


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer as it is given again: JSON with the headers that tell what was made, or a stream with all that is its own.

    `body` is empty where it was too long to be kept.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class StreamRecord:
    """What a stream has told so far, in ASCII lines; of one that is too long nothing is kept."""

    headers: Mapping[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    characters: int = 0
    has_failed: bool = False
    has_reader: bool = True
    has_ended: bool = False

    @property
    def is_full(self) -> bool:
        """Whether it is too long to be kept."""
        return self.characters > ANSWER_BYTES_MAX

    def add(self, line: str, *, is_error: bool = False) -> None:
        """Record what was told."""
        self.has_failed |= is_error
        self.characters += len(line)
        if self.is_full:
            self.lines.clear()
        else:
            self.lines.append(line)

    def ends_alone(self, made_id: str) -> bool:
        """End the stream where it made this, has not ended, and nobody reads it any more; tells whether that is so."""
        is_alone = not (self.has_reader or self.has_ended) and made_id in self.headers.values()
        self.has_ended |= is_alone
        return is_alone

    async def answer(self, status: int) -> KeptAnswer:
        """Return all of it as an answer to be kept."""
        body = await _beside(self.characters, lambda: "".join(self.lines).encode("ascii"))
        return KeptAnswer(status, self.headers, body)


class Idempotency:
    """The answers that are kept for all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._under_way: dict[asyncio.Task[Any], StreamRecord | None] = {}

    async def open(self) -> None:
        """Give up the claims of a process that was killed: what it was doing is not known, and may be asked for again."""
        await self._database.write(across_tenants.release_claims)

    @property
    def is_busy(self) -> bool:
        """Whether a request with a key is being carried out; its client may be long gone."""
        return bool(self._under_way)

    def carry_out(self, work: Coroutine[Any, Any, T], record: StreamRecord | None) -> asyncio.Task[T]:
        """Carry a request out whose client may leave."""
        task = begin(work)
        self._under_way[task] = record
        task.add_done_callback(self._under_way.pop)
        return task

    async def stop(self, made_id: str) -> bool:
        """Stop what nobody reads any more of the streams that made this, and await their ends; tells whether there was one."""
        alone = [task for task, record in self._under_way.items() if record is not None and record.ends_alone(made_id)]
        for task in alone:
            task.cancel()
        if alone:
            await asyncio.wait(alone)
        return bool(alone)

    def attempt(self, tenant_id: str, *, caller: str, key: str) -> "Attempt":
        """Return a request's attempt at its key; `caller` is secret, and seals the answer."""
        return Attempt(self._database, tenant_id, caller, key)


class Attempt:
    """One request with a key."""

    def __init__(self, database: Database, tenant_id: str, caller: str, key: str) -> None:
        self._database = database
        self._tenant_id = tenant_id
        self._secret = f"{caller}\n{key}".encode("utf-8", "surrogateescape")
        self._of = {
            "caller": hashlib.sha256(caller.encode("utf-8", "surrogateescape")).hexdigest(),
            "key_sha256": hashlib.sha256(self._secret).hexdigest(),
        }
        self.has_begun = False
        self.has_claim = False

    async def claim(self, request_sha256: str) -> KeptAnswer | None:
        """Claim the key for a request; returns its answer where it was answered before.

        Raises Conflict where the key is another request's, or the first one is still under way.
        """
        self.has_begun = True  # from here on the claim may be made, whoever waits for it
        moment = now()
        forget_before = timestamp(moment - timedelta(hours=KEPT_HOURS))

        async def unit(transaction: Transaction) -> Held | None:
            wanted = {"request_sha256": request_sha256, "moment": timestamp(moment), "forget_before": forget_before}
            return await idempotent_answers.claim(transaction, self._tenant_id, **self._of, **wanted)

        held = await self._database.write(unit)
        if held is None:
            self.has_claim = True
            return None
        before, status, sealed = held
        if before != request_sha256:
            raise Conflict(OTHER_REQUEST)
        if status is None or sealed is None:
            raise Conflict(UNDER_WAY)
        return await _beside(len(sealed), lambda: _unpacked(status, _opened(self._secret, sealed)))

    async def keep(self, answer: KeptAnswer) -> None:
        """Keep the answer; of one that is too long, that it was given, and what it made."""
        if self.has_claim:
            status = answer.status
            kept = answer if len(answer.body) <= ANSWER_BYTES_MAX else KeptAnswer(status, answer.headers, b"")
            sealed = await _beside(len(kept.body), lambda: _sealed(self._secret, _packed(kept)))

            async def unit(transaction: Transaction) -> None:
                await idempotent_answers.keep(transaction, self._tenant_id, **self._of, status=status, sealed=sealed)

            await self._database.write(unit)

    async def release(self) -> None:
        """Give the claim up: the request came to nothing."""
        if self.has_claim:

            async def unit(transaction: Transaction) -> None:
                await idempotent_answers.release(transaction, self._tenant_id, **self._of)

            await self._database.write(unit)


async def _beside(size: int, work: Callable[[], T]) -> T:
    """Return what work on so many bytes comes to; where they are many, it is done beside the event loop."""
    return work() if size <= ON_LOOP_BYTES else await asyncio.to_thread(work)


def _packed(answer: KeptAnswer) -> bytes:
    """Put headers, as one line with a list of pairs, before the body; zipped where that makes it shorter."""
    packed = json.dumps(list(answer.headers.items())).encode() + b"\n" + answer.body
    if len(packed) < ZIPPED_FROM_BYTES:
        return packed
    return min(packed, zlib.compress(packed, ZIP_LEVEL), key=len)


def _unpacked(status: int, packed: bytes) -> KeptAnswer:
    """Take headers and body apart; an answer that was kept before headers were is its body, an object."""
    if packed.startswith(b"{"):
        return KeptAnswer(status, {}, packed)
    plain = packed if packed.startswith(b"[") else zlib.decompress(packed)
    headers, _, body = plain.partition(b"\n")
    return KeptAnswer(status, dict(json.loads(headers)), body)


def _sealed(secret: bytes, body: bytes) -> bytes:
    """Encrypt with AES-GCM under a key that HKDF makes from what only the client has."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415  a start need not wait for it

    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(_key_of(secret)).encrypt(nonce, body, None)


def _opened(secret: bytes, sealed: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

    return AESGCM(_key_of(secret)).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], None)


def _key_of(secret: bytes) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415

    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"tenantai idempotent answer").derive(secret)
