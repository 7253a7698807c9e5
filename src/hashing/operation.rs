//! Database operations and notifications: canonical JSON of a tagged list, so that no two fields can
//! be mistaken for one another and no two kinds share a form.

use super::json::{Fault, Sink};

/// Writes `["database", table, primary_key, operation]`, or the same with `values` at the end.
///
/// `primary_key` and `values` write one JSON value each.
pub fn write_database<E: From<Fault>>(
    sink: &mut Sink,
    table: &str,
    primary_key: impl FnOnce(&mut Sink) -> Result<(), E>,
    operation: &str,
    values: Option<impl FnOnce(&mut Sink) -> Result<(), E>>,
) -> Result<(), E> {
    sink.raw(br#"["database","#);
    sink.string(table)?;
    sink.raw(b",");
    primary_key(sink)?;
    sink.raw(b",");
    sink.string(operation)?;
    if let Some(values) = values {
        sink.raw(b",");
        values(sink)?;
    }
    sink.raw(b"]");
    Ok(())
}

/// Writes `["notification", recipient, channel, message]`.
pub fn write_notification(
    sink: &mut Sink,
    recipient: &str,
    channel: &str,
    message: &str,
) -> Result<(), Fault> {
    sink.raw(br#"["notification","#);
    sink.string(recipient)?;
    sink.raw(b",");
    sink.string(channel)?;
    sink.raw(b",");
    sink.string(message)?;
    sink.raw(b"]");
    Ok(())
}
