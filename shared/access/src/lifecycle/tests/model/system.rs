//! One membership with everything around it, and all that can happen to it: small enough to be seen in
//! every state.
//!
//! Nothing here knows what is right but [`System::watch`], which looks at every write.

use std::sync::{Arc, LazyLock};

use jiff::{SignedDuration, Timestamp};

use super::super::world::{self, HOUR, World, permit};
use crate::membership::back_off;
use crate::{
    Action, Answer, CALL_LIFE, CallKind, Click, ESCALATION_LIMIT, Effect, Event, Group, HandOver,
    Loaded, Look, Membership, MembershipChange, OktaUser, Org, Person, REMOVAL_MEMORY, Request,
    RequestId, SlackUser, Stamp, State, Submission, Transition, Why, transition,
};

/// How many requests of the membership there may be.
pub(super) const REQUESTS: usize = 2;

/// For how long each of them is asked for, in seconds.
pub(super) const DURATIONS_S: [u64; REQUESTS] = [600, HOUR];

/// Everything at one moment.
#[derive(Debug, Clone)]
pub(super) struct System {
    pub(super) now: Timestamp,
    /// How many steps led here. It tells states that are otherwise the same apart from nothing.
    pub(super) steps: usize,
    pub(super) requests: [Option<Arc<Request>>; REQUESTS],
    pub(super) ledger: Option<Arc<Membership>>,
    /// Whether the user is in the group, and who saw to it.
    pub(super) user: User,
    /// How much more an administrator does by hand.
    pub(super) hands: u8,
    pub(super) calls: Vec<Sent>,
    pub(super) workers: Vec<Worker>,
    /// What really happened to each request.
    pub(super) truth: [Truth; REQUESTS],
    /// The promise that the last step broke.
    pub(super) broken: Option<Promise>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum User {
    Out,
    /// An administrator took them out.
    OutByHand,
    /// Stint put them in.
    In,
    /// An administrator put them in, while Stint had something under way.
    InByHand,
    /// An administrator put them in, and Stint had nothing under way: whoever looks sees it.
    Standing,
    /// Their membership was handed over: it is theirs for good.
    HandedOver,
}

/// A call on its way to Okta, or back.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) id: Stamp,
    pub(super) kind: CallKind,
    /// Whose step announced it; none for the ledger's own.
    pub(super) by: Option<usize>,
    pub(super) at: Timestamp,
    pub(super) stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Sent,
    /// Still on its way, and whoever sent it waits no longer.
    Given,
    /// Took effect, and was not read back.
    Landed,
    /// Whoever sent it knows, and has not said so.
    Known(Fate),
}

/// What whoever sent a call gets to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Done { seen_out: bool },
    Refused { mendable: bool },
    NotDone,
    Unclear,
}

impl Fate {
    /// All goes well.
    pub(super) const GOOD: Self = Self::Done { seen_out: true };

    /// Okta says that it took the user out, and did not.
    pub(super) const HOLLOW: Self = Self::Done { seen_out: false };
}

/// A function that has loaded and not written yet.
#[derive(Debug, Clone)]
pub(super) struct Worker {
    pub(super) task: Task,
    pub(super) loaded: Arc<Loaded>,
    /// What it saw in Okta; none before it looked.
    pub(super) look: Option<Look>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Task {
    Escalate(usize),
    Deescalate(usize),
    Ledger,
    Record(Stamp),
    HandOver(usize),
}

/// A reason not to call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// There may be none in a moment.
    ForNow,
    Mendable,
    ForGood,
}

impl Reason {
    pub(super) const ALL: [Self; 3] = [Self::ForNow, Self::Mendable, Self::ForGood];
}

/// What is true of a request, whatever it says of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Truth {
    /// Which clicks said yes, one bit each.
    pub(super) clicks: u8,
    /// Whether a yes stands.
    pub(super) yes: bool,
    /// How many of its adds may have taken effect, as far as anybody was told.
    pub(super) tried: u8,
}

/// A promise that a single step can break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Promise {
    OnlyWhatWePutIn,
    NotWhileHeld,
    Once,
    NobodyWithoutYes,
    EndNeverMoves,
    NotLonger,
    NotShorter,
}

/// Something that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Ask(usize),
    Approve {
        request: usize,
        click: u8,
    },
    Deny(usize),
    Cancel(usize),
    Expire(usize),
    Revoke(usize),
    Withdraw(usize),
    Stop(usize),
    /// A function loads, looks where it must, and writes, and nobody comes between.
    Do(Task),
    /// A function only loads.
    Load(Task),
    /// `escalation` looks whether the user is in the group.
    Look {
        worker: usize,
    },
    Write {
        worker: usize,
    },
    /// `escalation` finds a reason not to call, and nobody comes between.
    Refrain {
        request: usize,
        reason: Reason,
    },
    /// The same, some time after it loaded.
    RefrainLate {
        worker: usize,
        reason: Reason,
    },
    /// A call goes to Okta, its answer comes back and is recorded, and nobody comes between.
    Finish {
        call: usize,
        fate: Fate,
    },
    Land {
        call: usize,
    },
    ReadBack {
        call: usize,
    },
    /// Okta says no, or yes and does nothing; that is not recorded yet.
    Refuse {
        call: usize,
        fate: Fate,
    },
    AddByHand,
    RemoveByHand,
    Pass {
        seconds: i64,
    },
}

/// Names whose back-off has no jitter, so that there are only few different times.
static STAMPS: LazyLock<Vec<Stamp>> = LazyLock::new(|| {
    let names = (0..).map(|n| Stamp::new(format!("{n}")));
    let even = names.filter(|it| back_off(1, it) == SignedDuration::from_secs(1));
    even.take(32).collect()
});

pub(super) static IDS: LazyLock<[RequestId; REQUESTS]> =
    LazyLock::new(|| [RequestId::new("A"), RequestId::new("B")]);

impl System {
    pub(super) fn new() -> Self {
        Self {
            now: World::new().now,
            steps: 0,
            requests: [None, None],
            ledger: None,
            user: User::Out,
            hands: 0,
            calls: Vec::new(),
            workers: Vec::new(),
            truth: [Truth::default(); REQUESTS],
            broken: None,
        }
    }

    /// The state after `step`; none if it changes nothing.
    pub(super) fn after(&self, step: &Step, extends: bool) -> Option<Self> {
        let mut next = self.clone();
        next.take(step, extends)?;
        next.clear_up();
        Some(next)
    }

    fn take(&mut self, step: &Step, extends: bool) -> Option<()> {
        match step {
            Step::Ask(r) => self.ask(*r, extends && *r == 1),
            Step::Approve { request, click } => self.decide(*request, &yes(*click)),
            Step::Deny(r) => self.decide(
                *r,
                &Event::Deny {
                    actor: bob(),
                    click: click(),
                    permit: permit(Action::Deny),
                    note: None,
                },
            ),
            Step::Cancel(r) => self.decide(
                *r,
                &Event::Cancel {
                    actor: alice(),
                    click: click(),
                },
            ),
            Step::Expire(r) => self.decide(*r, &Event::Expire),
            Step::Revoke(r) => self.decide(
                *r,
                &Event::Revoke {
                    actor: bob(),
                    click: click(),
                    permit: Some(permit(Action::Revoke)),
                },
            ),
            Step::Withdraw(r) => self.decide(
                *r,
                &Event::Withdraw {
                    actor: alice(),
                    click: click(),
                },
            ),
            Step::Stop(r) => self.decide(*r, &Event::Stop),
            Step::Do(task) => {
                let mut worker = self.load(task)?;
                worker.look = worker.look.or_else(|| Some(self.look()));
                self.write(&worker)
            }
            Step::Load(task) => {
                let worker = self.load(task)?;
                self.workers.push(worker);
                Some(())
            }
            Step::Look { worker } => {
                let look = Some(self.look());
                self.workers.get_mut(*worker)?.look = look;
                Some(())
            }
            Step::Write { worker } => {
                let worker = self.workers.remove(*worker);
                self.write(&worker)
            }
            Step::Refrain { request, reason } => {
                let worker = self.load(&Task::Escalate(*request))?;
                self.happen(Some(*request), &worker.loaded, &refrain(*reason))
            }
            Step::RefrainLate { worker, reason } => {
                let worker = self.workers.remove(*worker);
                let Task::Escalate(r) = worker.task else {
                    return None;
                };
                self.happen(Some(r), &worker.loaded, &refrain(*reason))
            }
            Step::Finish { call, fate } => self.finish(*call, *fate),
            Step::Land { call } => {
                self.land(*call);
                Some(())
            }
            Step::ReadBack { call } => {
                let seen_out = !self.is_in();
                self.calls.get_mut(*call)?.stage = Stage::Known(Fate::Done { seen_out });
                Some(())
            }
            Step::Refuse { call, fate } => {
                self.calls.get_mut(*call)?.stage = Stage::Known(*fate);
                Some(())
            }
            Step::AddByHand => {
                self.add_by_hand();
                Some(())
            }
            Step::RemoveByHand => {
                self.hands -= 1;
                self.user = User::OutByHand;
                Some(())
            }
            Step::Pass { seconds } => {
                self.now += SignedDuration::from_secs(*seconds);
                Some(())
            }
        }
    }

    /// What a function loads before it does `task`; none if it sees then that there is nothing to do.
    pub(super) fn load(&self, task: &Task) -> Option<Worker> {
        let (about, look) = match task {
            Task::Escalate(r) => (Some(*r), None),
            Task::Deescalate(r) | Task::HandOver(r) => (Some(*r), Some(Look::Skipped)),
            Task::Ledger => (None, Some(Look::Skipped)),
            Task::Record(id) => {
                let sent = self.calls.iter().find(|it| it.id == *id)?;
                (sent.by, Some(Look::Skipped))
            }
        };
        let loaded = self.loaded(about);
        let mut worker = Worker {
            task: task.clone(),
            look,
            loaded: Arc::new(loaded),
        };
        match task {
            Task::Escalate(_) => {
                let request = worker.loaded.request.as_ref()?;
                let item = worker.loaded.membership.as_ref();
                let is_claimed = request.drive_at.is_some_and(|at| at > self.now);
                let is_wanted = match request.state {
                    State::Approved => true,
                    State::Escalating => !is_claimed,
                    State::Active => !item.is_some_and(|item| item.agreed),
                    _ => false,
                };
                if !Membership::needs_look(item, self.now) {
                    worker.look = Some(Look::Skipped);
                }
                is_wanted.then_some(worker)
            }
            Task::Deescalate(_) => {
                let request = worker.loaded.request.as_ref()?;
                let is_open = request.state != State::Pending && !request.state.is_final();
                is_open.then_some(worker)
            }
            Task::Ledger => worker.loaded.membership.is_some().then_some(worker),
            Task::Record(_) | Task::HandOver(_) => Some(worker),
        }
    }

    pub(super) fn look(&self) -> Look {
        if self.is_in() { Look::In } else { Look::Out }
    }

    /// Decides on what the worker loaded and writes that, unless it moved meanwhile.
    pub(super) fn write(&mut self, worker: &Worker) -> Option<()> {
        match &worker.task {
            Task::Escalate(r) => {
                let look = worker.look?;
                self.happen(Some(*r), &worker.loaded, &Event::Escalate { look })
            }
            Task::Deescalate(r) => self.happen(Some(*r), &worker.loaded, &Event::Deescalate),
            Task::Ledger => self.happen(None, &worker.loaded, &Event::Deescalate),
            Task::Record(id) => {
                let at = self.calls.iter().position(|it| it.id == *id)?;
                let Stage::Known(fate) = self.calls[at].stage else {
                    return None;
                };
                let sent = self.calls.remove(at);
                self.answer(&sent, &worker.loaded, fate)
            }
            Task::HandOver(r) => {
                self.happen(Some(*r), &worker.loaded, &hand_over())?;
                if self.is_in() {
                    self.user = User::HandedOver;
                }
                Some(())
            }
        }
    }

    pub(super) fn answer(&mut self, sent: &Sent, loaded: &Loaded, fate: Fate) -> Option<()> {
        let event = Event::Answered {
            call: sent.id.clone(),
            answer: answer(fate),
        };
        self.happen(sent.by, loaded, &event)
    }

    fn finish(&mut self, call: usize, fate: Fate) -> Option<()> {
        if fate == Fate::GOOD {
            self.land(call);
        }
        let (fate, sent) = match (self.calls[call].stage, fate) {
            (Stage::Landed, Fate::GOOD) => {
                let seen_out = !self.is_in();
                (Fate::Done { seen_out }, self.calls.remove(call))
            }
            (Stage::Known(known), Fate::GOOD) => (known, self.calls.remove(call)),
            (Stage::Sent, Fate::Unclear) => {
                self.calls[call].stage = Stage::Given;
                (fate, self.calls[call].clone())
            }
            _ => (fate, self.calls.remove(call)),
        };
        let loaded = self.loaded(sent.by);
        self.answer(&sent, &loaded, fate)
    }

    /// The call takes effect in Okta.
    pub(super) fn land(&mut self, call: usize) {
        let sent = &mut self.calls[call];
        let is_given = match sent.stage {
            Stage::Sent => false,
            Stage::Given => true,
            Stage::Landed | Stage::Known(_) => return,
        };
        let adds = sent.kind == CallKind::Add;
        sent.stage = if adds {
            Stage::Known(Fate::Done { seen_out: false })
        } else {
            Stage::Landed
        };
        if self.user == User::HandedOver {
            // Nothing that Stint does makes it less theirs.
            let taken = (!adds).then_some(Promise::OnlyWhatWePutIn);
            self.broken = self.broken.or(taken);
        } else if adds {
            self.user = User::In;
        } else if self.is_in() {
            self.user = User::Out;
        }
        if is_given {
            self.calls.remove(call);
        }
    }

    /// Whoever looked before, or does not have to, cannot see it; everybody else can.
    fn add_by_hand(&mut self) {
        self.hands -= 1;
        let is_add = |kind: CallKind| kind == CallKind::Add;
        let is_claimed = self
            .ledger
            .as_ref()
            .is_some_and(|item| item.ours || item.calls.iter().any(|it| is_add(it.kind)));
        let is_under_way = self.calls.iter().any(|it| is_add(it.kind));
        let has_looked = self
            .workers
            .iter()
            .any(|it| matches!(it.task, Task::Escalate(_)) && it.look.is_some());
        self.user = if is_claimed || is_under_way || has_looked {
            User::InByHand
        } else {
            User::Standing
        };
    }

    fn ask(&mut self, r: usize, extends: bool) -> Option<()> {
        if self.requests[r].is_some() {
            return None;
        }
        let mut form = form(r, self.look());
        if extends {
            form.extends = Some(IDS[0].clone());
            form.permit = permit(Action::Extend);
        }
        let open = self.requests.iter().flatten();
        let mut pending = open.filter(|it| it.state == State::Pending);
        let loaded = Loaded {
            request: None,
            membership: self.ledger.as_deref().cloned(),
            extended: self.requests[0].as_deref().filter(|_| extends).cloned(),
            twin: pending.next().map(|it| it.id.clone()),
        };
        self.happen(Some(r), &loaded, &Event::Submit(Box::new(form)))
    }

    /// A decision is about a request alone: what is loaded is all that it is conditional on.
    fn decide(&mut self, r: usize, event: &Event) -> Option<()> {
        let loaded = Loaded {
            request: Some(self.requests[r].as_deref()?.clone()),
            ..Loaded::default()
        };
        self.happen(Some(r), &loaded, event)
    }

    pub(super) fn loaded(&self, about: Option<usize>) -> Loaded {
        let request = about.and_then(|r| self.requests[r].as_deref()).cloned();
        let extends = request.as_ref().and_then(|it| it.extends.as_ref());
        let extended = extends.and(self.requests[0].as_deref()).cloned();
        Loaded {
            request,
            membership: self.ledger.as_deref().cloned(),
            extended,
            twin: None,
        }
    }

    /// Decides on what was `loaded` and writes it. None if that is refused, or was moved meanwhile,
    /// or changes nothing.
    pub(super) fn happen(
        &mut self,
        about: Option<usize>,
        loaded: &Loaded,
        event: &Event,
    ) -> Option<()> {
        let stamp = self.fresh();
        let step = transition(loaded, event, self.now, &stamp, "").ok()?;
        let keeps = matches!(
            step.membership,
            MembershipChange::Keep | MembershipChange::Check
        );
        if (step.request.is_none() && keeps) || !self.is_unmoved(about, loaded, &step) {
            return None;
        }
        self.watch(about, loaded, event, &step);
        for (r, request) in [(about, step.request), (Some(0), step.extended)] {
            if let (Some(r), Some(request)) = (r, request) {
                self.requests[r] = Some(Arc::new(bare(request)));
            }
        }
        match step.membership {
            MembershipChange::Keep | MembershipChange::Check => {}
            MembershipChange::Put(mut item) => {
                // Only how long the next wait is depends on it.
                item.tries = 0;
                self.ledger = Some(Arc::new(item));
            }
            MembershipChange::Delete => self.ledger = None,
        }
        for effect in step.effects {
            if let Effect::Send { call, kind, .. } = effect {
                self.calls.push(Sent {
                    id: call,
                    kind,
                    by: about,
                    at: self.now,
                    stage: Stage::Sent,
                });
            }
        }
        Some(())
    }

    /// The conditions under which the table takes the write.
    fn is_unmoved(&self, about: Option<usize>, loaded: &Loaded, step: &Transition) -> bool {
        let version = |it: Option<&Request>| it.map(|it| it.version);
        let is_free = |r: usize, before: Option<&Request>| {
            version(self.requests[r].as_deref()) == version(before)
        };
        let request =
            about.is_none_or(|r| step.request.is_none() || is_free(r, loaded.request.as_ref()));
        let extended = step.extended.is_none() || is_free(0, loaded.extended.as_ref());
        let before = loaded.membership.as_ref().map(|it| &it.version);
        let item = match &step.membership {
            MembershipChange::Keep => true,
            MembershipChange::Delete if before.is_none() => true,
            _ => self.ledger.as_deref().map(|it| &it.version) == before,
        };
        request && extended && item
    }

    /// A name that nothing has.
    fn fresh(&self) -> Stamp {
        let ledgers = self
            .workers
            .iter()
            .filter_map(|it| it.loaded.membership.as_ref());
        let ledgers: Vec<&Membership> = ledgers.chain(self.ledger.as_deref()).collect();
        let is_used = |stamp: &&Stamp| {
            let in_item = |item: &&Membership| {
                item.version == **stamp || item.calls.iter().any(|it| it.id == **stamp)
            };
            ledgers.iter().any(in_item) || self.calls.iter().any(|it| it.id == **stamp)
        };
        STAMPS.iter().find(|it| !is_used(it)).unwrap().clone()
    }

    /// Forgets what can have no effect any more.
    fn clear_up(&mut self) {
        let (now, ledger) = (self.now, self.ledger.clone());
        self.calls.retain(|sent| match sent.stage {
            Stage::Sent | Stage::Given => now.duration_since(sent.at) < CALL_LIFE,
            Stage::Landed | Stage::Known(_) => ledger
                .as_ref()
                .is_some_and(|item| item.calls.iter().any(|it| it.id == sent.id)),
        });
        let workers = std::mem::take(&mut self.workers);
        let is_alive = |it: &Worker| {
            let is_known = match &it.task {
                Task::Record(id) => self.calls.iter().any(|call| call.id == *id),
                _ => true,
            };
            is_known && (self.has_fresh_request(it) || self.has_fresh_ledger(it))
        };
        let alive = workers.into_iter().filter(is_alive).collect();
        self.workers = alive;
    }

    pub(super) fn about(&self, worker: &Worker) -> Option<usize> {
        match &worker.task {
            Task::Escalate(r) | Task::Deescalate(r) | Task::HandOver(r) => Some(*r),
            Task::Ledger => None,
            Task::Record(id) => self.calls.iter().find(|it| it.id == *id)?.by,
        }
    }

    /// Whether what the worker loaded of its request still stands there.
    pub(super) fn has_fresh_request(&self, worker: &Worker) -> bool {
        let loaded = worker.loaded.request.as_ref();
        let now = self.about(worker).and_then(|r| self.requests[r].as_deref());
        loaded.is_some() && loaded.map(|it| it.version) == now.map(|it| it.version)
    }

    /// Whether what the worker loaded of the ledger still stands there.
    pub(super) fn has_fresh_ledger(&self, worker: &Worker) -> bool {
        let loaded = worker.loaded.membership.as_ref();
        loaded.map(|it| &it.version) == self.ledger.as_deref().map(|it| &it.version)
    }

    /// Whether what the worker loaded of the extended request still stands there.
    pub(super) fn has_fresh_extended(&self, worker: &Worker) -> bool {
        let loaded = worker.loaded.extended.as_ref();
        let now = self.requests[0].as_deref();
        loaded.is_none() || loaded.map(|it| it.version) == now.map(|it| it.version)
    }

    /// The moments at which something changes because time passes.
    pub(super) fn moments(&self) -> Vec<Timestamp> {
        let mut moments = Vec::new();
        for request in self.requests.iter().flatten() {
            if request.state.is_final() {
                continue;
            }
            moments.extend(request.drive_at);
            if request.state == State::Pending {
                moments.push(request.expires_at);
            }
            moments.extend(ends(request));
        }
        if let Some(item) = &self.ledger {
            moments.extend(item.due_at);
            moments.extend(item.removed_at.map(|at| at + REMOVAL_MEMORY));
            moments.extend(item.calls.iter().map(|it| it.at + CALL_LIFE));
        }
        moments.extend(self.calls.iter().map(|it| it.at + CALL_LIFE));
        moments.retain(|at| *at > self.now);
        moments.sort_unstable();
        moments.dedup();
        moments
    }

    /// How far time may go on: to the next of these moments, or to where something ends.
    pub(super) fn passes(&self) -> Vec<i64> {
        let next = self.moments().first().copied();
        let open = self.requests.iter().flatten();
        let ends = open.flat_map(|it| ends(it)).filter(|at| *at > self.now);
        let mut passes: Vec<i64> = next
            .into_iter()
            .chain(ends)
            .map(|at| at.duration_since(self.now).as_secs())
            .collect();
        passes.sort_unstable();
        passes.dedup();
        passes
    }

    /// How it stands, in one line.
    pub(super) fn tell(&self) -> String {
        let requests = self.requests.iter().flatten().map(|it| {
            let left = |at: Option<Timestamp>| at.map(|at| at.duration_since(self.now).as_secs());
            let (end, due) = (left(it.ends_at), left(it.drive_at));
            format!("{} {}, ends {end:?}, due {due:?}", it.id, it.state.as_str())
        });
        let requests: Vec<String> = requests.collect();
        let ledger = self.ledger.as_ref().map(|it| {
            let calls: Vec<_> = it.calls.iter().map(|it| (it.kind, it.clean)).collect();
            let holders: Vec<&str> = it.holders.iter().map(RequestId::as_str).collect();
            format!(
                "{holders:?}, ours {}, agreed {}, {calls:?}",
                it.ours, it.agreed
            )
        });
        let calls: Vec<_> = self.calls.iter().map(|it| (it.kind, it.stage)).collect();
        format!(
            "{}; ledger {ledger:?}; on the way {calls:?}; user {:?}",
            requests.join("; "),
            self.user
        )
    }

    /// Whether the user is in the group.
    pub(super) fn is_in(&self) -> bool {
        !matches!(self.user, User::Out | User::OutByHand)
    }

    /// Whether the user is in the group and no administrator put them there.
    pub(super) fn is_in_through_stint(&self) -> bool {
        self.user == User::In
    }

    /// Whether a grant lasts.
    pub(super) fn is_held(&self) -> bool {
        self.requests.iter().flatten().any(|it| self.holds(it))
    }

    pub(super) fn holds(&self, request: &Request) -> bool {
        let is_open = matches!(request.state, State::Escalating | State::Active);
        is_open && request.ends_at.is_some_and(|end| end > self.now)
    }

    /// Holds a write against the promises.
    fn watch(&mut self, about: Option<usize>, loaded: &Loaded, event: &Event, step: &Transition) {
        let mut broken = None;
        if let (Some(r), Some(next)) = (about, &step.request) {
            let before = loaded.request.as_ref();
            broken = self.watch_request(r, before, event, next);
        }
        for effect in &step.effects {
            let Effect::Send { kind, .. } = effect else {
                continue;
            };
            if matches!(self.user, User::Standing | User::HandedOver) {
                broken = Some(Promise::OnlyWhatWePutIn);
            }
            match (kind, about, &step.request) {
                (CallKind::Remove, _, _) => {
                    let others = self.requests.iter().enumerate();
                    let mut others = others.filter(|(r, _)| Some(*r) != about);
                    if others.any(|(_, it)| it.as_ref().is_some_and(|it| self.holds(it))) {
                        broken = Some(Promise::NotWhileHeld);
                    }
                }
                (CallKind::Add, Some(r), Some(next)) => {
                    let truth = &mut self.truth[r];
                    truth.tried += 1;
                    let late = next.state != State::Active
                        && next
                            .approved_at
                            .is_none_or(|at| at + ESCALATION_LIMIT <= self.now);
                    if !truth.yes {
                        broken = Some(Promise::NobodyWithoutYes);
                    } else if late || next.ends_at.is_none_or(|end| end <= self.now) {
                        broken = Some(Promise::NotLonger);
                    }
                }
                (CallKind::Add, _, _) => broken = Some(Promise::NobodyWithoutYes),
            }
        }
        self.broken = self.broken.or(broken);
    }

    fn watch_request(
        &mut self,
        r: usize,
        before: Option<&Request>,
        event: &Event,
        next: &Request,
    ) -> Option<Promise> {
        let mut broken = None;
        let truth = &mut self.truth[r];
        let is_add = |id: &Stamp| {
            let calls = self.ledger.iter().flat_map(|item| &item.calls);
            let mut adds = calls.filter(|it| it.kind == CallKind::Add);
            adds.any(|it| it.id == *id)
        };
        if let Event::Answered { call, answer } = event
            && matches!(answer, Answer::Refused { .. } | Answer::NotDone { .. })
            && is_add(call)
        {
            truth.tried = truth.tried.saturating_sub(1);
        }
        let from = before.map(|it| it.state);
        if next.state == State::Approved && from != Some(State::Approved) {
            let Event::Approve { click, .. } = event else {
                return Some(Promise::NobodyWithoutYes);
            };
            let bit = 1 << click.as_str().len();
            if truth.clicks & bit != 0 || from != Some(State::Pending) {
                broken = Some(Promise::Once);
            }
            truth.clicks |= bit;
            truth.yes = true;
        }
        let (was, is) = (before.and_then(|it| it.ends_at), next.ends_at);
        let duration = SignedDuration::from_secs(next.duration_s.cast_signed());
        if truth.tried > 0 && is != was {
            broken = Some(Promise::EndNeverMoves);
        }
        // The clock starts with the first attempt.
        if is != was && is.is_some_and(|end| end != self.now + duration) {
            broken = Some(Promise::EndNeverMoves);
        }
        if let (Some(approved), Some(end)) = (next.approved_at, is)
            && end > approved + ESCALATION_LIMIT + duration
        {
            broken = Some(Promise::NotLonger);
        }
        let is_elapsed = |it: &Request| it.why == Some(Why::Elapsed);
        if is_elapsed(next)
            && !before.is_some_and(is_elapsed)
            && was.is_none_or(|end| end > self.now)
        {
            broken = Some(Promise::NotShorter);
        }
        if next.state == State::Pending || next.state.is_final() {
            (truth.yes, truth.tried) = (false, 0);
        }
        broken
    }
}

/// When the request ends, or is given up.
fn ends(request: &Request) -> Vec<Timestamp> {
    let limit = request.approved_at.map(|at| at + ESCALATION_LIMIT);
    match request.state {
        State::Approved | State::Escalating => request.ends_at.into_iter().chain(limit).collect(),
        State::Active => request.ends_at.into_iter().collect(),
        _ => Vec::new(),
    }
}

fn answer(fate: Fate) -> Answer {
    let trouble = crate::Trouble::default();
    match fate {
        Fate::Done { seen_out } => Answer::Done {
            seen_out,
            okta_request_id: None,
        },
        Fate::Refused { mendable } => Answer::Refused { mendable, trouble },
        Fate::NotDone => Answer::NotDone {
            after: SignedDuration::from_secs(1),
            trouble,
        },
        Fate::Unclear => Answer::Unclear { trouble },
    }
}

fn refrain(reason: Reason) -> Event {
    let trouble = crate::Trouble::default();
    match reason {
        Reason::ForNow => Event::Postpone {
            after: SignedDuration::from_secs(1),
            trouble,
        },
        Reason::Mendable | Reason::ForGood => Event::Unfit {
            mendable: reason == Reason::Mendable,
            trouble,
        },
    }
}

fn hand_over() -> Event {
    Event::HandOver(HandOver {
        by: String::new(),
        reason: String::new(),
    })
}

/// The request without what has no influence on who is in the group: its words, its card, its
/// messages.
fn bare(mut request: Request) -> Request {
    request.flow.clear();
    request.flow_label.clear();
    request.label.clear();
    request.error_channel.clear();
    request.reason.clear();
    request.cards.clear();
    request.owed.clear();
    request.attempts = 0;
    (request.trouble, request.decision, request.handed_over) = (None, None, None);
    (request.surfaces_at, request.remind_at, request.fallback_at) = (None, None, None);
    request
}

fn form(r: usize, look: Look) -> Submission {
    Submission {
        org: Org::new(""),
        group: Group::new(""),
        requester: alice(),
        look,
        ..World::new().form(IDS[r].as_str(), DURATIONS_S[r])
    }
}

fn yes(click: u8) -> Event {
    Event::Approve {
        actor: bob(),
        click: Click::new("x".repeat(usize::from(click))),
        permit: permit(Action::Approve),
        note: None,
        requester: alice(),
        needed: 1,
    }
}

/// A click that nobody made before.
fn click() -> Click {
    Click::new("another")
}

fn alice() -> Person {
    Person {
        slack: SlackUser::new(""),
        okta: Some(OktaUser::new("")),
        email: None,
    }
}

fn bob() -> Person {
    world::person("bob")
}
