//! C's objects, arrays and strings, seen from Rust.

use std::ffi::{CStr, CString, c_char};
use std::ptr::NonNull;
use std::slice;

use super::super::error::ClientError;

/// An object of librdkafka that is ours to destroy.
pub struct Owned<T> {
    object: NonNull<T>,
    destroy: unsafe extern "C" fn(*mut T),
}

impl<T> Owned<T> {
    /// Takes what a `.._new()` returned; `None` if it returned null.
    ///
    /// # Safety
    /// `object` is null or an object that nobody else destroys, and `destroy` is what destroys its kind.
    pub unsafe fn new(object: *mut T, destroy: unsafe extern "C" fn(*mut T)) -> Option<Self> {
        NonNull::new(object).map(|object| Self { object, destroy })
    }

    /// The object; for as long as `self` lives.
    pub fn pointer(&self) -> *mut T {
        self.object.as_ptr()
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: `new` demands that the object is ours, and this happens once.
        unsafe { (self.destroy)(self.object.as_ptr()) }
    }
}

/// The objects as the array of pointers that C functions take, for as long as `objects` live.
pub fn pointers<T>(objects: &[Owned<T>]) -> Vec<*mut T> {
    objects.iter().map(Owned::pointer).collect()
}

/// An array that an accessor returned.
///
/// # Safety
/// `array` has `count` pointers and lives for `'a`; it may be null if `count` is 0.
pub unsafe fn items<'a, T>(array: *const *const T, count: usize) -> &'a [*const T] {
    // SAFETY: as demanded.
    if array.is_null() || count == 0 { &[] } else { unsafe { slice::from_raw_parts(array, count) } }
}

/// A copy of a C string; empty if it is null.
///
/// # Safety
/// `text` is null or a string that ends with 0.
pub unsafe fn text(text: *const c_char) -> String {
    // SAFETY: as demanded.
    if text.is_null() {
        String::new()
    } else {
        unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
    }
}

/// Text as C takes it.
pub fn c_text(text: &str) -> Result<CString, ClientError> {
    CString::new(text)
        .map_err(|_| ClientError::Usage(format!("{text:?} contains a NUL, which no name or value may")))
}

/// Where C functions write why they refuse.
pub struct ErrorText([c_char; Self::BYTES]);

impl ErrorText {
    /// librdkafka's own size for such buffers.
    const BYTES: usize = 512;

    /// Nothing is written yet.
    pub fn new() -> Self {
        Self([0; Self::BYTES])
    }

    /// Where to write to.
    pub fn pointer(&mut self) -> *mut c_char {
        self.0.as_mut_ptr()
    }

    /// Bytes that can be written.
    pub const fn capacity(&self) -> usize {
        Self::BYTES
    }

    /// What was written, as the error of arguments that librdkafka refuses.
    pub fn refusal(&self) -> ClientError {
        // SAFETY: librdkafka ends what it writes with 0 within the capacity, and the buffer began as zeros.
        ClientError::Usage(unsafe { text(self.0.as_ptr()) })
    }
}
