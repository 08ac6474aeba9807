//! The page, and the JSON surface through which everything is done that the page does.

use std::sync::Arc;

use aws::Clock;
use axum::body::Bytes;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Nonsense;
use crate::aws_endpoint::{Scheduler, Secrets};
use crate::clock::SandboxClock;
use crate::engine::Engine;
use crate::faults::{Faults, System};
use crate::handoffs::Handoffs;
use crate::ingress::{self, Ingress};
use crate::okta::Okta;
use crate::slack::Slack;
use crate::slack_delivery::SignedHttp;

/// The farthest that time is moved at once: ten years.
const FARTHEST_S: u64 = 10 * 366 * 24 * 60 * 60;

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
    pub(crate) faults: Faults,
    pub(crate) slack: Slack,
    pub(crate) okta: Okta,
    pub(crate) table: aws::Table,
}

/// The router of everything that is on the local run's own address.
pub(crate) fn router(surface: Surface) -> Router {
    let slack = surface.faults.around(System::Slack, surface.slack.router());
    let okta = surface.faults.around(System::Okta, surface.okta.router());
    let sandbox = Router::new()
        .route("/state", get(state))
        .route("/slack", post(slack_act))
        .route("/okta", post(okta_admin))
        .route("/secret", post(secret))
        .route("/clock", post(clock))
        .route("/faults", post(fault).delete(no_faults))
        .route("/faults/{id}", delete(no_fault))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(surface.port, only_own))
        .with_state(surface.clone());
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
        .nest("/slack/api", slack)
        .nest("/okta", okta)
        .nest("/sandbox", sandbox)
        .merge(page.layer(map_response(unframed)))
}

/// Refuses what does not come from the page itself, or from a program on this machine: another web
/// page must not press its buttons.
async fn only_own(State(port): State<u16>, request: Request, next: Next) -> Response {
    let reason = foreign(port, request.method(), request.headers());
    match reason {
        None => next.run(request).await,
        Some((error, hint)) => refused(StatusCode::FORBIDDEN, &error, &hint),
    }
}

fn foreign(port: u16, method: &Method, headers: &HeaderMap) -> Option<(String, String)> {
    let text = |name: HeaderName| {
        headers
            .get(name)
            .map(|it| String::from_utf8_lossy(it.as_bytes()))
    };
    let hosts = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
    let host = text(header::HOST).unwrap_or_default();
    if !hosts.iter().any(|own| host.eq_ignore_ascii_case(own)) {
        return Some((
            format!("the request is for the host `{host}`"),
            format!("ask http://{}", hosts.join(" or http://")),
        ));
    }
    if let Some(origin) = text(header::ORIGIN)
        && !hosts.iter().any(|own| *origin == format!("http://{own}"))
    {
        return Some((
            format!("the request comes from the web page `{origin}`"),
            "only the page of the local run itself may ask".to_owned(),
        ));
    }
    let kind = text(header::CONTENT_TYPE).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if method == Method::POST && !essence.eq_ignore_ascii_case("application/json") {
        return Some((
            format!("the content type is `{kind}`"),
            "send JSON, with `content-type: application/json`".to_owned(),
        ));
    }
    None
}

/// No other page may show this one in a frame and have its buttons pressed there.
async fn unframed(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

fn refused(status: StatusCode, error: &str, hint: &str) -> Response {
    (status, Json(json!({"error": error, "hint": hint}))).into_response()
}

async fn unknown(request: Request) -> Response {
    let path = request.uri().path();
    refused(
        StatusCode::NOT_FOUND,
        &format!("there is no `/sandbox{path}`"),
        "there are /sandbox/state, slack, okta, secret, clock and faults",
    )
}

async fn wrong_method(request: Request) -> Response {
    let (method, path) = (request.method(), request.uri().path());
    refused(
        StatusCode::METHOD_NOT_ALLOWED,
        &format!("`/sandbox{path}` does not know {method}"),
        "GET /sandbox/state; POST to the others; DELETE /sandbox/faults or /sandbox/faults/<id>",
    )
}

fn read(body: &Bytes) -> Result<Value, Nonsense> {
    serde_json::from_slice(body).map_err(|error| {
        Nonsense::new(
            format!("the body is not JSON: {error}"),
            "send a JSON object",
        )
    })
}

async fn slack_act(State(surface): State<Surface>, body: Bytes) -> Result<Json<Value>, Nonsense> {
    let body = read(&body)?;
    surface.slack.act(&body, &surface.ingress).await.map(Json)
}

async fn okta_admin(State(surface): State<Surface>, body: Bytes) -> Result<Json<Value>, Nonsense> {
    surface.okta.admin(&read(&body)?).map(Json)
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

async fn fault(State(surface): State<Surface>, body: Bytes) -> Result<Json<Value>, Nonsense> {
    let id = surface.faults.add(read(&body)?)?;
    Ok(Json(json!({"id": id})))
}

async fn no_fault(
    State(surface): State<Surface>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Nonsense> {
    surface.faults.remove(&id)?;
    Ok(Json(json!({})))
}

async fn no_faults(State(surface): State<Surface>) -> Json<Value> {
    surface.faults.clear();
    Json(json!({}))
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
    let memberships = everything.memberships.iter().map(|item| {
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
        "slack": surface.slack.state(),
        "okta": surface.okta.state(),
        "requests": requests,
        "memberships": memberships,
        "schedules": surface.scheduler.state(),
        "handoffs": surface.handoffs.state(),
        "audit": audit,
        "faults": surface.faults.state(),
        "secret": if surface.secrets.has_okta() { "set" } else { "empty" },
    });
    Ok(Json(state).into_response())
}

fn request(request: &access::Request) -> Value {
    let card = request
        .cards
        .iter()
        .find(|card| card.place == access::Place::Channel)
        .and_then(|card| card.posted.as_ref());
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
