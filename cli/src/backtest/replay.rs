//! The replay of records, one after the other, in both scenarios.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use punchcard_models::{decimal::Decimal, timestamp::Timestamp};
use punchcard_rewards::{Award, Catalog, Counter, Usage};
use punchcard_store::{
    ActivityRecord, CorrectionContent, ErasedRecord, Evaluation, OUT, OrderAward, PlayerRecord, StoreError, StoredItem,
    StoredOccurrence, StoredRecord, is_given_back,
};
use serde::{Deserialize, Serialize};

use super::{
    BacktestError, Figures, Largest, Source, Window,
    counters::{Counters, Names, total_of},
    figures::{Earned, OfOccurrence, Tally},
    part::Part,
    settle::{Outcome, outcomes, settle},
    spool::Spool,
};

/// Number of versions of the catalog that are kept.
const CACHED_VERSIONS: usize = 16;

/// A set of counters.
#[derive(Debug, Clone, Copy)]
enum Scenario {
    /// As they were.
    Recorded,
    /// As they would be with the draft.
    Draft,
}

const SCENARIOS: [Scenario; 2] = [Scenario::Recorded, Scenario::Draft];

/// A member's counters by scenario, and the difference of its points.
#[derive(Debug, Default)]
struct MemberState {
    counters: [Counters; 2],
    difference: i64,
}

/// A version of the catalog, as it was applied and with one counter for each total limit.
#[derive(Debug, Clone)]
struct Version {
    applied: Arc<Catalog>,
    plain: Arc<Catalog>,
}

/// The award of a record that is reversed or refunded later.
#[derive(Debug, Serialize, Deserialize)]
struct Remembered {
    earned: Vec<Earned>,
    /// The amounts of counters by scenario.
    counters: [Vec<(String, u64)>; 2],
    /// The amount paid for an order.
    paid: Option<String>,
}

/// A record that is evaluated.
struct Evaluated<'r> {
    name: String,
    member: &'r str,
    evaluation: Result<Option<Evaluation>, StoreError>,
    is_corrected: bool,
}

pub(super) struct Replay<'d> {
    draft: &'d Catalog,
    window: Window,
    names: Names,
    totals: [Counters; 2],
    members: HashMap<Box<str>, MemberState>,
    versions: HashMap<u64, Option<Version>>,
    tally: Tally,
}

impl<'d> Replay<'d> {
    pub fn new(draft: &'d Catalog, window: Window) -> Self {
        Replay {
            draft,
            window,
            names: Names::default(),
            totals: Default::default(),
            members: HashMap::new(),
            versions: HashMap::new(),
            tally: Tally::default(),
        }
    }

    pub fn figures(self) -> Figures {
        self.tally.finish(self.members.into_values().map(|member| member.difference))
    }

    /// Replays the next record.
    pub async fn add(&mut self, item: &StoredItem, source: &Source, spool: &Spool) -> Result<(), BacktestError> {
        let at = item.received_at()?;
        if self.window.until.is_some_and(|until| at >= until) {
            return Ok(());
        }
        match item.record() {
            Err(_) => self.leave_out(at, |left_out| &mut left_out.unreadable),
            Ok(StoredRecord::Activity(ActivityRecord::Activity(activity))) => {
                let record = Evaluated {
                    name: activity_name(&activity.activity_id),
                    member: &activity.member_id,
                    evaluation: activity.evaluation(),
                    is_corrected: activity.reversed_by.is_some(),
                };
                self.evaluate(at, record, source, spool).await?;
            }
            Ok(StoredRecord::Activity(ActivityRecord::Correction(correction))) => match &correction.content {
                CorrectionContent::Reversal { original, taken } => {
                    let original = activity_name(original);
                    self.take_back(at, &correction.member_id, &original, taken, spool, |_| Some(Part::Whole))?;
                }
                CorrectionContent::Adjustment { .. } => self.leave_out(at, |left_out| &mut left_out.adjustments),
            },
            Ok(StoredRecord::Player(PlayerRecord::Request(request))) => {
                let record = Evaluated {
                    name: request_name(&request.player_id, &request.record_id),
                    member: &request.member_id,
                    evaluation: request.evaluation(),
                    is_corrected: request.refunds.last.is_some(),
                };
                self.evaluate(at, record, source, spool).await?;
            }
            Ok(StoredRecord::Player(PlayerRecord::Refund(refund))) => {
                let order = request_name(&refund.player_id, &refund.order);
                self.take_back(at, &refund.member_id, &order, &refund.taken, spool, |order| {
                    let paid = order.paid.as_deref().and_then(Decimal::parse)?;
                    let [before, after] =
                        [&refund.before.refunded, &refund.after].map(|refunded| refunded.share_of(&paid));
                    Some(Part::Refund { before, after })
                })?;
            }
            Ok(
                StoredRecord::Activity(ActivityRecord::Erased(erased))
                | StoredRecord::Player(PlayerRecord::Erased(erased)),
            ) => self.add_erased(at, &erased),
            Ok(StoredRecord::ClientEvent(_) | StoredRecord::ErasedClientEvent) => {}
        }
        Ok(())
    }

    /// Counts records that have no readable time.
    pub fn leave_out_without_time(&mut self, count: u64) {
        self.tally.figures.not_compared.unreadable += count;
    }

    /// True if the draft is in force.
    fn is_in_force(&self, at: Timestamp) -> bool {
        self.window.since.is_none_or(|since| at >= since)
    }

    fn leave_out(&mut self, at: Timestamp, count: impl Fn(&mut super::NotCompared) -> &mut u64) {
        if self.is_in_force(at) {
            *count(&mut self.tally.figures.not_compared) += 1;
        }
    }

    /// Evaluates a record in both scenarios, and adds its award.
    async fn evaluate(
        &mut self,
        at: Timestamp,
        record: Evaluated<'_>,
        source: &Source,
        spool: &Spool,
    ) -> Result<(), BacktestError> {
        let evaluation = match &record.evaluation {
            Ok(Some(evaluation)) => evaluation,
            Ok(None) => {
                self.leave_out(at, |left_out| &mut left_out.unversioned);
                return spool.remember(&record.name, &remembered(None)?);
            }
            Err(_) => {
                self.leave_out(at, |left_out| &mut left_out.unreadable);
                return spool.remember(&record.name, &remembered(None)?);
            }
        };
        let Some(version) = self.version(evaluation.basis.catalog_version, source).await? else {
            self.leave_out(at, |left_out| &mut left_out.unreadable);
            return spool.remember(&record.name, &remembered(None)?);
        };
        let draft = self.draft;
        let stored = outcomes(&evaluation.awards(&version.applied));
        let usage = self.usage(Scenario::Draft, record.member, evaluation, draft);
        let in_force = self.is_in_force(at);
        let mut would = stored.clone();
        if in_force {
            let recorded_usage = self.usage(Scenario::Recorded, record.member, evaluation, &version.plain);
            let recorded = outcomes(&awards(evaluation, &version.plain, &recorded_usage));
            let drafted = outcomes(&awards(evaluation, draft, &usage));
            would = settle(&stored, &recorded, &drafted);
        }
        let mut earned = Vec::new();
        for (id, outcome) in &stored {
            let would = would.get(id).map_or(0, |outcome| outcome.points);
            earned.push(Earned::of(outcome.rule, [outcome.points, would]));
        }
        let added = would.iter().filter(|(id, _)| !stored.contains_key(*id));
        earned.extend(added.map(|(_, outcome)| Earned::of(outcome.rule, [0, outcome.points])));
        earned.retain(|earned| earned.actual != 0 || earned.draft != 0);

        let counters = [amounts(stored.values()), amounts(would.values())];
        self.member(record.member);
        for (scenario, amounts) in SCENARIOS.into_iter().zip(&counters) {
            for (name, amount) in amounts {
                self.count(scenario, record.member, name, *amount);
            }
        }
        if in_force {
            let sum = self.tally.add(at, &earned, 1);
            self.member(record.member).difference += sum.difference();
            if self.tally.is_large(sum) {
                self.tally.add_large(Largest {
                    record: record.name.clone(),
                    member: record.member.to_owned(),
                    received_at: at.to_string(),
                    points: sum,
                    explanation: explanation(evaluation, draft, &usage),
                });
            }
        }
        if record.is_corrected {
            let paid = OrderAward::derive(evaluation, &version.applied).ok().map(|award| award.paid().to_string());
            spool.remember(&record.name, &remembered(Some(&Remembered { earned, counters, paid }))?)?;
        }
        Ok(())
    }

    /// Takes back a record's award in each scenario, or a part of it. `taken` are the amounts of the stored correction: if
    /// the record was erased, they are given back in both scenarios. A record that could not be evaluated counted nothing,
    /// so its correction gives nothing back.
    fn take_back(
        &mut self,
        at: Timestamp,
        member: &str,
        record: &str,
        taken: &BTreeMap<String, u64>,
        spool: &Spool,
        part: impl Fn(&Remembered) -> Option<Part>,
    ) -> Result<(), BacktestError> {
        let Some(remembered) = spool.remembered(record)? else {
            self.leave_out(at, |left_out| &mut left_out.corrections);
            for (name, amount) in taken {
                for scenario in SCENARIOS {
                    self.give_back(scenario, member, name, *amount);
                }
            }
            return Ok(());
        };
        let remembered: Option<Remembered> = serde_json::from_str(&remembered).map_err(|_| BacktestError::Damaged)?;
        let Some(remembered) = remembered else {
            self.leave_out(at, |left_out| &mut left_out.corrections);
            return Ok(());
        };
        let part = part(&remembered).ok_or(BacktestError::Damaged)?;
        for (scenario, counters) in SCENARIOS.into_iter().zip(&remembered.counters) {
            for (name, amount) in counters {
                self.give_back(scenario, member, name, part.of_counter(name, *amount));
            }
        }
        if self.is_in_force(at) {
            let taken = part.of_points(&remembered.earned);
            let sum = self.tally.add(at, &taken, if part.is_last() { -1 } else { 0 });
            self.member(member).difference += sum.difference();
        }
        Ok(())
    }

    /// Adds the total limits that an erased record used. Its member is a digest now, and has no other records to replay.
    fn add_erased(&mut self, at: Timestamp, erased: &ErasedRecord) {
        let Some(effects) = &erased.effects else { return };
        self.leave_out(at, |left_out| &mut left_out.erased);
        for (name, amount) in effects.totals() {
            let member = effects.member.to_string();
            for scenario in SCENARIOS {
                match name.strip_prefix(OUT) {
                    Some(name) => self.give_back(scenario, &member, name, amount),
                    None => self.count(scenario, &member, &name, amount),
                }
            }
        }
    }

    fn member(&mut self, key: &str) -> &mut MemberState {
        // Looked up twice, so that a known member needs no new key.
        if !self.members.contains_key(key) {
            self.members.insert(key.into(), MemberState::default());
        }
        self.members.entry(key.into()).or_default()
    }

    fn count(&mut self, scenario: Scenario, member: &str, name: &str, amount: u64) {
        if let Some(total) = total_of(name) {
            self.totals[scenario as usize].add(total, amount, &mut self.names);
        } else if let Some(member) = self.members.get_mut(member) {
            member.counters[scenario as usize].add(name, amount, &mut self.names);
        }
    }

    fn give_back(&mut self, scenario: Scenario, member: &str, name: &str, amount: u64) {
        if !is_given_back(name) || amount == 0 || Counter::of_name(name).is_none() {
            return;
        }
        if let Some(total) = total_of(name) {
            self.totals[scenario as usize].give_back(total, amount, &mut self.names);
        } else if let Some(member) = self.members.get_mut(member) {
            member.counters[scenario as usize].give_back(name, amount, &mut self.names);
        }
    }

    /// Returns the counters that an evaluation sees.
    fn usage(&self, scenario: Scenario, member: &str, evaluation: &Evaluation, catalog: &Catalog) -> Usage {
        let mut usage = Usage::default();
        if let Some(member) = self.members.get(member) {
            member.counters[scenario as usize].set(&mut usage, &self.names);
        }
        for occurrence in &evaluation.occurrences {
            for rule in catalog.rules_for(occurrence.as_occurrence().trigger).filter(|rule| rule.has_total_limit()) {
                let name = Counter::TotalUses.name(rule.id());
                let used = self.totals[scenario as usize].used(&name, &self.names);
                usage.set(name, used);
            }
        }
        usage
    }

    async fn version(&mut self, number: u64, source: &Source) -> Result<Option<Version>, BacktestError> {
        if let Some(version) = self.versions.get(&number) {
            return Ok(version.clone());
        }
        if self.versions.len() >= CACHED_VERSIONS {
            self.versions.clear();
        }
        let applied = source.catalog(number).await?;
        let version = applied.map(|applied| Version { plain: Arc::new(applied.without_shares()), applied });
        self.versions.insert(number, version.clone());
        Ok(version)
    }
}

/// Serialises the award of a record. `None` if it could not be evaluated.
fn remembered(remembered: Option<&Remembered>) -> Result<String, BacktestError> {
    serde_json::to_string(&remembered).map_err(|_| BacktestError::Damaged)
}

fn activity_name(id: &str) -> String {
    format!("activity {id}")
}

fn request_name(player: &str, record: &str) -> String {
    format!("player request {player} {record}")
}

fn awards<'c>(evaluation: &Evaluation, catalog: &'c Catalog, usage: &Usage) -> Vec<Award<'c>> {
    let award =
        |occurrence: &StoredOccurrence| catalog.evaluate(&occurrence.as_occurrence(), evaluation.member(), usage);
    evaluation.occurrences.iter().map(award).collect()
}

/// The amounts that outcomes add to counters, by name.
fn amounts<'o, 'c: 'o>(outcomes: impl Iterator<Item = &'o Outcome<'c>>) -> Vec<(String, u64)> {
    let of_outcome =
        |outcome: &'o Outcome<'c>| outcome.uses.iter().map(|used| (used.name(outcome.rule.id()), used.amount));
    outcomes.flat_map(of_outcome).collect()
}

fn explanation(evaluation: &Evaluation, draft: &Catalog, usage: &Usage) -> Vec<OfOccurrence> {
    let explain = |occurrence: &StoredOccurrence| {
        let input = occurrence.as_occurrence();
        let explanations = draft.explain(&input, evaluation.member(), usage);
        OfOccurrence {
            name: occurrence.name().to_owned(),
            sentences: explanations.iter().map(ToString::to_string).collect(),
            rules: explanations
                .iter()
                .map(|explanation| serde_json::from_str(&explanation.to_json().to_string()).unwrap_or_default())
                .collect(),
        }
    };
    evaluation.occurrences.iter().map(explain).collect()
}
