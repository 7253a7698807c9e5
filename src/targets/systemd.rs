//! Unit names as systemctl completes them (`systemctl(1)`, `unit_name_mangle`).

use std::fmt::Write as _;

use super::action::{Object, Objects};
use super::option::Unclear;

const SUFFIXES: [&str; 11] = [
    ".service",
    ".socket",
    ".device",
    ".mount",
    ".automount",
    ".swap",
    ".target",
    ".path",
    ".timer",
    ".slice",
    ".scope",
];

/// The units named, with the suffix that systemctl assumes; [`Unclear`] for a pattern, which
/// systemctl expands itself even when it is quoted.
pub(super) fn units<'w>(names: &[&str], default_suffix: &str) -> Result<Objects<'w>, Unclear> {
    names.iter().map(|name| unit(name, default_suffix)).collect()
}

fn unit(name: &str, default_suffix: &str) -> Result<Object<'static>, Unclear> {
    if name.contains(['*', '?', '[']) {
        return Err(Unclear);
    }
    let full = if name.starts_with("/dev/") || name.starts_with("/sys/") {
        escaped_path(name) + ".device"
    } else if name.starts_with('/') && SUFFIXES.iter().any(|suffix| name.ends_with(suffix)) {
        name.rsplit('/').next().unwrap_or(name).to_owned()
    } else if name.starts_with('/') {
        escaped_path(name) + ".mount"
    } else if SUFFIXES.iter().any(|suffix| name.ends_with(suffix)) {
        name.to_owned()
    } else {
        format!("{name}{default_suffix}")
    };
    Ok(Object::qualified(full))
}

/// `/mnt/my-data` as a unit name: `mnt-my\x2ddata` (`systemd-escape(1)`, "--path").
fn escaped_path(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    if parts.is_empty() {
        return "-".to_owned();
    }
    let mut name = String::new();
    for (index, byte) in parts.join("/").bytes().enumerate() {
        match byte {
            b'/' => name.push('-'),
            b'.' if index == 0 => name.push_str("\\x2e"),
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b':' | b'_' | b'.' => name.push(byte.into()),
            _ => {
                let _ = write!(name, "\\x{byte:02x}");
            }
        }
    }
    name
}
