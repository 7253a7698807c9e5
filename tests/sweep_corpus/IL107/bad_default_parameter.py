"""Default parameter."""


async def read(org_id: int = 1):
    pass
