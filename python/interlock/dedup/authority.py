"""What to tell the model: how its proposals are identified, so that it does not invent keys."""

from __future__ import annotations

from collections.abc import Iterable

# A model cannot keep to a contract it has not been told. It is told the kinds it may emit, and that its own id and
# hash decide nothing.
AUTHORITY_FRAGMENT_TEMPLATE = """
## Approval Identifier Contract

Each proposal MUST include:

id: a display label. Not a key. You may emit any short label; it may change from cycle to cycle.
{kinds}

The runtime computes the key itself, from what the proposal would do:
cmd_hash = sha256(canonical form)[:12] for people, all 32 bytes for comparison. A command that is already in
canonical form has cmd_hash = sha256(command)[:12]. A cmd_hash that you emit is never trusted.

While a proposal is pending, executing or interrupted, an equal one collapses into it: proposing it again neither
creates a second approval nor grants one. Reasoning, ids and timestamps never count; every other field does, as does
the context (working directory, host, user) where one is given.

The runtime also computes a logical_key from (verb, target). Proposals that share a logical_key are surfaced as a
cluster, and proposals with another verb on the same target as related, even with different cmd_hash values. Neither
is suppressed: the operator sees them together and decides.
""".strip()

_FIELDS = {
    "shell": "command: the whole command line, as `sh -c` would run it.",
    "argv": "argv: the list of arguments, program first, run without a shell.",
    "http": "method, path, body: the request; leave body out if there is none (null is a body).",
    "database": "table, primary_key, operation, values: values may be left out for a delete only.",
    "notification": "recipient, channel, message: the message exactly as it would be sent.",
    "tool": "name, arguments: the tool and all arguments it is called with.",
}

_CUSTOM = "payload: every field that changes the effect."


def authority_fragment(kinds: Iterable[str]) -> str:
    """Return the contract for an agent's instruction document, for the kinds of proposals it may emit.

    Kinds other than the built-in ones are described as custom payloads. A string is one kind.

    Raises:
        ValueError: no kind is given, or a kind has a line break in it.

    """
    chosen = [kinds] if isinstance(kinds, str) else list(dict.fromkeys(kinds))
    if not chosen or any(not kind or len(kind.splitlines()) != 1 for kind in chosen):
        raise ValueError("kinds must be one or more single-line names, such as ('shell', 'http')")
    described = "\n".join(f"kind = {kind}; {_FIELDS.get(kind, _CUSTOM)}" for kind in chosen)
    return AUTHORITY_FRAGMENT_TEMPLATE.format(kinds=described)
