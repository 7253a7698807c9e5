//! The two rate policies, as pure functions of a key's state and the time.

use super::GateError;
use super::verdict::Reason;

/// How often one key may emit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// At most `max` in a window that opens with the first call allowed after the last one ended.
    Window {
        /// Emissions a window; 0 mutes.
        max: u64,
        /// Length of the window, in nanoseconds.
        span: u64,
    },
    /// The generic cell rate algorithm (ITU-T I.371), in integer nanoseconds.
    Rate {
        /// Time that one emission costs.
        interval: u64,
        /// How far the theoretical arrival time may run ahead; `None` mutes.
        tolerance: Option<u64>,
    },
}

/// What is kept of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Start of the window, or theoretical arrival time.
    pub time: u64,
    /// Emissions in the window; 0 for a rate.
    pub emitted: u64,
    /// Whether its own limit has denied a call since it was last at rest.
    pub muted: bool,
}

/// What a policy says to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Allowed; this is the key's state afterwards.
    Allow(State),
    /// Denied until the given time; `None` is for ever.
    Deny(Reason, Option<u64>),
}

/// The longest window, and the latest time that is told from later ones: 146 years in nanoseconds, so
/// that neither their sum nor twice it overflows.
pub const LONGEST: u64 = 1 << 62;

/// Emissions a window are counted in this many bits of the key's state.
pub(super) const EMITTED_BITS: u32 = 40;

impl Limit {
    /// At most `max` in a window of `span` nanoseconds.
    pub fn window(max: u64, span: u64) -> Result<Self, GateError> {
        let span = require_span(span)?;
        Ok(Self::Window { max: max.min((1 << EMITTED_BITS) - 1), span })
    }

    /// `max` in `span` nanoseconds, evenly.
    ///
    /// Without `burst` an idle key may emit `max` at once, so that up to `2·max − 1` fall into some
    /// span. With it, at most `burst` at once and at most `max` in *any* span.
    pub fn rate(max: u64, span: u64, burst: Option<u64>) -> Result<Self, GateError> {
        let span = require_span(span)?;
        let (interval, capacity) = match burst {
            None => (span.checked_div(max).unwrap_or(span), max),
            Some(burst) if burst > 0 && burst < max => (span / (max - burst), burst),
            Some(burst) => {
                return Err(GateError::Limit {
                    field: "burst",
                    problem: "must be at least 1 and less than max_per_window",
                    given: burst.to_string(),
                });
            }
        };
        let tolerance = capacity.checked_sub(1).map(|further| interval.saturating_mul(further));
        Ok(Self::Rate { interval, tolerance })
    }

    /// Whether it denies everything.
    pub const fn mutes(&self) -> bool {
        matches!(self, Self::Window { max: 0, .. } | Self::Rate { tolerance: None, .. })
    }

    /// How long after `State::time` a key is as good as unknown.
    pub(super) const fn span(&self) -> u64 {
        match self {
            Self::Window { span, .. } => *span,
            Self::Rate { .. } => 0,
        }
    }

    /// Judges one call at `now`. A clock that went back gives no credit: elapsed time stops at 0.
    #[inline]
    pub fn judge(&self, state: Option<State>, now: u64) -> Judgement {
        if self.mutes() {
            return Judgement::Deny(Reason::Muted, None);
        }
        match *self {
            Self::Window { max, span } => window(max, span, state, now),
            Self::Rate { interval, tolerance } => {
                gcra(interval, tolerance.unwrap_or_default(), state, now)
            }
        }
    }

    /// Takes one emission back: `allowed` is the state it led to, `before` the one it came from.
    ///
    /// When others emitted meanwhile, only the one is taken out of `current`.
    pub(super) fn refund(
        &self,
        before: Option<State>,
        allowed: State,
        current: State,
    ) -> Option<State> {
        if current == allowed {
            return before;
        }
        Some(match *self {
            // The window that it was in has ended: nothing to give back.
            Self::Window { .. } if current.time != allowed.time => current,
            Self::Window { .. } => State { emitted: current.emitted.saturating_sub(1), ..current },
            Self::Rate { interval, .. } => {
                State { time: current.time.saturating_sub(interval), ..current }
            }
        })
    }
}

#[inline]
fn window(max: u64, span: u64, state: Option<State>, now: u64) -> Judgement {
    match state {
        Some(state) if now.saturating_sub(state.time) < span => {
            if state.emitted < max {
                Judgement::Allow(State { emitted: state.emitted + 1, ..state })
            } else {
                Judgement::Deny(Reason::Limit, Some(state.time.saturating_add(span)))
            }
        }
        _ => Judgement::Allow(State { time: now, emitted: 1, muted: false }),
    }
}

#[inline]
fn gcra(interval: u64, tolerance: u64, state: Option<State>, now: u64) -> Judgement {
    let at_rest = State { time: now, emitted: 0, muted: false };
    let state = state.filter(|state| state.time > now).unwrap_or(at_rest);
    let earliest = state.time.saturating_sub(tolerance);
    if earliest > now {
        return Judgement::Deny(Reason::Limit, Some(earliest));
    }
    Judgement::Allow(State { time: state.time.saturating_add(interval), ..state })
}

fn require_span(span: u64) -> Result<u64, GateError> {
    if span == 0 {
        return Err(GateError::Limit {
            field: "window",
            problem: "must be at least one nanosecond",
            given: "0".to_owned(),
        });
    }
    Ok(span.min(LONGEST))
}
