//! One membership with everything around it: the table, Okta, calls under way, and time.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::audit::Entry;
use crate::{
    Action, Answer, CALL_LIFE, CallKind, Card, Click, Effect, Event, Group, Loaded, Look,
    Membership, MembershipChange, MembershipKey, OktaUser, Org, Permit, Person, Place, Posted,
    Refusal, Request, RequestId, SlackUser, Stamp, State, Submission, Transition, Trouble,
    transition,
};

pub(super) struct World {
    pub(super) now: Timestamp,
    pub(super) requests: BTreeMap<RequestId, Request>,
    pub(super) ledger: Option<Membership>,
    pub(super) audit: Vec<Entry>,
    /// Whether the user is in the group.
    pub(super) member: bool,
    pub(super) calls: Vec<Sent>,
    /// What was handed to `escalation` and not taken up yet.
    pub(super) to_escalate: Vec<RequestId>,
    /// What was handed to `deescalation` and not taken up yet.
    pub(super) to_deescalate: Vec<RequestId>,
    /// The schedules, by name.
    pub(super) schedules: BTreeMap<String, Timestamp>,
    stamps: u64,
}

/// A call on its way to Okta, or back.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) call: Stamp,
    pub(super) kind: CallKind,
    /// Whose step announced it; none for the ledger's own.
    pub(super) by: Option<RequestId>,
    pub(super) at: Timestamp,
    pub(super) stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Sent,
    Landed,
    /// Read again afterwards: whether the user was out.
    ReadBack(bool),
}

pub(super) const HOUR: u64 = 3600;

impl World {
    pub(super) fn new() -> Self {
        Self {
            now: "2026-03-01T09:00:00Z".parse().unwrap(),
            requests: BTreeMap::new(),
            ledger: None,
            audit: Vec::new(),
            member: false,
            calls: Vec::new(),
            to_escalate: Vec::new(),
            to_deescalate: Vec::new(),
            schedules: BTreeMap::new(),
            stamps: 0,
        }
    }

    pub(super) fn request(&self, id: &str) -> &Request {
        &self.requests[&RequestId::new(id)]
    }

    pub(super) fn loaded(&self, id: Option<&RequestId>) -> Loaded {
        let request = id.and_then(|id| self.requests.get(id)).cloned();
        let extends = request.as_ref().and_then(|it| it.extends.clone());
        Loaded {
            request,
            membership: self.ledger.clone(),
            extended: extends.and_then(|id| self.requests.get(&id)).cloned(),
            twin: None,
        }
    }

    /// Decides and writes, as a shell whose writes are not beaten by anybody's does.
    pub(super) fn step(
        &mut self,
        id: Option<&RequestId>,
        event: &Event,
    ) -> Result<Transition, Refusal> {
        let loaded = self.loaded(id);
        self.decide(id, &loaded, event)
    }

    pub(super) fn decide(
        &mut self,
        id: Option<&RequestId>,
        loaded: &Loaded,
        event: &Event,
    ) -> Result<Transition, Refusal> {
        self.stamps += 1;
        let stamp = Stamp::new(format!("stamp{}", self.stamps));
        let step = transition(loaded, event, self.now, &stamp, "test")?;
        self.write(loaded, &step);
        for effect in &step.effects {
            match effect {
                Effect::Send { call, kind, .. } => self.calls.push(Sent {
                    call: call.clone(),
                    kind: *kind,
                    by: id.cloned(),
                    at: self.now,
                    stage: Stage::Sent,
                }),
                Effect::Escalate(id) => self.to_escalate.push(id.clone()),
                Effect::Deescalate(id) => self.to_deescalate.push(id.clone()),
                Effect::Schedule { name, at } => {
                    self.schedules.insert(name.clone(), *at);
                }
                Effect::Unschedule(names) => {
                    self.schedules.retain(|name, _| !names.contains(name));
                }
            }
        }
        Ok(step)
    }

    fn write(&mut self, loaded: &Loaded, step: &Transition) {
        for (next, before) in [
            (&step.request, &loaded.request),
            (&step.extended, &loaded.extended),
        ] {
            let Some(next) = next else { continue };
            match before {
                Some(before) => {
                    assert!(next.version > before.version, "versions move");
                    if before.uncertain > 0 && next.uncertain > 0 {
                        assert_eq!(next.ends_at, before.ends_at, "an end never moves");
                    }
                }
                None => assert_eq!(next.version, 1),
            }
            if let (Some(approved), Some(end)) = (next.approved_at, next.ends_at) {
                let limit = approved + crate::ESCALATION_LIMIT + seconds(next.duration_s);
                assert!(end <= limit, "nobody holds it longer than was approved");
                assert_eq!(end.subsec_nanosecond(), 0, "ends are whole seconds");
            }
            let is_open = !next.state.is_final();
            assert_eq!(
                next.drive_at.is_some(),
                is_open,
                "what is unfinished is due"
            );
            assert!(
                next.is_shown() || next.surfaces_at.is_some(),
                "what is owed is due"
            );
            self.requests.insert(next.id.clone(), next.clone());
        }
        match &step.membership {
            MembershipChange::Keep | MembershipChange::Check => {}
            MembershipChange::Put(item) => {
                let before = loaded.membership.as_ref();
                assert!(
                    before.is_none_or(|it| it.version != item.version),
                    "versions move"
                );
                assert_eq!(
                    item.over_at.is_some(),
                    item.holders.is_empty(),
                    "since when nobody holds it is known"
                );
                self.ledger = Some(item.clone());
            }
            MembershipChange::Delete => self.ledger = None,
        }
        for entry in &step.audit {
            let is_new = self.audit.iter().all(|known| known.id != entry.id);
            assert!(
                is_new,
                "every audit entry has an id of its own: {}",
                entry.id
            );
        }
        self.audit.extend(step.audit.iter().cloned());
    }

    pub(super) fn ask(&mut self, id: &str, duration_s: u64) -> Result<Transition, Refusal> {
        let form = self.form(id, duration_s);
        self.submit(form)
    }

    pub(super) fn submit(&mut self, form: Submission) -> Result<Transition, Refusal> {
        let id = form.id.clone();
        let mut loaded = self.loaded(Some(&id));
        let mut pending = self.requests.values();
        let twin = pending.find(|it| it.state == State::Pending);
        loaded.twin = twin.map(|it| it.id.clone());
        let extends = form.extends.as_ref();
        loaded.extended = extends.and_then(|id| self.requests.get(id)).cloned();
        self.decide(Some(&id), &loaded, &Event::Submit(Box::new(form)))
    }

    pub(super) fn form(&self, id: &str, duration_s: u64) -> Submission {
        Submission {
            id: RequestId::new(id),
            flow: "okta".to_owned(),
            flow_label: "Okta Access".to_owned(),
            label: "Prod".to_owned(),
            org: key().org,
            group: key().group,
            max_duration_s: 4 * HOUR,
            route: vec![Place::Channel("#sym-requests".to_owned())],
            fallback: Vec::new(),
            fallback_after: SignedDuration::from_hours(12),
            remind_after: None,
            error_channel: "#sym-errors".to_owned(),
            notify: Vec::new(),
            requester: alice(),
            duration_s,
            reason: "fixing INC-42: prod is down".to_owned(),
            fields: BTreeMap::new(),
            questions: BTreeMap::new(),
            approvals_needed: 1,
            timeout: SignedDuration::from_hours(24),
            extends: None,
            permit: permit(Action::Request),
            auto_approve: None,
            look: if self.member { Look::In } else { Look::Out },
            unfit: None,
        }
    }

    pub(super) fn approve(
        &mut self,
        id: &str,
        by: Person,
        click: &str,
    ) -> Result<Transition, Refusal> {
        let event = Event::Approve {
            actor: by,
            click: Click::new(click),
            permit: permit(Action::Approve),
            note: None,
            requester: alice(),
            needed: 1,
        };
        self.step(Some(&RequestId::new(id)), &event)
    }

    /// `escalation` takes the request up: it looks, and announces a call.
    pub(super) fn escalate(&mut self, id: &str) -> Result<Transition, Refusal> {
        let look = self.look();
        self.step(Some(&RequestId::new(id)), &Event::Escalate { look })
    }

    pub(super) fn look(&self) -> Look {
        match (
            Membership::needs_look(self.ledger.as_ref(), self.now),
            self.member,
        ) {
            (false, _) => Look::Skipped,
            (true, true) => Look::In,
            (true, false) => Look::Out,
        }
    }

    pub(super) fn deescalate(&mut self, id: &str) -> Result<Transition, Refusal> {
        self.step(Some(&RequestId::new(id)), &Event::Deescalate)
    }

    /// The call takes effect in Okta.
    pub(super) fn land(&mut self, index: usize) {
        let call = &mut self.calls[index];
        if call.stage == Stage::Sent {
            call.stage = Stage::Landed;
            self.member = call.kind == CallKind::Add;
        }
    }

    /// Okta is read again after a call landed.
    pub(super) fn read_back(&mut self, index: usize) {
        let out = !self.member;
        let call = &mut self.calls[index];
        if call.stage == Stage::Landed {
            call.stage = Stage::ReadBack(out);
        }
    }

    /// Whoever sent the call records its answer.
    pub(super) fn record(&mut self, index: usize) {
        let Stage::ReadBack(seen_out) = self.calls[index].stage else {
            return;
        };
        let answer = Answer::Done {
            seen_out,
            okta_request_id: Some("reqOKTA".to_owned()),
        };
        self.answer(index, answer);
    }

    pub(super) fn answer(&mut self, index: usize, answer: Answer) {
        let sent = self.calls.remove(index);
        let event = Event::Answered {
            call: sent.call,
            answer,
        };
        // A refusal means that the call was given up meanwhile.
        let _ = self.step(sent.by.as_ref(), &event);
    }

    /// Whoever sent the call dies; the call itself may still land.
    pub(super) fn lose(&mut self, index: usize) {
        let call = &mut self.calls[index];
        if call.stage != Stage::Sent {
            self.calls.remove(index);
        }
    }

    /// Everything that was announced goes through at once.
    pub(super) fn finish_calls(&mut self) {
        while !self.calls.is_empty() {
            self.land(0);
            self.read_back(0);
            self.record(0);
        }
    }

    /// Time goes on. No call is on its way for as long as [`CALL_LIFE`]: one that would be lands now,
    /// if `late` says so, or never does, and nobody records it.
    pub(super) fn pass(&mut self, time: SignedDuration, late: bool) {
        let next = self.now + time;
        while let Some(at) = self.calls.iter().position(|it| it.at + CALL_LIFE <= next) {
            if late {
                self.land(at);
            }
            self.calls.remove(at);
        }
        self.now = next;
    }

    /// What the sweep does with everything that is due.
    pub(super) fn sweep(&mut self) {
        let due: Vec<RequestId> = self
            .requests
            .values()
            .filter(|it| it.drive_at.is_some_and(|at| at <= self.now))
            .map(|it| it.id.clone())
            .collect();
        for id in due {
            match self.requests[&id].state {
                State::Pending => {
                    let _ = self.step(Some(&id), &Event::Expire);
                }
                _ => {
                    if self.deescalate(id.as_str()).is_err() {
                        self.to_escalate.push(id);
                    }
                }
            }
        }
        let said: Vec<RequestId> = self
            .requests
            .values()
            .filter(|it| it.said_at().is_some_and(|at| at <= self.now))
            .map(|it| it.id.clone())
            .collect();
        for id in said {
            let _ = self.step(Some(&id), &Event::Remind);
        }
        let is_due = |it: &Membership| it.due_at.is_some_and(|at| at <= self.now);
        if self.ledger.as_ref().is_some_and(is_due) {
            let _ = self.step(None, &Event::Deescalate);
        }
    }

    /// The functions take up what was handed to them.
    pub(super) fn take_up(&mut self) {
        for id in std::mem::take(&mut self.to_escalate) {
            let request = &self.requests[&id];
            let is_claimed = request.drive_at.is_some_and(|at| at > self.now);
            if request.state != State::Escalating || !is_claimed {
                let _ = self.escalate(id.as_str());
            }
        }
        for id in std::mem::take(&mut self.to_deescalate) {
            let _ = self.deescalate(id.as_str());
        }
    }

    /// Draws every card of the request `id` and sends what it owes; what is at a place that is `lost`
    /// cannot be delivered.
    pub(super) fn draw(&mut self, id: &str, lost: impl Fn(&Place) -> bool) {
        let request = self.request(id).clone();
        let mut trouble = None;
        let cards = request.cards.iter().map(|card| {
            let is_lost = lost(&card.place);
            if is_lost && card.place.asks() {
                trouble = Some(Trouble {
                    error: "channel_not_found".to_owned(),
                    hint: "invite the app".to_owned(),
                });
            }
            let posted = (card.place != Place::Homes && !is_lost).then(|| Posted {
                channel: format!("{:?}", card.place),
                ts: "1.2".to_owned(),
            });
            Card {
                posted,
                shows: request.face,
                ..card.clone()
            }
        });
        let shown = Event::Shown {
            cards: cards.collect(),
            sent: request.owed.clone(),
            again: false,
            trouble,
        };
        self.step(Some(&request.id), &shown).unwrap();
    }

    /// Everything goes well from here on, for `time`.
    pub(super) fn recover(&mut self, time: SignedDuration) {
        let until = self.now + time;
        while self.now < until {
            self.take_up();
            self.finish_calls();
            self.sweep();
            self.take_up();
            self.finish_calls();
            let step = SignedDuration::from_secs(if self.is_quiet() { 60 } else { 10 });
            self.pass(step, true);
        }
    }

    /// Whether nothing is due soon.
    pub(super) fn is_quiet(&self) -> bool {
        let soon = self.now + SignedDuration::from_mins(2);
        let is_far = |at: Option<Timestamp>| at.is_none_or(|at| at > soon);
        self.requests.values().all(|it| is_far(it.drive_at))
            && self.ledger.as_ref().is_none_or(|it| is_far(it.due_at))
    }
}

pub(super) fn key() -> MembershipKey {
    MembershipKey {
        org: Org::new("myco.okta.com"),
        user: OktaUser::new("00u1alice"),
        group: Group::new("00g2prod"),
    }
}

pub(super) fn permit(action: Action) -> Permit {
    Permit::new(action, vec!["a-policy".to_owned()])
}

pub(super) fn person(name: &str) -> Person {
    Person {
        slack: SlackUser::new(format!("U0{}", name.to_uppercase())),
        okta: Some(OktaUser::new(format!("00u1{name}"))),
        email: Some(format!("{name}@example.com")),
    }
}

pub(super) fn alice() -> Person {
    person("alice")
}

pub(super) fn seconds(seconds: u64) -> SignedDuration {
    SignedDuration::from_secs(seconds.try_into().unwrap())
}

pub(super) fn trouble() -> Trouble {
    Trouble {
        error: "it does not work".to_owned(),
        hint: "mend it".to_owned(),
    }
}
