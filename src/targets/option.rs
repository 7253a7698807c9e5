//! One pass over the words of a command level: options with their values, and operands.

use smallvec::SmallVec;

use super::argument::Argument;
use super::grammar::{Arity, OptionSpec, OptionTable, Syntax};

/// The words cannot be told apart without guessing: an option that is not in the tables, or an
/// expansion that may be an option, a value, or nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unclear;

/// The value of an option that occurred.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// It has none.
    Absent,
    /// This text.
    Known(String),
    /// One that is only known when the command runs, but begins with this text.
    Expanded(String),
}

impl Value {
    /// An attached value, of which this text is known.
    fn of(text: &str, complete: bool) -> Self {
        if complete { Self::Known(text.to_owned()) } else { Self::Expanded(text.to_owned()) }
    }
}

/// An option that occurred.
#[derive(Debug)]
pub(super) struct Seen<'g> {
    pub(super) spec: &'g OptionSpec,
    pub(super) value: Value,
}

/// The words of a command level that are no options.
pub(super) type Operands<'w> = SmallVec<[&'w Argument<'w>; 4]>;

/// Reads the options of one command level.
pub(super) struct Reader<'g, 'a> {
    /// Looked up in order; the first that knows an option decides.
    pub(super) tables: &'a [&'g OptionTable],
    pub(super) syntax: Syntax,
}

/// What stood in front.
enum Step {
    Options,
    Operand,
    EndOfOptions,
    EndOfWords,
}

impl<'g> Reader<'g, '_> {
    /// Takes options off the front of `words`, up to the first operand or past `--`.
    pub(super) fn leading(
        &self,
        words: &mut &[Argument<'_>],
        seen: &mut Vec<Seen<'g>>,
    ) -> Result<(), Unclear> {
        while let Step::Options = self.step(words, seen)? {}
        Ok(())
    }

    /// Takes options from anywhere in `words` and returns the operands.
    pub(super) fn interspersed<'w>(
        &self,
        mut words: &'w [Argument<'w>],
        seen: &mut Vec<Seen<'g>>,
    ) -> Result<Operands<'w>, Unclear> {
        let mut operands = Operands::new();
        loop {
            match self.step(&mut words, seen)? {
                Step::Options => {}
                Step::Operand => {
                    operands.extend(words.first());
                    words = &words[1..];
                }
                Step::EndOfOptions => {
                    operands.extend(words);
                    return Ok(operands);
                }
                Step::EndOfWords => return Ok(operands),
            }
        }
    }

    fn step(&self, words: &mut &[Argument<'_>], seen: &mut Vec<Seen<'g>>) -> Result<Step, Unclear> {
        let Some((word, rest)) = words.split_first() else {
            return Ok(Step::EndOfWords);
        };
        let (text, complete) = word.known().ok_or(Unclear)?;
        if complete && text == "--" {
            *words = rest;
            return Ok(Step::EndOfOptions);
        }
        if !text.starts_with('-') || (complete && text == "-") {
            return Ok(Step::Operand);
        }
        *words = rest;
        if text.starts_with("--") {
            self.long(text, complete, words, seen)?;
        } else {
            self.cluster(text, complete, words, seen)?;
        }
        Ok(Step::Options)
    }

    /// `--name`, `--name=value`, `--name value`.
    fn long(
        &self,
        text: &str,
        complete: bool,
        words: &mut &[Argument<'_>],
        seen: &mut Vec<Seen<'g>>,
    ) -> Result<(), Unclear> {
        let Some((name, value)) = text.split_once('=') else {
            if !complete {
                return Err(Unclear);
            }
            // `nice --10`: a number below zero behind the dash.
            let number = text[2..].bytes().all(|b| b.is_ascii_digit()) && text.len() > 2;
            if let Some(spec) = number.then(|| self.spec("--#").ok()).flatten() {
                seen.push(Seen { spec, value: Value::Known(text[1..].to_owned()) });
                return Ok(());
            }
            return bare(self.long_spec(text)?, words, seen);
        };
        let spec = self.long_spec(name)?;
        let value = Value::of(value, complete);
        if spec.arity == Arity::Flag {
            return self.flag_with_value(spec, &value, seen);
        }
        seen.push(Seen { spec, value });
        Ok(())
    }

    /// `--flag=true` and `--flag=false`, which only pflag knows.
    fn flag_with_value(
        &self,
        spec: &'g OptionSpec,
        value: &Value,
        seen: &mut Vec<Seen<'g>>,
    ) -> Result<(), Unclear> {
        match value {
            Value::Known(value) if self.syntax == Syntax::Pflag => match value.as_str() {
                "1" | "t" | "T" | "true" | "TRUE" | "True" => {
                    seen.push(Seen { spec, value: Value::Absent });
                    Ok(())
                }
                "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(()),
                _ => Err(Unclear),
            },
            _ => Err(Unclear),
        }
    }

    /// `-a`, `-abc`, `-ovalue`, `-o value`, `-10`.
    fn cluster(
        &self,
        text: &str,
        complete: bool,
        words: &mut &[Argument<'_>],
        seen: &mut Vec<Seen<'g>>,
    ) -> Result<(), Unclear> {
        let letters = &text[1..];
        let number = complete && letters.bytes().all(|b| b.is_ascii_digit());
        if let Some(spec) = number.then(|| self.spec("-#").ok()).flatten() {
            seen.push(Seen { spec, value: Value::Known(letters.to_owned()) });
            return Ok(());
        }
        let mut rest = letters.chars();
        while let Some(letter) = rest.next() {
            let spec = self.spec(&format!("-{letter}"))?;
            let attached = rest.as_str();
            if spec.arity == Arity::Flag {
                if let Some(value) = attached.strip_prefix('=') {
                    let value = Value::Known(value.to_owned());
                    return self.flag_with_value(spec, &value, seen);
                }
                seen.push(Seen { spec, value: Value::Absent });
                continue;
            }
            if attached.is_empty() && complete {
                return bare(spec, words, seen);
            }
            if self.syntax == Syntax::Plain {
                return Err(Unclear);
            }
            let value = match self.syntax {
                Syntax::Pflag => attached.strip_prefix('=').unwrap_or(attached),
                Syntax::Getopt | Syntax::Plain => attached,
            };
            seen.push(Seen { spec, value: Value::of(value, complete) });
            return Ok(());
        }
        if complete { Ok(()) } else { Err(Unclear) }
    }

    /// The long option of this name, which `getopt_long` lets be cut short where one option alone
    /// begins like that.
    fn long_spec(&self, name: &str) -> Result<&'g OptionSpec, Unclear> {
        let exact = self.spec(name);
        if exact.is_ok() || self.syntax != Syntax::Getopt || name == "--" {
            return exact;
        }
        let mut meant = self.tables.iter().flat_map(|table| table.starting(name));
        let first = meant.next().ok_or(Unclear)?;
        if meant.all(|other| other.spellings == first.spellings) { Ok(first) } else { Err(Unclear) }
    }

    fn spec(&self, spelling: &str) -> Result<&'g OptionSpec, Unclear> {
        self.tables.iter().find_map(|table| table.get(spelling)).ok_or(Unclear)
    }
}

/// An option without attached value: takes the next word if its arity says so.
fn bare<'g>(
    spec: &'g OptionSpec,
    words: &mut &[Argument<'_>],
    seen: &mut Vec<Seen<'g>>,
) -> Result<(), Unclear> {
    let value = match spec.arity {
        Arity::Flag | Arity::Optional => Value::Absent,
        Arity::Value => next_value(words)?,
        Arity::Greedy => match words.first() {
            Some(Argument::Literal(next)) if !next.starts_with('-') => next_value(words)?,
            Some(Argument::Literal(_)) | None => Value::Absent,
            Some(_) => return Err(Unclear),
        },
    };
    seen.push(Seen { spec, value });
    Ok(())
}

fn next_value(words: &mut &[Argument<'_>]) -> Result<Value, Unclear> {
    let (value, rest) = words.split_first().ok_or(Unclear)?;
    let value = match value {
        Argument::Literal(text) => Value::Known(text.clone().into_owned()),
        Argument::Single { prefix } => Value::Expanded(prefix.clone()),
        Argument::Unknown => return Err(Unclear),
    };
    *words = rest;
    Ok(value)
}
