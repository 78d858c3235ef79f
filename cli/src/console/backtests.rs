//! The backtests of a console: one at a time, on a thread of its own, with the result in memory.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use punchcard_models::timestamp::Timestamp;
use punchcard_rewards::Catalog;
use tokio::{runtime::Handle, sync::watch, time::Instant};

use crate::{
    backtest::{Finished, Source, Step, Subject},
    failure::Failure,
    operator::Operator,
};

/// Time limit of a backtest.
const LIMIT: Duration = Duration::from_hours(6);
/// Time after which a result is dropped.
pub const KEPT: Duration = Duration::from_hours(1);

/// A draft to be tested.
pub struct Draft {
    /// The text, to be edited again.
    pub text: String,
    /// The catalog.
    pub catalog: Catalog,
    /// Its name, and the period.
    pub subject: Subject,
}

/// The backtest that is running, or the last one that ended.
#[derive(Default)]
pub struct Backtests(Mutex<Option<Arc<Run>>>);

/// A backtest.
pub struct Run {
    /// The text of the draft.
    pub text: String,
    /// The name of the draft, and the period.
    pub subject: Subject,
    /// The time of the start.
    pub started_at: Timestamp,
    state: Arc<State>,
    /// Cancels the backtest by a message, and when it is dropped together with the console.
    cancel: watch::Sender<()>,
}

/// The part of a backtest that its thread changes.
struct State {
    progress: Mutex<Progress>,
    end: Mutex<Option<End>>,
}

/// The end of a backtest.
#[derive(Clone)]
struct End {
    at: Instant,
    outcome: Arc<Outcome>,
}

/// The outcome of a backtest.
pub enum Outcome {
    /// It is complete.
    Done(Box<Done>),
    /// It was cancelled.
    Cancelled,
    /// It failed.
    Failed(String),
}

/// The result of a complete backtest.
pub struct Done {
    /// The figures.
    pub finished: Finished,
    /// The report, as one HTML file.
    pub report: String,
}

/// The progress of a backtest that is running.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// The step.
    pub phase: Phase,
    /// The number of records so far in this step.
    pub records: u64,
    /// The number of records of this step in all, approximately. 0 if it is not known.
    pub total: u64,
    /// The start of this step.
    since: Instant,
}

/// A step of a backtest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The records are read.
    Reading,
    /// The records are replayed.
    Replaying,
}

/// Another backtest is running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Another backtest is running, and a console runs one at a time. Wait for its end, or cancel it.")]
pub struct OneAtATime;

impl Backtests {
    /// Starts a backtest. The result of an earlier one is dropped.
    ///
    /// # Errors
    /// Another one is running.
    pub fn start(self: &Arc<Self>, operator: &Arc<Operator>, draft: Draft) -> Result<(), OneAtATime> {
        let Draft { text, catalog, subject } = draft;
        let (state, cancelled) = self.begin(text, subject.clone())?;
        let (operator, runtime) = (operator.clone(), Handle::current());
        let (backtests, ending) = (Arc::downgrade(self), Ending(state.clone()));
        // A thread of its own, because the replay computes and its database blocks. The runtime still carries out the reads.
        let thread = thread::Builder::new().name("backtest".to_owned());
        let started = thread.spawn(move || {
            let _ending = ending;
            state.end(runtime.block_on(outcome(&operator, &catalog, &subject, &state, cancelled)));
            runtime.spawn(async move {
                tokio::time::sleep(KEPT).await;
                if let Some(backtests) = backtests.upgrade() {
                    backtests.current();
                }
            });
        });
        if let Err(error) = started {
            // The closure was dropped, which ended the backtest.
            tracing::error!(%error, "the thread of a backtest cannot be started");
        }
        Ok(())
    }

    /// Makes a backtest the current one.
    fn begin(&self, text: String, subject: Subject) -> Result<(Arc<State>, watch::Receiver<()>), OneAtATime> {
        let (cancel, cancelled) = watch::channel(());
        let progress = Mutex::new(Progress::new(Phase::Reading, 0));
        let state = Arc::new(State { progress, end: Mutex::default() });
        let started_at = punchcard_runtime::now();
        let mut current = lock(&self.0);
        if current.as_ref().is_some_and(|run| run.outcome().is_none()) {
            return Err(OneAtATime);
        }
        *current = Some(Arc::new(Run { text, subject, started_at, state: state.clone(), cancel }));
        Ok((state, cancelled))
    }

    /// Returns the backtest that is running, or the last one that ended, unless its result is too old.
    pub fn current(&self) -> Option<Arc<Run>> {
        let mut current = lock(&self.0);
        if current.as_ref().is_some_and(|run| run.is_too_old()) {
            *current = None;
        }
        current.clone()
    }
}

impl Run {
    /// Returns the outcome, if the backtest has ended.
    pub fn outcome(&self) -> Option<Arc<Outcome>> {
        lock(&self.state.end).as_ref().map(|end| end.outcome.clone())
    }

    /// Returns the time left until the result is dropped, if the backtest has ended.
    pub fn kept_for(&self) -> Option<Duration> {
        lock(&self.state.end).as_ref().map(|end| KEPT.saturating_sub(end.at.elapsed()))
    }

    fn is_too_old(&self) -> bool {
        self.kept_for().is_some_and(|left| left.is_zero())
    }

    /// Returns the progress.
    pub fn progress(&self) -> Progress {
        *lock(&self.state.progress)
    }

    /// Cancels the backtest. It ends with the page of records that it reads or replays.
    pub fn cancel(&self) {
        self.cancel.send_replace(());
    }
}

impl State {
    fn advance(&self, step: Step) {
        let mut progress = lock(&self.progress);
        match step {
            Step::Read(records) | Step::Replayed(records) => progress.records += records,
            Step::Total(records) => *progress = Progress::new(Phase::Replaying, records),
        }
    }

    fn end(&self, outcome: Outcome) {
        *lock(&self.end) = Some(End { at: Instant::now(), outcome: Arc::new(outcome) });
    }
}

/// Ends a backtest whose thread ends in another way, by a panic.
struct Ending(Arc<State>);

impl Drop for Ending {
    fn drop(&mut self) {
        if lock(&self.0.end).is_none() {
            self.0.end(Outcome::Failed("The backtest ended before it was complete.".to_owned()));
        }
    }
}

impl Progress {
    fn new(phase: Phase, total: u64) -> Self {
        Progress { phase, records: 0, total, since: Instant::now() }
    }

    /// Returns the records a second of this step.
    pub fn rate(&self) -> u64 {
        let millis = self.since.elapsed().as_millis();
        u64::try_from(u128::from(self.records) * 1000 / millis.max(1)).unwrap_or(u64::MAX)
    }

    /// Returns an estimate of the seconds that are left of this step, or `None` without one.
    pub fn seconds_left(&self) -> Option<u64> {
        let left = self.total.checked_sub(self.records)?;
        left.checked_div(self.rate())
    }
}

/// Runs a backtest to its end.
async fn outcome(
    operator: &Operator,
    catalog: &Catalog,
    subject: &Subject,
    state: &State,
    mut cancelled: watch::Receiver<()>,
) -> Outcome {
    let running = tokio::time::timeout(LIMIT, done(operator, catalog, subject, state));
    let done = tokio::select! {
        biased;
        _ = cancelled.changed() => return Outcome::Cancelled,
        done = running => done,
    };
    match done {
        Ok(Ok(done)) => Outcome::Done(Box::new(done)),
        Ok(Err(failure)) => Outcome::Failed(operator.explain(failure).to_string()),
        Err(_) => Outcome::Failed(format!(
            "the backtest was not complete after {} hours; `punchcard backtest` has no time limit",
            LIMIT.as_secs() / 3600
        )),
    }
}

async fn done(operator: &Operator, catalog: &Catalog, subject: &Subject, state: &State) -> Result<Done, Failure> {
    let source = Source::of_store(&operator.store, operator.read_units());
    let total = source.approximate_count().await?;
    lock(&state.progress).total = total;
    let finished = Finished::run(&source, catalog, subject, |step| state.advance(step)).await?;
    let report = finished.report()?;
    Ok(Done { finished, report })
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_result_is_dropped_after_a_while_and_a_backtest_that_runs_is_not() {
        let backtests = Backtests::default();
        let (state, _cancelled) = backtests.begin(String::new(), Subject::default()).expect("the first");
        tokio::time::advance(2 * KEPT).await;
        let run = backtests.current().expect("it runs");
        assert!(run.outcome().is_none() && run.kept_for().is_none());
        assert!(backtests.begin(String::new(), Subject::default()).is_err(), "one at a time");
        state.end(Outcome::Cancelled);
        tokio::time::advance(KEPT / 2).await;
        assert!(matches!(backtests.current().and_then(|run| run.outcome()).as_deref(), Some(Outcome::Cancelled)));
        tokio::time::advance(KEPT / 2).await;
        assert!(backtests.current().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_backtest_whose_thread_panics_has_failed() {
        let backtests = Backtests::default();
        let (state, _cancelled) = backtests.begin(String::new(), Subject::default()).expect("the first");
        drop(Ending(state));
        let outcome = backtests.current().and_then(|run| run.outcome());
        assert!(matches!(outcome.as_deref(), Some(Outcome::Failed(_))));
        assert!(backtests.begin(String::new(), Subject::default()).is_ok(), "another one may start");
    }

    #[tokio::test(start_paused = true)]
    async fn a_backtest_is_cancelled_with_its_console() {
        let backtests = Backtests::default();
        let (_state, mut cancelled) = backtests.begin(String::new(), Subject::default()).expect("the first");
        assert!(cancelled.has_changed().is_ok_and(|changed| !changed));
        drop(backtests);
        let changed = tokio::time::timeout(Duration::from_secs(1), cancelled.changed()).await;
        assert!(changed.is_ok_and(|changed| changed.is_err()));
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_that_is_left_follows_from_the_rate() {
        let mut progress = Progress::new(Phase::Reading, 1000);
        assert_eq!((progress.rate(), progress.seconds_left()), (0, None));
        progress.records = 250;
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!((progress.rate(), progress.seconds_left()), (50, Some(15)));
        progress.total = 0;
        assert_eq!(progress.seconds_left(), None);
    }
}
