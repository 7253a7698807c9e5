"""Decides whether one more emission may happen."""
