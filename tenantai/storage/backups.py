"""A data folder as one file, and back.

What must stay true: a backup is taken while the server works, and is one moment's database with every file that it names; nothing
of a folder is touched before all of a backup is proved whole, and a restore that is cut off leaves the folder as it was.
"""

import hashlib
import io
import json
import os
import re
import shutil
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from tenantai import __version__
from tenantai.identifiers import timestamp
from tenantai.storage.migrating import Layout, MigrationRefused, check_copy, revision
from tenantai.storage.restoring import note_restored
from tenantai.storage.schema import metadata

DATABASE = "tenantai.sqlite3"
MANIFEST = "manifest.json"
OPERATOR_KEY = "operator.key"
MODELS = "models"
MEMBER = re.compile(r"tenantai\.sqlite3|operator\.key|(?:files|usage|analytics/usage|analytics/audit)(?:/[\w.=-]+)+")
NAMING_BLOBS = [table.name for table in metadata.sorted_tables if {"tenant_id", "sha256"} <= set(table.columns.keys())]
BLOBS = " UNION ".join(
    f"SELECT tenant_id, sha256 FROM {name}" + (" WHERE state != 'deleting'" if name == "files" else "")  # noqa: S608  our names
    for name in NAMING_BLOBS
)
COPY_BYTES = 1024 * 1024
NOT_A_BACKUP = "{path} is not a backup of tenantai."


class BackupRefused(Exception):  # noqa: N818  read as a sentence, like the errors of tenantai.errors
    """A backup can't be taken, or can't be restored; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a backup holds: so many files, so many bytes, and files that were deleted while it was taken."""

    files: int
    bytes: int
    missing: int


def take(data_dir: Path, target: Path) -> Taken:
    """Write a folder's backup; blocking. Raises BackupRefused, and OSError where the disk is full; then there is no target."""
    layout = Layout(data_dir)
    try:
        found = revision(layout.database)
    except MigrationRefused as refused:
        raise BackupRefused(str(refused)) from refused
    if found is None or layout.mark.exists():
        raise BackupRefused(f"There is no sound database in {data_dir}. Start the server on it first.")
    unfinished = target.with_name(target.name + ".unfinished")
    copy = target.with_name(target.name + ".database")
    try:
        with _private(unfinished) as file:
            taken = _write(layout, copy, file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
        copy.unlink(missing_ok=True)
    return taken


def restore(backup: Path, data_dir: Path) -> Path | None:
    """Put a backup in a folder's place, or in that of the one it links to; blocking. Returns where what was there is now.

    Raises BackupRefused, and then nothing is changed.
    """
    data_dir = data_dir.resolve()
    staging = data_dir.with_name(f"{data_dir.name}.restoring")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(mode=0o700, parents=True)
    try:
        taken_at = _unpack(backup, staging)
        check_copy(staging / DATABASE)
        note_restored(staging / DATABASE, source=backup.name, taken_at=taken_at)
        return _exchange(staging, data_dir)
    except MigrationRefused as refused:
        shutil.rmtree(staging, ignore_errors=True)
        raise BackupRefused(str(refused)) from refused
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def is_backup(path: Path) -> bool:
    """Whether a file is a backup, rather than a copy of a database."""
    return tarfile.is_tarfile(path)


def _write(layout: Layout, copy: Path, file: BinaryIO) -> Taken:
    members: dict[str, dict[str, Any]] = {}
    missing = 0
    journal = dict(_journal(layout))
    _private(copy).close()  # SQLite would let everyone on this machine read it meanwhile, and for good after a kill
    with closing(sqlite3.connect(layout.database)) as source, closing(sqlite3.connect(copy)) as snapshot:
        source.backup(snapshot)
        snapshot.execute("PRAGMA journal_mode = DELETE")
        blobs = snapshot.execute(BLOBS).fetchall()
    with tarfile.open(fileobj=file, mode="w") as tar:
        _add(tar, members, DATABASE, copy)
        for path, data in journal.items():
            _add_bytes(tar, members, f"usage/{path.name}", data)
        blob_paths = (layout.data_dir / "files" / tenant_id / sha256[:2] / sha256 for tenant_id, sha256 in blobs)
        for path in chain(_others(layout), blob_paths):
            try:
                _add(tar, members, path.relative_to(layout.data_dir).as_posix(), path)
            except FileNotFoundError:
                missing += 1
        manifest = {"version": __version__, "schema": revision(copy), "created_at": timestamp(), "members": members}
        _add_bytes(tar, {}, MANIFEST, json.dumps(manifest).encode())
    return Taken(len(members), sum(member["bytes"] for member in members.values()), missing)


def _journal(layout: Layout) -> Iterator[tuple[Path, bytes]]:
    """Yield what is in the journal; a segment that goes meanwhile is in the database, which is copied after."""
    for path in sorted((layout.data_dir / "usage").glob("*.log")):
        with suppress(FileNotFoundError):
            yield path, path.read_bytes()


def _private(path: Path) -> BinaryIO:
    """Open a new file that only its owner reads; what a kill left there goes first."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb")


def _others(layout: Layout) -> Iterator[Path]:
    """Yield what is nowhere else: the operator's key and the archives of old months."""
    if (layout.data_dir / OPERATOR_KEY).exists():
        yield layout.data_dir / OPERATOR_KEY
    for log in ("usage", "audit"):
        yield from sorted((layout.analytics / log).rglob("*.parquet"))


def _add(tar: tarfile.TarFile, members: dict[str, dict[str, Any]], name: str, path: Path) -> None:
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        tar.addfile(_described(name, size), file)
    members[name] = {"bytes": size, "sha256": digest}


def _add_bytes(tar: tarfile.TarFile, members: dict[str, dict[str, Any]], name: str, data: bytes) -> None:
    tar.addfile(_described(name, len(data)), io.BytesIO(data))
    members[name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _described(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info


def _unpack(backup: Path, staging: Path) -> str | None:
    """Unpack all that a manifest names, and prove it; returns when it was taken. Raises BackupRefused."""
    found: dict[str, dict[str, Any]] = {}
    manifest: dict[str, Any] | None = None
    try:
        with tarfile.open(backup, mode="r:") as tar:
            for info in tar:
                source = tar.extractfile(info)
                if source is None or (info.name != MANIFEST and not MEMBER.fullmatch(info.name)) or ".." in info.name:
                    raise BackupRefused(f"{NOT_A_BACKUP.format(path=backup)} It holds {info.name!r}.")
                if info.name == MANIFEST:
                    manifest = json.loads(source.read())
                else:
                    found[info.name] = _unpacked(source, staging / info.name)
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise BackupRefused(f"{backup} is damaged, or cut off. Take another backup.") from error
    if manifest is None or DATABASE not in found:
        raise BackupRefused(f"{backup} is cut off. Take another backup.")
    named: dict[str, Any] = manifest["members"]
    if broken := next((name for name in sorted(found.keys() | named.keys()) if found.get(name) != named.get(name)), None):
        raise BackupRefused(f"{backup} is damaged: {broken} is not what was put in. Take another backup.")
    return manifest.get("created_at")


def _unpacked(source: Any, path: Path) -> dict[str, Any]:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        while piece := source.read(COPY_BYTES):
            file.write(piece)
            digest.update(piece)
            size += len(piece)
        file.flush()
        os.fsync(file.fileno())
    return {"bytes": size, "sha256": digest.hexdigest()}


def _exchange(staging: Path, data_dir: Path) -> Path | None:
    """Put the staged folder in the other's place; the models stay, where they can. Raises BackupRefused."""
    kept: Path | None = None
    if data_dir.exists():
        kept = data_dir.with_name(f"{data_dir.name}.before-restore-{timestamp().replace(':', '')}")
        try:
            data_dir.rename(kept)
        except OSError as error:
            raise BackupRefused(
                f"{data_dir} can't be moved aside ({error.strerror}), as where a disk is mounted. Name a folder within it."
            ) from error
    try:
        staging.rename(data_dir)
    except OSError:
        if kept is not None:
            kept.rename(data_dir)
        raise
    if kept is not None and (kept / MODELS).exists():
        with suppress(OSError):
            (kept / MODELS).rename(data_dir / MODELS)
    if kept is not None and not any(kept.iterdir()):
        kept.rmdir()
        return None
    return kept
