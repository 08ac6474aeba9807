//! One handler waits at each of its calls while another does all that it does.
//!
//! Each test is a pair of what people or the clock do; both orders are played where either can be first.

use end_to_end::{ALICE, BOB, CAROL, STAGING};
use explorer::settings::{self, AGAIN, GRANT_S, WHY};
use explorer::{Exploration, Handler, Run};
use serde_json::json;

const APPROVAL: Handler = of("approval", "body");
const ESCALATION: Handler = of("escalation", "request");
const DEESCALATION: Handler = of("deescalation", "request");
const SWEEP: Handler = of("deescalation", "sweep");
const DRIFT: Handler = of("deescalation", "drift");
const HAND_OVER: Handler = of("deescalation", "hand_over");
const GUARD: Handler = of("deescalation", "RequestType");

const fn of(function: &'static str, event: &'static str) -> Handler {
    Handler { function, event }
}

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
    run.press_own_once(ALICE, "cancel", json!({})).await;
}

async fn bob_revokes(run: &Run) {
    run.press_own_once(BOB, "revoke", json!({})).await;
}

async fn alice_gives_back(run: &Run) {
    run.press_own_once(ALICE, "done", json!({})).await;
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
    let event = json!({"end_all": {"expect": 1}});
    // Nobody may be in yet.
    let _ = run.administer_once(&event).await;
}

async fn bob_revokes_the_first(run: &Run) {
    run.press_once(BOB, "revoke", WHY).await;
}

async fn bob_revokes_the_second(run: &Run) {
    run.press_once(BOB, "revoke", AGAIN).await;
}

async fn alice_asks_again_and_bob_approves(run: &Run) {
    alice_asks_again(run).await;
    bob_approves_again(run).await;
}

async fn alice_asks_for_more_time(run: &Run) {
    run.extend_once(GRANT_S, AGAIN).await;
}

async fn bob_opens_his_home(run: &Run) {
    run.act(BOB, json!({"open_home": true})).await;
}

async fn it_is_compared(run: &Run) {
    run.quiet();
    run.wake(settings::drift()).await;
    run.pass(5).await;
}

async fn it_is_handed_over(run: &Run) {
    let event = settings::hand_over(&run.state().await, WHY);
    run.wake(event).await;
}

async fn the_stack_is_deleted(run: &Run) {
    run.delete_stack().await;
    run.pass(5).await;
}

async fn the_stack_is_deleted_if_it_can_be(run: &Run) {
    run.delete_stack().await;
    run.stack_answer().await;
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
    let begun = Exploration::of("expire, approve", settings::expiring).await;
    begun.races(SWEEP, half_a_minute, bob_approves).await;
}

#[tokio::test]
async fn one_denies_or_cancels_when_it_expires() {
    let begun = Exploration::of("deny, expire", settings::expiring).await;
    begun.races(APPROVAL, carol_denies, half_a_minute).await;
    let begun = Exploration::of("cancel, expire", settings::expiring).await;
    begun.races(APPROVAL, alice_cancels, half_a_minute).await;
}

#[tokio::test]
async fn one_takes_it_back_when_it_ends() {
    let begun = Exploration::of("revoke, end", settings::ending).await;
    begun.races(APPROVAL, bob_revokes, half_a_minute).await;
    let begun = Exploration::of("end, revoke", settings::ending).await;
    begun.races(SWEEP, half_a_minute, bob_revokes).await;
    let begun = Exploration::of("give back, end", settings::ending).await;
    begun.races(APPROVAL, alice_gives_back, half_a_minute).await;
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
    begun.races(SWEEP, half_a_minute, two_minutes).await;
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
    begun.races(SWEEP, half_a_minute, bob_approves_again).await;
}

#[tokio::test]
async fn two_must_approve_and_both_do() {
    let begun = Exploration::of("first yes, second yes", settings::asked_of_two).await;
    begun.races(APPROVAL, bob_approves, carol_approves).await;
}

#[tokio::test]
async fn two_grants_of_one_membership_begin() {
    let begun = Exploration::of("escalate, escalate", settings::asked).await;
    begun
        .races(ESCALATION, bob_approves, alice_asks_again_and_bob_approves)
        .await;
}

#[tokio::test]
async fn two_grants_of_one_membership_are_taken_back() {
    let begun = Exploration::of("remove, remove", settings::granted_twice).await;
    begun
        .races(DEESCALATION, bob_revokes_the_first, bob_revokes_the_second)
        .await;
}

#[tokio::test]
async fn more_time_is_asked_for_when_it_ends() {
    let begun = Exploration::of("ask to extend, end", settings::extendable).await;
    begun
        .races(APPROVAL, alice_asks_for_more_time, half_a_minute)
        .await;
}

#[tokio::test]
async fn somebody_approves_who_is_just_reminded() {
    let begun = Exploration::of("remind, approve", settings::reminding).await;
    begun.races(SWEEP, half_a_minute, bob_approves).await;
}

#[tokio::test]
async fn it_is_taken_back_when_the_requester_is_warned() {
    let begun = Exploration::of("warn, revoke", settings::warning).await;
    begun.races(SWEEP, half_a_minute, bob_revokes).await;
}

#[tokio::test]
async fn a_home_is_drawn_of_what_changes() {
    let begun = Exploration::of("open a Home, approve", settings::asked).await;
    begun
        .races(APPROVAL, bob_opens_his_home, carol_approves)
        .await;
}

#[tokio::test]
async fn okta_is_compared_with_what_changes() {
    let begun = Exploration::of("compare, escalate", settings::granted_and_asked).await;
    begun.races(DRIFT, it_is_compared, bob_approves_again).await;
    let begun = Exploration::of("escalate, compare", settings::asked).await;
    begun.races(ESCALATION, bob_approves, it_is_compared).await;
    let begun = Exploration::of("compare, end", settings::ending).await;
    begun.races(DRIFT, it_is_compared, half_a_minute).await;
    let begun = Exploration::of("remove, compare", settings::granted).await;
    begun.races(DEESCALATION, bob_revokes, it_is_compared).await;
}

#[tokio::test]
async fn a_membership_is_handed_over_when_it_ends() {
    let begun = Exploration::of("hand over, end", settings::ending).await;
    begun
        .races(HAND_OVER, it_is_handed_over, half_a_minute)
        .await;
    let begun = Exploration::of("end, hand over", settings::ending).await;
    begun.races(SWEEP, half_a_minute, it_is_handed_over).await;
}

#[tokio::test]
async fn a_membership_is_handed_over_when_another_grant_begins() {
    let begun = Exploration::of("hand over, escalate", settings::granted_and_asked).await;
    begun
        .races(HAND_OVER, it_is_handed_over, bob_approves_again)
        .await;
    let begun = Exploration::of("escalate, hand over", settings::granted_and_asked).await;
    begun
        .races(ESCALATION, bob_approves_again, it_is_handed_over)
        .await;
}

#[tokio::test]
async fn the_stack_is_deleted_when_a_grant_begins() {
    let begun = Exploration::of("escalate, delete the stack", settings::asked).await;
    begun
        .races(ESCALATION, bob_approves, the_stack_is_deleted_if_it_can_be)
        .await;
    let begun = Exploration::of("delete the stack, escalate", settings::asked).await;
    begun.races(GUARD, the_stack_is_deleted, bob_approves).await;
}
