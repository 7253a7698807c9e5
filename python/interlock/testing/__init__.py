"""Isolation as a property, the pytest plugin, the embedded PostgreSQL."""
