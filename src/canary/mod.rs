//! Self-describing tokens and the scanner that finds them.
//!
//! A canary is planted in a payload. Whoever finds it anywhere, in any encoding, can tell from the token alone
//! which org wrote it, through which endpoint and field. So one scan of a response answers "is anything here
//! another org's?", however many canaries exist and however long ago they were written.

mod decoders;
mod scanner;
mod token;

pub use scanner::{Encoding, Hit, scan};
pub use token::{Canary, CanaryError, PREFIX, TOKEN_LEN};
