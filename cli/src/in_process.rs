//! An SDK HTTP client that executes DynamoDB requests on the embedded database, without a socket.

use std::{collections::BTreeMap, fmt, sync::Arc, thread};

use aws_sdk_dynamodb::config::{Credentials, Region};
use aws_smithy_runtime_api::{
    client::{
        http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use dynoxide::{Database, DynoxideError};
use punchcard_store::Store;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use tokio::sync::Semaphore;

/// The media type of requests and responses.
pub const MEDIA_TYPE: &str = "application/x-amz-json-1.0";
/// The prefixes of `X-Amz-Target`, before the operation's name: of tables and of their streams.
const TARGETS: [&str; 2] = ["DynamoDB_20120810.", "DynamoDBStreams_20120810."];

/// Returns the operation in an `X-Amz-Target` header, or an empty string.
#[must_use]
pub fn operation(target: &str) -> &str {
    TARGETS.into_iter().find_map(|prefix| target.strip_prefix(prefix)).unwrap_or_default()
}

/// A DynamoDB response.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The JSON body.
    pub body: String,
}

impl Reply {
    /// Creates an error response with a DynamoDB error code.
    #[must_use]
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        let kind = format!("com.amazonaws.dynamodb.v20120810#{code}");
        Reply { status, body: serde_json::json!({"__type": kind, "message": message}).to_string() }
    }

    /// Converts the response to the SDK's type.
    ///
    /// # Errors
    /// The status is not a valid HTTP status.
    pub fn into_response(self) -> Result<HttpResponse, ConnectorError> {
        let status = StatusCode::try_from(self.status).map_err(|error| ConnectorError::other(error.into(), None))?;
        let mut response = HttpResponse::new(status, SdkBody::from(self.body));
        response.headers_mut().insert("content-type", MEDIA_TYPE);
        Ok(response)
    }
}

macro_rules! call {
    ($database:expr, $operation:expr, $body:expr; $($name:literal => $method:ident,)+) => {
        match $operation {
            $($name => run($body, |request| $database.$method(request)),)+
            _ => return Reply::error(400, "UnknownOperationException", "The operation is not supported"),
        }
    };
}

/// Executes an operation. Blocks, because the database is synchronous and syncs every commit to disk.
#[must_use]
pub fn call(database: &Database, operation: &str, body: &[u8]) -> Reply {
    let done = call! {
        database, operation, body;
        "BatchExecuteStatement" => batch_execute_statement,
        "BatchGetItem" => batch_get_item,
        "BatchWriteItem" => batch_write_item,
        "CreateTable" => create_table,
        "DeleteItem" => delete_item,
        "DeleteTable" => delete_table,
        "DescribeStream" => describe_stream,
        "DescribeTable" => describe_table,
        "DescribeTimeToLive" => describe_time_to_live,
        "ExecuteStatement" => execute_statement,
        "ExecuteTransaction" => execute_transaction,
        "GetItem" => get_item,
        "GetRecords" => get_records,
        "GetShardIterator" => get_shard_iterator,
        "ListStreams" => list_streams,
        "ListTables" => list_tables,
        "ListTagsOfResource" => list_tags_of_resource,
        "PutItem" => put_item,
        "Query" => query,
        "Scan" => scan,
        "TagResource" => tag_resource,
        "TransactGetItems" => transact_get_items,
        "TransactWriteItems" => transact_write_items,
        "UntagResource" => untag_resource,
        "UpdateItem" => update_item,
        "UpdateTable" => update_table,
        "UpdateTimeToLive" => update_time_to_live,
    };
    done.unwrap_or_else(|error| Reply { status: error.status_code(), body: error.to_json() })
}

fn run<I: DeserializeOwned, O: Serialize>(
    body: &[u8],
    operation: impl FnOnce(I) -> Result<O, DynoxideError>,
) -> Result<Reply, DynoxideError> {
    let invalid = |error: serde_json::Error| DynoxideError::SerializationException(error.to_string());
    let done = operation(serde_json::from_slice(body).map_err(invalid)?)?;
    Ok(Reply { status: 200, body: serde_json::to_string(&done).map_err(invalid)? })
}

/// An HTTP client that is connected to the embedded database.
#[derive(Clone)]
pub struct InProcess {
    database: Database,
    /// Limits the number of threads that use the database. One thread can hold its lock while the others parse and
    /// serialise; more threads would only wait.
    threads: Arc<Semaphore>,
}

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InProcess").finish_non_exhaustive()
    }
}

impl InProcess {
    /// Creates a client of a database.
    #[must_use]
    pub fn new(database: Database) -> Self {
        let threads = 1 + thread::available_parallelism().map_or(1, usize::from);
        InProcess { database, threads: Arc::new(Semaphore::new(threads)) }
    }

    /// Creates a store that uses this client.
    #[must_use]
    pub fn store(self, table_prefix: &str) -> Store {
        let config = aws_sdk_dynamodb::Config::builder()
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new("embedded", "embedded", None, None, "embedded store"))
            .http_client(self);
        Store::through(config, table_prefix)
    }

    /// Executes an operation on a blocking thread. A started operation completes even if the future is dropped.
    ///
    /// # Errors
    /// The operation panicked, or the runtime is shutting down.
    pub async fn call(
        &self,
        operation: String,
        body: impl AsRef<[u8]> + Send + 'static,
    ) -> Result<Reply, ConnectorError> {
        let thread = self.threads.clone().acquire_owned().await;
        let thread = thread.map_err(|error| ConnectorError::other(error.into(), None))?;
        let database = self.database.clone();
        let called = tokio::task::spawn_blocking(move || {
            let reply = call(&database, &operation, body.as_ref());
            drop(thread);
            reply
        });
        called.await.map_err(|error| ConnectorError::other(error.into(), None))
    }
}

impl HttpClient for InProcess {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.clone();
        HttpConnectorFuture::new(async move {
            let (operation, mut body) = read(&request)?;
            if operation == "TransactWriteItems" {
                body = without_token(body);
            }
            client.call(operation, body).await?.into_response()
        })
    }
}

/// Removes the token by which DynamoDB recognises a repeated transaction. The SDK gives each call another one, and none
/// is repeated here. The embedded store would keep it for ten minutes, and read all that it keeps for each transaction.
fn without_token(body: Vec<u8>) -> Vec<u8> {
    let Ok(mut request) = serde_json::from_slice::<BTreeMap<&str, &RawValue>>(&body) else { return body };
    request.remove("ClientRequestToken");
    serde_json::to_vec(&request).unwrap_or(body)
}

/// Extracts the operation and the body of an SDK request.
///
/// # Errors
/// The body is a stream. DynamoDB requests never are.
pub fn read(request: &HttpRequest) -> Result<(String, Vec<u8>), ConnectorError> {
    let target = request.headers().get("x-amz-target").unwrap_or_default();
    let body =
        request.body().bytes().ok_or_else(|| ConnectorError::user("streamed bodies are not supported".into()))?;
    Ok((operation(target).to_owned(), body.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_removed_and_nothing_else_changes() {
        let body = br#"{"ClientRequestToken":"t","TransactItems":[{"Put":{"ClientRequestToken":"kept","N":1.50}}]}"#;
        let kept = br#"{"TransactItems":[{"Put":{"ClientRequestToken":"kept","N":1.50}}]}"#;
        assert_eq!(without_token(body.to_vec()), kept);
        assert_eq!(without_token(b"no JSON".to_vec()), b"no JSON");
    }
}
