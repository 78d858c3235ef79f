//! Reports and paths as text.

use std::fmt;

use crate::{
    check::{Report, Violation},
    state::{Answer, State},
    store::Store,
};

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, seconds) = (self.protocol.scenario.name, self.took.as_secs_f64());
        writeln!(f, "{name}: {} states, depth {}, {seconds:.1} s", self.states, self.depth)?;
        for property in &self.with_example {
            writeln!(f, "  an example: {property}")?;
        }
        for property in &self.without_example {
            writeln!(f, "  NO EXAMPLE: {property}")?;
        }
        for violation in &self.violations {
            write!(f, "{violation}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  VIOLATED: {}", self.property)?;
        let steps = self.path.clone().into_vec();
        for (number, step) in steps.windows(2).enumerate() {
            let [(before, action), (after, _)] = step else { continue };
            let action = action.as_ref().map(ToString::to_string).unwrap_or_default();
            writeln!(f, "  {:>3}. {action}", number + 1)?;
            write_changes(f, before, after)?;
        }
        Ok(())
    }
}

/// Writes what a step changed in the tables, and what a client learned.
fn write_changes(f: &mut fmt::Formatter<'_>, before: &State, after: &State) -> fmt::Result {
    if before.store != after.store {
        writeln!(f, "         {}", after.store)?;
    }
    for (sender, client) in after.clients() {
        if client.answer != before.client(sender).answer && client.answer != Answer::Waiting {
            writeln!(f, "         {sender}: {}", client.answer)?;
        }
    }
    Ok(())
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "uses of shards {:?}, points of members {:?}",
            self.shards,
            self.members.map(|member| member.points)
        )?;
        for (activity, record) in self.activities.iter().enumerate() {
            let Some(record) = record else { continue };
            match record.shard {
                Some(shard) => write!(f, "; activity {activity} paid from shard {shard}")?,
                None => write!(f, "; activity {activity} unpaid")?,
            }
            if let Some(by) = record.reversed_by {
                write!(f, ", reversed by {by}")?;
            }
        }
        Ok(())
    }
}
