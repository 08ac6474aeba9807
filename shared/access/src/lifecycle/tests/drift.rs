//! What somebody else does to a membership in Okta, and its handing over.

use jiff::SignedDuration;

use super::world::{HOUR, World, person, seconds};
use crate::audit::Step;
use crate::{
    Effect, Event, HandOver, MembershipChange, Notice, Recipient, Refusal, RequestId, State,
    Trouble, WATCHED_FOR, Why,
};

const LATE: SignedDuration = SignedDuration::from_mins(5);

fn id() -> RequestId {
    RequestId::new("R")
}

fn grant(world: &mut World, name: &str, hours: u64) {
    world.ask(name, hours * HOUR).unwrap();
    world.approve(name, person("bob"), name).unwrap();
    world.escalate(name).unwrap();
    world.finish_calls();
    assert_eq!(world.request(name).state, State::Active);
}

fn active() -> World {
    let mut world = World::new();
    grant(&mut world, "R", 1);
    world
}

fn seen(world: &mut World, is_in: bool) -> Result<crate::Transition, Refusal> {
    world.step(Some(&id()), &Event::Seen { is_in })
}

fn hand_over() -> Event {
    Event::HandOver(HandOver {
        by: "jane@example.com".to_owned(),
        reason: "she is on the team now".to_owned(),
    })
}

#[test]
fn a_removal_is_remembered_for_a_day_and_holds_nobody() {
    let mut world = active();
    world.pass(seconds(HOUR), true);
    world.deescalate("R").unwrap();
    world.finish_calls();
    let item = world.ledger.clone().unwrap();
    assert!(item.is_out() && !item.is_live());
    assert_eq!(item.due_at, Some(world.now + WATCHED_FOR));
    assert!(!item.should_be_out(world.now), "Okta may still show them");
    world.recover(LATE);
    assert!(world.ledger.as_ref().unwrap().should_be_out(world.now));
    world.recover(WATCHED_FOR);
    assert_eq!(world.ledger, None);
}

#[test]
fn the_item_knows_whom_to_tell() {
    let world = active();
    let told = world.ledger.unwrap().error_channel;
    assert_eq!(told.as_deref(), Some("#sym-errors"));
}

#[test]
fn who_was_taken_out_is_told_once_and_stays_out_until_the_end() {
    let mut world = active();
    world.member = false;
    assert!(
        matches!(seen(&mut world, false), Err(Refusal::NotDue(_))),
        "it is too new"
    );
    world.pass(LATE, true);
    let (end, before) = (world.request("R").ends_at, world.ledger.clone());
    world.draw("R", |_| false);
    let step = seen(&mut world, false).unwrap();
    assert_eq!(step.membership, MembershipChange::Check);
    assert!(step.effects.is_empty());
    let request = world.request("R").clone();
    let trouble = Trouble::taken_out(&request);
    assert_eq!((request.state, request.ends_at), (State::Active, end));
    assert_eq!(request.trouble, Some(trouble.clone()));
    assert!(request.is_taken_out() && !request.is_shown());
    let told: Vec<Recipient> = request.owed.iter().map(|it| it.to.clone()).collect();
    assert_eq!(told, [Recipient::Requester, Recipient::ErrorChannel]);
    let notice = Notice::Trouble(trouble);
    assert!(request.owed.iter().all(|it| it.notice == notice));

    // Once; and nobody is put in again.
    assert!(matches!(seen(&mut world, false), Err(Refusal::NotDue(_))));
    world.recover(SignedDuration::from_mins(30));
    assert_eq!(world.ledger, before);
    assert!(world.escalate("R").is_err() && !world.member);

    // Somebody puts them in again, and then out once more.
    seen(&mut world, true).unwrap();
    assert_eq!(world.request("R").trouble, None);
    assert!(matches!(seen(&mut world, true), Err(Refusal::NotDue(_))));
    seen(&mut world, false).unwrap();
    world.recover(seconds(HOUR));
    let request = world.request("R");
    assert_eq!(
        (request.state, request.why),
        (State::Ended, Some(Why::Elapsed))
    );
    assert_eq!(request.trouble, None);
}

#[test]
fn nobody_is_missed_who_is_not_settled_in() {
    let mut world = active();
    world.pass(LATE, true);
    // Another grant adds: what Okta shows may be of before or after.
    world.ask("S", HOUR).unwrap();
    world.approve("S", person("bob"), "c2").unwrap();
    world.escalate("S").unwrap();
    assert!(matches!(
        seen(&mut world, false),
        Err(Refusal::MovedOn(State::Active))
    ));
    world.finish_calls();
    seen(&mut world, false).unwrap();
    world.recover(seconds(2 * HOUR));
    assert!(matches!(
        seen(&mut world, false),
        Err(Refusal::MovedOn(State::Ended))
    ));
}

#[test]
fn who_is_handed_over_stays_and_is_forgotten() {
    let mut world = active();
    let step = world.step(Some(&id()), &hand_over()).unwrap();
    let request = world.request("R").clone();
    assert_eq!(
        (request.state, request.why),
        (State::Ended, Some(Why::HandedOver))
    );
    assert_eq!(step.membership, MembershipChange::Delete);
    assert_eq!(step.effects, [Effect::Unschedule(vec!["R-1".to_owned()])]);
    let [entry] = step.audit.as_slice() else {
        panic!("one entry: {:?}", step.audit);
    };
    assert_eq!((entry.step, entry.why), (Step::End, Some(Why::HandedOver)));
    let reason = "jane@example.com: she is on the team now";
    assert_eq!(entry.reason.as_deref(), Some(reason));
    for to in [Recipient::Requester, Recipient::ErrorChannel] {
        let mut owed = request.owed.iter().filter(|it| it.to == to);
        assert!(owed.any(|it| it.notice == Notice::Ended));
    }
    world.recover(seconds(30 * HOUR));
    assert!(world.member && world.ledger.is_none() && world.calls.is_empty());
    world.ask("S", HOUR).unwrap();
    assert_eq!(world.request("S").why, Some(Why::AlreadyMember));
}

#[test]
fn what_others_hold_or_what_is_under_way_is_not_handed_over() {
    let mut world = active();
    grant(&mut world, "S", 2);
    let others = vec![RequestId::new("S")];
    let refused = world.step(Some(&id()), &hand_over());
    assert_eq!(refused, Err(Refusal::HeldToo(others)));

    let mut world = World::new();
    let not_active = |state| Err(Refusal::MovedOn(state));
    world.ask("R", HOUR).unwrap();
    assert_eq!(
        world.step(Some(&id()), &hand_over()),
        not_active(State::Pending)
    );
    world.approve("R", person("bob"), "c1").unwrap();
    assert_eq!(
        world.step(Some(&id()), &hand_over()),
        not_active(State::Approved)
    );
    world.escalate("R").unwrap();
    assert_eq!(
        world.step(Some(&id()), &hand_over()),
        not_active(State::Escalating)
    );
    world.finish_calls();
    // Another grant's call is under way, and that grant is given up meanwhile.
    world.ask("S", HOUR).unwrap();
    world.approve("S", person("bob"), "c2").unwrap();
    world.escalate("S").unwrap();
    world
        .step(Some(&RequestId::new("S")), &Event::Stop)
        .unwrap();
    world.deescalate("S").unwrap();
    assert_eq!(
        world.step(Some(&id()), &hand_over()),
        Err(Refusal::UnderWay)
    );
    assert_eq!(world.request("R").state, State::Active);
    world.recover(seconds(2 * HOUR));
    assert!(!world.member);
}

#[test]
fn who_was_taken_out_is_not_handed_over() {
    let mut world = active();
    world.pass(LATE, true);
    seen(&mut world, false).unwrap();
    let refused = world.step(Some(&id()), &hand_over());
    assert_eq!(refused, Err(Refusal::TakenOut));
}
