"""HTML and Markdown to blocks."""

import time
from collections.abc import Callable

from tenantai.rag.documents import ExtractedDocument

Read = Callable[..., ExtractedDocument]


def shown(document: ExtractedDocument) -> list[tuple[str, str]]:
    return [(block.kind, document.text[block.start : block.end]) for block in document.blocks]


def test_html_structure(read_bytes: Read) -> None:
    """Headings with levels, paragraphs, nested lists, code and line breaks; no scripts, navigation or hidden parts."""
    document = read_bytes(
        b"<html><head><title>T</title><style>p{}</style></head><body><nav><a href=x>Home</a></nav><h1>Big <em>one</em></h1>"
        b"intro <b>bold</b>text<br>next<p>Para\n  wrapped</p><ul><li>one<ul><li>inner</li></ul></li><li><p>two</p></li></ul>"
        b"<h3>Sub</h3><pre>x = 1\n  y</pre><p hidden>secret</p><script>evil()</script><div>a<div>b</div>c</div></body></html>",
        "a.html",
    )
    assert shown(document) == [
        ("heading", "Big one"),
        ("paragraph", "intro boldtext\nnext"),
        ("paragraph", "Para wrapped"),
        ("list_item", "one"),
        ("list_item", "inner"),
        ("list_item", "two"),
        ("heading", "Sub"),
        ("code", "x = 1\n  y"),
        ("paragraph", "a"),
        ("paragraph", "b"),
        ("paragraph", "c"),
    ]
    assert [block.level for block in document.blocks if block.kind == "heading"] == [1, 3]


def test_html_table(read_bytes: Read) -> None:
    """Rows know their header; a cell over several rows stands in each; a caption is a paragraph."""
    document = read_bytes(
        b"<!doctype html><table><caption>Prices</caption><tr><th>Kind</th><th>Size</th><th>Price</th></tr>"
        b"<tr><td rowspan=2>Box</td><td>S</td><td>1</td></tr><tr><td>L</td><td>2</td></tr>"
        b"<tr><td colspan=2>All</td><td>3</td></tr></table>"
    )
    assert shown(document) == [
        ("paragraph", "Prices"),
        ("table_row", "Kind | Size | Price"),
        ("table_row", "Box | S | 1"),
        ("table_row", "Box | L | 2"),
        ("table_row", "All |  | 3"),
    ]
    assert [block.table_header for block in document.blocks[1:]] == ["", *["Kind | Size | Price"] * 3]


def test_unmarked_header(read_bytes: Read) -> None:
    """A first row of numbers is no header; one of names is, even where nothing marks it."""
    numbers = read_bytes(b"<html><table><tr><td>1<td>2</tr><tr><td>3<td>4</tr></table>")
    names = read_bytes(b"<html><table><tr><td>A<td>B</tr><tr><td>3<td>4</tr></table>")
    assert [block.table_header for block in numbers.blocks] == ["", ""]
    assert [block.table_header for block in names.blocks] == ["", "A | B"]


def test_layout_table(read_bytes: Read) -> None:
    """A table that only arranges the page is read through to what it holds."""
    document = read_bytes(
        b"<html><table><tr><td><h2>Left</h2><p>Text</p></td><td><table><tr><td>a<td>b</table></td></tr></table>"
    )
    assert shown(document) == [("heading", "Left"), ("paragraph", "Text"), ("table_row", "a | b")]


def test_html_declared_encoding(read_bytes: Read) -> None:
    """The encoding that the page declares is believed where the bytes are not UTF-8."""
    page = '<html><head><meta charset="windows-1251"></head><p>Привет</p>'
    assert read_bytes(page.encode("cp1251")).text == "Привет"


def test_deep_nesting(read_bytes: Read) -> None:
    """Nesting of any depth is read without recursion, and quickly."""
    started = time.process_time()
    assert read_bytes(b"<html>" + b"<div><span>" * 20_000 + b"deep").text == "deep"
    assert time.process_time() - started < 10


def test_markdown(read_bytes: Read) -> None:
    """Markdown is read by its structure, tables, front matter and inline HTML included."""
    document = read_bytes(
        b"---\ntitle: T\n---\n# One\n\nPara *with* [link](http://x)\nwrapped.\n\n- a\n- b\n\n| A | B |\n|---|---|\n| 1 | 2 |\n\n"
        b"```\ncode\n```\n\nTwo\n---\n\n<b>raw</b> html\n",
        "a.md",
    )
    assert shown(document) == [
        ("code", "title: T"),
        ("heading", "One"),
        ("paragraph", "Para with link wrapped."),
        ("list_item", "a"),
        ("list_item", "b"),
        ("table_row", "A | B"),
        ("table_row", "1 | 2"),
        ("code", "code"),
        ("heading", "Two"),
        ("paragraph", "raw html"),
    ]
    assert document.blocks[6].table_header == "A | B"
