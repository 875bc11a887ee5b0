"""Plain text in any encoding, in blocks."""

import codecs
from collections.abc import Callable

import pytest

from tenantai.rag.documents import ExtractedDocument, ExtractionFailed
from tenantai.rag.extraction import composition

Read = Callable[..., ExtractedDocument]
GERMAN = "Die Prüfung der Größe ist für die Straße wichtig, sagte er über die Möglichkeiten. " * 4
RUSSIAN = "Съешь же ещё этих мягких французских булок, да выпей чаю. Широкая электрификация южных губерний. " * 4
JAPANESE = "吾輩は猫である。名前はまだ無い。どこで生れたか頓と見当がつかぬ。何でも薄暗いじめじめした所で泣いていた。" * 3


@pytest.mark.parametrize(
    ("text", "encoding", "mark"),
    [
        (GERMAN, "utf-8", b""),
        (GERMAN, "utf-8", codecs.BOM_UTF8),
        (GERMAN, "utf-16-le", codecs.BOM_UTF16_LE),
        (GERMAN, "utf-16-be", codecs.BOM_UTF16_BE),
        (GERMAN, "utf-32-le", codecs.BOM_UTF32_LE),
        (GERMAN, "utf-32-be", codecs.BOM_UTF32_BE),
        (GERMAN, "utf-16-le", b""),
        (GERMAN, "utf-16-be", b""),
        (GERMAN, "utf-32-le", b""),
        (GERMAN, "cp1252", b""),
        (RUSSIAN, "cp1251", b""),
        (RUSSIAN, "koi8-r", b""),
        (JAPANESE, "shift_jis", b""),
        (JAPANESE, "euc_jp", b""),
        (JAPANESE, "iso2022_jp", b""),
        (JAPANESE, "utf-16-le", codecs.BOM_UTF16_LE),
        ("Café", "cp1252", b""),
        ("Price: £50 – €20, don’t wait", "cp1252", b""),
        ("Prüfung bestanden.", "cp1252", b""),
        ("Příliš žluťoučký kůň úpěl ďábelské ódy.", "cp1250", b""),
        ("合同有效期为一年。你好，世界。我们在九点开门，五点关门。", "gb18030", b""),
        ("계약은 일 년 동안 유효합니다. 안녕하세요, 세계.", "euc_kr", b""),
    ],
)
def test_encodings(read_bytes: Read, text: str, encoding: str, mark: bytes) -> None:
    """The text comes out the same from every encoding, with or without a byte order mark."""
    assert read_bytes(mark + text.encode(encoding)).text == text.strip()


def test_newlines_and_controls(read_bytes: Read) -> None:
    """Line ends become line feeds; NULs and other control characters go."""
    document = read_bytes(b"one\r\ntwo\rthree\x0bfour\x7f\n\n\n\nfive")
    assert document.text == "one\ntwo\nthreefour\n\nfive"
    assert [block.kind for block in document.blocks] == ["paragraph", "paragraph"]


def test_headings(read_bytes: Read) -> None:
    """An underlined line, and one all in capitals that stands alone, are headings."""
    document = read_bytes(b"Manual\n======\nAbout it.\n\nGETTING IN\n\nUse the card. NASA did.\n\nOK?\n")
    kinds = [(block.kind, block.level, document.text[block.start : block.end]) for block in document.blocks]
    assert kinds == [
        ("heading", 1, "Manual"),
        ("paragraph", 0, "About it."),
        ("heading", 2, "GETTING IN"),
        ("paragraph", 0, "Use the card. NASA did."),
        ("paragraph", 0, "OK?"),
    ]


def test_lists(read_bytes: Read) -> None:
    """Lines that begin with markers are list items, with the lines that continue them."""
    document = read_bytes(b"Bring:\n- a rope\n  of ten metres\n- a lamp\n\n1. First\n2. Second\n")
    texts = [(block.kind, document.text[block.start : block.end]) for block in document.blocks]
    assert texts == [
        ("paragraph", "Bring:"),
        ("list_item", "- a rope\n  of ten metres"),
        ("list_item", "- a lamp"),
        ("list_item", "1. First"),
        ("list_item", "2. Second"),
    ]


def test_delimited(read_bytes: Read) -> None:
    """A CSV is a table: a row a block, under its header."""
    document = read_bytes(b'name,size,note\nshed,12,"dry, cool"\nbarn,80,\n', "units.csv")
    rows = [(document.text[block.start : block.end], block.table_header) for block in document.blocks]
    assert rows == [
        ("name | size | note", ""),
        ("shed | 12 | dry, cool", "name | size | note"),
        ("barn | 80 |", "name | size | note"),
    ]


def test_prose_with_commas_is_no_table(read_bytes: Read) -> None:
    """Lines of prose with as many commas as one another stay prose."""
    document = read_bytes(b"Well, yes.\nOh, no.\nAh, so.\nHm, well.\n")
    assert [block.kind for block in document.blocks] == ["paragraph"]


def test_more_text_than_the_server_can_bear(
    refuse_bytes: Callable[..., ExtractionFailed], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A text of more characters or more blocks than are taken is refused by name, whatever its bytes."""
    monkeypatch.setattr(composition, "CHARACTERS_MAX", 1000)
    monkeypatch.setattr(composition, "BLOCKS_MAX", 10)
    for content in (b"Lorem ipsum dolor. " * 60, b"- a\n" * 11, b"# One\n\n" + b"two\n\n" * 11):
        assert refuse_bytes(content, "file.md").reason == "too_large_unpacked"
        assert refuse_bytes(content, "file.txt").reason == "too_large_unpacked"
