"""What tests anywhere may ask for."""

from tests.postgres.fixtures import postgres, postgres_database, postgres_url

__all__ = ["postgres", "postgres_database", "postgres_url"]
