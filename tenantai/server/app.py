"""The one composition root: settings in, an application out; `serve` and the tests call the same `create_app`."""

import asyncio
import os
import shlex
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from aiohttp import web

from tenantai.identifiers import make_ids_after
from tenantai.pictures.pool import PicturePool
from tenantai.providers.protocols import ChatModel, EmbeddingModel, VisionModel
from tenantai.rag.extraction.pool import ExtractionPool
from tenantai.rag.search import Search
from tenantai.rag.tenant_index import TenantIndexes
from tenantai.server import cors, keys
from tenantai.server.body_waits import BodyWaits
from tenantai.server.log_ring import log_ring
from tenantai.server.logs import access_log
from tenantai.server.models import chat_model, embedding_model, vision_model
from tenantai.server.openapi.document import Document
from tenantai.server.openapi.operations import OPERATIONS
from tenantai.server.router import application
from tenantai.server.routes import ROUTES
from tenantai.server.routes.description import rendered
from tenantai.server.services.address_gate import AddressGate
from tenantai.server.services.analytics_feed import AnalyticsFeed
from tenantai.server.services.analytics_questions import Questions
from tenantai.server.services.api_keys import ApiKeys
from tenantai.server.services.asset_auth import TRIES_WITHIN, WRONG_LOGINS_MAX, AssetAuth
from tenantai.server.services.audit_tail import AuditTail
from tenantai.server.services.chat_turn import ChatTurns
from tenantai.server.services.credentials import KeyRing, new_secret
from tenantai.server.services.documents import Documents
from tenantai.server.services.embedding_watch import EmbeddingWatch
from tenantai.server.services.erasure import Erasure
from tenantai.server.services.estimates import Estimates
from tenantai.server.services.estimator import Estimator
from tenantai.server.services.idempotency import Idempotency
from tenantai.server.services.indexing import WORKERS, Indexing
from tenantai.server.services.leftovers import Leftovers
from tenantai.server.services.log_tail import LogTail
from tenantai.server.services.metering.meter import Meter
from tenantai.server.services.metering.plans import Terms
from tenantai.server.services.metering.recording import Recording
from tenantai.server.services.metrics import Metrics
from tenantai.server.services.overview import Overviews
from tenantai.server.services.pack_plans import PackPlans
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
from tenantai.server.services.upload_room import UploadRoom
from tenantai.server.services.vault import Vault
from tenantai.settings import Settings, SettingsIncomplete
from tenantai.storage import across_tenants
from tenantai.storage.analytics import Analytics
from tenantai.storage.analytics_tables import LogName
from tenantai.storage.blobs import Blobs
from tenantai.storage.database import Database
from tenantai.storage.full_text import Fts5
from tenantai.storage.migrating import Layout, migrate
from tenantai.storage.usage_journal import UsageJournal

OPERATOR_KEY_FILE = "operator.key"
OPERATOR_KEY_CHARACTERS_MIN = 32
EXPORT_SECONDS_MAX = 120.0


@dataclass(frozen=True, slots=True)
class Models:
    """The models to serve with; tests hand in scripted ones."""

    chat: ChatModel
    embedding: EmbeddingModel
    vision: VisionModel | None = None

    @classmethod
    def of(cls, settings: Settings, given: EmbeddingModel | None = None) -> "Models":
        """Return the models that the settings choose; the one that embeds may be there already."""
        embedding = given or embedding_model(settings)
        return cls(chat_model(settings, embedding), embedding, vision_model(settings))

    async def close(self) -> None:
        """Release what they hold."""
        for model in (self.chat, self.vision, self.embedding):
            if model is not None:
                await model.close()


def create_app(settings: Settings, models: Models | None = None) -> web.Application:
    """Return the application; it opens its resources when it starts and closes them in reverse."""
    app = application(ROUTES, body_bytes_max=settings.upload_bytes_max)
    if settings.cors_origins:
        cors.allow(app, settings.cors_origins)
    app[keys.SETTINGS] = settings
    app[keys.STARTED] = time.monotonic()
    _set_gates(app)
    app[keys.METRICS] = Metrics()
    app[keys.STREAM_SLOTS] = StreamSlots()
    app[keys.LIVE_STREAMS] = StreamSlots()
    app[keys.BODY_WAITS] = BodyWaits()
    app[keys.DESCRIPTION] = _described
    app.on_shutdown.append(_drain)

    async def resources(app: web.Application) -> AsyncIterator[None]:
        try:
            async for _ in _resources(app, models):
                yield
        finally:
            if keys.DATABASE in app:
                await app[keys.DATABASE].close()  # after a start that failed, too: its threads would keep the process

    app.cleanup_ctx.append(resources)
    return app


def _set_gates(app: web.Application) -> None:
    """Say how often an address may do what anyone may do."""
    app[keys.REGISTRATION_GATE] = AddressGate(
        app[keys.SETTINGS].registrations_per_hour,
        within_seconds=3600,
        sentence="Too many registrations from this address. Try again later.",
        reason="registrations_per_hour",
    )
    app[keys.LOGIN_GATE] = AddressGate(
        WRONG_LOGINS_MAX,
        within_seconds=TRIES_WITHIN.total_seconds(),
        sentence="Too many wrong passwords came from this address. Try again later.",
        reason="wrong_logins_of_address",
    )


async def _resources(app: web.Application, given: Models | None) -> AsyncIterator[None]:
    """Open the folder, the database, the models and the queue; close them in reverse."""
    settings = app[keys.SETTINGS]
    blobs = await asyncio.to_thread(_prepared, settings.data_dir)
    models = given or Models.of(settings)
    database = Database(Layout(settings.data_dir).database)
    full_text = Fts5()
    extraction = ExtractionPool(readers=WORKERS, time_limit_seconds=settings.extraction_seconds_max)
    app[keys.DATABASE] = database
    await database.open()
    make_ids_after(await across_tenants.newest_id(database.reading))
    board = ProgressBoard(database)
    indexing = Indexing(
        database, blobs=blobs, full_text=full_text, embedding=models.embedding, extraction=extraction, board=board
    )
    indexes = TenantIndexes(database, full_text, models.embedding, bytes_max=settings.search_memory_bytes_max)
    search = Search(database, full_text, indexes, models.embedding)
    _set_keys(app, database)
    _set_metering(app, database)
    app[keys.REFUSALS] = Refusals(database)
    app[keys.AUDIT_TAIL] = AuditTail(database)
    app[keys.LOG_TAIL] = LogTail(log_ring)
    app[keys.PROGRESS] = board
    app[keys.INDEXING] = indexing
    _set_stores(app, database, blobs, indexing)
    app[keys.ASSET_AUTH] = AssetAuth(database)
    app[keys.STORE_SYNC] = StoreSync(database, indexing, board)
    app[keys.SEARCH] = search
    app[keys.CHAT_MODEL] = models.chat
    app[keys.OUTGOING] = Outgoing(settings.tool_networks_allowed)
    app[keys.TOOLS] = Tools(database, app[keys.OUTGOING])
    app[keys.CHAT_TURNS] = ChatTurns(database, search, models.chat, tools=app[keys.TOOLS], outgoing=app[keys.OUTGOING])
    app[keys.KEY_RING].open()
    await app[keys.IDEMPOTENCY].open()
    await app[keys.RECORDING].open()
    await indexing.open()
    await app[keys.STORE_SYNC].open()
    app[keys.REFUSALS].open()
    async with (
        _analytics(app, database) as feed,
        _estimator(app, database, blobs, models.vision),
        _readiness(app, database, models, feed),
        _erasure(app, database, blobs, indexes),
    ):
        yield
    await app[keys.REFUSALS].close()
    await app[keys.STORE_SYNC].close()
    await indexing.close()
    await extraction.close()
    await app[keys.OUTGOING].close()
    await models.close()
    await app[keys.KEY_RING].close()
    await app[keys.RECORDING].close()
    full_text.close()
    access_log.flush()


def _set_keys(app: web.Application, database: Database) -> None:
    app[keys.KEY_RING] = KeyRing(database, operator_secret=operator_secret(app[keys.SETTINGS]))
    app[keys.API_KEYS] = ApiKeys(database)
    app[keys.IDEMPOTENCY] = Idempotency(database)


def _set_stores(app: web.Application, database: Database, blobs: Blobs, indexing: Indexing) -> None:
    room, bytes_max = UploadRoom(database), app[keys.SETTINGS].upload_bytes_max
    app[keys.DOCUMENTS] = Documents(database, blobs, indexing, room=room, upload_bytes_max=bytes_max)
    app[keys.VAULT] = Vault(database, blobs, room=room, upload_bytes_max=bytes_max)


def _set_metering(app: web.Application, database: Database) -> None:
    settings = app[keys.SETTINGS]
    journal, terms = UsageJournal(settings.data_dir / "usage"), Terms(settings.plans)
    app[keys.TERMS] = terms
    app[keys.METER] = Meter(database, journal, terms)
    app[keys.RECORDING] = Recording(database, journal, terms, app[keys.METER])


@asynccontextmanager
async def _readiness(app: web.Application, database: Database, models: Models, feed: AnalyticsFeed) -> AsyncIterator[None]:
    """Know whether all is well while the block runs, also whether the stores are of the embedding model that is chosen."""
    command = f"tenantai doctor --rebuild --data-dir {shlex.quote(str(app[keys.SETTINGS].data_dir))}"
    watch = EmbeddingWatch(database, model=models.embedding.model, command=command)
    app[keys.READINESS] = Readiness(database, models.chat, feed, watch)
    watch.open()
    yield
    await watch.close()


@asynccontextmanager
async def _erasure(app: web.Application, database: Database, blobs: Blobs, indexes: TenantIndexes) -> AsyncIterator[None]:
    """Go on erasing what was deleted, and what a killed process left, while the block runs."""
    erasure = app[keys.ERASURE] = Erasure(
        database,
        blobs,
        app[keys.INDEXING],
        indexes=indexes,
        key_ring=app[keys.KEY_RING],
        meter=app[keys.METER],
        retention=app[keys.RETENTION],
    )
    leftovers = Leftovers(database, blobs)
    await erasure.open()
    leftovers.open()
    yield
    await leftovers.close()
    await erasure.close()


@asynccontextmanager
async def _analytics(app: web.Application, database: Database) -> AsyncIterator[AnalyticsFeed]:
    """Open what counts while the block runs: the file, what feeds it, what asks it, and what archives for it."""
    settings = app[keys.SETTINGS]
    analytics = app[keys.ANALYTICS] = Analytics(
        Layout(settings.data_dir).analytics,
        memory_bytes_max=settings.analytics_memory_bytes_max,
        threads=settings.analytics_threads,
    )
    feed = app[keys.ANALYTICS_FEED] = AnalyticsFeed(database, analytics, settle=app[keys.RECORDING].take)
    days: dict[LogName, int] = {"usage": settings.usage_retention_days, "audit": settings.audit_retention_days}
    retention = app[keys.RETENTION] = Retention(database, analytics, feed, days=days)
    questions = app[keys.QUESTIONS] = Questions(
        analytics, threads=2, open_max=16, of_tenant_max=4, seconds_max=settings.analytics_seconds_max, on_damage=feed.note_damage
    )
    exports = app[keys.EXPORTS] = Questions(
        analytics, threads=1, open_max=4, of_tenant_max=2, seconds_max=EXPORT_SECONDS_MAX, on_damage=feed.note_damage
    )
    streams = {"chat": app[keys.STREAM_SLOTS], "live": app[keys.LIVE_STREAMS]}
    app[keys.OVERVIEWS] = Overviews(database, app[keys.PROGRESS], questions, feed, streams=streams)
    box = app[keys.SQL_BOX] = SqlBox(analytics, questions, seconds_max=settings.analytics_seconds_max)
    await feed.open()
    retention.open()
    yield feed
    for each in (box, retention, questions, exports, feed):
        await each.close()


@asynccontextmanager
async def _estimator(app: web.Application, database: Database, blobs: Blobs, model: VisionModel | None) -> AsyncIterator[None]:
    """Open what looks at pictures while the block runs."""
    pool = PicturePool(app[keys.SETTINGS].picture_processes)
    app[keys.BLOBS] = blobs
    app[keys.PICTURES] = pictures = Pictures(database, blobs, pool)
    plans = PackPlans(blobs, pictures)
    app[keys.ESTIMATOR] = Estimator(database, blobs, model, plans=plans)
    app[keys.ESTIMATES] = Estimates(database, blobs, pool, plans=plans)
    yield
    await pool.close()


async def _drain(app: web.Application) -> None:
    """Turn readiness red, end the waits for bodies, and the open streams, each with its error event."""
    app[keys.READINESS].is_draining = True
    app[keys.BODY_WAITS].drain()
    app[keys.CHAT_TURNS].drain()
    app[keys.ESTIMATOR].drain()
    app[keys.PROGRESS].drain()
    app[keys.AUDIT_TAIL].drain()
    app[keys.LOG_TAIL].drain()


async def _described() -> bytes:
    """Return the description of the API, made when it is first asked for."""
    return await asyncio.to_thread(_description)


@cache
def _description() -> bytes:
    return rendered(Document(ROUTES, OPERATIONS).build())


def _prepared(data_dir: Path) -> Blobs:
    """Make the folder, bring its database to the newest schema, and return its blobs."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    migrate(data_dir)
    blobs = Blobs(data_dir / "files")
    blobs.prepare()
    return blobs


def operator_secret(settings: Settings) -> str:
    """Return the operator's key: the one that is set, else the one in the data folder, made at the first start.

    Raises SettingsIncomplete for a file that holds something else. An empty one, as a kill could leave it, is written anew.
    """
    if settings.operator_key is not None:
        return settings.operator_key.get_secret_value()
    path = settings.data_dir / OPERATOR_KEY_FILE
    kept = path.read_text().strip() if path.exists() else ""
    if kept and len(kept) < OPERATOR_KEY_CHARACTERS_MIN:
        raise SettingsIncomplete(
            f"{OPERATOR_KEY_FILE} in the data folder must hold a key of {OPERATOR_KEY_CHARACTERS_MIN} characters or more. "
            "Put it back from a backup, or delete the file to have a new key made."
        )
    return kept or _made_operator_key(path)


def _made_operator_key(path: Path) -> str:
    """Make a key, and its file whole or not at all, readable by its owner only."""
    secret, unfinished = new_secret(), path.with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(secret + "\n")
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    return secret
