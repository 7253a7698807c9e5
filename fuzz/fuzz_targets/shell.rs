//! The canonical form of any text: no panic, idempotent, and the list it stands for is kept.
#![no_main]

use std::borrow::Cow;

use interlock::hashing::shell::{canonical, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(form) = canonical(text) else {
        assert!(text.contains('\0'));
        return;
    };
    assert_eq!(canonical(&form).as_deref(), Ok(&*form));
    if let Cow::Owned(form) = &form {
        assert_eq!(parse(form), parse(text));
    }
});
