//! Binds `dedup`.

mod arguments;
mod decision;
mod index;
mod proposal;

pub(super) use decision::DedupDecision;
pub(super) use index::DedupIndex;
pub(super) use proposal::Proposal;
