//! `punchcard quarantine replay`.

use std::path::PathBuf;

use clap::Args;
use lambda_http::http::{HeaderName, HeaderValue, Method, Request};
use punchcard_http::{Dialect, route};
use punchcard_quarantine::{Entry, EntryId, EntryName};
use punchcard_runtime::REPLAY;
use serde::Serialize;
use serde_json::json;

use super::{
    credentials::{check, credential_of, dialect, read},
    outcome::{Outcome, reasons},
    source::{Found, Selection, Source},
};
use crate::{
    api::{Answer, Api, ApiUrl, Authenticator, NoToken, SendError},
    failure::Failure,
    limits::Limits,
    operator::Target,
    output::{printable, say},
    registry, router,
};

/// Requests are sent one after the other.
const CONCURRENCY: usize = 1;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const MOCK: HeaderName = HeaderName::from_static("x-mock-data");
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// The number of requests in a row that are not processed after which the API is considered to be down.
const MAX_UNAVAILABLE: usize = 5;

/// Send requests again, the oldest first, and remove those that are recorded now
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    punchcard quarantine replay 019a4c1e-8a0e-7c55-b3a7-51a2c6e0d9f4 --data .punchcard --quarantine quarantine\n  \
    punchcard quarantine replay --all --function send-activity --dry-run --credentials shop.env \\\n    \
    --bucket loyalty-quarantinebucket-1abc --url https://abc.execute-api.eu-west-1.amazonaws.com\n\n\
    Credentials are those of a client or a shop, in PUNCHCARD_CLIENT_ID and PUNCHCARD_CLIENT_SECRET, and in\n\
    PUNCHCARD_API_KEY and PUNCHCARD_SECRET_KEY. With --demo they are the demo's.\n\n\
    The exit status is 1 if requests stay in the quarantine, or would.")]
pub struct Options {
    #[command(flatten)]
    selection: Selection,
    /// Ask the API what it would answer, and change nothing. It cannot say so of sessions
    #[arg(long)]
    dry_run: bool,
    /// URL of the API. With --data, the default is that store, in this process
    #[arg(long, value_name = "URL", required_unless_present = "data")]
    url: Option<ApiUrl>,
    /// File with the credentials, a variable in each line. It comes before the environment
    #[arg(long, value_name = "FILE")]
    credentials: Option<PathBuf>,
}

/// An entry that was sent again.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Replayed {
    id: EntryId,
    function: String,
    outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasons: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// Requests stay in the quarantine, credentials are missing or not valid, or the quarantine cannot be used.
pub async fn run(options: Options, source: &Source, target: &Target) -> Result<(), Failure> {
    let names = options.selection.names(source).await?;
    let secrets = read(options.credentials.as_deref(), target.is_demo())?;
    // Before the first request, so that a missing variable does not end the command half way.
    for name in &names {
        check(&secrets, &name.function)?;
    }
    let api = if let Some(url) = &options.url {
        Api::at(url.clone())
    } else {
        // Without a quarantine of its own.
        let services = registry::open_all(&target.open().await?.store).await;
        Api::InProcess(router::router(services, &Limits::new(CONCURRENCY)))
    };
    let mut authenticator = Authenticator::new(&api, &secrets);
    let mut done = Vec::new();
    let result = replay_all(&options, source, &names, &api, &mut authenticator, |replayed| {
        if !target.json {
            say!("{}", printable(&line(&replayed, options.dry_run)));
        }
        done.push(replayed);
    })
    .await;
    // Also of what was sent before a failure.
    let kept = summarise(&done, options.dry_run, target.json);
    result?;
    match kept {
        0 => Ok(()),
        kept if options.dry_run => Err(Failure::WouldStayInQuarantine(kept)),
        kept => Err(Failure::KeptInQuarantine(kept)),
    }
}

/// Sends the requests one after the other, until the API is down or refuses the credentials.
async fn replay_all(
    options: &Options,
    source: &Source,
    names: &[EntryName],
    api: &Api,
    authenticator: &mut Authenticator<'_>,
    mut done: impl FnMut(Replayed),
) -> Result<(), Failure> {
    let mut unavailable = 0;
    for name in names {
        let replayed = match source.read(name).await? {
            // Deleted since it was listed: it expired, or another command sent it.
            None => continue,
            Some(Found::Entry(entry)) if !options.selection.filter.selects(&entry) => continue,
            Some(Found::Entry(entry)) => replay(api, authenticator, &entry, options.dry_run).await,
            Some(Found::Unreadable(failure)) => {
                Replayed::without_answer(name, Outcome::Unreadable, Some(failure.to_string()))
            }
        };
        let outcome = replayed.outcome;
        done(replayed);
        if matches!(outcome, Outcome::Accepted | Outcome::AlreadyRecorded) && !options.dry_run {
            source.remove(name).await?;
        }
        unavailable = if outcome == Outcome::Unavailable { unavailable + 1 } else { 0 };
        if outcome == Outcome::Unauthorized {
            return Err(Failure::ReplayUnauthorized);
        }
        if unavailable == MAX_UNAVAILABLE {
            return Err(Failure::ReplayUnavailable(unavailable));
        }
    }
    Ok(())
}

/// Prints how many requests had which outcome. Returns how many stay in the quarantine, or would.
fn summarise(done: &[Replayed], is_dry_run: bool, in_json: bool) -> usize {
    let count = |outcome| done.iter().filter(|replayed| replayed.outcome == outcome).count();
    let (accepted, recorded, untried) =
        (count(Outcome::Accepted), count(Outcome::AlreadyRecorded), count(Outcome::NotTried));
    let kept = done.len() - accepted - recorded - untried;
    if in_json {
        let body = json!({
            "requests": done, "dryRun": is_dry_run,
            "accepted": accepted, "alreadyRecorded": recorded, "notTried": untried, "kept": kept,
        });
        say!("{body}");
    } else if is_dry_run {
        say!("{accepted} would be accepted, {recorded} recorded before, {untried} not tried, {kept} would be kept");
    } else {
        say!("{accepted} accepted, {recorded} recorded before, {kept} kept");
    }
    kept
}

impl Replayed {
    fn without_answer(name: &EntryName, outcome: Outcome, reasons: Option<String>) -> Self {
        Replayed { id: name.id, function: name.function.clone(), outcome, status: None, reasons }
    }
}

async fn replay(api: &Api, authenticator: &mut Authenticator<'_>, entry: &Entry, is_dry_run: bool) -> Replayed {
    let without_answer = |outcome, reasons| Replayed::without_answer(&entry.name(), outcome, reasons);
    let invalid = || without_answer(Outcome::Refused, Some("the request cannot be built".to_owned()));
    let (Some(mut request), Ok(credential)) = (request(entry), credential_of(&entry.function)) else {
        return invalid();
    };
    if is_dry_run {
        let Some((name, value)) = dry_run(&entry.function) else {
            return without_answer(Outcome::NotTried, None);
        };
        request.headers_mut().append(name, HeaderValue::from_static(value));
    }
    let result = match authenticator.authenticate(credential, request.headers_mut()).await {
        Ok(()) => api.send(request).await.map_err(NoToken::Unanswered),
        Err(error) => Err(error),
    };
    match result {
        Ok(answer) | Err(NoToken::Refused(answer)) => of_answer(entry, &answer),
        Err(NoToken::Unanswered(SendError::Invalid(_))) => invalid(),
        Err(NoToken::Unanswered(error)) => without_answer(Outcome::Unavailable, Some(error.to_string())),
    }
}

fn of_answer(entry: &Entry, answer: &Answer) -> Replayed {
    let outcome = Outcome::of(&entry.function, answer);
    let reasons = (outcome != Outcome::Accepted).then(|| reasons(&answer.body));
    Replayed { status: Some(answer.status.as_u16()), ..Replayed::without_answer(&entry.name(), outcome, reasons) }
}

/// The header that asks a function for a dry run, or `None` if it has none and would record the request.
fn dry_run(function: &str) -> Option<(HeaderName, &'static str)> {
    if function == route::OPEN_SESSION.function {
        return None;
    }
    match dialect(function)? {
        Dialect::ClientEvents => Some((MOCK, "true")),
        Dialect::Activities | Dialect::PlayerEvents | Dialect::PlayerEventsV4 => Some((PREFER, "dry-run")),
        Dialect::OAuth => None,
    }
}

/// The request as it was, or `None` if it cannot be sent. One without a key of its own gets the entry's id as its key, so
/// that it is recorded once even if this command is killed and run again.
fn request(entry: &Entry) -> Option<Request<Vec<u8>>> {
    let mut request = Request::new(entry.body.bytes().to_vec());
    *request.method_mut() = Method::from_bytes(entry.method.as_bytes()).ok()?;
    *request.uri_mut() = entry.path.parse().ok()?;
    let headers = request.headers_mut();
    for (name, value) in &entry.headers {
        headers.insert(HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_bytes(value.bytes()).ok()?);
    }
    let id = HeaderValue::from_str(&entry.id.to_string()).ok()?;
    headers.entry(IDEMPOTENCY_KEY).or_insert_with(|| id.clone());
    headers.insert(REPLAY, id);
    Some(request)
}

fn line(replayed: &Replayed, is_dry_run: bool) -> String {
    let Replayed { id, function, outcome, status, reasons } = replayed;
    let outcome = match outcome {
        Outcome::Accepted if is_dry_run => "would be accepted",
        Outcome::Accepted => "accepted",
        Outcome::AlreadyRecorded => "recorded before",
        Outcome::Refused => "refused, kept",
        Outcome::Unavailable => "not processed, kept",
        Outcome::Unauthorized => "unauthorized, kept",
        Outcome::Unreadable => "unreadable, kept",
        Outcome::NotTried => "not tried",
    };
    let status = status.map(|status| status.to_string()).unwrap_or_default();
    format!("{id}  {function:17}  {outcome:19}  {status:3}  {}", reasons.as_deref().unwrap_or_default())
}
