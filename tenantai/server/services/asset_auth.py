"""The Asset Manager's password and its sessions.

What must stay true: a password is hashed with argon2id off the event loop; a try is counted, in the database, before it is
checked, so that of two at once at the limit one is checked; an unknown tenant answers as a wrong password does; a password
grants in the vault what the key had that set it, and no more.
"""

import asyncio
import re
import secrets
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from tenantai.errors import LimitExceeded, NotFound, Problem, Unauthorized, ValidationFailed
from tenantai.identifiers import new_id, now, timestamp
from tenantai.server.services.credentials import SESSION_PREFIX, Principal, sha256_of, vault_scopes_of
from tenantai.storage import across_tenants, asset_auth, audit, tenants
from tenantai.storage.asset_auth import Password
from tenantai.storage.audit import Actor
from tenantai.storage.database import Database, Transaction
from tenantai.wire.assets import PasswordSet, Session
from tenantai.wire.audit import EventType

TRIES_MAX = 5
WRONG_LOGINS_MAX = 50
"""Of one address, whichever tenants it names: each costs a slow hash."""
TRIES_WITHIN = timedelta(minutes=15)
SESSION_LASTS = timedelta(hours=12)
HASHED_AT_ONCE = 2
CHARACTERS_MIN, CHARACTERS_MAX = 8, 128
SPECIAL = "!@#$%^&*"
RULES = (
    (re.compile(r"[A-Z]"), "needs an uppercase letter (A-Z)"),
    (re.compile(r"[a-z]"), "needs a lowercase letter (a-z)"),
    (re.compile(r"[0-9]"), "needs a number (0-9)"),
    (re.compile(f"[{re.escape(SPECIAL)}]"), f"needs a special character ({SPECIAL})"),
)
WRONG = "The password is wrong, or none was set. Try again, or set one with an API key."
TENANT_ID = re.compile(r"[0-9a-f-]{36}")


class AssetAuth:
    """The passwords of all tenants."""

    def __init__(self, database: Database, hasher: PasswordHasher | None = None) -> None:
        self._database = database
        self._hasher = hasher or PasswordHasher()
        self._hashing = asyncio.Semaphore(HASHED_AT_ONCE)
        self._nobodys: str | None = None

    async def set_password(self, tenant_id: str, *, password: str, confirmed: str, by: Principal, actor: Actor) -> PasswordSet:
        """Set the password and end all sessions. Raises ValidationFailed, LimitExceeded or NotFound."""
        _refuse_weak(password, confirmed)
        if await tenants.get(self._database.reading, tenant_id) is None:
            raise NotFound("There is no such tenant. Check the id.")
        await self._count(tenant_id, "change")
        async with self._hashing:
            hashed = await asyncio.to_thread(self._hasher.hash, password)
        moment, granted = timestamp(), list(vault_scopes_of(by))

        async def unit(transaction: Transaction) -> None:
            if await tenants.get(transaction, tenant_id) is None:
                raise NotFound("There is no such tenant. Check the id.")
            former = await asset_auth.password_of(transaction, tenant_id)
            await asset_auth.set_password(transaction, tenant_id, hashed=hashed, scopes=granted, moment=moment)
            event: EventType = "password.set" if former is None else "password.changed"
            details = {"after": {"scopes": granted}, **({"before": {"scopes": list(former.scopes)}} if former else {})}
            await audit.record(transaction, tenant_id, event_type=event, actor=actor, subject_id=tenant_id, details=details)

        await self._database.write(unit)
        return PasswordSet(tenant_id=tenant_id, changed_at=moment, scopes=granted)

    async def open_session(self, tenant_id: str, *, password: str, actor: Actor) -> Session:
        """Open a session, which may do what the password grants. Raises Unauthorized or LimitExceeded."""
        if not TENANT_ID.fullmatch(tenant_id):
            raise Unauthorized(WRONG)
        await self._count(tenant_id, "login")
        held = await asset_auth.password_of(self._database.reading, tenant_id)
        if not await self._is_right(held, password) or held is None:
            await self._record(tenant_id, "session.refused", actor)
            raise Unauthorized(WRONG)
        token, began = SESSION_PREFIX + secrets.token_urlsafe(32), now()
        expires_at, granted = timestamp(began + SESSION_LASTS), list(held.scopes)

        async def unit(transaction: Transaction) -> None:
            if await asset_auth.password_of(transaction, tenant_id) != held:
                raise Unauthorized(WRONG)
            await asset_auth.open_session(
                transaction, tenant_id, token_sha256=sha256_of(token), moment=timestamp(began), expires_at=expires_at
            )
            await audit.record(
                transaction,
                tenant_id,
                event_type="session.opened",
                actor=actor,
                subject_id=tenant_id,
                details={"expires_at": expires_at, "scopes": granted},
            )

        await self._database.write(unit)
        return Session(session_token=token, expires_at=expires_at, scopes=granted)

    async def _is_right(self, held: Password | None, password: str) -> bool:
        """Check a password; where there is none, against one that nobody knows, which takes as long."""
        async with self._hashing:
            if self._nobodys is None:
                self._nobodys = await asyncio.to_thread(self._hasher.hash, secrets.token_urlsafe(16))
            try:
                await asyncio.to_thread(self._hasher.verify, held.hash if held else self._nobodys, password)
            except (VerificationError, InvalidHashError):
                return False
        return held is not None

    async def _count(self, tenant_id: str, kind: str) -> None:
        """Count a try, or raise LimitExceeded."""
        present = now()

        async def unit(transaction: Transaction) -> list[str]:
            since = timestamp(present - TRIES_WITHIN)
            await across_tenants.forget_sessions(transaction, ended_before=timestamp(present), tried_before=since)
            until = timestamp(present + TRIES_WITHIN)  # later ones were made by a clock that was set back since
            made = await asset_auth.tries_between(transaction, tenant_id, kind=kind, since=since, until=until)
            if len(made) < TRIES_MAX:
                await asset_auth.add_try(transaction, tenant_id, kind=kind, new_id=new_id(), moment=timestamp(present))
            return made

        made = await self._database.write(unit)
        if len(made) >= TRIES_MAX:
            free_at = datetime.fromisoformat(made[-TRIES_MAX]) + TRIES_WITHIN
            raise LimitExceeded(
                "TOO_MANY_ATTEMPTS",
                f"There were {TRIES_MAX} tries within 15 minutes, as many as there may be. Try again later.",
                reason="password_tries",
                limit=TRIES_MAX,
                used=len(made),
                retry_after_seconds=max(1, int((free_at - present).total_seconds()) + 1),
                reset_at=timestamp(free_at),
            )

    async def _record(self, tenant_id: str, event_type: EventType, actor: Actor) -> None:
        async def unit(transaction: Transaction) -> None:
            if await tenants.get(transaction, tenant_id) is not None:
                await audit.record(transaction, tenant_id, event_type=event_type, actor=actor, subject_id=tenant_id, details={})

        await self._database.write(unit)


def _refuse_weak(password: str, confirmed: str) -> None:
    """Raise ValidationFailed with every rule that a password breaks."""
    problems: list[Problem] = []
    if len(password) < CHARACTERS_MIN:
        problems.append({"field": "newPassword", "problem": f"needs at least {CHARACTERS_MIN} characters"})
    if len(password) > CHARACTERS_MAX:
        problems.append({"field": "newPassword", "problem": f"may have at most {CHARACTERS_MAX} characters"})
    problems += [{"field": "newPassword", "problem": said} for rule, said in RULES if not rule.search(password)]
    if password != confirmed:
        problems.append({"field": "confirmPassword", "problem": "is not the same as newPassword"})
    if problems:
        broken = "; ".join(problem["problem"] for problem in problems if problem["field"] == "newPassword")
        sentences = [f"The password {broken}."] if broken else []
        sentences += ["The two passwords are not the same."] if password != confirmed else []
        raise ValidationFailed(problems, " ".join(sentences))
