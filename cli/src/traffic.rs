//! The recent requests of `serve`, for the console: in memory, within fixed bounds, and without ids, bodies and credentials.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use lambda_http::{Body, Request, Response, http::StatusCode};
use punchcard_http::Dialect;
use punchcard_models::timestamp::Timestamp;
use punchcard_runtime::{Observation, Service, observed};
use tokio::time::Instant;

/// The length of a step in milliseconds.
pub const STEP_MILLIS: i64 = 2_000;
/// Number of steps that are kept: ten minutes.
pub const STEPS: usize = 300;
/// Number of requests that are kept.
const RECENT: usize = 50;
/// Number of different reasons that are counted in a step, and of different balances. Others are counted together.
const NAMES: usize = 20;
/// The name under which others are counted.
pub const OTHERS: &str = "others";
/// Bounds of latencies in microseconds: each is a quarter more than the one before it.
const LATENCIES: usize = 64;

/// The APIs, in the order of [`Step::requests`].
pub const APIS: [&str; 3] = ["client events", "activities", "player events"];

/// The outcome of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Answered.
    Done,
    /// Recorded before.
    Duplicate,
    /// Refused.
    Refused,
    /// The service or the store failed.
    Failed,
}

/// The names of outcomes, in the order of [`Step::outcomes`].
pub const OUTCOMES: [&str; 4] = ["done", "duplicate", "refused", "failed"];

/// A request.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The time of the response.
    pub at: Timestamp,
    /// Its API.
    pub api: &'static str,
    /// The function that answered.
    pub function: &'static str,
    /// The status of the response.
    pub status: u16,
    /// The outcome's name, as in the log.
    pub outcome: &'static str,
    /// The reason of a refusal, as in the response.
    pub reason: Option<String>,
    /// The duration.
    pub took: Duration,
}

/// The requests of two seconds.
#[derive(Debug, Clone, Default)]
pub struct Step {
    /// The requests by API.
    pub requests: [u64; APIS.len()],
    /// The requests by outcome.
    pub outcomes: [u64; OUTCOMES.len()],
    /// Newly recorded events.
    pub accepted: u64,
    /// Events that were recorded before.
    pub duplicates: u64,
    /// Points by the name of the balance.
    pub points: BTreeMap<String, u64>,
    /// Refusals and failures by reason.
    pub reasons: BTreeMap<String, u64>,
    latencies: Latencies,
}

#[derive(Debug, Clone)]
struct Latencies([u32; LATENCIES]);

impl Default for Latencies {
    fn default() -> Self {
        Latencies([0; LATENCIES])
    }
}

impl Latencies {
    fn add(&mut self, took: Duration) {
        let index = (0..LATENCIES - 1).find(|index| took <= Self::bound(*index)).unwrap_or(LATENCIES - 1);
        self.0[index] = self.0[index].saturating_add(1);
    }

    /// The longest latency that is counted with this index: from 50 µs to a minute.
    fn bound(index: usize) -> Duration {
        Duration::from_micros(50).mul_f64(1.25_f64.powi(i32::try_from(index).unwrap_or(i32::MAX)))
    }

    /// Returns the bound below which this share of the requests was answered, in percent.
    fn percentile(&self, percent: u64) -> Option<Duration> {
        let all: u64 = self.0.iter().copied().map(u64::from).sum();
        let wanted = (all * percent).div_ceil(100);
        let mut seen = 0;
        let found = self.0.iter().position(|count| {
            seen += u64::from(*count);
            seen >= wanted
        });
        (all > 0).then(|| Self::bound(found.unwrap_or(LATENCIES - 1)))
    }
}

impl Step {
    /// Returns the latency that this share of the requests did not exceed, in percent. `None` without requests.
    #[must_use]
    pub fn latency(&self, percent: u64) -> Option<Duration> {
        self.latencies.percentile(percent)
    }

    fn add(&mut self, api: usize, outcome: Outcome, seen: &Seen, observation: &Observation) {
        self.requests[api] += 1;
        self.outcomes[outcome as usize] += 1;
        self.accepted += observation.accepted;
        // Only client events count them: another request has one event.
        self.duplicates += observation.duplicates.max(u64::from(outcome == Outcome::Duplicate));
        self.latencies.add(seen.took);
        for (name, points) in &observation.points {
            count(&mut self.points, name, *points);
        }
        if outcome != Outcome::Done {
            count(&mut self.reasons, seen.reason.as_deref().unwrap_or(seen.outcome), 1);
        }
    }
}

/// Adds to a count, of a bounded number of them.
pub fn count(counts: &mut BTreeMap<String, u64>, name: &str, amount: u64) {
    let name = if counts.len() < NAMES || counts.contains_key(name) { name } else { OTHERS };
    *counts.entry(name.to_owned()).or_default() += amount;
}

/// The recent requests.
#[derive(Debug, Default)]
pub struct Traffic(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Newest last, each with its number: the time divided by the step.
    steps: VecDeque<(i64, Step)>,
    /// Newest first.
    recent: VecDeque<Seen>,
}

impl Traffic {
    /// Handles a request, and counts its outcome.
    pub async fn watch(&self, service: &Service, request: Request) -> Response<Body> {
        let dialect = service.route().path(&request).dialect;
        let started = Instant::now();
        let (response, observation) = observed(service.respond(request)).await;
        self.note(dialect, service.route().function, response.status(), started.elapsed(), observation);
        response
    }

    /// Counts a request that was refused because there were too many.
    pub fn overloaded(&self, service: &Service, request: &Request) {
        let dialect = service.route().path(request).dialect;
        let observation = Observation { outcome: "overloaded", ..Observation::default() };
        let status = StatusCode::TOO_MANY_REQUESTS;
        self.note(dialect, service.route().function, status, Duration::ZERO, observation);
    }

    fn note(
        &self,
        dialect: Dialect,
        function: &'static str,
        status: StatusCode,
        took: Duration,
        mut observation: Observation,
    ) {
        let api = match dialect {
            Dialect::ClientEvents => 0,
            Dialect::Activities | Dialect::OAuth => 1,
            Dialect::PlayerEvents | Dialect::PlayerEventsV4 => 2,
        };
        let outcome = match () {
            () if status.is_server_error() => Outcome::Failed,
            () if observation.duplicates > 0 || observation.outcome == "duplicate" => Outcome::Duplicate,
            () if status.is_client_error() => Outcome::Refused,
            () => Outcome::Done,
        };
        if outcome == Outcome::Duplicate && observation.reason.is_none() {
            observation.reason = Some("recorded before".to_owned());
        }
        let at = punchcard_runtime::now();
        let reason = observation.reason.take();
        let (name, status) = (observation.outcome, status.as_u16());
        let seen = Seen { at, api: APIS[api], function, status, outcome: name, reason, took };
        let mut state = self.lock();
        state.step(at.as_millis().div_euclid(STEP_MILLIS)).add(api, outcome, &seen, &observation);
        state.recent.push_front(seen);
        state.recent.truncate(RECENT);
    }

    /// Returns the steps of the last ten minutes, oldest first, with the number of the last one, and the recent requests,
    /// newest first.
    pub fn snapshot(&self, now: Timestamp) -> (Vec<Step>, i64, Vec<Seen>) {
        let last = now.as_millis().div_euclid(STEP_MILLIS);
        let state = self.lock();
        let mut steps = vec![Step::default(); STEPS];
        for (number, step) in &state.steps {
            let age = usize::try_from(last - number).ok().filter(|age| *age < STEPS);
            if let Some(age) = age {
                steps[STEPS - 1 - age] = step.clone();
            }
        }
        (steps, last, state.recent.iter().cloned().collect())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn step(&mut self, number: i64) -> &mut Step {
        // The clock may have been set back: then the last step goes on.
        if self.steps.back().is_none_or(|(last, _)| *last < number) {
            self.steps.push_back((number, Step::default()));
        }
        if self.steps.len() > STEPS {
            self.steps.pop_front();
        }
        let last = self.steps.len() - 1;
        &mut self.steps[last].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(traffic: &Traffic, status: u16, outcome: &'static str, reason: &str, millis: u64) {
        let reason = Some(reason.to_owned()).filter(|reason| !reason.is_empty());
        let points = BTreeMap::from([("points".to_owned(), 5)]);
        let observation = Observation { outcome, reason, points, accepted: 1, ..Observation::default() };
        let status = StatusCode::from_u16(status).expect("a status");
        traffic.note(Dialect::PlayerEvents, "track-event", status, Duration::from_millis(millis), observation);
    }

    #[test]
    fn requests_are_counted_by_api_outcome_and_reason() {
        let traffic = Traffic::default();
        for _ in 0..9 {
            note(&traffic, 200, "ok", "", 1);
        }
        note(&traffic, 400, "duplicate", "ActivityID already exists", 1);
        note(&traffic, 401, "unauthorized", "no credential", 1);
        note(&traffic, 503, "unavailable", "unavailable", 100);
        let (steps, _, recent) = traffic.snapshot(punchcard_runtime::now());
        let sum = |of: fn(&Step) -> u64| steps.iter().map(of).sum::<u64>();
        assert_eq!((sum(|step| step.requests[2]), sum(|step| step.requests[0])), (12, 0));
        assert_eq!((sum(|step| step.duplicates), sum(|step| step.outcomes[1])), (1, 1));
        assert_eq!(
            (sum(|step| step.outcomes[0]), sum(|step| step.outcomes[2]), sum(|step| step.outcomes[3])),
            (9, 1, 1)
        );
        assert_eq!(sum(|step| step.points.values().sum()), 60);
        assert_eq!((recent.len(), recent[0].status), (12, 503));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let traffic = Traffic::default();
        for number in 0..1000 {
            note(&traffic, 400, "invalid", &format!("reason {number}"), 1);
        }
        let (steps, _, recent) = traffic.snapshot(punchcard_runtime::now());
        assert_eq!(recent.len(), RECENT);
        for step in steps {
            assert!(step.reasons.len() <= NAMES + 1, "{}", step.reasons.len());
        }
    }

    #[test]
    fn a_percentile_is_near_the_latency() {
        let mut step = Step::default();
        assert_eq!(step.latency(50), None);
        for millis in 1..=100 {
            step.latencies.add(Duration::from_millis(millis));
        }
        let [half, most] = [50, 95].map(|percent| step.latency(percent).expect("a latency").as_millis());
        assert!((50..=63).contains(&half) && (95..=119).contains(&most), "{half} {most}");
    }
}
