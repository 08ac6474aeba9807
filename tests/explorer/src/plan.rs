//! Who stands at the border between the functions and everything outside.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::SignedDuration;
use local::{Call, Fate, Gate};
use serde_json::Value;
use tokio::sync::oneshot;

/// How much later a call takes effect whose caller has died. A function that announced a call to Okta
/// sends it within 10 s and waits 10 s for the answer.
const LATE: SignedDuration = SignedDuration::from_secs(15);

/// Lets everything pass until it is armed; counts what passes then, and strikes where it was told to.
#[derive(Debug, Default)]
pub struct Plan(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    is_armed: bool,
    /// Where a function dies, and how.
    death: Option<(Key, How)>,
    /// Which event is delivered twice, and how much later.
    twice: Option<(usize, SignedDuration)>,
    hold: Option<(Hold, Holding)>,
    calls: Vec<Key>,
    counts: BTreeMap<(String, String), usize>,
    events: usize,
    has_struck: bool,
}

/// One call of a run, named so that it is the same in the next one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Which function makes it.
    pub function: String,
    /// What it calls.
    pub what: String,
    /// Which of the calls of that name it is.
    pub nth: usize,
}

/// What goes wrong at a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// The function dies before it makes it.
    Before,
    /// The function dies after it took effect, before its answer came.
    After,
    /// The function dies before it took effect, which it does later all the same.
    Late,
    /// It is refused, and the function goes on.
    Refused,
}

/// A handler: of the invocations of a function with such an event, the one that first calls something once
/// the plan is armed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handler {
    /// Which function.
    pub function: &'static str,
    /// A member that the event has.
    pub event: &'static str,
}

/// Where a function waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Which handler.
    pub handler: Handler,
    /// Before which of its calls.
    pub call: usize,
}

#[derive(Debug, Default)]
struct Holding {
    /// The environments that handle such an event now.
    handling: BTreeSet<u64>,
    /// The one that is it, or was.
    environment: Option<u64>,
    calls: usize,
    release: Option<oneshot::Sender<()>>,
}

impl Plan {
    /// Counts only.
    #[must_use]
    pub fn counting() -> Self {
        Self::default()
    }

    /// A function dies at `key`.
    #[must_use]
    pub fn dying(key: Key, how: How) -> Self {
        let death = Some((key, how));
        Self::of(State {
            death,
            ..State::default()
        })
    }

    /// The event number `event` is delivered twice, the second time `after` the first.
    #[must_use]
    pub fn twice(event: usize, after: SignedDuration) -> Self {
        let twice = Some((event, after));
        Self::of(State {
            twice,
            ..State::default()
        })
    }

    /// A handler waits at `hold` until it is released.
    #[must_use]
    pub fn holding(hold: Hold) -> Self {
        let hold = Some((hold, Holding::default()));
        Self::of(State {
            hold,
            ..State::default()
        })
    }

    /// From now on it counts and strikes.
    pub fn arm(&self) {
        self.state().is_armed = true;
    }

    /// From now on everything passes.
    pub fn disarm(&self) {
        let mut state = self.state();
        state.is_armed = false;
        if let Some((_, holding)) = &mut state.hold {
            holding.release = None;
        }
    }

    /// Whether what it was told to do was done.
    #[must_use]
    pub fn has_struck(&self) -> bool {
        self.state().has_struck
    }

    /// The calls that passed while it was armed.
    #[must_use]
    pub fn calls(&self) -> Vec<Key> {
        self.state().calls.clone()
    }

    /// How many events were delivered while it was armed.
    #[must_use]
    pub fn events(&self) -> usize {
        self.state().events
    }

    /// Whether the handler waits that is to be held.
    #[must_use]
    pub fn is_held(&self) -> bool {
        let state = self.state();
        let hold = state.hold.as_ref();
        hold.is_some_and(|it| it.1.release.is_some())
    }

    /// Lets the handler go on that waits.
    pub fn release(&self) {
        if let Some((_, holding)) = &mut self.state().hold {
            holding.release = None;
        }
    }

    fn of(state: State) -> Self {
        Self(Mutex::new(state))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gate for Plan {
    fn begins(&self, environment: u64, function: &str, event: &Value) {
        let mut state = self.state();
        let Some((Hold { handler, .. }, holding)) = &mut state.hold else {
            return;
        };
        // What it calls from now on is another invocation's.
        holding.handling.remove(&environment);
        let is_such = handler.function == function && event.get(handler.event).is_some();
        if is_such && holding.environment != Some(environment) {
            holding.handling.insert(environment);
        }
    }

    fn call(&self, call: &Call) -> Fate {
        let mut state = self.state();
        if !state.is_armed {
            return Fate::Made;
        }
        let name = (call.function.clone(), call.what.clone());
        let nth = state.counts.entry(name).or_default();
        *nth += 1;
        let key = Key {
            function: call.function.clone(),
            what: call.what.clone(),
            nth: *nth,
        };
        state.calls.push(key.clone());
        if let Some((hold, holding)) = &mut state.hold
            && holding.handling.contains(&call.environment)
            && *holding.environment.get_or_insert(call.environment) == call.environment
        {
            holding.calls += 1;
            if holding.calls == hold.call {
                let (release, released) = oneshot::channel();
                holding.release = Some(release);
                state.has_struck = true;
                return Fate::Waits(released);
            }
        }
        match state.death.take_if(|(at, _)| *at == key) {
            None => Fate::Made,
            Some((_, how)) => {
                state.has_struck = true;
                match how {
                    How::Before => Fate::Never,
                    How::After => Fate::Unheard,
                    How::Late => Fate::Late(LATE),
                    How::Refused => Fate::Refused,
                }
            }
        }
    }

    fn deliveries(&self, _: &str, _: &Value) -> Vec<SignedDuration> {
        let mut state = self.state();
        let mut deliveries = vec![SignedDuration::ZERO];
        if state.is_armed {
            state.events += 1;
            let event = state.events;
            if let Some((_, after)) = state.twice.take_if(|it| it.0 == event) {
                deliveries.push(after);
                state.has_struck = true;
            }
        }
        deliveries
    }
}
