//! Somebody at the border between the functions and everything outside, who sees every call that a
//! function makes before it is made, and says what becomes of it: tests let a function die there, or
//! wait.

use std::fmt::Debug;
use std::sync::Arc;

use aws::Clock;
use axum::http::HeaderMap;
use jiff::SignedDuration;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::clock::{FunctionClock, SandboxClock};
use crate::functions::Functions;

/// The header by which a call tells which environment makes it.
pub(crate) const ENVIRONMENT: &str = "x-sandbox-environment";

/// Sees every call of the functions.
pub trait Gate: Debug + Send + Sync {
    /// `environment`, one of `function`, begins to handle `event`.
    fn begins(&self, environment: u64, function: &str, event: &Value);

    /// What becomes of `call`, which is about to be made.
    fn call(&self, call: &Call) -> Fate;

    /// How long after the present each copy of `event` for `function` is delivered: one at once, where
    /// nothing is amiss.
    fn deliveries(&self, function: &str, event: &Value) -> Vec<SignedDuration>;
}

/// A call from a function to something outside.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// Which environment makes it.
    pub environment: u64,
    /// Of which function.
    pub function: String,
    /// What is called, as the `match` of a fault spells it.
    pub what: String,
}

/// What becomes of a call.
#[derive(Debug)]
pub enum Fate {
    /// It is made.
    Made,
    /// It is made as soon as the other end is used or dropped. Until then the environment counts as
    /// asleep.
    Waits(oneshot::Receiver<()>),
    /// It is refused, without an effect.
    Refused,
    /// The environment dies before it makes it.
    Never,
    /// The call takes effect, and the environment dies before it hears of it.
    Unheard,
    /// The environment dies, and only after this time the call takes effect.
    Late(SignedDuration),
}

/// The border at which a gate stands.
#[derive(Debug, Clone)]
pub(crate) struct Border {
    pub(crate) gate: Arc<dyn Gate>,
    pub(crate) functions: Arc<Functions>,
    pub(crate) clock: SandboxClock,
}

/// What a call that arrives at the border may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passage {
    /// Take effect and be answered.
    Free,
    /// Be refused.
    Refused,
    /// Nothing: nobody waits for it any more.
    Shut,
    /// Take effect, and then not be answered.
    OneWay,
    /// Take effect after this time, and not be answered.
    Delayed(SignedDuration),
}

impl Border {
    /// What becomes of the call `what` with `headers`. Where its environment is to die, it is dead when
    /// this returns, or dies in [`Border::close`] or [`Border::delay`].
    pub(crate) async fn pass(&self, headers: &HeaderMap, what: String) -> Passage {
        let Some(environment) = number(headers) else {
            return Passage::Free;
        };
        let Some(function) = self.functions.is_running(environment) else {
            return Passage::Shut;
        };
        let call = Call {
            environment,
            function: function.name().to_owned(),
            what,
        };
        match self.gate.call(&call) {
            Fate::Made => Passage::Free,
            Fate::Waits(until) => {
                let asleep = self.functions.sleep(environment);
                // Dropped is as good as used.
                let _ = until.await;
                drop(asleep);
                match self.functions.is_running(environment) {
                    Some(_) => Passage::Free,
                    None => Passage::Shut,
                }
            }
            Fate::Refused => Passage::Refused,
            Fate::Never => {
                self.functions.kill(environment);
                Passage::Shut
            }
            Fate::Unheard => Passage::OneWay,
            Fate::Late(after) => Passage::Delayed(after),
        }
    }

    /// Lets the environment die that made the call with `headers`.
    pub(crate) fn close(&self, headers: &HeaderMap) {
        if let Some(environment) = number(headers) {
            self.functions.kill(environment);
        }
    }

    /// Lets the environment die that made the call with `headers`; its `effect` comes `after` that all the
    /// same, and counts as work then.
    pub(crate) fn delay(
        &self,
        headers: &HeaderMap,
        after: SignedDuration,
        effect: impl Future<Output = ()> + Send + 'static,
    ) {
        let errand = self.functions.errand();
        errand.run(true);
        self.close(headers);
        let clock = FunctionClock::new(self.clock.clone(), Arc::clone(&errand));
        tokio::spawn(async move {
            clock.sleep_until(clock.now() + after).await;
            effect.await;
            errand.run(false);
        });
    }
}

fn number(headers: &HeaderMap) -> Option<u64> {
    headers.get(ENVIRONMENT)?.to_str().ok()?.parse().ok()
}
