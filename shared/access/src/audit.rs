//! The audit: one entry for every step of every request.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::names::{OktaUser, RequestId, SlackUser};
use crate::request::{Person, Request, State, Why};

/// One step of one request. Its id is the same for every copy of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Entry {
    /// The request and its version after the step.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// Which request.
    pub request: RequestId,
    /// What was done.
    pub step: Step,
    /// The state before; none for the first step.
    pub from: Option<State>,
    /// The state after.
    pub to: State,
    /// Who did it.
    pub actor: Actor,
    /// The policies that permitted it, where one had to.
    pub policy: Vec<String>,
    /// The flow's name.
    pub flow: String,
    /// The target's label.
    pub target: String,
    /// For how long, in seconds.
    pub duration_s: u64,
    /// The requester's reason, or the note of whoever decided, or who handed the membership over and why.
    pub reason: Option<String>,
    /// Why it ends, where it does.
    pub why: Option<Why>,
    /// What went wrong, where something did.
    pub error: Option<String>,
    /// The id of Okta's answer, which joins the entry to Okta's System Log.
    pub okta_request_id: Option<String>,
}

impl Entry {
    /// The entry for `step`, which took `request` from state `from` to what it is now.
    #[must_use]
    pub fn new(
        request: &Request,
        step: Step,
        from: Option<State>,
        actor: Actor,
        at: Timestamp,
    ) -> Self {
        Self {
            id: format!("{}.{:06}", request.id, request.version),
            at,
            request: request.id.clone(),
            step,
            from,
            to: request.state,
            actor,
            policy: Vec::new(),
            flow: request.flow.clone(),
            target: request.label.clone(),
            duration_s: request.duration_s,
            reason: None,
            why: request.why,
            error: None,
            okta_request_id: None,
        }
    }
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Asked for.
    Request,
    /// A yes.
    Approve,
    /// A no.
    Deny,
    /// Taken back by the requester before it was decided.
    Cancel,
    /// Nobody answered, or it could be posted nowhere: others are asked.
    Forward,
    /// Nobody answered.
    Expire,
    /// A call that adds was announced.
    Escalate,
    /// Okta confirmed the membership.
    Activate,
    /// Okta could not be made to agree; it waits again or is given up.
    Refuse,
    /// Taken back by an approver.
    Revoke,
    /// Given back by the requester.
    Withdraw,
    /// Its end came, or it is undone.
    Deescalate,
    /// Over: Okta agrees.
    End,
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Actor {
    /// A person.
    Person {
        /// In Slack.
        slack: SlackUser,
        /// In Okta, where known.
        okta: Option<OktaUser>,
        /// Their e-mail, where known.
        email: Option<String>,
    },
    /// One of the four functions, because the time had come.
    Function {
        /// Its name.
        function: String,
    },
}

impl Actor {
    /// The function `name`.
    #[must_use]
    pub fn function(name: &str) -> Self {
        Self::Function {
            function: name.to_owned(),
        }
    }
}

impl From<&Person> for Actor {
    fn from(person: &Person) -> Self {
        Self::Person {
            slack: person.slack.clone(),
            okta: person.okta.clone(),
            email: person.email.clone(),
        }
    }
}
