//! Hand-offs: asynchronous invocations of the other functions.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use access::{RequestId, SCHEMA_VERSION, SlackUser};

use crate::{Config, Error};

/// How much of an unknown version is told, in characters.
const FOUND: usize = 40;

/// Invokes the other functions, at least once each, without waiting for them.
#[derive(Debug, Clone)]
pub struct Handoffs {
    client: Client,
    approval: String,
    escalation: String,
    deescalation: String,
}

/// A function that can be handed something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// Decides.
    Approval,
    /// Puts people into groups.
    Escalation,
    /// Takes them out.
    Deescalation,
}

/// What `escalation` and `deescalation` are woken with: which request, never who or what. They do
/// only what the table says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payload {
    /// The version of this shape.
    pub v: u32,
    /// The request.
    pub request: RequestId,
}

/// What `approval` is woken with when somebody's Home tab must be drawn again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HomePayload {
    /// The version of this shape.
    pub v: u32,
    /// Whose.
    pub home: SlackUser,
    /// The request that has changed, if it was one: the indexes may not show it yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
}

/// What `approval` is woken with: what Slack sent, byte for byte, and Slack's signature over it, so
/// that `approval` need not believe whoever hands it on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    /// The version of this shape.
    pub v: u32,
    /// `X-Slack-Request-Timestamp`.
    pub timestamp: String,
    /// `X-Slack-Signature`.
    pub signature: String,
    /// `Content-Type`.
    pub content_type: String,
    /// The body, in base64.
    pub body: String,
}

impl Payload {
    /// The payload for `request`.
    #[must_use]
    pub fn new(request: RequestId) -> Self {
        Self {
            v: SCHEMA_VERSION,
            request,
        }
    }

    /// The request that `event` names.
    ///
    /// # Errors
    ///
    /// It is no such payload of this version.
    pub fn read(event: Value) -> Result<RequestId, Error> {
        read(event).map(|payload: Self| payload.request)
    }
}

impl HomePayload {
    /// The payload for the Home tab of `user`, as `request` has changed.
    #[must_use]
    pub fn new(user: SlackUser, request: Option<RequestId>) -> Self {
        Self {
            v: SCHEMA_VERSION,
            home: user,
            request,
        }
    }

    /// What `event` says.
    ///
    /// # Errors
    ///
    /// It is no such payload of this version.
    pub fn read(event: Value) -> Result<Self, Error> {
        read(event)
    }
}

impl Signed {
    /// What `event` carries.
    ///
    /// # Errors
    ///
    /// It is no such payload of this version.
    pub fn read(event: Value) -> Result<Self, Error> {
        read(event)
    }
}

/// Reads an event of this version. Any other is an error: it would be forgotten if the function that
/// meets it did not fail.
fn read<T: DeserializeOwned>(event: Value) -> Result<T, Error> {
    let known = SCHEMA_VERSION;
    match event.get("v") {
        Some(v) if *v == known => {
            serde_json::from_value(event).map_err(|error| Error::UnreadableEvent {
                known,
                error: error.to_string(),
            })
        }
        found => {
            let found = found.map_or_else(|| "none".to_owned(), Value::to_string);
            let found = found.chars().take(FOUND).collect();
            Err(Error::UnknownEvent { found, known })
        }
    }
}

impl Handoffs {
    /// Hand-offs within the stack of `config`.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
            client: Client::new(&config.sdk),
            approval: config.approval_function.clone(),
            escalation: config.escalation_function.clone(),
            deescalation: config.deescalation_function.clone(),
        }
    }

    /// Hands `payload` to `function`.
    pub async fn hand(&self, function: Function, payload: &impl Serialize) -> Result<(), Error> {
        let name = match function {
            Function::Approval => &self.approval,
            Function::Escalation => &self.escalation,
            Function::Deescalation => &self.deescalation,
        };
        let payload = serde_json::to_vec(payload).map_err(|error| Error::Unavailable {
            service: "Lambda",
            error: error.to_string(),
        })?;
        let invocation = self
            .client
            .invoke()
            .function_name(name)
            .invocation_type(InvocationType::Event)
            .payload(Blob::new(payload));
        let taken = Box::pin(invocation.send())
            .await
            .map_err(|error| Error::of("Lambda", error))?;
        // Whatever else calls itself a success did not take the event.
        match taken.status_code() {
            202 => Ok(()),
            status => Err(Error::Unavailable {
                service: "Lambda",
                error: format!("the event was answered {status}, not 202"),
            }),
        }
    }
}
