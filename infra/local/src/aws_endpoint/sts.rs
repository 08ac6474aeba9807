//! STS: the runtime connector's role can be assumed, with the right external id.
//!
//! Shapes and errors are those of the STS API reference: `AssumeRole`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use aws::{Clock, SystemClock};
use axum::body::Bytes;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};

use super::{Caller, Refusal, denied};
use crate::functions::Function;
use crate::stack::{CONNECTOR_ROLE, EXTERNAL_ID};
use crate::work::locked;

/// How long a session lasts, in real time, as the SDK measures it.
const SESSION: SignedDuration = SignedDuration::from_hours(1);

/// The sessions of the role. They end with the process, as the functions do.
#[derive(Debug, Default)]
pub(crate) struct Sts {
    sessions: Mutex<HashMap<String, Session>>,
}

#[derive(Debug)]
struct Session {
    token: String,
    expires: Timestamp,
}

impl Sts {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Whether these are credentials of a session that lasts.
    pub(super) fn knows(&self, access_key: &str, token: &str) -> bool {
        let now = SystemClock.now();
        let mut sessions = locked(&self.sessions);
        sessions.retain(|_, session| session.expires > now);
        sessions
            .get(access_key)
            .is_some_and(|session| session.token == token)
    }

    pub(super) fn answer(&self, caller: Caller, body: &Bytes) -> Result<Response, Refusal> {
        let asked = form(body);
        let has = |name: &str, value: &str| asked.get(name).is_some_and(|given| given == value);
        let is_trusted = matches!(
            caller,
            Caller::Function(Function::Approval | Function::Escalation | Function::Deescalation)
        );
        if !is_trusted || !has("RoleArn", CONNECTOR_ROLE) || !has("ExternalId", EXTERNAL_ID) {
            let role = asked.get("RoleArn").map_or("*", String::as_str);
            return Err(denied(caller, "STS.AssumeRole", role));
        }
        let Some(session) = asked.get("RoleSessionName") else {
            return Err(Refusal::new(
                400,
                "ValidationError",
                "1 validation error detected: Value null at 'roleSessionName' failed to satisfy \
                 constraint: Member must not be null",
            ));
        };
        let key = format!("ASIA{}", aws::stamp());
        let token = aws::stamp().to_string();
        let expires = SystemClock.now() + SESSION;
        let answer = format!(
            "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
             <AssumeRoleResult><AssumedRoleUser><AssumedRoleId>AROASANDBOX:{session}</AssumedRoleId>\
             <Arn>{CONNECTOR_ROLE}/{session}</Arn></AssumedRoleUser><Credentials>\
             <AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>\
             <SessionToken>{token}</SessionToken><Expiration>{expires}</Expiration></Credentials>\
             </AssumeRoleResult></AssumeRoleResponse>",
            session = escape(session),
            secret = aws::stamp(),
            expires = expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
        );
        locked(&self.sessions).insert(key, Session { token, expires });
        Ok(([(header::CONTENT_TYPE, "text/xml")], answer).into_response())
    }
}

/// The fields of a request in the query protocol.
pub(super) fn form(body: &Bytes) -> HashMap<String, String> {
    serde_urlencoded::from_bytes(body).unwrap_or_default()
}

/// The refusal of the query protocol.
pub(super) fn refuse(refusal: &Refusal) -> Response {
    let body = format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error>\
         <Type>Sender</Type><Code>{}</Code><Message>{}</Message></Error></ErrorResponse>",
        refusal.code,
        escape(&refusal.message)
    );
    let kind = [(header::CONTENT_TYPE, "text/xml")];
    (refusal.status, kind, body).into_response()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
