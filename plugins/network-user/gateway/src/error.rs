//! Why a start failed, as the one line that the starter reads.

use std::fmt;
use std::io;

use serde::Serialize;

/// A start that failed. The code is one of the host's stable error codes.
#[derive(Debug, Serialize)]
pub struct StartError {
    /// Stable code, for example `PORT_IN_USE`.
    pub code: &'static str,
    /// What happened to what, in lower case.
    pub message: String,
    /// The system's error number, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errno: Option<i32>,
}

impl StartError {
    /// An error without an error number.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), errno: None }
    }

    /// An error of the system.
    pub fn system(code: &'static str, what: impl fmt::Display, error: &io::Error) -> Self {
        Self { code, message: format!("{what}: {error}"), errno: error.raw_os_error() }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for StartError {}
