//! The relative links of the documents: each leads to a file of the repository, and to a heading if it names one.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The Markdown files below a directory. Hidden directories and build results are left out.
fn documents(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path());
    entries
        .flat_map(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            match path.is_dir() {
                true if name == "target" || name.starts_with('.') => vec![],
                true => documents(&path),
                false if path.extension().is_some_and(|extension| extension == "md") => vec![path],
                false => vec![],
            }
        })
        .collect()
}

/// The text without fenced code blocks, where brackets are no links and `#` begins no heading.
fn prose(text: &str) -> String {
    let parts = text.split("```").step_by(2);
    parts.collect()
}

/// The targets of `[text](target)` that are not URLs.
fn relative_links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(target, _)| target));
    targets.filter(|target| !target.contains("://"))
}

/// The anchors of the headings, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let anchor = |heading: &str| {
        let kept = heading.to_lowercase();
        kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).collect::<String>().replace(' ', "-")
    };
    headings.map(anchor).collect()
}

#[test]
fn every_relative_link_of_the_documents_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let mut checked = 0;
    let mut broken = Vec::new();
    for file in documents(root) {
        let text = prose(&fs::read_to_string(&file).expect("a document"));
        for link in relative_links(&text) {
            checked += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { file.clone() } else { file.with_file_name(path) };
            let has_anchor = || fs::read_to_string(&target).is_ok_and(|text| anchors(&prose(&text)).contains(anchor));
            if !target.exists() || !(anchor.is_empty() || has_anchor()) {
                broken.push(format!("{}: {link}", file.display()));
            }
        }
    }
    assert!(checked > 30, "{checked} links");
    assert!(broken.is_empty(), "{broken:#?}");
}
