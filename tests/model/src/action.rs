//! The steps that change a state.

use std::fmt;

use crate::{
    state::{Request, Sender},
    store::Transaction,
};

/// A step of a client, a handler, the network or the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A client sends its request, for the first time or again.
    Send {
        /// The client.
        sender: Sender,
        /// True if the request reaches an instance that remembers full shards; false if it reaches a new one.
        remembers: bool,
    },
    /// A client stops waiting. Its request may still be served. Also stands for a lost answer. A fault.
    StopWaiting(Sender),
    /// The request does not arrive, or its handler is killed. A fault.
    Kill(Request),
    /// A handler reads the activity to reverse.
    ReadActivity(Request),
    /// A handler reads a shard.
    ReadShard(Request),
    /// A handler sends a transaction.
    Transact {
        /// The request that the handler serves.
        request: Request,
        /// The transaction.
        transaction: Transaction,
        /// Its delivery.
        fate: Fate,
    },
    /// The deadline of a handler passes after a failed attempt.
    GiveUp(Request),
    /// A delayed transaction reaches the store.
    Arrive(Transaction),
}

/// The delivery of a transaction and of its answer. All but the first are faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is executed, and its answer arrives.
    Answered,
    /// It never reaches the store.
    Lost,
    /// It is executed, and its answer is lost.
    AnswerLost,
    /// It reaches the store later. Its handler does not wait for it.
    Delayed,
    /// The store refuses it for a passing reason, such as throttling or a conflict, and says so.
    Refused,
}

impl Fate {
    pub(crate) const FAULTS: [Fate; 4] = [Fate::Lost, Fate::AnswerLost, Fate::Delayed, Fate::Refused];
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sender::Activity(activity) => write!(f, "activity {activity}"),
            Sender::Reversal(reversal) => write!(f, "reversal {reversal}"),
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, request {}", self.sender, self.number)
    }
}

impl fmt::Display for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Transaction::Record { activity, shard: Some(shard), .. } => {
                write!(f, "record activity {activity}, paid from shard {shard}")
            }
            Transaction::Record { activity, shard: None, .. } => write!(f, "record activity {activity}, unpaid"),
            Transaction::Reversal { reversal, taken: Some(shard), .. } => {
                write!(f, "record reversal {reversal}, to shard {shard}")
            }
            Transaction::Reversal { reversal, taken: None, .. } => write!(f, "record reversal {reversal} of nothing"),
        }
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fate::Answered => "answered",
            Fate::Lost => "lost",
            Fate::AnswerLost => "executed, answer lost",
            Fate::Delayed => "delayed",
            Fate::Refused => "refused",
        })
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Send { sender, remembers: false } => write!(f, "{sender}: send"),
            Action::Send { sender, remembers: true } => write!(f, "{sender}: send, to an instance that remembers"),
            Action::StopWaiting(sender) => write!(f, "{sender}: stop waiting"),
            Action::Kill(request) => write!(f, "{request}: killed"),
            Action::ReadActivity(request) => write!(f, "{request}: read the activity"),
            Action::ReadShard(request) => write!(f, "{request}: read the next shard"),
            Action::Transact { request, transaction, fate } => write!(f, "{request}: {transaction}: {fate}"),
            Action::GiveUp(request) => write!(f, "{request}: deadline"),
            Action::Arrive(transaction) => write!(f, "delayed, arrives: {transaction}"),
        }
    }
}
