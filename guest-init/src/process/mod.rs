//! Processes: starting them, their streams, and their end.

pub mod attach;
pub(crate) mod child;
pub mod input;
pub mod output;
pub mod plan;
pub mod reaper;
pub mod running;
pub mod spawn;
pub mod terminal;
