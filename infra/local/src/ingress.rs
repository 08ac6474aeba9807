//! `POST /slack/events`: the ingress as API Gateway's HTTP API exposes it.

use std::collections::BTreeMap;

use aws::Clock;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::clock::SandboxClock;
use crate::engine::Engine;
use crate::functions::Function;
use crate::handoffs::Handoffs;
use crate::slack_delivery::{Answered, BoxFuture, Deliver, SignedHttp};
use std::sync::Arc;

/// The path of the one route.
pub(crate) const PATH: &str = "/slack/events";

/// The ingress.
#[derive(Debug, Clone)]
pub(crate) struct Ingress {
    pub(crate) handoffs: Handoffs,
    pub(crate) engine: Arc<Engine>,
    pub(crate) clock: SandboxClock,
}

/// What the function answers (API Gateway developer guide, "Lambda function response format for
/// payload format version 2.0").
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status_code: u16,
    #[serde(default)]
    headers: BTreeMap<String, Value>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

impl Ingress {
    /// Has the function answer `request`.
    pub(crate) async fn post(&self, request: SignedHttp) -> Answered {
        let event = event(&request, self.clock.now().as_millisecond());
        for _ in 1..self.handoffs.deliveries(&event) {
            // Whoever sends it twice goes by the last answer.
            let _ = self
                .handoffs
                .invoke(Function::SlackIngress, event.clone())
                .await;
        }
        let answer = self.handoffs.invoke(Function::SlackIngress, event).await;
        answer
            .and_then(answered)
            .unwrap_or_else(|_| internal_error())
    }
}

impl Deliver for Ingress {
    fn deliver(&self, request: SignedHttp) -> BoxFuture<'_, Answered> {
        Box::pin(self.post(request))
    }

    fn settled(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.engine.settled())
    }
}

/// The event that the function gets (API Gateway developer guide, "Create AWS Lambda proxy
/// integrations for HTTP APIs", payload format version 2.0).
fn event(request: &SignedHttp, now_ms: i64) -> Value {
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in &request.headers {
        headers
            .entry(name.to_lowercase())
            .and_modify(|all| *all = format!("{all},{value}"))
            .or_insert_with(|| value.clone());
    }
    let kind = headers.get("content-type").map_or("", String::as_str);
    let is_text = kind.starts_with("text/") || kind.starts_with("application/json");
    let text = std::str::from_utf8(&request.body).ok().filter(|_| is_text);
    let body = text.map_or_else(|| BASE64.encode(&request.body), str::to_owned);
    json!({
        "version": "2.0",
        "routeKey": format!("POST {PATH}"),
        "rawPath": PATH,
        "rawQueryString": "",
        "headers": headers,
        "requestContext": {
            "accountId": crate::stack::ACCOUNT,
            "apiId": "sandbox",
            "domainName": "localhost",
            "domainPrefix": "localhost",
            "http": {
                "method": "POST",
                "path": PATH,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": headers.get("user-agent"),
            },
            "requestId": aws::stamp(),
            "routeKey": format!("POST {PATH}"),
            "stage": "$default",
            "timeEpoch": now_ms,
        },
        "body": body,
        "isBase64Encoded": text.is_none(),
    })
}

fn answered(answer: Value) -> Result<Answered, String> {
    let answer: Answer = serde_json::from_value(answer).map_err(|error| error.to_string())?;
    let text = answer.body.unwrap_or_default();
    let body = if answer.is_base64_encoded {
        BASE64.decode(text).map_err(|error| error.to_string())?
    } else {
        text.into_bytes()
    };
    let headers = answer.headers.into_iter().map(|(name, value)| {
        let value = match value {
            Value::String(value) => value,
            other => other.to_string(),
        };
        (name.to_lowercase(), value)
    });
    Ok(Answered {
        status: answer.status_code,
        headers: headers.collect(),
        body,
    })
}

/// What API Gateway answers when the function fails.
fn internal_error() -> Answered {
    Answered {
        status: 500,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: br#"{"message":"Internal Server Error"}"#.to_vec(),
    }
}
