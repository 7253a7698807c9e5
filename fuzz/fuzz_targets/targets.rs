//! The actions of any text: no panic, and what is not known has no target.
#![no_main]

use interlock::targets::actions;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for action in actions(text) {
        assert!(!action.dynamic || action.objects.is_empty());
        assert_eq!(action.logical_keys().count(), action.objects.len());
    }
});
