//! The context variable that holds the current scope. `PyO3` has no safe wrapper for `PyContextVar_*`.

#![allow(unsafe_code)] // the only way to a context variable without a Python method call

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use super::tenancy::TenantContext;

static CURRENT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// The variable itself, made on first use. Never exported: whoever can set it can be any tenant.
fn variable(py: Python<'_>) -> PyResult<&'static Py<PyAny>> {
    CURRENT.get_or_try_init(py, || {
        // SAFETY: the thread is attached, the name is a NUL-terminated static, NULL means "no
        // default"; the result is a new reference or NULL with an exception set.
        unsafe {
            let name = c"interlock.tenancy.scope".as_ptr();
            Bound::from_owned_ptr_or_err(py, ffi::PyContextVar_New(name, std::ptr::null_mut()))
        }
        .map(Bound::unbind)
    })
}

/// The scope of the running context, dead or alive.
pub(super) fn current(py: Python<'_>) -> PyResult<Option<Bound<'_, TenantContext>>> {
    let variable = variable(py)?;
    let mut value = std::ptr::null_mut();
    // SAFETY: the thread is attached, `variable` is a ContextVar, `value` is a valid out pointer.
    let status =
        unsafe { ffi::PyContextVar_Get(variable.as_ptr(), std::ptr::null_mut(), &raw mut value) };
    if status < 0 {
        return Err(PyErr::fetch(py));
    }
    // SAFETY: on success the value is a new reference, or NULL if the variable is not set.
    let Some(value) = (unsafe { Bound::from_owned_ptr_or_opt(py, value) }) else {
        return Ok(None);
    };
    if value.is_none() {
        return Ok(None);
    }
    Ok(Some(value.cast_into::<TenantContext>()?))
}

/// Makes `scope` the current one of the running context, and returns the token that undoes it.
pub(super) fn set_current<'py>(
    py: Python<'py>,
    scope: Option<&Py<TenantContext>>,
) -> PyResult<Bound<'py, PyAny>> {
    let none = py.None();
    let value = scope.map_or_else(|| none.as_ptr(), Py::as_ptr);
    let variable = variable(py)?.as_ptr();
    // SAFETY: the thread is attached, the variable is a ContextVar, the value is a live object; the
    // token returned is a new reference or NULL with an exception set.
    unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyContextVar_Set(variable, value)) }
}

/// Undoes a `set_current`. False, with nothing changed, if the token is of another context.
pub(super) fn reset_current(py: Python<'_>, token: &Py<PyAny>) -> PyResult<bool> {
    let variable = variable(py)?.as_ptr();
    // SAFETY: the thread is attached, the variable is a ContextVar, the token came from `set_current`.
    let status = unsafe { ffi::PyContextVar_Reset(variable, token.as_ptr()) };
    if status < 0 {
        // Taken, because it must never be raised over an exception of the user's block.
        drop(PyErr::take(py));
    }
    Ok(status == 0)
}
