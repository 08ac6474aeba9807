//! One handler waits at each of its calls while another does all that it does.
//!
//! Each test is a pair of what people or the clock do; both orders are played.

use end_to_end::{ALICE, BOB, CAROL, STAGING};
use explorer::settings::{self, AGAIN, GRANT_S, WHY};
use explorer::{Exploration, Run};

/// The first event of that function.
const APPROVAL: (&str, usize) = ("approval", 1);
const ESCALATION: (&str, usize) = ("escalation", 1);
const DEESCALATION: (&str, usize) = ("deescalation", 1);

async fn bob_approves(run: &Run) {
    run.press_once(BOB, "approve", WHY).await;
}

async fn carol_approves(run: &Run) {
    run.press_once(CAROL, "approve", WHY).await;
}

async fn carol_denies(run: &Run) {
    run.press_once(CAROL, "deny", WHY).await;
}

async fn alice_cancels(run: &Run) {
    run.press_own_once(ALICE, "cancel").await;
}

async fn bob_revokes(run: &Run) {
    run.press_own_once(BOB, "revoke").await;
}

async fn alice_gives_back(run: &Run) {
    run.press_own_once(ALICE, "done").await;
}

async fn alice_asks(run: &Run) {
    run.ask_once(ALICE, STAGING, GRANT_S, WHY).await;
}

async fn alice_asks_again(run: &Run) {
    run.ask_once(ALICE, STAGING, GRANT_S, AGAIN).await;
}

async fn bob_approves_again(run: &Run) {
    run.press_once(BOB, "approve", AGAIN).await;
}

async fn half_a_minute(run: &Run) {
    run.pass(31).await;
}

async fn two_minutes(run: &Run) {
    run.pass(121).await;
}

async fn everything_is_ended(run: &Run) {
    run.end_all(1).await;
}

#[tokio::test]
async fn two_approve() {
    let begun = Exploration::of("approve, approve", settings::asked).await;
    begun.races(APPROVAL, bob_approves, carol_approves).await;
}

#[tokio::test]
async fn one_approves_and_one_denies() {
    let begun = Exploration::of("approve, deny", settings::asked).await;
    begun.races(APPROVAL, bob_approves, carol_denies).await;
    let begun = Exploration::of("deny, approve", settings::asked).await;
    begun.races(APPROVAL, carol_denies, bob_approves).await;
}

#[tokio::test]
async fn one_approves_and_the_requester_cancels() {
    let begun = Exploration::of("approve, cancel", settings::asked).await;
    begun.races(APPROVAL, bob_approves, alice_cancels).await;
    let begun = Exploration::of("cancel, approve", settings::asked).await;
    begun.races(APPROVAL, alice_cancels, bob_approves).await;
}

#[tokio::test]
async fn one_approves_when_it_expires() {
    let begun = Exploration::of("approve, expire", settings::expiring).await;
    begun.races(APPROVAL, bob_approves, half_a_minute).await;
}

#[tokio::test]
async fn one_asks_twice() {
    let begun = Exploration::of("ask, ask", settings::nothing).await;
    begun.races(APPROVAL, alice_asks, alice_asks_again).await;
}

#[tokio::test]
async fn it_is_taken_back_while_it_is_given() {
    let begun = Exploration::of("escalate, revoke", settings::asked).await;
    begun.races(ESCALATION, bob_approves, bob_revokes).await;
}

#[tokio::test]
async fn everything_is_ended_while_it_is_given() {
    let begun = Exploration::of("escalate, end all", settings::asked).await;
    begun
        .races(ESCALATION, bob_approves, everything_is_ended)
        .await;
}

#[tokio::test]
async fn the_sweep_goes_on_with_what_waits() {
    let begun = Exploration::of("escalate, sweep", settings::asked).await;
    begun.races(ESCALATION, bob_approves, two_minutes).await;
    let begun = Exploration::of("end, sweep", settings::ending).await;
    begun.races(DEESCALATION, half_a_minute, two_minutes).await;
}

#[tokio::test]
async fn one_takes_it_back_and_one_gives_it_back() {
    let begun = Exploration::of("revoke, give back", settings::granted).await;
    begun.races(APPROVAL, bob_revokes, alice_gives_back).await;
    let begun = Exploration::of("give back, revoke", settings::granted).await;
    begun.races(APPROVAL, alice_gives_back, bob_revokes).await;
}

#[tokio::test]
async fn a_second_grant_begins_while_the_first_is_removed() {
    let begun = Exploration::of("remove, escalate", settings::granted_and_asked).await;
    begun
        .races(DEESCALATION, bob_revokes, bob_approves_again)
        .await;
    let begun = Exploration::of("escalate, remove", settings::granted_and_asked).await;
    begun
        .races(ESCALATION, bob_approves_again, bob_revokes)
        .await;
}

#[tokio::test]
async fn an_extension_begins_while_the_old_time_ends() {
    let begun = Exploration::of("extend, end", settings::extension_asked).await;
    begun
        .races(ESCALATION, bob_approves_again, half_a_minute)
        .await;
    let begun = Exploration::of("end, extend", settings::extension_asked).await;
    begun
        .races(DEESCALATION, half_a_minute, bob_approves_again)
        .await;
}
