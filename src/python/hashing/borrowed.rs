//! Borrowed references, in the sense of `CPython`: pointers to objects that something else keeps alive.
//!
//! Counting a reference to each name and value of a payload costs a third of its hash, and is needed only
//! where Python code can run: nothing else changes a container or lets an object die.

use std::ptr::{self, NonNull};
use std::slice;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyInt, PyList, PyString, PyTuple};

/// A reference that is not counted.
///
/// Whoever makes one promises not to use it after Python code has run, unless it has been
/// [kept](BorrowedRef::keep) and the counted reference still exists.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct BorrowedRef(NonNull<ffi::PyObject>);

impl BorrowedRef {
    pub(super) fn of<T>(object: &Bound<'_, T>) -> Self {
        // SAFETY: a Bound never holds a null pointer.
        #[allow(unsafe_code)] // the pointer itself is what is wanted
        Self(unsafe { NonNull::new_unchecked(object.as_ptr()) })
    }

    /// The object.
    #[inline]
    pub(super) fn get<'a>(self, py: Python<'_>) -> Borrowed<'a, '_, PyAny> {
        // SAFETY: the promise of the type: no Python code has run since, or a counted reference exists.
        #[allow(unsafe_code)]
        unsafe {
            Borrowed::from_ptr(py, self.0.as_ptr())
        }
    }

    /// The text of a string that is known to have UTF-8, because it has been read before.
    #[inline]
    pub(super) fn text<'a>(self, py: Python<'_>) -> &'a str {
        let string = self.get(py);
        if string.is_instance_of::<PyString>() {
            // SAFETY: it is a string.
            #[allow(unsafe_code)]
            // a failed cast would make an error value, which costs even where none fails
            let string = unsafe { string.cast_unchecked::<PyString>() };
            return ascii(string).unwrap_or_else(|| encoded(string).unwrap_or_default());
        }
        ""
    }

    /// A counted reference.
    pub(super) fn keep(self, py: Python<'_>) -> Py<PyAny> {
        self.get(py).to_owned().unbind()
    }
}

// SAFETY: whoever reads the object shows by a token that the thread is attached to the interpreter.
#[allow(unsafe_code)] // a walk that is kept between two slices holds these
unsafe impl Send for BorrowedRef {}
// SAFETY: as for Send.
#[allow(unsafe_code)]
unsafe impl Sync for BorrowedRef {}

/// The elements of a list or a tuple, where it holds them.
///
/// An element is missing in a list that C code has made and not filled yet.
#[derive(Clone, Copy)]
pub(super) struct BorrowedElements {
    first: NonNull<Option<BorrowedRef>>,
    length: usize,
}

// SAFETY: as for `BorrowedRef`.
#[allow(unsafe_code)]
unsafe impl Send for BorrowedElements {}
// SAFETY: as for `BorrowedRef`.
#[allow(unsafe_code)]
unsafe impl Sync for BorrowedElements {}

impl BorrowedElements {
    pub(super) fn of_list(list: &Bound<'_, PyList>) -> Self {
        // SAFETY: `list` is a list, whose items are `length` adjacent pointers.
        #[allow(unsafe_code)] // a copy of the pointers costs as much as short elements themselves
        let first = unsafe { (*list.as_ptr().cast::<ffi::PyListObject>()).ob_item };
        Self::at(first, list.len())
    }

    pub(super) fn of_tuple(tuple: &Bound<'_, PyTuple>) -> Self {
        Self::at(tuple.as_slice().as_ptr().cast_mut().cast(), tuple.len())
    }

    /// Elements that are counted.
    pub(super) fn of_kept(kept: &[Option<Py<PyAny>>]) -> Self {
        Self::at(kept.as_ptr().cast_mut().cast(), kept.len())
    }

    fn at(first: *mut *mut ffi::PyObject, length: usize) -> Self {
        // A list without elements has no items, and neither has one that is being sorted.
        match NonNull::new(first.cast()) {
            Some(first) => Self { first, length },
            None => Self { first: NonNull::dangling(), length: 0 },
        }
    }

    pub(super) fn as_slice<'a>(self) -> &'a [Option<BorrowedRef>] {
        // SAFETY: `length` adjacent pointers, each null or to an object, which an optional BorrowedRef is; they
        // stay until Python code runs, after which nobody asks for them.
        #[allow(unsafe_code)]
        unsafe {
            slice::from_raw_parts(self.first.as_ptr(), self.length)
        }
    }
}

/// The names and values of a dict, as it holds them. While this is in use nothing may change the dict, so no
/// Python code may run.
pub(super) struct Entries<'a, 'py> {
    dict: &'a Bound<'py, PyDict>,
    position: ffi::Py_ssize_t,
}

impl<'a, 'py> Entries<'a, 'py> {
    pub(super) fn of(dict: &'a Bound<'py, PyDict>) -> Self {
        Self { dict, position: 0 }
    }
}

impl<'a, 'py> Iterator for Entries<'a, 'py> {
    type Item = [Borrowed<'a, 'py, PyAny>; 2];

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (dict, py) = (self.dict.as_ptr(), self.dict.py());
        let (mut name, mut value) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: `dict` is a dict, whose own entries come before `position`; name and value are read only after
        // they have been set, to objects that the dict keeps alive.
        #[allow(unsafe_code)]
        // pyo3's iterator counts two references to each and looks at the size each time
        unsafe {
            if ffi::PyDict_Next(dict, &raw mut self.position, &raw mut name, &raw mut value) == 0 {
                return None;
            }
            Some([Borrowed::from_ptr(py, name), Borrowed::from_ptr(py, value)])
        }
    }
}

/// The UTF-8 of a string. Python code can run if it has not been asked for before, since an exception may have
/// to be made.
#[cold]
#[inline(never)]
fn encoded<'a>(text: Borrowed<'a, '_, PyString>) -> PyResult<&'a str> {
    let mut size = 0;
    // SAFETY: `text` is a str, and `size` is written before it is read.
    #[allow(unsafe_code)] // `to_str` borrows for less long than the string lives
    let data = unsafe { ffi::PyUnicode_AsUTF8AndSize(text.as_ptr(), &raw mut size) };
    if data.is_null() {
        return Err(PyErr::fetch(text.py()));
    }
    let size = usize::try_from(size).unwrap_or_default();
    // SAFETY: `size` bytes of UTF-8, which the string keeps until it is freed.
    #[allow(unsafe_code)]
    Ok(unsafe { std::str::from_utf8_unchecked(slice::from_raw_parts(data.cast(), size)) })
}

/// The text of a string that is ASCII and whose characters follow its header; None for any other.
///
/// The header has another layout from 3.14 on, which is not read here.
#[inline]
pub(in crate::python) fn ascii<'a>(text: Borrowed<'a, '_, PyString>) -> Option<&'a str> {
    #[cfg(not(any(Py_3_14, PyPy, GraalPy)))]
    // SAFETY: `text` is a str. If it is compact and ASCII, then `length` bytes of ASCII follow its header, and
    // neither changes while it lives.
    #[allow(unsafe_code)] // asking by a function call costs more than most names
    unsafe {
        let header = text.as_ptr();
        if ffi::PyUnicode_IS_COMPACT_ASCII(header) != 0 {
            let length = usize::try_from(ffi::PyUnicode_GET_LENGTH(header)).ok()?;
            let first = header.cast::<ffi::PyASCIIObject>().add(1).cast::<u8>();
            return Some(std::str::from_utf8_unchecked(slice::from_raw_parts(first, length)));
        }
    }
    let _ = text;
    None
}

/// The value of an integer of machine size; None for a larger one.
#[inline]
pub(super) fn small_int(int: &Bound<'_, PyInt>) -> Option<i64> {
    let mut overflow = 0;
    // SAFETY: `int` is an int, so nothing is raised and no code of its own is asked.
    #[allow(unsafe_code)] // `extract` makes an exception of each large integer
    let value = unsafe { ffi::PyLong_AsLongLongAndOverflow(int.as_ptr(), &raw mut overflow) };
    (overflow == 0).then_some(value)
}
