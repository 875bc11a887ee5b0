"""One entry of the audit log as people read it, and where it can lead."""

from collections.abc import Mapping

from textual.content import Content

from tenantai.tui import shown
from tenantai.tui.differences import difference, fields
from tenantai.tui.places import BY_NAME
from tenantai.tui.screens.questions import Choice
from tenantai.wire.audit import AuditRecord

PLACE_OF = {"key": "keys", "file": "store", "asset": "assets", "estimate": "estimates", "conversation": "chat"}
NAME_OF = {"key": "The API key", "file": "The file", "asset": "The asset", "estimate": "The estimate"}
NAME_OF |= {"conversation": "The conversation"}
CHANGES = frozenset({"before", "after"})


def described(entry: AuditRecord, key_names: Mapping[str, str]) -> list[Content | str]:
    """Return an entry's details: what, when, who, and what it changed."""
    facts = {
        "who": entry.actor,
        "key": key_names.get(entry.key_id or ""),
        "address": entry.address,
        "about": entry.subject_id,
        "account": entry.account_id,
        "asset": entry.asset_id,
        "request": entry.request_id,
        "entry": shown.number(entry.sequence),
        "hash": f"{entry.hash[:16]}…",
    }
    lines: list[Content | str] = [
        Content.styled(shown.line(entry.event_type), "bold"),
        shown.when(entry.created_at),
        "",
        *(Content.assemble((f"{name:<9}", "$text-muted"), shown.line(value)) for name, value in facts.items() if value),
    ]
    before, after = entry.details.get("before"), entry.details.get("after")
    if before is not None or after is not None:
        lines += ["", Content.styled(_heading(before, after), "$text-accent"), *difference(before or {}, after or {})]
    more = {name: value for name, value in entry.details.items() if name not in CHANGES}
    if more:
        lines += ["", Content.styled("Details", "$text-accent"), *fields(more)]
    return lines


def _heading(before: object, after: object) -> str:
    if before is None:
        return "As it is since then (+)"
    return "As it was (-)" if after is None else "What changed (- was, + is)"


def leads(entry: AuditRecord, *, can_read_logs: bool) -> list[Choice]:
    """Return where one can go from an entry; a value is a place and what to show there."""
    kind = entry.event_type.partition(".")[0]
    found: list[Choice] = []

    def lead(place: str, what: str | None, title: str) -> None:
        if what and place in BY_NAME and f"{place} {what}" not in {choice.value for choice in found}:
            found.append(Choice(f"{place} {what}", title, what.rpartition("/")[2]))

    if kind in NAME_OF:
        lead(PLACE_OF[kind], entry.subject_id, NAME_OF[kind])
    lead("assets", entry.asset_id if entry.asset_id != entry.subject_id else None, "The asset")
    account = entry.subject_id if kind == "account" else entry.account_id
    lead("tenants", f"{entry.tenant_id}/{account}" if account else None, "The account")
    lead("keys", entry.key_id, "The key that did it")
    lead("tenants", entry.subject_id if entry.tenant_id == "operator" and kind == "tenant" else entry.tenant_id, "The tenant")
    if can_read_logs:
        lead("logs", f"request:{entry.request_id}" if entry.request_id else None, "The log lines of the request")
    return found
