//! `dockerLogicalKey`: the reference's regular expressions, in linear time.

use std::sync::LazyLock;

use regex::Regex;

const VERBS: [&str; 6] = ["stop", "start", "restart", "rm", "kill", "pause"];

/// `\s` of ECMAScript.
const SPACE: &str = r"\t\n\x0B\x0C\r \u{A0}\u{1680}\u{2000}-\u{200A}\u{2028}\u{2029}\u{202F}\u{205F}\u{3000}\u{FEFF}";

/// `/\bdocker\s+(?:compose\s+)?VERB\b\s+(?:-\S+\s+)*([\w.-]+)/i` for each verb. Without its `u` flag,
/// ECMAScript ignores case and finds word boundaries in ASCII alone.
#[allow(clippy::expect_used)] // constant patterns: the first test that runs compiles them all
static PATTERNS: LazyLock<[Regex; 6]> = LazyLock::new(|| {
    VERBS.map(|verb| {
        let pattern = format!(
            r"(?i-u:\bdocker)[{SPACE}]+(?:(?i-u:compose)[{SPACE}]+)?(?i-u:{verb}\b)[{SPACE}]+(?:-[^{SPACE}]+[{SPACE}]+)*([A-Za-z0-9_.\-]+)"
        );
        Regex::new(&pattern).expect("a constant pattern")
    })
});

/// `verb:target` for the first verb of the list that occurs anywhere in the command.
pub fn docker_logical_key(command: &[u16]) -> Option<String> {
    // A lone surrogate is neither white space nor a word character, and nor is its replacement.
    let command = String::from_utf16_lossy(command);
    VERBS.iter().zip(PATTERNS.iter()).find_map(|(verb, pattern)| {
        let target = pattern.captures(&command)?.get(1)?;
        Some(format!("{verb}:{}", target.as_str()))
    })
}
