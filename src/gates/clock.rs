//! Time in nanoseconds that never goes backwards, unless a test wants it to.

use std::sync::atomic::{AtomicU64, Ordering};

/// Nanoseconds in one second.
pub const SECOND: u64 = 1_000_000_000;

/// Windows at least this long are judged by the coarse clock, whose tick is a few milliseconds.
pub const COARSE_FROM: u64 = SECOND / 10;

/// Nanoseconds since boot, the same for all processes of the host.
///
/// `coarse` reads the kernel's last tick instead of the hardware counter: a fifth of the cost, and
/// as monotonic.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[allow(unsafe_code)] // the standard library has no coarse clock and no absolute reading
pub fn monotonic(coarse: bool) -> u64 {
    let id = if coarse { libc::CLOCK_MONOTONIC_COARSE } else { libc::CLOCK_MONOTONIC };
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid out pointer; both clocks exist on every Linux since 2.6.32, so the
    // call cannot fail.
    unsafe { libc::clock_gettime(id, &raw mut time) };
    #[allow(clippy::cast_sign_loss)] // time since boot
    let (seconds, nanos) = (time.tv_sec as u64, time.tv_nsec as u64);
    seconds * SECOND + nanos
}

/// Nanoseconds since boot, the same for all processes of the host; there is no coarse clock here.
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
#[allow(unsafe_code)] // the standard library has no absolute reading
pub fn monotonic(_coarse: bool) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid out pointer; POSIX has CLOCK_MONOTONIC.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    #[allow(clippy::cast_sign_loss)] // time since boot
    let (seconds, nanos) = (time.tv_sec as u64, time.tv_nsec as u64);
    seconds * SECOND + nanos
}

/// Nanoseconds since this process first asked; there is no coarse clock here.
#[cfg(not(unix))]
pub fn monotonic(_coarse: bool) -> u64 {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    let elapsed = START.get_or_init(std::time::Instant::now).elapsed();
    u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
}

/// A clock that only its owner moves.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// A clock that shows `nanos`.
    pub const fn new(nanos: u64) -> Self {
        Self(AtomicU64::new(nanos))
    }

    /// What it shows.
    pub fn now(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Sets it, backwards too.
    pub fn set(&self, nanos: u64) {
        self.0.store(nanos, Ordering::Release);
    }

    /// Moves it by `nanos`; it stops at either end rather than wrap.
    pub fn advance(&self, nanos: i64) {
        let moved = |now: u64| Some(now.saturating_add_signed(nanos));
        // The closure never declines, so the result carries nothing.
        let _ = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, moved);
    }
}
