//! The event bus.

use std::time::Duration;

use aws_sdk_eventbridge::{
    Client, Config,
    config::{retry::RetryConfig, timeout::TimeoutConfig},
    error::ProvideErrorMetadata as _,
    types::PutEventsRequestEntry,
};
use aws_smithy_types::DateTime;
use punchcard_outbound::{OutboundEvent, SOURCE, pauses};
use punchcard_store::{ConfigError, sdk_config, text_variable, url_variable};
use tokio::time::Instant;

const BUS: &str = "EVENT_BUS_NAME";
const ENDPOINT: &str = "EVENTBRIDGE_ENDPOINT";

/// "You can send up to 10 entries" and "256 KB" in one call
/// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html>).
const MAX_ENTRIES: usize = 10;
const MAX_CALL_BYTES: usize = 256 * 1024;
/// The size of an entry's time.
const TIME_BYTES: usize = 14;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// An event bus to send events to.
#[derive(Debug)]
pub struct Bus {
    client: Client,
    name: String,
}

/// Events of one call, by their indexes.
type Chunk = Vec<usize>;

impl Bus {
    /// Configures the bus from `EVENT_BUS_NAME`, optionally `EVENTBRIDGE_ENDPOINT`, and the variables of the store.
    ///
    /// # Errors
    /// A variable is missing or invalid.
    pub fn from_env() -> Result<Self, ConfigError> {
        let name = text_variable(BUS)?.ok_or(ConfigError::Missing(BUS))?;
        let timeouts =
            TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout(ATTEMPT_TIMEOUT);
        let mut config = aws_sdk_eventbridge::config::Builder::from(&sdk_config()?)
            // Calls are repeated below, with the entries that failed.
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts.build());
        config.set_endpoint_url(url_variable(ENDPOINT)?);
        let config: Config = config.build();
        Ok(Bus { client: Client::from_conf(config), name })
    }

    /// Sends events until the deadline. Returns the indexes of those that were not sent, in order.
    pub async fn send(&self, events: &[OutboundEvent], deadline: Instant) -> Vec<usize> {
        let details: Vec<_> = events.iter().map(OutboundEvent::detail).collect();
        let mut pending: Chunk = (0..events.len()).collect();
        let mut pauses = pauses(FIRST_PAUSE, LONGEST_PAUSE);
        loop {
            let mut failed = Vec::new();
            for chunk in chunks(&pending, |index| entry_bytes(&events[index], &details[index])) {
                failed.extend(self.put(events, &details, chunk).await);
            }
            let next = pauses.next().map(|pause| Instant::now() + pause);
            match next.filter(|next| *next < deadline && !failed.is_empty()) {
                Some(next) => tokio::time::sleep_until(next).await,
                None => return failed,
            }
            pending = failed;
        }
    }

    /// Sends one call. Returns the indexes of the entries that failed.
    async fn put(&self, events: &[OutboundEvent], details: &[String], chunk: Chunk) -> Vec<usize> {
        let entries = chunk.iter().map(|&index| {
            PutEventsRequestEntry::builder()
                .event_bus_name(&self.name)
                .source(SOURCE)
                .detail_type(events[index].kind.detail_type())
                .time(DateTime::from_millis(events[index].received_at.as_millis()))
                .detail(&details[index])
                .build()
        });
        let call = self.client.put_events().set_entries(Some(entries.collect()));
        let answer = match Box::pin(call.send()).await {
            Ok(answer) => answer,
            Err(error) => {
                let code = error.code().unwrap_or("no response");
                tracing::warn!(code, events = chunk.len(), "events were not sent");
                return chunk;
            }
        };
        if answer.failed_entry_count == 0 {
            return Vec::new();
        }
        let results = answer.entries.unwrap_or_default();
        let has_failed = |place: usize| results.get(place).is_none_or(|result| result.event_id.is_none());
        let failed: Vec<_> =
            chunk.into_iter().enumerate().filter(|(place, _)| has_failed(*place)).map(|(_, index)| index).collect();
        let code = results.iter().find_map(|result| result.error_code.as_deref()).unwrap_or("unknown");
        tracing::warn!(code, events = failed.len(), "events were not accepted");
        failed
    }
}

/// Returns the size of an entry: "the size of the time, source, detail type, detail and resources".
fn entry_bytes(event: &OutboundEvent, detail: &str) -> usize {
    TIME_BYTES + SOURCE.len() + event.kind.detail_type().len() + detail.len()
}

/// Splits events into calls, in order.
fn chunks(events: &[usize], bytes: impl Fn(usize) -> usize) -> Vec<Chunk> {
    let mut chunks = Vec::<Chunk>::new();
    let mut chunk_bytes = 0;
    for &index in events {
        let entry = bytes(index);
        match chunks.last_mut() {
            Some(chunk) if chunk.len() < MAX_ENTRIES && chunk_bytes + entry <= MAX_CALL_BYTES => {
                chunk.push(index);
                chunk_bytes += entry;
            }
            _ => {
                chunks.push(vec![index]);
                chunk_bytes = entry;
            }
        }
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_stay_within_both_limits_and_keep_the_order() {
        let events: Vec<_> = (0..25).collect();
        let small: Vec<_> = chunks(&events, |_| 100).iter().map(Vec::len).collect();
        assert_eq!(small, [10, 10, 5]);
        let large = chunks(&events, |index| if index % 2 == 0 { 200_000 } else { 60_000 });
        assert_eq!(large.concat(), events);
        assert!(large.iter().all(|chunk| chunk.len() <= 2), "{large:?}");
    }
}
