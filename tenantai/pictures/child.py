"""The child process that reads pictures, and the bodies that hold them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tenantai.pictures.bodies import unpack
from tenantai.pictures.picture import PictureRefused
from tenantai.pictures.reading import read
from tenantai.sandbox.child import serve
from tenantai.sandbox.frames import dumped, framed

TOO_MUCH_MEMORY = "needs more memory to be read than is allowed"


def main() -> None:
    """Serve until stdin closes."""
    serve(_answer)


def _answer(job: dict[str, Any]) -> Iterable[bytes]:
    if job["kind"] == "body":
        return [framed(dumped({"frames": 1})), framed(dumped(_unpacked(job)))]
    return _picture(Path(job["path"]))


def _unpacked(job: dict[str, Any]) -> dict[str, Any]:
    try:
        return unpack(Path(job["path"]), Path(job["folder"]))
    except MemoryError:
        return {"problems": [{"field": "body", "problem": TOO_MUCH_MEMORY}]}


def _picture(path: Path) -> list[bytes]:
    try:
        picture = read(path)
    except PictureRefused as refused:
        return [framed(dumped({"frames": 0, "problem": str(refused)}))]
    except FileNotFoundError:
        return [framed(dumped({"frames": 0, "problem": "is gone; send it again"}))]
    except MemoryError:
        return [framed(dumped({"frames": 0, "problem": TOO_MUCH_MEMORY}))]
    head = {"frames": 1, "width": picture.width, "height": picture.height}
    return [framed(dumped(head)), framed(picture.content)]


if __name__ == "__main__":
    main()
