"""What may be typed to filter the audit log, and what it asks of the server and of each entry."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from tenantai.client import AuditFilters
from tenantai.tui.terms import TIME_EXAMPLES, Terms, TermWrong, moment, parse
from tenantai.wire.audit import EVENT_TYPES, AuditRecord

ACTORS = ("operator", "system", "asset-session", "anyone", "key:")
FIELDS = {"event": "event_type", "actor": "actor", "key": "key_id", "account": "account_id", "subject": "subject_id"}
FIELDS |= {"asset": "asset_id", "request": "request_id"}
NAMES = (*FIELDS, "from", "to")
HINT = "event:key.created actor:operator from:2h words; Tab completes, Esc clears"
ON_SERVER = frozenset(FIELDS.values()) - {"request_id"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for: of the server, and of each entry where the server can't sift it."""

    filters: AuditFilters
    passes: Callable[[AuditRecord], bool] | None = None

    @property
    def is_whole(self) -> bool:
        """Whether nothing but times is asked for."""
        times = AuditFilters(tenant_id=self.filters.tenant_id, since=self.filters.since, until=self.filters.until)
        return self.passes is None and self.filters == times


def asked(text: str, *, inverted: bool, tenant_id: str | None) -> Asked:
    """Return what a typed filter asks for; raises TermWrong."""
    terms = parse(text, NAMES)
    wanted = {FIELDS[name]: value for name, value in terms.values.items() if name in FIELDS}
    _check_event(wanted.get("event_type"))
    span = AuditFilters(
        tenant_id=tenant_id,
        since=moment(terms.values["from"]) if "from" in terms.values else None,
        until=moment(terms.values["to"], is_end=True) if "to" in terms.values else None,
    )
    if inverted and (wanted or terms.words):
        return Asked(span, lambda record: not _matches(record, wanted, terms))
    on_server = {name: value for name, value in wanted.items() if name in ON_SERVER}
    here = {name: value for name, value in wanted.items() if name not in ON_SERVER}
    passes = (lambda record: _matches(record, here, terms)) if here or terms.words else None
    return Asked(replace(span, **on_server), passes)


def _check_event(event: str | None) -> None:
    if event is not None and event not in EVENT_TYPES:
        near = [known for known in EVENT_TYPES if known.startswith(event)]
        raise TermWrong(f"There is no event {event}. {f'Is it {near[0]}?' if near else 'Tab shows those that there are.'}")


def _matches(record: AuditRecord, wanted: dict[str, str], terms: Terms) -> bool:
    if any(getattr(record, name) != value for name, value in wanted.items()):
        return False
    if not terms.words:
        return True
    text = _text(record)
    return all(word in text for word in terms.words)


def _text(record: AuditRecord) -> str:
    """Return all that a word may be found in."""
    named = (record.event_type, record.actor, record.address, record.subject_id, record.account_id, record.asset_id)
    told = json.dumps(record.details, ensure_ascii=False)
    return " ".join((*filter(None, named), record.request_id or "", told)).casefold()


def values(seen: Iterable[AuditRecord]) -> dict[str, Callable[[], Iterable[str]]]:
    """Return what each term may be, the ids from entries that are seen."""
    entries = list(seen)

    def ids(name: str) -> Callable[[], Iterable[str]]:
        return lambda: dict.fromkeys(value for entry in entries if (value := getattr(entry, name)))

    return {
        "event": lambda: EVENT_TYPES,
        "actor": lambda: dict.fromkeys((*ACTORS, *(entry.actor for entry in entries))),
        **{name: ids(column) for name, column in FIELDS.items() if name not in {"event", "actor"}},
        "from": lambda: TIME_EXAMPLES,
        "to": lambda: TIME_EXAMPLES,
    }
