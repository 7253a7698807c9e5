//! Binds `gates`: tables of gates and the gates themselves.

use std::borrow::Cow;
use std::sync::Arc;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::gates::{
    Event, EventSpec, Gates as Core, KeyHash, Limit, MOST, Named, Pending, Reason, clock,
};

use super::arguments::{BudgetArgument, MaxKeys, USUAL_KEYS, count, gate_error, key_text, nanos};
use super::clock::ClockSource;
use super::firing::FireOnce;
use super::reports::{Decision, GateStats, Suppression, seconds};
use crate::python::current;
use crate::python::hashing::ascii;

/// A table and the clock it is judged by.
pub(super) struct Home {
    pub(super) core: Core,
    pub(super) clock: ClockSource,
}

/// One call's key, as text.
pub(super) struct Caller<'a, 'py> {
    pub(super) event: u32,
    pub(super) tenant: Option<&'a Bound<'py, PyString>>,
    pub(super) subkey: Option<&'a Bound<'py, PyString>>,
}

impl Named for Caller<'_, '_> {
    fn event(&self) -> u32 {
        self.event
    }

    fn tenant(&self) -> Option<Cow<'_, str>> {
        self.tenant.map(|tenant| tenant.to_string_lossy())
    }

    fn subkey(&self) -> Option<Cow<'_, str>> {
        self.subkey.map(|subkey| subkey.to_string_lossy())
    }
}

impl Home {
    pub(super) fn new(core: Core, clock: ClockSource) -> Arc<Self> {
        Arc::new(Self { core, clock })
    }

    /// The key of a rate-limited event, and the hash of its tenant.
    #[allow(clippy::inline_always)] // the result goes through memory otherwise
    #[inline(always)]
    pub(super) fn quota_key(
        &self,
        event: &Event,
        caller: &Caller<'_, '_>,
    ) -> PyResult<(KeyHash, u64)> {
        let tenant = match caller.tenant {
            Some(tenant) => self.core.tenant_hash(&key_text(tenant)?),
            None => 0,
        };
        let key = match caller.subkey {
            Some(subkey) => match ascii(subkey.as_borrowed()) {
                Some(text) => self.core.key(event, tenant, Some(text.as_bytes())),
                None => self.wide_key(event, tenant, subkey)?,
            },
            None => self.core.key(event, tenant, None),
        };
        Ok((key, tenant))
    }

    #[cold]
    fn wide_key(
        &self,
        event: &Event,
        tenant: u64,
        subkey: &Bound<'_, PyString>,
    ) -> PyResult<KeyHash> {
        Ok(self.core.key(event, tenant, Some(&*key_text(subkey)?)))
    }

    /// The key of a fire-once event: a keyed 128-bit digest.
    pub(super) fn digest(&self, event: u64, caller: &Caller<'_, '_>) -> PyResult<KeyHash> {
        let tenant = caller.tenant.map(key_text).transpose()?;
        let subkey = caller.subkey.map(key_text).transpose()?;
        let present = [u8::from(tenant.is_some()), u8::from(subkey.is_some())];
        Ok(self.core.secret().digest(&[
            &event.to_le_bytes(),
            &present,
            tenant.as_deref().unwrap_or_default(),
            subkey.as_deref().unwrap_or_default(),
        ]))
    }
}

/// The org of the running context; what has no scope shares one key, which no org can be named like.
#[inline]
pub(super) fn tenant(py: Python<'_>, per_tenant: bool) -> Option<Bound<'_, PyString>> {
    if !per_tenant {
        return None;
    }
    let scope = current::current(py).ok().flatten();
    let org = scope.and_then(|scope| scope.get().org_text(py));
    Some(org.map_or_else(|| intern!(py, "<unscoped>").clone(), |org| org.into_bound(py)))
}

/// A table of gates in the memory of this process, of fixed size.
///
/// `max_keys` is how many keys it tells apart. `clock` is None for the system's monotonic clock, a
/// `ManualClock`, or a callable that returns integer nanoseconds. `max_count` is where the suppressed
/// count of one key stays until it is reported; by default 2**44 - 1.
///
/// Raises `GateLimitError` (a `ValueError`) if `max_keys` is not from 1 to 67,108,864, or `max_count`
/// not from 1 to 2**44 - 1.
#[pyclass(frozen, subclass, weakref, module = "interlock.gates")]
pub(in crate::python) struct Gates {
    pub(super) home: Arc<Home>,
}

#[pymethods]
impl Gates {
    #[new]
    #[pyo3(signature = (*, max_keys = USUAL_KEYS, clock = None, max_count = None))]
    fn new(
        py: Python<'_>,
        max_keys: MaxKeys,
        clock: Option<&Bound<'_, PyAny>>,
        max_count: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let most = max_count.map_or(Ok(MOST), |given| count("max_count", given))?;
        let core = Core::private(max_keys.0).and_then(|core| core.counting_to(most));
        let core = core.map_err(|why| gate_error(py, &why))?;
        let home = Home::new(core, ClockSource::from_argument(clock)?);
        super::default::remember(&home);
        Ok(Self { home })
    }

    /// A gate that lets `max_per_window` emissions of each subkey pass in a window of `window`
    /// seconds.
    ///
    /// The window opens with the first call that is allowed after the last one ended; 0 mutes and
    /// counts. `event` is a constant in code. `event_budget` bounds all subkeys together:
    /// `(emissions, seconds)`, a number of emissions in the same window, None for no bound; by
    /// default the larger of 600 in 60 s and the gate's own rate. With `per_tenant` the keys and
    /// the budget are separate for each org of the current scope.
    ///
    /// Raises `GateLimitError` (a `ValueError`).
    #[pyo3(signature = (event, max_per_window, window, *, event_budget = BudgetArgument::Default, per_tenant = false))]
    fn window(
        &self,
        py: Python<'_>,
        event: &str,
        max_per_window: &Bound<'_, PyAny>,
        window: f64,
        event_budget: BudgetArgument,
        per_tenant: bool,
    ) -> PyResult<Gate> {
        let max = count("max_per_window", max_per_window)?;
        let span = nanos(py, "window", window)?;
        let limit = Limit::window(max, span).map_err(|why| gate_error(py, &why))?;
        let definition = Definition { event, policy: "window", max, span, per_tenant };
        self.gate(py, &definition, limit, event_budget)
    }

    /// A gate that lets `max_per_window` emissions of each subkey pass in `window` seconds, evenly:
    /// the generic cell rate algorithm (GCRA) in integer nanoseconds, a true token bucket.
    ///
    /// Without `burst` an idle subkey may emit `max_per_window` at once. With it, at most `burst`
    /// at once, and at most `max_per_window` in any stretch of `window` seconds. The rest is as
    /// for `window`.
    ///
    /// Raises `GateLimitError` (a `ValueError`).
    #[pyo3(signature = (event, max_per_window, window, *, burst = None, event_budget = BudgetArgument::Default, per_tenant = false))]
    #[allow(clippy::too_many_arguments)] // Python's keyword arguments
    fn rate(
        &self,
        py: Python<'_>,
        event: &str,
        max_per_window: &Bound<'_, PyAny>,
        window: f64,
        burst: Option<&Bound<'_, PyAny>>,
        event_budget: BudgetArgument,
        per_tenant: bool,
    ) -> PyResult<Gate> {
        let max = count("max_per_window", max_per_window)?;
        let span = nanos(py, "window", window)?;
        let burst = burst.map(|burst| count("burst", burst)).transpose()?;
        let limit = Limit::rate(max, span, burst).map_err(|why| gate_error(py, &why))?;
        let definition = Definition { event, policy: "rate", max, span, per_tenant };
        self.gate(py, &definition, limit, event_budget)
    }

    /// A gate that fires once for each subkey, until it is reset or `ttl` seconds have passed.
    ///
    /// Raises `GateLimitError` (a `ValueError`).
    #[pyo3(signature = (event, *, ttl = None, per_tenant = false))]
    fn fire_once(
        &self,
        py: Python<'_>,
        event: &str,
        ttl: Option<f64>,
        per_tenant: bool,
    ) -> PyResult<FireOnce> {
        let ttl = ttl.map(|ttl| nanos(py, "ttl", ttl)).transpose()?;
        FireOnce::new(py, Arc::clone(&self.home), event, ttl, per_tenant)
    }

    /// Hand over what was suppressed since it was last reported, once, sorted by event and subkey.
    fn drain(&self) -> Vec<Suppression> {
        self.home.core.drain().into_iter().map(Suppression::from).collect()
    }

    /// Totals of each event, and the state of the table. Reads the whole table.
    fn stats(&self) -> GateStats {
        GateStats::from(self.home.core.stats())
    }

    /// Forget every key. Counts not yet reported stay for `drain`.
    fn clear(&self, py: Python<'_>) -> PyResult<()> {
        self.home.core.clear(self.home.clock.now(py, true)?);
        Ok(())
    }
}

struct Definition<'a> {
    event: &'a str,
    policy: &'static str,
    max: u64,
    span: u64,
    per_tenant: bool,
}

impl Gates {
    fn gate(
        &self,
        py: Python<'_>,
        definition: &Definition<'_>,
        limit: Limit,
        budget: BudgetArgument,
    ) -> PyResult<Gate> {
        let spec = EventSpec {
            name: definition.event,
            policy: definition.policy,
            rate: Some((definition.max, definition.span)),
            per_tenant: definition.per_tenant,
            budget: budget.over(py, definition.span)?,
        };
        let event = self.home.core.event(&spec).map_err(|why| gate_error(py, &why))?;
        Ok(Gate {
            home: Arc::clone(&self.home),
            event,
            name: definition.event.to_owned(),
            limit,
            per_tenant: definition.per_tenant,
            coarse: definition.span >= clock::COARSE_FROM,
        })
    }
}

/// Decides for one event and its subkeys. Made by `Gates.window` and `Gates.rate`.
#[pyclass(frozen, weakref, module = "interlock.gates")]
pub(in crate::python) struct Gate {
    home: Arc<Home>,
    event: Event,
    #[pyo3(get, name = "event")]
    name: String,
    limit: Limit,
    per_tenant: bool,
    coarse: bool,
}

#[pymethods]
impl Gate {
    /// Whether one more emission may happen; if not, it is counted as suppressed.
    ///
    /// The count of what was suppressed before stays for `check`, `tag` or `drain`.
    #[pyo3(signature = (subkey = None))]
    fn allow(&self, py: Python<'_>, subkey: Option<&Bound<'_, PyString>>) -> PyResult<bool> {
        let now = self.home.clock.now(py, self.coarse)?;
        let tenant = tenant(py, self.per_tenant);
        let caller = self.caller(tenant.as_ref(), subkey);
        let (key, tenant) = self.home.quota_key(&self.event, &caller)?;
        Ok(self.home.core.allow(&self.event, &self.limit, key, tenant, &caller, now))
    }

    /// The same as `allow`, with the reason, and when allowed what was suppressed before, once.
    #[pyo3(signature = (subkey = None))]
    fn check(&self, py: Python<'_>, subkey: Option<&Bound<'_, PyString>>) -> PyResult<Decision> {
        let now = self.home.clock.now(py, self.coarse)?;
        let tenant = tenant(py, self.per_tenant);
        let caller = self.caller(tenant.as_ref(), subkey);
        let (key, tenant) = self.home.quota_key(&self.event, &caller)?;
        let verdict = self.home.core.decide(&self.event, &self.limit, key, tenant, &caller, now);
        let before =
            if verdict.allowed() { self.home.core.take_pending(key) } else { Pending::default() };
        Ok(Decision {
            allowed: verdict.allowed(),
            suppressed_before: before.count,
            saturated: before.saturated,
            first_suppressed_at: (before.count > 0).then(|| seconds(before.first)),
            retry_after: verdict.retry_at.map(|at| seconds(at.saturating_sub(now))),
            reason: match verdict.reason {
                Reason::Allowed => "allowed",
                Reason::Limit => "limit",
                Reason::Budget => "budget",
                Reason::Muted => "muted",
            },
        })
    }

    /// How many emissions were suppressed since somebody was last told.
    #[pyo3(signature = (subkey = None))]
    fn suppressed(&self, py: Python<'_>, subkey: Option<&Bound<'_, PyString>>) -> PyResult<u64> {
        Ok(self.home.core.pending(self.key(py, subkey)?).count)
    }

    /// Fields for `extra=` of the line that was allowed: event, subkey, and what was suppressed
    /// before it, once.
    #[pyo3(signature = (subkey = None))]
    fn tag<'py>(
        &self,
        py: Python<'py>,
        subkey: Option<&Bound<'py, PyString>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let before = self.home.core.take_pending(self.key(py, subkey)?);
        super::reports::tag(py, &self.name, subkey, before)
    }

    fn __repr__(&self) -> String {
        format!("<Gate {:?} {:?}>", self.name, self.limit)
    }
}

impl Gate {
    fn key(&self, py: Python<'_>, subkey: Option<&Bound<'_, PyString>>) -> PyResult<KeyHash> {
        let tenant = tenant(py, self.per_tenant);
        let caller = self.caller(tenant.as_ref(), subkey);
        Ok(self.home.quota_key(&self.event, &caller)?.0)
    }

    fn caller<'a, 'py>(
        &self,
        tenant: Option<&'a Bound<'py, PyString>>,
        subkey: Option<&'a Bound<'py, PyString>>,
    ) -> Caller<'a, 'py> {
        Caller { event: self.event.place(), tenant, subkey }
    }
}
