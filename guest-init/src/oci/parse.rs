//! Reads a document and refuses what it holds beyond the types.

use serde::de::DeserializeOwned;
use serde_ignored::Path;

use crate::error::{AgentError, Result};

/// Reads `json` as `T`. `document` names it in errors, for example "config.json".
pub fn parse<T: DeserializeOwned>(document: &str, json: &[u8]) -> Result<T> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let mut track = serde_path_to_error::Track::new();
    let mut unsupported = Vec::new();
    let tracked = serde_path_to_error::Deserializer::new(&mut reader, &mut track);
    let value = serde_ignored::deserialize(tracked, |path| unsupported.push(dotted(&path)));
    let value = value.map_err(|error| AgentError::invalid(format!("{document}: {}: {error}", track.path())))?;
    reader.end().map_err(|error| AgentError::invalid(format!("{document}: {error}")))?;
    if unsupported.is_empty() {
        return Ok(value);
    }
    let verb = if unsupported.len() == 1 { "is" } else { "are" };
    Err(AgentError::invalid(format!("{document}: {} {verb} not supported by this guest", unsupported.join(", ")))
        .hint("leave the named fields out"))
}

/// A field that has a value which cannot be applied.
pub fn refuse(path: impl std::fmt::Display, reason: impl std::fmt::Display) -> AgentError {
    AgentError::invalid(format!("{path}: {reason}"))
}

fn dotted(path: &Path<'_>) -> String {
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, index } => format!("{}[{index}]", dotted(parent)),
        Path::Map { parent, key } => {
            let parent = dotted(parent);
            if parent.is_empty() { key.clone() } else { format!("{parent}.{key}") }
        }
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => dotted(parent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::spec::{Config, Process};

    fn error(json: &str) -> String {
        parse::<Config>("config.json", json.as_bytes()).map(|_| ()).unwrap_err().message().to_owned()
    }

    #[test]
    fn every_unknown_field_is_named_by_its_path() {
        let message = error(
            r#"{"hooks":{},"linux":{"intelRdt":{},"namespaces":[{"type":"pid","path":"/x"}],"resources":{"blockIO":{}}},"process":{"user":{"uid":0,"sid":1}}}"#,
        );
        for path in
            ["hooks", "linux.intelRdt", "linux.namespaces[0].path", "linux.resources.blockIO", "process.user.sid"]
        {
            assert!(message.contains(path), "{path} in {message}");
        }
    }

    #[test]
    fn a_wrong_type_is_named_by_its_path() {
        assert!(
            error(r#"{"process":{"rlimits":[{"type":"RLIMIT_NOFILE","hard":-1}]}}"#)
                .contains("process.rlimits[0].hard")
        );
        assert!(error(r#"{"process":{"args":"sh"}}"#).contains("process.args"));
    }

    #[test]
    fn null_is_as_left_out_for_known_fields_alone() {
        let config: Config = parse("config.json", br#"{"mounts":null,"process":{"args":["sh"],"env":null}}"#).unwrap();
        assert_eq!(config.process.unwrap_or_default(), Process { args: vec!["sh".into()], ..Process::default() });
        assert!(error(r#"{"hooks":null}"#).contains("hooks"));
    }

    #[test]
    fn what_follows_the_document_is_refused() {
        assert!(error("{} {}").contains("trailing"));
        assert!(error("").contains("config.json"));
    }
}
