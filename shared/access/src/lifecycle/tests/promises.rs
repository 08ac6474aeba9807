//! The promises, held to crashes, lost and late answers, duplicates, early and missing wake-ups, and
//! several requests of one membership.

use jiff::SignedDuration;
use proptest::prelude::*;

use super::world::{HOUR, World, alice, permit, person};
use crate::{Action, Answer, CallKind, Click, Event, Place, Refusal, RequestId, State, Why};

#[derive(Debug, Clone)]
enum Op {
    Ask {
        request: usize,
        hours: u64,
    },
    Extend {
        request: usize,
        old: usize,
    },
    Approve {
        request: usize,
        carol: bool,
    },
    Deny(usize),
    Cancel(usize),
    Revoke(usize),
    Withdraw(usize),
    Stop(usize),
    Escalate(usize),
    /// Looks, and only later announces a call, if nothing moved meanwhile.
    LookThenEscalate {
        request: usize,
        between: Box<Op>,
    },
    Deescalate(usize),
    Land(usize),
    ReadBack(usize),
    Record(usize),
    Refuse {
        call: usize,
        mendable: bool,
    },
    NotDone(usize),
    Unclear(usize),
    Lose(usize),
    Remind(usize),
    Draw {
        request: usize,
        lost: bool,
    },
    Sweep,
    TakeUp,
    DropHandoffs,
    Pass {
        seconds: u32,
        late: bool,
    },
}

const NAMES: [&str; 3] = ["R0", "R1", "R2"];

fn op() -> impl Strategy<Value = Op> {
    let r = 0..NAMES.len();
    let leaf = prop_oneof![
        3 => (r.clone(), 1..3_u64).prop_map(|(request, hours)| Op::Ask { request, hours }),
        1 => (r.clone(), r.clone()).prop_map(|(request, old)| Op::Extend { request, old }),
        4 => (r.clone(), any::<bool>()).prop_map(|(request, carol)| Op::Approve { request, carol }),
        1 => r.clone().prop_map(Op::Deny),
        1 => r.clone().prop_map(Op::Cancel),
        1 => r.clone().prop_map(Op::Revoke),
        1 => r.clone().prop_map(Op::Withdraw),
        1 => r.clone().prop_map(Op::Stop),
        5 => r.clone().prop_map(Op::Escalate),
        3 => r.clone().prop_map(Op::Deescalate),
        5 => (0..4_usize).prop_map(Op::Land),
        5 => (0..4_usize).prop_map(Op::ReadBack),
        5 => (0..4_usize).prop_map(Op::Record),
        1 => (0..4_usize, any::<bool>()).prop_map(|(call, mendable)| Op::Refuse { call, mendable }),
        1 => (0..4_usize).prop_map(Op::NotDone),
        1 => (0..4_usize).prop_map(Op::Unclear),
        2 => (0..4_usize).prop_map(Op::Lose),
        1 => r.clone().prop_map(Op::Remind),
        2 => (r.clone(), any::<bool>()).prop_map(|(request, lost)| Op::Draw { request, lost }),
        3 => Just(Op::Sweep),
        3 => Just(Op::TakeUp),
        1 => Just(Op::DropHandoffs),
        4 => (prop_oneof![1..30_u32, 30..200_u32, 1000..5000_u32], any::<bool>())
            .prop_map(|(seconds, late)| Op::Pass { seconds, late }),
    ];
    leaf.prop_recursive(1, 2, 1, move |inner| {
        (0..NAMES.len(), inner).prop_map(|(request, between)| Op::LookThenEscalate {
            request,
            between: Box::new(between),
        })
    })
}

#[expect(
    clippy::too_many_lines,
    reason = "one arm for each thing that can happen"
)]
fn run(world: &mut World, op: &Op, clicks: &mut u32) {
    *clicks += 1;
    let click = Click::new(format!("click{clicks}"));
    let id = |request: &usize| RequestId::new(NAMES[*request]);
    let at = |world: &World, call: &usize| Some(*call).filter(|it| *it < world.calls.len());
    // Most of what happens here is refused, which is the point.
    match op {
        Op::Ask { request, hours } => {
            let mut form = world.form(NAMES[*request], hours * HOUR);
            form.remind_after = Some(SignedDuration::from_mins(20));
            form.fallback = vec![Place::Asked(person("carol").slack)];
            form.fallback_after = SignedDuration::from_mins(30);
            let _ = world.submit(form);
        }
        Op::Extend { request, old } => {
            let mut form = world.form(NAMES[*request], HOUR);
            form.extends = Some(id(old));
            form.permit = permit(Action::Extend);
            let _ = world.submit(form);
        }
        Op::Approve { request, carol } => {
            let by = person(if *carol { "carol" } else { "bob" });
            let _ = world.approve(NAMES[*request], by, click.as_str());
        }
        Op::Deny(request) => {
            let event = Event::Deny {
                actor: person("bob"),
                click,
                permit: permit(Action::Deny),
                note: None,
            };
            let _ = world.step(Some(&id(request)), &event);
        }
        Op::Cancel(request) => {
            let event = Event::Cancel {
                actor: alice(),
                click,
            };
            let _ = world.step(Some(&id(request)), &event);
        }
        Op::Revoke(request) => {
            let event = Event::Revoke {
                actor: person("dave"),
                click,
                permit: Some(permit(Action::Revoke)),
            };
            let _ = world.step(Some(&id(request)), &event);
        }
        Op::Withdraw(request) => {
            let event = Event::Withdraw {
                actor: alice(),
                click,
            };
            let _ = world.step(Some(&id(request)), &event);
        }
        Op::Stop(request) => {
            let _ = world.step(Some(&id(request)), &Event::Stop);
        }
        Op::Escalate(request) => {
            let _ = world.escalate(NAMES[*request]);
        }
        Op::LookThenEscalate { request, between } => {
            let id = id(request);
            let (before, look) = (world.loaded(Some(&id)), world.look());
            run(world, between, clicks);
            // The write is conditional on what was loaded before the look.
            if world.loaded(Some(&id)) == before {
                let _ = world.decide(Some(&id), &before, &Event::Escalate { look });
            }
        }
        Op::Deescalate(request) => {
            let _ = world.deescalate(NAMES[*request]);
        }
        Op::Land(call) => at(world, call).into_iter().for_each(|it| world.land(it)),
        Op::ReadBack(call) => at(world, call)
            .into_iter()
            .for_each(|it| world.read_back(it)),
        Op::Record(call) => at(world, call).into_iter().for_each(|it| world.record(it)),
        Op::Refuse { call, mendable } => refuse(world, *call, |trouble| Answer::Refused {
            mendable: *mendable,
            trouble,
        }),
        Op::NotDone(call) => refuse(world, *call, |trouble| Answer::NotDone {
            after: SignedDuration::from_secs(20),
            trouble,
        }),
        // The answer is lost; the call itself lands, has landed, or never will.
        Op::Unclear(call) => {
            if let Some(index) = at(world, call) {
                let answer = Answer::Unclear {
                    trouble: super::world::trouble(),
                };
                let sent = world.calls[index].clone();
                world.answer(index, answer);
                if sent.stage == super::world::Stage::Sent {
                    world.calls.push(sent);
                }
            }
        }
        Op::Lose(call) => at(world, call).into_iter().for_each(|it| world.lose(it)),
        Op::Remind(request) => {
            let _ = world.step(Some(&id(request)), &Event::Remind);
        }
        Op::Draw { request, lost } => {
            if world.requests.contains_key(&id(request)) {
                world.draw(NAMES[*request], |place| *lost && place.asks());
            }
        }
        Op::Sweep => world.sweep(),
        Op::TakeUp => world.take_up(),
        Op::DropHandoffs => {
            world.to_escalate.clear();
            world.to_deescalate.clear();
        }
        Op::Pass { seconds, late } => {
            world.pass(SignedDuration::from_secs(i64::from(*seconds)), *late);
        }
    }
}

/// Okta says no before it does anything.
fn refuse(world: &mut World, call: usize, answer: impl FnOnce(crate::Trouble) -> Answer) {
    let sent = world.calls.get(call);
    if sent.is_some_and(|it| it.stage == super::world::Stage::Sent) {
        world.answer(call, answer(super::world::trouble()));
    }
}

fn in_order(world: &mut World) -> Result<(), TestCaseError> {
    // Whoever holds it is in, once everything that was under way is through.
    world.recover(SignedDuration::from_mins(20));
    let holds = |it: &&crate::Request| it.state == State::Active && it.ends_at.unwrap() > world.now;
    if world.requests.values().any(|it| holds(&it)) {
        prop_assert!(world.member, "a live grant is a membership");
    }
    world.recover(SignedDuration::from_hours(31));
    let ids: Vec<RequestId> = world.requests.keys().cloned().collect();
    for id in ids {
        world.draw(id.as_str(), Place::asks);
        let request = world.request(id.as_str());
        let state = request.state;
        prop_assert!(state.is_final(), "{id} is {state:?}");
        prop_assert_eq!(request.due_at(), None, "nothing is left to do or to say");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn nobody_is_left_in_whatever_happens(ops in prop::collection::vec(op(), 1..60)) {
        let mut world = World::new();
        let mut clicks = 0;
        for op in &ops {
            run(&mut world, op, &mut clicks);
        }
        in_order(&mut world)?;
        prop_assert!(!world.member, "everybody is out");
        prop_assert!(world.ledger.is_none(), "the ledger is empty: {:?}", world.ledger);
        let standing = world.requests.values().find(|it| it.why == Some(Why::AlreadyMember));
        prop_assert!(standing.is_none(), "nobody was a standing member");
    }

    #[test]
    fn a_standing_member_is_never_touched(ops in prop::collection::vec(op(), 1..60)) {
        let mut world = World::new();
        world.member = true;
        let mut clicks = 0;
        for op in &ops {
            run(&mut world, op, &mut clicks);
            prop_assert!(world.calls.is_empty(), "nothing is sent");
        }
        in_order(&mut world)?;
        prop_assert!(world.member);
        prop_assert!(world.ledger.is_none());
        prop_assert!(world.schedules.is_empty(), "nothing is scheduled");
    }

    #[test]
    fn no_end_takes_away_what_another_grant_holds(
        first in 1..4_u64, second in 1..4_u64, apart in 0..7200_u32, lost in any::<bool>(),
    ) {
        let mut world = World::new();
        world.ask("R0", first * HOUR).unwrap();
        world.approve("R0", person("bob"), "c0").unwrap();
        world.take_up();
        world.finish_calls();
        world.recover(SignedDuration::from_secs(i64::from(apart)));
        if world.ask("R1", second * HOUR).is_ok() {
            let _ = world.approve("R1", person("bob"), "c1");
            world.take_up();
            if lost && !world.calls.is_empty() {
                world.land(0);
                world.lose(0);
            }
        }
        for _ in 0..400 {
            world.recover(SignedDuration::from_mins(1));
            let margin = world.now + SignedDuration::from_secs(1);
            let is_held = world.requests.values().any(|it| {
                it.state == State::Active && it.ends_at.is_some_and(|end| end > margin)
            });
            prop_assert!(!is_held || world.member);
        }
        prop_assert!(!world.member);
    }

    #[test]
    fn two_approvers_make_one_grant(bob_first in any::<bool>(), again in any::<bool>()) {
        let mut world = World::new();
        world.ask("R0", HOUR).unwrap();
        let (first, second) = if bob_first { ("bob", "carol") } else { ("carol", "bob") };
        world.approve("R0", person(first), "c1").unwrap();
        if again {
            let repeated = world.approve("R0", person(first), "c1").unwrap();
            prop_assert!(repeated.request.is_none() && repeated.audit.is_empty());
        }
        let late = world.approve("R0", person(second), "c2");
        prop_assert_eq!(late, Err(Refusal::MovedOn(State::Approved)));
        world.take_up();
        let adds = world.calls.iter().filter(|it| it.kind == CallKind::Add).count();
        prop_assert_eq!(adds, 1);
    }
}
