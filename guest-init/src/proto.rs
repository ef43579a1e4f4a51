//! The agent protocol, generated from the files in `proto/a3s/box/agent/v1`.
#![allow(missing_docs, clippy::all, clippy::unwrap_used)]

include!(concat!(env!("OUT_DIR"), "/a3s.r#box.agent.v1.rs"));
