//! The real binaries, built once for all tests.

use std::{path::PathBuf, process::Command, sync::OnceLock};

/// The path of a binary of the workspace. `cargo test` builds libraries only, so the first test that asks builds the
/// binaries, into the folder that the tests themselves were built to.
pub fn binary(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let test = std::env::current_exe().expect("this test's own path");
        let folder = test.parent().and_then(|deps| deps.parent()).expect("target/<profile>/deps").to_owned();
        let mut build = Command::new(env!("CARGO"));
        build
            // Not the simulator: its clock, which can be stopped, would get into all of them. The model needs no test.
            .args(["build", "--workspace", "--bins", "--quiet"])
            .args(["--exclude", "punchcard-faults", "--exclude", "punchcard-model"])
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        build.arg("--target-dir").arg(folder.parent().expect("target"));
        // Cargo sets these variables for the test's own package; inherited, they would cause a rebuild of everything.
        for (name, _) in
            std::env::vars().filter(|(name, _)| name.starts_with("CARGO_MANIFEST_") || name.starts_with("CARGO_PKG_"))
        {
            build.env_remove(name);
        }
        if folder.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().expect("cargo").success(), "the binaries don't build");
        folder
    });
    folder.join(name)
}
