"""The server that a command speaks to, and in whose name."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from tenantai.commands.configuration import refuse_unknown_variables
from tenantai.commands.refusals import sentence, typeable
from tenantai.commands.terminal import Failed, Misused

if TYPE_CHECKING:
    from tenantai.client import Client

DEFAULT_URL = "http://127.0.0.1:8420"
NO_KEY = "No API key is given. Set TENANTAI_API_KEY, or use --api-key. New here? `tenantai tenants register` gives one."

Command = Callable[..., Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Connection:
    """An address, a key, and the tenant and account that were named."""

    url: str
    api_key: str | None
    tenant: str | None
    account: str | None

    @asynccontextmanager
    async def client(self, *, needs_key: bool = True) -> AsyncGenerator["Client"]:
        """Yield a client; whatever the server refuses becomes a Failed that names the options of a command."""
        from tenantai.client import Client, ClientError  # noqa: PLC0415  what a command works with is imported when it runs

        if needs_key and not self.api_key:
            raise Misused(NO_KEY)
        try:
            async with Client(self.url, self.api_key if needs_key else None) as client:
                yield client
        except ClientError as error:
            raise Failed(sentence(error, url=self.url)) from error

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[tuple["Client", str]]:
        """Yield a client and the tenant to work in: the one named, else the only one that the key sees."""
        async with self.client() as client:
            yield client, await self.tenant_in(client)

    async def tenant_in(self, client: "Client") -> str:
        """Return the tenant to work in: the one named, else the only one that the key sees; raises Misused."""
        if self.tenant:
            return self.tenant
        with _or_else("tenant:read", "name the tenant with --tenant"):
            return await _only_tenant(client)

    async def account_in(self, client: "Client", tenant_id: str) -> str:
        """Return the account to work in: the one named, else the only one, made where there is none; raises Misused."""
        if self.account:
            return self.account
        with _or_else("account:read", "name an account with --account"):
            found = [account async for account in client.accounts.all(tenant_id)]
        if len(found) > 1:
            names = ", ".join(f"{account.id} ({account.name})" for account in found[:5])
            raise Misused(f"The tenant has {len(found)} accounts. Name one with --account: {names}")
        return found[0].id if found else (await client.accounts.create(tenant_id, name="default")).id


@contextmanager
def _or_else(scope: str, advice: str) -> Generator[None]:
    """Add to the refusal of a key that may not look something up how to do without."""
    from tenantai.client import ClientError  # noqa: PLC0415  what a command works with is imported when it runs

    try:
        yield
    except ClientError as error:
        if error.code == "FORBIDDEN" and scope in error.message:
            raise Failed(f"{typeable(error.message).removesuffix('.')}, or {advice}.") from error
        raise


async def _only_tenant(client: "Client") -> str:
    found = [tenant.id async for tenant in client.tenants.all()]
    if len(found) != 1:
        raise Misused(f"This key sees {len(found)} tenants. Name one with --tenant; `tenantai tenants list` shows their ids.")
    return found[0]


def connected(function: Command) -> Callable[..., None]:
    """Make a command of a coroutine whose first argument is a Connection, and add the options that describe it."""
    return click.option("--account", help="The account to work in (the only one).")(connected_to_tenant(function))


def connected_to_tenant(function: Command) -> Callable[..., None]:
    """Make a command of a coroutine that concerns a whole tenant."""
    return click.option("--tenant", help="The tenant to work in (the key's own).")(connected_to_server(function))


def connected_to_server(function: Command) -> Callable[..., None]:
    """Make a command of a coroutine that concerns tenants."""

    @click.option("--api-key", envvar="TENANTAI_API_KEY", help="The API key; better in TENANTAI_API_KEY.")
    @click.option("--url", envvar="TENANTAI_URL", default=DEFAULT_URL, help=f"The server ({DEFAULT_URL}); or TENANTAI_URL.")
    @wraps(function)
    def command(*, url: str, api_key: str | None, tenant: str | None = None, account: str | None = None, **given: Any) -> None:
        refuse_unknown_variables()

        async def run() -> None:
            await function(Connection(url, api_key, tenant, account), **given)

        asyncio.run(run())

    return command
