//! DynamoDB: the real API over `SQLite`, in a file.

use std::path::Path;

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::response::Response;
use dynoxide::{AttributeValue, Database};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::Refusal;
use crate::Error;
use crate::stack::TABLE;

/// How many partitions the `due` index has.
const DUE_SHARDS: u32 = 16;

/// The embedded database, and the loopback address at which it speaks DynamoDB's protocol.
#[derive(Clone)]
pub(crate) struct Dynamo {
    database: Database,
    http: reqwest::Client,
    url: String,
}

impl std::fmt::Debug for Dynamo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dynamo")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl Dynamo {
    /// Opens the database in the file `path`, with the table in it, and serves it on loopback.
    pub(crate) async fn open(path: &Path, http: reqwest::Client) -> Result<Self, Error> {
        let broken = |error: String| Error::Table {
            path: path.to_owned(),
            error,
        };
        let database =
            Database::new(&path.to_string_lossy()).map_err(|error| broken(error.to_string()))?;
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .map_err(|error| broken(error.to_string()))?;
        let address = listener
            .local_addr()
            .map_err(|error| broken(error.to_string()))?;
        tokio::spawn(dynoxide::server::serve_on(listener, database.clone()));
        let dynamo = Self {
            database,
            http,
            url: format!("http://{address}"),
        };
        dynamo.create_table().map_err(broken)?;
        Ok(dynamo)
    }

    /// Where the database answers, past every fault.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The earliest due time of anything in the table.
    pub(crate) fn earliest_due(&self) -> Result<Option<Timestamp>, String> {
        let mut earliest = None;
        for shard in 0..DUE_SHARDS {
            let query = json!({
                "TableName": TABLE,
                "IndexName": "due",
                "KeyConditionExpression": "due_shard = :shard",
                "ExpressionAttributeValues": {":shard": {"S": format!("due#{shard}")}},
                "Limit": 1,
            });
            let query = serde_json::from_value(query).map_err(|error| error.to_string())?;
            let found = self
                .database
                .query(query)
                .map_err(|error| error.to_string())?;
            let due = found.items.iter().flatten().find_map(|item| {
                let AttributeValue::N(due_at) = item.get("due_at")? else {
                    return None;
                };
                Timestamp::from_millisecond(due_at.parse().ok()?).ok()
            });
            earliest = match (earliest, due) {
                (Some(earliest), Some(due)) => Some(Ord::min(earliest, due)),
                (earliest, due) => earliest.or(due),
            };
        }
        Ok(earliest)
    }

    /// Has the database answer a request.
    pub(super) async fn forward(&self, parts: &Parts, body: Bytes) -> Result<Response, Refusal> {
        let mut headers = parts.headers.clone();
        headers.remove(axum::http::header::HOST);
        let answer = self
            .http
            .post(&self.url)
            .headers(headers)
            .body(body)
            .send()
            .await
            .map_err(|error| Refusal::broken(error.to_string()))?;
        let mut response = Response::builder().status(answer.status());
        if let Some(headers) = response.headers_mut() {
            headers.clone_from(answer.headers());
        }
        let body = answer
            .bytes()
            .await
            .map_err(|error| Refusal::broken(error.to_string()))?;
        response
            .body(Body::from(body))
            .map_err(|error| Refusal::broken(error.to_string()))
    }

    fn create_table(&self) -> Result<(), String> {
        let exists = self
            .database
            .get_table_metadata(TABLE)
            .map_err(|error| error.to_string())?
            .is_some();
        if exists {
            return Ok(());
        }
        let table = serde_json::from_value(table()).map_err(|error| error.to_string())?;
        self.database
            .create_table(table)
            .map(|_| ())
            .map_err(|error| error.to_string())
    }
}

/// The table, as `template.yaml` defines it.
fn table() -> Value {
    let index = |name: &str, hash: &str, range: &str, projection: &str| {
        json!({
            "IndexName": name,
            "KeySchema": [
                {"AttributeName": hash, "KeyType": "HASH"},
                {"AttributeName": range, "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": projection},
        })
    };
    let attribute = |name: &str, kind: &str| json!({"AttributeName": name, "AttributeType": kind});
    json!({
        "TableName": TABLE,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            attribute("pk", "S"), attribute("sk", "S"),
            attribute("due_shard", "S"), attribute("due_at", "N"),
            attribute("person", "S"), attribute("requested_at", "S"),
            attribute("open_flow", "S"), attribute("open_state", "S"),
        ],
        "KeySchema": [
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        "GlobalSecondaryIndexes": [
            index("due", "due_shard", "due_at", "KEYS_ONLY"),
            index("person", "person", "requested_at", "ALL"),
            index("open", "open_flow", "open_state", "ALL"),
        ],
    })
}
