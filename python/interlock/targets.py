"""Verb and target of operations commands: what two different commands act on.

``docker stop web`` and ``docker stop -t 10 web`` differ in their content hash and share the logical key
``stop:web``, so that an operator sees them side by side. A logical key clusters, it never suppresses.
"""

from __future__ import annotations

from interlock._native import Action, actions, docker_logical_key, register_grammar, unregister_grammar

__all__ = ["Action", "actions", "docker_logical_key", "register_grammar", "unregister_grammar"]
