//! The reply scanner against a model that sees the whole stream at once, over every way to cut it.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test stops at the first surprise

use interlock::tenancy::reply::{Expected, Failure, Forward, ReplyScanner};
use proptest::collection::vec;
use proptest::prelude::*;

const PRELUDE: Expected = Expected::Prelude { completes: 3 };

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len() + 4).expect("a small body");
    [&[kind][..], &size.to_be_bytes(), body].concat()
}

fn error(code: &str) -> Vec<u8> {
    message(b'E', format!("SERROR\0VERROR\0C{code}\0Mcanceling statement\0\0").as_bytes())
}

/// What the server sends for one group, or what it sends to the driver.
#[derive(Clone, Debug)]
enum Sent {
    Prelude,
    Reset,
    Refused(Expected),
    /// Answers to the driver's own statements.
    Driver(Vec<u8>),
    /// A notification, notice or parameter change, which may come at any time.
    Unasked(Vec<u8>),
}

fn answer(sent: &Sent) -> Vec<u8> {
    let done = |tag: &str| [message(b'2', b""), message(b'C', tag.as_bytes())].concat();
    match sent {
        Sent::Prelude => [
            done("BEGIN\0"),
            message(b'2', b""),
            message(b'D', b"\0\x01\0\0\0\0"),
            message(b'C', b"SELECT 1\0"),
            done("COMMIT\0"),
        ]
        .concat(),
        Sent::Reset => [
            done("RESET\0"),
            done("RESET\0"),
            message(b'1', b""),
            done("CALL\0"),
            message(b'Z', b"I"),
        ]
        .concat(),
        Sent::Refused(_) => [done("BEGIN\0"), error("IL002"), message(b'Z', b"I")].concat(),
        Sent::Driver(bytes) | Sent::Unasked(bytes) => bytes.clone(),
    }
}

fn unasked() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..40).prop_map(|body| message(b'A', &body)),
        vec(any::<u8>(), 0..40).prop_map(|body| message(b'N', &body)),
        vec(any::<u8>(), 0..40).prop_map(|body| message(b'S', &body)),
    ]
}

fn driver() -> impl Strategy<Value = Vec<u8>> {
    let any_message = (prop::sample::select(&b"12DCTIZnstGHdcE"[..]), vec(any::<u8>(), 0..60));
    vec(any_message.prop_map(|(kind, body)| message(kind, &body)), 1..5)
        .prop_map(|all| all.concat())
}

fn sent() -> impl Strategy<Value = Sent> {
    prop_oneof![
        3 => Just(Sent::Prelude),
        3 => Just(Sent::Reset),
        1 => prop::sample::select(vec![PRELUDE, Expected::Reset]).prop_map(Sent::Refused),
        3 => driver().prop_map(Sent::Driver),
        2 => unasked().prop_map(Sent::Unasked),
    ]
}

fn expected(sent: &Sent) -> Option<Expected> {
    match sent {
        Sent::Prelude => Some(PRELUDE),
        Sent::Reset => Some(Expected::Reset),
        Sent::Refused(during) => Some(*during),
        Sent::Driver(_) | Sent::Unasked(_) => None,
    }
}

/// The driver waits for its answers before anything else is written, so what precedes them on the
/// wire is all announced, and nothing behind them is.
fn runs(conversation: &[Sent]) -> Vec<&[Sent]> {
    conversation.split_inclusive(|sent| matches!(sent, Sent::Driver(_))).collect()
}

/// The obvious way: the driver gets what is not an answer, up to the first refusal.
fn model(conversation: &[Sent]) -> (Vec<u8>, Option<Expected>) {
    let mut seen = Vec::new();
    for sent in conversation {
        match sent {
            Sent::Prelude | Sent::Reset => {}
            Sent::Refused(during) => return (seen, Some(*during)),
            Sent::Driver(bytes) | Sent::Unasked(bytes) => seen.extend_from_slice(bytes),
        }
    }
    (seen, None)
}

fn cut(stream: &[u8], cuts: &[prop::sample::Index]) -> Vec<Vec<u8>> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
    places.sort_unstable();
    let mut pieces = Vec::new();
    let mut start = 0;
    for place in places.into_iter().chain([stream.len()]) {
        pieces.push(stream[start..place].to_vec());
        start = place;
    }
    pieces
}

/// Feeds the pieces and returns what the driver saw.
fn scan(scanner: &mut ReplyScanner, pieces: &[Vec<u8>], seen: &mut Vec<u8>) -> Result<(), Failure> {
    for piece in pieces {
        let mut output = Vec::new();
        match scanner.feed(piece, &mut output)? {
            Forward::All => {
                assert!(output.is_empty());
                seen.extend_from_slice(piece);
            }
            Forward::Appended => seen.append(&mut output),
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn the_driver_sees_its_own_and_nothing_behind_a_refusal(
        conversation in vec(sent(), 0..12),
        cuts in vec(vec(any::<prop::sample::Index>(), 0..30), 12),
    ) {
        let (wanted, refused) = model(&conversation);
        let mut scanner = ReplyScanner::default();
        let mut seen = Vec::new();
        let mut outcome = Ok(());
        for (run, cuts) in runs(&conversation).into_iter().zip(&cuts) {
            // As in the model's world, a refused session takes no more groups.
            let announced = run.iter().filter_map(expected).try_for_each(|group| scanner.expect(group));
            prop_assert!(announced.is_ok() || outcome.is_err());
            let stream: Vec<u8> = run.iter().flat_map(answer).collect();
            outcome = outcome.and_then(|()| scan(&mut scanner, &cut(&stream, cuts), &mut seen));
        }
        match refused {
            None => {
                prop_assert_eq!(outcome, Ok(()));
                prop_assert_eq!(seen, wanted);
                prop_assert_eq!(scanner.unanswered(), 0);
            }
            Some(Expected::Prelude { .. }) => {
                let during = Expected::Prelude { completes: 2 };
                prop_assert_eq!(outcome, Err(Failure::Refused { during, sqlstate: Some(*b"IL002") }));
                prop_assert!(wanted.starts_with(&seen));
            }
            Some(during) => {
                prop_assert_eq!(outcome, Err(Failure::Refused { during, sqlstate: Some(*b"IL002") }));
                prop_assert!(wanted.starts_with(&seen));
            }
        }
    }

    #[test]
    fn no_stream_panics_or_reaches_the_driver_after_a_failure(
        stream in vec(any::<u8>(), 0..400),
        groups in 0usize..80,
        piece in 1usize..50,
    ) {
        let mut scanner = ReplyScanner::default();
        let announced = (0..groups).try_for_each(|_| scanner.expect(PRELUDE));
        prop_assert_eq!(announced.is_err(), groups > 64);
        let mut failed = announced.is_err();
        for chunk in stream.chunks(piece) {
            let mut output = Vec::new();
            let fed = scanner.feed(chunk, &mut output);
            prop_assert!(!failed || fed == Err(Failure::GivenUp));
            failed |= fed.is_err();
        }
    }
}

/// A checkout as it was recorded from a server: prelude, the driver's query, reset; then the same again.
fn recorded() -> (Vec<u8>, Vec<u8>) {
    let query = [
        message(b'2', b""),
        message(b'D', b"\0\x01\0\0\0\x04\0\0\0\x01"),
        message(b'C', b"SELECT 1\0"),
        message(b'Z', b"I"),
    ]
    .concat();
    let notice = message(b'N', b"SWARNING\0C01000\0Mhello\0\0");
    let stream =
        [answer(&Sent::Prelude), notice.clone(), query.clone(), answer(&Sent::Reset)].concat();
    (stream, [notice, query].concat())
}

#[test]
fn every_cut_of_a_recorded_stream_gives_the_same() {
    let (stream, wanted) = recorded();
    for first in 0..=stream.len() {
        for second in first..=stream.len() {
            let mut scanner = ReplyScanner::default();
            scanner.expect(PRELUDE).expect("room for one");
            let pieces = [&stream[..first], &stream[first..second], &stream[second..]];
            let mut seen = Vec::new();
            // The reset is announced only once the driver has its answer.
            let reset_from = stream.len() - answer(&Sent::Reset).len();
            let mut at = 0;
            let mut announced = false;
            for piece in pieces {
                let before = piece.len().min(reset_from.saturating_sub(at));
                for part in [&piece[..before], &piece[before..]] {
                    if at >= reset_from && !announced {
                        scanner.expect(Expected::Reset).expect("room for another");
                        announced = true;
                    }
                    scan(&mut scanner, &[part.to_vec()], &mut seen).expect("a good stream");
                    at += part.len();
                }
            }
            assert_eq!(seen, wanted, "cut at {first} and {second}");
        }
    }
}

#[test]
fn byte_by_byte_an_error_stops_the_stream_at_its_code() {
    let mut scanner = ReplyScanner::default();
    scanner.expect(PRELUDE).expect("room for one");
    let rows = [message(b'D', b"\0\x01\0\0\0\x06secret"), message(b'Z', b"I")].concat();
    let stream = [error("57014"), rows].concat();
    let mut seen = Vec::new();
    let outcome = stream.iter().try_for_each(|&byte| scan(&mut scanner, &[vec![byte]], &mut seen));
    let refused = Failure::Refused { during: PRELUDE, sqlstate: Some(*b"57014") };
    assert_eq!((outcome, seen), (Err(refused), Vec::new()));
    assert_eq!(scanner.feed(&stream, &mut Vec::new()), Err(Failure::GivenUp));
}

#[test]
fn a_reset_that_ends_inside_a_transaction_is_no_reset() {
    for status in [b"T", b"E"] {
        let mut scanner = ReplyScanner::default();
        scanner.expect(Expected::Reset).expect("room for one");
        let outcome = scanner.feed(&message(b'Z', status), &mut Vec::new());
        let unexpected = Failure::Unexpected { during: Expected::Reset, kind: b'Z' };
        assert_eq!(outcome, Err(unexpected));
    }
}

#[test]
fn an_answer_to_something_else_is_refused() {
    for kind in *b"TZGHt" {
        let mut scanner = ReplyScanner::default();
        scanner.expect(PRELUDE).expect("room for one");
        let outcome = scanner.feed(&message(kind, b"I"), &mut Vec::new());
        assert_eq!(outcome, Err(Failure::Unexpected { during: PRELUDE, kind }));
    }
}

#[test]
fn statements_prepared_by_sql_are_noticed() {
    for (tag, noticed) in [
        (&b"PREPARE\0"[..], true),
        (b"DEALLOCATE\0", true),
        (b"DEALLOCATE ALL\0", true),
        (b"DISCARD ALL\0", true),
        (b"DISCARD TEMP\0", false),
        (b"PREPARE TRANSACTION\0", false),
        (b"SELECT 1\0", false),
    ] {
        for cut in 0..tag.len() + 5 {
            let mut scanner = ReplyScanner::default();
            let stream = message(b'C', tag);
            scan(&mut scanner, &[stream[..cut].to_vec(), stream[cut..].to_vec()], &mut Vec::new())
                .expect("a good stream");
            assert_eq!(scanner.take_prepared_by_sql(), noticed, "{tag:?} cut at {cut}");
            assert!(!scanner.take_prepared_by_sql());
        }
    }
}

#[test]
fn reported_settings_are_noticed_whoever_they_answer() {
    for expected in [None, Some(PRELUDE), Some(Expected::Reset)] {
        for (kind, noticed) in [(b'S', true), (b'N', false), (b'A', false)] {
            let mut scanner = ReplyScanner::default();
            if let Some(group) = expected {
                scanner.expect(group).expect("room for one");
            }
            let stream = message(kind, b"client_encoding\0LATIN1\0");
            for cut in 0..stream.len() {
                scan(
                    &mut scanner,
                    &[stream[..cut].to_vec(), stream[cut..].to_vec()],
                    &mut Vec::new(),
                )
                .expect("a good stream");
                assert_eq!(scanner.take_reported(), noticed, "{kind} cut at {cut}");
                assert!(!scanner.take_reported());
            }
        }
    }
}
