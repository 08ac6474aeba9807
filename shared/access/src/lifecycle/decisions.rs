//! What people decide.

use jiff::{SignedDuration, Timestamp};

use super::{At, Effect, Loaded, Look, MembershipChange, Refusal, Submission, Transition};
use crate::audit::{Actor, Step};
use crate::membership::Membership;
use crate::permit::{Action, Permit};
use crate::request::{
    Approval, CLAIM, Card, Decision, Notice, Person, Place, Recipient, Request, State, Trouble, Why,
};

impl At<'_> {
    pub(super) fn submit(&self, form: &Submission, loaded: &Loaded) -> Result<Transition, Refusal> {
        form.permit.is_for(&[Action::Request, Action::Extend])?;
        if let Some(twin) = loaded.twin.as_ref().filter(|twin| **twin != form.id) {
            return Err(Refusal::Twin(twin.clone()));
        }
        let chain_s = match &form.extends {
            Some(_) => chain(form, loaded.extended.as_ref(), self.now)?,
            None => 0,
        };
        let mut request = new_request(form, chain_s, self.now);
        let route = route(form, &mut request);
        let actor = Actor::from(&form.requester);
        let mut step = Transition::default();
        // A membership that Stint holds is no standing membership, however Okta answers.
        let ours = !Membership::needs_look(loaded.membership.as_ref(), self.now)
            || loaded
                .membership
                .as_ref()
                .is_some_and(|item| item.remembers_removal(self.now));
        if let Some(trouble) = &form.unfit {
            self.fail(&mut request, trouble);
        } else if form.look == Look::In && !ours {
            self.already_member(&mut request);
            step.membership = MembershipChange::Check;
        } else if let Some(permit) = form
            .auto_approve
            .as_ref()
            .filter(|p| p.action() == Action::AutoApprove && form.requester.okta.is_some())
        {
            request.cards.extend(route);
            request.add_card(Place::Requester);
            self.approved(&mut request);
            step.effects.push(Effect::Escalate(request.id.clone()));
            let mut entry =
                self.entry(&request, Step::Approve, Some(State::Pending), actor.clone());
            entry.id.push_str(".auto");
            entry.policy = permit.policies().to_vec();
            step.audit.push(entry);
        } else {
            request.cards.extend(route);
            request.add_card(Place::Requester);
            self.waits(&mut request);
        }
        let mut entry = self.entry(&request, Step::Request, None, actor);
        if !step.audit.is_empty() {
            entry.to = State::Pending;
        }
        entry.policy = form.permit.policies().to_vec();
        entry.reason = Some(form.reason.clone());
        entry.error = form.unfit.as_ref().map(|trouble| trouble.error.clone());
        step.audit.insert(0, entry);
        step.request = Some(request);
        Ok(step)
    }

    pub(super) fn approve(
        &self,
        request: &Request,
        approval: Approval,
        permit: &Permit,
        requester: &Person,
        needed: u32,
    ) -> Result<Transition, Refusal> {
        if request.knows(&approval.click) {
            return Ok(repeat(request));
        }
        permit.is_for(&[Action::Approve])?;
        if request.state == State::Pending && self.now >= request.expires_at {
            return Err(Refusal::TimedOut);
        }
        let again = request.approvals.iter().any(|a| a.by.is(&approval.by));
        if request.state != State::Pending || again {
            return Err(Refusal::MovedOn(request.state));
        }
        if requester.slack != request.requester.slack || requester.okta.is_none() {
            return Err(Refusal::NotPermitted);
        }
        let mut next = request.clone();
        let (actor, note) = (Actor::from(&approval.by), approval.note.clone());
        next.requester = requester.clone();
        next.trouble = None;
        next.approvals_needed = next.approvals_needed.max(needed);
        let approver = &approval.by.slack;
        if !next
            .cards
            .iter()
            .any(|it| it.place == Place::Asked(approver.clone()))
        {
            next.add_card(Place::Approver(approver.clone()));
        }
        next.approvals.push(approval);
        let mut step = Transition::default();
        if next.approvals.len() >= next.approvals_needed.max(1) as usize {
            self.approved(&mut next);
            step.effects.push(Effect::Escalate(next.id.clone()));
        }
        self.changed(&mut next);
        let mut entry = self.entry(&next, Step::Approve, Some(request.state), actor);
        entry.policy = permit.policies().to_vec();
        entry.reason = note;
        step.audit.push(entry);
        step.request = Some(next);
        Ok(step)
    }

    /// A denial or a cancellation.
    pub(super) fn close(
        &self,
        request: &Request,
        to: State,
        decision: Decision,
        step: Step,
        policies: &[String],
    ) -> Result<Transition, Refusal> {
        if request.knows(&decision.click) {
            return Ok(repeat(request));
        }
        if request.state != State::Pending {
            return Err(Refusal::MovedOn(request.state));
        }
        let mut next = request.clone();
        let (actor, note) = (Actor::from(&decision.by), decision.note.clone());
        next.decision = Some(decision);
        next.trouble = None;
        self.finish(&mut next, to, None);
        if to == State::Denied {
            next.owe(Recipient::Requester, Notice::Denied);
        }
        self.changed(&mut next);
        let mut entry = self.entry(&next, step, Some(request.state), actor);
        entry.policy = policies.to_vec();
        entry.reason = note;
        Ok(Transition::of(next, entry))
    }

    /// A revocation, or access given back. The holder is let go by `deescalation`.
    pub(super) fn take_back(
        &self,
        request: &Request,
        why: Why,
        decision: Decision,
        step: Step,
        policies: &[String],
    ) -> Result<Transition, Refusal> {
        if request.knows(&decision.click) {
            return Ok(repeat(request));
        }
        if !matches!(
            request.state,
            State::Approved | State::Escalating | State::Active
        ) {
            return Err(Refusal::MovedOn(request.state));
        }
        let mut next = request.clone();
        let actor = Actor::from(&decision.by);
        next.decision = Some(decision);
        self.deescalating(&mut next, why);
        self.changed(&mut next);
        let mut entry = self.entry(&next, step, Some(request.state), actor);
        entry.policy = policies.to_vec();
        let mut step = Transition::of(next, entry);
        step.effects.push(Effect::Deescalate(request.id.clone()));
        Ok(step)
    }

    pub(super) fn unknown(
        &self,
        request: &Request,
        trouble: &Trouble,
    ) -> Result<Transition, Refusal> {
        if request.state != State::Pending {
            return Err(Refusal::MovedOn(request.state));
        }
        let mut next = request.clone();
        self.fail(&mut next, trouble);
        self.changed(&mut next);
        let mut entry = self.entry(&next, Step::Refuse, Some(request.state), self.actor());
        entry.error = Some(trouble.error.clone());
        Ok(Transition::of(next, entry))
    }

    pub(super) fn expire(&self, request: &Request) -> Result<Transition, Refusal> {
        if request.state != State::Pending || self.now < request.expires_at {
            return Err(Refusal::NotDue(request.drive_at));
        }
        let mut next = request.clone();
        self.finish(&mut next, State::Expired, None);
        next.owe(Recipient::Requester, Notice::Expired);
        self.changed(&mut next);
        let entry = self.entry(&next, Step::Expire, Some(request.state), self.actor());
        Ok(Transition::of(next, entry))
    }
}

impl Permit {
    pub(super) fn is_for(&self, actions: &[Action]) -> Result<(), Refusal> {
        if actions.contains(&self.action()) {
            Ok(())
        } else {
            Err(Refusal::NotPermitted)
        }
    }
}

/// The same click again: nothing changes, and what it set off is set off again, since that may have
/// been lost.
pub(super) fn repeat(request: &Request) -> Transition {
    let effects = match request.state {
        State::Approved => vec![Effect::Escalate(request.id.clone())],
        State::Deescalating => vec![Effect::Deescalate(request.id.clone())],
        _ => Vec::new(),
    };
    Transition {
        effects,
        ..Transition::default()
    }
}

/// How many seconds the chain that `form` extends was approved for already.
fn chain(form: &Submission, extended: Option<&Request>, now: Timestamp) -> Result<u64, Refusal> {
    let no = |why: &str| Err(Refusal::NotExtendable(why.to_owned()));
    let Some(old) = extended.filter(|old| old.state == State::Active) else {
        return no("the access has ended");
    };
    if !old.requester.is(&form.requester) || old.group != form.group || old.org != form.org {
        return no("it is another person's, or another target");
    }
    if form.duration_s > old.extendable_s() {
        return no("together they would last longer than the target's maximum");
    }
    if old
        .ends_at
        .is_some_and(|end| seconds(form.duration_s) < end.duration_since(now))
    {
        return no("it would end before the access that there is now");
    }
    Ok(old.chain_s + old.duration_s)
}

/// The copies of the card for those who are asked: nobody is asked about their own request as long as
/// there is anybody else.
fn route(form: &Submission, request: &mut Request) -> Vec<Card> {
    let own = Place::Asked(form.requester.slack.clone());
    let others = |places: &[Place]| -> Vec<Place> {
        let others = places.iter().filter(|place| **place != own);
        others.cloned().collect()
    };
    request.fallback = others(&form.fallback);
    let mut route = others(&form.route);
    if route.is_empty() {
        route = std::mem::take(&mut request.fallback);
    }
    if route.is_empty() {
        route.clone_from(&form.route);
    }
    route.into_iter().map(Card::at).collect()
}

/// How many whole seconds.
fn whole(time: SignedDuration) -> u64 {
    time.as_secs().unsigned_abs()
}

fn seconds(seconds: u64) -> SignedDuration {
    SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX))
}

fn new_request(form: &Submission, chain_s: u64, now: Timestamp) -> Request {
    let expires_at = now + form.timeout;
    Request {
        id: form.id.clone(),
        version: 1,
        flow: form.flow.clone(),
        flow_label: form.flow_label.clone(),
        label: form.label.clone(),
        org: form.org.clone(),
        group: form.group.clone(),
        max_duration_s: form.max_duration_s,
        error_channel: form.error_channel.clone(),
        notify: form.notify.clone(),
        requester: form.requester.clone(),
        duration_s: form.duration_s,
        reason: form.reason.clone(),
        fields: form.fields.clone(),
        questions: form.questions.clone(),
        state: State::Pending,
        why: None,
        trouble: None,
        approvals: Vec::new(),
        undone: Vec::new(),
        approvals_needed: form.approvals_needed,
        decision: None,
        handed_over: None,
        requested_at: now,
        expires_at,
        approved_at: None,
        starts_at: None,
        ends_at: None,
        over_at: None,
        closed_at: None,
        attempts: 0,
        uncertain: 0,
        extends: form.extends.clone(),
        chain_s,
        face: 1,
        cards: vec![Card::at(Place::Homes)],
        fallback: Vec::new(),
        fallback_after_s: whole(form.fallback_after),
        fallback_at: None,
        remind_at: None,
        remind_after_s: form.remind_after.map_or(0, whole),
        reminders: 0,
        owed: Vec::new(),
        drive_at: Some(expires_at),
        surfaces_at: Some(now + CLAIM),
        surfaces_tries: 0,
    }
}
