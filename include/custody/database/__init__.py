"""The one store: PostgreSQL, its tables, its migrations and the way to it."""
