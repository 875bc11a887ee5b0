"""API keys: making them, recognising them, and who they speak for.

What must stay true: a secret is in one answer and nowhere else; a key seen lately costs neither a slow hash nor a question to the
database, and yet stops within a second of being revoked.
"""

import asyncio
import hashlib
import hmac
import re
import secrets
import sqlite3
import string
import time
import zlib
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from typing import get_args

from tenantai.errors import NotReady, Unauthorized
from tenantai.identifiers import new_id, timestamp
from tenantai.storage import across_tenants, api_keys
from tenantai.storage.api_keys import ApiKey
from tenantai.storage.database import Database, Transaction
from tenantai.storage.tenants import Tenant
from tenantai.wire.api_keys import Scope
from tenantai.wire.assets import VAULT_SCOPES

TENANT_SCOPES: tuple[str, ...] = get_args(Scope)
OPERATOR_SCOPE = "system:admin"
SESSION_SCOPE = "asset-session"
SESSION_PREFIX = "as_"
ADMIN_ONLY = frozenset({"key:read", "key:write", "tenant:write", "account:write"})

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
KEY_PATTERN = re.compile(r"sk_(?:live|test)_([0-9A-Za-z]{32})([0-9A-Za-z]{6})")
RANDOM_CHARACTERS = 32
SHOWN_FIRST, SHOWN_LAST = 12, 4
FRESH_SECONDS = 0.8
NOTE_USES_SECONDS = 5.0
KEYS_HELD_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: a tenant's key, perhaps bound to an account, or the operator (who has no tenant of their own).

    `tenant` is the tenant as it was when the key was last looked up, at most a second ago. `in_vault` is what a session of the
    Asset Manager may do there; it is none of its scopes, for it may do it nowhere else.
    """

    key_id: str
    tenant_id: str | None
    account_id: str | None
    scopes: frozenset[str]
    plan: str
    tenant: Tenant | None = None
    in_vault: frozenset[str] = frozenset()

    @property
    def is_operator(self) -> bool:
        """Whether this key may name any tenant."""
        return OPERATOR_SCOPE in self.scopes


def checksum(text: str) -> str:
    """Return six base62 characters that a typing error changes (CRC-32)."""
    number, characters = zlib.crc32(text.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, len(ALPHABET))
        characters = ALPHABET[digit] + characters
    return characters


def new_secret(*, prefix: str = "sk_live_") -> str:
    """Return a new key: prefix, 32 random base62 characters, checksum."""
    body = "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_CHARACTERS))
    return f"{prefix}{body}{checksum(body)}"


def is_well_formed(secret: str) -> bool:
    """Return whether a text is a key with a right checksum; says nothing of whether it exists."""
    match = KEY_PATTERN.fullmatch(secret)
    return match is not None and hmac.compare_digest(checksum(match[1]), match[2])


def sha256_of(secret: str) -> str:
    """Return what is stored of a key; a random key needs no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def shown_of(secret: str) -> tuple[str, str]:
    """Return the first and last characters of a key, by which people tell it apart."""
    return secret[:SHOWN_FIRST], secret[-SHOWN_LAST:]


def scopes_of(key: ApiKey) -> frozenset[str]:
    """Return a key's scopes, cut down to the role of the account it is bound to."""
    scopes = frozenset(key.scopes)
    if key.account_id is None or key.account_role == "admin":
        return scopes
    if key.account_role == "member":
        return scopes - ADMIN_ONLY
    return frozenset(scope for scope in scopes if scope.endswith(":read"))


def vault_scopes_of(principal: Principal) -> tuple[str, ...]:
    """Return what of the vault's scopes a key has, in the order that pages list them: all that a password it sets may grant."""
    return tuple(scope for scope in VAULT_SCOPES if scope in principal.scopes)


async def issue(
    transaction: Transaction,
    tenant_id: str,
    *,
    name: str,
    scopes: tuple[str, ...],
    account_id: str | None = None,
    expires_at: str | None = None,
) -> tuple[str, ApiKey]:
    """Create a key; the secret is returned here and never again."""
    secret = new_secret()
    first, last = shown_of(secret)
    key = ApiKey(
        id=new_id(),
        tenant_id=tenant_id,
        account_id=account_id,
        account_role=None,
        name=name,
        first_characters=first,
        last_characters=last,
        scopes=scopes,
        created_at=timestamp(),
        expires_at=expires_at,
        revoked_at=None,
    )
    await api_keys.create(transaction, tenant_id, key=key, secret_sha256=sha256_of(secret))
    return secret, key


class KeyRing:
    """Recognises keys, and remembers those it has seen within the last second."""

    def __init__(self, database: Database, *, operator_secret: str) -> None:
        self._database = database
        self._operator_sha256 = sha256_of(operator_secret)
        self._seen: OrderedDict[str, tuple[float, Principal]] = OrderedDict()
        self._uses: dict[str, str] = {}
        self._noting: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to write down, now and then, when keys were last used."""
        self._noting = asyncio.create_task(self._note_forever(), name="key uses")

    async def close(self) -> None:
        """Write down the last uses."""
        if self._noting is not None:
            self._noting.cancel()
            with suppress(asyncio.CancelledError):
                await self._noting
        await self.note_uses()

    async def note_uses(self) -> None:
        """Write down when keys were last used; where that fails, they are tried again with the next ones."""
        uses, self._uses = self._uses, {}
        if not uses:
            return

        async def unit(transaction: Transaction) -> None:
            await across_tenants.note_uses(transaction, uses=uses)

        try:
            await self._database.write(unit)
        except (NotReady, sqlite3.Error):
            self._uses = {**uses, **self._uses}

    async def _note_forever(self) -> None:
        while True:
            await asyncio.sleep(NOTE_USES_SECONDS)
            await self.note_uses()

    def held(self, secret: str | None) -> Principal | None:
        """Return who a key speaks for where it was looked up within the last second."""
        if secret is None:
            return None
        held = self._seen.get(sha256_of(secret))
        return held[1] if held is not None and time.monotonic() - held[0] < FRESH_SECONDS else None

    async def principal(self, secret: str | None) -> Principal:
        """Return who a key speaks for; raises Unauthorized with one sentence for every reason."""
        held = self.held(secret)
        if held is not None:
            return held
        if not secret:
            raise Unauthorized
        digest = sha256_of(secret)
        is_session = secret.startswith(SESSION_PREFIX)
        if not is_session and not is_well_formed(secret) and digest != self._operator_sha256:
            raise Unauthorized
        principal = await (self._look_up_session(digest) if is_session else self._look_up(digest))
        self._seen[digest] = (time.monotonic(), principal)
        self._seen.move_to_end(digest)
        if len(self._seen) > KEYS_HELD_MAX:
            self._seen.popitem(last=False)
        return principal

    def forget_all(self) -> None:
        """Look every key up again: call it after any change to keys, accounts or plans."""
        self._seen.clear()

    async def _look_up_session(self, digest: str) -> Principal:
        """Return who a session of the Asset Manager speaks for: the tenant, in its vault only."""
        found = await across_tenants.session_by_token(self._database.looking_up, token_sha256=digest, moment=timestamp())
        if found is None:
            self._seen.pop(digest, None)
            raise Unauthorized
        tenant, scopes = found
        return Principal(SESSION_SCOPE, tenant.id, None, frozenset({SESSION_SCOPE}), tenant.plan, tenant, frozenset(scopes))

    async def _look_up(self, digest: str) -> Principal:
        if hmac.compare_digest(digest, self._operator_sha256):
            return Principal("operator", None, None, frozenset({*TENANT_SCOPES, OPERATOR_SCOPE}), "enterprise")
        moment = timestamp()
        found = await across_tenants.key_by_secret(self._database.looking_up, secret_sha256=digest, moment=moment)
        if found is None or not is_live(found[0]):
            self._seen.pop(digest, None)
            raise Unauthorized
        key, tenant = found
        self._uses[key.id] = moment
        return Principal(key.id, key.tenant_id, key.account_id, scopes_of(key), tenant.plan, tenant)


def is_live(key: ApiKey) -> bool:
    """Return whether a key is neither revoked nor expired."""
    return key.revoked_at is None and (key.expires_at is None or key.expires_at > timestamp())
