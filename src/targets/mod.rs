//! Verb and target of an operations command.
//!
//! A parsed command line goes through these steps, one module each:
//!
//! * [`argument`]: what is known about one word before the command runs
//! * [`script`]: the simple commands of a line, with the variables and the directory they run in
//! * [`wrapper`]: `sudo`, `env`, `timeout`, `sh -c` … taken off until the tool is in front ([`meaning`]: what
//!   their options change for it)
//! * [`grammar`]: what a tool's options and verbs mean, read from data files by [`schema`]
//! * [`option`]: one pass over options and operands
//! * [`invocation`]: global options, verb, verb options, operands
//! * [`operand`]: which operands the verb acts on, named as the tool means them
//! * [`action`]: the result and its logical keys
//! * [`registry`]: the built-in grammars and the ones registered by users ([`pattern`]: as a regex)
//!
//! Nothing here guesses: an unknown option, or an expansion where the target should stand, makes
//! the action [`dynamic`](Action::dynamic), without targets.

mod action;
mod argument;
mod grammar;
mod invocation;
mod kubernetes;
mod meaning;
mod operand;
mod option;
mod pattern;
mod registry;
mod schema;
mod script;
mod setting;
mod systemd;
mod wrapper;

use foldhash::HashSet;

pub use action::{Action, Object, Objects, Scope, ScopeValue, VerbClass};
pub use registry::{MAX_REGISTERED, register, unregister};
pub use schema::GrammarError;

/// Every operations command found in `command`, in the order in which they are written.
///
/// A command outside the constructs that the shell parser accepts has no actions.
pub fn actions(command: &str) -> Vec<Action<'static>> {
    let mut found = Vec::new();
    script::each_action(command, |action| found.push(action.into_owned()));
    found
}

/// The logical keys of every operations command found in `command`, in that order, each once.
pub fn logical_keys(command: &str) -> Vec<String> {
    let mut keys = Vec::new();
    script::each_action(command, |action| keys.extend(action.logical_keys()));
    if keys.len() > 1 {
        let mut seen = HashSet::default();
        keys.retain(|key| seen.insert(key.clone()));
    }
    keys
}

/// The first logical key of `command`, if any of its actions has a known target.
pub fn first_logical_key(command: &str) -> Option<String> {
    logical_keys(command).into_iter().next()
}
