"""Shut-down runs without a request too."""

from fastapi import FastAPI


def create_app() -> FastAPI:
    app = FastAPI()

    @app.on_event("shutdown")
    async def flush() -> None:
        await app.state.pool.execute("DELETE FROM sessions")

    return app
