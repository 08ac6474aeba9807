//! A function dies at each of its calls, and every event comes twice.

use end_to_end::{ALICE, BOB, CAROL, DAVE, PROD, STAGING};
use explorer::settings::{self, AGAIN, GRANT_S, WHY};
use explorer::{Exploration, Run};

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
    let begun = Exploration::of("end of the first of two", settings::granted_twice).await;
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
        run.end_all(1).await;
        run.pass(90).await;
    };
    let begun = Exploration::of("end all", settings::granted).await;
    begun.crashes(ends_all).await;
}
