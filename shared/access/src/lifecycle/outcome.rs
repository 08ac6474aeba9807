//! What comes of it: what must be written, what must be done then, or why nothing changes.

use jiff::Timestamp;

use crate::audit::Entry;
use crate::membership::{CallKind, Membership, MembershipKey};
use crate::names::{RequestId, Stamp};
use crate::request::{Request, State};

/// What [`transition`](crate::transition) says must be written, together and conditionally, and what
/// must be done then.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transition {
    /// The request as it must be written, if it changes.
    pub request: Option<Request>,
    /// What becomes of the ledger item.
    pub membership: MembershipChange,
    /// The extended request as it must be written, if it changes.
    pub extended: Option<Request>,
    /// The audit entries of the step.
    pub audit: Vec<Entry>,
    /// What must be done once it is written, in this order.
    pub effects: Vec<Effect>,
}

/// What becomes of a ledger item.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one at a time, and it is moved on at once"
)]
pub enum MembershipChange {
    /// It plays no part.
    #[default]
    Keep,
    /// It stays as it was loaded, absent included; the write fails if it moved.
    Check,
    /// It is written.
    Put(Membership),
    /// It is deleted.
    Delete,
}

/// Something to do once a transition is written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Hand the request to `escalation`.
    Escalate(RequestId),
    /// Hand the request to `deescalation`.
    Deescalate(RequestId),
    /// Wake `deescalation` for the request then.
    Schedule {
        /// The schedule's name.
        name: String,
        /// When.
        at: Timestamp,
    },
    /// Delete these schedules, those that are still there.
    Unschedule(Vec<String>),
    /// Send the call that was announced, once, and record its answer.
    Send {
        /// The call's name.
        call: Stamp,
        /// What it does.
        kind: CallKind,
        /// For whom and where.
        key: MembershipKey,
    },
}

/// Why nothing is written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The request has moved on; whoever clicked is told how it stands.
    #[error("the request is {} already", .0.as_str())]
    MovedOn(State),
    /// Only the requester may do that.
    #[error("only the person who asked may do that")]
    NotYours,
    /// The permit is for something else, or is missing.
    #[error("no policy permitted it")]
    NotPermitted,
    /// Nobody answered in time; the request is about to be expired.
    #[error("nobody answered in time")]
    TimedOut,
    /// The person has a pending request for the same target.
    #[error("the person already has a pending request for this target")]
    Twin(RequestId),
    /// The request cannot be extended, and why.
    #[error("it cannot be extended: {0}")]
    NotExtendable(String),
    /// Others hold the membership too.
    #[error("it is held by other requests too: {}", named(.0))]
    HeldToo(Vec<RequestId>),
    /// A call for the membership is under way, or Okta was not seen to agree yet.
    #[error("a call to Okta is under way, or Okta was not seen to agree yet")]
    UnderWay,
    /// Somebody else took the user out of the group.
    #[error("the user was taken out of the group")]
    TakenOut,
    /// Okta must be read first, then the event tried again.
    #[error("Okta must be read first")]
    LookFirst,
    /// It is not due yet; nothing needs to be done before then, or at all.
    #[error("nothing is due")]
    NotDue(Option<Timestamp>),
}

fn named(requests: &[RequestId]) -> String {
    let names: Vec<&str> = requests.iter().map(RequestId::as_str).collect();
    names.join(", ")
}

impl Transition {
    pub(super) fn of(request: Request, entry: Entry) -> Self {
        Self {
            request: Some(request),
            audit: vec![entry],
            ..Self::default()
        }
    }
}
