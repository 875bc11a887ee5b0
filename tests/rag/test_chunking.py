"""Chunks: exact offsets, full cover, structure followed, units inside."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenantai.rag.chunking import MAX_CHARACTERS, TARGET_CHARACTERS, chunk_document
from tenantai.rag.documents import Block, BlockKind, Chunk, ExtractedDocument
from tenantai.rag.extraction.composition import Composition

SENTENCE = "The quick brown fox jumps over the lazy dog near the river. "


def composed(*blocks: tuple[BlockKind, str] | tuple[BlockKind, str, dict[str, int]]) -> ExtractedDocument:
    composition = Composition()
    for kind, text, *options in blocks:
        given_options = options[0] if options else {}
        composition.add(
            kind, text, level=given_options.get("level", 1 if kind == "heading" else 0), page=given_options.get("page")
        )
    return composition.document("text/plain")


def unit_texts(chunk: Chunk) -> list[str]:
    return [chunk.text[start:end] for start, end in chunk.units]


BLOCKS = st.lists(
    st.tuples(
        st.sampled_from(["heading", "paragraph", "list_item", "table_row", "code"]),
        st.one_of(
            st.text(max_size=80),
            st.text(alphabet="ab. 𝒳é\n!😀中。", max_size=400),
            st.integers(1, 90).map(lambda count: SENTENCE * count),
            st.integers(1, 3000).map(lambda count: "x" * count),
        ),
        st.fixed_dictionaries({"level": st.integers(1, 4), "page": st.integers(0, 2)}),
    ),
    max_size=14,
)


def paged(drawn: list[tuple[BlockKind, str, dict[str, int]]]) -> ExtractedDocument:
    composition, page = Composition(), 1
    for kind, text, options in drawn:
        page += options["page"]
        level = options["level"] if kind == "heading" else 0
        composition.add(kind, text, level=level, page=page, table_header="a | b" if kind == "table_row" else "")
    return composition.document("application/pdf", page_count=page)


@settings(max_examples=150, deadline=None)
@given(BLOCKS)
def test_cover_and_order(drawn: list[tuple[BlockKind, str, dict[str, int]]]) -> None:
    """Chunks are exact, in order, without overlap, no longer than the maximum, and leave out nothing but white space."""
    document = paged(drawn)
    chunks = chunk_document(document)
    end = 0
    for ordinal, chunk in enumerate(chunks):
        assert chunk.ordinal == ordinal
        assert chunk.text == document.text[chunk.start : chunk.end]
        assert chunk.text == chunk.text.strip()
        assert 0 < len(chunk.text) <= MAX_CHARACTERS
        assert chunk.start >= end
        assert not document.text[end : chunk.start].strip()
        end = chunk.end
    assert not document.text[end:].strip()


@settings(max_examples=150, deadline=None)
@given(BLOCKS)
def test_units_and_pages(drawn: list[tuple[BlockKind, str, dict[str, int]]]) -> None:
    """Units lie in order within their chunk; pages start where their first block does; headers name a unit."""
    document = paged(drawn)
    for chunk in chunk_document(document):
        end = 0
        assert chunk.units
        for start, unit_end in chunk.units:
            assert end <= start < unit_end <= len(chunk.text)
            assert chunk.text[start:unit_end].strip() == chunk.text[start:unit_end]
            end = unit_end
        assert chunk.page == chunk.page_starts[0][1]
        assert chunk.page_starts[0][0] == 0
        for block in document.blocks:
            if chunk.start <= block.start < chunk.end:
                pages = [page for offset, page in chunk.page_starts if chunk.start + offset <= block.start]
                assert pages[-1] == block.page
        assert all(0 <= index < len(chunk.units) for index, _ in chunk.table_headers)


@given(st.text(max_size=3000))
def test_text_outside_blocks(text: str) -> None:
    """Text that no block covers is chunked all the same."""
    covered = "".join(chunk.text for chunk in chunk_document(ExtractedDocument("text/plain", text, ())))
    assert "".join(covered.split()) == "".join(text.split())


def test_heading_leads_its_first_chunk() -> None:
    """The heading's text begins the first chunk under it and is no unit; later chunks only have its path."""
    chunks = chunk_document(composed(("heading", "Rivers"), ("paragraph", SENTENCE * 20)))
    assert len(chunks) > 1
    assert chunks[0].text.startswith("Rivers\n\nThe quick")
    assert unit_texts(chunks[0])[0] == SENTENCE.strip()
    assert {chunk.heading_path for chunk in chunks} == {("Rivers",)}


def test_heading_path_follows_levels() -> None:
    """A bare heading goes with the first section below it; a higher heading closes the deeper ones."""
    chunks = chunk_document(
        composed(
            ("heading", "One"),
            ("heading", "Deep", {"level": 3}),
            ("paragraph", SENTENCE * 5),
            ("heading", "Two", {"level": 2}),
            ("paragraph", SENTENCE * 5),
        )
    )
    assert [chunk.heading_path for chunk in chunks] == [("One", "Deep"), ("One", "Two")]
    assert chunks[0].text.startswith("One\n\nDeep\n\n")


def test_heading_alone_is_a_unit() -> None:
    """Where a heading is all there is, it is the unit."""
    (chunk,) = chunk_document(composed(("heading", "Only this")))
    assert unit_texts(chunk) == ["Only this"]


def test_short_siblings_merge() -> None:
    """Very short sections under sibling headings are one chunk under their parent."""
    chunks = chunk_document(
        composed(
            ("heading", "Questions"),
            ("paragraph", SENTENCE * 5),
            *(
                block
                for number in range(3)
                for block in (("heading", f"Q{number}", {"level": 2}), ("paragraph", f"Answer number {number}."))
            ),
        )
    )
    assert [chunk.heading_path for chunk in chunks] == [("Questions",), ("Questions",)]
    assert unit_texts(chunks[1]) == ["Answer number 0.", "Answer number 1.", "Answer number 2."]


def test_wrapped_lines_stay_one_sentence() -> None:
    """Line ends inside a paragraph do not end sentences, nor do abbreviations and decimals."""
    (chunk,) = chunk_document(composed(("paragraph", "Dr. Smith paid 3.50\neuros for it. He\nwas pleased.")))
    assert unit_texts(chunk) == ["Dr. Smith paid 3.50\neuros for it.", "He\nwas pleased."]


def test_sentence_over_page_break() -> None:
    """A sentence that a page break cuts is one unit, and the chunk says where the second page starts."""
    document = composed(("paragraph", "First one. This goes over", {"page": 1}), ("paragraph", "the page. Done.", {"page": 2}))
    (chunk,) = chunk_document(document)
    assert unit_texts(chunk) == ["First one.", "This goes over\n\nthe page.", "Done."]
    assert chunk.page_starts == ((0, 1), (chunk.text.index("the page"), 2))


def test_characters_beyond_the_basic_plane() -> None:
    """Offsets count characters where characters take two or four bytes."""
    (chunk,) = chunk_document(composed(("paragraph", "😀 is a face. 𝒳 is a letter. 第一句。第二句！")))
    assert unit_texts(chunk) == ["😀 is a face.", "𝒳 is a letter.", "第一句。", "第二句！"]


def test_table_rows_know_their_header() -> None:
    """Rows of a long table keep the header row's text in every chunk."""
    composition = Composition()
    rows = [["Name", "Price"], *([f"Article number {number}", f"{number} euros"] for number in range(60))]
    composition.add_table(rows, has_header=True)
    chunks = chunk_document(composition.document("text/html"))
    assert len(chunks) > 1
    assert chunks[0].table_headers[0] == (1, "Name | Price")
    assert all(len(chunk.table_headers) == len(chunk.units) for chunk in chunks[1:])
    assert all(len(chunk.text) <= TARGET_CHARACTERS for chunk in chunks)


def test_list_stays_together() -> None:
    """A list that fits into one chunk is not torn apart, even if the chunk before would have had room for its start."""
    items: list[tuple[BlockKind, str]] = [("list_item", f"Item {number} of the list") for number in range(12)]
    chunks = chunk_document(composed(("paragraph", SENTENCE * 14), *items))
    assert [len(chunk.units) for chunk in chunks] == [14, 12]


def test_no_small_rest() -> None:
    """A small rest goes with the chunk before it."""
    chunks = chunk_document(composed(("paragraph", SENTENCE * 11), ("paragraph", "A short end.")))
    assert len(chunks) == 1


@pytest.mark.parametrize("text", ["x" * 5000, "word " * 1000, "line\n" * 1000])
def test_monsters_are_cut(text: str) -> None:
    """Text without sentences is cut, at white space where there is some."""
    chunks = chunk_document(composed(("paragraph", text)))
    assert max(len(chunk.text) for chunk in chunks) <= MAX_CHARACTERS
    assert "".join("".join(chunk.text.split()) for chunk in chunks) == "".join(text.split())


def test_empty_document() -> None:
    """No text, no chunks."""
    assert chunk_document(ExtractedDocument("text/plain", " \n", (Block("paragraph", 0, 2),))) == []


def test_a_megabyte_is_quick() -> None:
    """A megabyte of text is chunked in well under a second of processor time."""
    document = composed(*(("paragraph", SENTENCE * 10) for _ in range(1700)))
    started = time.process_time()
    chunk_document(document)
    assert time.process_time() - started < 1.0
