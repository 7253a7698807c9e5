"""An error while giving something up never covers the one that was the reason to give it up."""

from __future__ import annotations


def put_behind(error: BaseException, failure: BaseException) -> None:
    """Make ``failure``, which came while ``error`` was being handled, a context of ``error``.

    A cancelled task must end as cancelled, and what a block raised says more than the broken connection it leaves.
    """
    last = failure
    while last.__context__ is not None and last.__context__ is not error:
        last = last.__context__
    last.__context__ = error.__context__
    error.__context__ = failure
