//! The clock of the local run: real time that can be moved forward and stopped.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws::{Clock, SystemClock};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, oneshot};

use crate::store;
use crate::work::{Asleep, Invocation, locked};

/// The longest wait that passes in real time and counts as work.
const PAUSE: Duration = Duration::from_millis(500);

/// Real time plus an offset, or a moment at which time was stopped. Both survive a restart.
///
/// Nobody is woken by the clock itself: [`SandboxClock::wake`] is called by whoever makes the events
/// of the local run happen in order.
#[derive(Debug, Clone)]
pub(crate) struct SandboxClock {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    saved: Saved,
    /// The moment at which time is held while it is moved forward step by step.
    held: Option<Timestamp>,
    sleepers: BTreeMap<(Timestamp, u64), Sleeper>,
    slept: u64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Saved {
    ahead: SignedDuration,
    frozen_at: Option<Timestamp>,
}

#[derive(Debug)]
struct Sleeper {
    wake: oneshot::Sender<()>,
    asleep: Option<Asleep>,
}

/// The clock as one environment of a function sees it, so that its sleep does not count as work.
#[derive(Debug)]
pub(crate) struct FunctionClock {
    clock: SandboxClock,
    invocation: Arc<Invocation>,
}

impl SandboxClock {
    /// The clock as it was left in the file `path`; real time if there is none.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let state = State {
            saved: store::load(path)?.unwrap_or_default(),
            held: None,
            sleepers: BTreeMap::new(),
            slept: 0,
        };
        Ok(Self {
            inner: Arc::new(Inner {
                path: path.to_owned(),
                state: Mutex::new(state),
                changed: Notify::new(),
            }),
        })
    }

    /// Whether real time is stopped.
    pub(crate) fn is_frozen(&self) -> bool {
        locked(&self.inner.state).saved.frozen_at.is_some()
    }

    /// Stops real time, or lets it flow on from where it stopped.
    pub(crate) fn freeze(&self, frozen: bool) {
        let mut state = locked(&self.inner.state);
        let now = state.now();
        state.saved.frozen_at = frozen.then_some(now);
        self.set(&mut state, now);
        drop(state);
        self.inner.changed.notify_one();
    }

    /// Moves time to `instant` and holds it there until [`SandboxClock::release`].
    pub(crate) fn hold_at(&self, instant: Timestamp) {
        let mut state = locked(&self.inner.state);
        state.held = Some(instant);
        self.set(&mut state, instant);
    }

    /// Lets time go on from where it is held.
    pub(crate) fn release(&self) {
        let mut state = locked(&self.inner.state);
        if let Some(held) = state.held.take() {
            self.set(&mut state, held);
        }
        drop(state);
        self.inner.changed.notify_one();
    }

    /// Wakes everybody who sleeps until now or earlier.
    pub(crate) fn wake(&self) {
        let mut state = locked(&self.inner.state);
        let now = state.now();
        while let Some(sleeper) = state.sleepers.first_entry()
            && sleeper.key().0 <= now
        {
            let Sleeper { wake, asleep } = sleeper.remove();
            // Their work counts again before they can know that they are awake.
            drop(asleep);
            // Nobody listens if they were cancelled meanwhile.
            let _ = wake.send(());
        }
    }

    /// When the next sleeper wants to be woken.
    pub(crate) fn next_sleeper(&self) -> Option<Timestamp> {
        let state = locked(&self.inner.state);
        state.sleepers.keys().next().map(|(instant, _)| *instant)
    }

    /// Returns when `instant` has come by the flow of real time, or earlier when the clock was moved,
    /// stopped or slept on.
    pub(crate) async fn flow_until(&self, instant: Timestamp) {
        let wait = {
            let state = locked(&self.inner.state);
            let now = state.now();
            match state.saved.frozen_at.or(state.held) {
                Some(_) if instant > now => None,
                _ => Some(Duration::try_from(now.duration_until(instant)).unwrap_or_default()),
            }
        };
        let flow = async {
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = flow => {}
            () = self.inner.changed.notified() => {}
        }
    }

    /// Makes [`SandboxClock::flow_until`] return, because something new may be due.
    pub(crate) fn nudge(&self) {
        self.inner.changed.notify_one();
    }

    /// Makes `now` the present instant for good.
    fn set(&self, state: &mut State, now: Timestamp) {
        if state.saved.frozen_at.is_some() {
            state.saved.frozen_at = Some(now);
        } else {
            state.saved.ahead = now.duration_since(SystemClock.now());
        }
        if let Err(error) = store::save(&self.inner.path, &state.saved) {
            tracing::error!(%error, "the clock was not saved: {error}");
        }
    }

    async fn sleep(&self, instant: Timestamp, invocation: Option<&Arc<Invocation>>) {
        let (wake, woken) = oneshot::channel();
        let _sleeping = {
            let mut state = locked(&self.inner.state);
            if state.now() >= instant {
                return;
            }
            state.slept += 1;
            let key = (instant, state.slept);
            let asleep = invocation.map(Invocation::sleep);
            state.sleepers.insert(key, Sleeper { wake, asleep });
            Sleeping { clock: self, key }
        };
        self.nudge();
        // The sender is dropped only with the clock, or with this future.
        let _ = woken.await;
    }
}

impl State {
    fn now(&self) -> Timestamp {
        self.held
            .or(self.saved.frozen_at)
            .unwrap_or_else(|| SystemClock.now() + self.saved.ahead)
    }
}

impl Clock for SandboxClock {
    fn now(&self) -> Timestamp {
        locked(&self.inner.state).now()
    }

    fn sleep_until(&self, instant: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.sleep(instant, None))
    }
}

impl FunctionClock {
    pub(crate) fn new(clock: SandboxClock, invocation: Arc<Invocation>) -> Self {
        Self { clock, invocation }
    }
}

impl Clock for FunctionClock {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn sleep_until(&self, instant: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            // A pause before the next try is part of the work, even while time stands still.
            match Duration::try_from(self.now().duration_until(instant)) {
                Ok(pause) if pause <= PAUSE => tokio::time::sleep(pause).await,
                _ => self.clock.sleep(instant, Some(&self.invocation)).await,
            }
        })
    }

    fn strand(&self) -> Box<dyn Send + Sync> {
        Box::new(self.invocation.strand())
    }
}

/// Takes a sleeper out of the register when it is cancelled.
struct Sleeping<'a> {
    clock: &'a SandboxClock,
    key: (Timestamp, u64),
}

impl Drop for Sleeping<'_> {
    fn drop(&mut self) {
        let sleeper = locked(&self.clock.inner.state).sleepers.remove(&self.key);
        drop(sleeper);
    }
}
