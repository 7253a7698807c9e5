//! One entered scope. All copies of a context share it, so that its end is seen by all of them.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::rules::{Authority, Refusal, Standing, Subject, permit};

/// A shared reference to a frame: whatever object the embedding language keeps it in.
pub trait Link: Sized {
    /// The frame referred to.
    fn frame(&self) -> &Frame<Self>;
    /// One more reference to the same frame.
    #[must_use]
    fn share(&self) -> Self;
    /// Whether dropping this reference frees the frame.
    fn is_last(&self) -> bool;
    /// Whether both refer to one frame.
    fn is(&self, other: &Self) -> bool {
        std::ptr::eq(self.frame(), other.frame())
    }
}

/// An entered scope: its subject never changes, and once dead it stays dead.
#[derive(Debug)]
pub struct Frame<L: Link> {
    subject: Subject,
    alive: AtomicBool,
    // None for good if it was entered from nowhere: most frames are, and need no lock then. Else
    // replaced only by an ancestor further up, past frames that no longer count.
    parent: Option<Mutex<Option<L>>>,
}

/// What leaving a frame does to the context it is left in.
#[derive(Debug)]
pub enum Successor<L> {
    /// Nothing: the context is not standing in the frame that was left, or must stay in the dead one.
    Unchanged,
    /// This frame is current now, or none.
    Becomes(Option<L>),
}

enum Ancestor<L> {
    Root,
    Living(L),
    /// A dead tenant's frame below a living one for somebody else.
    Barred(L),
}

impl<L: Link> Frame<L> {
    /// Enters a scope for `subject` from the frame `current`.
    pub fn enter(
        current: Option<&L>,
        subject: Subject,
        authority: Authority,
    ) -> Result<Self, Refusal> {
        permit(standing(current), &subject, authority)?;
        if let Some(current) = current {
            current.frame().forget_dead_ancestors();
        }
        let parent = current.map(|current| Mutex::new(Some(current.share())));
        Ok(Self { subject, alive: AtomicBool::new(true), parent })
    }

    /// Whether the block is still running.
    pub fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Acquire)
    }

    /// Who the frame works for.
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Whether `self` was entered, directly or not, inside `outer`.
    pub fn nests_in(&self, outer: &L) -> bool {
        let mut next = self.parent();
        while let Some(link) = next {
            if link.is(outer) {
                return true;
            }
            next = link.frame().parent();
        }
        false
    }

    fn parent(&self) -> Option<L> {
        self.parent.as_ref()?.lock().as_ref().map(L::share)
    }

    fn is_tenant(&self) -> bool {
        matches!(self.subject, Subject::Tenant(_))
    }

    fn successor(&self) -> Successor<L> {
        match self.ancestor() {
            Ancestor::Root => Successor::Becomes(None),
            Ancestor::Living(link) => Successor::Becomes(Some(link)),
            Ancestor::Barred(_) => Successor::Unchanged,
        }
    }

    /// The nearest living ancestor. But a task that was handed a tenant's scope must not find itself in
    /// the scope around it, an administrator's or another tenant's, because the tenant's block ended
    /// elsewhere: that way is barred.
    fn ancestor(&self) -> Ancestor<L> {
        let mut dead_tenants: Vec<L> = Vec::new();
        let mut next = self.parent();
        while let Some(link) = next {
            if link.frame().is_alive() {
                let subject = link.frame().subject();
                let foreign =
                    dead_tenants.into_iter().rfind(|dead| dead.frame().subject() != subject);
                return foreign.map_or(Ancestor::Living(link), Ancestor::Barred);
            }
            next = link.frame().parent();
            if link.frame().is_tenant() {
                dead_tenants.push(link);
            }
        }
        Ancestor::Root
    }

    /// Without this, a task that starts its successor inside its scope would grow the chain for ever.
    fn forget_dead_ancestors(&self) {
        if self.parent().is_none_or(|parent| parent.frame().is_alive()) {
            return;
        }
        self.replace_parent(match self.ancestor() {
            Ancestor::Root => None,
            Ancestor::Living(link) | Ancestor::Barred(link) => Some(link),
        });
    }

    fn replace_parent(&self, parent: Option<L>) {
        if let Some(mine) = &self.parent {
            let forgotten = std::mem::replace(&mut *mine.lock(), parent);
            // After the lock is released: the last reference may run foreign code.
            drop(forgotten);
        }
    }

    fn take_parent(&self) -> Option<L> {
        self.parent.as_ref()?.lock().take()
    }
}

/// Ends the frame `leaving` for every copy of the context, and says what becomes current in the one
/// that stands in `current`.
pub fn exit<L: Link>(leaving: &L, current: Option<&L>) -> Successor<L> {
    leaving.frame().alive.store(false, Ordering::Release);
    match current {
        Some(current) if current.is(leaving) => leaving.frame().successor(),
        Some(current) if current.frame().nests_in(leaving) => {
            if current.frame().is_alive() {
                unlink(current, leaving);
                Successor::Unchanged
            } else {
                leaving.frame().successor()
            }
        }
        _ => Successor::Unchanged,
    }
}

/// Takes `outer`, left before `inner` in the same context, out of the chain above `inner`.
fn unlink<L: Link>(inner: &L, outer: &L) {
    let mut link = inner.share();
    while let Some(parent) = link.frame().parent() {
        if parent.is(outer) {
            link.frame().replace_parent(outer.frame().parent());
            return;
        }
        link = parent;
    }
}

/// Where code stands whose current frame is `current`.
pub fn standing<L: Link>(current: Option<&L>) -> Standing<'_> {
    match current.map(L::frame) {
        None => Standing::Unscoped,
        Some(frame) if frame.is_alive() => Standing::In(&frame.subject),
        Some(_) => Standing::Ended,
    }
}

/// May code standing in `current` use a connection that was acquired in `owner`?
///
/// A tenant's connection serves its frame and the frames of the same org inside it, an admin
/// connection serves its own frame alone.
pub fn permit_use<L: Link>(owner: &L, current: Option<&L>) -> Result<(), Refusal> {
    if !owner.frame().is_alive() {
        return Err(Refusal::Ended);
    }
    let current = current.ok_or(Refusal::Missing)?;
    if current.is(owner) {
        return Ok(());
    }
    if !current.frame().is_alive() {
        return Err(Refusal::Ended);
    }
    let same_tenant = owner.frame().is_tenant() && owner.frame().subject == current.frame().subject;
    if same_tenant && current.frame().nests_in(owner) { Ok(()) } else { Err(Refusal::OtherFrame) }
}

impl<L: Link> Drop for Frame<L> {
    /// Frees a long chain in a loop: the compiler's own drop would recurse and exhaust the stack.
    fn drop(&mut self) {
        let mut next = self.take_parent();
        while let Some(link) = next {
            next = if link.is_last() { link.frame().take_parent() } else { None };
        }
    }
}
