//! The wire between the SDK and the store, where things go wrong: an HTTP client that calls the store in this process.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use aws_sdk_dynamodb::config::{Credentials, Region, retry::RetryPartition};
use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use punchcard::{embedded::TABLE_PREFIX, in_process};
use punchcard_store::Store;
use serde_json::Value;

use crate::{
    call::OneCall,
    history::Trouble,
    store::Reply,
    world::{SERVING, Serving, World},
};

/// The way from one instance to the store.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    world: Arc<World>,
    instance: usize,
    /// Set for the operator's wire, which never fails.
    safe: bool,
}

/// The store as an instance reaches it.
pub(crate) fn store(world: &Arc<World>, instance: usize) -> Store {
    connected(Wire { world: world.clone(), instance, safe: false })
}

/// The store as the operator reaches it.
pub(crate) fn safe_store(world: &Arc<World>) -> Store {
    connected(Wire { world: world.clone(), instance: 0, safe: true })
}

fn connected(wire: Wire) -> Store {
    /// The SDK limits the retries of a whole process together: each simulated process gets a limit of its own.
    static PROCESSES: AtomicU64 = AtomicU64::new(0);
    let partition = RetryPartition::new(format!("process {}", PROCESSES.fetch_add(1, Ordering::Relaxed)));
    let config = aws_sdk_dynamodb::Config::builder()
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("simulated", "simulated", None, None, "simulated"))
        .retry_partition(partition)
        .http_client(wire);
    Store::through(config, TABLE_PREFIX)
}

impl HttpClient for Wire {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let wire = self.clone();
        let serving = SERVING.try_with(Arc::clone).ok();
        HttpConnectorFuture::new(async move { wire.carry(serving, request).await })
    }
}

impl Wire {
    async fn carry(&self, serving: Option<Arc<Serving>>, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let (operation, body) = in_process::read(&request)?;
        let mut request: Value = serde_json::from_slice(&body).map_err(|_| broken())?;
        if self.world.plan.forgets_tokens
            && let Some(request) = request.as_object_mut()
        {
            request.remove("ClientRequestToken");
        }
        let call = Arc::new(OneCall { world: self.world.clone(), serving, operation, request });
        if self.safe {
            return answered(&call.take_effect(&call.request));
        }
        let trouble = call.trouble();
        let number = call.serving.as_ref().map(|serving| serving.request);
        self.world.called(self.instance, number, &call.operation, trouble);
        match trouble {
            None => answered(&call.clone().carried_out(call.latency()).await?),
            Some(Trouble::CutOffBefore) => call.cut_off().await,
            Some(Trouble::CutOffAfter) => {
                call.clone().carried_out(call.latency()).await?;
                call.cut_off().await
            }
            Some(Trouble::Fault(kind)) => call.fail(kind).await,
        }
    }
}

pub(crate) fn answered(reply: &Reply) -> Result<HttpResponse, ConnectorError> {
    response(reply.status, &reply.body.to_string())
}

pub(crate) fn response(status: u16, body: &str) -> Result<HttpResponse, ConnectorError> {
    in_process::Reply { status, body: body.to_owned() }.into_response()
}

/// The connection breaks.
pub(crate) fn broken() -> ConnectorError {
    ConnectorError::io("the connection broke".into())
}
