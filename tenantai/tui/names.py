"""Names of keys and accounts by their ids, for people who know no ids by heart."""

from tenantai.client import Client, ClientError


async def of_keys(client: Client, tenant_id: str | None) -> dict[str, str]:
    """Return the names of a tenant's keys; none where the asking key may not read them."""
    if tenant_id is None:
        return {}
    try:
        return {key.id: f"{key.name} …{key.last_characters}" async for key in client.api_keys.all(tenant_id)}
    except ClientError as error:
        return _none_where_forbidden(error)


async def of_accounts(client: Client, tenant_id: str | None) -> dict[str, str]:
    """Return the names of a tenant's accounts; none where the asking key may not read them."""
    if tenant_id is None:
        return {}
    try:
        return {account.id: account.name async for account in client.accounts.all(tenant_id)}
    except ClientError as error:
        return _none_where_forbidden(error)


def _none_where_forbidden(error: ClientError) -> dict[str, str]:
    if error.code != "FORBIDDEN":
        raise error
    return {}
