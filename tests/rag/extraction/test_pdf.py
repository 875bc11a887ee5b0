"""PDF to blocks, page by page."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pypdf
import pytest

from tenantai.rag.documents import ExtractedDocument, ExtractionFailed
from tenantai.rag.extraction.reading import read
from tests.rag.extraction.files import LOREM, heading, paragraph, table, together, write_pdf


def shown(document: ExtractedDocument) -> list[tuple[str, int | None, str]]:
    return [(block.kind, block.page, document.text[block.start : block.end]) for block in document.blocks]


def refusal(path: Path) -> ExtractionFailed:
    with pytest.raises(ExtractionFailed) as caught:
        read(path, name=path.name)
    return caught.value


def test_pages_and_headings(tmp_path: Path) -> None:
    """Larger or bold lines are headings, paragraphs keep their lines and page; the name says nothing."""
    path = write_pdf(
        tmp_path / "renamed.txt",
        together(heading("Annual report"), paragraph(LOREM * 6), heading("Income", size=11, style="B"), paragraph(LOREM)),
        together(paragraph("Second page. " + LOREM)),
    )
    document = read(path, name=path.name)
    assert (document.media_type, document.page_count) == ("application/pdf", 2)
    assert [(kind, page) for kind, page, _ in shown(document)] == [
        ("heading", 1),
        ("paragraph", 1),
        ("heading", 1),
        ("paragraph", 1),
        ("paragraph", 2),
    ]
    assert [block.level for block in document.blocks] == [1, 0, 2, 0, 0]
    assert " ".join(document.text[document.blocks[1].start : document.blocks[1].end].split()) == (LOREM * 6).strip()


def test_table(tmp_path: Path) -> None:
    """Lines with gaps above one another are rows; cells that wrap, lie empty or fill their column stay right."""
    header = ("Unit", "Price", "Note")
    path = write_pdf(
        tmp_path / "a.pdf",
        together(
            paragraph(LOREM * 3),
            table(
                header,
                ("Small", "10", ""),
                ("A long name that fills the column", "25", "dry"),
                ("Large", "", "by the week"),
                ("Huge", "99", "a long note that needs more than a single line of its column to be told"),
            ),
            paragraph(LOREM),
        ),
    )
    document = read(path, name="a.pdf")
    rows = [
        (text, block.table_header)
        for block, (kind, _, text) in zip(document.blocks, shown(document), strict=True)
        if kind == "table_row"
    ]
    assert [text for text, _ in rows] == [
        "Unit | Price | Note",
        "Small | 10 |",
        "A long name that fills the column | 25 | dry",
        "Large |  | by the week",
        "Huge | 99 | a long note that needs more than a single line of its column to be told",
    ]
    assert {above for _, above in rows[1:]} == {"Unit | Price | Note"}
    assert [kind for kind, _, _ in shown(document)] == ["paragraph", *["table_row"] * 5, "paragraph"]


def test_narrow_columns(tmp_path: Path) -> None:
    """A right-aligned column beside a left-aligned one is parted though their cells nearly touch."""

    def draw(pdf: Any) -> None:
        with pdf.table(text_align=("LEFT", "RIGHT", "LEFT"), col_widths=(60, 30, 90)) as drawn:
            for cells in [
                ("Unit", "Volume", "Holds about"),
                ("S2", "5.2 m3", "one small room"),
                ("S4", "10.4 m3", "a studio flat"),
            ]:
                row = drawn.row()
                for cell in cells:
                    row.cell(cell)

    document = read(write_pdf(tmp_path / "a.pdf", draw), name="a.pdf")
    assert [text for _, _, text in shown(document)] == [
        "Unit | Volume | Holds about",
        "S2 | 5.2 m3 | one small room",
        "S4 | 10.4 m3 | a studio flat",
    ]


def test_tables_one_after_another(tmp_path: Path) -> None:
    """A bold row after plain ones is the head of another table."""
    path = write_pdf(
        tmp_path / "a.pdf", together(table(("Unit", "Rent"), ("S", "10")), table(("Extra", "Price"), ("Lift", "20")))
    )
    headers = [block.table_header for block in read(path, name="a.pdf").blocks]
    assert headers == ["", "Unit | Rent", "", "Extra | Price"]


def test_numbered_clauses(tmp_path: Path) -> None:
    """Clauses whose text hangs beside their number are list items, not rows of a table."""

    def draw(pdf: Any) -> None:
        for number in ("1.1", "1.2"):
            pdf.cell(20, text=number)
            pdf.multi_cell(120, text=LOREM * 3, new_x="LMARGIN", new_y="NEXT")

    document = read(write_pdf(tmp_path / "a.pdf", draw), name="a.pdf")
    assert [(kind, text[:3]) for kind, _, text in shown(document)] == [("list_item", "1.1"), ("list_item", "1.2")]


def test_hyphens(tmp_path: Path) -> None:
    """A word cut at a line's end is made whole; one that has its hyphen elsewhere in the document keeps it."""
    path = write_pdf(
        tmp_path / "a.pdf",
        paragraph("A well-known fact."),
        paragraph("Some informa-\ntion that is well-\nknown to us."),
    )
    assert "Some information that is well-known to us." in read(path, name="a.pdf").text


def test_lists(tmp_path: Path) -> None:
    """Lines with markers are list items."""
    path = write_pdf(tmp_path / "a.pdf", paragraph("Bring this:\n- a rope\n- a lamp"))
    assert [kind for kind, _, _ in shown(read(path, name="a.pdf"))] == ["paragraph", "list_item", "list_item"]


def test_running_heads(tmp_path: Path) -> None:
    """What stands on every page in the same place is kept once; page numbers go."""

    def page(number: int) -> Callable[[Any], None]:
        def draw(pdf: Any) -> None:
            pdf.cell(text="The Manual", new_x="LMARGIN", new_y="NEXT")
            pdf.ln(10)
            paragraph(f"Text of part {'abcd'[number]}. " + LOREM * (number + 3))(pdf)
            pdf.set_y(-30)
            pdf.cell(text=str(number + 1))

        return draw

    document = read(write_pdf(tmp_path / "a.pdf", *map(page, range(4))), name="a.pdf")
    assert document.text.count("The Manual") == 1
    assert [text for _, _, text in shown(document) if text.isdigit()] == []
    assert [page for _, page, _ in shown(document)] == [1, 1, 2, 3, 4]


def test_outline(tmp_path: Path) -> None:
    """A line that the outline names is a heading, though it looks like the text around it."""

    def draw(pdf: Any) -> None:
        pdf.start_section("First steps")
        paragraph("First steps")(pdf)
        paragraph(LOREM * 4)(pdf)

    document = read(write_pdf(tmp_path / "a.pdf", draw), name="a.pdf")
    assert shown(document)[0] == ("heading", 1, "First steps")


def test_turned_page(tmp_path: Path) -> None:
    """Text that is turned by a quarter is grouped as if it were upright."""

    def draw(pdf: Any) -> None:
        with pdf.rotation(90, 100, 100):
            paragraph(LOREM * 5)(pdf)

    document = read(write_pdf(tmp_path / "a.pdf", draw), name="a.pdf")
    assert len(document.blocks) == 1
    assert " ".join(document.text.split()) == (LOREM * 5).strip()


def test_beyond_latin(tmp_path: Path) -> None:
    """Text outside the page's edge is read as well; nothing is clipped."""

    def draw(pdf: Any) -> None:
        pdf.set_x(190)
        pdf.cell(text="This line runs over the edge")

    assert read(write_pdf(tmp_path / "a.pdf", draw), name="a.pdf").text == "This line runs over the edge"


def test_password(tmp_path: Path) -> None:
    """A PDF that asks for a password is encrypted; one that opens without is read."""
    assert refusal(write_pdf(tmp_path / "a.pdf", paragraph(LOREM), password="secret")).reason == "encrypted"
    opened = write_pdf(tmp_path / "b.pdf", paragraph(LOREM), password="")
    assert read(opened, name="b.pdf").text == LOREM.strip()


def test_scan(tmp_path: Path) -> None:
    """Pages without text need text recognition; the count is told."""
    failed = refusal(write_pdf(tmp_path / "a.pdf", *[lambda pdf: pdf.rect(10, 10, 50, 50)] * 3))
    assert (failed.reason, failed.page_count) == ("needs_ocr", 3)
    assert "3" in failed.message


@pytest.mark.parametrize("kept", [0.02, 0.2, 0.5, 0.8, 0.95])
def test_cut(tmp_path: Path, kept: float) -> None:
    """A PDF whose end is missing is truncated, not read in part."""
    whole = write_pdf(tmp_path / "a.pdf", *[paragraph(LOREM * 20)] * 6).read_bytes()
    path = tmp_path / "cut.pdf"
    path.write_bytes(whole[: int(len(whole) * kept)])
    assert refusal(path).reason == "truncated"


def test_garbage(tmp_path: Path) -> None:
    """A file that only begins like a PDF is damaged."""
    path = tmp_path / "a.pdf"
    path.write_bytes(b"%PDF-1.7\n" + bytes(range(256)) * 20)
    assert refusal(path).reason == "truncated"


def test_rewritten_by_another_library(tmp_path: Path) -> None:
    """Pages merged and compressed by another writer read the same."""
    first = write_pdf(tmp_path / "a.pdf", paragraph("Alpha text here."))
    second = write_pdf(tmp_path / "b.pdf", paragraph("Beta text here."))
    writer = pypdf.PdfWriter()
    for path in (first, second):
        writer.append(str(path))
    for page in writer.pages:
        page.compress_content_streams()
    writer.write(str(tmp_path / "c.pdf"))
    assert shown(read(tmp_path / "c.pdf", name="c.pdf")) == [
        ("paragraph", 1, "Alpha text here."),
        ("paragraph", 2, "Beta text here."),
    ]
