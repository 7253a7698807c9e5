//! The members of one object, put in order where they stand.

use std::cmp::Ordering;
use std::ops::Range;

use crate::hashing::json::order::utf16_order;

/// A member that has been written to the output.
pub(super) struct Member {
    /// Its decoded name, as a range of all names.
    pub(super) name: Range<usize>,
    /// Where it begins in the output: at the quote of its name.
    pub(super) begin: usize,
    /// Where it ends in the output.
    pub(super) end: usize,
    /// Where its name begins in the text.
    pub(super) place: usize,
}

/// Puts adjoining members, separated by one comma each, in the order of their names.
///
/// Returns the second of two members with one name, if there is such a pair.
pub(super) fn order(
    members: &mut [Member],
    names: &str,
    out: &mut [u8],
    scratch: &mut Vec<u8>,
) -> Option<Member> {
    let compare = |left: &Member, right: &Member| {
        utf16_order(&names[left.name.clone()], &names[right.name.clone()])
    };
    let is_ordered = members.is_sorted_by(|left, right| compare(left, right) == Ordering::Less);
    let (Some(begin), Some(end), false) = (
        members.first().map(|member| member.begin),
        members.last().map(|member| member.end),
        is_ordered,
    ) else {
        return None;
    };
    members.sort_by(compare);
    let repeated = members.windows(2).find(|pair| compare(&pair[0], &pair[1]) == Ordering::Equal);
    if let Some([_, again]) = repeated {
        return Some(Member { name: again.name.clone(), ..*again });
    }
    scratch.clear();
    for member in &*members {
        if !scratch.is_empty() {
            scratch.push(b',');
        }
        scratch.extend_from_slice(&out[member.begin..member.end]);
    }
    out[begin..end].copy_from_slice(scratch);
    None
}
