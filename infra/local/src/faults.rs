//! Switches that break Okta, Slack or AWS: one register, and one layer around the simulated systems.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::Nonsense;
use crate::aws_endpoint;
use crate::gate::{Border, Passage};
use crate::server::Line;
use crate::work::locked;

/// The largest request that is read to see what it asks for.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// The faults that are switched on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    register: Arc<Mutex<Register>>,
    /// Where somebody watches it, the border that every call of a function crosses first.
    border: Option<Border>,
}

#[derive(Debug, Default)]
struct Register {
    made: u64,
    faults: Vec<Fault>,
}

/// A system that can be broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum System {
    Okta,
    Slack,
    Aws,
}

/// One fault, as `POST /sandbox/faults` describes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fault {
    #[serde(skip_deserializing)]
    id: String,
    /// How many more calls it breaks; none if it breaks all of them until it is removed.
    #[serde(skip_deserializing)]
    left: Option<u64>,
    system: System,
    r#match: String,
    status: Option<u16>,
    #[serde(default)]
    headers: Map<String, Value>,
    body: Option<Value>,
    #[serde(default = "once")]
    times: u64,
    #[serde(default)]
    latency_ms: u64,
    drop: Option<When>,
}

/// When a call is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum When {
    /// Before it takes effect.
    Before,
    /// After it took effect: only its answer is lost.
    After,
}

fn once() -> u64 {
    1
}

impl Faults {
    /// None are switched on, behind `border`.
    pub(crate) fn behind(border: Option<Border>) -> Self {
        let register = Arc::default();
        Self { register, border }
    }

    /// Switches on the fault that `description` describes; gives back its name.
    pub(crate) fn add(&self, description: Value) -> Result<String, Nonsense> {
        let mut fault: Fault = serde_json::from_value(description).map_err(|error| {
            Nonsense::new(
                error.to_string(),
                "send {\"system\": \"okta\", \"slack\" or \"aws\", \"match\", and any of \"status\", \
                 \"headers\", \"body\", \"times\", \"latency_ms\", \"drop\": \"before\" or \"after\"}",
            )
        })?;
        fault.check()?;
        let mut register = locked(&self.register);
        register.made += 1;
        fault.id = format!("f{}", register.made);
        fault.left = (fault.times > 0).then_some(fault.times);
        let id = fault.id.clone();
        register.faults.push(fault);
        Ok(id)
    }

    /// Switches off the fault `id`.
    pub(crate) fn remove(&self, id: &str) -> Result<(), Nonsense> {
        let mut register = locked(&self.register);
        let before = register.faults.len();
        register.faults.retain(|fault| fault.id != id);
        if register.faults.len() == before {
            return Err(Nonsense::new(
                format!("there is no fault `{id}`"),
                "it may have broken all the calls it was to break; GET /sandbox/state lists those left",
            ));
        }
        Ok(())
    }

    /// Switches off all of them.
    pub(crate) fn clear(&self) {
        locked(&self.register).faults.clear();
    }

    /// All of them, for the JSON surface.
    pub(crate) fn state(&self) -> Value {
        json!(locked(&self.register).faults)
    }

    /// Puts this layer around `router`, which simulates `system`.
    pub(crate) fn around(&self, system: System, router: Router) -> Router {
        router.layer(from_fn_with_state((self.clone(), system), apply))
    }

    /// The first fault that breaks the call `called`; this is one of its times.
    fn take(&self, system: System, called: &str) -> Option<Fault> {
        let mut register = locked(&self.register);
        let index = register
            .faults
            .iter()
            .position(|fault| fault.system == system && fault.is_for(called))?;
        let fault = register.faults.get_mut(index)?;
        if let Some(left) = &mut fault.left {
            *left -= 1;
            if *left == 0 {
                return Some(register.faults.remove(index));
            }
        }
        Some(fault.clone())
    }
}

impl Fault {
    fn check(&self) -> Result<(), Nonsense> {
        let matches = match self.system {
            System::Okta => self
                .r#match
                .split_once(' ')
                .is_some_and(|(method, path)| !method.is_empty() && path.starts_with('/')),
            System::Slack => self.r#match.contains('.'),
            System::Aws => self
                .r#match
                .split_once('.')
                .is_some_and(|(service, operation)| {
                    aws_endpoint::SERVICES.contains(&service) && !operation.is_empty()
                }),
        };
        if !matches {
            let example = match self.system {
                System::Okta => {
                    "a method and the beginning of a path, such as `PUT /api/v1/groups`"
                }
                System::Slack => "a method of the Web API, such as `chat.update`",
                System::Aws => {
                    "an operation of DynamoDB, Scheduler, SecretsManager, STS or Lambda, such as \
                     `DynamoDB.TransactWriteItems`"
                }
            };
            return Err(Nonsense::new(
                format!("`match` is `{}`", self.r#match),
                format!("give {example}"),
            ));
        }
        if self.status.is_none() && self.drop.is_none() && self.latency_ms == 0 {
            return Err(Nonsense::new(
                "the fault does nothing",
                "give at least one of `status`, `drop` and `latency_ms`",
            ));
        }
        if let Some(status) = self.status
            && !(200..600).contains(&status)
        {
            return Err(Nonsense::new(
                format!("`status` is `{status}`"),
                "give an HTTP status from 200 to 599",
            ));
        }
        self.header_map().map(|_| ())
    }

    fn is_for(&self, called: &str) -> bool {
        match self.system {
            System::Okta => called.starts_with(&self.r#match),
            System::Slack | System::Aws => called == self.r#match,
        }
    }

    fn header_map(&self) -> Result<HeaderMap, Nonsense> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            // Several lines of one header are a list.
            let values = match value {
                Value::Array(values) => values.as_slice(),
                value => std::slice::from_ref(value),
            };
            for value in values {
                let text = match value {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                let parsed = (
                    HeaderName::try_from(name.as_str()),
                    HeaderValue::try_from(&text),
                );
                let (Ok(name), Ok(value)) = parsed else {
                    return Err(Nonsense::new(
                        format!("`{name}: {text}` is not an HTTP header"),
                        "give `headers` as an object of names and values",
                    ));
                };
                headers.append(name, value);
            }
        }
        Ok(headers)
    }

    fn answer(&self, status: StatusCode) -> Response {
        let content = match &self.body {
            Some(Value::String(text)) => ("text/plain; charset=utf-8", text.clone()),
            Some(body) => ("application/json", body.to_string()),
            None => default_body(self.system, status),
        };
        let mut response = said(status, content);
        // They were checked when the fault was made; they replace what is there.
        let headers = self.header_map().unwrap_or_default();
        response.headers_mut().extend(headers);
        response
    }
}

/// What `system` says with `status` when nothing else is asked for.
fn default_body(system: System, status: StatusCode) -> (&'static str, String) {
    let body = match system {
        System::Okta => {
            let (code, summary) = match status.as_u16() {
                401 => ("E0000011", "Invalid token provided"),
                403 => (
                    "E0000006",
                    "You do not have permission to perform the requested action",
                ),
                404 => ("E0000007", "Not found: Resource not found"),
                429 => (
                    "E0000047",
                    "API call exceeded rate limit due to too many requests.",
                ),
                500.. => ("E0000009", "Internal Server Error"),
                _ => ("E0000001", "Api validation failed"),
            };
            json!({
                "errorCode": code, "errorSummary": summary, "errorLink": code,
                "errorId": "oaeSandboxFault", "errorCauses": [],
            })
        }
        System::Slack => {
            let error = match status.as_u16() {
                429 => "ratelimited",
                503 => "service_unavailable",
                _ => "internal_error",
            };
            json!({"ok": false, "error": error})
        }
        System::Aws => {
            let code = match status.as_u16() {
                403 => "AccessDeniedException",
                429 => "ThrottlingException",
                400..500 => "ValidationException",
                503 => "ServiceUnavailable",
                _ => "InternalServerError",
            };
            json!({"__type": code, "message": "a fault of the sandbox", "Message": "a fault of the sandbox"})
        }
    };
    ("application/json", body.to_string())
}

/// Breaks the request if a fault says so, and lets it through otherwise.
async fn apply(
    State((faults, system)): State<(Faults, System)>,
    ConnectInfo(line): ConnectInfo<Line>,
    request: Request,
    next: Next,
) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_LIMIT).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let called = called(system, &parts, &body);
    if let Some(border) = &faults.border {
        let headers = parts.headers.clone();
        let passage = border.pass(&headers, called.clone()).await;
        let request = Request::from_parts(parts, Body::from(body));
        match passage {
            Passage::Free => return broken(&faults, system, &called, line, request, next).await,
            Passage::Refused => {
                let status = match system {
                    System::Slack => StatusCode::OK,
                    System::Okta | System::Aws => StatusCode::FORBIDDEN,
                };
                return said(status, default_body(system, StatusCode::FORBIDDEN));
            }
            Passage::Shut => {}
            Passage::OneWay => {
                answered(next.run(request).await).await;
                border.close(&headers);
            }
            Passage::Delayed(after) => {
                let effect = async move { answered(next.run(request).await).await };
                border.delay(&headers, after, effect);
            }
        }
        return cut(&line);
    }
    let request = Request::from_parts(parts, Body::from(body));
    broken(&faults, system, &called, line, request, next).await
}

/// Breaks the request, which calls `called`, if a fault says so.
async fn broken(
    faults: &Faults,
    system: System,
    called: &str,
    line: Line,
    request: Request,
    next: Next,
) -> Response {
    let fault = faults.take(system, called);
    let Some(fault) = fault else {
        return next.run(request).await;
    };
    tokio::time::sleep(Duration::from_millis(fault.latency_ms)).await;
    match (
        fault.drop,
        fault.status.and_then(|s| StatusCode::from_u16(s).ok()),
    ) {
        (Some(When::Before), _) => {}
        (Some(When::After), _) => answered(next.run(request).await).await,
        (None, Some(status)) => return fault.answer(status),
        (None, None) => return next.run(request).await,
    }
    cut(&line)
}

fn said(status: StatusCode, (kind, body): (&'static str, String)) -> Response {
    (status, [(header::CONTENT_TYPE, kind)], body).into_response()
}

/// Lets nobody hear anything on `line` any more.
fn cut(line: &Line) -> Response {
    line.cut();
    StatusCode::NO_CONTENT.into_response()
}

/// Reads `answer`: what it still does while it is read belongs to its effect.
async fn answered(answer: Response) {
    let _ = to_bytes(answer.into_body(), BODY_LIMIT).await;
}

/// What a request asks of `system`, as a fault's `match` spells it.
fn called(system: System, parts: &Parts, body: &Bytes) -> String {
    let uri = &parts.uri;
    match system {
        System::Okta => {
            let path = uri
                .path_and_query()
                .map_or(uri.path(), |path| path.as_str());
            format!("{} {path}", parts.method)
        }
        System::Slack => {
            let method = uri.path().rsplit('/').next();
            method.unwrap_or_default().to_owned()
        }
        System::Aws => aws_endpoint::operation(parts, body),
    }
}
