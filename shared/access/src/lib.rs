//! The domain of Stint, pure: no input or output, no clock, no randomness.
//!
//! - [`transition`] is the life of a request and the membership ledger: everything that happens goes
//!   through this one function.
//! - [`flows`] reads `flows.toml` into types that cannot hold a wrong value.
//! - [`policy`] asks `policy.cedar` who may do what.

pub mod audit;
pub mod flows;
mod lifecycle;
mod membership;
mod names;
mod permit;
#[cfg(feature = "policy")]
pub mod policy;
mod request;
mod viewer;

pub use lifecycle::{
    Answer, Effect, Event, Loaded, Look, MembershipChange, Refusal, Submission, Transition,
    transition,
};
pub use membership::{
    CALL_LIFE, Call, CallKind, Landed, Membership, MembershipKey, REMOVAL_MEMORY, WATCHED_FOR,
};
pub use names::{Click, Group, OktaUser, Org, RequestId, SlackUser, Stamp};
pub use permit::{Action, Permit};
pub use request::{
    Approval, Asked, CLAIM, Card, Decision, ESCALATION_LIMIT, HandOver, Notice, Owed, Person,
    Place, Posted, Recipient, Request, State, Trouble, Why,
};
pub use viewer::Viewer;

/// The version of every item and payload that this code writes; any other is refused loudly.
pub const SCHEMA_VERSION: u32 = 1;
