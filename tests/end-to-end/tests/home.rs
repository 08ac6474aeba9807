//! The Home tab: what each person sees of it, how it follows, and what can be done in it.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

use end_to_end::{ALICE, BOB, CAROL, DAVE, HOUR, PROD, STAGING, Stint, buttons, words};
use serde_json::{Value, json};

/// `user` asks for `target` for half an hour, because of `reason`.
async fn ask(stint: &Stint, user: &str, target: &str, reason: &str) -> String {
    let values = json!({"target": target, "duration": "30 minutes", "reason": reason});
    stint.ask_with(user, values).await.unwrap()
}

/// The headers of the sections of the Home tab of `user`.
async fn sections(stint: &Stint, user: &str) -> Vec<String> {
    let home = stint.home(user).await;
    let blocks = home["blocks"].as_array().unwrap().iter();
    let headers = blocks.filter(|it| it["type"] == "header");
    headers.map(words).collect()
}

/// The ids of the requests that `section` of the Home tab of `user` shows.
fn rows(home: &Value, section: &str) -> Vec<String> {
    let blocks = home["blocks"].as_array().unwrap().iter();
    let sections = blocks.filter(|it| it["type"] == "section");
    let ids = sections.filter_map(|it| {
        it["block_id"]
            .as_str()?
            .strip_prefix(section)?
            .strip_prefix('-')
    });
    ids.map(str::to_owned).collect()
}

const NOTHING: [&str; 2] = ["What you hold", "What you asked for lately"];

#[tokio::test]
async fn who_has_nothing_sees_how_to_ask() {
    let stint = Stint::start().await;
    for user in [ALICE, BOB, "U08NOBODY", "U09TWINS"] {
        let home = stint.open_home(user).await;
        assert_eq!(buttons(&home), ["ask"], "{user}");
        assert_eq!(sections(&stint, user).await, NOTHING, "{user}");
    }
}

#[tokio::test]
async fn who_may_take_no_part_is_told_so() {
    let stint = Stint::start().await;
    for (user, why) in [
        ("U05GUEST", "guests"),
        ("U07STRANGER", "people of another workspace"),
    ] {
        ask(&stint, ALICE, "Staging", user).await;
        let home = stint.open_home(user).await;
        assert_eq!(buttons(&home), [""; 0], "{user}");
        let said = words(&home);
        assert!(
            said.contains(why) && said.contains("cannot ask for access"),
            "{user}: {said}"
        );
        assert!(
            !said.contains("ALICE") && !said.contains("Staging"),
            "{user}: {said}"
        );
        stint.press_own(ALICE, "cancel").await;
        assert_eq!(
            stint.home(user).await["hash"],
            home["hash"],
            "{user}: drawn again"
        );
    }
}

#[tokio::test]
async fn without_flows_there_is_a_welcome() {
    let stint = Stint::start().await;
    let text = std::fs::read_to_string(stint.file("flows.toml")).unwrap();
    let (head, _) = text.split_once("[[flow]]").unwrap();
    std::fs::write(stint.file("flows.toml"), head).unwrap();
    let home = stint.open_home(ALICE).await;
    let said = words(&home);
    assert!(said.contains("Welcome to Stint"), "{said}");
    assert!(!buttons(&home).contains(&"ask".to_owned()));
}

#[tokio::test]
async fn both_homes_follow_the_whole_road_without_being_opened_again() {
    let stint = Stint::start().await;
    for user in [ALICE, BOB, CAROL, DAVE] {
        stint.open_home(user).await;
    }
    let id = ask(&stint, ALICE, "Prod", "INC-1").await;
    stint.is_shown_everywhere(&id).await;
    assert_eq!(
        sections(&stint, BOB).await,
        [
            "What you hold",
            "What waits for you",
            "What you asked for lately"
        ]
    );
    let (_, row) = stint.row(BOB, &id).await.unwrap();
    for part in ["*Prod*", "<@U01ALICE>", "_INC-1_", "30 minutes"] {
        assert!(row.contains(part), "{part}: {row}");
    }

    // While Okta is slow to be made agree, it is on its way.
    let busy = json!({"system": "okta", "match": "PUT /api/v1/groups", "status": 503, "times": 0});
    stint.fault(busy).await;
    stint.press(BOB, "approve", &id).await;
    assert_eq!(stint.standing(&id).await, "escalating");
    let (section, row) = stint.row(ALICE, &id).await.unwrap();
    assert_eq!(section, "holding");
    assert!(row.contains("adding to Okta"), "{row}");
    stint.mend().await;
    stint.advance(120).await;
    assert_eq!(stint.standing(&id).await, "active");
    stint.is_shown_everywhere(&id).await;
    assert_eq!(
        sections(&stint, CAROL).await.last().unwrap(),
        "Who holds what"
    );
    let (_, row) = stint.row(CAROL, &id).await.unwrap();
    assert!(
        row.contains("<@U01ALICE>") && row.contains("✅ until"),
        "{row}"
    );

    stint.advance(31 * 60).await;
    assert_eq!(stint.standing(&id).await, "ended/elapsed");
    stint.is_shown_everywhere(&id).await;
    assert_eq!(sections(&stint, BOB).await, NOTHING);
    // Dave has nothing to do with it.
    assert_eq!(sections(&stint, DAVE).await, NOTHING);
    assert!(!words(&stint.home(DAVE).await).contains("ALICE"));
}

#[tokio::test]
async fn homes_show_every_other_end_too() {
    let stint = Stint::start().await;
    stint.open_home(ALICE).await;
    stint.open_home(BOB).await;
    let denied = ask(&stint, ALICE, "Prod", "INC-1").await;
    stint.decide(BOB, "deny", &denied, "not now").await;
    stint.is_shown_everywhere(&denied).await;
    let (_, row) = stint.row(ALICE, &denied).await.unwrap();
    assert!(
        row.contains("denied by <@U02BOB>") && row.contains("_not now_"),
        "{row}"
    );

    let cancelled = ask(&stint, ALICE, "Prod", "INC-2").await;
    stint.press_own(ALICE, "cancel").await;
    stint.is_shown_everywhere(&cancelled).await;

    let revoked = ask(&stint, ALICE, "Prod", "INC-3").await;
    stint.press(BOB, "approve", &revoked).await;
    stint.press(CAROL, "revoke", &revoked).await;
    stint.is_shown_everywhere(&revoked).await;

    let failed = ask(&stint, ALICE, "Staging", "INC-4").await;
    stint
        .post("okta", json!({"group": STAGING, "rules": ["All"]}))
        .await;
    stint.press(BOB, "approve", &failed).await;
    assert_eq!(stint.standing(&failed).await, "failed/failed");
    stint.is_shown_everywhere(&failed).await;

    let expired = ask(&stint, ALICE, "Prod", "INC-5").await;
    // Whoever looks on keeps seeing how it goes.
    for _ in 0..3 {
        stint.advance(8 * HOUR + 30).await;
        if stint.standing(&expired).await == "pending" {
            stint.open_home(ALICE).await;
            stint.open_home(BOB).await;
        }
    }
    assert_eq!(stint.standing(&expired).await, "expired");
    stint.is_shown_everywhere(&expired).await;

    // The latest comes first.
    let home = stint.home(ALICE).await;
    let all = [expired, failed, revoked, cancelled, denied];
    assert_eq!(rows(&home, "lately"), all);
}

#[tokio::test]
async fn everything_is_done_from_home() {
    let stint = Stint::start().await;
    for user in [ALICE, BOB] {
        stint.open_home(user).await;
    }
    // Asked for.
    let home = stint.home(ALICE).await;
    let click = json!({"view_id": home["id"], "action_id": "ask"});
    let seen = stint.slack(ALICE, json!({ "click": click })).await;
    assert_eq!(seen["view"]["callback_id"], "request");
    let values = json!({"target": "Prod", "duration": "30 minutes", "reason": "INC-1"});
    let first = stint.send_form(ALICE, values).await.unwrap();
    stint.is_shown_everywhere(&first).await;

    // Cancelled, and asked for again.
    stint.press_home(ALICE, "cancel", &first).await;
    assert_eq!(stint.standing(&first).await, "cancelled");
    stint.is_shown_everywhere(&first).await;
    let seen = stint.press_home(ALICE, "again", &first).await;
    assert_eq!(seen["view"]["callback_id"], "request");
    let again = json!({"reason": "INC-2"});
    let second = stint.send_form(ALICE, again).await.unwrap();
    stint.is_shown_everywhere(&second).await;

    // Denied, with a reason.
    let seen = stint.press_home(BOB, "deny", &second).await;
    assert_eq!(seen["view"]["callback_id"], "deny");
    stint.submit(BOB, json!({"note": "too early"})).await;
    assert_eq!(stint.standing(&second).await, "denied");
    stint.is_shown_everywhere(&second).await;
    assert_eq!(stint.count(ALICE, "> too early").await, 2, "and her card");

    // Approved, extended, and given back.
    let third = ask(&stint, ALICE, "Prod", "INC-3").await;
    stint.press_home(BOB, "approve", &third).await;
    assert_eq!(stint.standing(&third).await, "active");
    assert!(stint.is_member("alice", PROD).await);
    stint.is_shown_everywhere(&third).await;
    let seen = stint.press_home(ALICE, "extend", &third).await;
    assert_eq!(seen["view"]["callback_id"], "request");
    let more = json!({"reason": "INC-3, not done yet"});
    let fourth = stint.send_form(ALICE, more).await.unwrap();
    stint.press_home(BOB, "approve", &fourth).await;
    assert_eq!(stint.standing(&third).await, "ended/superseded");
    assert_eq!(stint.standing(&fourth).await, "active");
    stint.is_shown_everywhere(&third).await;
    stint.is_shown_everywhere(&fourth).await;
    stint.press_home(ALICE, "done", &fourth).await;
    assert_eq!(stint.standing(&fourth).await, "ended/withdrawn");
    assert!(!stint.is_member("alice", PROD).await);
    stint.is_shown_everywhere(&fourth).await;

    // Revoked.
    let fifth = ask(&stint, ALICE, "Prod", "INC-5").await;
    stint.press_home(BOB, "approve", &fifth).await;
    stint.press_home(BOB, "revoke", &fifth).await;
    assert_eq!(stint.standing(&fifth).await, "ended/revoked");
    assert!(!stint.is_member("alice", PROD).await);
    stint.is_shown_everywhere(&fifth).await;
}

#[tokio::test]
async fn who_is_refused_in_home_is_told_directly() {
    let stint = Stint::start().await;
    let id = ask(&stint, ALICE, "Prod", "INC-1").await;
    stint.open_home(BOB).await;
    let out = json!({"group": "00g1approvers", "remove": "00u2bob"});
    stint.post("okta", out).await;
    stint.press_home(BOB, "approve", &id).await;
    assert_eq!(stint.standing(&id).await, "pending");
    let told = stint.texts(BOB).await.join("\n");
    assert!(told.contains("does not let you approve this"), "{told}");
}

#[tokio::test]
async fn nobody_sees_what_is_not_theirs_to_see() {
    let stint = Stint::start().await;
    let daves = ask(&stint, DAVE, "Staging", "INC-1").await;
    stint.press(BOB, "approve", &daves).await;
    let carols = ask(&stint, CAROL, "Prod", "INC-2").await;
    for user in [ALICE, BOB, DAVE] {
        stint.open_home(user).await;
    }
    // A requester who does not decide sees nothing of others.
    assert_eq!(sections(&stint, ALICE).await, NOTHING);
    let home = words(&stint.home(ALICE).await);
    for part in ["DAVE", "CAROL", "INC-1", "INC-2", "Staging", "Prod"] {
        assert!(!home.contains(part), "{part}: {home}");
    }
    assert_eq!(sections(&stint, DAVE).await, NOTHING);
    assert_eq!(rows(&stint.home(DAVE).await, "holding"), [daves.as_str()]);
    // Who approves sees both.
    let home = stint.home(BOB).await;
    assert_eq!(rows(&home, "held"), [daves.as_str()]);
    assert_eq!(rows(&home, "waiting"), [carols.as_str()]);
    // Nobody is offered a decision about what they asked for themselves.
    let home = stint.open_home(CAROL).await;
    assert_eq!(rows(&home, "waiting"), [""; 0]);
    assert_eq!(rows(&home, "lately"), [carols]);
    assert_eq!(rows(&home, "held"), [daves]);
}

/// Grants of one person for one target add up, so that many are quickly made.
#[tokio::test]
async fn many_grants_are_shown_ten_at_a_time() {
    const MANY: usize = 34;
    let stint = Stint::start().await;
    stint.need_nobody();
    let long = "a reason that goes on and on ".repeat(30);
    for at in 0..MANY {
        let values =
            json!({"target": STAGING, "duration": "14400", "reason": format!("{at} {long}")});
        stint.fill(ALICE, values).await;
        stint.advance(1).await;
    }
    assert_eq!(stint.requests().await.len(), MANY);
    for (user, section, row_button) in [(BOB, "held", "revoke"), (ALICE, "holding", "done")] {
        let mut home = stint.open_home(user).await;
        let mut seen = Vec::new();
        for from in (10..).step_by(10) {
            assert!(home["blocks"].as_array().unwrap().len() <= 100);
            assert!(home.to_string().len() <= 250_000);
            let shown = rows(&home, section);
            let own = buttons(&home).iter().filter(|it| *it == row_button).count();
            assert_eq!(shown.len(), own, "each with its button");
            seen.extend(shown);
            if from >= MANY {
                break;
            }
            let left = format!("Show more ({})", MANY - from);
            assert!(words(&home).contains(&left), "{left}");
            let click = json!({
                "view_id": home["id"], "action_id": "more", "value": format!("{section}:{from}"),
            });
            stint
                .slack(user, json!({"click": click, "force": true}))
                .await;
            home = stint.home(user).await;
        }
        let mut all = seen.clone();
        all.sort();
        all.dedup();
        assert_eq!((seen.len(), all.len()), (MANY, MANY), "each of them once");
        assert!(!words(&home).contains("Show more"));
        assert!(words(&home).contains("31 to 34 of 34"), "{}", words(&home));

        // Back to the beginning.
        let click = json!({"view_id": home["id"], "action_id": "more"});
        stint.slack(user, json!({ "click": click })).await;
        let home = stint.home(user).await;
        assert_eq!(rows(&home, section), seen[..10], "{user}");
    }
    // One that is on no page that is shown can be revoked all the same, and the page follows.
    let home = stint.home(BOB).await;
    let first = rows(&home, "held")[0].clone();
    stint.press_home(BOB, "revoke", &first).await;
    assert_eq!(stint.standing(&first).await, "ended/revoked");
    let home = stint.home(BOB).await;
    assert!(words(&home).contains("Show more (23)"));
    assert!(!rows(&home, "held").contains(&first));
    assert!(
        stint.is_member("alice", STAGING).await,
        "the others hold it"
    );
}

#[tokio::test]
async fn while_okta_is_down_everybody_sees_their_own() {
    let stint = Stint::start().await;
    let id = ask(&stint, ALICE, "Prod", "INC-1").await;
    stint.press(BOB, "approve", &id).await;
    let down = json!({"system": "okta", "match": "GET /", "status": 503, "times": 0});
    stint.fault(down).await;
    let home = stint.open_home(ALICE).await;
    assert_eq!(rows(&home, "holding"), [id.as_str()]);
    // Whoever approved it may take it back, whatever Okta says.
    let home = stint.open_home(BOB).await;
    assert_eq!(rows(&home, "held"), [id.as_str()]);
    let home = stint.open_home(CAROL).await;
    assert_eq!(sections(&stint, CAROL).await, NOTHING, "{home}");
    stint.mend().await;
    let home = stint.open_home(CAROL).await;
    assert_eq!(rows(&home, "held"), [id.as_str()]);
    // Groups that are known are used while Okta is down.
    let down = json!({"system": "okta", "match": "GET /", "status": 503, "times": 0});
    stint.fault(down).await;
    let home = stint.open_home(CAROL).await;
    assert_eq!(rows(&home, "held"), [id]);
}

#[tokio::test]
async fn while_the_policy_or_the_flows_are_broken_homes_say_so() {
    let stint = Stint::start().await;
    let id = ask(&stint, ALICE, "Prod", "INC-1").await;
    stint.press(BOB, "approve", &id).await;
    for (file, old, new) in [
        ("policy.cedar", "principal,", "principle,"),
        ("flows.toml", "durations ", "duration "),
    ] {
        let right = std::fs::read_to_string(stint.file(file)).unwrap();
        stint.edit(file, old, new);
        for user in [ALICE, BOB] {
            let home = stint.open_home(user).await;
            let said = words(&home);
            assert!(said.contains(&format!("`{file}`")), "{user}: {said}");
            assert!(said.contains("*Hint*"), "{user}: {said}");
        }
        assert_eq!(
            rows(&stint.home(ALICE).await, "holding"),
            [id.as_str()],
            "{file}"
        );
        std::fs::write(stint.file(file), right).unwrap();
    }
    stint.edit("policy.cedar", "principal,", "principle,");
    // Giving back needs no policy.
    stint.open_home(ALICE).await;
    stint.press_home(ALICE, "done", &id).await;
    assert_eq!(stint.standing(&id).await, "ended/withdrawn");
}

#[tokio::test]
async fn what_slack_does_not_take_is_drawn_later() {
    let stint = Stint::start().await;
    stint.open_home(ALICE).await;
    stint.open_home(BOB).await;
    let fault = json!({"system": "slack", "match": "views.publish", "status": 503, "times": 0});
    stint.fault(fault).await;
    let id = ask(&stint, ALICE, "Prod", "INC-1").await;
    assert_eq!(stint.row(BOB, &id).await, None);
    // What was handed on is given up meanwhile.
    stint.advance(20 * 60).await;
    assert_eq!(stint.row(BOB, &id).await, None);
    stint.open_home(CAROL).await;
    stint.mend().await;
    stint.advance(5 * 60).await;
    stint.is_shown_everywhere(&id).await;
    assert_eq!(stint.row(CAROL, &id).await.unwrap().0, "waiting");
    // Then it rests.
    let before = stint.home(BOB).await["hash"].clone();
    stint.advance(30 * 60).await;
    assert_eq!(stint.home(BOB).await["hash"], before);
}

#[tokio::test]
async fn a_hand_off_that_is_lost_is_made_up_for() {
    let stint = Stint::start().await;
    stint.open_home(BOB).await;
    let id = ask(&stint, ALICE, "Prod", "INC-1").await;
    stint.press(BOB, "approve", &id).await;
    // What draws Homes is not reached.
    let lost = json!({"system": "aws", "match": "Lambda.Invoke", "drop": "before", "times": 0});
    stint.fault(lost).await;
    stint.advance(31 * 60).await;
    assert_eq!(stint.standing(&id).await, "ended/elapsed");
    stint.mend().await;
    stint.advance(5 * 60).await;
    stint.is_shown_everywhere(&id).await;
}

#[tokio::test]
async fn whoever_has_not_looked_for_half_a_day_is_not_drawn_for() {
    let stint = Stint::start().await;
    stint.open_home(BOB).await;
    stint.advance(12 * HOUR + 61).await;
    let before = stint.home(BOB).await["hash"].clone();
    let id = ask(&stint, ALICE, "Prod", "INC-1").await;
    stint.advance(300).await;
    assert_eq!(stint.home(BOB).await["hash"], before);
    assert_eq!(stint.row(BOB, &id).await, None);
    // Until they look again.
    stint.open_home(BOB).await;
    stint.is_shown_everywhere(&id).await;

    // Whoever presses something in it looks at it.
    stint.advance(12 * HOUR - 600).await;
    let next = ask(&stint, ALICE, "Staging", "INC-2").await;
    assert_eq!(stint.row(BOB, &next).await.unwrap().0, "waiting");
    stint.advance(700).await;
    stint.press_home(BOB, "approve", &next).await;
    assert_eq!(stint.standing(&next).await, "active");
    stint.is_shown_everywhere(&next).await;
    stint.press(CAROL, "revoke", &next).await;
    stint.is_shown_everywhere(&next).await;
}

#[tokio::test]
async fn opening_it_again_and_again_is_one_home() {
    let stint = Stint::start().await;
    let id = ask(&stint, ALICE, "Prod", "INC-1").await;
    stint
        .slack(BOB, json!({"open_home": true, "deliveries": 3}))
        .await;
    stint
        .slack(BOB, json!({"open_home": true, "retry_num": 1}))
        .await;
    stint.is_shown_everywhere(&id).await;
    let first = stint.home(BOB).await;
    stint.open_home(BOB).await;
    assert_eq!(stint.home(BOB).await["id"], first["id"]);
    // What is too old is not believed.
    let act = json!({"open_home": true, "age_s": 301});
    assert_eq!(stint.slack(CAROL, act).await["status"], 401);
    assert_eq!(stint.home(CAROL).await, Value::Null);
}

#[tokio::test]
async fn an_old_home_tells_nothing_to_whoever_may_not_decide_any_more() {
    let stint = Stint::start().await;
    let reason = "a long story ".repeat(30);
    let id = ask(&stint, ALICE, "Prod", reason.trim()).await;
    let home = stint.open_home(BOB).await;
    assert!(buttons(&home).contains(&"details".to_owned()), "{home}");
    let seen = stint.press_home(BOB, "details", &id).await;
    assert!(seen["errors"].as_object().unwrap().is_empty(), "{seen}");
    let told = stint.texts(BOB).await;
    assert!(told.last().unwrap().contains(reason.trim()), "{told:?}");

    stint
        .post(
            "okta",
            json!({"group": "00g1approvers", "remove": "00u2bob"}),
        )
        .await;
    stint.press_home(BOB, "details", &id).await;
    let told = stint.texts(BOB).await;
    let last = told.last().unwrap();
    assert!(
        last.contains("policy") && !last.contains("a long story"),
        "{last}"
    );
}

#[tokio::test]
async fn who_decides_by_the_policy_alone_sees_what_comes() {
    let stint = Stint::start().await;
    stint.edit("flows.toml", "approver_group  = \"00g1approvers\"\n", "");
    let policy = stint.file("policy.cedar");
    let text = std::fs::read_to_string(&policy).unwrap();
    let dave = "\n@id(\"dave-decides\")\npermit (principal == Person::\"U04DAVE\", action in \
                [Action::\"approve\", Action::\"deny\", Action::\"revoke\"], resource);\n";
    std::fs::write(&policy, text + dave).unwrap();
    for user in [DAVE, CAROL] {
        let home = stint.open_home(user).await;
        assert_eq!(rows(&home, "waiting"), [""; 0], "{user}");
    }
    let id = ask(&stint, ALICE, "Prod", "INC-1").await;
    assert_eq!(rows(&stint.home(DAVE).await, "waiting"), [id.as_str()]);
    assert_eq!(rows(&stint.home(CAROL).await, "waiting"), [""; 0]);
    stint.press_home(DAVE, "approve", &id).await;
    assert_eq!(stint.standing(&id).await, "active");
    assert_eq!(rows(&stint.home(DAVE).await, "held"), [id]);
}

#[tokio::test]
async fn who_is_deactivated_is_not_drawn_for_ever() {
    let stint = Stint::start().await;
    stint.open_home(BOB).await;
    let gone = json!({"user_admin": {"user": BOB, "deleted": true}});
    stint.post("slack", gone).await;
    stint.advance(16 * 60).await;
    ask(&stint, ALICE, "Prod", "INC-1").await;
    stint.advance(5 * 60).await;
    let drawn = stint.home(BOB).await;
    stint.advance(HOUR / 2).await;
    assert_eq!(stint.home(BOB).await["hash"], drawn["hash"]);
}

#[tokio::test]
async fn the_form_behind_deny_says_in_home_too_what_it_denies() {
    let stint = Stint::start().await;
    let id = ask(&stint, ALICE, "Prod", "INC-1").await;
    stint.open_home(BOB).await;
    let seen = stint.press_home(BOB, "deny", &id).await;
    let form = words(&seen["view"]);
    assert!(form.contains("Prod") && form.contains(ALICE), "{form}");
}
