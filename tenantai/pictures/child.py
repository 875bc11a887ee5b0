"""The child process that reads pictures, and the bodies that hold them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from tenantai.estimating.items import Estimate, PackPlan
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
    if job["kind"] == "report":
        return _report(job)
    if job["kind"] == "plan":
        return [framed(dumped({"frames": 1})), framed(_plan(job))]
    return _picture(Path(job["path"]))


def _unpacked(job: dict[str, Any]) -> dict[str, Any]:
    try:
        return unpack(Path(job["path"]), Path(job["folder"]))
    except MemoryError:
        return {"problems": [{"field": "body", "problem": TOO_MUCH_MEMORY}], "pictures": []}
    except OSError as error:
        return {"disk": error.errno}


def _report(job: dict[str, Any]) -> list[bytes]:
    """Write the PDF of an estimate to the file that the job names."""
    from tenantai.estimating.report import as_pdf  # noqa: PLC0415  most children never write one
    from tenantai.estimating.report.page import Document  # noqa: PLC0415  as above

    try:
        estimate = TypeAdapter(Estimate).validate_json(Path(job["estimate"]).read_bytes())
        photos = {int(index): Path(path) for index, path in job["photos"].items()}
        written = as_pdf(estimate, document=Document(**job["document"]), photos=photos)
        Path(job["output"]).write_bytes(written)
    except Exception as error:  # noqa: BLE001  whatever a library stumbles on fails this report alone
        return [framed(dumped({"frames": 0, "problem": type(error).__name__}))]
    return [framed(dumped({"frames": 0}))]


def _plan(job: dict[str, Any]) -> bytes:
    from tenantai.estimating.packing import plan_of  # noqa: PLC0415  as above

    estimate = TypeAdapter(Estimate).validate_json(Path(job["estimate"]).read_bytes())
    return TypeAdapter(PackPlan | None).dump_json(plan_of(estimate))


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
