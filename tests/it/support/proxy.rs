//! A proxy in front of the embedded store that fails as DynamoDB does: it records every call, passes it on, or fails it
//! as planned.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch};

/// The failure of one call.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// The call is carried out; its answer gets lost.
    AnswerLost,
    /// The call is not carried out, and never answered.
    NoAnswer,
    /// The call is refused, for a reason of this name.
    Refused(&'static str),
    /// The transaction is cancelled, because another one writes its first item.
    Conflict,
    /// The transaction is carried out. If its conditions fail, its first item is throttled, which hides that item's
    /// condition.
    ConditionHidden,
    /// All but the last statement of a batch are carried out; that one is refused, for a reason of this name.
    LastMember(&'static str),
    /// A read of many items reads none, and says so.
    NothingRead,
}

pub struct Proxy {
    pub url: String,
    shared: Arc<Shared>,
}

struct Shared {
    store: String,
    client: reqwest::Client,
    state: Mutex<Plan>,
    /// The operation whose calls wait.
    held: watch::Sender<Option<&'static str>>,
}

#[derive(Default)]
struct Plan {
    calls: Vec<(String, Value)>,
    consumed: Vec<(String, f64)>,
    faults: VecDeque<(&'static str, Fault)>,
    down: bool,
    /// An operation, and the number of its calls that are still carried out.
    left: Option<(&'static str, usize)>,
}

impl Proxy {
    pub async fn start(store: &str) -> Self {
        let shared = Arc::new(Shared {
            store: store.to_owned(),
            client: reqwest::Client::new(),
            state: Mutex::default(),
            held: watch::Sender::new(None),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let proxy = Router::new().fallback(pass_on).with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, proxy).await });
        Proxy { url, shared }
    }

    /// The next call of this operation fails.
    pub fn fail_next(&self, operation: &'static str, fault: Fault) {
        self.shared.plan().faults.push_back((operation, fault));
    }

    /// So many calls of this operation are carried out, and the others refused.
    pub fn refuse_after(&self, operation: &'static str, calls: usize) {
        self.shared.plan().left = Some((operation, calls));
    }

    /// Calls of this operation wait from now on, until they are let go.
    pub fn hold(&self, operation: &'static str) {
        self.shared.held.send_replace(Some(operation));
    }

    /// Lets the calls go that wait.
    pub fn let_go(&self) {
        self.shared.held.send_replace(None);
    }

    /// Every call fails from now on, until it is up again.
    pub fn set_down(&self, down: bool) {
        self.shared.plan().down = down;
    }

    /// The calls so far, as operation and parameters.
    pub fn calls(&self) -> Vec<(String, Value)> {
        self.shared.plan().calls.clone()
    }

    /// The capacity units that each call took so far, by operation.
    pub fn consumed(&self) -> Vec<(String, f64)> {
        self.shared.plan().consumed.clone()
    }

    /// The number of calls of this operation so far.
    pub fn count(&self, operation: &str) -> usize {
        self.shared.plan().calls.iter().filter(|(called, _)| called == operation).count()
    }

    /// Returns true if every planned fault has happened.
    pub fn all_faults_happened(&self) -> bool {
        self.shared.plan().faults.is_empty()
    }
}

impl Shared {
    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.state.lock().expect("no panic while it was held")
    }

    async fn call(&self, headers: HeaderMap, body: impl Into<reqwest::Body>) -> (StatusCode, Value) {
        let response = self.client.post(&self.store).headers(headers).body(body).send().await.expect("the store");
        (response.status(), response.json().await.expect("JSON"))
    }
}

fn refusal(code: &str) -> (StatusCode, Value) {
    let kind = format!("com.amazonaws.dynamodb.v20120810#{code}");
    let internal = code == "InternalServerError";
    let status = if internal { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::BAD_REQUEST };
    (status, json!({"__type": kind, "message": "the table punchcard-secret"}))
}

async fn pass_on(State(shared): State<Arc<Shared>>, mut headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).expect("an operation");
    let operation = target.rsplit('.').next().expect("a name").to_owned();
    let mut parameters: Value = serde_json::from_slice(&body).expect("JSON");
    let fault = {
        let mut plan = shared.plan();
        plan.calls.push((operation.clone(), parameters.clone()));
        if plan.down {
            return lost();
        }
        if let Some((limited, left)) = &mut plan.left
            && *limited == operation
        {
            match left.checked_sub(1) {
                Some(less) => *left = less,
                None => return answer(refusal("AccessDeniedException")),
            }
        }
        let planned = plan.faults.iter().position(|(failing, _)| *failing == operation);
        planned.and_then(|index| plan.faults.remove(index)).map(|(_, fault)| fault)
    };
    // The proxy has the sender, so the channel stays open.
    shared.held.subscribe().wait_for(|held| *held != Some(operation.as_str())).await.ok();
    headers.remove("host");
    headers.remove("content-length");
    match fault {
        None => {
            parameters["ReturnConsumedCapacity"] = json!("TOTAL");
            let (status, mut answered) = shared.call(headers, parameters.to_string()).await;
            let consumed = answered.as_object_mut().and_then(|answered| answered.remove("ConsumedCapacity"));
            let units = match consumed {
                Some(Value::Array(tables)) => tables.iter().filter_map(|table| table["CapacityUnits"].as_f64()).sum(),
                Some(table) => table["CapacityUnits"].as_f64().unwrap_or_default(),
                None => 0.0,
            };
            shared.plan().consumed.push((operation, units));
            answer((status, answered))
        }
        Some(Fault::AnswerLost) => {
            shared.call(headers, body).await;
            lost()
        }
        Some(Fault::NoAnswer) => std::future::pending().await,
        Some(Fault::Refused(code)) => answer(refusal(code)),
        Some(Fault::Conflict) => {
            let writes = parameters["TransactItems"].as_array().expect("writes").len();
            let mut reasons = vec![json!({"Code": "None"}); writes];
            reasons[0] = json!({"Code": "TransactionConflict", "Message": "the table punchcard-secret"});
            let kind = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
            let body = json!({"__type": kind, "message": "cancelled", "CancellationReasons": reasons});
            answer((StatusCode::BAD_REQUEST, body))
        }
        Some(Fault::ConditionHidden) => {
            let (status, mut answered) = shared.call(headers, body).await;
            if let Some(reasons) = answered["CancellationReasons"].as_array_mut() {
                reasons[0] = json!({"Code": "ThrottlingError", "Message": "the table punchcard-secret"});
            }
            answer((status, answered))
        }
        Some(Fault::LastMember(code)) => {
            let statements = parameters["Statements"].as_array_mut().expect("statements");
            statements.pop().expect("a statement");
            let mut members = Vec::new();
            if !statements.is_empty() {
                let (status, answered) = shared.call(headers, parameters.to_string()).await;
                assert_eq!(status, StatusCode::OK, "{answered}");
                members.extend(answered["Responses"].as_array().expect("an answer a statement").iter().cloned());
            }
            members.push(json!({"Error": {"Code": code, "Message": "the table punchcard-secret"}}));
            answer((StatusCode::OK, json!({"Responses": members})))
        }
        Some(Fault::NothingRead) => {
            answer((StatusCode::OK, json!({"Responses": {}, "UnprocessedKeys": parameters["RequestItems"]})))
        }
    }
}

fn answer((status, body): (StatusCode, Value)) -> Response {
    (status, [("content-type", "application/x-amz-json-1.0")], body.to_string()).into_response()
}

/// The connection breaks instead of an answer.
fn lost() -> Response {
    let broken = futures_util::stream::iter([Err::<Bytes, _>(io::Error::from(io::ErrorKind::ConnectionReset))]);
    Response::new(Body::from_stream(broken))
}
