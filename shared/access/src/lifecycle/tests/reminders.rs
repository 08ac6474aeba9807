//! What is said because nothing happens.

use jiff::SignedDuration;

use super::world::{HOUR, World, person};
use crate::audit::Step;
use crate::{Event, Notice, Place, Recipient, Refusal, RequestId, SlackUser, State, Submission};

fn id() -> RequestId {
    RequestId::new("R")
}

fn channel(name: &str) -> Place {
    Place::Channel(name.to_owned())
}

fn asked(name: &str) -> Place {
    Place::Asked(SlackUser::new(name))
}

/// A world in which somebody has asked, with the form changed by `change`.
fn waiting(change: impl FnOnce(&mut Submission)) -> World {
    let mut world = World::new();
    let mut form = world.form("R", HOUR);
    form.remind_after = Some(SignedDuration::from_hours(1));
    change(&mut form);
    world.submit(form).unwrap();
    world
}

/// Draws every card of the request; those at `lost` cannot be delivered.
fn draw(world: &mut World, lost: &[Place]) {
    world.draw("R", |place| lost.contains(place));
}

fn reminded(world: &World) -> usize {
    let owed = &world.request("R").owed;
    owed.iter()
        .filter(|it| it.notice == Notice::Reminder)
        .count()
}

fn remind(world: &mut World) -> Result<(), Refusal> {
    world.step(Some(&id()), &Event::Remind).map(drop)
}

#[test]
fn reminders_come_after_growing_gaps_and_stop_with_the_answer() {
    let mut world = waiting(|_| {});
    draw(&mut world, &[]);
    let mut hours = Vec::new();
    let asked_at = world.now;
    while let Some(at) = world.request("R").remind_at {
        assert!(remind(&mut world).is_err(), "it is not time yet");
        world.pass(at.duration_since(world.now), true);
        remind(&mut world).unwrap();
        assert_eq!(reminded(&world), 1);
        draw(&mut world, &[]);
        hours.push(world.now.duration_since(asked_at).as_hours());
    }
    assert_eq!(hours, [1, 3, 7, 15]);

    let mut world = waiting(|_| {});
    draw(&mut world, &[]);
    world.pass(SignedDuration::from_hours(1), true);
    remind(&mut world).unwrap();
    world.approve("R", person("bob"), "c1").unwrap();
    assert_eq!(reminded(&world), 0, "what nobody waits for is not said");
    assert_eq!(world.request("R").said_at(), None);
}

#[test]
fn nobody_is_reminded_who_has_no_card_and_nobody_where_the_file_says_never() {
    let mut world = waiting(|form| form.route = vec![asked("U1BOB"), asked("U1GONE")]);
    draw(&mut world, &[asked("U1GONE")]);
    let is_shown = world.request("R").is_shown();
    assert!(!is_shown, "the other copies say who could not be reached");
    draw(&mut world, &[asked("U1GONE")]);
    assert!(
        world.request("R").is_shown(),
        "one who is gone is passed over"
    );
    assert_eq!(world.request("R").trouble, None);
    world.pass(SignedDuration::from_hours(1), true);
    remind(&mut world).unwrap();
    let owed: Vec<_> = world
        .request("R")
        .owed
        .iter()
        .map(|it| it.to.clone())
        .collect();
    assert_eq!(owed, [Recipient::Card(asked("U1BOB"))]);

    let never = waiting(|form| form.remind_after = None);
    assert_eq!(never.request("R").said_at(), None);
}

#[test]
fn others_are_asked_where_nobody_answers() {
    let mut world = waiting(|form| {
        form.fallback = vec![channel("#leads")];
        form.fallback_after = SignedDuration::from_mins(30);
    });
    draw(&mut world, &[]);
    world.pass(SignedDuration::from_mins(30), true);
    let step = world.step(Some(&id()), &Event::Remind).unwrap();
    assert_eq!(step.audit[0].step, Step::Forward);
    let request = world.request("R");
    assert!(request.cards.iter().any(|it| it.place == channel("#leads")));
    assert_eq!((request.state, request.fallback_at), (State::Pending, None));
    draw(&mut world, &[]);
    assert!(matches!(remind(&mut world), Err(Refusal::NotDue(_))));
}

#[test]
fn a_request_that_waits_again_is_said_again() {
    let mut world = waiting(|form| form.fallback = vec![channel("#leads")]);
    world.approve("R", person("bob"), "c1").unwrap();
    assert_eq!(world.request("R").said_at(), None);
    let trouble = crate::lifecycle::tests::world::trouble();
    let unfit = Event::Unfit {
        mendable: true,
        trouble,
    };
    world.step(Some(&id()), &unfit).unwrap();
    let request = world.request("R");
    assert_eq!(request.state, State::Pending);
    assert!(request.remind_at.is_some() && request.fallback_at.is_some());
}

#[test]
fn others_are_asked_at_once_where_the_card_can_be_posted_nowhere() {
    let mut world = waiting(|form| {
        form.route = vec![channel("#gone")];
        form.fallback = vec![asked("U1CAROL")];
    });
    draw(&mut world, &[channel("#gone")]);
    let request = world.request("R").clone();
    assert!(request.cards.iter().any(|it| it.place == asked("U1CAROL")));
    assert!(!request.is_shown() && request.surfaces_at.is_some());
    assert_eq!(world.audit.last().unwrap().step, Step::Forward);
    draw(&mut world, &[channel("#gone")]);
    assert!(world.request("R").is_shown());
    assert_eq!(world.request("R").trouble, None);
}

#[test]
fn where_nobody_at_all_can_be_asked_somebody_is_told_and_it_is_tried_again() {
    let mut world = waiting(|form| {
        form.route = vec![channel("#gone")];
        form.fallback = vec![channel("#gone-too")];
    });
    draw(&mut world, &[channel("#gone")]);
    draw(&mut world, &[channel("#gone"), channel("#gone-too")]);
    let request = world.request("R").clone();
    assert_eq!(request.trouble.as_ref().unwrap().hint, "invite the app");
    let told = |to: Recipient| request.owed.iter().any(|it| it.to == to);
    assert!(told(Recipient::Requester) && told(Recipient::ErrorChannel));
    assert!(request.surfaces_at.unwrap() > world.now);
    draw(&mut world, &[]);
    assert_eq!(world.request("R").trouble, None, "it is mended");
    draw(&mut world, &[]);
    assert!(world.request("R").is_shown());
}

#[test]
fn nobody_is_asked_about_their_own_request_while_there_is_somebody_else() {
    let alice = crate::lifecycle::tests::world::alice().slack;
    let own = Place::Asked(alice);
    let route = |change: fn(&mut Submission, Place)| {
        let own = own.clone();
        let world = waiting(|form| change(form, own));
        let cards: Vec<Place> = world
            .request("R")
            .asking()
            .map(|it| it.place.clone())
            .collect();
        cards
    };
    let among_others = route(|form, own| form.route = vec![own, asked("U1BOB")]);
    assert_eq!(among_others, [asked("U1BOB")]);
    let alone = route(|form, own| {
        form.route = vec![own];
        form.fallback = vec![channel("#leads")];
    });
    assert_eq!(alone, [channel("#leads")]);
    let nobody_else = route(|form, own| form.route = vec![own]);
    assert_eq!(nobody_else, [own]);
}

#[test]
fn whoever_has_access_is_warned_before_it_ends() {
    let mut world = waiting(|_| {});
    world.approve("R", person("bob"), "c1").unwrap();
    world.escalate("R").unwrap();
    world.finish_calls();
    let request = world.request("R").clone();
    let before = request
        .ends_at
        .unwrap()
        .duration_since(request.remind_at.unwrap());
    assert_eq!(before, SignedDuration::from_mins(10));
    world.pass(SignedDuration::from_mins(50), true);
    remind(&mut world).unwrap();
    let owes = |world: &World| {
        let owed = &world.request("R").owed;
        owed.iter().any(|it| it.notice == Notice::Ending)
    };
    assert!(owes(&world));
    assert!(remind(&mut world).is_err(), "once is enough");
    world.recover(SignedDuration::from_mins(20));
    assert!(!owes(&world), "what is over does not end soon");
    assert!(!world.member);
}

#[test]
fn an_extension_never_shortens() {
    let mut world = waiting(|_| {});
    world.approve("R", person("bob"), "c1").unwrap();
    world.escalate("R").unwrap();
    world.finish_calls();
    let mut form = world.form("S", HOUR / 2);
    form.extends = Some(id());
    form.permit = super::world::permit(crate::Action::Extend);
    let refused = world.submit(form.clone());
    assert!(
        matches!(refused, Err(Refusal::NotExtendable(_))),
        "{refused:?}"
    );
    world.pass(SignedDuration::from_mins(31), true);
    world.submit(form).unwrap();
}
