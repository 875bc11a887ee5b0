"""What each route takes and answers, in the order of `routes`; a test holds it against the routes and their scopes."""

from tenantai.server.openapi import headers
from tenantai.server.openapi.operation import FILE, PAGE, Content, Form, Operation, Query, Stream, listing
from tenantai.wire import answers
from tenantai.wire.accounts import AccountChange, AccountRecord, NewAccount
from tenantai.wire.analytics import AnalyticsAnswer, AnalyticsQuestion
from tenantai.wire.api_keys import ApiKeyMade, ApiKeyRecord, NewApiKey, Rotation, WhoAmI
from tenantai.wire.assets import (
    AssetPage,
    AssetsQuery,
    AssetUploaded,
    AssetWithVersions,
    ContentQuery,
    Login,
    NewPassword,
    PasswordSet,
    Session,
    UploadQuery,
)
from tenantai.wire.audit import AuditProof, AuditQuery, AuditRecord, ProofQuery, StoreAuditQuery
from tenantai.wire.chat import Answer, ChatMessage, ConversationRecord
from tenantai.wire.estimator import (
    Analysed,
    Analysis,
    EstimateChange,
    EstimateRecord,
    EstimateShown,
    EstimatesQuery,
    EstimatorEvent,
    ExportQuery,
)
from tenantai.wire.file_text import FileText, TextQuery
from tenantai.wire.files import FileActions, FileRecord, Progress, StoreSearch
from tenantai.wire.logs import LogLine, LogPage, LogQuery
from tenantai.wire.overview import Overview, OverviewQuery
from tenantai.wire.store import NewSync, Refreshed, StoreSettings, StoreSettingsChange, SyncStarted
from tenantai.wire.stream import StreamEvent
from tenantai.wire.tenants import NewTenant, Registered, Registration, TenantChange, TenantCreated, TenantRecord
from tenantai.wire.tools import NewTool, ToolMade, ToolRecord
from tenantai.wire.usage import UsageQuery, UsageReport
from tenantai.wire.usage_history import UsageHistory, UsageHistoryQuery

API = "/api/v1"
TENANT = f"{API}/tenants/{{tenant_id}}"
ACCOUNT = f"{TENANT}/accounts/{{account_id}}"

IDENTIFIER = {"type": "string", "maxLength": 64}
TENANT_ASKED = Query("tenantId", IDENTIFIER, "The tenant; the key's own where it is left out.")
FORM = Form({"file": {**FILE, "description": "The file, with its name; PDF, DOCX, TXT, Markdown or HTML by its content."}})

STREAM_FORM = Query(
    "x-tenantai-stream", {"type": "string"}, "`compat` streams what clients of older versions read, too.", place="header"
)
BYTES_ASKED = (
    Query(
        "Range", {"type": "string"}, "The part that is wanted, `bytes=FIRST-LAST`; what is none is passed over.", place="header"
    ),
    Query("If-Range", {"type": "string"}, "The ETag of the bytes that the part is wanted of, else all are sent.", place="header"),
    Query("If-None-Match", {"type": "string"}, "The ETags that the client has; 304 for one of them.", place="header"),
)

SYSTEM = {
    ("GET", "/metrics"): Operation(
        "system", None, {200: Content(("text/plain",), "Prometheus' text format.")}, errors=frozenset({401, 403, 429})
    ),
    ("GET", f"{API}/health"): Operation("system", None, {200: answers.Health}),
    ("GET", f"{API}/ready"): Operation("system", None, {200: answers.Readiness}),
    ("GET", f"{API}/openapi.json"): Operation("system", None, {200: Content(("application/json",), "The description.")}),
    ("GET", f"{API}/docs"): Operation("system", None, {200: Content(("text/html",), "The page.")}),
}
TENANTS = {
    ("POST", f"{API}/register"): Operation(
        "tenants", None, {201: Registered}, body=Registration, errors=frozenset({403, 409, 429})
    ),
    ("GET", f"{API}/whoami"): Operation("api-keys", "tenant:read", {200: WhoAmI}),
    ("GET", f"{API}/tenants"): Operation(
        "tenants", "tenant:read", {200: listing("tenants", TenantRecord, title="TenantPage")}, query=PAGE
    ),
    ("POST", f"{API}/tenants"): Operation(
        "tenants", "system:admin", {201: TenantCreated}, body=NewTenant, errors=frozenset({409})
    ),
    ("GET", TENANT): Operation("tenants", "tenant:read", {200: TenantRecord}),
    ("PATCH", TENANT): Operation("tenants", "tenant:write", {200: TenantRecord}, body=TenantChange),
    ("DELETE", TENANT): Operation("tenants", "system:admin", {200: answers.Erased}),
}
CHAT = {
    ("POST", f"{API}/chat"): Operation(
        "chat",
        "chat:create",
        {200: (Stream(StreamEvent, "The answer, piece by piece."), Answer)},
        body=ChatMessage,
        query=(STREAM_FORM,),
        errors=frozenset({404, 409, 502}),
        headers={200: headers.CONVERSATION_ID},
    ),
    ("GET", f"{API}/chat/{{chat_id}}/stream"): Operation("chat", "chat:read", {204: None}),
    ("GET", f"{API}/chat/history"): Operation(
        "chat",
        "chat:read",
        {200: listing("conversations", ConversationRecord, title="ConversationPage")},
        query=(
            TENANT_ASKED,
            Query("accountId", IDENTIFIER, "Only this account's conversations."),
            Query("q", {"type": "string", "maxLength": 200}, "Words of a title or a message."),
            *PAGE,
        ),
    ),
    ("GET", f"{API}/chat/history/{{chat_id}}"): Operation("chat", "chat:read", {200: answers.Conversation}, query=PAGE),
    ("DELETE", f"{API}/chat/history/{{chat_id}}"): Operation("chat", "chat:delete", {200: answers.Deleted}),
}
PICTURE = {**FILE, "description": "A picture: JPEG, PNG or WebP by its content, at most 10 MB; or the id of an asset as text."}
PICTURES_FORM = Form(
    {
        "tenantId": IDENTIFIER,
        "images": {"type": "array", "items": PICTURE, "minItems": 1, "maxItems": 10},
        "accountId": IDENTIFIER,
        "unit": {"enum": ["metric", "imperial"]},
    },
    ("tenantId", "images"),
)
ESTIMATE = f"{API}/estimator/estimates/{{estimate_id}}"
ESTIMATING = "estimator:analyze"
JPEG = Content(("image/jpeg",), "The picture, or a part of it.")
ESTIMATOR = {
    ("POST", f"{API}/estimator/analyze"): Operation(
        "estimator",
        "estimator:analyze",
        {200: (Stream(EstimatorEvent, "Each item as it is seen, then what they come to."), Analysed)},
        body=Analysis,
        form=PICTURES_FORM,
        query=(STREAM_FORM,),
        errors=frozenset({404, 409, 502}),
        headers={200: headers.ESTIMATE_ID},
    ),
    ("GET", f"{API}/estimator/estimates"): Operation(
        "estimator",
        ESTIMATING,
        {200: listing("estimates", EstimateRecord, title="EstimatePage")},
        asks=EstimatesQuery,
        query=PAGE,
    ),
    ("GET", ESTIMATE): Operation("estimator", ESTIMATING, {200: EstimateShown}),
    ("PATCH", ESTIMATE): Operation("estimator", ESTIMATING, {200: EstimateShown}, body=EstimateChange, errors=frozenset({409})),
    ("DELETE", ESTIMATE): Operation("estimator", ESTIMATING, {200: answers.Deleted}, errors=frozenset({409})),
    ("POST", f"{ESTIMATE}/approve"): Operation("estimator", ESTIMATING, {200: EstimateRecord}, errors=frozenset({409})),
    ("GET", f"{ESTIMATE}/export"): Operation(
        "estimator",
        ESTIMATING,
        {200: Content(("text/csv", "application/pdf"), "Its items, or a report with its pictures.")},
        asks=ExportQuery,
        headers={200: headers.file_name(required=True)},
    ),
    ("GET", f"{ESTIMATE}/pictures/{{image}}"): Operation(
        "estimator",
        ESTIMATING,
        {200: JPEG, 206: JPEG, 304: None},
        query=BYTES_ASKED,
        errors=frozenset({416}),
        headers=headers.of_bytes(),
    ),
}
ACCOUNTS = {
    ("GET", f"{TENANT}/accounts"): Operation(
        "accounts", "account:read", {200: listing("accounts", AccountRecord, title="AccountPage")}, query=PAGE
    ),
    ("POST", f"{TENANT}/accounts"): Operation(
        "accounts", "account:write", {201: AccountRecord}, body=NewAccount, errors=frozenset({409})
    ),
    ("GET", ACCOUNT): Operation("accounts", "account:read", {200: AccountRecord}),
    ("PUT", ACCOUNT): Operation("accounts", "account:write", {200: AccountRecord}, body=AccountChange, errors=frozenset({409})),
    ("PATCH", ACCOUNT): Operation("accounts", "account:write", {200: AccountRecord}, body=AccountChange, errors=frozenset({409})),
    ("DELETE", ACCOUNT): Operation("accounts", "account:write", {200: answers.Deleted}, errors=frozenset({409})),
}
API_KEYS = {
    ("GET", f"{TENANT}/api-keys"): Operation(
        "api-keys", "key:read", {200: listing("apiKeys", ApiKeyRecord, title="ApiKeyPage")}, query=PAGE
    ),
    ("POST", f"{TENANT}/api-keys"): Operation(
        "api-keys", "key:write", {201: ApiKeyMade}, body=NewApiKey, errors=frozenset({409})
    ),
    ("DELETE", f"{TENANT}/api-keys/{{key_id}}"): Operation(
        "api-keys", "key:write", {200: answers.Deleted}, errors=frozenset({409})
    ),
    ("POST", f"{TENANT}/api-keys/{{key_id}}/rotate"): Operation(
        "api-keys", "key:write", {200: ApiKeyMade}, body=Rotation, is_body_optional=True, errors=frozenset({409})
    ),
}
TOOLS = {
    ("GET", f"{TENANT}/tools"): Operation(
        "tools", "tenant:read", {200: listing("tools", ToolRecord, title="ToolPage")}, query=PAGE
    ),
    ("POST", f"{TENANT}/tools"): Operation("tools", "tenant:write", {201: ToolMade}, body=NewTool, errors=frozenset({409})),
    ("GET", f"{TENANT}/tools/{{tool_id}}"): Operation("tools", "tenant:read", {200: ToolRecord}),
    ("DELETE", f"{TENANT}/tools/{{tool_id}}"): Operation("tools", "tenant:write", {200: answers.Deleted}),
}
FILES = {
    ("GET", f"{ACCOUNT}/files"): Operation(
        "files", "file:read", {200: listing("files", FileRecord, title="FilePage")}, query=PAGE
    ),
    ("POST", f"{ACCOUNT}/files"): Operation(
        "files", "file:upload", {202: answers.Uploaded}, body=FORM, errors=frozenset({415, 429})
    ),
    ("DELETE", f"{ACCOUNT}/files/{{file_id}}"): Operation("files", "file:delete", {200: answers.Deleted}),
}
STORE = {
    ("GET", f"{TENANT}/store"): Operation("store", "store:read", {200: answers.Store}, query=PAGE),
    ("PATCH", f"{TENANT}/store"): Operation("store", "store:write", {200: StoreSettings}, body=StoreSettingsChange),
    ("GET", f"{TENANT}/store/progress"): Operation(
        "store", "store:read", {200: (Progress, Stream(Progress, "Each change, until the operation ends."))}
    ),
    ("POST", f"{TENANT}/store/sync"): Operation("store", "store:write", {202: SyncStarted}, body=NewSync, is_body_optional=True),
    ("POST", f"{TENANT}/store/refresh"): Operation("store", "store:write", {200: Refreshed}),
    ("DELETE", f"{TENANT}/store/sync"): Operation("store", "store:write", {200: answers.Cancelled}, errors=frozenset({409})),
    ("POST", f"{TENANT}/store/files/actions"): Operation(
        "store", "store:write", {200: answers.FileActionResults}, body=FileActions
    ),
    ("GET", f"{TENANT}/store/files/{{file_id}}/text"): Operation(
        "store", "store:read", {200: FileText}, asks=TextQuery, errors=frozenset({409})
    ),
    ("POST", f"{TENANT}/store/search"): Operation("store", "store:read", {200: answers.SearchResults}, body=StoreSearch),
}
LAST_EVENT = Query("Last-Event-ID", {"type": "string"}, "Resume a tail after it.", place="header")
AUDIT_PAGE = (
    Query("limit", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}, "How many entries at most."),
    Query("offset", {"type": "integer", "minimum": 0}, "How many of the newest to skip."),
    PAGE[1],
)
EXPORTED = ("text/csv", "application/jsonl", "application/vnd.apache.parquet")
USAGE = {
    ("GET", f"{API}/usage"): Operation("usage", "usage:read", {200: UsageReport}, asks=UsageQuery, errors=frozenset({404})),
    ("GET", f"{API}/usage/history"): Operation(
        "usage",
        "usage:read",
        {200: (UsageHistory, Content(EXPORTED, "The events themselves, as a file."))},
        asks=UsageHistoryQuery,
        headers={200: headers.file_name(required=False)},
        errors=frozenset({404, 429}),
    ),
}
ANALYTICS = {
    ("POST", f"{API}/analytics/query"): Operation(
        "usage", "usage:read", {200: AnalyticsAnswer}, body=AnalyticsQuestion, errors=frozenset({404})
    ),
}
AUDIT = {
    ("GET", f"{API}/audit"): Operation(
        "audit",
        "audit:read",
        {
            200: (
                answers.AuditPage,
                Stream(AuditRecord, "Each entry as it is written."),
                Content(EXPORTED, "All of them, as a file."),
            )
        },
        asks=AuditQuery,
        headers={200: headers.file_name(required=False)},
        query=(*AUDIT_PAGE, LAST_EVENT),
        errors=frozenset({404}),
    ),
    ("GET", f"{API}/audit/verify"): Operation("audit", "audit:read", {200: AuditProof}, asks=ProofQuery, errors=frozenset({404})),
    ("GET", f"{TENANT}/store/audit"): Operation(
        "audit", "audit:read", {200: answers.StoreAuditPage}, asks=StoreAuditQuery, query=AUDIT_PAGE
    ),
}
OPERATING = {
    ("GET", f"{API}/overview"): Operation("operating", "system:admin", {200: Overview}, asks=OverviewQuery),
    ("GET", f"{API}/logs"): Operation(
        "operating",
        "system:admin",
        {200: (LogPage, Stream(LogLine, "Each line as it is written."))},
        asks=LogQuery,
        query=(LAST_EVENT,),
        errors=frozenset({429}),
    ),
}
ASSET = f"{TENANT}/assets/{{asset_id}}"
ASSET_FORM = Form({"file": {**FILE, "description": "The file, of any kind, with its name."}})
PASSWORD = Operation("assets", "asset-auth:write", {200: PasswordSet}, body=NewPassword)
BYTES = Content(("*/*",), "The bytes, or a part of them.")
ASSETS = {
    ("GET", f"{TENANT}/assets"): Operation(
        "assets", "file:read", {200: AssetPage}, asks=AssetsQuery, query=PAGE, takes_session=True
    ),
    ("POST", f"{TENANT}/assets"): Operation(
        "assets",
        "file:upload",
        {200: AssetUploaded, 201: AssetUploaded},
        body=ASSET_FORM,
        asks=UploadQuery,
        errors=frozenset({415}),
        takes_session=True,
    ),
    ("GET", ASSET): Operation("assets", "file:read", {200: AssetWithVersions}, takes_session=True),
    ("DELETE", ASSET): Operation("assets", "file:delete", {200: answers.Deleted}, takes_session=True),
    ("GET", f"{ASSET}/content"): Operation(
        "assets",
        "file:read",
        {200: BYTES, 206: BYTES, 304: None},
        asks=ContentQuery,
        query=BYTES_ASKED,
        errors=frozenset({416}),
        headers=headers.of_bytes(),
        takes_session=True,
    ),
    ("POST", f"{TENANT}/asset-auth/password"): PASSWORD,
    ("PUT", f"{TENANT}/asset-auth/password"): PASSWORD,
    ("POST", f"{TENANT}/asset-auth/login"): Operation("assets", None, {200: Session}, body=Login, errors=frozenset({401, 429})),
}
OPERATIONS = {
    **SYSTEM,
    **TENANTS,
    **CHAT,
    **ESTIMATOR,
    **ACCOUNTS,
    **API_KEYS,
    **TOOLS,
    **FILES,
    **STORE,
    **ASSETS,
    **USAGE,
    **ANALYTICS,
    **AUDIT,
    **OPERATING,
}
