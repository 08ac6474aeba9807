//! What every JSON surface here has in common: who may ask, and how nonsense is answered.

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::Nonsense;

/// `routes`, which are to be nested under `/sandbox`, for the page and the programs of this machine
/// alone. `what` lists them for whoever asks for another.
pub(crate) fn guarded(port: u16, routes: Router, what: &'static str) -> Router {
    routes
        .fallback(move |request: Request| async move {
            let path = request.uri().path();
            let error = format!("there is no `/sandbox{path}`");
            refused(StatusCode::NOT_FOUND, &error, what)
        })
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(port, only_own))
}

/// The JSON in `body`.
pub(crate) fn read(body: &Bytes) -> Result<Value, Nonsense> {
    serde_json::from_slice(body).map_err(|error| {
        Nonsense::new(
            format!("the body is not JSON: {error}"),
            "send a JSON object",
        )
    })
}

/// An answer that says what is wrong, and what to do.
pub(crate) fn refused(status: StatusCode, error: &str, hint: &str) -> Response {
    (status, Json(json!({"error": error, "hint": hint}))).into_response()
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

async fn wrong_method(request: Request) -> Response {
    let (method, path) = (request.method(), request.uri().path());
    refused(
        StatusCode::METHOD_NOT_ALLOWED,
        &format!("`/sandbox{path}` does not know {method}"),
        "GET /sandbox/state; POST to the others; DELETE /sandbox/faults or /sandbox/faults/<id>",
    )
}
