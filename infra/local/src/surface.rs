//! The page, and the JSON surface through which everything is done that the page does.

use std::sync::Arc;

use aws::Clock;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Nonsense;
use crate::aws_endpoint::{Scheduler, Secrets};
use crate::clock::SandboxClock;
use crate::engine::Engine;
use crate::functions::Function;
use crate::handoffs::Handoffs;
use crate::ingress::{self, Ingress};
use crate::metrics::Metrics;
use crate::nonsense::yes;
use crate::outside::Outside;
use crate::sandbox::{guarded, read, refused};
use crate::slack_delivery::SignedHttp;

/// The farthest that time is moved at once: ten years.
const FARTHEST_S: u64 = 10 * 366 * 24 * 60 * 60;

const WHAT: &str = "there are /sandbox/state, slack, okta, secret, clock, invoke and faults";

/// The files of the page: path, type, content.
const PAGE: [(&str, &str, &str); 3] = [
    (
        "/",
        "text/html; charset=utf-8",
        include_str!("../page/index.html"),
    ),
    (
        "/page.css",
        "text/css; charset=utf-8",
        include_str!("../page/page.css"),
    ),
    (
        "/page.js",
        "text/javascript; charset=utf-8",
        include_str!("../page/page.js"),
    ),
];

/// Everything that the surface shows and moves.
#[derive(Debug, Clone)]
pub(crate) struct Surface {
    pub(crate) port: u16,
    pub(crate) clock: SandboxClock,
    pub(crate) engine: Arc<Engine>,
    pub(crate) ingress: Ingress,
    pub(crate) handoffs: Handoffs,
    pub(crate) scheduler: Arc<Scheduler>,
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) outside: Outside,
    pub(crate) table: aws::Table,
    pub(crate) metrics: Metrics,
}

/// The router of everything that is on the local run's own address.
pub(crate) fn router(surface: Surface) -> Router {
    let sandbox = Router::new()
        .route("/state", get(state))
        .route("/secret", post(secret))
        .route("/clock", post(clock))
        .route("/invoke", post(invoke))
        .with_state(surface.clone())
        .merge(surface.outside.sandbox());
    let mut page = Router::new();
    for (path, kind, content) in PAGE {
        page = page.route(
            path,
            get(move || async move { ([(header::CONTENT_TYPE, kind)], content) }),
        );
    }
    Router::new()
        .route(ingress::PATH, post(events))
        .with_state(surface.ingress)
        .merge(surface.outside.services())
        .nest("/sandbox", guarded(surface.port, sandbox, WHAT))
        .merge(page.layer(map_response(unframed)))
}

/// No other page may show this one in a frame and have its buttons pressed there.
async fn unframed(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

async fn secret(State(surface): State<Surface>, body: Bytes) -> Result<Response, Nonsense> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Secret {
        okta_api_token: Option<String>,
    }
    let secret: Option<Secret> = serde_json::from_value(read(&body)?).map_err(|error| {
        Nonsense::new(
            error.to_string(),
            "send {\"okta_api_token\": \"…\"}, or null to leave the secret empty",
        )
    })?;
    let token = secret.and_then(|secret| secret.okta_api_token);
    let value = token.map(|token| json!({"okta_api_token": token}).to_string());
    Ok(match surface.secrets.put_okta(value) {
        Ok(()) => Json(json!({})).into_response(),
        Err(error) => broken(&format!("the secret was not saved: {error}")),
    })
}

async fn clock(State(surface): State<Surface>, body: Bytes) -> Result<Response, Nonsense> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Move {
        advance_s: Option<u64>,
        freeze: Option<bool>,
    }
    let hint = "send {\"advance_s\": whole seconds} or {\"freeze\": true or false}";
    let asked: Move = serde_json::from_value(read(&body)?)
        .map_err(|error| Nonsense::new(error.to_string(), hint))?;
    match (asked.advance_s, asked.freeze) {
        (Some(seconds), None) if seconds <= FARTHEST_S => {
            let by = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
            // A task of its own: time must not be held for good when whoever asked goes away.
            let moved = tokio::spawn(async move {
                let visited = surface.engine.advance(by).await;
                visited.map(|visited| (surface.clock.now(), visited))
            });
            Ok(match moved.await {
                Ok(Ok((now, visited))) => {
                    Json(json!({"now": now, "fired": visited.fired, "sweeps": visited.sweeps}))
                        .into_response()
                }
                Ok(Err(error)) => return Err(Nonsense::new(error.to_string(), hint)),
                Err(error) => broken(&error.to_string()),
            })
        }
        (Some(seconds), None) => Err(Nonsense::new(
            format!("`advance_s` is `{seconds}`"),
            format!("at most {FARTHEST_S}, which is ten years"),
        )),
        (None, Some(freeze)) => {
            surface.clock.freeze(freeze);
            let now = surface.clock.now();
            Ok(Json(json!({"now": now, "frozen": freeze})).into_response())
        }
        _ => Err(Nonsense::new("not one thing to do", hint)),
    }
}

/// Invokes a function and waits for it, as an administrator of AWS can.
async fn invoke(State(surface): State<Surface>, body: Bytes) -> Result<Json<Value>, Nonsense> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Invoke {
        function: Function,
        event: Value,
        #[serde(default = "yes")]
        wait: bool,
    }
    let Invoke {
        function,
        event,
        wait,
    } = serde_json::from_value(read(&body)?).map_err(|error| {
        let hint = r#"send {"function":"deescalation","event":{"end_all":{"expect":1}}}"#;
        Nonsense::new(error.to_string(), hint)
    })?;
    if !wait {
        surface.handoffs.hand(function, &event);
        return Ok(Json(json!({})));
    }
    Ok(Json(match surface.handoffs.invoke(function, event).await {
        Ok(answer) => json!({ "answer": answer }),
        Err(error) => json!({ "error": error }),
    }))
}

/// What Slack sends, as API Gateway takes it.
async fn events(State(ingress): State<Ingress>, headers: HeaderMap, body: Bytes) -> Response {
    let headers = headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    });
    let request = SignedHttp {
        headers: headers.collect(),
        body: body.to_vec(),
    };
    let answered = ingress.post(request).await;
    let status = StatusCode::from_u16(answered.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, answered.body).into_response();
    response.headers_mut().remove(header::CONTENT_TYPE);
    for (name, value) in answered.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    settle: bool,
}

async fn state(
    State(surface): State<Surface>,
    asked: Result<Query<Asked>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Nonsense> {
    let Query(asked) = asked
        .map_err(|error| Nonsense::new(error.to_string(), "the only question is ?settle=true"))?;
    if asked.settle {
        surface.engine.settled().await;
    }
    let everything = match surface.table.everything().await {
        Ok(everything) => everything,
        Err(error) => return Ok(broken(&format!("the table cannot be read: {error}"))),
    };
    let requests: Vec<Value> = everything.requests.iter().map(request).collect();
    // What is only the memory of a removal holds nobody.
    let live = everything.memberships.iter().filter(|it| it.is_live());
    let memberships = live.map(|item| {
        json!({
            "okta_user": item.key.user, "group_id": item.key.group, "holders": item.holders,
            "ours": item.ours, "under_way": item.calls,
        })
    });
    let memberships: Vec<Value> = memberships.collect();
    let audit: Vec<Value> = everything.audit.iter().map(entry).collect();
    let state = json!({
        "now": surface.clock.now(),
        "idle": surface.engine.is_idle(),
        "frozen": surface.clock.is_frozen(),
        "slack": surface.outside.slack.state(),
        "okta": surface.outside.okta.state(),
        "requests": requests,
        "memberships": memberships,
        "schedules": surface.scheduler.state(),
        "handoffs": surface.handoffs.state(),
        "audit": audit,
        "faults": surface.outside.faults.state(),
        "metrics": surface.metrics.state(),
        "secret": if surface.secrets.has_okta() { "set" } else { "empty" },
    });
    Ok(Json(state).into_response())
}

fn request(request: &access::Request) -> Value {
    let card = request
        .cards
        .iter()
        .filter(|card| card.place.asks())
        .find_map(|card| card.posted.as_ref());
    let approvals: Vec<Value> = request
        .approvals
        .iter()
        .map(|approval| json!({"user": approval.by.slack, "at": approval.at}))
        .collect();
    json!({
        "id": request.id, "v": access::SCHEMA_VERSION, "version": request.version,
        "flow": request.flow, "label": request.label, "group_id": request.group,
        "requester": request.requester.slack, "okta_user": request.requester.okta,
        "duration_s": request.duration_s, "reason": request.reason, "state": request.state,
        "why": request.why, "approvals": approvals, "requested_at": request.requested_at,
        "starts_at": request.starts_at, "ends_at": request.ends_at, "due_at": request.due_at(),
        "extends": request.extends,
        "card": card.map(|posted| json!({"channel": posted.channel, "ts": posted.ts})),
    })
}

fn entry(entry: &access::audit::Entry) -> Value {
    let mut entry = json!(entry);
    if let Some(fields) = entry.as_object_mut() {
        fields.insert("v".to_owned(), json!(access::SCHEMA_VERSION));
    }
    entry
}

fn broken(error: &str) -> Response {
    refused(
        StatusCode::INTERNAL_SERVER_ERROR,
        error,
        "look at what the local run printed; a new folder with --data starts afresh",
    )
}
