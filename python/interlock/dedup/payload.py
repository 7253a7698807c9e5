"""What a proposal would do, as it was stored."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Payload:
    """The operative payload in canonical form, which is itself a valid payload of its kind, and its context.

    Attributes:
        kind: ``"shell"``, ``"http"``, …
        canonical: the canonical form.
        canonical_context: canonical JSON of the context, or None.

    """

    kind: str
    canonical: bytes = field(repr=False)
    canonical_context: bytes | None = field(repr=False)

    @property
    def command(self) -> str:
        """The command line of a shell proposal."""
        if self.kind != "shell":
            raise ValueError(f"a {self.kind} proposal has no command line: read canonical")
        return self.canonical.decode()

    @property
    def context(self) -> Any:
        """The context the proposal was given, or None."""
        return None if self.canonical_context is None else json.loads(self.canonical_context)
