"""The typed client: HTTP and event streams, for the console, the commands and other people's programs.

What must stay true: whatever goes wrong is one `ClientError` with a sentence that says what to do, and an answer or a progress
whose stream breaks off is never taken for a whole one.
"""

from tenantai.client.audit import AuditFilters, AuditPage
from tenantai.client.chat import ApprovalDecision
from tenantai.client.client import Client
from tenantai.client.errors import ClientError
from tenantai.client.events import (
    ChatApprovalAsked,
    ChatCitations,
    ChatEvent,
    ChatFault,
    ChatFinished,
    ChatStarted,
    ChatText,
    ChatToolAnswered,
    ChatToolBegun,
    ChatToolCalled,
    ChatToolEvent,
    ChatToolFailed,
    ChatUsage,
    CitedQuote,
)
from tenantai.client.files import Uploaded
from tenantai.client.store import StorageUse, Store

__all__ = [
    "ApprovalDecision",
    "AuditFilters",
    "AuditPage",
    "ChatApprovalAsked",
    "ChatCitations",
    "ChatEvent",
    "ChatFault",
    "ChatFinished",
    "ChatStarted",
    "ChatText",
    "ChatToolAnswered",
    "ChatToolBegun",
    "ChatToolCalled",
    "ChatToolEvent",
    "ChatToolFailed",
    "ChatUsage",
    "CitedQuote",
    "Client",
    "ClientError",
    "StorageUse",
    "Store",
    "Uploaded",
]
