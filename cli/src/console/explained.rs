//! Explanations as pages show them.

use punchcard_rewards::Explanation;
use punchcard_store::{Evaluation, HistoryReader, StoreError};

use crate::explain::explain_again;

/// An activity or an event, with the outcome of each rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// The action or the name of the event.
    pub name: String,
    /// The outcomes: first those that paid.
    pub rules: Vec<Outcome>,
}

/// The outcome for one rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The rule.
    pub rule: String,
    /// The points paid.
    pub paid: u64,
    /// The reason's name, for people.
    pub reason: String,
    /// The sentence with the reason, without the rule's name.
    pub finding: String,
    /// The smallest change that would have paid.
    pub hint: Option<String>,
}

impl Occurrence {
    /// Describes the explanations of an occurrence.
    pub fn new(name: &str, explanations: &[Explanation<'_>]) -> Self {
        let mut rules: Vec<_> = explanations.iter().map(Outcome::of).collect();
        rules.sort_by_key(|outcome| (outcome.paid == 0, outcome.hint.is_none()));
        Occurrence { name: name.to_owned(), rules }
    }

    /// The points of all rules.
    pub fn points(&self) -> u64 {
        self.rules.iter().map(|outcome| outcome.paid).sum()
    }
}

impl Outcome {
    fn of(explanation: &Explanation<'_>) -> Self {
        let rule = explanation.rule().id().to_string();
        let finding = explanation.finding();
        let finding = finding.strip_prefix(&rule).unwrap_or(&finding).trim_start();
        let finding = finding.strip_prefix("paid nothing: ").unwrap_or(finding);
        Outcome {
            paid: explanation.paid(),
            reason: explanation.reason().replace('_', " ").to_lowercase(),
            finding: capitalised(finding),
            hint: explanation.hint(),
            rule,
        }
    }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// Explains a stored record again.
///
/// # Errors
/// The catalog of its version cannot be read.
pub async fn explained(evaluation: &Evaluation, history: &HistoryReader) -> Result<Vec<Occurrence>, StoreError> {
    let show = |explained: &[(&punchcard_store::StoredOccurrence, Vec<Explanation<'_>>)]| {
        explained.iter().map(|(occurrence, rules)| Occurrence::new(occurrence.name(), rules)).collect()
    };
    explain_again(evaluation, history, show).await
}
