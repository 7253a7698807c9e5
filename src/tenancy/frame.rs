//! One entered scope. All copies of a context share it, so that its end is seen by all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::rules::{Authority, Refusal, Standing, Subject, permit};

/// An entered scope: its subject never changes, and once dead it stays dead.
///
/// `T` is what the embedding language hangs on it.
#[derive(Debug)]
pub struct Frame<T> {
    subject: Subject,
    attached: T,
    alive: AtomicBool,
    // Replaced only by an ancestor further up, past frames that no longer count.
    parent: Mutex<Option<Arc<Frame<T>>>>,
}

/// What leaving a frame does to the context it is left in.
#[derive(Debug)]
pub enum Successor<T> {
    /// The context is not standing in the frame that was left, or must stay in the dead one.
    Unchanged,
    /// No scope any more.
    Unscoped,
    /// This one is current again.
    Frame(Arc<Frame<T>>),
}

enum Ancestor<T> {
    Root,
    Living(Arc<Frame<T>>),
    /// A dead tenant frame right below a living pre-resolution frame.
    Barred(Arc<Frame<T>>),
}

impl<T> Frame<T> {
    /// Enters a scope for `subject` from the frame `current`.
    pub fn enter(
        current: Option<&Arc<Self>>,
        subject: Subject,
        authority: Authority,
        attached: T,
    ) -> Result<Arc<Self>, Refusal> {
        permit(standing(current), &subject, authority)?;
        if let Some(current) = current {
            current.forget_dead_ancestors();
        }
        Ok(Arc::new(Self {
            subject,
            attached,
            alive: AtomicBool::new(true),
            parent: Mutex::new(current.cloned()),
        }))
    }

    /// Ends the frame for every copy of the context, and says what becomes current in this one.
    pub fn exit(self: &Arc<Self>, current: Option<&Arc<Self>>) -> Successor<T> {
        self.alive.store(false, Ordering::Release);
        match current {
            Some(current) if Arc::ptr_eq(current, self) => self.successor(),
            Some(current) if current.nests_in(self) => {
                if current.is_alive() {
                    current.unlink(self);
                    Successor::Unchanged
                } else {
                    self.successor()
                }
            }
            _ => Successor::Unchanged,
        }
    }

    /// Whether the block is still running.
    pub fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Acquire)
    }

    /// Who the frame works for.
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// What the embedding language hung on the frame.
    pub const fn attached(&self) -> &T {
        &self.attached
    }

    /// Whether `self` was entered, directly or not, inside `outer`.
    pub fn nests_in(&self, outer: &Arc<Self>) -> bool {
        let mut next = self.parent();
        while let Some(frame) = next {
            if Arc::ptr_eq(&frame, outer) {
                return true;
            }
            next = frame.parent();
        }
        false
    }

    fn parent(&self) -> Option<Arc<Self>> {
        self.parent.lock().clone()
    }

    fn successor(&self) -> Successor<T> {
        match self.ancestor() {
            Ancestor::Root => Successor::Unscoped,
            Ancestor::Living(frame) => Successor::Frame(frame),
            Ancestor::Barred(_) => Successor::Unchanged,
        }
    }

    /// The nearest living ancestor. But a task that was handed a tenant scope must not find itself in
    /// the pre-resolution scope around it because the tenant's block ended elsewhere: that way is barred.
    fn ancestor(&self) -> Ancestor<T> {
        let mut dead: Option<Arc<Self>> = None;
        let mut next = self.parent();
        while let Some(frame) = next {
            if frame.is_alive() {
                return match dead {
                    Some(below)
                        if frame.subject == Subject::PreResolution
                            && below.subject != Subject::PreResolution =>
                    {
                        Ancestor::Barred(below)
                    }
                    _ => Ancestor::Living(frame),
                };
            }
            next = frame.parent();
            dead = Some(frame);
        }
        Ancestor::Root
    }

    /// Without this, a task that starts its successor inside its scope would grow the chain for ever.
    fn forget_dead_ancestors(&self) {
        if self.parent().is_none_or(|parent| parent.is_alive()) {
            return;
        }
        let parent = match self.ancestor() {
            Ancestor::Root => None,
            Ancestor::Living(frame) | Ancestor::Barred(frame) => Some(frame),
        };
        // Dropped after the lock is released: the last reference may run foreign code.
        let forgotten = std::mem::replace(&mut *self.parent.lock(), parent);
        drop(forgotten);
    }

    /// Takes `outer`, left before `self` in the same context, out of the chain above `self`.
    fn unlink(self: &Arc<Self>, outer: &Arc<Self>) {
        let mut frame = Arc::clone(self);
        while let Some(parent) = frame.parent() {
            if Arc::ptr_eq(&parent, outer) {
                *frame.parent.lock() = outer.parent();
                return;
            }
            frame = parent;
        }
    }
}

/// Where code stands whose current frame is `current`.
pub fn standing<T>(current: Option<&Arc<Frame<T>>>) -> Standing<'_> {
    match current {
        None => Standing::Unscoped,
        Some(frame) if frame.is_alive() => Standing::In(&frame.subject),
        Some(_) => Standing::Ended,
    }
}

/// May code standing in `current` use a connection that was acquired in `owner`?
///
/// A tenant's connection serves its frame and the frames of the same org inside it, an admin
/// connection serves its own frame alone.
pub fn permit_use<T>(
    owner: &Arc<Frame<T>>,
    current: Option<&Arc<Frame<T>>>,
) -> Result<(), Refusal> {
    if !owner.is_alive() {
        return Err(Refusal::Ended);
    }
    let current = current.ok_or(Refusal::Missing)?;
    if Arc::ptr_eq(owner, current) {
        return Ok(());
    }
    if !current.is_alive() {
        return Err(Refusal::Ended);
    }
    let same_tenant = owner.subject != Subject::PreResolution && owner.subject == current.subject;
    if same_tenant && current.nests_in(owner) { Ok(()) } else { Err(Refusal::OtherFrame) }
}

impl<T> Drop for Frame<T> {
    /// Frees a long chain in a loop: the compiler's own drop would recurse and exhaust the stack.
    fn drop(&mut self) {
        let mut next = self.parent.get_mut().take();
        while let Some(frame) = next {
            next = Arc::into_inner(frame).and_then(|mut frame| frame.parent.get_mut().take());
        }
    }
}
