"""What every table is declared with: one collection of them, the names of constraints, and what many have in common."""

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def is_declared(name: str | None, kind: str, _parents: object) -> bool:
    """Whether Alembic may compare it: FTS5 keeps tables of its own beside the full-text one, which SQL makes."""
    return not (kind == "table" and name is not None and name.startswith("full_text"))


def tenant_column() -> sa.Column[str]:
    """Return the column that names a row's tenant."""
    return sa.Column("tenant_id", sa.Text, sa.ForeignKey("tenants.id", ondelete="CASCADE"), nullable=False)


def partial_index(name: str, *columns: str, where: str, unique: bool = False) -> sa.Index:
    """Return an index of the rows that meet a condition only, in every dialect: without it, a unique one forbids more."""
    condition = sa.text(where)
    return sa.Index(name, *columns, unique=unique, sqlite_where=condition, postgresql_where=condition)
