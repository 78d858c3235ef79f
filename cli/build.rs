//! Sets the version for `--version`: the package version and, if available, the git commit.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=PUNCHCARD_COMMIT");
    let package = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    // Image and package builds have no repository and pass the commit in a variable.
    let given = env::var("PUNCHCARD_COMMIT").ok().filter(|commit| !commit.is_empty());
    let version = match given.or_else(commit) {
        Some(commit) => format!("{package} ({commit})"),
        None => package,
    };
    println!("cargo::rustc-env=PUNCHCARD_VERSION={version}");
}

/// Returns the checked-out commit, or `None` without git or outside this project's repository.
fn commit() -> Option<String> {
    let workspace = Path::new(&env::var_os("CARGO_MANIFEST_DIR")?).parent()?.canonicalize().ok()?;
    // Sources may be unpacked inside another repository.
    let repository = PathBuf::from(git(&["rev-parse", "--show-toplevel"])?).canonicalize().ok()?;
    if repository != workspace {
        return None;
    }
    // The reflog of HEAD changes with every commit and checkout. Cargo would rebuild each time if a file were missing.
    for name in ["HEAD", "logs/HEAD"] {
        let path = git(&["rev-parse", "--path-format=absolute", "--git-path", name])?;
        if Path::new(&path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}
