//! The agent protocol, generated from `proto/a3s/box/agent/v1/agent.proto`.
#![allow(missing_docs, clippy::all, clippy::unwrap_used)]

include!(concat!(env!("OUT_DIR"), "/a3s.r#box.agent.v1.rs"));
