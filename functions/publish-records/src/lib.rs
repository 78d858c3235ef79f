//! Streams of the record tables: sends an event for each new record to an event bus.
//!
//! Readable records are always sent, also after one that cannot be read: Lambda repeats the batch from that record,
//! splits it, and in the end gives the record up. Events of the records after it are sent again then, with the same ids.

mod bus;

use std::{error::Error as StdError, time::Duration};

use punchcard_outbound::{Draft, Drafts};
use punchcard_runtime::{BATCH_LIMIT, BatchHandler, metrics};
use punchcard_store::{SequenceNumber, Store, StreamRecord};
use tokio::time::Instant;

use crate::bus::Bus;

/// Time limit for starting calls. Then Lambda delivers the batch again, from the first event that failed.
const SEND_LIMIT: Duration = Duration::from_secs(20);
const _: () = assert!(SEND_LIMIT.as_secs() < BATCH_LIMIT.as_secs());

/// Sends events of records.
#[derive(Debug)]
pub struct PublishRecords {
    drafts: Drafts,
    bus: Bus,
}

impl BatchHandler for PublishRecords {
    const FUNCTION: &'static str = "publish-records";

    async fn open(store: &Store) -> Result<Self, Box<dyn StdError + Send + Sync>> {
        Ok(PublishRecords { drafts: Drafts::new(store), bus: Bus::from_env()? })
    }

    async fn process(&self, batch: Vec<StreamRecord>) -> Option<SequenceNumber> {
        let deadline = Instant::now() + SEND_LIMIT;
        let (mut numbers, mut drafts, mut failed) = (Vec::new(), Vec::new(), None);
        for StreamRecord { sequence_number, change } in batch {
            match change.and_then(|change| Draft::of(&change)) {
                Ok(Some(draft)) => {
                    numbers.push(sequence_number);
                    drafts.push(draft);
                }
                Ok(None) => {}
                Err(error) => {
                    let cause = error.cause();
                    tracing::error!(%sequence_number, operation = error.operation(), cause, "unreadable record");
                    failed.get_or_insert(sequence_number);
                }
            }
        }
        let unsent = match self.drafts.complete(drafts, deadline).await {
            Ok(events) => {
                let unsent = self.bus.send(&events, deadline).await;
                metrics::published(events.len() - unsent.len());
                unsent.first().and_then(|index| numbers.get(*index)).cloned()
            }
            Err(error) => {
                tracing::error!(operation = error.operation(), cause = error.cause(), "balances could not be read");
                numbers.into_iter().next()
            }
        };
        // Lambda repeats all records from the first that failed.
        [failed, unsent].into_iter().flatten().min_by_key(SequenceNumber::padded)
    }
}
