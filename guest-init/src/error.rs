//! The one error type of the agent: a gRPC status with a stable code and, where there is one, a hint.

use std::fmt;
use std::io;

use tonic::{Code, Status, metadata::MetadataValue};

/// Trailer that carries the stable code.
pub const CODE_TRAILER: &str = "a3s-box-code";
/// Trailer that carries the hint (percent-encoded UTF-8, as `grpc-message` is).
pub const HINT_TRAILER: &str = "a3s-box-hint";

/// What a call failed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentError {
    code: &'static str,
    status: i32,
    message: String,
    hint: Option<String>,
}

/// Result of everything that may fail towards the host.
pub type Result<T> = std::result::Result<T, AgentError>;

impl AgentError {
    fn new(code: &'static str, status: Code, message: impl Into<String>) -> Self {
        Self { code, status: status as i32, message: message.into(), hint: None }
    }

    /// A request that can never succeed as it is.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new("INVALID_ARGUMENT", Code::InvalidArgument, message)
    }

    /// What the request names is not there.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new("NOT_FOUND", Code::NotFound, message)
    }

    /// Something else of that name is there.
    pub fn already_exists(message: impl Into<String>) -> Self {
        Self::new("ALREADY_EXISTS", Code::AlreadyExists, message)
    }

    /// The present state does not allow the request.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new("CONFLICT", Code::FailedPrecondition, message)
    }

    /// The guest's kernel lacks what the request needs.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new("UNSUPPORTED", Code::Unimplemented, message)
    }

    /// The executable is not in the container.
    pub fn command_not_found(message: impl Into<String>) -> Self {
        Self::new("COMMAND_NOT_FOUND", Code::NotFound, message)
            .hint("check the name of the command and the image's PATH")
    }

    /// The executable is there and cannot be run.
    pub fn command_not_executable(message: impl Into<String>) -> Self {
        Self::new("COMMAND_NOT_EXECUTABLE", Code::FailedPrecondition, message)
            .hint("check that the file is a program for this architecture and has execute permission")
    }

    /// The guest failed at something that should work.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new("INTERNAL", Code::Internal, message)
    }

    /// A system call failed while doing `what`.
    pub fn system(what: impl fmt::Display, error: impl Into<io::Error>) -> Self {
        let error = error.into();
        let message = format!("{what}: {error}");
        match error.raw_os_error() {
            Some(libc::ENOSPC | libc::EDQUOT) => Self::new("DISK_FULL", Code::ResourceExhausted, message)
                .hint("the box's scratch disk is full; remove files or give the box a larger one"),
            _ => Self::internal(message),
        }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The message without code and hint.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for AgentError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for AgentError {}

impl From<AgentError> for Status {
    fn from(error: AgentError) -> Self {
        let mut status = Status::new(Code::from_i32(error.status), error.message);
        status.metadata_mut().insert(CODE_TRAILER, MetadataValue::from_static(error.code));
        if let Some(hint) = error.hint
            && let Ok(value) = MetadataValue::try_from(percent_encode(&hint))
        {
            status.metadata_mut().insert(HINT_TRAILER, value);
        }
        status
    }
}

fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_carries_code_and_hint_as_trailers() {
        let status = Status::from(AgentError::command_not_found("no such command: x").hint("größer\n"));
        assert_eq!(status.code(), Code::NotFound);
        assert_eq!(status.metadata().get(CODE_TRAILER).map(|v| v.as_bytes()), Some(&b"COMMAND_NOT_FOUND"[..]));
        assert_eq!(status.metadata().get(HINT_TRAILER).map(|v| v.as_bytes()), Some(&b"gr%C3%B6%C3%9Fer%0A"[..]));
    }

    #[test]
    fn a_full_disk_is_told_apart() {
        let error = AgentError::system("write /etc/hosts", io::Error::from_raw_os_error(libc::ENOSPC));
        assert_eq!(error.code(), "DISK_FULL");
    }
}
