"""Which oracle each of these mutants needs: with it alone they are found, with all others they are not."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from interlock.errors import IsolationLeak
from interlock.testing import IsolationHarness
from interlock.testing.oracles import ORACLES

EVERYTHING = "every endpoint"
CODES = frozenset(oracle.code for oracle in ORACLES)

# Oracle → mutant → the endpoint whose example finds it.
NEEDS: dict[str, dict[str, str]] = {
    "O1": {"preferences-cached-once": EVERYTHING, "log-of-another": EVERYTHING},
    "O2": {"account-cached-once": EVERYTHING},
    "O3": {"stats-of-everybody": EVERYTHING, "summary-of-everybody": EVERYTHING, "allowance-shared": EVERYTHING},
    "O4": {"forbidden-or-missing": "GET /invoices/{invoice_id}"},
    "O5": {"document-dedup-any-org": "POST /documents", "unique-everywhere": "POST /customers"},
    "O6": {"blind-update": "PATCH /customers/{customer_id}", "pay-any-silently": "POST /invoices/{invoice_id}/pay"},
    "O7": {"upload-counted-to-the-newest": "POST /documents"},
    "O8": {"org-from-body": "PUT /preferences", "org-from-query": "GET /customers"},
    "O11": {"etag-of-anybody": EVERYTHING},
}
# O10 judges no exchange: it tells that one of two layers is gone while the other still holds.
LAYERED = "GET /reports"


Build = Callable[[frozenset[str]], AbstractContextManager[IsolationHarness]]


def found_by(build: Build, enabled: frozenset[str], target: str) -> str | None:
    """Play everything and then the target with these oracles alone; the code of the one that found a leak."""
    with build(CODES - enabled) as harness:
        try:
            for one in dict.fromkeys((EVERYTHING, target)):
                harness.example(one)
        except IsolationLeak as error:
            leak: Any = error.leak
            return str(leak.oracle)
        finally:
            harness.close()
    return None
