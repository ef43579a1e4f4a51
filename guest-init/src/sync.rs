//! Locks that cannot be poisoned: a panic ends the process, so none is ever seen half-changed.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks without a result to unwrap. Never held across an await.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
