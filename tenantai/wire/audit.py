"""The vocabulary of the audit log.

What must stay true: every entry's type is one of these, `docs/api.md` says what each means, and no meaning ever changes.
"""

from typing import Literal, get_args

EventType = Literal[
    "tenant.created",
    "tenant.updated",
    "tenant.deleted",
    "key.created",
    "key.revoked",
    "key.rotated",
    "account.created",
    "account.updated",
    "account.deleted",
    "file.uploaded",
    "file.imported",
    "file.excluded",
    "file.included",
    "file.requeued",
    "file.deleted",
    "file.indexed",
    "file.failed",
    "conversation.deleted",
    "store.updated",
    "store.refreshed",
    "sync.started",
    "sync.completed",
    "sync.failed",
    "sync.cancelled",
    "asset.created",
    "asset.updated",
    "asset.deleted",
    "password.changed",
    "session.opened",
    "session.refused",
    "tool.created",
    "tool.updated",
    "tool.deleted",
    "tool.approved",
    "tool.denied",
    "usage.alert",
    "access.refused",
    "access.unauthenticated",
    "audit.archived",
]
EVENT_TYPES: tuple[EventType, ...] = get_args(EventType)
