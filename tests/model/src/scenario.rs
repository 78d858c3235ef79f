//! The sizes of what is explored.

use crate::state::Sender;

/// Number of members.
pub const MEMBERS: usize = 2;
/// Most activities of a scenario.
pub const ACTIVITIES: usize = 3;
/// Most reversals of a scenario.
pub const REVERSALS: usize = 2;
/// Number of shards of the total limit.
pub const SHARDS: usize = 2;
/// Uses that each shard allows. The total limit is their sum.
pub const SHARE: i8 = 1;
/// Uses that the total limit allows.
pub const TOTAL_LIMIT: i8 = SHARE * 2;
/// The activity that is reversed.
pub const REVERSED_ACTIVITY: usize = 0;

/// One bounded system.
///
/// Everything up to the bounds is explored. The bound on faults is one on all clients and instances together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scenario {
    /// The name on the command line.
    pub name: &'static str,
    /// The member of each activity, of at most [`ACTIVITIES`]. Each activity has one client.
    pub members: &'static [usize],
    /// Uses of the rule that each member is allowed, if they are limited.
    pub uses_per_member: Option<i8>,
    /// Number of reversals of [`REVERSED_ACTIVITY`], at most [`REVERSALS`]. Each has a reference and a client of its own.
    pub reversals: usize,
    /// Most requests that a client sends.
    pub most_requests: u8,
    /// Most faults: lost or delayed messages, refused writes, killed handlers and clients that stop waiting.
    pub most_faults: u8,
}

/// Three activities contend for two uses, with the most faults.
pub const INTAKE: Scenario = Scenario {
    name: "intake",
    members: &[0, 0, 1],
    uses_per_member: None,
    reversals: 0,
    most_requests: 2,
    most_faults: 3,
};

/// Three activities contend for two uses, and one of them is reversed.
pub const REVERSAL: Scenario = Scenario { name: "reversal", reversals: 1, most_faults: 2, ..INTAKE };

/// One activity of two is reversed, by two requests with different references.
pub const TWO_REVERSALS: Scenario = Scenario { name: "two-reversals", members: &[0, 1], reversals: 2, ..REVERSAL };

/// As [`REVERSAL`], and each member is allowed one use.
pub const MEMBER_LIMIT: Scenario =
    Scenario { name: "member-limit", uses_per_member: Some(1), most_faults: 1, ..REVERSAL };

/// All scenarios of a full run.
pub const ALL: [Scenario; 4] = [INTAKE, REVERSAL, TWO_REVERSALS, MEMBER_LIMIT];

impl Scenario {
    /// Returns the same scenario with at most `faults` faults.
    #[must_use]
    pub const fn with_faults(self, faults: u8) -> Self {
        Scenario { most_faults: faults, ..self }
    }

    /// Returns the clients of the scenario.
    pub fn senders(&self) -> impl Iterator<Item = Sender> + use<> {
        let activities = (0..self.members.len()).map(Sender::Activity);
        activities.chain((0..self.reversals).map(Sender::Reversal))
    }

    /// Returns true if there are more activities than uses.
    #[must_use]
    pub const fn is_contended(&self) -> bool {
        self.members.len() > TOTAL_LIMIT as usize
    }
}
