"""LISTEN calls back in the context of the socket."""


class Outbox:
    def __init__(self, pool):
        self.pool = pool

    async def listen(self, connection):
        await connection.add_listener("outbox", self.on_notify)

    async def on_notify(self, connection, pid, channel, payload):
        await self.pool.execute("UPDATE outbox SET sent = true WHERE id = $1", payload)
