"""The worker's decorator above, the project's scope decorator below."""

import functools

from celery import shared_task
from interlock.tenancy import pre_org_resolution_scope


def as_system(function):
    @functools.wraps(function)
    def inside(*args, **kwargs):
        with pre_org_resolution_scope(function.__name__):
            return function(*args, **kwargs)

    return inside


@shared_task
@as_system
def rebuild():
    loop.run_until_complete(pool.execute("SELECT rebuild()"))
