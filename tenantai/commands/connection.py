"""The server that a command speaks to, and in whose name."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from tenantai.commands.terminal import Failed, Misused

if TYPE_CHECKING:
    from tenantai.client import Client

DEFAULT_URL = "http://127.0.0.1:8420"


@dataclass(frozen=True, slots=True)
class Connection:
    """An address, a key, and the tenant and account that were named."""

    url: str
    api_key: str | None
    tenant: str | None
    account: str | None

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[tuple["Client", str]]:
        """Yield a client and the tenant to work in; whatever the server refuses becomes a Failed with its sentence."""
        from tenantai.client import Client, ClientError  # noqa: PLC0415  what a command works with is imported when it runs

        if not self.api_key:
            raise Misused("No API key is given. Set TENANTAI_API_KEY, or use --api-key.")
        try:
            async with Client(self.url, self.api_key) as client:
                yield client, self.tenant or await _only_tenant(client)
        except ClientError as error:
            wait = f" Try again in {error.retry_after} s." if error.retry_after and "Try again in" not in error.message else ""
            request = f" (request {error.request_id})" if error.code == "INTERNAL_ERROR" and error.request_id else ""
            raise Failed(f"{error.message}{wait}{request}") from error

    async def account_in(self, client: "Client", tenant_id: str) -> str:
        """Return the account to work in: the one named, else the only one, made where there is none; raises Misused."""
        if self.account:
            return self.account
        found = [account async for account in client.accounts.all(tenant_id)]
        if len(found) > 1:
            names = ", ".join(f"{account.id} ({account.name})" for account in found[:5])
            raise Misused(f"The tenant has {len(found)} accounts. Name one with --account: {names}")
        return found[0].id if found else (await client.accounts.create(tenant_id, name="default")).id


async def _only_tenant(client: "Client") -> str:
    found = [tenant.id async for tenant in client.tenants.all()]
    if len(found) != 1:
        raise Misused(f"This key sees {len(found)} tenants. Name one with --tenant.")
    return found[0]


def connected(function: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Make a command of a coroutine whose first argument is a Connection, and add the options that describe it."""

    @click.option("--account", help="The account to work in (the only one).")
    @click.option("--tenant", help="The tenant to work in (the key's own).")
    @click.option("--api-key", envvar="TENANTAI_API_KEY", help="The API key; better in TENANTAI_API_KEY.")
    @click.option("--url", envvar="TENANTAI_URL", default=DEFAULT_URL, help=f"The server ({DEFAULT_URL}); or TENANTAI_URL.")
    @wraps(function)
    def command(*, url: str, api_key: str | None, tenant: str | None, account: str | None, **given: Any) -> None:
        async def run() -> None:
            await function(Connection(url, api_key, tenant, account), **given)

        asyncio.run(run())

    return command
