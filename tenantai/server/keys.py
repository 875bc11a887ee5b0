"""Every key of the application and of a request, with its type."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from multidict import istr

from tenantai.providers.protocols import ChatModel
from tenantai.rag.search import Search
from tenantai.server.body_waits import BodyWaits
from tenantai.server.services.address_gate import AddressGate
from tenantai.server.services.analytics_feed import AnalyticsFeed
from tenantai.server.services.analytics_questions import Questions
from tenantai.server.services.api_keys import ApiKeys
from tenantai.server.services.asset_auth import AssetAuth
from tenantai.server.services.audit_tail import AuditTail
from tenantai.server.services.chat_turn import ChatTurns
from tenantai.server.services.credentials import KeyRing
from tenantai.server.services.documents import Documents
from tenantai.server.services.erasure import Erasure
from tenantai.server.services.estimates import Estimates
from tenantai.server.services.estimator import Estimator
from tenantai.server.services.idempotency import Attempt, Idempotency, StreamRecord
from tenantai.server.services.indexing import Indexing
from tenantai.server.services.log_tail import LogTail
from tenantai.server.services.metering.ledger import Visit
from tenantai.server.services.metering.meter import Meter
from tenantai.server.services.metering.plans import Terms
from tenantai.server.services.metering.recording import Recording
from tenantai.server.services.metrics import Metrics
from tenantai.server.services.overview import Overviews
from tenantai.server.services.pictures import Pictures
from tenantai.server.services.progress import ProgressBoard
from tenantai.server.services.readiness import Readiness
from tenantai.server.services.refusals import Refusals
from tenantai.server.services.retention import Retention
from tenantai.server.services.sql_box import SqlBox
from tenantai.server.services.store_sync import StoreSync
from tenantai.server.services.stream_slots import StreamSlots
from tenantai.server.services.tools.outgoing import Outgoing
from tenantai.server.services.tools.registry import Tools
from tenantai.server.services.vault import Vault
from tenantai.settings import Settings
from tenantai.storage.analytics import Analytics
from tenantai.storage.blobs import Blobs
from tenantai.storage.database import Database

SETTINGS = web.AppKey("settings", Settings)
STARTED = web.AppKey("started", float)
DATABASE = web.AppKey("database", Database)
KEY_RING = web.AppKey("key_ring", KeyRing)
REGISTRATION_GATE = web.AppKey("registration_gate", AddressGate)
LOGIN_GATE = web.AppKey("login_gate", AddressGate)
REFUSALS = web.AppKey("refusals", Refusals)
STREAM_SLOTS = web.AppKey("stream_slots", StreamSlots)
AUDIT_TAIL = web.AppKey("audit_tail", AuditTail)
LOG_TAIL = web.AppKey("log_tail", LogTail)
LIVE_STREAMS = web.AppKey("live_streams", StreamSlots)
BODY_WAITS = web.AppKey("body_waits", BodyWaits)
READINESS = web.AppKey("readiness", Readiness)
DOCUMENTS = web.AppKey("documents", Documents)
INDEXING = web.AppKey("indexing", Indexing)
PROGRESS = web.AppKey("progress", ProgressBoard)
STORE_SYNC = web.AppKey("store_sync", StoreSync)
SEARCH = web.AppKey("search", Search)
CHAT_MODEL: web.AppKey[ChatModel] = web.AppKey("chat_model")
API_KEYS = web.AppKey("api_keys", ApiKeys)
TOOLS = web.AppKey("tools", Tools)
OUTGOING = web.AppKey("outgoing", Outgoing)
DESCRIPTION: web.AppKey[Callable[[], Awaitable[bytes]]] = web.AppKey("description")
ANALYTICS = web.AppKey("analytics", Analytics)
ANALYTICS_FEED = web.AppKey("analytics_feed", AnalyticsFeed)
QUESTIONS = web.AppKey("questions", Questions)
EXPORTS = web.AppKey("exports", Questions)
OVERVIEWS = web.AppKey("overviews", Overviews)
SQL_BOX = web.AppKey("sql_box", SqlBox)
RETENTION = web.AppKey("retention", Retention)
ESTIMATOR = web.AppKey("estimator", Estimator)
ESTIMATES = web.AppKey("estimates", Estimates)
PICTURES = web.AppKey("pictures", Pictures)
BLOBS = web.AppKey("blobs", Blobs)
CHAT_TURNS = web.AppKey("chat_turns", ChatTurns)

VAULT = web.AppKey("vault", Vault)
ASSET_AUTH = web.AppKey("asset_auth", AssetAuth)
TERMS = web.AppKey("terms", Terms)
METER = web.AppKey("meter", Meter)
RECORDING = web.AppKey("recording", Recording)

METRICS = web.AppKey("metrics", Metrics)
ERASURE = web.AppKey("erasure", Erasure)
IDEMPOTENCY = web.AppKey("idempotency", Idempotency)

REQUEST_ID_HEADER = istr("X-Request-Id")
IDEMPOTENCY_KEY = "Idempotency-Key"
IDEMPOTENT_REPLAYED = "Idempotent-Replayed"
CONVERSATION_ID_HEADER = "X-Conversation-Id"
ESTIMATE_ID_HEADER = "X-Estimate-Id"
REQUEST_ID = web.RequestKey("request_id", str)
VISIT = web.RequestKey("visit", Visit)
ATTEMPT = web.RequestKey("attempt", Attempt)
STREAM_RECORD = web.RequestKey("stream_record", StreamRecord)
