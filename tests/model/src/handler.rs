//! The steps of a handler: the evaluation, and what follows from the outcome of a read or a write.

use crate::{
    scenario::{REVERSED_ACTIVITY, SHARDS},
    state::{Answer, Failures, Handler, Next, Request, Sender},
    store::{Store, Transacted, Transaction, WriteId},
    variant::Variant,
};

/// The next step of a handler.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Then {
    /// It goes on.
    Continue(Handler),
    /// It answers its client, and ends.
    Answer(Answer),
}

impl Handler {
    /// Returns the handler of a request, which knows these shards to be full.
    pub(crate) fn new(request: Request, full: [bool; SHARDS], variant: Option<Variant>) -> Self {
        let next = match request.sender {
            Sender::Activity(_) if variant == Some(Variant::ShardCheckedBefore) => Next::ReadShard(0),
            Sender::Activity(_) => Next::Record,
            Sender::Reversal(_) => Next::ReadActivity,
        };
        let write_id = WriteId { request: request.number, attempt: 0 };
        Handler { request, next, full, member_full: false, failures: Failures::None, write_id }
    }

    /// Returns the transactions of which the handler sends one. A shard is chosen at random.
    pub(crate) fn transactions(&self) -> Vec<Transaction> {
        let write_id = self.write_id;
        match (self.request.sender, self.next) {
            (Sender::Activity(activity), Next::Record) => {
                let free = (0..SHARDS).filter(|shard| !self.full[*shard] && !self.member_full);
                let mut shards: Vec<_> = free.map(Some).collect();
                if shards.is_empty() {
                    shards.push(None);
                }
                shards.into_iter().map(|shard| Transaction::Record { activity, write_id, shard }).collect()
            }
            (Sender::Reversal(reversal), Next::Reverse(taken)) => {
                vec![Transaction::Reversal { reversal, write_id, taken }]
            }
            (_, Next::Record | Next::Reverse(_) | Next::ReadShard(_) | Next::ReadActivity) => Vec::new(),
        }
    }

    /// Continues after the answer of a transaction.
    pub(crate) fn after(mut self, transacted: Transacted) -> Then {
        match (self.request.sender, transacted) {
            (Sender::Activity(_), Transacted::Done) => Then::Answer(Answer::Recorded { found: false }),
            (Sender::Activity(_), Transacted::RecordExists(write_id)) if write_id == self.write_id => {
                Then::Answer(Answer::Recorded { found: true })
            }
            (Sender::Activity(_), Transacted::RecordExists(_)) => Then::Answer(Answer::AlreadyExists),
            (Sender::Reversal(_), Transacted::Done) => Then::Answer(Answer::Reversed),
            (Sender::Reversal(_), Transacted::RecordExists(write_id)) if write_id == self.write_id => {
                Then::Answer(Answer::Reversed)
            }
            (Sender::Reversal(_), Transacted::RecordExists(_)) => Then::Answer(Answer::ReversedBefore),
            (_, Transacted::MarkChanged) => Then::Answer(Answer::AlreadyReversed),
            (_, Transacted::MemberFull) => {
                self.member_full = true;
                Then::Continue(self)
            }
            (_, Transacted::ShardFull) => {
                // All shards are read, and the values replace what was known.
                self.full = [false; SHARDS];
                self.next = Next::ReadShard(0);
                Then::Continue(self)
            }
        }
    }

    /// Continues after an attempt without an answer, or with that of a passing failure.
    pub(crate) fn after_failure(mut self, may_have_taken_effect: bool, variant: Option<Variant>) -> Self {
        let failure = if may_have_taken_effect && variant != Some(Variant::ForgottenUncertainty) {
            Failures::Uncertain
        } else {
            Failures::WithoutEffect
        };
        self.failures = self.failures.max(failure);
        if variant == Some(Variant::FreshWriteId) {
            self.write_id.attempt += 1;
        }
        self
    }

    /// Reads the activity to reverse.
    pub(crate) fn read_activity(mut self, store: &Store) -> Then {
        match store.activities[REVERSED_ACTIVITY] {
            None => Then::Answer(Answer::NoSuchActivity),
            Some(record) => match record.reversed_by {
                Some(by) if Sender::Reversal(by) == self.request.sender => Then::Answer(Answer::ReversedBefore),
                Some(_) => Then::Answer(Answer::AlreadyReversed),
                None => {
                    self.next = Next::Reverse(record.shard);
                    Then::Continue(self)
                }
            },
        }
    }

    /// Reads a shard.
    pub(crate) fn read_shard(mut self, shard: usize, store: &Store) -> Self {
        self.full[shard] = store.is_full(shard);
        self.next = if shard + 1 < SHARDS { Next::ReadShard(shard + 1) } else { Next::Record };
        self
    }

    /// Returns the answer at the deadline, if there was a failure. Without one the deadline does not pass.
    pub(crate) fn at_deadline(&self) -> Option<Answer> {
        match self.failures {
            Failures::None => None,
            Failures::WithoutEffect => Some(Answer::Unavailable),
            Failures::Uncertain => Some(Answer::OutcomeUnknown),
        }
    }
}
