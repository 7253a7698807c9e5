//! JSON text (RFC 8259) to canonical JSON, without a tree in between.
//!
//! Values are written in canonical form as they are read. When an object ends, its members already
//! stand in the output; they are put in order there. Integers keep their digits at any size, since no
//! number is ever made of them. Nesting is counted, never recursed into.
//!
//! * `literal` reads one name, number, string or keyword
//! * `members` orders the members of one object

mod literal;
mod members;

use super::{Fault, JsonError, Limits, Mode, Place, Step, string};
use crate::hashing::buffer::Buffer;
use members::Member;

/// Appends the canonical form of the JSON text `text`.
///
/// `outer` is how many containers already surround the value.
pub fn write_text(
    out: &mut Buffer,
    text: &str,
    mode: Mode,
    limits: &Limits,
    outer: usize,
) -> Result<(), JsonError> {
    let mut reader = Reader {
        text: text.as_bytes(),
        source: text,
        at: 0,
        out,
        mode,
        limits,
        outer,
        values: 0,
        frames: Vec::new(),
        members: Vec::new(),
        names: String::new(),
        scratch: Vec::new(),
    };
    reader.read().map_err(|fault| reader.locate(*fault))
}

/// Checks that `bytes` are UTF-8, the only encoding of JSON between systems (RFC 8259 section 8.1).
pub fn decode(bytes: &[u8]) -> Result<&str, JsonError> {
    std::str::from_utf8(bytes).map_err(|why| {
        let at = Place::of(bytes, why.valid_up_to());
        JsonError::at("$", [], Fault::Syntax { what: "the text is not UTF-8", at })
    })
}

/// One container that has begun and not ended.
enum Frame {
    Array { index: usize },
    Object { members: usize, names: usize },
}

struct Reader<'t, 'o> {
    text: &'t [u8],
    source: &'t str,
    at: usize,
    out: &'o mut Buffer,
    mode: Mode,
    limits: &'o Limits,
    outer: usize,
    values: usize,
    frames: Vec<Frame>,
    /// Members of all objects that have not ended, outermost first.
    members: Vec<Member>,
    /// Their names, decoded, one after the other.
    names: String,
    scratch: Vec<u8>,
}

impl Reader<'_, '_> {
    fn read(&mut self) -> Result<(), Box<Fault>> {
        if self.text.len() > self.limits.bytes {
            return Fault::Bytes { limit: self.limits.bytes }.refuse();
        }
        if self.source.starts_with('\u{feff}') {
            return self.syntax("the text begins with a byte order mark");
        }
        self.blanks();
        let mut begun = self.value()?;
        while let Some(frame) = self.frames.last() {
            begun = match frame {
                Frame::Array { .. } => self.element(begun)?,
                Frame::Object { .. } => self.member(begun)?,
            };
        }
        self.blanks();
        if self.at < self.text.len() {
            return self.syntax("there is more text after the value");
        }
        Ok(())
    }

    /// Reads one value, or only the bracket that begins it: then it returns true.
    fn value(&mut self) -> Result<bool, Box<Fault>> {
        self.values += 1;
        if self.values > self.limits.values {
            return Fault::Values { limit: self.limits.values }.refuse();
        }
        if self.out.len() > self.limits.bytes {
            return Fault::Bytes { limit: self.limits.bytes }.refuse();
        }
        match self.peek() {
            Some(b'{') => {
                let (members, names) = (self.members.len(), self.names.len());
                self.begin(b'{', Frame::Object { members, names })?;
                return Ok(true);
            }
            Some(b'[') => {
                self.begin(b'[', Frame::Array { index: 0 })?;
                return Ok(true);
            }
            Some(b'"') => self.string_value()?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.keyword("true")?,
            Some(b'f') => self.keyword("false")?,
            Some(b'n') => self.keyword("null")?,
            Some(_) => return self.syntax("a value was expected"),
            None => return self.syntax("the text ends where a value was expected"),
        }
        Ok(false)
    }

    fn begin(&mut self, bracket: u8, frame: Frame) -> Result<(), Box<Fault>> {
        let limit = self.limits.depth;
        if self.outer + self.frames.len() >= limit {
            return Fault::Depth { limit }.refuse();
        }
        self.at += 1;
        self.out.push(bracket);
        self.frames.push(frame);
        Ok(())
    }

    /// After `[` (`first`) or an element: reads the next element or the end of the array.
    fn element(&mut self, first: bool) -> Result<bool, Box<Fault>> {
        self.blanks();
        if self.take(b']') {
            return Ok(self.end(b']'));
        }
        if !first {
            self.expect(b',', "an element must be followed by a comma or ]")?;
            self.out.push(b',');
            if let Some(Frame::Array { index }) = self.frames.last_mut() {
                *index += 1;
            }
            self.blanks();
        }
        self.value()
    }

    /// After `{` (`first`) or a member: reads the next member or the end of the object.
    fn member(&mut self, first: bool) -> Result<bool, Box<Fault>> {
        self.blanks();
        if !first {
            // A value has just ended, so the innermost open member is complete.
            let end = self.out.len();
            if let Some(member) = self.members.last_mut() {
                member.end = end;
            }
        }
        if self.take(b'}') {
            self.order_members()?;
            return Ok(self.end(b'}'));
        }
        if !first {
            self.expect(b',', "a member must be followed by a comma or }")?;
            self.out.push(b',');
            self.blanks();
        }
        let place = self.at;
        if self.peek() != Some(b'"') {
            return self.syntax("a name in double quotes was expected");
        }
        let (begin, name) = (self.out.len(), self.names.len());
        self.name()?;
        self.members.push(Member { name: name..self.names.len(), begin, end: begin, place });
        string::write_string(self.out, &self.names[name..]);
        self.blanks();
        self.expect(b':', "a name must be followed by a colon")?;
        self.out.push(b':');
        self.blanks();
        self.value()
    }

    fn end(&mut self, bracket: u8) -> bool {
        self.out.push(bracket);
        self.frames.pop();
        false
    }

    fn order_members(&mut self) -> Result<(), Box<Fault>> {
        let Some(&Frame::Object { members, names }) = self.frames.last() else {
            return Ok(());
        };
        let repeated = members::order(
            &mut self.members[members..],
            &self.names,
            self.out.as_mut_slice(),
            &mut self.scratch,
        );
        let duplicate = repeated.map(|member| Fault::Duplicate {
            name: self.names[member.name].to_owned(),
            at: Place::of(self.text, member.place),
        });
        self.members.truncate(members);
        self.names.truncate(names);
        duplicate.map_or(Ok(()), Fault::refuse)
    }

    /// Adds the path of the value being read to a fault.
    fn locate(&self, fault: Fault) -> JsonError {
        let mut steps = Vec::with_capacity(self.frames.len());
        let mut open = self.members.as_slice();
        for frame in self.frames.iter().rev() {
            match *frame {
                Frame::Array { index } => steps.push(Step::Index(index)),
                Frame::Object { members, .. } => {
                    let (outer, own) = open.split_at(members);
                    // After a member that has ended, the fault is of the object itself.
                    let open_member = own.last().filter(|member| member.end == member.begin);
                    steps.extend(
                        open_member.map(|member| Step::Name(&self.names[member.name.clone()])),
                    );
                    open = outer;
                }
            }
        }
        JsonError::at("$", steps.into_iter().rev(), fault)
    }
}
