//! Figures in the README that a command prints.

use punchcard_rewards::yaml;

#[test]
fn the_readme_has_the_proof_of_the_demo_catalog() {
    let readme = include_str!("../../../README.md");
    let demo = yaml::read(yaml::DEMO).expect("the demo").into_catalog();
    let proof = demo.bounds().to_string();
    assert!(readme.contains(&format!("```text\n{}\n```", proof.trim_end())), "{proof}");
}
