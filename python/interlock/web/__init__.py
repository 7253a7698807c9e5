"""Pure-ASGI middleware and FastAPI dependencies."""
