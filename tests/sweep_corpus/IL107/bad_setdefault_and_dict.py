"""`setdefault`, and a keyword-only parameter."""


def build(claims: dict, *, tenant_id: str = "public"):
    claims.setdefault("org_id", 1)
    return claims
