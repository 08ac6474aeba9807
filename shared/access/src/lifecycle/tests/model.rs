//! The promises, in every state that can be reached: the transitions are [`transition`](crate::transition)
//! itself, and everything around it goes wrong in every way and in every order.
//!
//! A function crashes between any two effects when the next of its steps never comes. What a function
//! loads, sees, writes and records are steps of their own, so that anything can come between; where
//! nothing does, they are one step as well, so that what is deep is not too many steps away. A call
//! takes effect once, at any time until it is given up as dead, or never, and whoever sent it gets to
//! know or not. Any function takes any request up at any time, also several at once: that covers
//! everything that is handed on, scheduled or swept, early, late, twice or never.
//!
//! Every state is also held to what it would come to if everything went well from there on.

mod canonical;
mod recovery;
mod system;

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use jiff::{SignedDuration, Timestamp};
use stateright::{Checker, HasDiscoveries, Model, Property};

use crate::{CallKind, Membership, State, Why};
use recovery::{Known, ends_well};
use system::{Fate, Promise, Reason, Stage, Step, System, Task, User};

/// The longest wait that is no end of a grant: whatever is unfinished is due by then.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_secs(60);

/// One membership, what can happen to it, and what must be seen to happen.
struct Scenario {
    name: &'static str,
    /// How it begins: each of these lists of steps is a beginning.
    begins: Vec<Vec<Step>>,
    /// How much an administrator does by hand.
    hands: u8,
    /// Whether memberships are handed over.
    hands_over: bool,
    /// What a second request can be.
    second: Second,
    /// How many functions can have loaded and not written yet.
    workers: usize,
    /// Whether decisions and answers are told apart where they do not differ in who is in the group.
    all: bool,
    /// Every state is seen that is at most so many steps from a beginning.
    depth: usize,
    /// The states that must be among them.
    reaches: &'static [&'static str],
}

impl Scenario {
    fn extends(&self) -> bool {
        self.second == Second::Extension
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Second {
    None,
    /// For the same membership.
    Another,
    /// An extension of the first.
    Extension,
}

/// A scenario that is looked through.
struct Explored {
    scenario: Scenario,
    known: Mutex<Known>,
    /// How many states were held to the promises.
    seen: AtomicUsize,
    /// Whether one of them broke a promise: the first is the one to read about.
    failed: AtomicBool,
}

impl Model for Explored {
    type State = System;
    type Action = Step;

    fn init_states(&self) -> Vec<System> {
        let hands = self.scenario.hands;
        let extends = self.scenario.extends();
        let begins = self.scenario.begins.iter().map(|steps| {
            let mut system = System::new();
            system.hands = hands;
            for step in steps {
                system = system.after(step, extends).unwrap();
            }
            system
        });
        begins.collect()
    }

    fn actions(&self, system: &System, steps: &mut Vec<Step>) {
        if system.steps == self.scenario.depth || system.broken.is_some() {
            return;
        }
        for (r, request) in system.requests.iter().enumerate() {
            match request.as_ref().map(|it| it.state) {
                None if r == 0 || self.scenario.second != Second::None => steps.push(Step::Ask(r)),
                Some(state) if !state.is_final() => self.on_request(r, state, steps),
                _ => {}
            }
        }
        if system.ledger.is_some() {
            steps.push(Step::Do(Task::Ledger));
        }
        for (call, sent) in system.calls.iter().enumerate() {
            match sent.stage {
                Stage::Sent => {
                    steps.push(Step::Land { call });
                    steps.extend(
                        [Fate::GOOD, Fate::Unclear].map(|fate| Step::Finish { call, fate }),
                    );
                    for fate in self.without_effect(system, sent.kind) {
                        steps.push(Step::Finish { call, fate });
                        steps.push(Step::Refuse { call, fate });
                    }
                }
                Stage::Given => steps.push(Step::Land { call }),
                Stage::Landed => {
                    steps.push(Step::ReadBack { call });
                    let fate = Fate::Unclear;
                    steps.push(Step::Finish { call, fate });
                }
                Stage::Known(_) => {
                    let record = Task::Record(sent.id.clone());
                    if system.workers.iter().all(|it| it.task != record) {
                        steps.push(Step::Do(record));
                        let fate = Fate::Unclear;
                        steps.push(Step::Finish { call, fate });
                    }
                }
            }
        }
        self.by_workers(system, steps);
        if system.hands > 0 {
            steps.push(if system.is_in() {
                Step::RemoveByHand
            } else {
                Step::AddByHand
            });
        }
        let passes = system.passes().into_iter();
        steps.extend(passes.map(|seconds| Step::Pass { seconds }));
    }

    fn next_state(&self, system: &System, step: Step) -> Option<System> {
        let next = system.after(&step, self.scenario.extends())?;
        Some(System {
            steps: system.steps + 1,
            ..next
        })
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always("only what we put in", |all: &Self, it: &System| {
                all.holds(it.broken != Some(Promise::OnlyWhatWePutIn))
            }),
            Property::always(
                "not while somebody still holds it",
                |all: &Self, it: &System| all.holds(it.broken != Some(Promise::NotWhileHeld)),
            ),
            Property::always("once", |all: &Self, it: &System| {
                all.holds(it.broken != Some(Promise::Once))
            }),
            Property::always("nobody without a yes", |all: &Self, it: &System| {
                all.holds(it.broken != Some(Promise::NobodyWithoutYes))
            }),
            Property::always("an end never moves", |all: &Self, it: &System| {
                all.holds(it.broken != Some(Promise::EndNeverMoves))
            }),
            Property::always(
                "nobody longer than was approved",
                |all: &Self, it: &System| all.holds(it.broken != Some(Promise::NotLonger)),
            ),
            Property::always(
                "nobody shorter than was approved",
                |all: &Self, it: &System| all.holds(it.broken != Some(Promise::NotShorter)),
            ),
            Property::always("what is settled is so", |all: &Self, it: &System| {
                all.holds(is_settled_truly(it))
            }),
            Property::always("whoever has access holds it", |all: &Self, it: &System| {
                all.holds(holders_hold(it))
            }),
            Property::always("what is unfinished is due", |all: &Self, it: &System| {
                all.holds(is_due(it))
            }),
            Property::always(
                "everything ends well, and on time",
                |all: &Self, it: &System| {
                    all.seen.fetch_add(1, Ordering::Relaxed);
                    all.holds(ends_well(it, &mut all.known.lock().unwrap()))
                },
            ),
        ];
        properties.extend(REACHES.iter().filter_map(|(name, condition)| {
            let is_wanted = self.scenario.reaches.contains(name);
            is_wanted.then(|| Property::sometimes(name, *condition))
        }));
        properties
    }
}

impl Explored {
    /// Whether a promise holds, or is not the first to be broken.
    fn holds(&self, promise: bool) -> bool {
        promise || self.failed.swap(true, Ordering::Relaxed)
    }

    /// What somebody, or a function, does about a request that is open.
    fn on_request(&self, r: usize, state: State, steps: &mut Vec<Step>) {
        let all = self.scenario.all;
        if state == State::Pending {
            let clicks = if all { 1..=2 } else { 1..=1 };
            steps.extend(clicks.map(|click| Step::Approve { request: r, click }));
            steps.push(Step::Deny(r));
            steps.push(Step::Expire(r));
            if all {
                steps.push(Step::Cancel(r));
            }
            return;
        }
        steps.push(Step::Do(Task::Deescalate(r)));
        if state == State::Deescalating {
            return;
        }
        steps.push(Step::Do(Task::Escalate(r)));
        steps.push(Step::Revoke(r));
        if self.scenario.hands_over {
            steps.push(Step::Do(Task::HandOver(r)));
        }
        if all {
            steps.extend([Step::Withdraw(r), Step::Stop(r)]);
            let request = r;
            let refrains = Reason::ALL.map(|reason| Step::Refrain { request, reason });
            steps.extend(refrains);
        }
    }

    /// What functions that have loaded do next, and what others load.
    fn by_workers(&self, system: &System, steps: &mut Vec<Step>) {
        for (worker, at_work) in system.workers.iter().enumerate() {
            if at_work.look.is_none() {
                steps.push(Step::Look { worker });
            } else {
                steps.push(Step::Write { worker });
            }
            if self.scenario.all && matches!(at_work.task, Task::Escalate(_)) {
                let late = Reason::ALL.map(|reason| Step::RefrainLate { worker, reason });
                steps.extend(late);
            }
        }
        if system.workers.len() == self.scenario.workers {
            return;
        }
        for (r, request) in system.requests.iter().enumerate() {
            let state = request.as_ref().map(|it| it.state);
            if state.is_some_and(|it| it != State::Pending && !it.is_final()) {
                steps.push(Step::Load(Task::Escalate(r)));
                steps.push(Step::Load(Task::Deescalate(r)));
                if self.scenario.hands_over {
                    steps.push(Step::Load(Task::HandOver(r)));
                }
            }
        }
        if system.ledger.is_some() {
            steps.push(Step::Load(Task::Ledger));
        }
        for sent in &system.calls {
            let record = Task::Record(sent.id.clone());
            let is_known = matches!(sent.stage, Stage::Known(_));
            if is_known && system.workers.iter().all(|it| it.task != record) {
                steps.push(Step::Load(record));
            }
        }
    }

    /// What a call that does nothing can be answered.
    fn without_effect(&self, system: &System, kind: CallKind) -> Vec<Fate> {
        let mut fates = vec![Fate::NotDone];
        match kind {
            CallKind::Add => {
                fates.push(Fate::Refused { mendable: true });
                if self.scenario.all {
                    fates.push(Fate::Refused { mendable: false });
                }
            }
            CallKind::Remove if system.is_in() => fates.push(Fate::HOLLOW),
            CallKind::Remove => {}
        }
        fates
    }
}

/// What the ledger takes for settled is so, and nothing is on its way that could change it.
fn is_settled_truly(system: &System) -> bool {
    let is_on_its_way = |kind: CallKind| {
        let mut calls = system.calls.iter();
        calls.any(|it| it.kind == kind && matches!(it.stage, Stage::Sent | Stage::Given))
    };
    let item = system.ledger.as_deref();
    let is_in = item.is_some_and(|item| item.agreed && !item.holders.is_empty());
    let is_out = item.is_none_or(Membership::is_out);
    if is_in {
        (system.is_in() || system.user == User::OutByHand) && !is_on_its_way(CallKind::Remove)
    } else if is_out {
        !system.is_in_through_stint() && !is_on_its_way(CallKind::Add)
    } else {
        true
    }
}

/// Requests that have access, or are being given it, are holders; those that are over are not.
fn holders_hold(system: &System) -> bool {
    let mut requests = system.requests.iter().flatten();
    requests.all(|it| {
        let item = system.ledger.as_deref();
        let holds = item.is_some_and(|item| item.holders.contains(&it.id));
        match it.state {
            State::Escalating | State::Active => holds,
            State::Deescalating => true,
            _ => !holds,
        }
    })
}

/// Whatever is unfinished is due, and soon unless it has its time.
fn is_due(system: &System) -> bool {
    let by = |at: Option<Timestamp>, latest: Timestamp| at.is_some_and(|at| at <= latest);
    let soon = system.now + LONGEST_WAIT;
    let mut requests = system.requests.iter().flatten();
    let requests = requests.all(|it| match it.state {
        State::Pending => by(it.drive_at, it.expires_at),
        State::Approved | State::Escalating | State::Deescalating => by(it.drive_at, soon),
        State::Active => it.ends_at.is_some_and(|end| by(it.drive_at, end)),
        _ => it.drive_at.is_none(),
    });
    let item = system.ledger.as_deref().is_none_or(|item| {
        let is_at_rest = item.agreed && !item.holders.is_empty();
        let latest = if item.is_live() { soon } else { Timestamp::MAX };
        is_at_rest || by(item.due_at, latest)
    });
    requests && item
}

fn is(system: &System, r: usize, state: State) -> bool {
    let request = system.requests[r].as_ref();
    request.is_some_and(|it| it.state == state)
}

fn is_over(system: &System, r: usize, why: Why) -> bool {
    let request = system.requests[r].as_ref();
    request.is_some_and(|it| it.state == State::Ended && it.why == Some(why))
}

/// Whether a state is of a kind.
type Is = fn(&Explored, &System) -> bool;

/// The states that a model which does nothing would not have.
const REACHES: &[(&str, Is)] = &[
    ("active", |_, it| is(it, 0, State::Active) && it.is_in()),
    ("ended", |_, it| is(it, 0, State::Ended) && !it.is_in()),
    ("forgotten", |_, it| {
        is(it, 0, State::Ended) && it.ledger.is_none()
    }),
    ("failed", |_, it| is(it, 0, State::Failed)),
    ("waits again", |_, it| {
        is(it, 0, State::Pending) && it.truth[0].clicks != 0
    }),
    ("approved again", |_, it| {
        is(it, 0, State::Approved) && it.truth[0].clicks.count_ones() == 2
    }),
    ("two between load and write", |_, it| it.workers.len() == 2),
    ("two hold it", |_, it| {
        is(it, 0, State::Active) && is(it, 1, State::Active)
    }),
    ("one over, the other holds it", |_, it| {
        let is_first_over = it.requests[0]
            .as_ref()
            .is_some_and(|it| it.state.is_final());
        is_first_over && is(it, 1, State::Active) && it.is_in()
    }),
    ("an add lands after the end", |_, it| {
        let is_released = is(it, 0, State::Deescalating);
        let is_removed = |it: &system::Sent| {
            it.kind == CallKind::Remove && matches!(it.stage, Stage::Landed | Stage::Known(_))
        };
        is_released && it.is_in_through_stint() && it.calls.iter().any(is_removed)
    }),
    ("a removal is lost", |_, it| {
        let item = it.ledger.as_deref();
        it.is_in_through_stint()
            && it.calls.is_empty()
            && item.is_some_and(|item| item.calls.iter().any(|it| it.kind == CallKind::Remove))
    }),
    ("a member already", |_, it| {
        is_over(it, 0, Why::AlreadyMember) || is_over(it, 1, Why::AlreadyMember)
    }),
    ("added by hand and left alone", |_, it| {
        let is_done = it.requests.iter().flatten().all(|it| it.state.is_final());
        is_done && it.ledger.is_none() && it.user == User::Standing && it.requests[0].is_some()
    }),
    ("removed by hand", |_, it| {
        is(it, 0, State::Active) && !it.is_in()
    }),
    ("handed over and left alone", |_, it| {
        let is_done = it.requests.iter().flatten().all(|it| it.state.is_final());
        is_done && it.ledger.is_none() && it.user == User::HandedOver
    }),
    ("handed over, and asked for once more", |_, it| {
        it.user == User::HandedOver && is_over(it, 1, Why::AlreadyMember)
    }),
    ("the extension takes over", |_, it| {
        is_over(it, 0, Why::Superseded) && is(it, 1, State::Active)
    }),
];

/// Sees every state of the scenario, and writes down how many there were.
fn explore(scenario: Scenario) {
    let (name, depth) = (scenario.name, scenario.depth);
    for reach in scenario.reaches {
        assert!(REACHES.iter().any(|(known, _)| known == reach), "{reach}");
    }
    let explored = Explored {
        scenario,
        known: Mutex::default(),
        seen: AtomicUsize::default(),
        failed: AtomicBool::default(),
    };
    // One thread: a state is then first met by one of the shortest ways to it, so that its depth, and
    // with it what is seen, is the same in every run.
    let checker = explored
        .checker()
        .threads(1)
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let mut violations = 0;
    for property in checker.model().properties() {
        let found = checker.discovery(property.name);
        if property.expectation.discovery_is_failure() {
            let Some(path) = found else { continue };
            violations += 1;
            println!("{name}: `{}` is broken by:", property.name);
            for (system, step) in path.into_vec() {
                println!("  {}", system.tell());
                println!(
                    "    {}",
                    step.map_or_else(String::new, |it| format!("{it:?}"))
                );
            }
        } else {
            assert!(
                found.is_some(),
                "{name}: `{}` is not reached",
                property.name
            );
        }
    }
    let (states, unique) = (checker.state_count(), checker.unique_state_count());
    let line = format!(
        r#"{{"check":"model","scenario":"{name}","states":{states},"unique":{unique},"depth":{depth},"violations":{violations}}}"#
    );
    println!("{line}");
    let proof = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/proof");
    std::fs::create_dir_all(&proof).unwrap();
    std::fs::write(proof.join(format!("model-{name}.json")), line + "\n").unwrap();
    assert_eq!(violations, 0, "{name}");
    assert!(checker.is_done(), "{name}");
    assert_eq!(
        checker.model().seen.load(Ordering::Relaxed),
        unique,
        "{name}"
    );
    assert_eq!(checker.max_depth(), depth + 1, "{name}");
}

/// The beginning that most have: asked for some time ago, and approved.
fn approved(r: usize) -> Vec<Step> {
    let click = 1;
    vec![
        Step::Ask(r),
        Step::Pass { seconds: 60 },
        Step::Approve { request: r, click },
    ]
}

fn active(r: usize) -> Vec<Step> {
    let fate = Fate::GOOD;
    let added = vec![Step::Do(Task::Escalate(r)), Step::Finish { call: 0, fate }];
    [approved(r), added].concat()
}

/// Two functions at once, and nothing else.
fn scenario(name: &'static str, depth: usize) -> Scenario {
    Scenario {
        name,
        begins: Vec::new(),
        hands: 0,
        hands_over: false,
        second: Second::None,
        workers: 2,
        all: false,
        depth,
        reaches: &[],
    }
}

#[test]
fn one_request() {
    explore(Scenario {
        begins: vec![vec![Step::Ask(0), Step::Pass { seconds: 60 }]],
        all: true,
        reaches: &[
            "active",
            "ended",
            "failed",
            "waits again",
            "approved again",
            "two between load and write",
            "a removal is lost",
        ],
        ..scenario("one-request", 11)
    });
}

#[test]
fn one_grant() {
    explore(Scenario {
        begins: vec![approved(0), active(0)],
        reaches: &[
            "ended",
            "forgotten",
            "failed",
            "two between load and write",
            "an add lands after the end",
            "a removal is lost",
        ],
        ..scenario("one-grant", 12)
    });
}

#[test]
fn two_requests() {
    explore(Scenario {
        begins: vec![
            [approved(0), approved(1)].concat(),
            [active(0), approved(1)].concat(),
        ],
        second: Second::Another,
        reaches: &["two hold it", "one over, the other holds it"],
        ..scenario("two-requests", 7)
    });
}

#[test]
fn an_extension() {
    explore(Scenario {
        begins: vec![[active(0), approved(1)].concat()],
        second: Second::Extension,
        reaches: &["the extension takes over", "one over, the other holds it"],
        ..scenario("an-extension", 7)
    });
}

#[test]
fn a_standing_member() {
    explore(Scenario {
        begins: vec![
            vec![Step::AddByHand],
            [approved(0), vec![Step::AddByHand]].concat(),
        ],
        hands: 2,
        second: Second::Another,
        reaches: &["a member already", "added by hand and left alone"],
        ..scenario("a-standing-member", 9)
    });
}

#[test]
fn an_administrator() {
    explore(Scenario {
        begins: vec![approved(0), active(0)],
        hands: 1,
        second: Second::Another,
        reaches: &[
            "a member already",
            "added by hand and left alone",
            "removed by hand",
        ],
        ..scenario("an-administrator", 8)
    });
}

#[test]
fn a_hand_over() {
    explore(Scenario {
        begins: vec![
            approved(0),
            active(0),
            [active(0), approved(1)].concat(),
            [active(0), vec![Step::Revoke(0)]].concat(),
        ],
        hands_over: true,
        second: Second::Another,
        reaches: &[
            "handed over and left alone",
            "handed over, and asked for once more",
            "one over, the other holds it",
        ],
        ..scenario("a-hand-over", 7)
    });
}
