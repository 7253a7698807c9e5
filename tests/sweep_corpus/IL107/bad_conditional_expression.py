"""A conditional expression."""


def org_of(user):
    return user.org_id if user.org_id is not None else 1
