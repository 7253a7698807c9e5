//! Takes the answers to statements that were written ahead out of the stream of a PostgreSQL
//! server, before the driver sees them (Frontend/Backend Protocol, 55.2.3 and 55.7).
//!
//! Two groups of messages are written ahead and not waited for: the *prelude* of a checkout, which
//! has no Sync, so that the server discards everything behind it if it fails, and the *reset* after a
//! checkout, which ends with Sync. An error in either means that the session must not be used.

use std::collections::VecDeque;

use thiserror::Error;

/// More groups on the wire than any checkout pattern of a healthy session leaves unanswered.
pub const MAX_EXPECTED: usize = 64;

/// Enough of an `ErrorResponse` to hold its SQLSTATE, which follows two short severities.
const PREFIX: usize = 64;
const HEADER: usize = 5;

/// A group of messages that was written ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Ends with its last `CommandComplete`, of which it has this many (at least one).
    Prelude {
        /// How many commands are still to complete.
        completes: u8,
    },
    /// Ends with `ReadyForQuery`.
    Reset,
}

/// A five-character error code (Appendix A).
pub type SqlState = [u8; 5];

/// Why the session must be closed. Nothing of the stream may reach the driver any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Failure {
    /// The server answered with an error.
    #[error("the server refused what was written ahead")]
    Refused {
        /// The group that it refused.
        during: Expected,
        /// The code, if the message had one.
        sqlstate: Option<SqlState>,
    },
    /// A message that cannot be part of the answer.
    #[error("the server sent message type {kind:?}, which is no answer to what was written ahead")]
    Unexpected {
        /// The group that was being answered.
        during: Expected,
        /// The type byte.
        kind: u8,
    },
    /// A message length below its own four bytes.
    #[error("the stream is not PostgreSQL's")]
    Malformed,
    /// A group more than [`MAX_EXPECTED`].
    #[error("too many groups are unanswered")]
    Overflow,
    /// The stream was given up earlier.
    #[error("the stream was given up")]
    GivenUp,
}

/// What the driver shall get of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forward {
    /// The chunk as it came.
    All,
    /// What was appended to the output, which may be nothing.
    Appended,
}

/// Where in a message the stream stands.
#[derive(Clone, Copy, Debug)]
enum Position {
    Header { bytes: [u8; HEADER], length: usize, ours: bool },
    Body { kind: u8, remaining: usize, ours: bool },
}

impl Position {
    const fn is_ours(self) -> bool {
        match self {
            Self::Header { ours, .. } | Self::Body { ours, .. } => ours,
        }
    }
}

/// What becomes of the bytes that a step took.
enum Part {
    Forwarded,
    Withheld,
    /// They complete a header that was withheld until its type was known.
    Released([u8; HEADER]),
}

const BETWEEN_MESSAGES: Position = Position::Header { bytes: [0; HEADER], length: 0, ours: false };

/// The state between two chunks; of bounded size, whatever the server sends.
#[derive(Debug)]
pub struct ReplyScanner {
    expected: VecDeque<Expected>,
    position: Position,
    // The first bytes of a body whose content matters.
    prefix: Vec<u8>,
    prepared_by_sql: bool,
    reported: bool,
    given_up: bool,
}

impl Default for ReplyScanner {
    fn default() -> Self {
        Self {
            expected: VecDeque::new(),
            position: BETWEEN_MESSAGES,
            prefix: Vec::new(),
            prepared_by_sql: false,
            reported: false,
            given_up: false,
        }
    }
}

impl ReplyScanner {
    /// Announces a group that is about to be written.
    pub fn expect(&mut self, group: Expected) -> Result<(), Failure> {
        if self.given_up {
            return Err(Failure::GivenUp);
        }
        if self.expected.len() >= MAX_EXPECTED {
            self.given_up = true;
            return Err(Failure::Overflow);
        }
        self.expected.push_back(group);
        Ok(())
    }

    /// How many groups are unanswered.
    pub fn unanswered(&self) -> usize {
        self.expected.len()
    }

    /// Whether a reset is unanswered.
    pub fn awaits_reset(&self) -> bool {
        self.expected.contains(&Expected::Reset)
    }

    /// Whether, since the last call, a statement of the driver's user prepared or dropped statements
    /// by name: the reset may then refuse the session.
    pub fn take_prepared_by_sql(&mut self) -> bool {
        std::mem::take(&mut self.prepared_by_sql)
    }

    /// Whether, since the last call, the server reported the value of a setting (`ParameterStatus`).
    pub fn take_reported(&mut self) -> bool {
        std::mem::take(&mut self.reported)
    }

    /// Takes the next chunk of the stream, of any length. What the driver shall see of it, unless that
    /// is the whole chunk, is appended to `output`.
    pub fn feed(&mut self, chunk: &[u8], output: &mut Vec<u8>) -> Result<Forward, Failure> {
        if self.given_up {
            return Err(Failure::GivenUp);
        }
        // The common case, a chunk of the driver's alone, is not copied.
        let all = self.expected.is_empty() && !self.position.is_ours();
        let mut rest = chunk;
        while !rest.is_empty() {
            let (taken, part) = self.step(rest).inspect_err(|_| self.given_up = true)?;
            if !all {
                match part {
                    Part::Forwarded => output.extend_from_slice(&rest[..taken]),
                    Part::Released(header) => output.extend_from_slice(&header),
                    Part::Withheld => {}
                }
            }
            rest = &rest[taken..];
        }
        Ok(if all { Forward::All } else { Forward::Appended })
    }

    /// Takes what `rest` holds of one header or one body.
    fn step(&mut self, rest: &[u8]) -> Result<(usize, Part), Failure> {
        match self.position {
            Position::Header { bytes, length, ours } => {
                // Whose message it is, is settled by its first byte.
                let ours = if length == 0 { !self.expected.is_empty() } else { ours };
                self.step_header(bytes, length, ours, rest)
            }
            Position::Body { kind, remaining, ours } => self.step_body(kind, remaining, ours, rest),
        }
    }

    fn step_header(
        &mut self,
        mut bytes: [u8; HEADER],
        length: usize,
        ours: bool,
        rest: &[u8],
    ) -> Result<(usize, Part), Failure> {
        let taken = rest.len().min(HEADER - length);
        bytes[length..length + taken].copy_from_slice(&rest[..taken]);
        let length = length + taken;
        if length < HEADER {
            self.position = Position::Header { bytes, length, ours };
            return Ok((taken, if ours { Part::Withheld } else { Part::Forwarded }));
        }
        let [kind, size @ ..] = bytes;
        let size = usize::try_from(u32::from_be_bytes(size)).map_err(|_| Failure::Malformed)?;
        let remaining = size.checked_sub(4).ok_or(Failure::Malformed)?;
        // Notifications, notices and parameter changes may come at any time and answer nothing.
        let answers = ours && !matches!(kind, b'A' | b'N' | b'S');
        if answers {
            self.admit(kind)?;
        }
        self.prefix.clear();
        self.position = Position::Body { kind, remaining, ours: answers };
        if remaining == 0 {
            self.complete(kind, answers)?;
        }
        let part = match (ours, answers) {
            (true, true) => Part::Withheld,
            (true, false) => Part::Released(bytes),
            (false, _) => Part::Forwarded,
        };
        Ok((taken, part))
    }

    fn step_body(
        &mut self,
        kind: u8,
        remaining: usize,
        ours: bool,
        rest: &[u8],
    ) -> Result<(usize, Part), Failure> {
        let taken = rest.len().min(remaining);
        if matches!(kind, b'C' | b'E' | b'Z') {
            let wanted = taken.min(PREFIX - self.prefix.len());
            self.prefix.extend_from_slice(&rest[..wanted]);
        }
        let remaining = remaining - taken;
        self.position = Position::Body { kind, remaining, ours };
        if remaining == 0 || (ours && kind == b'E' && self.prefix.len() == PREFIX) {
            self.complete(kind, ours)?;
        }
        Ok((taken, if ours { Part::Withheld } else { Part::Forwarded }))
    }

    /// Refuses a type that the group being answered cannot be answered with.
    fn admit(&self, kind: u8) -> Result<(), Failure> {
        let Some(&during) = self.expected.front() else { return Ok(()) };
        let possible = match kind {
            b'1' | b'2' | b'D' | b'C' | b'E' => true,
            b'Z' => during == Expected::Reset,
            _ => false,
        };
        if possible { Ok(()) } else { Err(Failure::Unexpected { during, kind }) }
    }

    fn complete(&mut self, kind: u8, ours: bool) -> Result<(), Failure> {
        self.position = BETWEEN_MESSAGES;
        if !ours {
            self.prepared_by_sql |= kind == b'C' && names_statements(&self.prefix);
            self.reported |= kind == b'S';
            return Ok(());
        }
        match (self.expected.front_mut(), kind) {
            (Some(&mut during), b'E') => {
                Err(Failure::Refused { during, sqlstate: sqlstate(&self.prefix) })
            }
            (Some(Expected::Prelude { completes }), b'C') => {
                *completes = completes.saturating_sub(1);
                if *completes == 0 {
                    self.expected.pop_front();
                }
                Ok(())
            }
            // A transaction that is still open would carry the reset, and whatever follows, with it.
            (Some(&mut during), b'Z') if self.prefix != b"I" => {
                Err(Failure::Unexpected { during, kind })
            }
            (Some(_), b'Z') => {
                self.expected.pop_front();
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Whether a command tag is that of `PREPARE`, `DEALLOCATE` or `DISCARD ALL`.
fn names_statements(tag: &[u8]) -> bool {
    tag == b"PREPARE\0" || tag.starts_with(b"DEALLOCATE") || tag == b"DISCARD ALL\0"
}

/// The field `C` of an `ErrorResponse` (55.8).
fn sqlstate(fields: &[u8]) -> Option<SqlState> {
    fields
        .split(|&byte| byte == 0)
        .find_map(|field| field.strip_prefix(b"C"))
        .and_then(|code| code.try_into().ok())
}
