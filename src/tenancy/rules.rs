//! Which scope may be entered from which: the whole table, as one pure function.

use super::org::OrgId;
use thiserror::Error;

/// Who a scope is opened for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// One tenant.
    Tenant(OrgId),
    /// No org yet, or all of them: the admin pool.
    PreResolution,
}

/// Where the current code stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing<'a> {
    /// No scope was ever entered, or all were left.
    Unscoped,
    /// In a scope whose block has ended.
    Ended,
    /// In a living scope.
    In(&'a Subject),
}

/// What the request carries to be let out of a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// Nothing: the ordinary case.
    Ordinary,
    /// A break-glass capability made at start-up.
    BreakGlass,
}

/// Why a scope may not be entered or a connection not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// There is no scope.
    #[error(
        "no tenant scope here: wrap the caller in tenant_scope(org_id), or in \
         pre_org_resolution_scope(reason) if it works before or across tenants (lifespan start-up, daemons, \
         login). A scope opened in a thread, or in a sync `yield` dependency, does not reach its caller: \
         use interlock.web.TenantMiddleware or scoped()"
    )]
    Missing,
    /// The scope is over.
    #[error(
        "this scope has ended: its block was left while a task, thread or connection still used it. Await the \
         work inside the block, or start it with spawn_scoped()"
    )]
    Ended,
    /// Two tenants, or two frames, at once.
    #[error(
        "inside one tenant's scope no other tenant's may be entered: leave the scope first, or start from \
         pre_org_resolution_scope(reason)"
    )]
    OtherTenant,
    /// A connection of another frame.
    #[error(
        "this connection was acquired in another scope: acquire one in the current scope, and keep an admin \
         connection in the very block that acquired it"
    )]
    OtherFrame,
    /// From a tenant to all tenants.
    #[error(
        "pre_org_resolution_scope inside a tenant scope is an escalation: do cross-tenant work before the \
         scope is entered, or pass capability=, a BreakGlass made at start-up"
    )]
    Escalation,
}

/// May code standing at `current` enter a scope for `requested`?
pub fn permit(
    current: Standing<'_>,
    requested: &Subject,
    authority: Authority,
) -> Result<(), Refusal> {
    match (current, requested) {
        (Standing::Ended, _) => Err(Refusal::Ended),
        (Standing::Unscoped | Standing::In(Subject::PreResolution), _) => Ok(()),
        (Standing::In(Subject::Tenant(org)), Subject::Tenant(requested)) if org == requested => {
            Ok(())
        }
        (Standing::In(Subject::Tenant(_)), Subject::Tenant(_)) => Err(Refusal::OtherTenant),
        (Standing::In(Subject::Tenant(_)), Subject::PreResolution) => match authority {
            Authority::BreakGlass => Ok(()),
            Authority::Ordinary => Err(Refusal::Escalation),
        },
    }
}
