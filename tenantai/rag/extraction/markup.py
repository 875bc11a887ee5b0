"""HTML to blocks; DOCX and Markdown come through here too, after they were turned into HTML."""

import re
from collections.abc import Iterator

from markdown_it import MarkdownIt
from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from tenantai.rag.documents import BlockKind, ExtractedDocument
from tenantai.rag.extraction.composition import Composition
from tenantai.rag.extraction.kinds import HTML, MARKDOWN

SKIPPED = frozenset(
    {
        *("script", "style", "noscript", "template", "head", "svg", "math", "nav", "iframe", "object", "select", "datalist"),
        *("textarea", "button", "audio", "video", "-comment"),
    }
)
HEADINGS = {f"h{level}": level for level in range(1, 7)}
BLOCKS = frozenset(
    {
        *("address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog", "div", "dl"),
        *("dt", "fieldset", "figcaption", "figure", "footer", "form", "header", "hr", "html", "legend", "li", "main", "ol"),
        *("p", "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul"),
    }
)
SPACE = re.compile(r"[ \t\n\r\f\u00a0]+")
SPACE_AROUND_NEWLINE = re.compile(r" *\n *")
FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
NUMBER = re.compile(r"[\s\d.,:%$€£+/-]+")
SPAN_MAX = 200
NOTE_BACKLINK = ("#footnote-ref-", "#endnote-ref-")


def read_html(source: str, *, media_type: str = HTML) -> ExtractedDocument:
    """Blocks of an HTML page, in reading order, without scripts, styles, navigation and controls."""
    composition = Composition()
    try:
        parser = LexborHTMLParser(source)
    except SelectolaxError as failure:  # HTML has no syntax errors: lexbor fails only where it gets no memory
        raise MemoryError from failure
    if parser.root is not None:
        _Walk(composition).run(parser.root)
    return composition.document(media_type)


def read_markdown(source: str) -> ExtractedDocument:
    """Blocks of a Markdown text; front matter is kept as a piece of code."""
    if front := FRONT_MATTER.match(source):
        source = f"~~~~~~\n{front[1]}\n~~~~~~\n\n{source[front.end() :]}"
    renderer = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return read_html(renderer.render(source), media_type=MARKDOWN)


class _Walk:
    """One pass over the tree without recursion: inline text is gathered until a block element begins or ends."""

    def __init__(self, composition: Composition) -> None:
        self._composition = composition
        self._inline: list[str] = []
        self._items = 0

    def run(self, root: LexborNode) -> None:
        """Walk the tree below `root`; a stack of (node, leaving) stands in for recursion, which deep pages would break."""
        stack: list[tuple[LexborNode, bool]] = [(root, False)]
        while stack:
            node, leaving = stack.pop()
            if leaving:
                self._leave(node.tag or "")
            elif self._enter(node):
                stack.append((node, True))
                stack.extend((child, False) for child in reversed(_children(node)))
        self._flush()

    def _enter(self, node: LexborNode) -> bool:
        """Take up a node; true when its children are to be walked."""
        tag = node.tag or ""
        if tag == "-text":
            self._inline.append(SPACE.sub(" ", node.text_content or ""))
        elif tag == "br":
            self._inline.append("\n")
        elif tag in HEADINGS or tag == "pre":
            self._flush()
            self._add_whole(node, tag)
        elif _is_skipped(node, tag):
            return False
        elif tag == "table" and _is_data_table(node):
            self._flush()
            self._add_table(node)
        else:
            return self._open(tag)
        return False

    def _open(self, tag: str) -> bool:
        if tag in BLOCKS:
            self._flush()
        self._items += tag == "li"
        return True

    def _leave(self, tag: str) -> None:
        if tag in BLOCKS:
            self._flush()
        self._items -= tag == "li"

    def _flush(self) -> None:
        text = _tidy("".join(self._inline))
        self._inline.clear()
        kind: BlockKind = "list_item" if self._items else "paragraph"
        self._composition.add(kind, text)

    def _add_whole(self, node: LexborNode, tag: str) -> None:
        if tag == "pre":
            self._composition.add("code", node.text())
        else:
            self._composition.add("heading", " ".join(_flat_text(node).split()), level=HEADINGS[tag])

    def _add_table(self, table: LexborNode) -> None:
        caption = table.css_first("caption")
        if caption is not None:
            self._composition.add("paragraph", _flat_text(caption))
        rows = table.css("tr")
        cells = list(_grid(rows))
        self._composition.add_table(cells, has_header=bool(rows) and _has_header(rows[0], cells))


def _children(node: LexborNode) -> list[LexborNode]:
    children = []
    child = node.first_child
    while child is not None:
        children.append(child)
        child = child.next
    return children


def _is_skipped(node: LexborNode, tag: str) -> bool:
    if tag in SKIPPED:
        return True
    attributes = node.attributes
    if "hidden" in attributes:
        return True
    return tag == "a" and (attributes.get("href") or "").startswith(NOTE_BACKLINK)


def _is_data_table(table: LexborNode) -> bool:
    """False for a table that only arranges a page: one with a table inside, or of a single column."""
    if len(table.css("table")) > 1:
        return False
    return any(len(_cells(row)) > 1 for row in table.css("tr"))


def _cells(row: LexborNode) -> list[LexborNode]:
    return [child for child in _children(row) if child.tag in {"td", "th"}]


def _grid(rows: list[LexborNode]) -> Iterator[list[str]]:
    """Each row's cells; a cell over several rows stands in each of them, so that every row can be read alone."""
    spanning: dict[int, tuple[int, str]] = {}
    for row in rows:
        line: list[str] = []
        for cell in _cells(row):
            _take_spanning(spanning, line)
            text = " ".join(_flat_text(cell).split())
            if (height := _span(cell, "rowspan")) > 1:
                spanning[len(line)] = (height - 1, text)
            line.extend([text, *[""] * (_span(cell, "colspan") - 1)])
        _take_spanning(spanning, line)
        yield line


def _take_spanning(spanning: dict[int, tuple[int, str]], line: list[str]) -> None:
    while (column := len(line)) in spanning:
        left, text = spanning.pop(column)
        if left > 1:
            spanning[column] = (left - 1, text)
        line.append(text)


def _span(cell: LexborNode, attribute: str) -> int:
    value = cell.attributes.get(attribute) or ""
    return min(max(int(value), 1), SPAN_MAX) if value.isascii() and value.isdigit() else 1


def _has_header(first: LexborNode, cells: list[list[str]]) -> bool:
    """Marked as one, or, where nothing is marked, a first row of several names above at least one more row."""
    parent = first.parent
    marked = all(cell.tag == "th" for cell in _cells(first)) or (parent is not None and parent.tag == "thead")
    named = len(cells) > 1 and all(cells[0][1:]) and not any(NUMBER.fullmatch(cell) for cell in cells[0] if cell)
    return marked or named


def _flat_text(node: LexborNode) -> str:
    """The text below a node on one line, blocks within it set apart by a space."""
    parts: list[str] = []
    stack = [node]
    while stack:
        inner = stack.pop()
        tag = inner.tag or ""
        if tag == "-text":
            parts.append(inner.text_content or "")
        elif not _is_skipped(inner, tag):
            parts.append(" " if tag in BLOCKS or tag == "br" else "")
            stack.extend(reversed(_children(inner)))
    return SPACE.sub(" ", "".join(parts)).strip()


def _tidy(text: str) -> str:
    return SPACE_AROUND_NEWLINE.sub("\n", re.sub(r" {2,}", " ", text)).strip()
