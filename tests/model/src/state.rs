//! A state: the tables, the clients, the handlers at work and the writes under way.

use std::fmt;

use crate::{
    scenario::{ACTIVITIES, REVERSALS, SHARDS, Scenario},
    store::{Store, Transaction, WriteId},
};

/// A client, which sends one activity or one reversal until it has an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sender {
    /// The client of an activity.
    Activity(usize),
    /// The client of a reversal.
    Reversal(usize),
}

/// A client's request. The first one of a client is number 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Request {
    /// The client.
    pub sender: Sender,
    /// The number.
    pub number: u8,
}

/// The last that a client learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    /// It sent nothing yet.
    NotSent,
    /// It waits for the answer of its last request.
    Waiting,
    /// It got no answer.
    Lost,
    /// 503: nothing was written.
    Unavailable,
    /// 503: the outcome is unknown.
    OutcomeUnknown,
    /// 200: the activity is recorded.
    Recorded {
        /// True if an attempt found the record of an earlier attempt of the same call.
        found: bool,
    },
    /// 400: a record with this id exists.
    AlreadyExists,
    /// 200: the activity is reversed.
    Reversed,
    /// 200: the activity is reversed, by an earlier request with the same reference.
    ReversedBefore,
    /// 400: the activity is reversed, by another reversal.
    AlreadyReversed,
    /// 404: there is no such activity.
    NoSuchActivity,
}

impl Answer {
    /// Returns true if the client sends its request again after this.
    #[must_use]
    pub fn invites_retry(self) -> bool {
        matches!(self, Answer::Lost | Answer::Unavailable | Answer::OutcomeUnknown)
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Answer::NotSent => "nothing sent",
            Answer::Waiting => "no answer yet",
            Answer::Lost => "no answer",
            Answer::Unavailable => "503, nothing was written",
            Answer::OutcomeUnknown => "503, outcome unknown",
            Answer::Recorded { found: false } => "200, recorded",
            Answer::Recorded { found: true } => "200, recorded by an earlier attempt",
            Answer::AlreadyExists => "400, already exists",
            Answer::Reversed => "200, reversed",
            Answer::ReversedBefore => "200, reversed before",
            Answer::AlreadyReversed => "400, already reversed",
            Answer::NoSuchActivity => "404, no such activity",
        })
    }
}

/// The state of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Client {
    /// Number of requests that it sent.
    pub sent: u8,
    /// The last that it learned.
    pub answer: Answer,
}

/// The failed attempts of a handler, as `Retries` counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Failures {
    /// None.
    None,
    /// All of them certainly had no effect.
    WithoutEffect,
    /// One of them may have taken effect.
    Uncertain,
}

/// The next step of a handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Next {
    /// Send the transaction of a record.
    Record,
    /// Read a shard, after the condition on one failed.
    ReadShard(usize),
    /// Read the activity to reverse.
    ReadActivity,
    /// Send the transaction of a reversal, which takes this back.
    Reverse(Option<usize>),
}

/// A handler that serves a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Handler {
    /// The request.
    pub request: Request,
    /// The next step.
    pub next: Next,
    /// Shards that it knows to be full.
    pub full: [bool; SHARDS],
    /// True if it knows that the member has no use left.
    pub member_full: bool,
    /// The failed attempts.
    pub failures: Failures,
    /// The id of its write.
    pub write_id: WriteId,
}

/// A state of the whole system.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    /// The tables.
    pub store: Store,
    /// Clients of activities. Those that the scenario does not have send nothing.
    pub activities: [Client; ACTIVITIES],
    /// Clients of reversals. Those that the scenario does not have send nothing.
    pub reversals: [Client; REVERSALS],
    /// Handlers at work, in the order of their requests.
    pub handlers: Vec<Handler>,
    /// Transactions that their handler does not wait for any more. They arrive later. In order.
    pub delayed: Vec<Transaction>,
    /// Shards that an instance remembers as full.
    pub remembered: [bool; SHARDS],
    /// Number of faults that may still happen.
    pub faults_left: u8,
}

impl State {
    pub(crate) fn first(scenario: &Scenario) -> Self {
        let client = Client { sent: 0, answer: Answer::NotSent };
        State {
            store: Store::default(),
            activities: [client; ACTIVITIES],
            reversals: [client; REVERSALS],
            handlers: Vec::new(),
            delayed: Vec::new(),
            remembered: [false; SHARDS],
            faults_left: scenario.most_faults,
        }
    }

    /// Returns all clients, used or not.
    pub fn clients(&self) -> impl Iterator<Item = (Sender, Client)> {
        let activities =
            self.activities.iter().enumerate().map(|(activity, client)| (Sender::Activity(activity), *client));
        let reversals =
            self.reversals.iter().enumerate().map(|(reversal, client)| (Sender::Reversal(reversal), *client));
        activities.chain(reversals)
    }

    /// Returns the state of a client.
    #[must_use]
    pub fn client(&self, sender: Sender) -> Client {
        match sender {
            Sender::Activity(activity) => self.activities[activity],
            Sender::Reversal(reversal) => self.reversals[reversal],
        }
    }

    pub(crate) fn client_mut(&mut self, sender: Sender) -> &mut Client {
        match sender {
            Sender::Activity(activity) => &mut self.activities[activity],
            Sender::Reversal(reversal) => &mut self.reversals[reversal],
        }
    }

    /// Returns the writes of a client that may arrive later.
    pub(crate) fn delayed_of(&self, sender: Sender) -> impl Iterator<Item = WriteId> {
        self.delayed.iter().filter_map(move |transaction| {
            let (of, write_id) = match *transaction {
                Transaction::Record { activity, write_id, .. } => (Sender::Activity(activity), write_id),
                Transaction::Reversal { reversal, write_id, .. } => (Sender::Reversal(reversal), write_id),
            };
            (of == sender).then_some(write_id)
        })
    }

    /// Returns true if nothing is under way and no client sends anything more.
    #[must_use]
    pub fn is_over(&self, scenario: &Scenario) -> bool {
        let is_done = |client: Client| match client.answer {
            Answer::NotSent | Answer::Waiting => false,
            answer => !answer.invites_retry() || client.sent == scenario.most_requests,
        };
        let is_idle = self.handlers.is_empty() && self.delayed.is_empty();
        is_idle && scenario.senders().all(|sender| is_done(self.client(sender)))
    }
}
