//! What a request to the JSON surface says, and one that makes no sense.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Why a request to the JSON surface makes no sense. As an answer: status 400 and
/// `{"error","hint"}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nonsense {
    /// What is wrong: one line, lower case, what was given in backticks.
    pub error: String,
    /// What to send instead.
    pub hint: String,
}

impl Nonsense {
    /// Says what is wrong and what to send instead.
    pub fn new(error: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            error: error.into(),
            hint: hint.into(),
        }
    }
}

impl IntoResponse for Nonsense {
    fn into_response(self) -> Response {
        let body = json!({"error": self.error, "hint": self.hint});
        (StatusCode::BAD_REQUEST, Json(body)).into_response()
    }
}

/// What a field says that is left out, where leaving it out means yes.
pub(crate) fn yes() -> bool {
    true
}
