"""Module level."""

import asyncpg

pool = asyncpg.create_pool()
connection = pool.acquire()
