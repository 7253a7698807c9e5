"""Text that goes into SQL where PostgreSQL takes no parameter: ``SET`` and the simple query protocol."""

from __future__ import annotations

import re

_BACKSLASH = "\\"
_SETTING = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*(\.[A-Za-z_][A-Za-z0-9_$]*)+")


def quote_literal(text: str) -> str:
    """Quote ``text`` as a string constant (PostgreSQL, Lexical Structure, 4.1.2.1 and 4.1.2.2).

    It means the same whatever ``standard_conforming_strings`` the last user of the session has left.

    Raises:
        ValueError: it holds a NUL.

    """
    if "\0" in text:
        raise ValueError("a string constant may not hold NUL")
    quoted = text.replace("'", "''")
    return f"E'{quoted.replace(_BACKSLASH, _BACKSLASH * 2)}'" if _BACKSLASH in text else f"'{quoted}'"


def checked_setting_name(name: str) -> str:
    """Return ``name`` if it can be a customized option such as ``app.current_org_id``.

    Raises:
        ValueError: it cannot (PostgreSQL, Customized Options, 20.16).

    """
    if not _SETTING.fullmatch(name):
        raise ValueError(f"guc={name!r} is not the name of a customized option: use one like app.current_org_id")
    return name
