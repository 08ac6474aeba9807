//! Asynchronous invocations, as Lambda makes them: at least once, twice more after a failure, and
//! then given up and kept.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use aws::Clock;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clock::SandboxClock;
use crate::functions::{Function, Functions};
use crate::work::{Busy, Work, locked};
use crate::{Error, store};

/// How long after each failure the next try is made (Lambda developer guide, "How Lambda handles
/// errors and retries with asynchronous invocation").
const RETRIES: [SignedDuration; 2] = [SignedDuration::from_mins(1), SignedDuration::from_mins(2)];

/// How long an event for `approval` lives: an older click is refused.
const APPROVAL_EVENT_LIFE: SignedDuration = SignedDuration::from_mins(5);

/// How many environments of one function handle events that nobody waits for at once; more events
/// wait. An account has a thousand for all functions together, a new one has ten.
const AT_ONCE: usize = 100;

/// How many of those that were given up are kept.
const KEPT: usize = 1000;

/// The hand-offs. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Handoffs {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    functions: Arc<Functions>,
    clock: SandboxClock,
    work: Work,
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    made: u64,
    /// By function: how many are handled now, and those that wait for an environment.
    handled: BTreeMap<Function, (usize, VecDeque<Handoff>)>,
    /// Those that failed and are tried again, by when.
    waiting: BTreeMap<(Timestamp, u64), Handoff>,
    failed: Vec<Failed>,
}

#[derive(Debug, Clone)]
struct Handoff {
    function: Function,
    event: Value,
    since: Timestamp,
    attempts: usize,
    /// Whether the event tells of another one that was given up.
    is_last_word: bool,
}

/// A hand-off that was given up, in a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Failed {
    at: Timestamp,
    function: Function,
    event: Value,
    attempts: usize,
    error: String,
}

impl Handoffs {
    /// The hand-offs to `functions`; those that were given up are in the file `path`.
    pub(crate) fn open(
        path: &Path,
        functions: Arc<Functions>,
        clock: SandboxClock,
        work: Work,
    ) -> Result<Self, Error> {
        let failed = store::load(path).map_err(|error| Error::folder(path, &error))?;
        let state = State {
            failed: failed.unwrap_or_default(),
            ..State::default()
        };
        Ok(Self {
            inner: Arc::new(Inner {
                functions,
                clock,
                work,
                path: path.to_owned(),
                state: Mutex::new(state),
            }),
        })
    }

    /// Invokes `function` with `event` without waiting for it, at least once.
    pub(crate) fn hand(&self, function: Function, event: &Value) {
        let since = self.inner.clock.now();
        let copies = self.inner.functions.deliveries(function, event);
        for after in copies {
            let handoff = Handoff {
                function,
                event: event.clone(),
                since,
                attempts: 0,
                is_last_word: false,
            };
            if after.is_zero() {
                self.attempt(handoff);
            } else {
                self.wait(since + after, handoff);
            }
        }
    }

    /// Invokes `function` with `event` once and waits for its answer, or for what went wrong.
    pub(crate) async fn invoke(&self, function: Function, event: Value) -> Result<Value, String> {
        let inner = &self.inner;
        let busy = inner.work.start();
        let (answer, busy) = inner.functions.run(function, event, busy).await;
        if let Err(error) = &answer {
            failed(function, error);
        }
        drop(busy);
        answer
    }

    /// How often `event` is delivered to the ingress.
    pub(crate) fn deliveries(&self, event: &Value) -> usize {
        let functions = &self.inner.functions;
        functions.deliveries(Function::SlackIngress, event).len()
    }

    /// When the next of those that failed is tried again.
    pub(crate) fn next_retry(&self) -> Option<Timestamp> {
        let state = locked(&self.inner.state);
        state.waiting.keys().next().map(|(at, _)| *at)
    }

    /// Tries the first of those again whose time has come; whether there was one.
    pub(crate) fn retry(&self) -> bool {
        let now = self.inner.clock.now();
        let mut state = locked(&self.inner.state);
        let Some(first) = state.waiting.first_entry().filter(|it| it.key().0 <= now) else {
            return false;
        };
        let handoff = first.remove();
        drop(state);
        self.attempt_in_time(handoff);
        true
    }

    /// How many are tried again later, and those that were given up, for the JSON surface.
    pub(crate) fn state(&self) -> Value {
        let state = locked(&self.inner.state);
        let queued: usize = state.handled.values().map(|(_, queue)| queue.len()).sum();
        json!({"waiting": state.waiting.len() + queued, "failed": state.failed})
    }

    /// Has an environment handle the event, once there is one for it.
    fn attempt(&self, handoff: Handoff) {
        let mut state = locked(&self.inner.state);
        let (handled, queue) = state.handled.entry(handoff.function).or_default();
        if *handled >= AT_ONCE {
            queue.push_back(handoff);
            return;
        }
        *handled += 1;
        drop(state);
        let this = self.clone();
        let busy = self.inner.work.start();
        tokio::spawn(async move { this.handle(handoff, busy).await });
    }

    async fn handle(&self, mut handoff: Handoff, busy: Busy) {
        let function = handoff.function;
        handoff.attempts += 1;
        let functions = &self.inner.functions;
        let (answer, busy) = functions.run(function, handoff.event.clone(), busy).await;
        // Whoever waits for it comes before anybody can think that nothing is under way.
        let mut state = locked(&self.inner.state);
        state.handled.entry(function).or_default().0 -= 1;
        drop(state);
        while let Some(next) = self.next(function) {
            self.attempt_in_time(next);
        }
        if let Err(error) = answer {
            self.failed(handoff, error, &busy);
        }
    }

    /// The first event that waits for `function`, if there is an environment for it.
    fn next(&self, function: Function) -> Option<Handoff> {
        let mut state = locked(&self.inner.state);
        let (handled, queue) = state.handled.entry(function).or_default();
        queue.pop_front_if(|_| *handled < AT_ONCE)
    }

    /// Has an environment handle the event, unless it has waited too long.
    fn attempt_in_time(&self, handoff: Handoff) {
        if is_too_old(&handoff, self.inner.clock.now()) {
            self.give_up(handoff, "the event was older than 5 minutes".to_owned());
        } else {
            self.attempt(handoff);
        }
    }

    /// What becomes of `handoff` after a failure.
    fn failed(&self, handoff: Handoff, error: String, _busy: &Busy) {
        failed(handoff.function, &error);
        let now = self.inner.clock.now();
        let pause = RETRIES.get(handoff.attempts.saturating_sub(1));
        let Some(at) = pause.map(|pause| now + *pause) else {
            self.give_up(handoff, error);
            return;
        };
        self.wait(at, handoff);
    }

    /// Makes the next attempt at `handoff` then.
    fn wait(&self, at: Timestamp, handoff: Handoff) {
        let mut state = locked(&self.inner.state);
        state.made += 1;
        let key = (at, state.made);
        state.waiting.insert(key, handoff);
        drop(state);
        self.inner.clock.nudge();
    }

    /// Keeps `handoff` among those that were given up. `approval` is told of its own, as the stack's
    /// on-failure queue tells it.
    fn give_up(&self, handoff: Handoff, error: String) {
        let at = self.inner.clock.now();
        let Handoff {
            function,
            event,
            attempts,
            is_last_word,
            ..
        } = handoff;
        tracing::error!(
            function = function.name(),
            error,
            "an event for {} was given up after {attempts} tries: {error}",
            function.name()
        );
        let told = (function == Function::Approval && !is_last_word)
            .then(|| on_failure(&event, attempts, &error, at));
        let mut state = locked(&self.inner.state);
        state.failed.push(Failed {
            at,
            function,
            event,
            attempts,
            error,
        });
        let excess = state.failed.len().saturating_sub(KEPT);
        state.failed.drain(..excess);
        if let Err(error) = store::save(&self.inner.path, &state.failed) {
            tracing::error!(%error, "the failed hand-offs were not saved: {error}");
        }
        drop(state);
        if let Some(event) = told {
            self.attempt(Handoff {
                function,
                event,
                since: at,
                attempts: 0,
                is_last_word: true,
            });
        }
    }
}

fn is_too_old(handoff: &Handoff, now: Timestamp) -> bool {
    handoff.function == Function::Approval
        && now.duration_since(handoff.since) > APPROVAL_EVENT_LIFE
}

fn failed(function: Function, error: &str) {
    let name = function.name();
    tracing::warn!(function = name, error, "{name} failed: {error}");
}

/// The message that Lambda puts into an on-failure queue about `event`, as the queue delivers it to a
/// function (Lambda developer guide, "Capturing records of Lambda asynchronous invocations" and
/// "Using Lambda with Amazon SQS").
fn on_failure(event: &Value, attempts: usize, error: &str, at: Timestamp) -> Value {
    let body = json!({
        "version": "1.0",
        "timestamp": at,
        "requestContext": {
            "requestId": aws::stamp(),
            "functionArn": format!("{}:$LATEST", Function::Approval.arn()),
            "condition": "RetriesExhausted",
            "approximateInvokeCount": attempts,
        },
        "requestPayload": event,
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        },
        "responsePayload": {"errorMessage": error},
    });
    json!({"Records": [{
        "messageId": aws::stamp(),
        "receiptHandle": "sandbox",
        "body": body.to_string(),
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": at.as_millisecond().to_string()},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": format!("arn:aws:sqs:{}:{}:stint-approval-failed", crate::stack::REGION, crate::stack::ACCOUNT),
        "awsRegion": crate::stack::REGION,
    }]})
}
