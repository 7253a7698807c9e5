//! The built-in grammars, and those that users register.

use std::sync::{Arc, LazyLock};

use foldhash::HashMap;
use parking_lot::RwLock;

use super::action::Action;
use super::grammar::Grammar;
use super::pattern::Pattern;
use super::schema::{self, GrammarError};

/// Most grammars that may be registered at a time.
pub const MAX_REGISTERED: usize = 64;

/// The texts of the built-in grammars.
const BUILT_IN: [&str; 11] = [
    include_str!("grammars/docker.toml"),
    include_str!("grammars/compose.toml"),
    include_str!("grammars/podman.toml"),
    include_str!("grammars/nerdctl.toml"),
    include_str!("grammars/kubectl.toml"),
    include_str!("grammars/systemctl.toml"),
    include_str!("grammars/service.toml"),
    include_str!("grammars/helm.toml"),
    include_str!("grammars/pm2.toml"),
    include_str!("grammars/supervisorctl.toml"),
    include_str!("grammars/git.toml"),
];

static TOOLS: LazyLock<Tools> = LazyLock::new(|| {
    #[allow(clippy::expect_used)]
    // Our own data files: a test loads them, input cannot change them.
    Tools::load(&BUILT_IN).expect("the built-in grammars are valid")
});

static REGISTERED: RwLock<Vec<Registered>> = RwLock::new(Vec::new());

/// Grammars by the name of their executable and by their tool.
struct Tools {
    by_executable: HashMap<String, (Arc<Grammar>, String)>,
    by_tool: HashMap<String, Arc<Grammar>>,
}

impl Tools {
    fn load(texts: &[&str]) -> Result<Self, GrammarError> {
        let mut tools = Self { by_executable: HashMap::default(), by_tool: HashMap::default() };
        for text in texts {
            let grammar = Arc::new(schema::parse(text)?);
            for (executable, tool) in &grammar.names {
                tools.by_executable.insert(executable.clone(), (grammar.clone(), tool.clone()));
            }
            tools.by_tool.insert(grammar.tool.clone(), grammar);
        }
        Ok(tools)
    }
}

/// A user's grammar under the name by which it is replaced and removed.
#[derive(Clone)]
struct Registered {
    name: String,
    form: Form,
}

#[derive(Clone)]
enum Form {
    Table(Arc<Grammar>),
    Pattern(Arc<Pattern>),
}

/// All grammars as of one moment, so that one command line is read by one set of them.
pub(super) struct Registry(Vec<Registered>);

impl Registry {
    pub(super) fn current() -> Self {
        Self(REGISTERED.read().clone())
    }

    /// The grammar of an executable and the tool it stands for; a registered one goes first.
    pub(super) fn executable(&self, name: &str) -> Option<(&Grammar, &str)> {
        let registered = self
            .tables()
            .find_map(|grammar| grammar.names.get(name).map(|tool| (grammar, tool.as_str())));
        registered.or_else(|| {
            TOOLS.by_executable.get(name).map(|(grammar, tool)| (&**grammar, tool.as_str()))
        })
    }

    /// The grammar of a tool that another one delegates to.
    pub(super) fn grammar(&self, tool: &str) -> Option<&Grammar> {
        let registered = self.tables().find(|grammar| grammar.tool == tool);
        registered.or_else(|| TOOLS.by_tool.get(tool).map(|grammar| &**grammar))
    }

    /// Whether a variable of the environment belongs to the scope of some tool.
    pub(super) fn reads(&self, variable: &str) -> bool {
        let mut grammars = TOOLS.by_tool.values().map(|grammar| &**grammar).chain(self.tables());
        grammars.any(|grammar| grammar.environment.contains_key(variable))
    }

    /// What the first pattern that matches says.
    pub(super) fn matched(&self, command: &str) -> Option<Action<'static>> {
        self.0.iter().find_map(|registered| match &registered.form {
            Form::Pattern(pattern) => pattern.read(command),
            Form::Table(_) => None,
        })
    }

    /// Whether a command has to be joined for patterns at all.
    pub(super) fn has_patterns(&self) -> bool {
        self.0.iter().any(|registered| matches!(registered.form, Form::Pattern(_)))
    }

    fn tables(&self) -> impl Iterator<Item = &Grammar> {
        self.0.iter().filter_map(|registered| match &registered.form {
            Form::Table(grammar) => Some(&**grammar),
            Form::Pattern(_) => None,
        })
    }
}

/// Adds a grammar: a TOML table, or a regular expression with the groups `verb` and `target`.
///
/// Returns the name it is known by: the tool of a table, the text of a pattern. One of the same
/// name is replaced.
pub fn register(text: &str) -> Result<String, GrammarError> {
    let (name, form) = if is_pattern(text) {
        (text.to_owned(), Form::Pattern(Arc::new(Pattern::new(text)?)))
    } else {
        let grammar = schema::parse(text)?;
        (grammar.tool.clone(), Form::Table(Arc::new(grammar)))
    };
    let mut registered = REGISTERED.write();
    registered.retain(|one| one.name != name);
    if registered.len() >= MAX_REGISTERED {
        let message = format!("{MAX_REGISTERED} grammars are registered: unregister one first");
        return Err(GrammarError::new("registry", message));
    }
    registered.push(Registered { name: name.clone(), form });
    Ok(name)
}

/// Removes a registered grammar by its name: was it there?
pub fn unregister(name: &str) -> bool {
    let mut registered = REGISTERED.write();
    let before = registered.len();
    registered.retain(|one| one.name != name);
    registered.len() != before
}

/// A text with a group named `verb` or `target` is a pattern; in a table that could only stand in
/// a string, where it means nothing.
fn is_pattern(text: &str) -> bool {
    ["verb", "target"].iter().any(|group| {
        text.contains(&format!("(?P<{group}>")) || text.contains(&format!("(?<{group}>"))
    })
}
