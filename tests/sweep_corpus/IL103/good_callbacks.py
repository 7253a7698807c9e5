"""Callbacks that work on the connection they are given."""

import json

import asyncpg


async def init(connection):
    await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
    await connection.execute("SET statement_timeout = '5s'")
    await connection.fetch("SELECT 1")


async def connect(*args, **kwargs):
    return await asyncpg.connect(*args, **kwargs)


async def boot(settings):
    return await asyncpg.create_pool(settings.dsn, init=init, connect=connect)


if __name__ == "__main__":
    print("import runs nothing")
