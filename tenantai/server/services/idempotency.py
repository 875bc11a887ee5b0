"""Requests that are sent again: the first one's answer is kept, sealed, for a day.

What must stay true: two requests with one key are never both carried out while this process lives; an answer, which may hold a
new key, can be opened with what the client sends only, never with the database alone.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from tenantai.errors import Conflict
from tenantai.identifiers import now, timestamp
from tenantai.storage import across_tenants, idempotent_answers
from tenantai.storage.database import Database, Transaction
from tenantai.storage.idempotent_answers import Held

KEPT_HOURS = 24
NONCE_BYTES = 12
OTHER_REQUEST = "This Idempotency-Key was used for another request. Use a new key for each request that differs."
UNDER_WAY = "The request with this Idempotency-Key is still being carried out. Send it again in a moment."


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer as it is given again: `headers` are those that tell what was made, `body` is JSON."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Idempotency:
    """The answers that are kept for all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self) -> None:
        """Give up the claims of a process that was killed: what it was doing is not known, and may be asked for again."""
        await self._database.write(across_tenants.release_claims)

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
        return _unpacked(status, _opened(self._secret, sealed))

    async def keep(self, answer: KeptAnswer) -> None:
        """Keep the answer."""
        if self.has_claim:
            sealed, status = _sealed(self._secret, _packed(answer)), answer.status

            async def unit(transaction: Transaction) -> None:
                await idempotent_answers.keep(transaction, self._tenant_id, **self._of, status=status, sealed=sealed)

            await self._database.write(unit)

    async def release(self) -> None:
        """Give the claim up: the request came to nothing."""
        if self.has_claim:

            async def unit(transaction: Transaction) -> None:
                await idempotent_answers.release(transaction, self._tenant_id, **self._of)

            await self._database.write(unit)


def _packed(answer: KeptAnswer) -> bytes:
    """Put headers, as one line with a list of pairs, before the body."""
    return json.dumps(list(answer.headers.items())).encode() + b"\n" + answer.body


def _unpacked(status: int, packed: bytes) -> KeptAnswer:
    """Take headers and body apart; an answer that was kept before headers were is its body, an object."""
    if packed.startswith(b"{"):
        return KeptAnswer(status, {}, packed)
    headers, _, body = packed.partition(b"\n")
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
