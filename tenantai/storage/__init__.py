"""Records in SQLite and bytes on disk; every function names its tenant."""
