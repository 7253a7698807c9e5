"""What an error takes along: nothing it should not show, and never another error's place."""

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


def alone(error: Exception) -> Exception:
    """Return ``error`` without the frames and errors behind it: those of a login hold its password."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)
