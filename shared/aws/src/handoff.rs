//! Hand-offs: asynchronous invocations of the other functions.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use access::{RequestId, SCHEMA_VERSION, SlackUser};

use crate::{Config, Error};

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

    /// The request that `event` names; none, and a line in the log, where it is no such payload of
    /// this version.
    #[must_use]
    pub fn read(event: Value) -> Option<RequestId> {
        read(event, |payload: &Self| payload.v).map(|payload| payload.request)
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

    /// What `event` says; none, and a line in the log, where it is no such payload of this version.
    #[must_use]
    pub fn read(event: Value) -> Option<Self> {
        read(event, |payload: &Self| payload.v)
    }
}

impl Signed {
    /// What `event` carries; none, and a line in the log, where it is no such payload of this version.
    #[must_use]
    pub fn read(event: Value) -> Option<Self> {
        read(event, |signed: &Self| signed.v)
    }
}

fn read<T: DeserializeOwned>(event: Value, version: impl Fn(&T) -> u32) -> Option<T> {
    match serde_json::from_value::<T>(event) {
        Ok(payload) if version(&payload) == SCHEMA_VERSION => Some(payload),
        Ok(payload) => {
            let v = version(&payload);
            tracing::error!(v, "an event of version {v} was refused");
            None
        }
        Err(error) => {
            tracing::error!(%error, "an event was refused: {error}");
            None
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
