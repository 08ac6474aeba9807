//! What is outside of Stint, simulated: Slack and Okta, the switches that break them, and the part of
//! the JSON surface that acts as people there.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::routing::{delete, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::Nonsense;
use crate::faults::{Faults, System};
use crate::okta::Okta;
use crate::sandbox::read;
use crate::slack::Slack;
use crate::slack_delivery::Deliver;

/// The simulated Slack and Okta. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Outside {
    pub(crate) slack: Slack,
    pub(crate) okta: Okta,
    pub(crate) faults: Faults,
    /// The ingress, to which Slack sends what people do.
    pub(crate) ingress: Arc<dyn Deliver>,
}

impl std::fmt::Debug for Outside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outside").finish_non_exhaustive()
    }
}

impl Outside {
    /// The services themselves, under `/slack/api` and `/okta`.
    pub(crate) fn services(&self) -> Router {
        let slack = self.faults.around(System::Slack, self.slack.router());
        let okta = self.faults.around(System::Okta, self.okta.router());
        Router::new().nest("/slack/api", slack).nest("/okta", okta)
    }

    /// What acts as people in them, and breaks them; to be nested under `/sandbox`.
    pub(crate) fn sandbox(&self) -> Router {
        Router::new()
            .route("/slack", post(slack_act))
            .route("/okta", post(okta_admin))
            .route("/faults", post(fault).delete(no_faults))
            .route("/faults/{id}", delete(no_fault))
            .with_state(self.clone())
    }
}

async fn slack_act(State(outside): State<Outside>, body: Bytes) -> Result<Json<Value>, Nonsense> {
    let body = read(&body)?;
    outside.slack.act(&body, &*outside.ingress).await.map(Json)
}

async fn okta_admin(State(outside): State<Outside>, body: Bytes) -> Result<Json<Value>, Nonsense> {
    outside.okta.admin(&read(&body)?).map(Json)
}

async fn fault(State(outside): State<Outside>, body: Bytes) -> Result<Json<Value>, Nonsense> {
    let id = outside.faults.add(read(&body)?)?;
    Ok(Json(json!({"id": id})))
}

async fn no_fault(
    State(outside): State<Outside>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Nonsense> {
    outside.faults.remove(&id)?;
    Ok(Json(json!({})))
}

async fn no_faults(State(outside): State<Outside>) -> Json<Value> {
    outside.faults.clear();
    Json(json!({}))
}
