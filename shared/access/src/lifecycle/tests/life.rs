//! Each row of a request's life.

use jiff::SignedDuration;

use super::world::{HOUR, World, alice, permit, person, seconds, trouble};
use crate::audit::Step;
use crate::{
    Action, Answer, Click, Effect, Event, Look, Notice, Owed, Place, Recipient, Refusal, RequestId,
    State, Why,
};

fn active() -> World {
    let mut world = World::new();
    world.ask("R", HOUR).unwrap();
    world.approve("R", person("bob"), "bob's click").unwrap();
    world.escalate("R").unwrap();
    world.finish_calls();
    assert_eq!(world.request("R").state, State::Active);
    assert!(world.member);
    world
}

fn id() -> RequestId {
    RequestId::new("R")
}

#[test]
fn asked_approved_added_and_taken_out_at_the_end() {
    let mut world = active();
    let request = world.request("R");
    let end = request.ends_at.unwrap();
    assert_eq!(end, request.starts_at.unwrap() + seconds(HOUR));
    assert_eq!(world.schedules["R-1"], end);
    assert!(matches!(world.deescalate("R"), Err(Refusal::NotDue(Some(at))) if at == end));

    world.pass(seconds(HOUR), true);
    world.deescalate("R").unwrap();
    assert_eq!(world.request("R").state, State::Deescalating);
    world.finish_calls();
    let request = world.request("R");
    assert_eq!(
        (request.state, request.why),
        (State::Ended, Some(Why::Elapsed))
    );
    assert!(!world.member);
    assert!(world.schedules.is_empty());
    let steps: Vec<Step> = world.audit.iter().map(|entry| entry.step).collect();
    let all = [
        Step::Request,
        Step::Approve,
        Step::Escalate,
        Step::Activate,
        Step::Deescalate,
        Step::End,
    ];
    assert_eq!(steps, all);
}

#[test]
fn who_needs_two_approvals_needs_two_people() {
    let mut world = World::new();
    let mut form = world.form("R", HOUR);
    form.approvals_needed = 2;
    world.submit(form).unwrap();
    world.approve("R", person("bob"), "c1").unwrap();
    assert_eq!(world.request("R").state, State::Pending);
    let again = world.approve("R", person("bob"), "c2");
    assert_eq!(again, Err(Refusal::MovedOn(State::Pending)));
    let step = world.approve("R", person("carol"), "c3").unwrap();
    assert_eq!(world.request("R").state, State::Approved);
    assert_eq!(step.effects, [Effect::Escalate(id())]);
}

#[test]
fn a_permit_is_good_for_its_own_action_only() {
    let mut world = World::new();
    let mut form = world.form("R", HOUR);
    form.permit = permit(Action::Approve);
    assert_eq!(world.submit(form), Err(Refusal::NotPermitted));
    world.ask("R", HOUR).unwrap();
    for action in [
        Action::Request,
        Action::Deny,
        Action::Revoke,
        Action::AutoApprove,
    ] {
        let event = Event::Approve {
            actor: person("bob"),
            click: Click::new("c"),
            permit: permit(action),
            note: None,
            requester: alice(),
            needed: 1,
        };
        assert_eq!(world.step(Some(&id()), &event), Err(Refusal::NotPermitted));
    }
    assert_eq!(world.request("R").state, State::Pending);
}

#[test]
fn a_policy_that_needs_nobody_approves_at_once() {
    let mut world = World::new();
    let mut form = world.form("R", HOUR);
    form.auto_approve = Some(permit(Action::AutoApprove));
    world.submit(form).unwrap();
    assert_eq!(world.request("R").state, State::Approved);
    let steps: Vec<Step> = world.audit.iter().map(|entry| entry.step).collect();
    assert_eq!(steps, [Step::Request, Step::Approve]);
}

#[test]
fn denied_cancelled_or_never_answered() {
    let mut world = World::new();
    world.ask("R", HOUR).unwrap();
    let deny = Event::Deny {
        actor: person("bob"),
        click: Click::new("c"),
        permit: permit(Action::Deny),
        note: Some("not now".to_owned()),
    };
    world.step(Some(&id()), &deny).unwrap();
    assert_eq!(world.request("R").state, State::Denied);

    let mut world = World::new();
    world.ask("R", HOUR).unwrap();
    let cancel = |actor| Event::Cancel {
        actor,
        click: Click::new("c"),
    };
    let others = world.step(Some(&id()), &cancel(person("bob")));
    assert_eq!(others, Err(Refusal::NotYours));
    world.step(Some(&id()), &cancel(alice())).unwrap();
    assert_eq!(world.request("R").state, State::Cancelled);

    let mut world = World::new();
    world.ask("R", HOUR).unwrap();
    assert!(world.step(Some(&id()), &Event::Expire).is_err());
    world.pass(SignedDuration::from_hours(24), true);
    world.step(Some(&id()), &Event::Expire).unwrap();
    assert_eq!(world.request("R").state, State::Expired);
}

#[test]
fn whoever_approved_takes_it_back_without_a_policy_and_others_only_with_one() {
    let revoke = |actor, permit| Event::Revoke {
        actor,
        click: Click::new("c"),
        permit,
    };
    let mut world = active();
    let other = world.step(Some(&id()), &revoke(person("carol"), None));
    assert_eq!(other, Err(Refusal::NotPermitted));
    let step = world
        .step(Some(&id()), &revoke(person("bob"), None))
        .unwrap();
    assert_eq!(step.effects, [Effect::Deescalate(id())]);
    world.take_up();
    world.finish_calls();
    let request = world.request("R");
    assert_eq!(
        (request.state, request.why),
        (State::Ended, Some(Why::Revoked))
    );
    assert!(!world.member);
}

#[test]
fn the_requester_gives_it_back() {
    let mut world = active();
    let event = Event::Withdraw {
        actor: alice(),
        click: Click::new("done"),
    };
    world.step(Some(&id()), &event).unwrap();
    world.take_up();
    world.finish_calls();
    let request = world.request("R");
    assert_eq!(
        (request.state, request.why),
        (State::Ended, Some(Why::Withdrawn))
    );
    // The same click again repeats nothing but what may have been lost.
    let again = world.step(Some(&id()), &event).unwrap();
    assert!(again.request.is_none() && again.effects.is_empty());
}

#[test]
fn a_standing_member_is_told_so_and_nothing_is_scheduled() {
    let mut world = World::new();
    world.member = true;
    world.ask("R", HOUR).unwrap();
    let request = world.request("R");
    assert_eq!(
        (request.state, request.why),
        (State::Ended, Some(Why::AlreadyMember))
    );
    assert!(request.asking().next().is_none());
    assert_eq!(request.owed[0].notice, Notice::AlreadyMember);
    assert!(world.schedules.is_empty() && world.ledger.is_none());
}

#[test]
fn a_member_that_stint_put_in_is_no_standing_member() {
    let mut world = active();
    world.ask("S", HOUR).unwrap();
    assert_eq!(world.request("S").state, State::Pending);
    world.approve("S", person("bob"), "c2").unwrap();
    world.escalate("S").unwrap();
    world.finish_calls();
    assert_eq!(world.request("S").state, State::Active);
}

#[test]
fn a_removal_of_a_moment_ago_makes_nobody_a_standing_member() {
    let mut world = active();
    world.pass(seconds(HOUR), true);
    world.deescalate("R").unwrap();
    world.finish_calls();
    // Okta's old copy still says "member".
    world.ask("S", HOUR).unwrap();
    world.approve("S", person("bob"), "c2").unwrap();
    let id = RequestId::new("S");
    world
        .step(Some(&id), &Event::Escalate { look: Look::In })
        .unwrap();
    assert_eq!(world.request("S").state, State::Approved);
    world.pass(SignedDuration::from_mins(2), true);
    world
        .step(Some(&id), &Event::Escalate { look: Look::In })
        .unwrap();
    assert_eq!(world.request("S").why, Some(Why::AlreadyMember));
}

#[test]
fn what_a_person_can_mend_goes_back_to_its_approvers() {
    let mut world = World::new();
    world.ask("R", HOUR).unwrap();
    world.approve("R", person("bob"), "c1").unwrap();
    world.escalate("R").unwrap();
    let refused = Answer::Refused {
        mendable: true,
        trouble: trouble(),
    };
    world.answer(0, refused);
    let request = world.request("R");
    assert_eq!(request.state, State::Pending);
    assert!(request.approvals.is_empty() && request.ends_at.is_none());
    assert_eq!(request.trouble, Some(trouble()));
    assert!(
        request
            .owed
            .iter()
            .any(|it| it.to == Recipient::ErrorChannel)
    );
    // Bob's click of before, delivered once more, is no new yes; his next one is.
    let repeated = world.approve("R", person("bob"), "c1").unwrap();
    assert!(repeated.request.is_none() && repeated.effects.is_empty());
    world.approve("R", person("bob"), "c2").unwrap();
    world.escalate("R").unwrap();
    world.finish_calls();
    assert_eq!(world.request("R").state, State::Active);
}

#[test]
fn what_nobody_can_mend_fails() {
    let mut world = World::new();
    world.ask("R", HOUR).unwrap();
    world.approve("R", person("bob"), "c1").unwrap();
    let unfit = Event::Unfit {
        mendable: false,
        trouble: trouble(),
    };
    world.step(Some(&id()), &unfit).unwrap();
    assert_eq!(world.request("R").state, State::Failed);
    assert!(world.calls.is_empty());
}

#[test]
fn what_may_have_taken_effect_is_undone_before_it_fails() {
    let mut world = World::new();
    world.ask("R", HOUR).unwrap();
    world.approve("R", person("bob"), "c1").unwrap();
    world.escalate("R").unwrap();
    world.land(0);
    world.lose(0);
    assert!(world.member);
    world.pass(SignedDuration::from_secs(61), true);
    world.escalate("R").unwrap();
    let refused = Answer::Refused {
        mendable: true,
        trouble: trouble(),
    };
    world.answer(0, refused);
    assert_eq!(world.request("R").state, State::Deescalating);
    world.deescalate("R").unwrap();
    world.finish_calls();
    assert_eq!(world.request("R").state, State::Failed);
    assert!(!world.member);
}

#[test]
fn a_retry_keeps_the_end_unless_the_first_try_had_no_effect() {
    let mut world = World::new();
    world.ask("R", HOUR).unwrap();
    world.approve("R", person("bob"), "c1").unwrap();
    world.escalate("R").unwrap();
    let not_done = |after| Answer::NotDone {
        after: SignedDuration::from_secs(after),
        trouble: trouble(),
    };
    world.answer(0, not_done(30));
    assert_eq!(world.request("R").ends_at, None);
    world.pass(SignedDuration::from_secs(30), true);
    world.escalate("R").unwrap();
    let end = world.request("R").ends_at;
    world.answer(0, Answer::Unclear { trouble: trouble() });
    world.pass(SignedDuration::from_mins(3), true);
    world.escalate("R").unwrap();
    assert_eq!(world.request("R").ends_at, end);
}

#[test]
fn fifteen_minutes_after_approval_it_is_given_up() {
    let mut world = World::new();
    world.ask("R", HOUR).unwrap();
    world.approve("R", person("bob"), "c1").unwrap();
    world.escalate("R").unwrap();
    // It may have reached Okta.
    world.answer(0, Answer::Unclear { trouble: trouble() });
    world.pass(SignedDuration::from_mins(15), true);
    assert!(matches!(world.escalate("R"), Err(Refusal::NotDue(_))));
    world.deescalate("R").unwrap();
    assert_eq!(world.request("R").state, State::Deescalating);
    world.finish_calls();
    assert_eq!(world.request("R").state, State::Failed);
}

#[test]
fn what_reached_okta_in_no_way_in_fifteen_minutes_waits_for_another_yes() {
    let not_done = || Answer::NotDone {
        after: SignedDuration::from_secs(60),
        trouble: trouble(),
    };
    for attempts in 0..3 {
        let mut world = World::new();
        world.ask("R", HOUR).unwrap();
        world.draw("R", |_| false);
        world.approve("R", person("bob"), "c1").unwrap();
        for _ in 0..attempts {
            world.escalate("R").unwrap();
            world.answer(0, not_done());
            assert_eq!(world.request("R").trouble, Some(trouble()));
        }
        world.pass(SignedDuration::from_mins(15), true);
        assert!(matches!(world.escalate("R"), Err(Refusal::NotDue(_))));
        world.deescalate("R").unwrap();
        let request = world.request("R");
        assert_eq!(request.state, State::Pending, "after {attempts} attempts");
        assert!(request.approvals.is_empty());
        assert_eq!(request.approved_at, None);
        assert_eq!(request.ends_at, None);
        let told = request.trouble.clone().unwrap();
        assert_eq!(told.hint, "approve it again");
        for to in [Recipient::Requester, Recipient::ErrorChannel] {
            let notice = Notice::Trouble(told.clone());
            assert!(request.owed.contains(&Owed { to, notice }));
        }
        assert_eq!(world.ledger, None, "it holds nothing");
        // A late second yes goes on as the first one did.
        world.approve("R", person("carol"), "c2").unwrap();
        world.escalate("R").unwrap();
        world.finish_calls();
        assert_eq!(world.request("R").state, State::Active);
    }
}

#[test]
fn what_okta_put_off_is_left_alone_until_then_by_everybody() {
    let mut world = active();
    world.pass(seconds(HOUR), true);
    world.deescalate("R").unwrap();
    let wait = SignedDuration::from_secs(42);
    let put_off = Answer::NotDone {
        after: wait,
        trouble: trouble(),
    };
    world.answer(0, put_off);
    let due = world.request("R").drive_at.unwrap();
    assert!(
        due > world.now + wait,
        "and not at the same instant as others"
    );
    assert_eq!(world.ledger.as_ref().unwrap().due_at, Some(due));
    world.pass(wait, true);
    assert!(world.step(None, &Event::Deescalate).is_err());
    assert!(world.deescalate("R").is_err());
    world.now = due;
    world.deescalate("R").unwrap();
    world.finish_calls();
    assert_eq!(world.request("R").state, State::Ended);
}

#[test]
fn a_removal_that_failed_is_tried_again_when_it_is_due_and_once() {
    let mut world = active();
    world.pass(seconds(HOUR), true);
    world.deescalate("R").unwrap();
    let mut waits = Vec::new();
    for attempt in 0..8 {
        let mut trouble = trouble();
        trouble.error = format!("Okta says no in its answer {attempt}");
        world.answer(0, Answer::Unclear { trouble });
        let due = world.request("R").drive_at.unwrap();
        assert_eq!(world.ledger.as_ref().unwrap().due_at, Some(due));
        // Whoever else drives it meanwhile waits as well.
        assert_eq!(world.deescalate("R"), Err(Refusal::NotDue(Some(due))));
        assert!(world.step(None, &Event::Deescalate).is_err());
        waits.push(due.duration_since(world.now).as_secs());
        world.pass(due.duration_since(world.now), true);
        world.deescalate("R").unwrap();
        assert!(world.step(None, &Event::Deescalate).is_err());
        assert_eq!(world.calls.len(), 1);
    }
    assert!(
        waits.is_sorted() && *waits.last().unwrap() <= 30,
        "{waits:?}"
    );
    let told = &world.request("R").owed;
    let to_error_channel = told.iter().filter(|it| it.to == Recipient::ErrorChannel);
    assert_eq!(to_error_channel.count(), 1, "one cause is told once");
}

#[test]
fn an_extension_takes_over() {
    let mut world = active();
    let extension = |world: &World, id: &str, duration_s| {
        let mut form = world.form(id, duration_s);
        form.extends = Some(RequestId::new("R"));
        form.permit = permit(Action::Extend);
        form
    };
    let too_long = world.submit(extension(&world, "S", 4 * HOUR));
    assert!(matches!(too_long, Err(Refusal::NotExtendable(_))));
    world.submit(extension(&world, "S", 2 * HOUR)).unwrap();
    world.pass(SignedDuration::from_mins(30), true);
    world.approve("S", person("bob"), "c2").unwrap();
    world.escalate("S").unwrap();
    world.finish_calls();
    let (old, new) = (world.request("R"), world.request("S"));
    assert_eq!((old.state, old.why), (State::Ended, Some(Why::Superseded)));
    assert_eq!(new.state, State::Active);
    let holders = &world.ledger.as_ref().unwrap().holders;
    assert!(holders.len() == 1 && holders.contains(&new.id));

    // The old end comes and changes nothing.
    world.pass(SignedDuration::from_mins(31), true);
    assert!(world.deescalate("R").is_err());
    world.recover(SignedDuration::from_mins(5));
    assert!(world.member);
    world.recover(SignedDuration::from_hours(3));
    assert!(!world.member);
}

#[test]
fn nobody_extends_what_has_ended_or_is_not_theirs() {
    let mut world = active();
    let mut form = world.form("S", HOUR);
    form.extends = Some(id());
    form.permit = permit(Action::Extend);
    form.requester = person("carol");
    assert!(matches!(
        world.submit(form.clone()),
        Err(Refusal::NotExtendable(_))
    ));
    world.recover(SignedDuration::from_hours(2));
    form.requester = alice();
    assert!(matches!(world.submit(form), Err(Refusal::NotExtendable(_))));
}

#[test]
fn a_form_that_is_delivered_twice_is_one_request() {
    let mut world = World::new();
    world.ask("R", HOUR).unwrap();
    let again = world.ask("R", HOUR).unwrap();
    assert!(again.request.is_none() && again.audit.is_empty());
    assert_eq!(world.requests.len(), 1);
    assert_eq!(world.ask("S", HOUR), Err(Refusal::Twin(id())));
}

#[test]
fn every_copy_of_the_card_follows() {
    let mut world = World::new();
    world.ask("R", HOUR).unwrap();
    let places = |world: &World| {
        let cards = world.request("R").cards.iter();
        cards.map(|card| card.place.clone()).collect::<Vec<_>>()
    };
    let channel = Place::Channel("#sym-requests".to_owned());
    assert_eq!(places(&world), [Place::Homes, channel, Place::Requester]);
    world.approve("R", person("bob"), "c1").unwrap();
    assert_eq!(places(&world)[3], Place::Approver(person("bob").slack));
    let request = world.request("R").clone();
    let cards = request.cards.iter().map(|card| crate::Card {
        shows: request.face,
        posted: Some(crate::Posted {
            channel: "C1".to_owned(),
            ts: "1.2".to_owned(),
        }),
        ..card.clone()
    });
    let shown = Event::Shown {
        cards: cards.collect(),
        sent: request.owed.clone(),
        again: false,
        trouble: None,
    };
    world.step(Some(&id()), &shown).unwrap();
    assert!(world.request("R").is_shown() && world.request("R").surfaces_at.is_none());
    // Two people drew it at the same time: it is behind, and drawn again.
    world.escalate("R").unwrap();
    assert!(!world.request("R").is_shown() && world.request("R").surfaces_at.is_some());
}

#[test]
fn the_people_who_run_stint_end_a_grant_without_a_click() {
    let mut world = active();
    let step = world.step(Some(&id()), &Event::Stop).unwrap();
    assert_eq!(step.audit[0].step, Step::Deescalate);
    assert_eq!(world.request("R").state, State::Deescalating);
    world.deescalate("R").unwrap();
    world.finish_calls();
    let request = world.request("R");
    let (state, why) = (request.state, request.why);
    assert_eq!((state, why), (State::Ended, Some(Why::Stopped)));
    assert!(!world.member);
    let again = world.step(Some(&id()), &Event::Stop);
    assert_eq!(again, Err(Refusal::MovedOn(State::Ended)));

    let mut world = World::new();
    world.ask("R", HOUR).unwrap();
    let pending = world.step(Some(&id()), &Event::Stop);
    assert_eq!(pending, Err(Refusal::MovedOn(State::Pending)));
}

#[test]
fn how_late_a_removal_is_counts_from_the_end_whatever_happens_then() {
    let mut world = active();
    assert_eq!(world.request("R").overdue(world.now), None);
    world.pass(seconds(HOUR + 30), true);
    assert_eq!(world.request("R").overdue(world.now), Some(seconds(30)));
    // A revocation that comes after the end does not begin a new count.
    world.step(Some(&id()), &Event::Stop).unwrap();
    assert_eq!(world.request("R").overdue(world.now), Some(seconds(30)));
    world.deescalate("R").unwrap();
    let item = world.ledger.clone().unwrap();
    let later = world.now + seconds(60);
    assert_eq!(item.overdue(later), Some(seconds(60)));
    world.finish_calls();
    assert_eq!(world.request("R").overdue(later), None);
    assert_eq!(world.ledger.unwrap().overdue(later), None);
}

#[test]
fn a_revocation_counts_from_the_click() {
    let mut world = active();
    world.pass(seconds(60), true);
    world.step(Some(&id()), &Event::Stop).unwrap();
    world.pass(seconds(10), true);
    assert_eq!(world.request("R").overdue(world.now), Some(seconds(10)));
}
