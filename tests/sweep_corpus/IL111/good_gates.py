"""Gates of every spelling."""

import logging

from fastapi import FastAPI
from interlock.gates import GateFilter, Gates, fire_once, should_emit

logger = logging.getLogger(__name__)
filtered = logging.getLogger("app.filtered")
gates = Gates()
gate = gates.window("failed", 10, 60)
once = gates.fire_once("down")
filtered.addFilter(GateFilter(gate))
app = FastAPI()


@app.exception_handler(OSError)
async def with_if(request, error):
    if gate.allow() and error.errno:
        logger.error("failed")


@app.exception_handler(KeyError)
async def with_check(request, error):
    if decision := gate.check(request.client.host):
        logger.error("failed", extra={"suppressed": decision.suppressed_before})


@app.exception_handler(ValueError)
async def with_functions(request, error):
    if should_emit("value", 1, 1000):
        logger.error("failed")
    fire_once("x") and logger.critical("first")


@app.exception_handler(LookupError)
async def with_transition(request, error):
    async with once.transition() as fired:
        if fired:
            logger.critical("down")


@app.exception_handler(RuntimeError)
async def with_return(request, error):
    if not gate.allow():
        return
    logger.exception("failed")


@app.exception_handler(TypeError)
async def with_filter(request, error):
    filtered.error("failed")


class Middleware:
    def __init__(self, app):
        self.app = app
        self._reported = False
        if app is None:
            logger.error("no application")

    async def __call__(self, scope, receive, send):
        try:
            await self.app(scope, receive, send)
        except OSError as error:
            self.report(error)
            raise

    def report(self, error):
        allowed = gate.allow()
        if allowed:
            logger.error("failed")
        logger.warning("quiet enough")
