//! Processes: starting them, their streams, and their end.

pub mod attach;
pub(crate) mod child;
pub mod container_init;
pub mod first_process;
pub mod input;
pub mod output;
pub mod plan;
pub(crate) mod raw;
pub mod reaper;
pub(crate) mod report;
pub mod running;
pub mod spawn;
pub mod terminal;
