//! What a tool's options and verbs mean, compiled from the data files.

use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::{HashMap, HashSet};
use serde::Deserialize;

use super::action::VerbClass;

/// How a tool's option parser reads words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Syntax {
    /// Go's pflag: `--o=v`, `--o v`, `-ov`, `-o=v`, `-o v`, clusters, `--flag=false`.
    #[default]
    Pflag,
    /// GNU `getopt_long`: `-o=v` gives `=v`; long names may be abbreviated where one option alone begins so.
    Getopt,
    /// No clusters and no attached short values (git's own options, commander).
    Plain,
}

/// Whether an option takes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arity {
    /// Attached or in the next word.
    Value,
    /// Never.
    Flag,
    /// Only attached.
    Optional,
    /// The next word, unless it starts with `-`.
    Greedy,
}

/// How an option enters the scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ScopeRule {
    /// Under this key, the last one counts.
    Last(String),
    /// Under this key, all count in order.
    All(String),
    /// Under this key, each a path relative to the one before.
    Path(String),
    /// The presence of the option means this key and value.
    Constant(String, String),
}

impl ScopeRule {
    pub(super) fn key(&self) -> &str {
        match self {
            Self::Last(key) | Self::All(key) | Self::Path(key) | Self::Constant(key, _) => key,
        }
    }
}

/// What an option means beyond its arity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing that concerns verb or target.
    #[default]
    None,
    /// It says where the target lives.
    Scope(ScopeRule),
    /// It selects targets at run time (`--all`, `--selector`, `--filename`).
    Select,
    /// Its value is the target (`docker run --name`).
    Name,
    /// The command only prints its usage.
    Help,
}

/// One option under all its spellings.
#[derive(Clone, Debug)]
pub(super) struct OptionSpec {
    pub(super) arity: Arity,
    pub(super) effect: Effect,
    /// All spellings, shared by the entries of the table.
    pub(super) spellings: Arc<[String]>,
}

/// The options of one level, by spelling.
#[derive(Clone, Debug, Default)]
pub(super) struct OptionTable(HashMap<String, OptionSpec>);

impl OptionTable {
    /// Adds one option; `false` if a spelling is already there.
    pub(super) fn insert(&mut self, spellings: &[&str], arity: Arity) -> bool {
        if spellings.iter().any(|spelling| self.0.contains_key(*spelling)) {
            return false;
        }
        let all: Arc<[String]> = spellings.iter().map(|&spelling| spelling.to_owned()).collect();
        for &spelling in spellings {
            let spec = OptionSpec { arity, effect: Effect::None, spellings: all.clone() };
            self.0.insert(spelling.to_owned(), spec);
        }
        true
    }

    /// Takes over all options of `other`, which win.
    pub(super) fn extend(&mut self, other: &Self) {
        self.0.extend(other.0.iter().map(|(spelling, spec)| (spelling.clone(), spec.clone())));
    }

    /// Gives the option that has this spelling an effect; `false` if there is none.
    pub(super) fn set_effect(&mut self, spelling: &str, effect: &Effect) -> bool {
        let Some(spellings) = self.0.get(spelling).map(|spec| spec.spellings.clone()) else {
            return false;
        };
        for each in &*spellings {
            if let Some(spec) = self.0.get_mut(each) {
                spec.effect = effect.clone();
            }
        }
        true
    }

    pub(super) fn get(&self, spelling: &str) -> Option<&OptionSpec> {
        self.0.get(spelling)
    }

    /// The options that have a spelling with this beginning.
    pub(super) fn starting(&self, beginning: &str) -> impl Iterator<Item = &OptionSpec> {
        self.0.iter().filter(move |(spelling, _)| spelling.starts_with(beginning)).map(|(_, s)| s)
    }

    /// Whether no option says what the command acts on.
    pub(super) fn is_inert(&self) -> bool {
        self.0.values().all(|spec| matches!(spec.effect, Effect::None | Effect::Help))
    }
}

/// Which operands of a verb are its targets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Target {
    /// None of them.
    #[default]
    None,
    /// All of them.
    Every,
    /// All of them; without any, everything in the scope.
    EveryOrWhole,
    /// Everything in the scope, whatever the operands are.
    Whole,
    /// The first one; the others are its parameters.
    First,
    /// All but the first one.
    AfterFirst,
    /// The first of at least two: `helm install [NAME] CHART`.
    FirstOfTwo,
    /// The part before `=` of each: `web=3`.
    Assignment,
    /// The part before `:` of the one that has it: `web:/path`.
    CopySource,
    /// The same of kubectl: `pod:/path`, `namespace/pod:/path`.
    CopyPod,
    /// kubectl `TYPE NAME…`, `TYPE/NAME…`.
    Resource,
    /// The same, with a parameter as the last operand.
    ResourceBeforeLast,
    /// kubectl `TYPE/NAME` or a bare pod, first operand only.
    Pod,
    /// kubectl nodes.
    Node,
    /// A kubectl object of the kind named by the verb's `kind`.
    Named,
    /// The same, behind a word that belongs to the verb.
    NamedAfterFirst,
    /// systemd units.
    Unit,
    /// The first operand is a systemd unit.
    FirstUnit,
    /// systemd units; one without suffix is a `.target`.
    Milestone,
    /// The same, first operand only.
    FirstMilestone,
    /// pm2: a name, an id or a script file.
    Script,
    /// supervisor `group:process`.
    Program,
    /// supervisor, after the first operand.
    ProgramAfterFirst,
}

/// One verb of a tool.
#[derive(Debug)]
pub(super) struct Verb {
    pub(super) name: String,
    pub(super) class: VerbClass,
    /// What the targets are, where that is not what the tool manages first of all.
    pub(super) kind: String,
    pub(super) target: Target,
    pub(super) options: OptionTable,
    /// The first operand ends the options: what follows is somebody else's command line.
    pub(super) stops_at_operand: bool,
}

/// A tool's whole command line.
#[derive(Debug)]
pub(super) struct Grammar {
    pub(super) tool: String,
    /// The names of the executable, each with the tool it stands for.
    pub(super) names: BTreeMap<String, String>,
    pub(super) syntax: Syntax,
    /// The working directory decides which objects are meant.
    pub(super) uses_directory: bool,
    /// The user who runs the tool decides which objects are meant: `always`, or only together with
    /// this scope key.
    pub(super) per_user: Option<String>,
    /// `service NAME VERB`.
    pub(super) verb_follows_target: bool,
    /// What stands behind `--` is for the script that is started.
    pub(super) script_after_dashes: bool,
    /// Scope keys that name everything a verb without operands acts on: a compose project.
    pub(super) whole: Vec<String>,
    /// First words that are another tool's command line (`docker compose`).
    pub(super) delegates: HashMap<String, String>,
    /// Options accepted before the verb only.
    pub(super) before: OptionTable,
    /// Options accepted before and after the verb.
    pub(super) anywhere: OptionTable,
    /// Environment variables that set a scope key.
    pub(super) environment: BTreeMap<String, ScopeRule>,
    pub(super) verbs: HashMap<String, Arc<Verb>>,
    /// First words of two-word verbs.
    pub(super) groups: HashSet<String>,
    /// kubectl resource types: any spelling to the singular and its API group.
    pub(super) kinds: HashMap<String, (String, String)>,
}
