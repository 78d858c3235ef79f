//! Sample requests to send: with the response, the record as it is stored, and the explanation of its award.

use askama::Template;
use axum::response::Response;
use punchcard_models::ids::PlayerId;
use punchcard_store::{LedgerReader, PartitionPages, RecordKind, StoredItem};
use serde_json::Value;

use super::{
    Console, Entry,
    page::{Shell, render},
    problem::Problem,
    record::{RecordView, pretty},
    request::{Fields, Visit},
};
use crate::{
    api::{Credential, Secrets},
    demo,
    samples::{SAMPLES, Sample, Sent},
    sender::send,
};

#[derive(Template)]
#[template(path = "console/try.html")]
struct TryPage {
    shell: Shell,
    /// The samples by API.
    apis: Vec<(&'static str, Vec<&'static Sample>)>,
    sample: &'static Sample,
    sent: Sent,
    headers: String,
    is_dry_run: bool,
    is_demo: bool,
    curl: String,
    result: Option<Outcome>,
}

impl TryPage {
    /// True if the request needs a client's id and secret.
    fn needs_client(&self) -> bool {
        matches!(self.sample.credential, Credential::Client | Credential::Session)
    }

    fn needs_secret_key(&self) -> bool {
        self.sample.credential == Credential::SecretKey
    }
}

/// The outcome of a request.
struct Outcome {
    result: Result<Answer, String>,
    curl: String,
}

struct Answer {
    status: u16,
    kind: &'static str,
    millis: String,
    headers: Vec<(String, String)>,
    body: String,
    /// The record that it wrote, with the item as it is stored.
    record: Option<(RecordView, String)>,
}

#[derive(Template)]
#[template(path = "console/try_result.html")]
struct ResultPart {
    outcome: Outcome,
}

/// A sample request, to be changed and sent.
pub async fn form(visit: Visit) -> Response {
    let sample = Sample::named(visit.fields.get("sample").unwrap_or_default());
    render(&visit.try_page(sample, sample.request(), false, None))
}

/// Sends a request.
pub async fn submit(visit: Visit) -> Result<Response, Problem> {
    visit.may_write()?;
    let sample = Sample::named(visit.fields.get("sample").unwrap_or_default());
    let (sent, is_dry_run) = sent(&visit.fields, sample);
    let curl = visit.console.curl(&sent, sample.credential, is_dry_run);
    let result = match visit.console.send(&visit.fields, sample, &sent, is_dry_run).await {
        Ok(answer) => Ok(answer),
        Err(Problem::Invalid(message)) => Err(message),
        Err(problem) => return Err(problem),
    };
    let outcome = Outcome { result, curl };
    if visit.wants_part {
        return Ok(render(&ResultPart { outcome }));
    }
    Ok(render(&visit.try_page(sample, sent, is_dry_run, Some(outcome))))
}

impl Visit {
    fn try_page(&self, sample: &'static Sample, sent: Sent, is_dry_run: bool, result: Option<Outcome>) -> TryPage {
        let mut apis: Vec<(&'static str, Vec<&'static Sample>)> = Vec::new();
        for sample in &SAMPLES {
            match apis.last_mut() {
                Some((api, samples)) if *api == sample.api => samples.push(sample),
                _ => apis.push((sample.api, vec![sample])),
            }
        }
        let headers: Vec<_> = sent.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        TryPage {
            shell: self.shell("Try it", "Try it"),
            apis,
            sample,
            headers: headers.join("\n"),
            is_dry_run,
            is_demo: self.console.entry == Entry::Anyone,
            curl: self.console.curl(&sent, sample.credential, is_dry_run),
            sent: Sent { body: pretty(&sent.body), ..sent },
            result,
        }
    }
}

/// Reads the request of a form.
fn sent(fields: &Fields, sample: &Sample) -> (Sent, bool) {
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.trim().to_owned(), value.trim().to_owned()))
    };
    let headers = fields.raw("headers").unwrap_or_default().lines().filter_map(header);
    let sent = Sent {
        method: sample.request().method,
        path: fields.text("path"),
        headers: headers.collect(),
        body: fields.raw("body").unwrap_or_default().to_owned(),
    };
    (sent, fields.get("dry-run").is_some())
}

impl Console {
    fn secrets(&self, fields: &Fields) -> Secrets {
        if self.entry == Entry::Anyone {
            return Secrets::of_demo();
        }
        let [client_id, client_secret, api_key, secret_key] =
            ["client", "secret", "api-key", "secret-key"].map(|name| fields.text(name));
        Secrets { client_id, client_secret, api_key, secret_key }
    }

    async fn send(&self, fields: &Fields, sample: &Sample, sent: &Sent, is_dry_run: bool) -> Result<Answer, Problem> {
        let api = self.api.as_ref().ok_or(Problem::ReadOnly)?;
        let mut with = sent.clone();
        if is_dry_run {
            with.headers.push(("prefer".to_owned(), "dry-run".to_owned()));
        }
        let received = send(api, &with, sample.credential, &self.secrets(fields)).await?;
        let has_written = received.status.is_success() && !is_dry_run && sent.method == "POST";
        let record = if has_written { self.written(sent, &received.body).await? } else { None };
        let kind = match received.status.as_u16() {
            500.. => "bad",
            400.. => "warn",
            _ => "good",
        };
        Ok(Answer {
            status: received.status.as_u16(),
            kind,
            millis: format!("{:.1}", received.took.as_secs_f64() * 1000.0),
            headers: received.headers,
            body: pretty(&received.body),
            record,
        })
    }

    /// Finds the record that a request wrote, from the ids in the request and in its response.
    async fn written(&self, sent: &Sent, response: &str) -> Result<Option<(RecordView, String)>, Problem> {
        let (request, response): (Value, Value) =
            (serde_json::from_str(&sent.body).unwrap_or_default(), serde_json::from_str(response).unwrap_or_default());
        let text = |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let reader = LedgerReader::new(&self.operator.store);
        let path = sent.path.split('?').next().unwrap_or_default();
        let (item, partition): (Option<StoredItem>, String) = if path.starts_with("/v2/") {
            let customer = sent.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("x-source-customer-id"));
            let customer = customer.map(|(_, value)| value.clone()).unwrap_or_default();
            let Some(id) = text(&request, "/clientEvents/0/clientEventId") else { return Ok(None) };
            (reader.item(RecordKind::ClientEvents, Some(&customer), &id.to_lowercase()).await?, customer)
        } else if path.starts_with("/client/") {
            let id = text(&response, "/activityId").or_else(|| text(&response, "/transactionId"));
            let Some(id) = id else { return Ok(None) };
            (reader.item(RecordKind::Activities, None, &id).await?, String::new())
        } else {
            let player = text(&request, "/playerUniqueId").or_else(|| text(&request, "/customerId"));
            let Some(player) = player.and_then(|player| player.parse::<PlayerId>().ok()) else { return Ok(None) };
            if path.ends_with("/reward-preview") || path.ends_with("/player") || path.ends_with("/customers") {
                return Ok(None);
            }
            let key = sent.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("idempotency-key"));
            let id = if path.ends_with("/refund") {
                text(&request, "/refundTransactionId").map(|id| format!("refund#{id}"))
            } else if let Some(order) = text(&request, "/orderId") {
                Some(format!("order#{order}"))
            } else {
                key.map(|(_, key)| format!("key#{key}"))
            };
            let item = if let Some(id) = id {
                reader.item(RecordKind::PlayerEvents, Some(&player), &id).await?
            } else {
                // It has a generated id, and is the newest.
                let page = PartitionPages::new(&self.operator.store).of_player(&player, None, 1).await?;
                page.items.into_iter().next()
            };
            (item, player.to_string())
        };
        let Some(item) = item else { return Ok(None) };
        let view = RecordView::of(&item.record()?, &partition, &self.history).await?;
        Ok(Some((view, pretty(&item.json()))))
    }

    /// Returns the request as a command for a shell, with names in place of secrets that are not the demo's.
    fn curl(&self, sent: &Sent, credential: Credential, is_dry_run: bool) -> String {
        let base = if self.traffic.is_some() { format!("http://{}", self.address) } else { "$PUNCHCARD".to_owned() };
        let is_demo = self.entry == Entry::Anyone;
        let value = |name: &str, demo: &str| if is_demo { demo.to_owned() } else { format!("${name}") };
        let (client, secret) = (value("CLIENT_ID", demo::CLIENT), value("CLIENT_SECRET", demo::SECRET));
        let customer = sent.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("x-source-customer-id"));
        let mut lines = Vec::new();
        let token = match credential {
            Credential::Client => Some(format!(
                "TOKEN=$(curl -s {base}/oauth2/token -u \"{client}:{secret}\" \\\n  -d grant_type=client_credentials | cut -d'\"' -f4)"
            )),
            Credential::Session => Some(format!(
                "TOKEN=$(curl -s {base}/v2/session/startSession -H {} \\\n  -H 'Content-Type: application/json' \\\n  \
                 -d \"{{\\\"clientId\\\":\\\"{client}\\\",\\\"secret\\\":\\\"{secret}\\\"}}\" | cut -d'\"' -f4)",
                quoted(&format!(
                    "x-source-customer-id: {}",
                    customer.map(|(_, value)| value.as_str()).unwrap_or_default()
                )),
            )),
            Credential::ApiKey | Credential::SecretKey => None,
        };
        let method = if sent.method == "POST" { "" } else { "-G " };
        lines.push(format!("curl -i {method}\"{base}\"{}", quoted(&sent.path)));
        if token.is_some() {
            lines.push("-H \"Authorization: Bearer $TOKEN\"".to_owned());
        } else {
            lines.push(format!("-H \"APIKey: {}\"", value("API_KEY", demo::API_KEY)));
        }
        if credential == Credential::SecretKey {
            lines.push(format!("-H \"SecretKey: {}\"", value("SECRET_KEY", demo::SECRET_KEY)));
        }
        if is_dry_run {
            lines.push("-H 'Prefer: dry-run'".to_owned());
        }
        lines.extend(sent.headers.iter().map(|(name, value)| format!("-H {}", quoted(&format!("{name}: {value}")))));
        if !sent.body.is_empty() {
            lines.push(format!("-d {}", quoted(&sent.body)));
        }
        let command = lines.join(" \\\n  ");
        token.map_or_else(|| command.clone(), |token| format!("{token}\n{command}"))
    }
}

/// Quotes text for a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_quoted_for_a_shell() {
        assert_eq!(quoted("a'b $(c)"), r"'a'\''b $(c)'");
    }
}
