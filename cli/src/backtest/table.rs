//! The figures as text.

use super::{Finished, Sum};
use crate::output::{printable, say};

/// Prints the figures.
pub(super) fn print(finished: &Finished) {
    let figures = &finished.figures;
    row("offer or campaign", &["actual", "draft", "difference", "uses", "draft uses"]);
    for offer in &figures.offers {
        let uses = [offer.uses.actual.to_string(), offer.uses.draft.to_string()];
        row(&offer.id, &[&points(offer.points)[..], &uses].concat());
    }
    say!("");
    row("unit", &["actual", "draft", "difference"]);
    for unit in &figures.units {
        row(unit.unit.as_deref().unwrap_or("(campaigns)"), &points(unit.points));
    }
    say!("");
    row("week", &["actual", "draft", "difference"]);
    for week in &figures.weeks {
        row(&format!("{}, from {}", week.week, week.from), &points(week.points));
    }
    row("all", &points(figures.total));
    if !figures.largest.is_empty() {
        say!("\nThe largest differences:");
    }
    for largest in &figures.largest {
        let [actual, draft, difference] = points(largest.points);
        let (record, member) = (printable(&largest.record), printable(&largest.member));
        say!("{record} of {member}, at {}: {actual} paid, {draft} with the draft ({difference})", largest.received_at);
        for occurrence in &largest.explanation {
            for sentence in &occurrence.sentences {
                say!("  {}", printable(sentence));
            }
        }
    }
    let (members, took) = (figures.members, finished.seconds);
    say!(
        "\n{} records of {} members in {took:.1} s: {} records differ; {} members would have more points, {} fewer",
        figures.records,
        members.seen,
        figures.differing,
        members.gain,
        members.lose
    );
    for sentence in figures.not_compared.sentences() {
        say!("{sentence}");
    }
}

impl super::NotCompared {
    /// Describes the records that are in no figure.
    pub(crate) fn sentences(&self) -> Vec<String> {
        let counts = [
            (self.adjustments, "adjustments are left out: no catalog determines them"),
            (self.unversioned, "records of version 0.1.0 are left out: they do not name their catalog"),
            (self.erased, "erased records are left out; what they used of total limits counts"),
            (self.unreadable, "records are left out, because they or their catalogs cannot be read"),
            (self.corrections, "reversals and refunds are left out, because what they took back is"),
        ];
        let counts = counts.into_iter().filter(|(count, _)| *count > 0);
        counts.map(|(count, sentence)| format!("{count} {sentence}")).collect()
    }
}

fn points(sum: Sum) -> [String; 3] {
    [sum.actual.to_string(), sum.draft.to_string(), sum.signed()]
}

fn row<S: AsRef<str>>(name: &str, cells: &[S]) {
    let cells: Vec<_> = cells.iter().map(|cell| format!("{:>12}", cell.as_ref())).collect();
    say!("{:<32}{}", printable(name), cells.concat());
}
