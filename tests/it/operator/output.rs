//! Standard output, help and version.

use std::process::Stdio;

use tokio::process::Command;

use super::{bare, file, run};
use crate::support::{app::App, binaries::binary};

/// The exit status and errors of a command whose reader is gone before it writes.
async fn unread(mut command: Command) -> (Option<i32>, String) {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    command.stdout(writer).stderr(Stdio::piped());
    let output = command.spawn().expect("the command runs").wait_with_output().await.expect("its end");
    (output.status.code(), String::from_utf8(output.stderr).expect("text"))
}

#[tokio::test]
async fn a_closed_pipe_is_a_normal_end_and_the_command_is_finished() {
    let app = App::start().await;
    let catalog = file("rewards: disabled\n");
    let path = catalog.path().to_str().expect("a path");
    for arguments in [
        &["catalog", "show"][..],
        &["catalog", "check", path],
        &["catalog", "apply", path, "--yes"],
        &["client", "list"],
        &["client", "list", "--json"],
        &["client", "add", "app", "--for", "activities"],
        &["client", "revoke", "app"],
        &["key", "rotate"],
    ] {
        let mut command = bare();
        let stack = app.prefix.trim_end_matches('-');
        command.args(arguments).args(["--stack", stack, "--endpoint-url", &app.endpoint]);
        assert_eq!(unread(command).await, (Some(0), String::new()), "{arguments:?}");
    }
    assert!(
        !punchcard_store::Admin::new(&app.store).snapshot().await.expect("a catalog").rules.rewards_enabled(),
        "applied"
    );
    let mut command = bare();
    command.args(["completions", "bash"]);
    assert_eq!(unread(command).await, (Some(0), String::new()));
}

#[tokio::test]
async fn output_that_cannot_be_written_is_an_error() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a full device");
    let mut command = bare();
    command.args(["completions", "bash"]).stdout(full).stderr(Stdio::piped());
    let output = command.spawn().expect("the command runs").wait_with_output().await.expect("its end");
    let errors = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1));
    assert!(errors.contains("can't write the output: No space left on device"), "{errors}");
}

#[tokio::test]
async fn the_version_has_the_commit_where_there_is_a_repository() {
    let mut command = bare();
    command.arg("--version");
    let said = run(command).await.output;
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let git = std::process::Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).current_dir(root).output();
    let commit = git.ok().filter(|output| output.status.success()).map(|output| output.stdout);
    let version = env!("CARGO_PKG_VERSION");
    let expected = match commit {
        Some(commit) => format!("punchcard {version} ({})\n", String::from_utf8_lossy(&commit).trim()),
        None => format!("punchcard {version}\n"),
    };
    assert_eq!(said, expected);
}

#[tokio::test]
async fn each_shell_gets_a_completion_script_and_each_command_an_example() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let mut command = bare();
        command.args(["completions", shell]);
        let said = run(command).await;
        assert!(said.succeeded && said.output.contains("endpoint-url"), "{shell}: {}", said.errors);
    }
    for command in [
        &["serve"][..],
        &["store"],
        &["catalog", "check"],
        &["catalog", "apply"],
        &["catalog", "show"],
        &["client", "add"],
        &["client", "list"],
        &["client", "revoke"],
        &["key", "rotate"],
        &["completions"],
    ] {
        let mut punchcard = Command::new(binary("punchcard"));
        punchcard.args(command).arg("--help");
        let said = run(punchcard).await;
        assert!(said.succeeded && said.output.contains("Example"), "{command:?}: {}", said.output);
    }
}
