//! What can happen, and what is known when it does.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use crate::membership::{Landed, Membership};
use crate::names::{Click, Group, Org, RequestId, Stamp};
use crate::permit::Permit;
use crate::request::{Asked, Card, HandOver, Owed, Person, Place, Request, Trouble};

/// What was loaded, consistently, before a decision.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Loaded {
    /// The request that the event is about. None when it does not exist yet, or when the event is
    /// about a ledger item alone.
    pub request: Option<Request>,
    /// The request's ledger item, if there is one. Left out for events that do not touch it.
    pub membership: Option<Membership>,
    /// The request that `request` extends, for [`Event::Submit`] and [`Event::Answered`].
    pub extended: Option<Request>,
    /// The pending request of the same person for the same group, for [`Event::Submit`].
    pub twin: Option<RequestId>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Event {
    /// A form was sent and the policy lets the person ask.
    Submit(Box<Submission>),
    /// Somebody said yes, and the policy lets them.
    Approve {
        /// Who.
        actor: Person,
        /// Their click.
        click: Click,
        /// That they may.
        permit: Permit,
        /// What they added.
        note: Option<String>,
        /// The requester, looked up again where Okta was not known when they asked.
        requester: Person,
        /// How many different people must approve by now; never fewer than when it was asked.
        needed: u32,
    },
    /// Somebody said no, and the policy lets them.
    Deny {
        /// Who.
        actor: Person,
        /// Their click.
        click: Click,
        /// That they may.
        permit: Permit,
        /// Their reason.
        note: Option<String>,
    },
    /// The requester took it back before it was decided.
    Cancel {
        /// Who.
        actor: Person,
        /// Their click.
        click: Click,
    },
    /// Somebody takes the access back.
    Revoke {
        /// Who.
        actor: Person,
        /// Their click.
        click: Click,
        /// That they may; whoever approved needs none.
        permit: Option<Permit>,
    },
    /// The requester gives the access back.
    Withdraw {
        /// Who.
        actor: Person,
        /// Their click.
        click: Click,
    },
    /// The requester turned out to be nobody, or more than one, in Okta.
    Unknown {
        /// What is wrong.
        trouble: Trouble,
    },
    /// A click came that the request has already: what it set off may have been lost.
    Repeat,
    /// The request is driven because it is due, and it waits for a decision.
    Expire,
    /// Somebody must be reminded of the request, or others asked, because it is time.
    Remind,
    /// `escalation` is about to announce a call.
    Escalate {
        /// What a read of Okta said, where one was needed.
        look: Look,
    },
    /// `escalation` found a reason not to call: nothing was sent.
    Unfit {
        /// Whether a person can mend it without asking again.
        mendable: bool,
        /// What is wrong and what to do.
        trouble: Trouble,
    },
    /// `escalation` could not find out whether it may call: nothing was sent.
    Postpone {
        /// For how long.
        after: SignedDuration,
        /// What is wrong.
        trouble: Trouble,
    },
    /// Whatever ends it has come, or its removal goes on; also drives a ledger item alone.
    Deescalate,
    /// The people who run Stint end every grant, this one among them.
    Stop,
    /// Okta's list of the group was read while nothing about the membership moved.
    Seen {
        /// Whether the requester is in it.
        is_in: bool,
    },
    /// An administrator makes the membership a standing one: Stint forgets it.
    HandOver(HandOver),
    /// A call was answered, or will not be.
    Answered {
        /// Which.
        call: Stamp,
        /// How.
        answer: Answer,
    },
    /// Somebody takes its cards and messages, which are due: nobody else needs to for
    /// [`CLAIM`](crate::CLAIM).
    Claim,
    /// Cards were drawn and messages sent.
    Shown {
        /// The copies of the card as they are now. One that could not be delivered shows the face
        /// that was drawn, and was posted nowhere.
        cards: Vec<Card>,
        /// The messages that were sent.
        sent: Vec<Owed>,
        /// Whether the others must be tried again.
        again: bool,
        /// Why the last of the copies that could not be delivered could not, and what a person can do
        /// about it.
        trouble: Option<Trouble>,
    },
}

/// What a read of Okta just before an add said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Look {
    /// It was not needed: the membership is known to be ours.
    Skipped,
    /// The user is not in the group.
    Out,
    /// The user is in the group.
    In,
}

/// The answer to a call.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Answer {
    /// Okta did it.
    Done {
        /// For a removal: a read afterwards agreed, or the user or group is gone.
        seen_out: bool,
        /// The id of Okta's answer.
        okta_request_id: Option<String>,
    },
    /// Okta refused; nothing changed.
    Refused {
        /// Whether a person can mend it without asking again.
        mendable: bool,
        /// What is wrong and what to do.
        trouble: Trouble,
    },
    /// It was certainly not done, and is worth another try.
    NotDone {
        /// After how long.
        after: SignedDuration,
        /// What is wrong.
        trouble: Trouble,
    },
    /// Nobody knows whether it was done.
    Unclear {
        /// What is wrong.
        trouble: Trouble,
    },
}

/// A form that was sent, with everything the flows file and Okta say about it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Submission {
    /// The request's name.
    pub id: RequestId,
    /// The flow's name.
    pub flow: String,
    /// The flow's label.
    pub flow_label: String,
    /// The target's label.
    pub label: String,
    /// The Okta org.
    pub org: Org,
    /// The target's group.
    pub group: Group,
    /// The longest that a chain of extensions may last, in seconds.
    pub max_duration_s: u64,
    /// Where its card goes for those who decide; at least one place that asks.
    pub route: Vec<Place>,
    /// Where it goes too if nobody answers, or if it can be posted nowhere else.
    pub fallback: Vec<Place>,
    /// How long it waits before it goes there.
    pub fallback_after: SignedDuration,
    /// How long it waits before the first reminder, if there are to be any.
    pub remind_after: Option<SignedDuration>,
    /// Where failures are told.
    pub error_channel: String,
    /// Who is mentioned on the card.
    pub notify: Vec<String>,
    /// Who asks.
    pub requester: Person,
    /// For how long, in seconds.
    pub duration_s: u64,
    /// Why.
    pub reason: String,
    /// The flow's own fields.
    pub fields: BTreeMap<String, String>,
    /// How people see these, by name.
    pub questions: BTreeMap<String, Asked>,
    /// How many different people must approve.
    pub approvals_needed: u32,
    /// How long it waits for them.
    pub timeout: SignedDuration,
    /// Which request it extends.
    pub extends: Option<RequestId>,
    /// That the requester may ask (or extend).
    pub permit: Permit,
    /// That nobody has to say yes.
    pub auto_approve: Option<Permit>,
    /// Whether the requester is in the group already, as far as Okta could be read.
    pub look: Look,
    /// Why it cannot be carried out, if that is known already.
    pub unfit: Option<Trouble>,
}

impl Answer {
    /// What went wrong, if anything did.
    #[must_use]
    pub fn trouble(&self) -> Option<&Trouble> {
        match self {
            Self::Done { .. } => None,
            Self::Refused { trouble, .. }
            | Self::NotDone { trouble, .. }
            | Self::Unclear { trouble } => Some(trouble),
        }
    }

    pub(super) fn landed(&self) -> Landed {
        match self {
            Self::Done { seen_out, .. } => Landed::Yes {
                seen_out: *seen_out,
            },
            Self::Refused { .. } | Self::NotDone { .. } => Landed::No,
            Self::Unclear { .. } => Landed::Maybe,
        }
    }
}
