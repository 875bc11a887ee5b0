"""The PDF of an estimate, whatever models and people wrote: it adds up, and nothing in it is more than text."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from pypdf import PdfReader

from tenantai.estimating.items import Estimate, Finding
from tenantai.estimating.packing import plan_of
from tenantai.estimating.report import as_pdf
from tenantai.estimating.report.page import Document
from tenantai.estimating.sizing import item_of
from tenantai.estimating.summing import summarise
from tests.pictures.making import jpeg

DOCUMENT = Document("Acme", "01a2", "1 May 2026", "Draft, not approved")


def estimate(*findings: Finding) -> Estimate:
    return summarise(item_of(finding, item_id=str(at)) for at, finding in enumerate(findings))


def text_of(found: Estimate, document: Document = DOCUMENT, photos: dict[int, Path] | None = None) -> str:
    written = as_pdf(found, document=document, photos=photos or {})
    return " ".join(" ".join(page.extract_text() for page in PdfReader(io.BytesIO(written)).pages).split())


def test_adds_up() -> None:
    """The rooms and the allowance come to the total, as they are shown."""
    found = estimate(
        Finding(0, "sofa 3 seat", room="living room"),
        Finding(0, "bookcase", room="living room"),
        Finding(1, "bed queen", room="bedroom", quantity=2),
        Finding(2, "piano upright"),
    )
    text = text_of(found)
    for heading in ("Living room", "Bedroom", "Other rooms", "All together"):
        assert heading in text
    shown = [float(part) for part in text.split("Total ")[1].split()[:1]]
    assert shown[0] == pytest.approx(found.volume_m3.typical, abs=0.01)
    assert f"{found.weight_kg.typical:,.0f}" in text.split("Total ")[1]
    assert "Queen bed" in text


@pytest.mark.parametrize("unit", ["metric", "imperial"])
def test_hostile_words(tmp_path: Path, unit: str) -> None:
    """Words of any length and script, marks of the PDF library and of markup are text; a photo bears its numbers at any edge."""
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(jpeg(300, 900))
    names = ["x" * 80, "Шкаф", "مرحبا", "😀", "**bold** <b>x</b> {nb}", "sofa 3 seat"]
    edges = [(0, 0, 1, 1), (999, 999, 1000, 1000), (0, 0, 1000, 1000), None, (5, 990, 900, 1000), (1, 2, 3, 4)]
    found = estimate(
        *(Finding(0, name, "y" * 200, box=box, room="z" * 80, quantity=200) for name, box in zip(names, edges, strict=True))
    )
    company = "Ω" * 300
    text = text_of(found, Document(company, "r" * 36, "d" * 90, "s" * 90, unit), {0: photo})
    for word in ("Шкаф", "**bold** <b>x</b> nb", "????", "Photo 1", "Ω…"):
        assert word in text


def test_nothing() -> None:
    """An estimate of nothing says so, on one page."""
    text = text_of(estimate())
    assert "There is nothing to hold." in text
    assert "Page 1 of 1" in text


def test_what_is_left_over() -> None:
    """Where not all goes into the unit, the document says what and which unit does; where none is large enough, how many are."""
    kayak = Finding(0, "kayak canoe", length_cm=430, width_cm=60, height_cm=40, is_measured=True)
    found = estimate(kayak)
    planned = replace(found, pack_plan=plan_of(found))
    assert "left over: kayak canoe. A unit of 5 × 15 ft holds it all." in text_of(planned)
    assert "2 of 10x25 are" in text_of(estimate(Finding(0, "hot tub", quantity=6)))
