//! A function dies at each of its calls, and every event comes twice.

use end_to_end::{ALICE, BOB, CAROL, DAVE, ERRORS, PROD, STAGING, buttons, words};
use explorer::settings::{self, AGAIN, GRANT_S, WHY};
use explorer::{Exploration, Run, named};
use serde_json::{Value, json};

#[tokio::test]
async fn somebody_asks() {
    let asks = async |run: &Run| run.ask_for(ALICE, STAGING, GRANT_S, WHY).await;
    let begun = Exploration::of("ask", settings::nothing).await;
    begun.crashes(asks).await;
}

#[tokio::test]
async fn somebody_who_is_in_already_asks() {
    let asks = async |run: &Run| run.ask_for(DAVE, PROD, GRANT_S, WHY).await;
    let begun = Exploration::of("ask as a standing member", settings::standing).await;
    begun.crashes(asks).await;
}

#[tokio::test]
async fn somebody_approves() {
    let approves = async |run: &Run| run.press_until(BOB, "approve", WHY, &["active"]).await;
    let begun = Exploration::of("approve", settings::asked).await;
    begun.crashes(approves).await;
}

#[tokio::test]
async fn somebody_approves_and_adds_a_note() {
    let approves = async |run: &Run| {
        run.press_until(BOB, "approve_note", WHY, &["active"]).await;
    };
    let begun = Exploration::of("approve with a note", settings::asked).await;
    begun.crashes(approves).await;
}

#[tokio::test]
async fn somebody_denies() {
    let denies = async |run: &Run| run.press_until(BOB, "deny", WHY, &["denied"]).await;
    let begun = Exploration::of("deny", settings::asked).await;
    begun.crashes(denies).await;
}

#[tokio::test]
async fn the_requester_cancels() {
    let cancels = async |run: &Run| {
        run.press_own_until(ALICE, "cancel", WHY, &["cancelled"])
            .await;
    };
    let begun = Exploration::of("cancel", settings::asked).await;
    begun.crashes(cancels).await;
}

#[tokio::test]
async fn nobody_answers() {
    let passes = async |run: &Run| run.pass(30 + 90).await;
    let begun = Exploration::of("expire", settings::expiring).await;
    begun.crashes(passes).await;
}

#[tokio::test]
async fn people_are_reminded_and_others_asked() {
    let passes = async |run: &Run| run.pass(30 + 90).await;
    let begun = Exploration::of("remind and fall back", settings::reminding).await;
    begun.crashes(passes).await;
}

#[tokio::test]
async fn okta_refuses_what_was_approved() {
    let approves = async |run: &Run| {
        run.fault(settings::refused_add()).await;
        run.press_once(BOB, "approve", WHY).await;
        run.pass(120).await;
        run.mend().await;
    };
    let begun = Exploration::of("refused", settings::asked).await;
    begun.crashes(approves).await;
}

#[tokio::test]
async fn the_requester_was_suspended() {
    let approves = async |run: &Run| run.press_until(BOB, "approve", WHY, &["failed"]).await;
    let begun = Exploration::of("refused for good", settings::suspended).await;
    begun.crashes(approves).await;
}

#[tokio::test]
async fn a_grant_ends() {
    let passes = async |run: &Run| run.pass(30 + 90).await;
    let begun = Exploration::of("end", settings::ending).await;
    begun.crashes(passes).await;
}

#[tokio::test]
async fn whoever_approved_takes_it_back() {
    let revokes = async |run: &Run| run.press_until(BOB, "revoke", WHY, &["ended"]).await;
    let begun = Exploration::of("revoke", settings::granted).await;
    begun.crashes(revokes).await;
}

#[tokio::test]
async fn somebody_else_takes_it_back_while_a_home_is_open() {
    let revokes = async |run: &Run| run.press_until(CAROL, "revoke", WHY, &["ended"]).await;
    let begun = Exploration::of("revoke with a Home open", settings::at_home).await;
    begun.crashes(revokes).await;
}

#[tokio::test]
async fn the_requester_gives_it_back() {
    let gives_back = async |run: &Run| run.press_own_until(ALICE, "done", WHY, &["ended"]).await;
    let begun = Exploration::of("give back", settings::granted).await;
    begun.crashes(gives_back).await;
}

#[tokio::test]
async fn a_second_grant_of_one_membership() {
    let approves = async |run: &Run| run.press_until(BOB, "approve", AGAIN, &["active"]).await;
    let begun = Exploration::of("approve a second grant", settings::granted_and_asked).await;
    begun.crashes(approves).await;
}

#[tokio::test]
async fn the_first_of_two_grants_ends() {
    let passes = async |run: &Run| run.pass(30 + 90).await;
    let begun = Exploration::of("end of the first of two", settings::ending_once).await;
    begun.crashes(passes).await;
}

#[tokio::test]
async fn an_extension_is_approved_at_the_last_moment() {
    let approves = async |run: &Run| {
        run.press_until(BOB, "approve", AGAIN, &["active", "failed", "ended"])
            .await;
        run.pass(30 + 90).await;
    };
    let begun = Exploration::of("extend", settings::extension_asked).await;
    begun.crashes(approves).await;
}

#[tokio::test]
async fn what_was_extended_ends() {
    let passes = async |run: &Run| run.pass(60 + 90).await;
    let begun = Exploration::of("end of an extension", settings::extended).await;
    begun.crashes(passes).await;
}

#[tokio::test]
async fn every_grant_is_ended() {
    let ends_all = async |run: &Run| {
        let event = json!({"end_all": {"expect": 1}});
        run.administer(&event, |state| is(state, WHY, &["deescalating", "ended"]))
            .await;
        run.pass(90).await;
    };
    let begun = Exploration::of("end all", settings::granted).await;
    begun.crashes(ends_all).await;
}

#[tokio::test]
async fn somebody_asks_again() {
    let asks = async |run: &Run| {
        let act = async || run.press_own_once(ALICE, "again", json!({})).await;
        let is_so = |state: &Value| state["requests"].as_array().is_some_and(|it| it.len() > 1);
        run.insist(ALICE, "asks again", act, is_so).await;
    };
    let begun = Exploration::of("ask again", settings::ended).await;
    begun.crashes(asks).await;
}

#[tokio::test]
async fn the_requester_asks_for_more_time() {
    let asks = async |run: &Run| {
        let act = async || run.extend_once(GRANT_S, AGAIN).await;
        run.insist(ALICE, "asks for more time", act, |state| {
            named(state, AGAIN).is_some()
        })
        .await;
    };
    let begun = Exploration::of("ask to extend", settings::in_prod).await;
    begun.crashes(asks).await;
}

#[tokio::test]
async fn somebody_asks_who_needs_no_yes() {
    let asks = async |run: &Run| {
        let act = async || run.ask_once(ALICE, STAGING, GRANT_S, WHY).await;
        // What cannot be found out permits nothing: it waits for a yes, or comes to nothing.
        let is_so = |state: &Value| is(state, WHY, &["active", "pending", "failed"]);
        run.insist(ALICE, "asks", act, is_so).await;
    };
    let begun = Exploration::of("ask, permitted at once", settings::permitted_at_once).await;
    begun.crashes(asks).await;
}

#[tokio::test]
async fn the_first_of_two_approves() {
    let approves = async |run: &Run| {
        let act = async || run.press_once(BOB, "approve", WHY).await;
        run.insist(BOB, "approves", act, |state| approvals(state) == Some(1))
            .await;
    };
    let begun = Exploration::of("approve, the first of two", settings::asked_of_two).await;
    begun.crashes(approves).await;
}

#[tokio::test]
async fn the_second_of_two_approves() {
    let approves = async |run: &Run| {
        let act = async || run.press_once(CAROL, "approve", WHY).await;
        // What Okta refuses takes the yes of both once more.
        let is_so = |state: &Value| is(state, WHY, &["active"]) || approvals(state) == Some(0);
        run.insist(CAROL, "approves", act, is_so).await;
    };
    let begun = Exploration::of("approve, the second of two", settings::asked_of_one_more).await;
    begun.crashes(approves).await;
}

#[tokio::test]
async fn a_click_is_given_up() {
    let approves = async |run: &Run| {
        run.fault(settings::nothing_written()).await;
        run.press_once(BOB, "approve", WHY).await;
        run.pass(400).await;
        run.nothing_is_swallowed().await;
        run.mend().await;
    };
    let begun = Exploration::of("approve, and nothing is written", settings::asked).await;
    begun.crashes(approves).await;
}

#[tokio::test]
async fn somebody_wants_to_read_all_of_it() {
    let reads = async |run: &Run| {
        let reason = settings::at_length();
        let act = async || run.press_once(CAROL, "details", &reason).await;
        let is_so = |state: &Value| words(&state["slack"]["ephemerals"][CAROL]).contains(&reason);
        run.insist(CAROL, "wants to read all of it", act, is_so)
            .await;
    };
    let begun = Exploration::of("details", settings::asked_at_length).await;
    begun.crashes(reads).await;
}

#[tokio::test]
async fn somebody_opens_a_home() {
    let opens = async |run: &Run| {
        let act = async || run.act(BOB, json!({"open_home": true})).await["status"] == 200;
        let is_so =
            |state: &Value| buttons(&state["slack"]["homes"][BOB]).contains(&"revoke".to_owned());
        run.insist(BOB, "opens a Home", act, is_so).await;
    };
    let begun = Exploration::of("open a Home", settings::granted).await;
    begun.crashes(opens).await;
}

#[tokio::test]
async fn the_requester_is_warned() {
    let passes = async |run: &Run| {
        run.pass(400).await;
        run.must_hear(ALICE, "Your access to *Staging* ends at")
            .await;
    };
    let begun = Exploration::of("warn", settings::warning).await;
    begun.crashes(passes).await;
}

#[tokio::test]
async fn somebody_is_back_who_was_taken_out() {
    let compares = async |run: &Run| {
        run.wake(settings::drift()).await;
        run.pass(20 * 60).await;
        run.must_hear(ERRORS, "again, out of which Stint took them")
            .await;
        run.must(
            "2: Stint took somebody out whom an administrator put in",
            |state| state["okta"]["groups"][STAGING]["members"] == json!(["00u1alice"]),
        )
        .await;
    };
    let begun = Exploration::of("compare, somebody is back", settings::put_back).await;
    begun.crashes(compares).await;
}

#[tokio::test]
async fn somebody_is_out_who_has_access() {
    let compares = async |run: &Run| {
        run.wake(settings::drift()).await;
        run.pass(20 * 60).await;
        for who in [ALICE, ERRORS] {
            run.must_hear(who, "was taken out of the Okta group of")
                .await;
        }
    };
    let begun = Exploration::of("compare, somebody is out", settings::taken_out).await;
    begun.crashes(compares).await;
}

#[tokio::test]
async fn a_membership_is_handed_over() {
    let hands_over = async |run: &Run| {
        let event = settings::hand_over(&run.state().await, WHY);
        let is_so = |state: &Value| named(state, WHY).is_some_and(|it| it["why"] == "handed_over");
        run.administer(&event, is_so).await;
        run.pass(90).await;
        run.must_hear(ALICE, "does not take it back any more").await;
    };
    let begun = Exploration::of("hand over", settings::granted).await;
    begun.crashes(hands_over).await;
}

#[tokio::test]
async fn the_stack_is_deleted() {
    let deletes = async |run: &Run| {
        run.delete_stack().await;
        run.stack_answer().await;
        run.press_once(BOB, "approve", WHY).await;
        run.pass(5).await;
    };
    let begun = Exploration::of("delete the stack", settings::asked).await;
    begun.crashes(deletes).await;
}

#[tokio::test]
async fn the_stack_is_deleted_while_somebody_is_in() {
    let deletes = async |run: &Run| {
        run.delete_stack().await;
        run.stack_answer().await;
        let is_gone = run.is_stack_gone();
        run.must("1: the stack is gone, and somebody is in", |_| !is_gone)
            .await;
    };
    let begun = Exploration::of("delete the stack, with somebody in", settings::granted).await;
    begun.crashes(deletes).await;
}

/// How many have approved what Alice asked for.
fn approvals(state: &Value) -> Option<usize> {
    named(state, WHY)?["approvals"].as_array().map(Vec::len)
}

/// Whether the request with `reason` is in one of `states`.
fn is(state: &Value, reason: &str, states: &[&str]) -> bool {
    let it = named(state, reason).and_then(|it| it["state"].as_str());
    it.is_some_and(|it| states.contains(&it))
}
