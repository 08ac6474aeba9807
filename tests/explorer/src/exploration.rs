//! A scenario, played in every way.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use end_to_end::Stint;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::promises;
use crate::{Handler, Hold, How, Key, Plan, Run};

/// What goes wrong at a call that changes something.
const WAYS: [How; 4] = [How::Before, How::Refused, How::After, How::Late];

/// What goes wrong at one that only reads: it makes no difference when a function dies there.
const WAYS_OF_READING: [How; 2] = [How::Before, How::Refused];

/// What goes wrong at one that shows something in Slack. What Slack takes late from a function that has died
/// stays until the next change: the record is not in Slack.
const WAYS_OF_SHOWING: [How; 3] = [How::Before, How::Refused, How::After];

/// What shows something in Slack, by how it begins.
const SHOWING: [&str; 2] = ["chat.", "views."];

/// What only reads, by how it begins.
const READING: [&str; 9] = [
    "GET ",
    "DynamoDB.GetItem",
    "DynamoDB.Query",
    "SecretsManager.",
    "STS.",
    "users.",
    "conversations.info",
    "usergroups.",
    "team.",
];

/// How much later the second copy of an event comes.
const APART: [SignedDuration; 2] = [SignedDuration::ZERO, SignedDuration::from_secs(30)];

/// No handler makes more calls.
const MOST_CALLS: usize = 400;

/// A scenario that is played again and again, each time from the same moment.
pub struct Exploration {
    name: &'static str,
    from: TempDir,
    /// The calls to Okta until then, which a new start forgets.
    earlier: Value,
    calls: usize,
    runs: usize,
    /// How many more there were in which nothing went wrong, as the call was not made again.
    missed: usize,
    broken: Vec<String>,
    latest_ms: i64,
}

impl Exploration {
    /// One that begins where `setup` leaves off.
    pub async fn of(name: &'static str, setup: impl AsyncFn(&Stint)) -> Self {
        let stint = Stint::start_with(None, Some(Arc::new(Plan::counting()))).await;
        setup(&stint).await;
        let earlier = stint.state().await["okta"]["calls"].take();
        Self {
            name,
            earlier,
            from: stint.into_folder().await,
            calls: 0,
            runs: 0,
            missed: 0,
            broken: Vec::new(),
            latest_ms: 0,
        }
    }

    /// Plays it with nothing amiss, then once for every call and way in which it can go wrong, then once for
    /// every event, delivered twice.
    pub async fn crashes(mut self, scenario: impl AsyncFn(&Run)) {
        let (calls, events) = self.count(&scenario).await;
        for key in &calls {
            let is_one = |all: &[&str]| all.iter().any(|it| key.what.starts_with(it));
            let ways = if is_one(&READING) {
                &WAYS_OF_READING[..]
            } else if is_one(&SHOWING) {
                &WAYS_OF_SHOWING[..]
            } else {
                &WAYS[..]
            };
            for &how in ways {
                let what = format!("{}, {how:?} {} {}", key.function, key.what, key.nth);
                self.run(&what, Plan::dying(key.clone(), how), &scenario)
                    .await;
            }
        }
        for event in 1..=events {
            for after in APART {
                let what = format!("event {event} twice, {} s apart", after.as_secs());
                self.run(&what, Plan::twice(event, after), &scenario).await;
            }
        }
        self.keep("crashes");
    }

    /// Lets `handler` wait at each of its calls while another one does all that it does: `first` sets the
    /// one off, `second` the other.
    pub async fn races(
        mut self,
        handler: Handler,
        first: impl AsyncFn(&Run),
        second: impl AsyncFn(&Run),
    ) {
        for call in 1..MOST_CALLS {
            let hold = Hold { handler, call };
            let what = format!("{} waits at its call {call}", handler.function);
            let scenario = async |run: &Run| {
                first(run).await;
                run.state().await;
                if run.plan.is_held() {
                    second(run).await;
                    run.state().await;
                    run.plan.release();
                    run.look().await;
                    run.nothing_is_swallowed().await;
                }
            };
            let plan = Plan::holding(hold);
            if !self.run(&what, plan, &scenario).await {
                break;
            }
            self.calls = call;
        }
        self.keep("races");
    }

    /// The calls and the events of a run in which nothing is amiss. What goes on at the same time is not
    /// always the same: the shorter of two runs is the one to go by.
    async fn count(&mut self, scenario: &impl AsyncFn(&Run)) -> (Vec<Key>, usize) {
        let mut counted = Vec::new();
        for _ in 0..2 {
            let plan = Arc::new(Plan::counting());
            self.play("nothing is amiss", &plan, scenario).await;
            self.runs += 1;
            counted.push((plan.calls(), plan.events()));
        }
        let shorter = counted.into_iter().min_by_key(|it| it.0.len());
        let (calls, events) = shorter.unwrap_or_default();
        self.calls = calls.len();
        (calls, events)
    }

    /// Plays it once; whether `plan` struck.
    async fn run(&mut self, what: &str, plan: Plan, scenario: &impl AsyncFn(&Run)) -> bool {
        let plan = Arc::new(plan);
        self.play(what, &plan, scenario).await;
        let has_struck = plan.has_struck();
        if has_struck {
            self.runs += 1;
        } else {
            self.missed += 1;
        }
        has_struck
    }

    async fn play(&mut self, what: &str, plan: &Arc<Plan>, scenario: &impl AsyncFn(&Run)) {
        let name = self.name;
        let told = Told(format!("{name}: {what}"));
        let stint = Stint::start_with(Some(self.from.path()), Some(plan.clone())).await;
        // The first sweep is over.
        stint.advance(0).await;
        let run = Run::new(stint, plan.clone(), self.earlier.clone());
        plan.arm();
        scenario(&run).await;
        let (broken, latest_ms) = run.aftermath().await;
        if let Some(broken) = promises::schedule_first(&plan.calls()) {
            self.broken.push(format!("{what}: {broken}"));
        }
        self.latest_ms = self.latest_ms.max(latest_ms);
        if latest_ms > promises::BOUND_S * 1000 {
            let late = format!("{what}: 1: a removal came {latest_ms} ms after the end");
            self.broken.push(late);
        }
        for broken in broken {
            eprintln!("{}: {broken}", told.0);
            self.broken.push(format!("{what}: {broken}"));
        }
    }

    /// Keeps the figures, and fails where a promise was broken.
    fn keep(self, check: &str) {
        let figures = json!({
            "check": check, "scenario": self.name, "calls": self.calls, "runs": self.runs,
            "violations": self.broken.len(), "latest_ms": self.latest_ms,
        });
        println!("{figures}");
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/proof");
        let path = folder.join(format!("{check}-{}.json", self.name.replace(' ', "-")));
        fs::create_dir_all(folder).expect("a folder");
        fs::write(path, format!("{figures}\n")).expect("it can be written");
        let broken: &[String] = &self.broken;
        assert!(broken.is_empty(), "{}: {broken:#?}", self.name);
        assert!(self.calls > 0, "{}: nothing was called", self.name);
        let is_done = self.missed <= self.runs;
        assert!(
            is_done,
            "{}: {} calls were not made again",
            self.name, self.missed
        );
    }
}

/// Tells what was played when something unforeseen ended it.
struct Told(String);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("while exploring {}", self.0);
        }
    }
}
