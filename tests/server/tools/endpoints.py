"""Endpoints of functions on loopback, over HTTP and HTTPS, that keep what they were asked; and scripts that call functions."""

import asyncio
import datetime as dt
import ipaddress
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tenantai.identifiers import new_id
from tenantai.providers.protocols import CallBegun, FunctionCall
from tenantai.providers.scripted import Step
from tests.running import Running, Tenant

PARAMETERS = {
    "type": "object",
    "properties": {"order": {"type": "string", "minLength": 2}},
    "required": ["order"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    headers: Mapping[str, str]
    body: bytes
    path: str

    @property
    def content(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


Answerer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Endpoint:
    """A server that answers what a test wants; `begun` is set by each request, `left` by a client that went away."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    answer: Answerer | None = None
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(Asked(request.headers.copy(), await request.read(), request.path_qs))
        self.begun.set()
        try:
            return await self.answer(request) if self.answer else web.json_response({"state": "on its way"})
        except asyncio.CancelledError:
            self.left.set()
            raise


@asynccontextmanager
async def endpoint(tls: ssl.SSLContext | None = None) -> AsyncIterator[Endpoint]:
    """Serve on loopback while the block runs."""
    made = Endpoint()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.take)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    made.url = f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield made
    finally:
        await runner.cleanup()


def certificate(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return a server's TLS context for 127.0.0.1, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    moment = dt.datetime.now(dt.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - dt.timedelta(days=1))
        .not_valid_after(moment + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    private, public = folder / "key.pem", folder / "cert.pem"
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(public, private)
    return server, ssl.create_default_context(cafile=public)


def call(name: str, arguments: dict[str, Any] | None = None, *, written: str = "") -> list[Step]:
    """Return what a scripted model does to call a function."""
    made = FunctionCall(new_id(), name, arguments if arguments is not None or written else {}, written=written)
    return [CallBegun(made.id, name), made]


async def register(running: Running, tenant: Tenant, url: str, *, name: str = "track", **more: Any) -> dict[str, Any]:
    """Register a function; what the server answered."""
    body = {"name": name, "description": "Where an order is.", "parameters": PARAMETERS, "endpoint": url, **more}
    return (await running.send("POST", f"{tenant.path}/tools", key=tenant.key, json=body)).data
