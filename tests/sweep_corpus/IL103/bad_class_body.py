"""A class body is import time, too."""

import asyncio

from app.db import pool


class Plans:
    ALL = asyncio.run(pool.fetch("SELECT * FROM plans"))
