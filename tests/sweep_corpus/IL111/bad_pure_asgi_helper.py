"""The loud line is in a helper of another module."""

# --- app/__init__.py
# --- app/reporting.py
import structlog

log = structlog.get_logger()


def report(error):
    log.error("request_failed", error=str(error))


# --- app/middleware.py
from .reporting import report


class Errors:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        try:
            await self.app(scope, receive, send)
        except Exception as error:
            report(error)
            raise
