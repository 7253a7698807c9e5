"""arq's functions, each in the scope of the org it is given."""

from interlock.tenancy import pre_org_resolution_scope, tenant_scope


async def send_mail(ctx, org_id, user):
    async with tenant_scope(org_id):
        return await ctx["pools"].fetchrow("SELECT * FROM users WHERE id = $1", user)


@pre_org_resolution_scope("nightly")
async def nightly(ctx):
    await ctx["pools"].execute("DELETE FROM sessions")


class WorkerSettings:
    functions = [send_mail, nightly]
