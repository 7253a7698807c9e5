//! The canonical form of any JSON text: no panic, read back as itself, in the RFC's mode as well.
#![no_main]

use interlock::hashing::buffer::Buffer;
use interlock::hashing::json::text::write_text;
use interlock::hashing::json::{JsonError, Limits, Mode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for mode in [Mode::Exact, Mode::Jcs] {
        let Ok(form) = canonical(text, mode) else {
            continue;
        };
        assert_eq!(canonical(&form, mode).as_deref(), Ok(&*form));
    }
});

fn canonical(text: &str, mode: Mode) -> Result<String, JsonError> {
    let mut out = Buffer::new();
    write_text(&mut out, text, mode, &Limits::DEFAULT, 0)?;
    Ok(String::from_utf8(out.into_vec()).expect("canonical JSON is UTF-8"))
}
