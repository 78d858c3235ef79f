//! Bounds as text.

use std::fmt::{self, Display, Formatter};

use super::{Bound, Bounds, Points, Relation, Undecided};
use crate::{budget::Spans, rule_id::RuleId};

/// Maximum number of rules that a line names.
const MAX_NAMES: usize = 20;

/// A table of the bounds, and a list of everything else.
impl Display for Bounds {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut table = vec![headings()];
        table.extend(self.rules.iter().map(|line| row(line.rule.to_string(), &line.points)));
        let rules = table.len();
        table.extend(self.balances.iter().map(|line| row(line.balance.to_string(), &line.points)));
        table.push(row("all".to_owned(), &self.all));
        let width =
            |column: usize| table.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
        let widths: Vec<_> = (0..table[0].len()).map(|column| width(column).unwrap_or(0)).collect();
        write_groups(f, &widths)?;
        for (index, row) in table.iter().enumerate() {
            if index == 1 || index == rules {
                let line: usize = widths.iter().enumerate().map(|(column, width)| width + gap(column)).sum();
                writeln!(f, "{}", "-".repeat(line))?;
            }
            for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                match column {
                    0 => write!(f, "{cell:width$}")?,
                    _ => write!(f, "{:gap$}{cell:>width$}", "", gap = gap(column))?,
                }
            }
            writeln!(f)?;
        }
        self.write_findings(f)
    }
}

/// The distance of a column from the one before.
fn gap(column: usize) -> usize {
    match column {
        0 => 0,
        // Groups are further apart.
        1 | 2 | 7 => 4,
        _ => 2,
    }
}

fn write_groups(f: &mut Formatter<'_>, widths: &[usize]) -> fmt::Result {
    let start = |column: usize| {
        let before = widths.iter().enumerate().take(column).map(|(column, width)| width + gap(column));
        before.sum::<usize>() + gap(column)
    };
    let (member, all) = (start(2), start(7));
    writeln!(f, "{:member$}{:between$}to all members", "", "to one member", between = all - member)
}

fn headings() -> Vec<String> {
    let spans = || Spans::<()>::NAMES.map(str::to_owned);
    [String::new(), "at once".to_owned()].into_iter().chain(spans()).chain(spans()).collect()
}

fn row(name: String, points: &Points) -> Vec<String> {
    let bound = |bound: &Bound| match bound {
        Bound::AtMost(points) => points.to_string(),
        Bound::Unbounded { .. } => "∞".to_owned(),
    };
    let spans =
        [&points.per_member, &points.in_all].into_iter().flat_map(|spans| spans.as_ref().map(bound).into_array());
    [name, points.per_occurrence.to_string()].into_iter().chain(spans).collect()
}

impl Bounds {
    fn write_total(&self, f: &mut Formatter<'_>, whom: &str, ever: impl Fn(&Points) -> &Bound) -> fmt::Result {
        if let Bound::AtMost(points) = ever(&self.all) {
            return writeln!(f, "At most {points} points to {whom}, for ever.");
        }
        let is_unbounded = |points| matches!(ever(points), Bound::Unbounded { .. });
        let unbounded = self.rules.iter().filter(|line| is_unbounded(&line.points));
        let rules: Vec<_> = unbounded.map(|line| &line.rule).collect();
        writeln!(f, "Without limit to {whom}, for ever: {}.", Names(&rules))
    }

    fn write_findings(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f)?;
        self.write_total(f, "one member", |points| &points.per_member.ever)?;
        self.write_total(f, "all members", |points| &points.in_all.ever)?;
        for never in &self.never {
            writeln!(f, "{} never pays: {}.", never.rule, never.because)?;
        }
        for Relation { rule, others } in &self.repeats {
            writeln!(f, "{rule} differs in its id only from: {}.", Names(&others.iter().collect::<Vec<_>>()))?;
        }
        for relation in &self.accompany {
            writeln!(f, "{}.", Pays(relation))?;
        }
        for undecided in &self.undecided {
            match undecided {
                Undecided::CanPay(rule) => writeln!(f, "Undecided: whether {rule} can ever pay.")?,
                Undecided::Accompanies(relation) => {
                    writeln!(f, "Undecided: whether {}.", Pays(relation))?;
                }
            }
        }
        if self.is_incomplete {
            writeln!(f, "There are too many rules to compare all of them with each other.")?;
        }
        for excess in &self.over_budget {
            writeln!(f, "Over budget: {} {}.", excess.pointer, excess.message)?;
        }
        Ok(())
    }
}

/// `XYZ_BASE pays whenever one of these does: XYZ_SURVEY, XYZ_VIP`
struct Pays<'b>(&'b Relation);

impl Display for Pays<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let others: Vec<_> = self.0.others.iter().collect();
        write!(f, "{} pays whenever one of these does: {}", self.0.rule, Names(&others))
    }
}

struct Names<'b>(&'b [&'b RuleId]);

impl Display for Names<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let shown: Vec<_> = self.0.iter().take(MAX_NAMES).map(|id| &***id).collect();
        f.write_str(&shown.join(", "))?;
        match self.0.len() - shown.len() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
