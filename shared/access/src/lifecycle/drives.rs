//! What the functions do because it is due, and what Okta answers.

use jiff::{SignedDuration, Timestamp};

use super::reminders::warning;
use super::{Answer, At, Effect, Event, Look, MembershipChange, Refusal, Transition};
use crate::audit::Step;
use crate::membership::{CALL_LIFE, CallKind, Membership, Next};
use crate::names::Stamp;
use crate::request::{CLAIM, ESCALATION_LIMIT, Notice, Recipient, Request, State, Trouble, Why};

/// How long to wait before "member" is read again while a removal is remembered.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(10);

impl At<'_> {
    /// Whether the request may still be put into the group.
    pub(super) fn may_escalate(&self, request: &Request) -> Result<(), Refusal> {
        match request.state {
            State::Approved | State::Escalating | State::Active if !self.is_over(request) => Ok(()),
            State::Approved | State::Escalating | State::Active => {
                Err(Refusal::NotDue(Some(self.now)))
            }
            state => Err(Refusal::MovedOn(state)),
        }
    }

    /// Whether the request's time, or the time for carrying it out, is over.
    pub(super) fn is_over(&self, request: &Request) -> bool {
        let ended = request.ends_at.is_some_and(|end| end <= self.now);
        let late = request.state != State::Active
            && request
                .approved_at
                .is_some_and(|at| at + ESCALATION_LIMIT <= self.now);
        ended || late
    }

    pub(super) fn escalate(
        &self,
        request: &Request,
        membership: Option<&Membership>,
        look: Look,
    ) -> Result<Transition, Refusal> {
        self.may_escalate(request)?;
        let Some(key) = request.membership() else {
            return Err(Refusal::NotPermitted);
        };
        if request.state == State::Active && membership.is_some_and(|item| item.agreed) {
            return Err(Refusal::MovedOn(State::Active));
        }
        if Membership::needs_look(membership, self.now) {
            match look {
                Look::Skipped => return Err(Refusal::LookFirst),
                Look::In => return Ok(self.standing(request, membership)),
                Look::Out => {}
            }
        }
        let mut next = request.clone();
        next.attempts += 1;
        next.uncertain += 1;
        next.trouble = None;
        if next.state != State::Active {
            next.state = State::Escalating;
            next.drive_at = Some(self.now + CLAIM);
        }
        let (start, end) = match (next.starts_at, next.ends_at) {
            (Some(start), Some(end)) => (start, end),
            _ => span(&next, self.now),
        };
        (next.starts_at, next.ends_at) = (Some(start), Some(end));
        self.changed(&mut next);
        let item = Membership::hold(membership, key.clone(), &next, self.now, self.stamp);
        let entry = self.entry(&next, Step::Escalate, Some(request.state), self.actor());
        let name = next.schedule(next.attempts);
        let mut step = Transition::of(next, entry);
        step.membership = MembershipChange::Put(item);
        // An active grant has its schedule.
        if request.state != State::Active {
            step.effects.push(Effect::Schedule { name, at: end });
        }
        step.effects.push(Effect::Send {
            call: self.stamp.clone(),
            kind: CallKind::Add,
            key,
        });
        Ok(step)
    }

    /// The user was seen in the group before anything was sent.
    pub(super) fn standing(
        &self,
        request: &Request,
        membership: Option<&Membership>,
    ) -> Transition {
        if membership.is_some_and(|item| item.remembers_removal(self.now)) {
            let trouble = Trouble {
                error: "Okta still shows a membership that was just removed".to_owned(),
                hint: "nothing to do: it is looked at again shortly".to_owned(),
            };
            return self.later(request, LOOK_AGAIN, &trouble);
        }
        let mut next = request.clone();
        self.already_member(&mut next);
        self.changed(&mut next);
        let entry = self.entry(&next, Step::End, Some(request.state), self.actor());
        let mut step = Transition::of(next, entry);
        step.membership = self.let_go(membership, &request.id);
        step
    }

    pub(super) fn deescalate(
        &self,
        request: &Request,
        membership: Option<&Membership>,
    ) -> Result<Transition, Refusal> {
        let mut next = request.clone();
        let mut audit = Vec::new();
        match request.state {
            State::Deescalating => {}
            State::Approved | State::Escalating | State::Active => {
                if !self.is_over(request) {
                    return Err(Refusal::NotDue(request.drive_at));
                }
                if request.state != State::Active && request.uncertain == 0 {
                    return Ok(self.refused(
                        request.clone(),
                        membership,
                        None,
                        true,
                        &in_vain(request),
                    ));
                }
                let why = match request.state {
                    State::Active => Why::Elapsed,
                    _ => Why::Failed,
                };
                self.deescalating(&mut next, why);
                if why == Why::Failed && next.trouble.is_none() {
                    next.trouble = Some(Trouble {
                        error: "Okta could not be made to add the member in time".to_owned(),
                        hint: "ask again".to_owned(),
                    });
                }
                self.changed(&mut next);
                audit.push(self.entry(&next, Step::Deescalate, Some(request.state), self.actor()));
            }
            state => return Err(Refusal::MovedOn(state)),
        }
        let released = membership
            .filter(|item| item.holders.contains(&request.id))
            .map(|item| item.release(&request.id, self.now, self.stamp));
        let current = released.as_ref().or(membership);
        let over = current.is_none_or(|item| item.is_out() || !item.holders.is_empty());
        let mut step = Transition::default();
        if over {
            self.over(&mut next, &mut step, None);
            step.membership = match released {
                Some(item) => self.kept_or_forgotten(item),
                None => MembershipChange::Check,
            };
        } else if let Some(item) = current {
            if let Next::Wait(until) = item.next(self.now) {
                if released.is_none() && next.drive_at == Some(until) {
                    return Err(Refusal::NotDue(Some(until)));
                }
                next.drive_at = Some(until);
                step.membership = released.map_or(MembershipChange::Check, MembershipChange::Put);
            } else {
                let item = self.remove(item, &mut step);
                next.drive_at = item.due_at;
                step.membership = MembershipChange::Put(item);
            }
            next.version = request.version + 1;
        }
        step.audit.splice(0..0, audit);
        step.request = Some(next);
        Ok(step)
    }

    pub(super) fn stop(&self, request: &Request) -> Result<Transition, Refusal> {
        if !matches!(
            request.state,
            State::Approved | State::Escalating | State::Active
        ) {
            return Err(Refusal::MovedOn(request.state));
        }
        let mut next = request.clone();
        self.deescalating(&mut next, Why::Stopped);
        self.changed(&mut next);
        let entry = self.entry(&next, Step::Deescalate, Some(request.state), self.actor());
        Ok(Transition::of(next, entry))
    }

    /// Announces a removal.
    pub(super) fn remove(&self, item: &Membership, step: &mut Transition) -> Membership {
        let mut item = item.without_dead_calls(self.now);
        item.announce(CallKind::Remove, self.now, self.stamp);
        step.effects.push(Effect::Send {
            call: self.stamp.clone(),
            kind: CallKind::Remove,
            key: item.key.clone(),
        });
        item
    }

    pub(super) fn answered(
        &self,
        request: &Request,
        membership: Option<&Membership>,
        extended: Option<&Request>,
        call: &Stamp,
        answer: &Answer,
    ) -> Result<Transition, Refusal> {
        let Some(before) = membership else {
            return Err(Refusal::NotDue(request.drive_at));
        };
        let kind = before.calls.iter().find(|c| &c.id == call).map(|c| c.kind);
        let Some(item) = self.item_answered(before, call, answer) else {
            return Err(Refusal::NotDue(request.drive_at));
        };
        match (request.state, kind) {
            (State::Escalating | State::Active, Some(CallKind::Add)) => {
                Ok(self.add_answered(request, item, extended, answer))
            }
            (State::Deescalating, Some(CallKind::Remove)) => {
                Ok(self.remove_answered(request, item, answer))
            }
            _ => Ok(Transition {
                membership: MembershipChange::Put(item),
                ..Transition::default()
            }),
        }
    }

    /// The ledger item after `answer`. Where Okta wants to be left alone for a while, nobody tries again
    /// before, and not all at once then.
    fn item_answered(
        &self,
        item: &Membership,
        call: &Stamp,
        answer: &Answer,
    ) -> Option<Membership> {
        let mut item = item.answered(call, answer.landed(), self.now, self.stamp)?;
        if let Answer::NotDone { after, .. } = answer {
            item.due_at = item.due_at.map(|at| at + *after);
        }
        Some(item)
    }

    pub(super) fn add_answered(
        &self,
        request: &Request,
        item: Membership,
        extended: Option<&Request>,
        answer: &Answer,
    ) -> Transition {
        if let Answer::Refused { mendable, trouble } = answer {
            let mut next = request.clone();
            next.uncertain = next.uncertain.saturating_sub(1);
            return self.refused(next, None, Some(item), *mendable, trouble);
        }
        let mut next = request.clone();
        match answer {
            Answer::Done {
                okta_request_id, ..
            } if item.agreed && request.state == State::Escalating => {
                return self.activate(next, item, extended, okta_request_id.clone());
            }
            Answer::NotDone { trouble, .. } => {
                next.uncertain = next.uncertain.saturating_sub(1);
                if next.uncertain == 0 && next.state == State::Escalating {
                    (next.starts_at, next.ends_at) = (None, None);
                }
                next.trouble = Some(trouble.clone());
            }
            Answer::Unclear { trouble } => next.trouble = Some(trouble.clone()),
            _ => {}
        }
        if next.state == State::Escalating {
            next.drive_at = item.due_at.max(Some(self.now));
        }
        self.changed(&mut next);
        Transition {
            request: Some(next),
            membership: MembershipChange::Put(item),
            ..Transition::default()
        }
    }

    pub(super) fn activate(
        &self,
        mut next: Request,
        item: Membership,
        extended: Option<&Request>,
        okta_request_id: Option<String>,
    ) -> Transition {
        next.state = State::Active;
        next.trouble = None;
        next.drive_at = next.ends_at;
        next.remind_at = next
            .starts_at
            .zip(next.ends_at)
            .and_then(|(start, end)| warning(start, end));
        next.owe(Recipient::Requester, Notice::Active);
        self.changed(&mut next);
        let mut entry = self.entry(&next, Step::Activate, Some(State::Escalating), self.actor());
        entry.okta_request_id = okta_request_id;
        let mut step = Transition::of(next, entry);
        let mut item = item;
        if let Some(old) = extended.filter(|old| old.state == State::Active) {
            let mut old_next = old.clone();
            item.holders.remove(&old.id);
            old_next.trouble = None;
            self.finish(&mut old_next, State::Ended, Some(Why::Superseded));
            self.changed(&mut old_next);
            step.audit
                .push(self.entry(&old_next, Step::End, Some(old.state), self.actor()));
            step.extended = Some(old_next);
        }
        step.membership = MembershipChange::Put(item);
        step
    }

    pub(super) fn remove_answered(
        &self,
        request: &Request,
        item: Membership,
        answer: &Answer,
    ) -> Transition {
        let mut next = request.clone();
        let mut step = Transition::default();
        if item.is_out() {
            let okta_request_id = match answer {
                Answer::Done {
                    okta_request_id, ..
                } => okta_request_id.clone(),
                _ => None,
            };
            self.over(&mut next, &mut step, okta_request_id);
        } else {
            next.drive_at = item.due_at.max(Some(self.now));
            let contradicted = Trouble::still_in();
            let trouble = match answer {
                Answer::Done {
                    seen_out: false, ..
                } if item.tries > 2 => Some(&contradicted),
                answer => answer.trouble(),
            };
            match trouble {
                Some(trouble) if !trouble.is_known(next.trouble.as_ref()) => {
                    next.owe(Recipient::ErrorChannel, Notice::Trouble(trouble.clone()));
                    next.trouble = Some(trouble.clone());
                    self.changed(&mut next);
                }
                _ => self.written(&mut next),
            }
        }
        step.request = Some(next);
        step.membership = MembershipChange::Put(item);
        step
    }

    /// Okta, or a look at the target, said no. `before` is the ledger item as it was loaded,
    /// `after` what the answer made of it.
    pub(super) fn refused(
        &self,
        mut next: Request,
        before: Option<&Membership>,
        after: Option<Membership>,
        mendable: bool,
        trouble: &Trouble,
    ) -> Transition {
        let from = next.state;
        if from == State::Active {
            // Okta agreed once; what an extra call says does not end the grant.
            return Transition {
                membership: after.map_or(MembershipChange::Keep, MembershipChange::Put),
                ..Transition::default()
            };
        }
        let mut step = Transition::default();
        next.trouble = Some(trouble.clone());
        if next.uncertain > 0 {
            // `escalation` may hand nothing on: the sweep goes on with it.
            self.deescalating(&mut next, Why::Failed);
            step.membership = after.map_or(MembershipChange::Keep, MembershipChange::Put);
        } else {
            // A schedule that was made for it fires for nothing.
            step.membership = self.let_go(after.as_ref().or(before), &next.id);
            (next.starts_at, next.ends_at) = (None, None);
            if mendable {
                next.state = State::Pending;
                let approvals = next.approvals.drain(..);
                next.undone.extend(approvals.map(|approval| approval.click));
                next.approved_at = None;
                next.drive_at = Some(next.expires_at);
                self.waits(&mut next);
                for to in [Recipient::Requester, Recipient::ErrorChannel] {
                    next.owe(to, Notice::Trouble(trouble.clone()));
                }
            } else {
                self.fail(&mut next, trouble);
            }
        }
        self.changed(&mut next);
        let mut entry = self.entry(&next, Step::Refuse, Some(from), self.actor());
        entry.error = Some(trouble.error.clone());
        step.audit.push(entry);
        step.request = Some(next);
        step
    }

    /// Nothing could be found out: it is tried again.
    pub(super) fn later(
        &self,
        request: &Request,
        after: SignedDuration,
        trouble: &Trouble,
    ) -> Transition {
        let mut next = request.clone();
        if !trouble.is_known(next.trouble.as_ref()) {
            next.trouble = Some(trouble.clone());
            next.face += 1;
        }
        if next.state != State::Active {
            next.drive_at = Some(self.now + after);
        }
        self.written(&mut next);
        Transition {
            request: Some(next),
            ..Transition::default()
        }
    }

    /// Drives a ledger item that no request is working on.
    pub(super) fn on_membership(
        &self,
        membership: Option<&Membership>,
        event: &Event,
    ) -> Result<Transition, Refusal> {
        let Some(item) = membership else {
            return Err(Refusal::NotDue(None));
        };
        let mut step = Transition::default();
        match event {
            Event::Answered { call, answer } => {
                let item = self
                    .item_answered(item, call, answer)
                    .ok_or(Refusal::NotDue(item.due_at))?;
                step.membership = MembershipChange::Put(item);
            }
            Event::Deescalate => {
                step.membership = match item.next(self.now) {
                    Next::Rest => MembershipChange::Put(item.rest(None, self.now, self.stamp)),
                    Next::Wait(until) => {
                        if item.due_at == Some(until) {
                            return Err(Refusal::NotDue(Some(until)));
                        }
                        MembershipChange::Put(item.rest(Some(until), self.now, self.stamp))
                    }
                    Next::Forget => MembershipChange::Delete,
                    Next::Remove => MembershipChange::Put(self.remove(item, &mut step)),
                    Next::Add => {
                        step.effects
                            .extend(item.holders.iter().cloned().map(Effect::Escalate));
                        let due_at = Some(self.now + CALL_LIFE);
                        MembershipChange::Put(item.rest(due_at, self.now, self.stamp))
                    }
                };
            }
            _ => return Err(Refusal::NotDue(item.due_at)),
        }
        Ok(step)
    }
}

/// Why a request that was approved waits for another yes: nothing was sent to Okta in time.
fn in_vain(request: &Request) -> Trouble {
    let minutes = ESCALATION_LIMIT.as_mins();
    let mut error = format!("nobody could be added within {minutes} minutes of the approval");
    if let Some(trouble) = &request.trouble {
        error = format!("{error}: {}", trouble.error);
    }
    Trouble {
        error,
        hint: "approve it again".to_owned(),
    }
}

/// When a grant that starts now starts and ends, in whole seconds.
fn span(request: &Request, now: Timestamp) -> (Timestamp, Timestamp) {
    let start = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let duration = SignedDuration::from_secs(i64::try_from(request.duration_s).unwrap_or(0));
    (start, start + duration)
}
