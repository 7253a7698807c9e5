"""Pytest plugin: embedded PostgreSQL, roles, isolation."""
