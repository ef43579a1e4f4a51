//! `linux.resources` as settings of a cgroup v2.

use super::parse::refuse;
use super::spec::{Cpu, Memory, Resources};
use crate::cgroup::Setting;
use crate::error::Result;

const DEFAULT_PERIOD: u64 = 100_000;

/// What to write for `resources`, in order; only fields that are present. `path` names the document's field in errors.
pub fn settings(path: &str, resources: &Resources) -> Result<Vec<Setting>> {
    let mut settings = Vec::new();
    if let Some(memory) = &resources.memory {
        memory_settings(&format!("{path}.memory"), memory, &mut settings)?;
    }
    if let Some(cpu) = &resources.cpu {
        cpu_settings(&format!("{path}.cpu"), cpu, &mut settings)?;
    }
    if let Some(limit) = resources.pids.as_ref().and_then(|pids| pids.limit) {
        settings.push(Setting::new("pids.max", if limit <= 0 { "max".to_owned() } else { limit.to_string() }));
    }
    for (file, value) in &resources.unified {
        check_unified(&format!("{path}.unified"), file)?;
        settings.push(Setting::new(file, value));
    }
    Ok(settings)
}

fn memory_settings(path: &str, memory: &Memory, settings: &mut Vec<Setting>) -> Result<()> {
    if let Some(swap) = memory.swap {
        let value = match (swap, memory.limit) {
            (-1, _) => "max".to_owned(),
            (swap, Some(limit)) if limit >= 0 && swap >= limit => (swap - limit).to_string(),
            (_, Some(limit)) if limit >= 0 => {
                return Err(refuse(format_args!("{path}.swap"), "is below the memory limit, which it includes"));
            }
            _ => return Err(refuse(format_args!("{path}.swap"), "needs a memory limit")),
        };
        settings.push(Setting::new("memory.swap.max", value));
    }
    if let Some(reservation) = memory.reservation {
        settings.push(Setting::new("memory.low", bytes(&format!("{path}.reservation"), reservation)?));
    }
    if let Some(limit) = memory.limit {
        settings.push(Setting::new("memory.max", bytes(&format!("{path}.limit"), limit)?));
    }
    Ok(())
}

fn bytes(path: &str, value: i64) -> Result<String> {
    match value {
        -1 => Ok("max".to_owned()),
        0.. => Ok(value.to_string()),
        _ => Err(refuse(path, "is negative")),
    }
}

fn cpu_settings(path: &str, cpu: &Cpu, settings: &mut Vec<Setting>) -> Result<()> {
    if let Some(idle) = cpu.idle {
        settings.push(Setting::new("cpu.idle", idle));
    }
    if let Some(shares) = cpu.shares
        && shares != 0
    {
        if !(2..=262_144).contains(&shares) {
            return Err(refuse(format_args!("{path}.shares"), "is not between 2 and 262144"));
        }
        settings.push(Setting::new("cpu.weight", weight(shares)));
    }
    if cpu.quota.is_some() || cpu.period.is_some() {
        settings.push(Setting::new("cpu.max", bandwidth(path, cpu)?));
    }
    if let Some(burst) = cpu.burst {
        settings.push(Setting::new("cpu.max.burst", burst));
    }
    for (file, list) in [("cpuset.cpus", &cpu.cpus), ("cpuset.mems", &cpu.mems)] {
        if let Some(list) = list
            && !list.is_empty()
        {
            settings.push(Setting::new(file, list));
        }
    }
    Ok(())
}

fn bandwidth(path: &str, cpu: &Cpu) -> Result<String> {
    let period = cpu.period.filter(|period| *period != 0).unwrap_or(DEFAULT_PERIOD);
    match cpu.quota {
        None | Some(-1 | 0) => Ok(format!("max {period}")),
        Some(quota) if quota > 0 => Ok(format!("{quota} {period}")),
        Some(_) => Err(refuse(format_args!("{path}.quota"), "is negative")),
    }
}

/// cgroup v1's shares as cgroup v2's weight, so that both ends and the default (1024 and 100) meet, as the current OCI
/// runtimes convert them.
fn weight(shares: u64) -> u64 {
    let log = (shares as f64).log2();
    let exponent = (log * log + 125.0 * log) / 612.0 - 7.0 / 34.0;
    (10f64.powf(exponent).ceil() as u64).clamp(1, 10_000)
}

/// A unified key is the name of a controller's file.
fn check_unified(path: &str, file: &str) -> Result<()> {
    let plain = file.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    if !plain || !file.contains('.') || file.starts_with('.') {
        return Err(refuse(format_args!("{path}[{file:?}]"), "is not the name of a cgroup file"));
    }
    if file.starts_with("cgroup.") {
        return Err(refuse(format_args!("{path}[{file:?}]"), "is kept for the guest"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::parse::parse;

    fn of(json: &str) -> Result<Vec<String>> {
        let resources = parse::<Resources>("r", json.as_bytes())?;
        Ok(settings("r", &resources)?
            .into_iter()
            .map(|setting| format!("{}={}", setting.file, setting.value))
            .collect())
    }

    #[test]
    fn limits_become_files() {
        let json = r#"{"memory":{"limit":1000,"swap":3000,"reservation":-1},"cpu":{"shares":1024,"quota":50000,"period":100000,"cpus":"0-1"},"pids":{"limit":0},"unified":{"memory.high":"9"}}"#;
        let expected = [
            "memory.swap.max=2000",
            "memory.low=max",
            "memory.max=1000",
            "cpu.weight=100",
            "cpu.max=50000 100000",
            "cpuset.cpus=0-1",
            "pids.max=max",
            "memory.high=9",
        ];
        assert_eq!(of(json).unwrap(), expected);
    }

    #[test]
    fn weights_meet_at_both_ends() {
        assert_eq!((weight(2), weight(1024), weight(262_144)), (1, 100, 10_000));
    }

    #[test]
    fn what_cannot_be_applied_is_refused() {
        for json in [
            r#"{"memory":{"swap":10}}"#,
            r#"{"memory":{"limit":10,"swap":9}}"#,
            r#"{"memory":{"limit":-2}}"#,
            r#"{"memory":{"swappiness":10}}"#,
            r#"{"cpu":{"shares":1}}"#,
            r#"{"cpu":{"realtimePeriod":1}}"#,
            r#"{"unified":{"../x.y":"1"}}"#,
            r#"{"unified":{"cgroup.procs":"1"}}"#,
            r#"{"network":{}}"#,
        ] {
            assert!(of(json).is_err(), "{json}");
        }
    }
}
