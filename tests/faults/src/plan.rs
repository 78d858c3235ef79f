//! The plan of one seed: the number of clients and instances, the faults and their rates, the operator's changes.

use std::{ops::Range, time::Duration};

use fastrand::Rng;

use crate::{fault::Kind, variant::Variant};

/// The course of a run as far as it is settled before.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Clients of each API.
    pub clients: usize,
    /// Steps of each client.
    pub steps: usize,
    /// Instances of the system, each with its clock's error in milliseconds.
    pub skews: Vec<i64>,
    /// Faulty calls of the store, per mille.
    pub faults: u32,
    /// The ways in which they do.
    pub kinds: Vec<Kind>,
    /// Requests cut off with their handler, per mille.
    pub kills: u32,
    /// Answers that do not reach the client, per mille.
    pub losses: u32,
    /// The time that a client waits for an answer before it sends again.
    pub patience: Duration,
    /// The longest that a client waits between two requests.
    pub pause: Duration,
    /// The time from the beginning until midnight, when limits per day begin again, in milliseconds.
    pub before_midnight: i64,
    /// The longest that a call takes to the store, and that its answer takes back.
    pub latency: Duration,
    /// Set if the store forgets the tokens by which it recognises a repeated transaction.
    pub forgets_tokens: bool,
    /// Set if clients send every request under one id.
    pub one_request_id: bool,
    /// By which address players are merged.
    pub merging: &'static str,
    /// Set if there are more limits than an update of a member can name.
    pub many: bool,
    /// The catalog's `negativeBalances`.
    pub negative_balances: &'static str,
    /// Number of the operator's changes.
    pub changes: usize,
    /// The period in which the store cannot be reached, in milliseconds since the beginning.
    pub outage: Range<u64>,
    /// The operation that fails then; `None` for all.
    pub outage_of: Option<&'static str>,
}

impl Plan {
    /// The plan of a seed, with so many steps a client.
    pub(crate) fn new(rng: &mut Rng, steps: usize) -> Self {
        let kinds = Kind::ALL.iter().copied().filter(|_| rng.u8(0..3) > 0).collect();
        // Some runs take minutes, so that what is kept of the catalog gets old; others have everything at once.
        let pause = [5, 50, 2_000, 20_000][rng.usize(0..4)];
        let outage = match rng.u8(0..3) {
            0 => rng.u64(0..pause * 20)..rng.u64(pause * 10..pause * 40),
            _ => 0..0,
        };
        Plan {
            clients: rng.usize(2..5),
            steps,
            skews: (0..rng.usize(1..5))
                .map(|_| [0, rng.i64(-1_000..1_000), rng.i64(-60_000..60_000)][rng.usize(0..3)])
                .collect(),
            faults: [0, 20, 80, 200, 400][rng.usize(0..5)],
            kinds,
            kills: [0, 0, 30, 100][rng.usize(0..4)],
            losses: [0, 30, 150][rng.usize(0..3)],
            patience: Duration::from_millis([200, 3_000, 30_000][rng.usize(0..3)]),
            pause: Duration::from_millis(pause),
            latency: Duration::from_millis([2, 10, 80][rng.usize(0..3)]),
            forgets_tokens: rng.bool(),
            one_request_id: rng.bool(),
            merging: ["none", "none", "email", "mobile"][rng.usize(0..4)],
            many: rng.u8(0..4) == 0,
            negative_balances: ["allowed", "refused"][rng.usize(0..2)],
            changes: [0, 0, 3, 8][rng.usize(0..4)],
            outage,
            before_midnight: rng.i64(0..=pause.cast_signed() * i64::try_from(steps).unwrap_or(0) / 4),
            // The catalog's alone.
            outage_of: rng.bool().then_some("Query"),
        }
    }
    /// A plan in which nothing fails: so many instances with right clocks.
    pub(crate) fn calm(instances: usize, latency: Duration) -> Self {
        Plan {
            skews: vec![0; instances],
            faults: 0,
            kinds: Vec::new(),
            kills: 0,
            losses: 0,
            latency,
            forgets_tokens: false,
            one_request_id: false,
            merging: "none",
            many: false,
            changes: 0,
            outage: 0..0,
            ..Plan::new(&mut Rng::with_seed(0), 0)
        }
    }

    /// Makes sure that what a broken system does wrong can happen at all: few seeds have it by chance.
    pub(crate) fn for_variant(mut self, variant: Option<Variant>) -> Self {
        match variant {
            Some(Variant::KeptCatalog) => {
                // Catalogs change, and cached ones get older than they may be used.
                self.pause = Duration::from_secs(20);
                self.changes = 12;
            }
            Some(Variant::ThrottleAsDuplicate) => {
                self.faults = 200;
                self.kinds = vec![Kind::Throttled];
            }
            _ => {}
        }
        self
    }
}
