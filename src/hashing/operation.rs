//! Database operations and notifications: canonical JSON of a tagged list, so that no two fields can
//! be mistaken for one another and no two kinds share a form.

use super::json::{Fault, Sink};

/// What stands before the values of a database operation, if it has any.
pub const BEFORE_VALUES: &[u8] = b",";
/// What ends the list.
pub const END: &[u8] = b"]";

/// Writes `["database", table, primary_key, operation` and leaves the list open: the values, which
/// may be large, and [`END`] follow. `primary_key` writes one JSON value.
pub fn open_database<E: From<Box<Fault>>>(
    sink: &mut Sink,
    table: &str,
    primary_key: impl FnOnce(&mut Sink) -> Result<(), E>,
    operation: &str,
) -> Result<(), E> {
    sink.raw(br#"["database","#);
    sink.string(table)?;
    sink.raw(b",");
    primary_key(sink)?;
    sink.raw(b",");
    sink.string(operation)?;
    Ok(())
}

/// Writes `["notification", recipient, channel, message]`.
pub fn write_notification(
    sink: &mut Sink,
    recipient: &str,
    channel: &str,
    message: &str,
) -> Result<(), Box<Fault>> {
    sink.raw(br#"["notification","#);
    sink.string(recipient)?;
    sink.raw(b",");
    sink.string(channel)?;
    sink.raw(b",");
    sink.string(message)?;
    sink.raw(END);
    Ok(())
}
