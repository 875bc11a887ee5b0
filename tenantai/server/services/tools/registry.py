"""What each tenant's chats may call: the built-in functions and the tenant's own.

What must stay true: what a tenant has is read once and remembered until it changes, so that a chat costs no read for it; a
secret is in no record, log or audit entry.
"""

import asyncio
import sqlite3
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address

from yarl import URL

from tenantai.errors import Conflict, NotFound, ValidationFailed
from tenantai.identifiers import new_id, timestamp
from tenantai.providers.protocols import Function
from tenantai.server.services.finishing import finish
from tenantai.server.services.tools.builtin import FUNCTIONS, NAMES
from tenantai.server.services.tools.destinations import ForbiddenDestination, require_allowed
from tenantai.server.services.tools.outgoing import FORBIDDEN, NO_TLS, Outgoing
from tenantai.server.services.tools.schemas import ArgumentChecker, require_sound
from tenantai.server.services.tools.signing import new_signing_secret
from tenantai.storage import audit, tenants, tools
from tenantai.storage.audit import Actor
from tenantai.storage.database import Database, Transaction
from tenantai.storage.tools import Tool
from tenantai.wire.tools import NewTool

TOOLS_MAX = 64
TENANTS_REMEMBERED = 4096
NO_TOOL = "There is no such function in this tenant. Check the id."
NOT_CALLED = (
    "The model of this server calls no functions. The operator can change that: TENANTAI_PROVIDER=gemini or openai, with a "
    "model that calls functions."
)


@dataclass(frozen=True, slots=True)
class Offer:
    """What the chats of a tenant may call: all functions, its own by name, and what checks the arguments of each."""

    functions: tuple[Function, ...]
    own: Mapping[str, Tool]
    checkers: Mapping[str, ArgumentChecker]


BUILT_IN = Offer(FUNCTIONS, {}, {function.name: ArgumentChecker(function.parameters) for function in FUNCTIONS})
NOTHING = Offer((), {}, {})


class Tools:
    """The functions of all tenants."""

    def __init__(self, database: Database, outgoing: Outgoing) -> None:
        self._database = database
        self._outgoing = outgoing
        self._offers: OrderedDict[str, Offer] = OrderedDict()
        self._changes = 0

    async def offer(self, tenant_id: str) -> Offer:
        """Return what a tenant's chats may call."""
        known = self._offers.get(tenant_id)
        if known is not None:
            self._offers.move_to_end(tenant_id)
            return known
        changes = self._changes
        own = await tools.page(self._database.reading, tenant_id, after="", row_count=TOOLS_MAX)
        made = await asyncio.to_thread(_offer, own) if own else BUILT_IN
        if changes == self._changes:
            self._offers[tenant_id] = made
            if len(self._offers) > TENANTS_REMEMBERED:
                self._offers.popitem(last=False)
        return made

    async def create(self, tenant_id: str, *, wanted: NewTool, actor: Actor) -> Tool:
        """Register a function; raises ValidationFailed, Conflict or NotFound."""
        return await finish(self._create(tenant_id, wanted, actor))

    async def delete(self, tenant_id: str, *, tool_id: str, actor: Actor) -> None:
        """Delete a function: no answer calls it from now on. Raises NotFound."""
        await finish(self._delete(tenant_id, tool_id, actor))

    async def _create(self, tenant_id: str, wanted: NewTool, actor: Actor) -> Tool:
        parameters = wanted.parameters.given()
        await asyncio.to_thread(require_sound, parameters)
        self._require_reachable(wanted.endpoint)
        if wanted.name in NAMES:
            raise Conflict("A built-in function has this name. Choose another.")
        moment = timestamp()
        tool = Tool(
            id=new_id(),
            tenant_id=tenant_id,
            name=wanted.name,
            description=wanted.description,
            parameters=parameters,
            endpoint=wanted.endpoint,
            signing_secret=wanted.signing_secret or new_signing_secret(),
            timeout_seconds=wanted.timeout_seconds,
            approval=wanted.approval,
            created_at=moment,
            updated_at=moment,
        )

        async def unit(transaction: Transaction) -> None:
            if await tenants.get(transaction, tenant_id) is None:
                raise NotFound("There is no such tenant. Check the id.")
            if await tools.count(transaction, tenant_id) >= TOOLS_MAX:
                raise Conflict(f"A tenant has at most {TOOLS_MAX} functions. Delete one first.")
            await tools.create(transaction, tenant_id, tool=tool)
            await audit.record(
                transaction, tenant_id, event_type="tool.created", actor=actor, subject_id=tool.id, after=_told(tool)
            )

        try:
            await self._database.write(unit)
        except sqlite3.IntegrityError as error:
            raise Conflict("Another function of this tenant has this name. Delete it first, or choose another.") from error
        self._forget(tenant_id)
        return tool

    async def _delete(self, tenant_id: str, tool_id: str, actor: Actor) -> None:
        async def unit(transaction: Transaction) -> None:
            tool = await tools.delete(transaction, tenant_id, tool_id=tool_id)
            if tool is None:
                raise NotFound(NO_TOOL)
            await audit.record(
                transaction, tenant_id, event_type="tool.deleted", actor=actor, subject_id=tool_id, before=_told(tool)
            )

        await self._database.write(unit)
        self._forget(tenant_id)

    def _forget(self, tenant_id: str) -> None:
        self._changes += 1
        self._offers.pop(tenant_id, None)

    def _require_reachable(self, endpoint: str) -> None:
        """Raise ValidationFailed for an address that no call could go to; names are resolved when they are called."""
        url = URL(endpoint, encoded=True)
        problem = NO_TLS if url.scheme != "https" and not self._outgoing.takes_plain_http else None
        if _is_odd_number(url.host or ""):
            problem = "must have a name or an IPv4 address of four numbers"
        elif problem is None and (literal := _literal(url.host or "")):
            try:
                require_allowed(str(literal), self._outgoing.allowed, is_public_allowed=url.scheme == "https")
            except ForbiddenDestination:
                problem = FORBIDDEN
        if problem is not None:
            raise ValidationFailed([{"field": "endpoint", "problem": problem}])


def _offer(own: list[Tool]) -> Offer:
    functions = tuple(Function(tool.name, tool.description, tool.parameters) for tool in own)
    checkers = {tool.name: ArgumentChecker(tool.parameters) for tool in own}
    return Offer((*FUNCTIONS, *functions), {tool.name: tool for tool in own}, {**BUILT_IN.checkers, **checkers})


def _told(tool: Tool) -> dict[str, object]:
    """Return what the audit log tells of a function."""
    return {"name": tool.name, "endpoint": tool.endpoint.partition("?")[0], "approval": tool.approval}


def _literal(host: str) -> IPv4Address | None:
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return address if isinstance(address, IPv4Address) else None


def _is_odd_number(host: str) -> bool:
    """Whether a host is an IPv4 address in a form that resolvers read and people don't: 127.1, 0x7f000001."""
    last = host.rstrip(".").rsplit(".", 1)[-1]
    return (last.isdigit() or last.lower().startswith("0x")) and _literal(host) is None
