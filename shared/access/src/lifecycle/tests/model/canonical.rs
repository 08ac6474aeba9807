//! What of a system influences what can come of it, the same for all systems with the same future:
//! times are told from now on, past ones are all the same, and stamps only say what they name.

use std::hash::{Hash, Hasher};

use jiff::{SignedDuration, Timestamp};

use super::system::{Fate, IDS, Stage, System, Task, Worker};
use crate::{
    CALL_LIFE, CallKind, ESCALATION_LIMIT, Loaded, Look, Membership, REMOVAL_MEMORY, Request,
    RequestId, Stamp, State, Why,
};

impl Hash for System {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.key().hash(hasher);
    }
}

impl PartialEq for System {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

/// A system, spelled out.
struct Key {
    bytes: Vec<u8>,
    now: Timestamp,
}

impl System {
    pub(super) fn key(&self) -> Vec<u8> {
        let mut key = Key {
            bytes: Vec::with_capacity(160),
            now: self.now,
        };
        key.byte(self.user as u8);
        key.byte(self.hands);
        key.byte(self.broken.map_or(0, |it| it as u8 + 1));
        for (request, truth) in self.requests.iter().zip(&self.truth) {
            key.option(request.as_deref(), Key::request);
            key.bytes.extend([truth.clicks, truth.tried]);
            key.flags(&[truth.yes]);
        }
        key.option(self.ledger.as_deref(), |key, item| {
            key.item(item);
            let at = |id: &Stamp| item.calls.iter().position(|it| it.id == *id);
            key.place(at(&item.version));
        });
        let in_ledger = |id: &Stamp| {
            let mut calls = self.ledger.iter().flat_map(|item| &item.calls);
            calls.position(|it| it.id == *id)
        };
        key.count(self.calls.len());
        for sent in &self.calls {
            key.place(in_ledger(&sent.id));
            key.flags(&[sent.kind == CallKind::Add]);
            key.place(sent.by);
            match sent.stage {
                Stage::Sent => key.byte(0),
                Stage::Given => key.byte(1),
                Stage::Landed => key.byte(2),
                Stage::Known(fate) => key.fate(fate),
            }
            if matches!(sent.stage, Stage::Sent | Stage::Given) {
                key.past(sent.at, CALL_LIFE);
            }
        }
        let mut workers: Vec<Vec<u8>> = self.workers.iter().map(|it| self.worker(it)).collect();
        workers.sort_unstable();
        key.count(workers.len());
        key.bytes.extend(workers.into_iter().flatten());
        key.bytes
    }

    fn worker(&self, worker: &Worker) -> Vec<u8> {
        let mut key = Key {
            bytes: Vec::new(),
            now: self.now,
        };
        match &worker.task {
            Task::Escalate(r) => key.bytes.extend([1, u8::from(*r == 1)]),
            Task::Deescalate(r) => key.bytes.extend([2, u8::from(*r == 1)]),
            Task::Ledger => key.byte(3),
            Task::Record(id) => {
                key.byte(4);
                key.place(self.calls.iter().position(|it| it.id == *id));
            }
            Task::HandOver(r) => key.bytes.extend([5, u8::from(*r == 1)]),
        }
        key.byte(match worker.look {
            None => 0,
            Some(Look::Skipped) => 1,
            Some(Look::Out) => 2,
            Some(Look::In) => 3,
        });
        let Loaded {
            request,
            membership,
            extended,
            ..
        } = &*worker.loaded;
        let fresh = [
            self.has_fresh_request(worker),
            self.has_fresh_ledger(worker),
            self.has_fresh_extended(worker),
        ];
        key.flags(&fresh);
        // What is still as it was loaded is told already.
        if !fresh[0] {
            key.option(request.as_ref(), Key::request);
        }
        if !fresh[1] {
            key.option(membership.as_ref(), Key::item);
        }
        if !fresh[2] {
            key.option(extended.as_ref(), Key::request);
        }
        key.bytes
    }
}

impl Key {
    fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    fn count(&mut self, count: usize) {
        self.byte(count.try_into().unwrap());
    }

    fn place(&mut self, at: Option<usize>) {
        self.count(at.map_or(0, |at| at + 1));
    }

    fn flags(&mut self, flags: &[bool]) {
        let bits = flags
            .iter()
            .fold(0, |bits, flag| bits << 1 | u8::from(*flag));
        self.byte(bits);
    }

    fn option<T>(&mut self, value: Option<&T>, tell: impl FnOnce(&mut Self, &T)) {
        self.flags(&[value.is_some()]);
        if let Some(value) = value {
            tell(self, value);
        }
    }

    /// How long it is until `at`.
    fn until(&mut self, at: Option<Timestamp>) {
        let left = at.map_or(-1, |at| at.duration_since(self.now).as_secs().max(0));
        self.bytes
            .extend(i32::try_from(left).unwrap().to_le_bytes());
    }

    /// How long ago `at` was, as far as it matters.
    fn past(&mut self, at: Timestamp, matters: SignedDuration) {
        self.until(Some(at + matters));
    }

    fn fate(&mut self, fate: Fate) {
        self.byte(match fate {
            Fate::Done { seen_out } => 3 + u8::from(seen_out),
            Fate::Refused { mendable } => 5 + u8::from(mendable),
            Fate::NotDone => 7,
            Fate::Unclear => 8,
        });
    }

    fn request(&mut self, request: &Request) {
        self.byte(request.state as u8);
        match request.state {
            State::Pending => {
                self.until(request.drive_at);
                self.until(Some(request.expires_at));
                let undone = request.undone.iter();
                let bits = undone.fold(0, |bits, it| bits | 1 << it.as_str().len());
                self.byte(bits);
            }
            State::Approved | State::Escalating => {
                self.until(request.drive_at);
                self.until(request.ends_at);
                self.until(request.approved_at.map(|at| at + ESCALATION_LIMIT));
                self.count(request.uncertain as usize);
                self.clicks(request);
            }
            State::Active => {
                self.until(request.drive_at);
                self.until(request.ends_at);
            }
            State::Deescalating => {
                self.until(request.drive_at);
                self.flags(&[request.why == Some(Why::Failed)]);
            }
            _ => self.flags(&[
                request.why == Some(Why::AlreadyMember),
                request.why == Some(Why::Superseded),
            ]),
        }
    }

    /// The clicks that can be delivered once more after it waits again.
    fn clicks(&mut self, request: &Request) {
        let approvals = request.approvals.iter().map(|it| &it.click);
        let clicks = approvals.chain(&request.undone);
        let bits = clicks.fold(0, |bits, it| bits | 1 << it.as_str().len());
        self.byte(bits);
    }

    fn item(&mut self, item: &Membership) {
        let holds = |id: &RequestId| item.holders.contains(id);
        self.flags(&[holds(&IDS[0]), holds(&IDS[1]), item.ours, item.agreed]);
        self.until(item.due_at);
        let removed = item.removed_at;
        self.until(
            removed
                .map(|at| at + REMOVAL_MEMORY)
                .filter(|at| *at > self.now),
        );
        self.count(item.calls.len());
        for call in &item.calls {
            self.flags(&[call.kind == CallKind::Add, call.clean]);
            self.past(call.at, CALL_LIFE);
        }
    }
}
