//! What becomes of a grant when somebody else changes the membership in Okta, or makes it a standing one.

use super::{At, Effect, MembershipChange, Refusal, Transition};
use crate::audit::Step;
use crate::membership::{Membership, REMOVAL_MEMORY};
use crate::names::RequestId;
use crate::request::{HandOver, Notice, Recipient, Request, State, Trouble, Why};

impl At<'_> {
    /// Okta's list of the group shows the requester, or does not. It is only said: Stint puts nobody in
    /// whom a person took out, and the end of the grant stays as it is.
    pub(super) fn seen(
        &self,
        request: &Request,
        membership: Option<&Membership>,
        is_in: bool,
    ) -> Result<Transition, Refusal> {
        let is_held =
            membership.is_some_and(|item| item.is_settled() && item.holders.contains(&request.id));
        if request.state != State::Active || !is_held {
            return Err(Refusal::MovedOn(request.state));
        }
        let is_new = request
            .starts_at
            .is_none_or(|at| self.now.duration_since(at) < REMOVAL_MEMORY);
        if request.is_taken_out() != is_in || (is_new && !is_in) {
            return Err(Refusal::NotDue(request.drive_at));
        }
        let mut next = request.clone();
        if is_in {
            next.trouble = None;
        } else {
            let trouble = Trouble::taken_out(request);
            for to in [Recipient::Requester, Recipient::ErrorChannel] {
                next.owe(to, Notice::Trouble(trouble.clone()));
            }
            next.trouble = Some(trouble);
        }
        self.changed(&mut next);
        Ok(Transition {
            request: Some(next),
            membership: MembershipChange::Check,
            ..Transition::default()
        })
    }

    /// The membership becomes a standing one: nothing is left that takes the user out.
    pub(super) fn hand_over(
        &self,
        request: &Request,
        membership: Option<&Membership>,
        to: &HandOver,
    ) -> Result<Transition, Refusal> {
        if request.state != State::Active {
            return Err(Refusal::MovedOn(request.state));
        }
        if request.is_taken_out() {
            return Err(Refusal::TakenOut);
        }
        let item = membership.filter(|item| item.holders.contains(&request.id));
        let item = item.ok_or(Refusal::UnderWay)?;
        let others = item.holders.iter().filter(|it| **it != request.id);
        let others: Vec<RequestId> = others.cloned().collect();
        if !others.is_empty() {
            return Err(Refusal::HeldToo(others));
        }
        if !item.without_dead_calls(self.now).is_settled() {
            return Err(Refusal::UnderWay);
        }
        let mut next = request.clone();
        next.trouble = None;
        next.handed_over = Some(to.clone());
        self.finish(&mut next, State::Ended, Some(Why::HandedOver));
        for whom in [Recipient::Requester, Recipient::ErrorChannel] {
            next.owe(whom, Notice::Ended);
        }
        self.changed(&mut next);
        let mut entry = self.entry(&next, Step::End, Some(request.state), self.actor());
        entry.reason = Some(format!("{}: {}", to.by, to.reason));
        let schedules = next.schedules();
        let mut step = Transition::of(next, entry);
        step.membership = MembershipChange::Delete;
        step.effects.push(Effect::Unschedule(schedules));
        Ok(step)
    }
}
