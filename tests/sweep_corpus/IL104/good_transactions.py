"""Transactions of every spelling."""

from contextlib import AsyncExitStack, asynccontextmanager


async def one_with(pool, org):
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        await connection.execute("SELECT set_config('app.current_org_id', $1, true)", org)


async def pools_transaction(pools):
    async with pools.transaction() as connection:
        await connection.execute("SET LOCAL statement_timeout = '1s'")


async def by_hand(pool):
    connection = await pool.acquire()
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("SET LOCAL statement_timeout = '1s'")
    await transaction.commit()


async def by_statement(pool):
    async with pool.acquire() as connection:
        await connection.execute("BEGIN")
        await connection.execute("SET LOCAL statement_timeout = '1s'")
        await connection.execute("COMMIT")


async def in_one_message(pool):
    async with pool.acquire() as connection:
        await connection.execute("BEGIN; SET LOCAL statement_timeout = '1s'; SELECT 1; COMMIT")


async def on_a_stack(pool):
    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(pool.acquire())
        await stack.enter_async_context(connection.transaction())
        await connection.execute("SET LOCAL statement_timeout = '1s'")


async def set_org(connection, org):
    await connection.execute("SELECT set_config('app.current_org_id', $1, true)", org)


async def caller(pool, org):
    async with pool.acquire() as connection:
        async with connection.transaction():
            await set_org(connection, org)


@asynccontextmanager
async def unit_of_work(pool):
    async with pool.acquire() as connection:
        async with connection.transaction():
            yield connection


async def through_manager(pool):
    async with unit_of_work(pool) as connection:
        await connection.execute("SET LOCAL statement_timeout = '1s'")
