//! Everything goes well from here on: what is on its way arrives as late as it can, nobody who has
//! loaded writes any more, no hand-off and no schedule comes, and the sweep does the rest.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};

use jiff::{SignedDuration, Timestamp};

use super::system::{Fate, Stage, System, Task};
use crate::{CALL_LIFE, Event, State};

/// How long somebody may be in for whom nobody holds it, while everything goes well.
const LATEST_S: i64 = 90;

/// More steps than any recovery takes.
const STEPS: usize = 2000;

/// The shortest wait between two drives of one item.
const PAUSE: SignedDuration = SignedDuration::from_secs(1);

/// How many seconds somebody stays in unheld from each state on; none where they are left in.
pub(super) type Known = HashMap<u64, Option<i64>>;

/// Whether from `system` on, when everything goes well, nobody is left in, nobody stays in for long,
/// every request comes to its end, and nothing is left in the ledger.
pub(super) fn ends_well(system: &System, known: &mut Known) -> bool {
    let mut system = system.clone();
    system.workers.clear();
    system.hands = 0;
    system.calls.retain_mut(|sent| {
        let is_on_its_way = matches!(sent.stage, Stage::Sent | Stage::Given);
        sent.stage = Stage::Given;
        is_on_its_way
    });
    let mut path = Vec::new();
    let mut unheld = None;
    for _ in 0..STEPS {
        let name = name(&system);
        if let Some(rest) = known.get(&name) {
            unheld = *rest;
            break;
        }
        system.sweep();
        if system.is_over() {
            unheld = (!system.is_in_through_stint()).then_some(0);
        }
        if system.is_over() || system.broken.is_some() {
            path.push((name, 0));
            break;
        }
        let before = system.now;
        let is_unheld = system.is_in_through_stint() && !system.is_held();
        let Some(next) = system.next_moment() else {
            path.push((name, 0));
            break;
        };
        system.pass_until(next);
        let passed = next.duration_since(before).as_secs();
        path.push((name, if is_unheld { passed } else { 0 }));
    }
    for (name, passed) in path.into_iter().rev() {
        unheld = unheld.map(|rest| rest + passed);
        known.insert(name, unheld);
    }
    unheld.is_some_and(|unheld| unheld <= LATEST_S)
}

fn name(system: &System) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(&system.key());
    hasher.finish()
}

impl System {
    fn is_over(&self) -> bool {
        let mut requests = self.requests.iter().flatten();
        requests.all(|it| it.state.is_final()) && self.ledger.is_none() && self.calls.is_empty()
    }

    fn is_due(&self, at: Option<Timestamp>) -> bool {
        at.is_some_and(|at| at <= self.now)
    }

    /// Everything that is due is driven, as `deescalation` does, and what is announced goes through.
    fn sweep(&mut self) {
        for r in 0..self.requests.len() {
            let Some(request) = self.requests[r].clone() else {
                continue;
            };
            if !self.is_due(request.drive_at) {
                continue;
            }
            if request.state == State::Pending {
                let loaded = self.loaded(Some(r));
                self.happen(Some(r), &loaded, &Event::Expire);
            } else if self.drive(&Task::Deescalate(r)).is_none() {
                self.drive(&Task::Escalate(r));
            }
        }
        let item = self.ledger.as_ref();
        if self.is_due(item.and_then(|item| item.due_at)) {
            self.drive(&Task::Ledger);
            // Whoever holds it is handed to `escalation` if Okta was not seen to agree.
            for r in 0..self.requests.len() {
                let request = self.requests[r].as_ref();
                if request.is_some_and(|it| it.state == State::Active) {
                    self.drive(&Task::Escalate(r));
                }
            }
        }
    }

    fn drive(&mut self, task: &Task) -> Option<()> {
        let mut worker = self.load(task)?;
        worker.look = worker.look.or_else(|| Some(self.look()));
        self.write(&worker)?;
        while let Some(call) = self.calls.iter().position(|it| it.stage == Stage::Sent) {
            self.land(call);
            let sent = self.calls.remove(call);
            let fate = match sent.stage {
                Stage::Known(fate) => fate,
                _ => Fate::Done {
                    seen_out: !self.is_in(),
                },
            };
            let loaded = self.loaded(sent.by);
            self.answer(&sent, &loaded, fate);
        }
        Some(())
    }

    fn next_moment(&self) -> Option<Timestamp> {
        let requests = self.requests.iter().flatten().map(|it| it.drive_at);
        let item = self.ledger.iter().map(|it| it.due_at);
        let again = requests.chain(item).any(|at| self.is_due(at));
        let again = again.then_some(self.now + PAUSE);
        self.moments().into_iter().chain(again).min()
    }

    /// Time goes on; whatever is on its way arrives just before it no longer can.
    fn pass_until(&mut self, next: Timestamp) {
        while let Some(call) = self.calls.iter().position(|it| it.at + CALL_LIFE <= next) {
            self.land(call);
        }
        self.now = next;
    }
}
