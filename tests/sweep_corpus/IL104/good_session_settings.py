"""Settings of the session, function bodies, and drivers that begin a transaction themselves."""

import psycopg


async def session(pool):
    async with pool.acquire() as connection:
        await connection.execute("SELECT set_config('app.zone', $1, false)", "UTC")
        await connection.execute("SET statement_timeout = 5")


async def function_body(pool):
    await pool.execute(
        """CREATE FUNCTION enter(org text) RETURNS void AS $$
        BEGIN PERFORM set_config('app.current_org_id', org, true); END $$ LANGUAGE plpgsql"""
    )


def other_driver(dsn):
    with psycopg.connect(dsn) as connection:
        connection.execute("SET LOCAL statement_timeout = 5")
