"""Ids that are no tenants, and comparisons with a constant."""


def page(user_id: int = 1, page_id: int = 1, reorg_id: int = 3):
    return user_id or 1


def is_demo(org_id: int) -> bool:
    return org_id == 1 or org_id in {2, 3}


def label(org_id: int | None) -> str:
    return f"org {org_id}" if org_id is not None else "no org"
