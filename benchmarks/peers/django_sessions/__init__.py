"""Django's own sessions, backend `cached_db`: Redis in front of PostgreSQL."""
