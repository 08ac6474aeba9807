//! The life of a request and of the membership it holds: one pure function.
//!
//! Whoever wants to change anything loads the request and its ledger item, calls [`transition`],
//! writes what comes back on the condition that neither has moved, and then carries out the effects.

mod decisions;
mod drift;
mod drives;
mod event;
mod outcome;
mod reminders;
mod surfaces;
#[cfg(test)]
mod tests;

use jiff::Timestamp;

pub use event::{Answer, Event, Loaded, Look, Submission};
pub use outcome::{Effect, MembershipChange, Refusal, Transition};

use crate::audit::{Actor, Entry, Step};
use crate::membership::{Membership, Next};
use crate::names::{Click, RequestId, Stamp};
use crate::permit::{Action, Permit};
use crate::request::{
    Approval, CLAIM, Decision, Notice, Person, Recipient, Request, State, Trouble, Why,
};

use decisions::repeat;

/// Decides what `event`, at the time `now`, makes of what was `loaded`.
///
/// `stamp` is a fresh random name: the version of the ledger item if it is written, and the name of
/// the call if one is announced. `function` names the function that decides, for the audit of steps
/// that no person took.
///
/// # Errors
///
/// A [`Refusal`] says why nothing changes.
pub fn transition(
    loaded: &Loaded,
    event: &Event,
    now: Timestamp,
    stamp: &Stamp,
    function: &str,
) -> Result<Transition, Refusal> {
    let at = At {
        now,
        stamp,
        function,
    };
    match (&loaded.request, event) {
        (Some(request), Event::Submit(_)) => Ok(repeat(request)),
        (None, Event::Submit(submission)) => at.submit(submission, loaded),
        (Some(request), event) => at.on_request(request, loaded, event),
        (None, event) => at.on_membership(loaded.membership.as_ref(), event),
    }
}

/// The circumstances of one transition.
struct At<'a> {
    now: Timestamp,
    stamp: &'a Stamp,
    function: &'a str,
}

impl At<'_> {
    fn on_request(
        &self,
        request: &Request,
        loaded: &Loaded,
        event: &Event,
    ) -> Result<Transition, Refusal> {
        let membership = loaded.membership.as_ref();
        match event {
            Event::Submit(_) | Event::Repeat => Ok(repeat(request)),
            Event::Approve {
                actor,
                click,
                permit,
                note,
                requester,
                needed,
            } => {
                let approval = Approval {
                    by: actor.clone(),
                    at: self.now,
                    click: click.clone(),
                    note: note.clone(),
                };
                self.approve(request, approval, permit, requester, *needed)
            }
            Event::Deny {
                actor,
                click,
                permit,
                note,
            } => {
                permit.is_for(&[Action::Deny])?;
                let decision = self.decision(actor, click, note.as_ref());
                self.close(
                    request,
                    State::Denied,
                    decision,
                    Step::Deny,
                    permit.policies(),
                )
            }
            Event::Cancel { actor, click } => {
                if !actor.is(&request.requester) {
                    return Err(Refusal::NotYours);
                }
                let decision = self.decision(actor, click, None);
                self.close(request, State::Cancelled, decision, Step::Cancel, &[])
            }
            Event::Revoke {
                actor,
                click,
                permit,
            } => {
                match permit {
                    Some(permit) => permit.is_for(&[Action::Revoke])?,
                    None if request.approvals.iter().any(|a| a.by.is(actor)) => {}
                    None => return Err(Refusal::NotPermitted),
                }
                let policies = permit.as_ref().map_or(&[][..], Permit::policies);
                let decision = self.decision(actor, click, None);
                self.take_back(request, Why::Revoked, decision, Step::Revoke, policies)
            }
            Event::Withdraw { actor, click } => {
                if !actor.is(&request.requester) {
                    return Err(Refusal::NotYours);
                }
                let decision = self.decision(actor, click, None);
                self.take_back(request, Why::Withdrawn, decision, Step::Withdraw, &[])
            }
            Event::Unknown { trouble } => self.unknown(request, trouble),
            Event::Expire => self.expire(request),
            Event::Remind => self.remind(request),
            Event::Escalate { look } => self.escalate(request, membership, *look),
            Event::Unfit { mendable, trouble } => {
                self.may_escalate(request)?;
                Ok(self.refused(request.clone(), membership, None, *mendable, trouble))
            }
            Event::Postpone { after, trouble } => {
                self.may_escalate(request)?;
                Ok(self.later(request, *after, trouble))
            }
            Event::Deescalate => self.deescalate(request, membership),
            Event::Stop => self.stop(request),
            Event::Seen { is_in } => self.seen(request, membership, *is_in),
            Event::HandOver(to) => self.hand_over(request, membership, to),
            Event::Answered { call, answer } => {
                self.answered(request, membership, loaded.extended.as_ref(), call, answer)
            }
            Event::Claim => self.claim(request),
            Event::Shown {
                cards,
                sent,
                again,
                trouble,
            } => Ok(self.shown(request, cards, sent, *again, trouble.as_ref())),
        }
    }

    // What the steps have in common. None of these counts a version but `changed` and `written`.

    fn approved(&self, request: &mut Request) {
        request.hush();
        request.state = State::Approved;
        request.approved_at = Some(self.now);
        request.drive_at = Some(self.now + CLAIM);
    }

    fn deescalating(&self, request: &mut Request, why: Why) {
        request.hush();
        if request.state == State::Active {
            // What was wrong while it was active keeps nobody from being taken out.
            request.trouble = None;
        }
        request.state = State::Deescalating;
        request.why = Some(why);
        request.over_at = Some(request.ends_at.map_or(self.now, |end| end.min(self.now)));
        request.drive_at = Some(self.now);
    }

    fn already_member(&self, request: &mut Request) {
        request.trouble = None;
        self.finish(request, State::Ended, Some(Why::AlreadyMember));
        request.owe(Recipient::Requester, Notice::AlreadyMember);
    }

    fn fail(&self, request: &mut Request, trouble: &Trouble) {
        request.trouble = Some(trouble.clone());
        self.finish(request, State::Failed, Some(Why::Failed));
        request.owe(Recipient::Requester, Notice::Failed);
        request.owe(Recipient::ErrorChannel, Notice::Failed);
    }

    /// Okta agrees that nobody is in through this request.
    fn over(&self, request: &mut Request, step: &mut Transition, okta_request_id: Option<String>) {
        if request.why == Some(Why::Failed) {
            let trouble = request.trouble.clone().unwrap_or_else(|| Trouble {
                error: "Okta could not be made to add the member".to_owned(),
                hint: "ask again".to_owned(),
            });
            self.fail(request, &trouble);
        } else {
            let why = request.why;
            request.trouble = None;
            self.finish(request, State::Ended, why);
            request.owe(Recipient::Requester, Notice::Ended);
        }
        self.changed(request);
        let from = Some(State::Deescalating);
        let mut entry = self.entry(request, Step::End, from, self.actor());
        entry.okta_request_id = okta_request_id;
        step.audit.push(entry);
        step.effects.push(Effect::Unschedule(request.schedules()));
    }

    fn finish(&self, request: &mut Request, state: State, why: Option<Why>) {
        request.hush();
        request.state = state;
        request.why = why;
        request.drive_at = None;
        request.closed_at = Some(self.now);
    }

    /// The ledger item without `request` as a holder.
    fn let_go(&self, membership: Option<&Membership>, request: &RequestId) -> MembershipChange {
        match membership {
            Some(item) if item.holders.contains(request) => {
                self.kept_or_forgotten(item.release(request, self.now, self.stamp))
            }
            _ => MembershipChange::Check,
        }
    }

    /// An item is kept while anything holds it, is under way, or must be remembered.
    fn kept_or_forgotten(&self, item: Membership) -> MembershipChange {
        if item.holders.is_empty() && item.next(self.now) == Next::Forget {
            MembershipChange::Delete
        } else {
            MembershipChange::Put(item)
        }
    }

    /// Counts a change that cards show.
    fn changed(&self, request: &mut Request) {
        request.face += 1;
        self.written(request);
    }

    /// Counts a write, after which cards and messages are sent by whoever writes.
    fn written(&self, request: &mut Request) {
        request.version += 1;
        if !request.is_shown() && request.surfaces_at.is_none() {
            request.surfaces_at = Some(self.now + CLAIM);
            request.surfaces_tries = 0;
        }
    }

    fn decision(&self, by: &Person, click: &Click, note: Option<&String>) -> Decision {
        Decision {
            by: by.clone(),
            at: self.now,
            click: click.clone(),
            note: note.cloned(),
        }
    }

    fn entry(&self, request: &Request, step: Step, from: Option<State>, actor: Actor) -> Entry {
        Entry::new(request, step, from, actor, self.now)
    }

    fn actor(&self) -> Actor {
        Actor::function(self.function)
    }
}
