//! seccomp
use crate::error::Result;
use super::spec::Seccomp;
use super::parse::refuse;
/// Program
#[derive(Debug, Clone)]
pub struct Program { /// i
 pub instructions: Vec<libc::sock_filter>, /// f
 pub flags: u32 }
/// compile
pub fn compile(path: &str, _profile: &Seccomp) -> Result<Program> { Err(refuse(path, "is not supported by this guest")) }
