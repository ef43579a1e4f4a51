//! What a child that could not become its program tells its parent.

/// Where a child failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Stage {
    /// The signal mask.
    Signals,
    /// A session of its own.
    Session,
    /// stdin, stdout, stderr and closing the rest.
    Descriptors,
    /// /proc/self/oom_score_adj.
    OomScore,
    /// Entering namespaces.
    Namespaces,
    /// A mount of `LateSetup`.
    LateMount,
    /// A masked path of `LateSetup`.
    Mask,
    /// A read-only path of `LateSetup`.
    ReadOnly,
    /// The controlling terminal.
    Terminal,
    /// A resource limit.
    Rlimit,
    /// The working directory.
    Directory,
    /// The system call filter.
    Seccomp,
    /// Capabilities.
    Capabilities,
    /// User and groups.
    User,
    /// No new privileges.
    NoNewPrivileges,
    /// The program.
    Execute,
}

const STAGES: [Stage; 16] = [
    Stage::Signals,
    Stage::Session,
    Stage::Descriptors,
    Stage::OomScore,
    Stage::Namespaces,
    Stage::LateMount,
    Stage::Mask,
    Stage::ReadOnly,
    Stage::Terminal,
    Stage::Rlimit,
    Stage::Directory,
    Stage::Seccomp,
    Stage::Capabilities,
    Stage::User,
    Stage::NoNewPrivileges,
    Stage::Execute,
];

/// Bytes of a report.
pub(super) const REPORT_BYTES: usize = 12;
/// In `Report::detail` of `Stage::Execute`: which candidate.
pub(super) const CANDIDATE_MASK: u32 = 0xffff;
/// In `Report::detail` of `Stage::Execute`: the candidate exists.
pub(super) const FILE_EXISTS: u32 = 1 << 16;
/// In `Report::detail` of `Stage::Execute`: the candidate is a directory.
pub(super) const IS_DIRECTORY: u32 = 1 << 17;

/// Why a child did not get to its program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) stage: Stage,
    pub(super) errno: i32,
    pub(super) detail: u32,
}

impl Report {
    pub(super) fn encode(self) -> [u8; REPORT_BYTES] {
        let mut bytes = [0; REPORT_BYTES];
        bytes[..4].copy_from_slice(&(self.stage as u32).to_ne_bytes());
        bytes[4..8].copy_from_slice(&self.errno.to_ne_bytes());
        bytes[8..].copy_from_slice(&self.detail.to_ne_bytes());
        bytes
    }

    pub(super) fn decode(bytes: [u8; REPORT_BYTES]) -> Self {
        let word = |at: usize| u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let stage = STAGES.get(word(0) as usize).copied().unwrap_or(Stage::Execute);
        Self { stage, errno: word(4) as i32, detail: word(8) }
    }
}

const _: () = assert!(STAGES.len() == Stage::Execute as usize + 1);
