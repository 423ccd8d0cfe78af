//! A record that makes our own code panic costs itself and nobody else.
//!
//! Only pure work is caught: a value is read, compared or planned, and nothing was sent or stored.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Does the work; a panic becomes its message. Whatever the work had begun to change must be thrown
/// away by the caller.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let text = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned());
        text.unwrap_or_else(|| "a panic without a message".to_owned())
    })
}
