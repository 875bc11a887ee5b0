"""The client itself: a connection, and each resource of the API as an attribute."""

from types import TracebackType
from typing import Self

from tenantai.client.accounts import Accounts
from tenantai.client.analytics import AnalyticsBox
from tenantai.client.api_keys import ApiKeys
from tenantai.client.assets import Assets
from tenantai.client.audit import AuditLog
from tenantai.client.chat import Chat
from tenantai.client.conversations import Conversations
from tenantai.client.estimator import Estimator
from tenantai.client.files import Files
from tenantai.client.health import Probes
from tenantai.client.logs import Logs
from tenantai.client.store import StoreOfTenant
from tenantai.client.tenants import Tenants
from tenantai.client.tools import Tools
from tenantai.client.transport import Transport
from tenantai.client.usage import TenantUsage


class Client:
    """A connection to one server with one key; use it as an async context manager."""

    def __init__(self, url: str, api_key: str | None = None) -> None:
        self._transport = Transport(url, api_key)
        self.url = self._transport.url
        self.accounts = Accounts(self._transport)
        self.analytics = AnalyticsBox(self._transport)
        self.api_keys = ApiKeys(self._transport)
        self.assets = Assets(self._transport)
        self.audit = AuditLog(self._transport)
        self.chat = Chat(self._transport)
        self.conversations = Conversations(self._transport)
        self.estimator = Estimator(self._transport)
        self.files = Files(self._transport)
        self.logs = Logs(self._transport)
        self.probes = Probes(self._transport)
        self.store = StoreOfTenant(self._transport)
        self.tenants = Tenants(self._transport)
        self.tools = Tools(self._transport)
        self.usage = TenantUsage(self._transport)

    async def __aenter__(self) -> Self:
        await self._transport.open()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._transport.close()
