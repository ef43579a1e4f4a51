//! Any bytes are taken for a config.json, or refused with a message; what is taken can be laid out and compiled.
#![no_main]

use guest_init::container::settings::Settings;
use guest_init::oci::parse::parse;
use guest_init::oci::resources;
use guest_init::oci::spec::{Process, Resources};
use guest_init::oci::user::{self, Identity};
use guest_init::process::plan::{Confinement, ProcessPlan};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Ok(settings) = Settings::parse("c", input) {
        assert!(settings.cgroup.is_absolute());
        assert!(settings.mounts.iter().all(|mount| mount.destination.starts_with('/')));
        let _ = ProcessPlan::new("process", &settings.process, Identity::default(), settings.confinement.clone());
    }
    if let Ok(process) = parse::<Process>("process", input)
        && let Ok(confinement) = Confinement::default().overlaid("process", &process)
    {
        let text = String::from_utf8_lossy(input);
        let identity = user::resolve("process.user", &process.user, &text, &text).unwrap_or_default();
        let _ = ProcessPlan::new("process", &process, identity, confinement);
    }
    if let Ok(limits) = parse::<Resources>("resources", input) {
        for setting in resources::settings("resources", &limits).unwrap_or_default() {
            assert!(!setting.file.contains('/'));
        }
    }
});
