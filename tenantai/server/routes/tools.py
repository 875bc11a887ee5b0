"""Functions of a tenant that its chats may call."""

from aiohttp import web

from tenantai.errors import Conflict, Forbidden, NotFound
from tenantai.server.binding import body_of
from tenantai.server.idempotency import idempotent
from tenantai.server.keys import CHAT_MODEL, DATABASE, TOOLS
from tenantai.server.middlewares import success
from tenantai.server.paging import page_of
from tenantai.server.principal import acting, tenant_in_path
from tenantai.server.services.credentials import Principal
from tenantai.server.services.tools.registry import NO_TOOL, NOT_CALLED
from tenantai.storage import tools
from tenantai.storage.tools import Tool
from tenantai.wire.tools import NewTool, ToolMade, ToolRecord


async def page(request: web.Request) -> web.Response:
    """Return functions by their making, never a secret."""
    principal, tenant_id = tenant_in_path(request, "tenant:read")
    asked = page_of(request, "tools", tenant_id)
    found = await tools.page(request.app[DATABASE].reading, tenant_id, after=asked.after_id, row_count=asked.row_count)
    shown, following = asked.cut(found, lambda tool: (tool.id,))
    return success({"tools": [_told(tool, principal) for tool in shown], "nextCursor": following})


@idempotent
async def create(request: web.Request) -> web.Response:
    """Register a function; the secret that signs its calls is in this answer and in no other."""
    tenant_id = _whole_tenant(request)
    body = await body_of(request, NewTool)
    if not request.app[CHAT_MODEL].calls_functions:
        raise Conflict(NOT_CALLED)
    tool = await request.app[TOOLS].create(tenant_id, wanted=body, actor=acting(request))
    made = ToolMade.model_validate({**record_of(tool), "signingSecret": tool.signing_secret})
    return success(made.json_ready(), status=201)


async def show(request: web.Request) -> web.Response:
    """Return a function, without its secret."""
    principal, tenant_id = tenant_in_path(request, "tenant:read")
    tool = await tools.get(request.app[DATABASE].reading, tenant_id, tool_id=request.match_info["tool_id"])
    if tool is None:
        raise NotFound(NO_TOOL)
    return success(_told(tool, principal))


async def delete(request: web.Request) -> web.Response:
    """Delete a function; no answer calls it from now on."""
    tenant_id = _whole_tenant(request)
    tool_id = request.match_info["tool_id"]
    await request.app[TOOLS].delete(tenant_id, tool_id=tool_id, actor=acting(request))
    return success({"id": tool_id, "deleted": True})


def _whole_tenant(request: web.Request) -> str:
    """Return the tenant of the path; raises Forbidden for a key bound to an account, since other accounts' chats call it too."""
    principal, tenant_id = tenant_in_path(request, "tenant:write")
    if principal.account_id is not None:
        raise Forbidden("Functions concern the whole tenant. Use a key that is not bound to an account.")
    return tenant_id


def _told(tool: Tool, principal: Principal) -> dict[str, object]:
    """Return a function; to who may not change it without its endpoint's query, which may hold a secret."""
    record = record_of(tool)
    return record if "tenant:write" in principal.scopes else {**record, "endpoint": tool.endpoint.partition("?")[0]}


def record_of(tool: Tool) -> dict[str, object]:
    """Return a function as a client reads it."""
    return ToolRecord.model_validate(tool).json_ready()
