//! Reads one tool's command line: global options, verb, verb options, operands.

use std::borrow::Cow;

use super::action::{Action, Object, Objects, Scope, ScopeValue, VerbClass};
use super::argument::Argument;
use super::grammar::{Effect, Grammar, ScopeRule, Target, Verb};
use super::operand;
use super::option::{Operands, Reader, Seen, Unclear, Value};
use super::registry::Registry;
use super::setting::{Known, Setting, joined};

/// Longest scope in bytes that keys may carry: each key repeats it.
const MAX_SCOPE: usize = 4096;

/// The action of `tool` with these words behind it; `None` if no verb is asked for.
pub(super) fn read<'w>(
    registry: &'w Registry,
    grammar: &'w Grammar,
    tool: &'w str,
    words: &'w [Argument<'w>],
    setting: &Setting,
) -> Option<Action<'w>> {
    let mut line = Line { grammar, tool: tool.into(), verb: None, meaning: Meaning::default() };
    let found = line.read(registry, words);
    if found.is_ok() && line.verb.is_none() {
        return None;
    }
    Some(line.action(found, setting))
}

/// What the options seen so far say.
#[derive(Default)]
struct Meaning {
    scope: Scope,
    scope_unknown: bool,
    selects: bool,
    help: bool,
    name: Option<Value>,
}

/// A command line on the way to its action.
struct Line<'w> {
    grammar: &'w Grammar,
    tool: Cow<'w, str>,
    verb: Option<Asked<'w>>,
    meaning: Meaning,
}

/// The verb asked for; without a meaning if the grammar does not know it.
struct Asked<'w> {
    name: Cow<'w, str>,
    known: Option<&'w Verb>,
}

impl<'w> Line<'w> {
    fn read(
        &mut self,
        registry: &'w Registry,
        words: &'w [Argument<'w>],
    ) -> Result<Objects<'w>, Unclear> {
        let mut words = words;
        let mut delegated = false;
        loop {
            self.leading_options(&mut words)?;
            let Some((first, rest)) = words.split_first() else {
                return Ok(Objects::new());
            };
            if self.grammar.verb_follows_target {
                return self.verb_after_target(words);
            }
            let first = first.literal().ok_or(Unclear)?;
            words = rest;
            // Once is enough, and a registered grammar may delegate to itself.
            let inner = self.grammar.delegates.get(first).filter(|_| !delegated);
            let Some(inner) = inner.and_then(|tool| registry.grammar(tool)) else {
                return self.verb_and_operands(first, words);
            };
            delegated = true;
            self.tool = format!("{} {first}", self.tool).into();
            self.grammar = inner;
        }
    }

    /// Options in front of the verb.
    fn leading_options(&mut self, words: &mut &[Argument<'_>]) -> Result<(), Unclear> {
        let grammar = self.grammar;
        let tables = [&grammar.before, &grammar.anywhere];
        let mut seen = Vec::new();
        let read = Reader { tables: &tables, syntax: grammar.syntax }.leading(words, &mut seen);
        self.meaning.take(seen);
        read
    }

    /// `service NAME VERB`.
    fn verb_after_target(&mut self, words: &'w [Argument<'w>]) -> Result<Objects<'w>, Unclear> {
        let (target, rest) = words.split_first().ok_or(Unclear)?;
        let Some(verb) = rest.first() else {
            return Ok(Objects::new());
        };
        let verb = self.ask(verb.literal().ok_or(Unclear)?.into()).ok_or(Unclear)?;
        operand::objects(self.grammar, verb, &[target])
    }

    fn verb_and_operands(
        &mut self,
        first: &'w str,
        words: &'w [Argument<'w>],
    ) -> Result<Objects<'w>, Unclear> {
        let mut words = words;
        let Some(path) = self.verb_path(first, &mut words)? else {
            return Ok(Objects::new());
        };
        let verb = self.ask(path).ok_or(Unclear)?;
        let operands = self.operands(verb, words)?;
        match self.meaning.name.take() {
            Some(Value::Known(name)) => {
                Ok(Objects::from_iter([operand::named(verb, &name).into_owned()]))
            }
            Some(_) => Err(Unclear),
            None => operand::objects(self.grammar, verb, &operands),
        }
    }

    /// The verb in one word or two, taken off `words`; `None` if only its first word is there, for
    /// which tools print their usage.
    fn verb_path(
        &mut self,
        first: &'w str,
        words: &mut &[Argument<'_>],
    ) -> Result<Option<Cow<'w, str>>, Unclear> {
        let grammar = self.grammar;
        if !grammar.groups.contains(first) {
            return Ok(Some(first.into()));
        }
        let (mut ahead, mut seen) = (*words, Vec::new());
        let tables = [&grammar.anywhere];
        let read =
            Reader { tables: &tables, syntax: grammar.syntax }.leading(&mut ahead, &mut seen);
        let second = ahead.split_first().filter(|_| read.is_ok());
        let longer = second.and_then(|(word, _)| Some(format!("{first} {}", word.literal()?)));
        let stands_alone = grammar.verbs.contains_key(first);
        match (longer, second) {
            (Some(longer), Some((_, rest)))
                if !stands_alone || grammar.verbs.contains_key(&longer) =>
            {
                self.meaning.take(seen);
                *words = rest;
                Ok(Some(longer.into()))
            }
            _ if stands_alone => Ok(Some(first.into())),
            (_, None) if read.is_ok() => Ok(None),
            _ => Err(Unclear),
        }
    }

    /// Notes the verb asked for, and returns what the grammar knows of it.
    fn ask(&mut self, path: Cow<'w, str>) -> Option<&'w Verb> {
        let known = self.grammar.verbs.get(&*path).map(|verb| &**verb);
        let name = known.map_or(path, |verb| Cow::Borrowed(&*verb.name));
        self.verb = Some(Asked { name, known });
        known
    }

    fn operands(
        &mut self,
        verb: &Verb,
        words: &'w [Argument<'w>],
    ) -> Result<Operands<'w>, Unclear> {
        let grammar = self.grammar;
        let tables = [&verb.options, &grammar.anywhere];
        let ours = words.iter().position(|word| word.literal() == Some("--"));
        let words = match ours.filter(|_| grammar.script_after_dashes) {
            Some(end) => &words[..end],
            None => words,
        };
        let reader = Reader { tables: &tables, syntax: grammar.syntax };
        let mut seen = Vec::new();
        let operands = if verb.stops_at_operand {
            let mut words = words;
            reader.leading(&mut words, &mut seen).map(|()| words.iter().collect())
        } else {
            reader.interspersed(words, &mut seen)
        };
        self.meaning.take(seen);
        // Where no word behind the verb says what it acts on, none has to be understood.
        if verb.target == Target::Whole && tables.iter().all(|table| table.is_inert()) {
            return Ok(operands.unwrap_or_default());
        }
        operands
    }

    fn action(mut self, found: Result<Objects<'w>, Unclear>, setting: &Setting) -> Action<'w> {
        self.meaning.take_setting(self.grammar, setting);
        self.meaning.refuse_long_scope();
        let meaning = self.meaning;
        let unclear = found.is_err() || meaning.scope_unknown || setting.reads_operands;
        let dynamic = !meaning.help && (unclear || meaning.selects);
        let mut objects = match found {
            Ok(objects) if !dynamic && !meaning.help => objects,
            _ => Objects::new(),
        };
        let (verb, known) =
            self.verb.map_or((Cow::default(), None), |asked| (asked.name, asked.known));
        let acts_on_whole = objects.is_empty()
            && !dynamic
            && !meaning.help
            && known.is_some_and(|verb| verb.target.may_be_whole())
            && self.grammar.whole.iter().any(|key| meaning.scope.contains_key(key));
        if acts_on_whole {
            objects.push(Object { name: None, key: "*".into() });
        }
        Action {
            tool: self.tool,
            verb,
            verb_class: known.map_or(VerbClass::Other, |verb| verb.class),
            objects,
            scope: meaning.scope,
            dynamic,
        }
    }
}

impl Target {
    fn may_be_whole(self) -> bool {
        matches!(self, Self::EveryOrWhole | Self::Whole)
    }
}

impl Meaning {
    fn take(&mut self, seen: Vec<Seen<'_>>) {
        for Seen { spec, value } in seen {
            match &spec.effect {
                Effect::None => {}
                Effect::Select => self.selects = true,
                Effect::Help => self.help = true,
                Effect::Name => self.name = Some(value),
                Effect::Scope(rule) => match value {
                    Value::Known(text) => self.take_scope(rule, text),
                    Value::Absent => self.take_scope(rule, String::new()),
                    Value::Expanded(_) => self.scope_unknown = true,
                },
            }
        }
    }

    fn take_scope(&mut self, rule: &ScopeRule, text: String) {
        let before = self.scope.remove(rule.key());
        let value = match (rule, before) {
            (ScopeRule::Constant(_, value), _) => ScopeValue::One(value.clone()),
            (ScopeRule::All(_), Some(ScopeValue::Many(mut values))) => {
                values.push(text);
                ScopeValue::Many(values)
            }
            (ScopeRule::All(_), _) => ScopeValue::Many(vec![text]),
            (ScopeRule::Path(_), Some(ScopeValue::One(base))) => {
                ScopeValue::One(joined(&base, &text))
            }
            (ScopeRule::Last(_) | ScopeRule::Path(_), _) => ScopeValue::One(text),
        };
        self.scope.insert(rule.key().to_owned(), value);
    }

    /// Variables, directory and user count where no option overrides them.
    fn take_setting(&mut self, grammar: &Grammar, setting: &Setting) {
        for (variable, rule) in &grammar.environment {
            if self.scope.contains_key(rule.key()) {
                continue;
            }
            match setting.variables.get(variable) {
                Some(Known::Text(text)) if !text.is_empty() => match rule {
                    ScopeRule::All(_) => {
                        text.split(':').for_each(|part| self.take_scope(rule, part.to_owned()));
                    }
                    _ => self.take_scope(rule, text.clone()),
                },
                Some(Known::Unknown) => self.scope_unknown = true,
                Some(Known::Text(_)) | None => {}
            }
        }
        if grammar.uses_directory {
            self.take_directory(setting.directory.as_ref());
        }
        let user_matters = grammar
            .per_user
            .as_ref()
            .is_some_and(|key| key == "always" || self.scope.contains_key(key));
        match &setting.user {
            Some(Known::Text(user)) if user_matters => {
                self.scope.insert("user".to_owned(), ScopeValue::One(user.clone()));
            }
            Some(Known::Unknown) if user_matters => self.scope_unknown = true,
            _ => {}
        }
    }

    /// No host, path or name is that long, and the keys of many targets would multiply it.
    fn refuse_long_scope(&mut self) {
        let length = |value: &ScopeValue| match value {
            ScopeValue::One(one) => one.len(),
            ScopeValue::Many(many) => many.iter().map(|one| one.len() + 1).sum(),
        };
        if self.scope.values().map(length).sum::<usize>() > MAX_SCOPE {
            self.scope.clear();
            self.scope_unknown = true;
        }
    }

    fn take_directory(&mut self, directory: Option<&Known>) {
        let given = match self.scope.get("directory") {
            Some(ScopeValue::One(given)) => given.as_str(),
            _ => "",
        };
        match directory {
            Some(Known::Text(base)) => {
                let path = if given.is_empty() { base.clone() } else { joined(base, given) };
                self.scope.insert("directory".to_owned(), ScopeValue::One(path));
            }
            Some(Known::Unknown) if !given.starts_with('/') => self.scope_unknown = true,
            Some(Known::Unknown) | None => {}
        }
    }
}
