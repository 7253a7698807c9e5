"""Scope, pools and connections: acquisition is routed by a context-local scope and fails closed."""
