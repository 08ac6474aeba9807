//! The ledger: one item for each Okta membership that Stint touches.
//!
//! A call to Okta is announced in the item before it is sent, and is under way until its answer is
//! recorded or [`CALL_LIFE`] has passed. An answer settles the item only if nothing moved since the
//! announcement and no opposite call was under way then; otherwise the item stays due and goes round
//! again. That is what makes a crash, or a call that lands long after its caller died, harmless.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::names::{Group, OktaUser, Org, RequestId, Stamp};
use crate::request::Request;

/// How long an announced call may still land if its answer was never recorded. A call is sent within
/// 10 s of its announcement and given 10 s to answer.
pub const CALL_LIFE: SignedDuration = SignedDuration::from_secs(60);

/// How long after a removal Okta may still answer "member" from an old copy, and so how long such an
/// answer is not believed.
pub const REMOVAL_MEMORY: SignedDuration = SignedDuration::from_mins(2);

/// How long an item is kept after its removal has settled, so that it is seen if the user is put in
/// again behind Stint's back.
pub const WATCHED_FOR: SignedDuration = SignedDuration::from_hours(24);

/// The longest wait between two tries of a removal, before jitter.
const BACK_OFF_LIMIT_S: u32 = 25;

/// Names a ledger item: one Okta user in one Okta group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MembershipKey {
    /// The Okta org.
    pub org: Org,
    /// The user.
    pub user: OktaUser,
    /// The group.
    pub group: Group,
}

/// One ledger item.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Membership {
    /// Which membership.
    pub key: MembershipKey,
    /// Changes with every write, never repeats.
    pub version: Stamp,
    /// The requests that hold it.
    pub holders: BTreeSet<RequestId>,
    /// Whether Stint put the user in, or may have: an add succeeded or was never answered.
    pub ours: bool,
    /// Whether Okta was seen to agree with the holders.
    pub agreed: bool,
    /// The calls under way.
    pub calls: Vec<Call>,
    /// Since when nobody holds it, and the user should be out.
    #[serde(default)]
    pub over_at: Option<Timestamp>,
    /// When a removal was last settled.
    pub removed_at: Option<Timestamp>,
    /// When it must be driven next.
    pub due_at: Option<Timestamp>,
    /// How many calls failed in a row.
    pub tries: u32,
    /// Where failures are told that no request can tell of; that of the request that became a holder
    /// last. None in an item that was written before there was such a thing.
    #[serde(default)]
    pub error_channel: Option<String>,
}

/// A call to Okta that was announced and has no recorded answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Call {
    /// The version of the item that announced it.
    pub id: Stamp,
    /// What it does.
    pub kind: CallKind,
    /// When it was announced.
    pub at: Timestamp,
    /// Whether no opposite call was under way then.
    pub clean: bool,
}

/// What a call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallKind {
    /// Puts the user in the group.
    Add,
    /// Takes the user out.
    Remove,
}

/// What became of a call, as far as the ledger must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Landed {
    /// Okta confirmed it. For a removal, `seen_out` says that a read-back agreed, or that the user
    /// or the group no longer exists.
    Yes {
        /// Whether Okta was read afterwards and the user was not in the group.
        seen_out: bool,
    },
    /// It certainly had no effect: never sent, or refused.
    No,
    /// Nobody knows.
    Maybe,
}

impl Membership {
    /// Whether Okta must be read before an add: the membership is not known to be ours, so whoever
    /// is in the group may be a standing member. Call it on what was just loaded.
    #[must_use]
    pub fn needs_look(item: Option<&Self>, now: Timestamp) -> bool {
        item.is_none_or(|item| {
            let item = item.without_dead_calls(now);
            !item.ours && !item.calls.iter().any(|call| call.kind == CallKind::Add)
        })
    }

    /// Whether a read that says "member" cannot be believed yet, because a removal is, or was until
    /// a moment ago, under way.
    #[must_use]
    pub fn remembers_removal(&self, now: Timestamp) -> bool {
        self.calls.iter().any(|call| call.kind == CallKind::Remove)
            || self
                .removed_at
                .is_some_and(|at| now.duration_since(at) < REMOVAL_MEMORY)
    }

    /// Whether nobody is in the group through Stint, nor can be by a call still under way.
    #[must_use]
    pub fn is_out(&self) -> bool {
        self.holders.is_empty()
            && !self.ours
            && !self.calls.iter().any(|call| call.kind == CallKind::Add)
    }

    /// Whether somebody holds it, or a call is under way, or Stint must still take the user out; an
    /// item that does none of this is only the memory of a removal.
    #[must_use]
    pub fn is_live(&self) -> bool {
        !self.is_out() || !self.calls.is_empty()
    }

    /// Whether the user was taken out, and a list of the group that was read at `now` can be believed
    /// to show them only if somebody has put them in again since.
    #[must_use]
    pub fn should_be_out(&self, now: Timestamp) -> bool {
        self.removed_at.is_some() && !self.is_live() && !self.remembers_removal(now)
    }

    /// Whether Okta was seen to agree that the user is in, and no call is under way.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.agreed && self.calls.is_empty() && !self.holders.is_empty()
    }

    /// For how long the user should have been out and is not, as far as known.
    #[must_use]
    pub fn overdue(&self, now: Timestamp) -> Option<SignedDuration> {
        let over_at = self.over_at.filter(|_| !self.is_out())?;
        Some(now.duration_since(over_at)).filter(SignedDuration::is_positive)
    }

    /// The item with `request` among its holders and an add announced as `stamp`.
    #[must_use]
    pub(crate) fn hold(
        item: Option<&Self>,
        key: MembershipKey,
        request: &Request,
        now: Timestamp,
        stamp: &Stamp,
    ) -> Self {
        let mut item = item.map_or_else(
            || Self {
                key,
                version: stamp.clone(),
                holders: BTreeSet::new(),
                ours: false,
                agreed: false,
                calls: Vec::new(),
                over_at: None,
                removed_at: None,
                due_at: None,
                tries: 0,
                error_channel: None,
            },
            |item| item.without_dead_calls(now),
        );
        item.holders.insert(request.id.clone());
        item.error_channel = Some(request.error_channel.clone());
        item.over_at = None;
        item.announce(CallKind::Add, now, stamp);
        item
    }

    /// The item without `request` among its holders.
    #[must_use]
    pub(crate) fn release(&self, request: &RequestId, now: Timestamp, stamp: &Stamp) -> Self {
        let mut item = self.without_dead_calls(now);
        item.version = stamp.clone();
        if item.holders.remove(request) && item.holders.is_empty() {
            item.agreed = false;
            item.tries = 0;
            item.over_at = Some(now);
            item.due_at = Some(now);
        }
        item
    }

    /// What must be done so that Okta agrees with the item, for an item nobody else is working on.
    #[must_use]
    pub(crate) fn next(&self, now: Timestamp) -> Next {
        let item = self.without_dead_calls(now);
        if !item.holders.is_empty() {
            return if item.agreed { Next::Rest } else { Next::Add };
        }
        if item.is_out() {
            return match item.last_call_ends().or(item.memory_ends()) {
                Some(until) if until > now => Next::Wait(until),
                _ => Next::Forget,
            };
        }
        // Several may be driving it: only one of them goes on when it is due, whoever is first.
        match item.due_at {
            Some(due) if due > now => Next::Wait(due),
            _ => Next::Remove,
        }
    }

    /// The item with its dead calls taken out, as it is written when it has nothing to do until
    /// `due_at`.
    #[must_use]
    pub(crate) fn rest(&self, due_at: Option<Timestamp>, now: Timestamp, stamp: &Stamp) -> Self {
        let mut item = self.without_dead_calls(now);
        item.version = stamp.clone();
        item.due_at = due_at;
        item
    }

    /// Announces a call as `stamp`; whoever wrote that sends it, once.
    pub(crate) fn announce(&mut self, kind: CallKind, now: Timestamp, stamp: &Stamp) {
        let clean = self.calls.iter().all(|call| call.kind == kind);
        self.calls.push(Call {
            id: stamp.clone(),
            kind,
            at: now,
            clean,
        });
        self.version = stamp.clone();
        self.agreed = false;
        self.due_at = Some(now + CALL_LIFE);
    }

    /// The item after the answer to `call`. `None` if the call is not known any more, because it
    /// was given up as dead.
    #[must_use]
    pub(crate) fn answered(
        &self,
        call: &Stamp,
        landed: Landed,
        now: Timestamp,
        stamp: &Stamp,
    ) -> Option<Self> {
        let answered = self.calls.iter().find(|c| &c.id == call)?.clone();
        let unmoved = self.version == answered.id;
        let mut item = self.clone();
        item.version = stamp.clone();
        item.due_at = Some(now);
        if landed != Landed::Maybe {
            item.calls.retain(|c| c.id != answered.id);
        }
        let settles = unmoved && answered.clean;
        match (answered.kind, landed) {
            (CallKind::Add, Landed::Yes { .. }) => {
                item.ours = true;
                item.removed_at = None;
                if !item.holders.is_empty() {
                    item.agreed = settles;
                    item.tries = 0;
                    item.due_at = item.last_call_ends();
                    if !settles {
                        item.due_at = item.due_at.or(Some(now + back_off(1, stamp)));
                    }
                }
            }
            (CallKind::Remove, Landed::Yes { seen_out: true })
                if settles && item.holders.is_empty() =>
            {
                item.ours = false;
                item.agreed = item.calls.is_empty();
                item.tries = 0;
                item.removed_at = Some(now);
                item.due_at = item.last_call_ends().or(item.memory_ends());
            }
            _ => {
                item.tries = item.tries.saturating_add(1);
                item.due_at = Some(now + back_off(item.tries, stamp));
            }
        }
        Some(item)
    }

    /// The item as it is once the calls that can no longer land are given up. An add that was never
    /// answered may have taken effect, so the membership counts as ours.
    #[must_use]
    pub(crate) fn without_dead_calls(&self, now: Timestamp) -> Self {
        let mut item = self.clone();
        let is_dead = |call: &Call| now.duration_since(call.at) >= CALL_LIFE;
        item.ours |= item
            .calls
            .iter()
            .any(|call| call.kind == CallKind::Add && is_dead(call));
        item.calls.retain(|call| !is_dead(call));
        item
    }

    fn last_call_ends(&self) -> Option<Timestamp> {
        self.calls.iter().map(|call| call.at + CALL_LIFE).max()
    }

    fn memory_ends(&self) -> Option<Timestamp> {
        self.removed_at.map(|at| at + WATCHED_FOR)
    }
}

/// What a ledger item needs next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing: Okta agrees with the holders.
    Rest,
    /// Somebody holds it and Okta was not seen to agree: the user must be added again.
    Add,
    /// Nobody holds it and the user may be in: they must be removed.
    Remove,
    /// Nothing until then.
    Wait(Timestamp),
    /// The item is of no use any more.
    Forget,
}

/// How long to wait after `tries` failures: doubling up to 25 s, with up to 5 s of jitter taken from
/// `stamp`, which is random.
pub(crate) fn back_off(tries: u32, stamp: &Stamp) -> SignedDuration {
    let base_s = 1_u32
        .checked_shl(tries.saturating_sub(1))
        .map_or(BACK_OFF_LIMIT_S, |s| s.clamp(1, BACK_OFF_LIMIT_S));
    let jitter_ms = stamp.as_str().bytes().fold(0_u32, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(byte.into())
    }) % (base_s * 200);
    SignedDuration::from_millis(i64::from(base_s) * 1000 + i64::from(jitter_ms))
}
