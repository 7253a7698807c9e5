"""What a static check cannot see: with ``INTERLOCK_TRACE_UNSCOPED=1``, each distinct stack of a refused acquire.

One boot and one tick of every job then list the places that still need a scope. Off, it costs nothing: only a
refusal comes here.
"""

from __future__ import annotations

import hashlib
import logging
import os
import traceback

from interlock.gates import Gates

VARIABLE = "INTERLOCK_TRACE_UNSCOPED"
FRAMES = 24

logger = logging.getLogger("interlock.tenancy.unscoped")

# A table of its own: the service's gates and their statistics stay as they are.
_stacks = Gates(max_keys=4096).fire_once("unscoped-acquire")


def record_refusal(error: BaseException) -> None:
    """Log the caller's stack at WARNING, the first time it is refused; later times are counted."""
    if os.environ.get(VARIABLE) != "1":
        return
    stack = traceback.extract_stack(limit=FRAMES)[:-2]
    places = "\n".join(f"{frame.filename}:{frame.lineno}:{frame.name}" for frame in stack)
    if _stacks.fire(hashlib.sha256(places.encode()).hexdigest()):
        logger.warning(
            "%s at\n%s",
            type(error).__name__,
            "".join(traceback.format_list(stack)),
            extra={"refused": type(error).__name__},
        )
