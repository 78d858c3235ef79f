//! The binaries that are measured: built here, one package at a time, so that nobody's features leak into another.

use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::case::{PLAIN, Program};

const REFERENCES: &str = "punchcard-references";

/// The paths of the binaries, by program.
pub type Binaries = BTreeMap<Program, PathBuf>;

/// Builds them as they are deployed; `plain`, a workspace of its own, as cargo does by default.
pub fn build(programs: impl Iterator<Item = Program>) -> Result<Binaries> {
    programs
        .map(|program| {
            let name = program.name();
            let arguments = match program {
                Program::Function(name) => vec!["--release", "-p", name],
                PLAIN => vec!["--release", "--manifest-path", "plain/Cargo.toml", "--target-dir", "../../target/plain"],
                Program::Reference(_) => vec!["--release", "-p", REFERENCES],
            };
            eprintln!("building {name}");
            Ok((program, cargo_build(name, &arguments)?))
        })
        .collect()
}

/// Finds them in a folder.
pub fn find(programs: impl Iterator<Item = Program>, folder: &Path) -> Result<Binaries> {
    programs
        .map(|program| {
            let path = folder.join(program.name());
            ensure!(path.is_file(), "{} is not there", path.display());
            Ok((program, path))
        })
        .collect()
}

fn cargo_build(name: &str, arguments: &[&str]) -> Result<PathBuf> {
    let mut cargo = Command::new(env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    cargo.args(["build", "--locked", "--quiet", "--message-format=json-render-diagnostics", "--bin", name]);
    cargo.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null()).stderr(Stdio::inherit());
    // The variables that cargo sets for this package would make it build the others anew.
    for (name, _) in
        env::vars().filter(|(name, _)| name.starts_with("CARGO_MANIFEST_") || name.starts_with("CARGO_PKG_"))
    {
        cargo.env_remove(name);
    }
    let output = cargo.output()?;
    ensure!(output.status.success(), "{name} doesn't build");
    let messages = String::from_utf8(output.stdout)?;
    let executable = messages.lines().find_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let own = message["target"]["name"] == name;
        own.then(|| message["executable"].as_str().map(PathBuf::from)).flatten()
    });
    executable.with_context(|| format!("cargo doesn't say where {name} is"))
}
