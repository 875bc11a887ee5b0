"""What there is to say of a tenant, and how it is made what is wished."""

from collections.abc import Mapping

from textual.content import Content

from tenantai.client import Client, ClientError
from tenantai.tui import shown
from tenantai.tui.screens.tenant_forms import LIMITS, TenantWish
from tenantai.wire.tenants import TenantRecord
from tenantai.wire.usage import UsageReport


async def report_of(client: Client, tenant_id: str) -> UsageReport | None:
    """Return what a tenant may use; None where the key may not read that."""
    try:
        return await client.usage.report(tenant_id=tenant_id)
    except ClientError as error:
        if error.code != "FORBIDDEN":
            raise
        return None


async def changed(client: Client, tenant: TenantRecord, wish: TenantWish, *, is_operator: bool) -> TenantRecord:
    """Make a tenant what is wished, where that differs."""
    plan = wish.plan if is_operator and wish.plan != tenant.plan else None
    renewed = tenant
    if wish.name != tenant.name or plan is not None:
        renewed = await client.tenants.change(tenant.id, name=wish.name if wish.name != tenant.name else None, plan=plan)
    if is_operator and dict(wish.limits) != (tenant.limits or {}):
        renewed = await client.tenants.limit(tenant.id, {LIMITS[name]: limit for name, limit in wish.limits.items()} or None)
    return renewed


def limits_of(report: UsageReport) -> dict[str, int]:
    """Return the limits in force, by their names."""
    return {
        "requests_per_minute": report.rate_limit.limit,
        "requests_per_hour": report.hourly.limit,
        "requests_per_day": report.daily.limit,
        "requests_per_month": report.requests.limit,
        "tokens_per_month": report.tokens.limit,
        "streams": report.streams.limit,
        "storage_bytes": report.storage.limit,
    }


def described(tenant: TenantRecord, in_force: Mapping[str, int]) -> list[Content]:
    """Return what there is to say of a tenant: itself, and each limit with whose it is."""
    own = tenant.limits or {}
    lines = [
        Content.styled(shown.line(tenant.name), "bold"),
        Content.from_text(f"{shown.line(tenant.plan)} plan · {shown.line(tenant.email)}", markup=False),
        Content.styled(shown.line(tenant.id), "$text-muted"),
        Content(""),
    ]
    for name in LIMITS:
        held = own.get(name, in_force.get(name))
        if held is not None:
            amount = shown.size(held) if name == "storage_bytes" else shown.number(held)
            whose = ("its own", "$text-warning") if name in own else ("plan", "$text-muted")
            lines.append(Content.assemble((f"{name.replace('_', ' '):<21}", "$text-muted"), f"{amount:>15}  ", whose))
    return [*lines, Content("")]
