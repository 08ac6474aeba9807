//! What makes time happen: schedules fire, sweeps run, sleepers wake, failed hand-offs are tried
//! again, each when its time comes.

use std::sync::Arc;

use aws::Clock;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde_json::json;
use tokio::sync::{Mutex, MutexGuard};

use crate::aws_endpoint::{Dynamo, Scheduler};
use crate::clock::SandboxClock;
use crate::functions::Function;
use crate::handoffs::Handoffs;
use crate::work::Work;

/// How far apart the sweeps are.
const SWEEP_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// How far apart the comparisons of Okta with the ledger are.
const DRIFT_EVERY: SignedDuration = SignedDuration::from_mins(15);

/// How far ahead a sweep of `deescalation` looks.
const SWEEP_WINDOW: SignedDuration = SignedDuration::from_secs(120);

/// Makes time happen.
#[derive(Debug)]
pub(crate) struct Engine {
    clock: SandboxClock,
    scheduler: Arc<Scheduler>,
    handoffs: Handoffs,
    dynamo: Dynamo,
    work: Work,
    /// Whoever has it makes time happen.
    turn: Mutex<Turn>,
}

#[derive(Debug)]
struct Turn {
    next_sweep: Timestamp,
    next_drift: Timestamp,
}

/// What happened while time was moved forward.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Visited {
    /// The schedules that fired, in order.
    pub(crate) fired: Vec<String>,
    /// How many sweeps there were, those among them that could not find anything.
    pub(crate) sweeps: u64,
}

/// Something whose time had come.
enum Happened {
    Woken,
    Fired(Vec<String>),
    Retried,
    Swept,
    Compared,
}

impl Engine {
    /// The first sweep is due at once, like everything that came due while nothing ran.
    pub(crate) fn new(
        clock: SandboxClock,
        scheduler: Arc<Scheduler>,
        handoffs: Handoffs,
        dynamo: Dynamo,
        work: Work,
    ) -> Arc<Self> {
        let next_sweep = clock.now();
        let next_drift = next_sweep + DRIFT_EVERY;
        Arc::new(Self {
            clock,
            scheduler,
            handoffs,
            dynamo,
            work,
            turn: Mutex::new(Turn {
                next_sweep,
                next_drift,
            }),
        })
    }

    /// Sets off everything that is due now.
    pub(crate) async fn catch_up(&self) {
        let mut turn = self.turn.lock().await;
        while self.happen(&mut turn).is_some() {}
    }

    /// Sets off everything when it is due, for good.
    pub(crate) async fn run(&self) {
        loop {
            let next = self.next(&*self.turn.lock().await);
            self.clock.flow_until(next).await;
            self.catch_up().await;
        }
    }

    /// Moves time forward to `target`, and lets everything in between happen in order: each thing
    /// when nothing is under way any more.
    pub(crate) async fn advance(&self, by: SignedDuration) -> Result<Visited, jiff::Error> {
        let mut turn = self.turn.lock().await;
        let start = self.clock.now();
        let target = start.checked_add(by)?;
        self.clock.hold_at(start);
        self.work.settled().await;
        let mut visited = Visited::default();
        loop {
            visited.sweeps += self.pass_over(&mut turn, target);
            let next = self.next(&turn);
            if next > target {
                break;
            }
            self.clock.hold_at(next.max(self.clock.now()));
            while let Some(happened) = self.happen(&mut turn) {
                self.work.settled().await;
                match happened {
                    Happened::Fired(names) => visited.fired.extend(names),
                    Happened::Swept => visited.sweeps += 1,
                    Happened::Woken | Happened::Retried | Happened::Compared => {}
                }
            }
        }
        self.clock.hold_at(target);
        self.clock.release();
        Ok(visited)
    }

    /// Returns once time is not being moved forward and nothing is under way.
    pub(crate) async fn settled(&self) {
        loop {
            self.work.settled().await;
            if self.still().is_some() {
                return;
            }
            drop(self.turn.lock().await);
        }
    }

    /// Whether time is not being moved forward and nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.still().is_some()
    }

    fn still(&self) -> Option<MutexGuard<'_, Turn>> {
        let turn = self.turn.try_lock().ok()?;
        self.work.is_idle().then_some(turn)
    }

    /// When something is due next.
    fn next(&self, turn: &Turn) -> Timestamp {
        let next = self.next_but_regular();
        let regular = turn.next_sweep.min(turn.next_drift);
        next.map_or(regular, |next| next.min(regular))
    }

    /// The same without what happens every so often.
    fn next_but_regular(&self) -> Option<Timestamp> {
        let all = [
            self.clock.next_sleeper(),
            self.scheduler.next(),
            self.handoffs.next_retry(),
        ];
        all.into_iter().flatten().min()
    }

    /// Sets off the first thing that is due now, if anything is; the schedules that are due together.
    fn happen(&self, turn: &mut Turn) -> Option<Happened> {
        let now = self.clock.now();
        if self.clock.next_sleeper().is_some_and(|at| at <= now) {
            self.clock.wake();
            return Some(Happened::Woken);
        }
        let (names, due): (Vec<_>, Vec<_>) = self.scheduler.due().into_iter().unzip();
        if !due.is_empty() {
            for schedule in due {
                self.handoffs.hand(schedule.function, &schedule.input);
            }
            self.scheduler.done(&names);
            return Some(Happened::Fired(names));
        }
        if self.handoffs.retry() {
            return Some(Happened::Retried);
        }
        if turn.next_sweep <= now {
            self.wake("sweep");
            while turn.next_sweep <= now {
                turn.next_sweep += SWEEP_EVERY;
            }
            return Some(Happened::Swept);
        }
        if turn.next_drift <= now {
            self.wake("drift");
            while turn.next_drift <= now {
                turn.next_drift += DRIFT_EVERY;
            }
            return Some(Happened::Compared);
        }
        None
    }

    /// Skips the sweeps that come next, before anything else does, and cannot find anything; gives
    /// back how many. Skips the comparisons too while nothing is in the table that could differ.
    fn pass_over(&self, turn: &mut Turn, target: Timestamp) -> u64 {
        let earliest = match self.dynamo.earliest_due() {
            Ok(earliest) => earliest,
            Err(error) => {
                tracing::warn!(error, "no sweep is skipped: {error}");
                return 0;
            }
        };
        let others = self.next_but_regular().map_or(target, |it| it.min(target));
        while earliest.is_none() && turn.next_drift <= others {
            turn.next_drift += DRIFT_EVERY;
        }
        let finds = earliest.map(|due| due - SWEEP_WINDOW - 1.millisecond());
        let until = others.min(turn.next_drift);
        let until = finds.map_or(until, |finds| finds.min(until));
        let mut skipped = 0;
        while turn.next_sweep <= until {
            turn.next_sweep += SWEEP_EVERY;
            skipped += 1;
        }
        skipped
    }

    /// Wakes `deescalation` for what it does every so often.
    fn wake(&self, what: &str) {
        let event = json!({"v": access::SCHEMA_VERSION, what: true});
        self.handoffs.hand(Function::Deescalation, &event);
    }
}
