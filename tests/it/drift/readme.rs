//! The README: figures that a command prints, its tour and its pictures.

use std::{collections::BTreeSet, fs, path::Path, time::Duration};

use punchcard_rewards::yaml;
use reqwest::StatusCode;
use tempfile::TempDir;
use tokio::process::Command;

use crate::{serve::Running, support::binaries::binary};

const README: &str = include_str!("../../../README.md");
/// The address of `serve` in the tour.
const ADDRESS: &str = "http://127.0.0.1:3000";

#[test]
fn the_readme_has_the_proof_of_the_demo_catalog() {
    let demo = yaml::read(yaml::DEMO).expect("the demo").into_catalog();
    let proof = demo.bounds().to_string();
    assert!(README.contains(&format!("```text\n{}\n```", proof.trim_end())), "{proof}");
}

fn tour() -> &'static str {
    let (_, tour) = README.split_once("\n## A one-minute tour\n").expect("a tour");
    tour.split_once("\n## ").expect("its end").0
}

#[tokio::test]
async fn every_command_and_link_of_the_tour_works() {
    let folder = TempDir::new().expect("a folder");
    let data = folder.path().to_str().expect("text");
    let demo = Running::serve(&["--demo", "--data", data]).await;
    let (mut outputs, mut pages) = (Vec::new(), Vec::new());
    for line in tour().lines().map(str::trim) {
        if let Some(arguments) = line.strip_prefix("cargo run -- ") {
            let mut command = Command::new(binary("punchcard"));
            command.args(arguments.split(' ').map(|word| if word == ".punchcard" { data } else { word }));
            if arguments.starts_with("demo send") {
                command.args(["--url", demo.url()]);
            }
            let run = tokio::time::timeout(Duration::from_mins(1), command.kill_on_drop(true).output());
            let output = run.await.expect("an end in time").expect("it starts");
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{line}: {errors}");
            outputs.push(String::from_utf8(output.stdout).expect("text"));
        }
        for link in line.split('<').skip(1).filter_map(|rest| rest.split_once('>')).map(|(link, _)| link) {
            let Some(path) = link.strip_prefix(ADDRESS) else { continue };
            let page = reqwest::get(format!("{}{path}", demo.url())).await.expect("an answer");
            assert_eq!(page.status(), StatusCode::OK, "{link}");
            pages.push(page.text().await.expect("text"));
        }
    }
    // The outputs that the tour describes, in its order.
    let parts = ["\"base\": 10", "ActivityID already exists", "200 OK", "200 OK", "XYZ_BASE paid 10", "0 differences"];
    assert_eq!(outputs.len(), parts.len(), "{outputs:#?}");
    for (output, part) in outputs.iter().zip(parts) {
        assert!(output.contains(part), "{part}: {output}");
    }
    assert!(outputs[0].contains("200 OK") && outputs[0].contains("\"bonus\": 10"), "{}", outputs[0]);
    assert!(outputs[1].contains("400 Bad Request"), "{}", outputs[1]);
    assert_eq!(body(&outputs[2]), body(&outputs[3]), "the same response");
    let replayed = [&outputs[2], &outputs[3]].map(|output| output.contains("\nidempotent-replayed: true\n"));
    assert_eq!(replayed, [false, true]);
    let parts = ["Last requests", "Why: ", "reward: {flat: 10}"];
    assert_eq!(pages.len(), parts.len());
    for (page, part) in pages.iter().zip(parts) {
        assert!(page.contains(part), "{part}: {page}");
    }
    let (_, rest) = pages[2].split_once("reward: {flat: 10}").expect("a reward");
    assert!(
        pages[2].contains("Start the backtest") && rest.contains("XYZ_SURVEY"),
        "the first reward is a base offer's"
    );
}

/// The body of a printed response.
fn body(output: &str) -> &str {
    let (_, response) = output.split_once(", after ").expect("a status");
    response.split_once("\n{").expect("JSON").1
}

#[test]
fn the_pictures_are_those_of_the_tour_small_and_of_one_width() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let folder = root.join("docs/images");
    let shown: BTreeSet<_> = tour().split("(docs/images/").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    assert_eq!(shown.len(), 3);
    let files = fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let files: BTreeSet<_> = files.map(|name| name.into_string().expect("text")).collect();
    assert_eq!(files.iter().map(String::as_str).collect::<BTreeSet<_>>(), shown);
    for file in files {
        let png = fs::read(folder.join(&file)).expect("a picture");
        assert!(png.len() < 150_000, "{file}: {} bytes", png.len());
        // The width is in the header chunk, after the signature, its length and its name.
        assert_eq!((&png[1..4], &png[12..16], &png[16..20]), (&b"PNG"[..], &b"IHDR"[..], &1280_u32.to_be_bytes()[..]));
    }
}
