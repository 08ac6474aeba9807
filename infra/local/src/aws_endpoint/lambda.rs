//! Lambda: the functions can invoke each other, as far as their roles let them.
//!
//! Shapes and errors are those of the Lambda API reference: `Invoke`.

use axum::Json;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::{Caller, Refusal, denied};
use crate::functions::Function;
use crate::handoffs::Handoffs;

/// The largest event that Lambda takes for an asynchronous invocation, in bytes.
const ASYNC_LIMIT: usize = 1024 * 1024;

pub(super) async fn answer(
    handoffs: &Handoffs,
    caller: Caller,
    parts: &Parts,
    body: &Bytes,
) -> Result<Response, Refusal> {
    let name = parts
        .uri
        .path()
        .strip_prefix("/2015-03-31/functions/")
        .and_then(|rest| rest.strip_suffix("/invocations"))
        .unwrap_or_default()
        // An ARN's colons are escaped in a path.
        .replace("%3A", ":");
    let Some(function) = Function::named(&name) else {
        return Err(Refusal::new(
            404,
            "ResourceNotFoundException",
            format!("Function not found: {name}"),
        ));
    };
    if !may_invoke(caller, function) {
        return Err(denied(caller, "Lambda.InvokeFunction", &function.arn()));
    }
    let event: Value = serde_json::from_slice(body).map_err(|error| {
        Refusal::new(
            400,
            "InvalidRequestContentException",
            format!("Could not parse request body into json: {error}"),
        )
    })?;
    let kind = parts
        .headers
        .get("x-amz-invocation-type")
        .and_then(|kind| kind.to_str().ok());
    if kind == Some("Event") {
        if body.len() > ASYNC_LIMIT {
            return Err(Refusal::new(
                413,
                "RequestTooLargeException",
                format!(
                    "{} byte payload is too large for the Event invocation type (limit {ASYNC_LIMIT} bytes)",
                    body.len()
                ),
            ));
        }
        handoffs.hand(function, &event);
        return Ok(StatusCode::ACCEPTED.into_response());
    }
    match handoffs.invoke(function, event).await {
        Ok(answer) => Ok(Json(answer).into_response()),
        Err(error) => {
            let body = json!({"errorType": "Error", "errorMessage": error});
            Ok(([("x-amz-function-error", "Unhandled")], Json(body)).into_response())
        }
    }
}

fn may_invoke(caller: Caller, function: Function) -> bool {
    let Caller::Function(caller) = caller else {
        return false;
    };
    match caller {
        // `approval` has Home tabs drawn again, by itself.
        Function::SlackIngress | Function::Escalation => function == Function::Approval,
        Function::Approval => function != Function::SlackIngress,
        Function::Deescalation => {
            matches!(function, Function::Escalation | Function::Approval)
        }
    }
}
