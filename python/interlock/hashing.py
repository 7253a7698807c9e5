"""What makes two actions the same: canonical forms and the hashes of them.

Every hash is SHA-256 of a canonical form, shown as its first ``length`` hexadecimal digits.
Equal canonical forms mean the same action; a payload without a canonical form raises
:class:`~interlock.errors.CanonicalizationError` with the place.
"""

from __future__ import annotations

__all__: list[str] = []
