"""One full-text table for all tenants, in place of one for each."""

from collections.abc import Sequence

from alembic import op
from sqlalchemy import Connection

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SLICE_ROWS = 1000
STEMMER = "porter unicode61 remove_diacritics 2"
OLD_TABLES = (
    "SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL TABLE%' AND name GLOB 'fts_[0-9a-f]*' "
    "ORDER BY name GLOB '*_terms' DESC"
)
CHUNKS = "SELECT number, heading, text FROM chunks WHERE number > ? ORDER BY number LIMIT ?"
COPY = (
    "INSERT INTO full_text (rowid, body) "
    "SELECT doc, group_concat(replace(tenant_id, '-', '') || ':' || term, ' ') "
    "FROM (SELECT doc, term FROM temp.old_words_terms ORDER BY doc, offset) JOIN chunks ON number = doc GROUP BY doc"
)


def upgrade() -> None:
    """Make the table, fill it from the chunks, and drop the old ones."""
    bind = op.get_bind()
    bind.exec_driver_sql(
        "CREATE VIRTUAL TABLE full_text USING fts5(body, content = '', columnsize = 0, tokenize = \"ascii tokenchars ':'\")"
    )
    bind.exec_driver_sql("CREATE VIRTUAL TABLE full_text_terms USING fts5vocab(full_text, instance)")
    bind.exec_driver_sql(f"CREATE VIRTUAL TABLE temp.old_words USING fts5(body, content = '', tokenize = '{STEMMER}')")
    bind.exec_driver_sql("CREATE VIRTUAL TABLE temp.old_words_terms USING fts5vocab(old_words, instance)")
    _fill(bind)
    for name in ("temp.old_words_terms", "temp.old_words", *bind.exec_driver_sql(OLD_TABLES).scalars().all()):
        bind.exec_driver_sql(f"DROP TABLE {name}")


def _fill(bind: Connection) -> None:
    last = 0
    while rows := bind.exec_driver_sql(CHUNKS, (last, SLICE_ROWS)).all():
        words = [(row.number, _searchable(row.heading, row.text)) for row in rows]
        _copy(bind, words)
        last = rows[-1].number


def _copy(bind: Connection, words: Sequence[tuple[int, str]]) -> None:
    bind.exec_driver_sql("INSERT INTO temp.old_words (rowid, body) VALUES (?, ?)", list(words))
    bind.exec_driver_sql(COPY)
    bind.exec_driver_sql("INSERT INTO temp.old_words (old_words) VALUES ('delete-all')")


def _searchable(heading: str, text: str) -> str:
    """Return what was indexed of a chunk when this revision was written; `clear` must find the same words to remove."""
    last = heading.rsplit(" > ", 1)[-1]
    return text if not heading or (text.startswith(last) and " > " not in heading) else f"{heading}\n{text}"
