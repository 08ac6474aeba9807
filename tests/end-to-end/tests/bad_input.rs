//! Forms, clicks and files that are not as they should be.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

use end_to_end::{
    ALICE, BOB, CAROL, DECIDING, ERRORS, HOUR, REQUESTS, STAGING, Stint, buttons, words,
};
use reqwest::Method;
use serde_json::{Value, json};

const FORM: &str = "application/x-www-form-urlencoded";

/// What a form is filled with that asks for Staging, with `more` in the place of that.
fn values(more: &Value) -> Value {
    let mut all = json!({"target": STAGING, "duration": "3600", "reason": "fixing INC-42"});
    let more = more.as_object().unwrap().clone();
    all.as_object_mut().unwrap().extend(more);
    all
}

#[tokio::test]
async fn what_the_form_does_not_offer_is_an_error_inside_the_form() {
    let stint = Stint::start().await;
    let long = "x".repeat(1001);
    for (wrong, at, why) in [
        (
            json!({"target": "00g9nowhere"}),
            "target",
            "not offered any more",
        ),
        (
            json!({"target": "00g1approvers"}),
            "target",
            "not offered any more",
        ),
        (json!({"target": ""}), "target", "choose a resource"),
        (json!({"duration": ""}), "duration", "choose a duration"),
        (json!({"duration": "0"}), "duration", "not offered"),
        (json!({"duration": "-1"}), "duration", "not offered"),
        (json!({"duration": "1e9"}), "duration", "not offered"),
        (
            json!({"duration": "99999999999999999999"}),
            "duration",
            "not offered",
        ),
        (
            json!({"duration": "7200"}),
            "duration",
            "is given for one of",
        ),
        (
            json!({"duration": "172800"}),
            "duration",
            "Staging is given for",
        ),
        (
            json!({"target": "00g2prodadmins", "duration": "14400"}),
            "duration",
            "Prod is given for at most",
        ),
        (json!({"reason": ""}), "reason", "say why"),
        (json!({"reason": " \n\t "}), "reason", "say why"),
        (json!({"reason": long}), "reason", "1001 characters"),
    ] {
        let seen = stint.fill(ALICE, values(&wrong)).await;
        let error = seen["errors"][at].as_str().unwrap_or_default();
        assert!(error.contains(why), "{wrong}: {}", seen["errors"]);
        assert!(!seen["view"].is_null(), "{wrong}: the form stays open");
    }
    assert_eq!(stint.state().await["requests"], json!([]));
}

#[tokio::test]
async fn what_is_no_longer_offered_when_the_form_arrives_is_refused_by_the_server_too() {
    let stint = Stint::start().await;
    // The ingress took the form; `approval` cannot read the table, and is invoked again later.
    let fault = json!({"system": "aws", "match": "DynamoDB.GetItem", "status": 500, "times": 0});
    stint.fault(fault).await;
    let seen = stint.fill(ALICE, values(&json!({}))).await;
    assert_eq!(seen["errors"], json!({}));
    let staging = "label    = \"Staging\"\ngroup_id = \"00g3stagingadmins\"";
    stint.edit(
        "flows.toml",
        staging,
        &format!("{staging}\nmax_duration = \"30m\""),
    );
    stint.mend().await;
    stint.advance(90).await;
    assert_eq!(stint.state().await["requests"], json!([]));
    let told = stint.heard(ALICE).await;
    assert!(
        told.contains("Nothing was asked for: Staging is given for at most"),
        "{told}"
    );
}

#[tokio::test]
async fn a_yes_to_what_is_no_longer_offered_is_refused_and_says_so() {
    let stint = Stint::start().await;
    let id = stint.ask(ALICE, "Staging", "1 hour").await.unwrap();
    let right = std::fs::read_to_string(stint.file("flows.toml")).unwrap();
    let staging = "label    = \"Staging\"\ngroup_id = \"00g3stagingadmins\"";
    for (old, new, why) in [
        (
            format!("[[flow.target]]\n{staging}"),
            String::new(),
            "the target was taken out of the flows file",
        ),
        (
            staging.to_owned(),
            format!("{staging}\nmax_duration = \"30m\""),
            "the target's maximum was lowered",
        ),
        (
            "[\"30m\", \"1h\", \"4h\"]".to_owned(),
            "[\"30m\", \"4h\"]".to_owned(),
            "the duration was taken out of the flows file",
        ),
        (
            "\"sandbox.okta.local\"".to_owned(),
            "\"other.okta.com\"".to_owned(),
            "another Okta org was configured",
        ),
        (
            "name            = \"okta\"".to_owned(),
            "name            = \"other\"".to_owned(),
            "the target was taken out of the flows file",
        ),
        (
            "\"T0SANDBOX\"".to_owned(),
            "\"T0OTHER99\"".to_owned(),
            "people of another workspace",
        ),
        (
            "name            = \"okta\"".to_owned(),
            "nam             = \"okta\"".to_owned(),
            "`flows.toml`",
        ),
    ] {
        stint.edit("flows.toml", &old, &new);
        let seen = stint.press(BOB, "approve", &id).await;
        let told = words(&seen["ephemerals"]);
        assert!(told.contains(why), "{new}: {told}");
        assert_eq!(stint.standing(&id).await, "pending", "{new}");
        std::fs::write(stint.file("flows.toml"), &right).unwrap();
    }
    assert_eq!(stint.okta_calls("PUT").await, Vec::<Value>::new());
    stint.press(BOB, "approve", &id).await;
    assert_eq!(stint.standing(&id).await, "active");
}

#[tokio::test]
async fn a_button_of_a_card_that_is_behind_tells_who_decided_and_redraws_the_card() {
    let stint = Stint::start().await;
    let id = stint.ask(ALICE, "Staging", "1 hour").await.unwrap();
    let stuck = json!({"system": "slack", "match": "chat.update", "status": 500, "times": 0});
    stint.fault(stuck).await;
    stint.deny(BOB, &id).await;
    assert_eq!(stint.standing(&id).await, "denied");
    assert_eq!(buttons(&stint.card(&id).await), DECIDING);
    stint.mend().await;
    let seen = stint.press(CAROL, "approve", &id).await;
    let told = words(&seen["ephemerals"]);
    assert!(
        told.contains("<@U02BOB> denied the request of <@U01ALICE> for *Staging*"),
        "{told}"
    );
    let card = stint.card(&id).await;
    assert_eq!(buttons(&card), Vec::<String>::new());
    assert!(words(&card).contains("Denied by <@U02BOB>"));
    assert_eq!(stint.standing(&id).await, "denied");
    assert_eq!(stint.okta_calls("PUT").await, Vec::<Value>::new());
}

#[tokio::test]
async fn every_button_that_is_gone_tells_how_the_request_stands() {
    let stint = Stint::start().await;
    let id = stint.ask(ALICE, "Staging", "30 minutes").await.unwrap();
    for (user, button) in [(BOB, "revoke"), (ALICE, "done")] {
        let seen = stint.decide_gone(user, button, &id).await;
        let told = words(&seen["ephemerals"]);
        assert!(told.contains("Nobody has decided"), "{button}: {told}");
    }
    stint.press(BOB, "approve", &id).await;
    for (user, button) in [(CAROL, "approve"), (CAROL, "deny"), (ALICE, "cancel")] {
        let seen = stint.decide_gone(user, button, &id).await;
        let told = words(&seen["ephemerals"]);
        assert!(told.contains("<@U02BOB> approved"), "{button}: {told}");
        assert!(told.contains("The access ends at"), "{button}: {told}");
    }
    assert_eq!(stint.standing(&id).await, "active");
    stint.press_own(ALICE, "done").await;
    assert_eq!(stint.standing(&id).await, "ended/withdrawn");
    let audit = stint.state().await["audit"].clone();
    for (user, button) in [
        (CAROL, "approve"),
        (BOB, "deny"),
        (BOB, "revoke"),
        (CAROL, "cancel"),
        (CAROL, "done"),
    ] {
        let seen = stint.decide_gone(user, button, &id).await;
        let told = words(&seen["ephemerals"]);
        assert!(
            told.contains("<@U01ALICE> ended the access"),
            "{button}: {told}"
        );
    }
    assert_eq!(stint.state().await["audit"], audit);
}

#[tokio::test]
async fn what_belongs_to_somebody_else_is_not_taken_back_by_a_forged_button() {
    let stint = Stint::start().await;
    let id = stint.ask(ALICE, "Staging", "30 minutes").await.unwrap();
    let seen = stint.press_gone(CAROL, "cancel", &id).await;
    assert!(words(&seen["ephemerals"]).contains("Only the person who asked"));
    assert_eq!(stint.standing(&id).await, "pending");
    stint.press(BOB, "approve", &id).await;
    let seen = stint.press_gone("U04DAVE", "done", &id).await;
    assert!(words(&seen["ephemerals"]).contains("Only the person who asked"));
    let seen = stint.press_gone("U04DAVE", "revoke", &id).await;
    assert_ne!(seen["ephemerals"], json!([]));
    assert_eq!(stint.standing(&id).await, "active");
    assert!(stint.is_member("alice", STAGING).await);
}

#[tokio::test]
async fn a_click_on_a_request_that_does_not_exist_is_answered() {
    let stint = Stint::start().await;
    let id = stint.ask(ALICE, "Staging", "30 minutes").await.unwrap();
    let card = stint.request(&id).await["card"].clone();
    let before = stint.state().await;
    let long = "x".repeat(2000);
    for value in [
        json!("nope"),
        json!(""),
        Value::Null,
        json!("../../etc"),
        json!("{\"$ne\":1}"),
        json!("\u{202e}"),
        json!(long),
    ] {
        let mut click =
            json!({"channel": card["channel"], "ts": card["ts"], "action_id": "revoke"});
        click["value"] = value.clone();
        let act = json!({"click": click, "force": true});
        let seen = stint.slack(BOB, act).await;
        assert_eq!(seen["status"], 200, "{value}");
        let told = words(&seen["ephemerals"]);
        assert!(
            told.contains("That request is not known"),
            "{value}: {told}"
        );
    }
    let after = stint.state().await;
    assert_eq!(after["requests"], before["requests"]);
    assert_eq!(after["handoffs"], json!({"waiting": 0, "failed": []}));
}

#[tokio::test]
async fn a_click_that_is_older_than_five_minutes_changes_nothing() {
    let stint = Stint::start().await;
    let id = stint.ask(ALICE, "Staging", "30 minutes").await.unwrap();
    let card = stint.request(&id).await["card"].clone();
    let click = json!({"channel": card["channel"], "ts": card["ts"], "action_id": "approve"});
    for age_s in [301, 86_400, -301] {
        let act = json!({"click": click, "age_s": age_s});
        assert_eq!(stint.slack(BOB, act).await["status"], 401, "{age_s}");
    }
    assert_eq!(stint.standing(&id).await, "pending");
    // Young enough for the ingress, but `approval` gets to it too late.
    let fault = json!({"system": "aws", "match": "DynamoDB.GetItem", "status": 500, "times": 0});
    let fault = stint.fault(fault).await;
    let act = json!({"click": click, "age_s": 270});
    assert_eq!(stint.slack(BOB, act).await["status"], 200);
    stint
        .call(Method::DELETE, &format!("/sandbox/faults/{fault}"), None)
        .await;
    stint.advance(90).await;
    assert_eq!(stint.standing(&id).await, "pending");
    let told = stint.heard(BOB).await;
    assert!(told.contains("more than five minutes"), "{told}");
    // As it always was.
    stint.press(BOB, "approve", &id).await;
    assert_eq!(stint.standing(&id).await, "active");
}

#[tokio::test]
async fn a_click_that_never_got_anywhere_is_told_to_whoever_clicked() {
    let stint = Stint::start().await;
    let id = stint.ask(ALICE, "Staging", "30 minutes").await.unwrap();
    let fault = json!({"system": "aws", "match": "DynamoDB.GetItem", "status": 500, "times": 0});
    stint.fault(fault).await;
    stint.press(BOB, "approve", &id).await;
    stint.advance(600).await;
    let told = stint.heard(BOB).await;
    assert!(told.contains("could not be carried out"), "{told}");
    assert!(told.contains("do it once more"), "{told}");
    stint.mend().await;
    stint.advance(600).await;
    assert_eq!(stint.standing(&id).await, "pending");
    stint.press(BOB, "approve", &id).await;
    assert_eq!(stint.standing(&id).await, "active");
}

#[tokio::test]
async fn one_form_delivered_twice_is_one_request() {
    let stint = Stint::start().await;
    let seen = stint.command(ALICE, "/access").await;
    let submit = json!({"view_id": seen["view"]["id"], "values": values(&json!({}))});
    let act = json!({"submit": submit, "deliveries": 3, "force": true});
    stint.slack(ALICE, act).await;
    assert_eq!(stint.requests().await.len(), 1);
    assert_eq!(stint.texts(REQUESTS).await.len(), 1);
    assert_eq!(stint.texts(ALICE).await.len(), 1);
    let audit = stint.state().await["audit"].clone();
    assert_eq!(audit.as_array().unwrap().len(), 1, "{audit}");
}

/// The bytes of a submission of the form that Alice sees, with the view's id `id`.
async fn submission(stint: &Stint, id: &str) -> Vec<u8> {
    let state = stint.state().await;
    let mut view = state["slack"]["views"][ALICE]
        .as_array()
        .unwrap()
        .last()
        .unwrap()
        .clone();
    view["id"] = json!(id);
    let held = |kind: &str, key: &str, value: Value| {
        let mut held = json!({"type": kind});
        held[key] = value;
        held
    };
    let option =
        |value: &str| json!({"text": {"type": "plain_text", "text": value}, "value": value});
    let mut values = json!({});
    for block in view["blocks"].as_array().unwrap().clone() {
        let (Some(block_id), Some(action)) = (
            block["block_id"].as_str(),
            block["element"]["action_id"].as_str(),
        ) else {
            continue;
        };
        values[block_id][action] = match block_id {
            "target" => held("static_select", "selected_option", option(STAGING)),
            "duration" => held("static_select", "selected_option", option("3600")),
            "reason" => held("plain_text_input", "value", json!("fixing INC-42")),
            _ => continue,
        };
    }
    view["state"] = json!({"values": values});
    let payload = json!({
        "type": "view_submission", "team": {"id": "T0SANDBOX"}, "trigger_id": format!("1.1.{id}"),
        "user": {"id": ALICE, "team_id": "T0SANDBOX"}, "view": view, "response_urls": [],
    });
    let pairs = [("payload", payload.to_string())];
    serde_urlencoded::to_string(pairs).unwrap().into_bytes()
}

#[tokio::test]
async fn one_form_delivered_many_times_at_once_is_one_request() {
    let stint = Stint::start().await;
    stint.command(ALICE, "/access").await;
    let body = submission(&stint, "V0TWICE").await;
    let posts = tokio::join!(
        stint.signed(FORM, &body, 0),
        stint.signed(FORM, &body, 0),
        stint.signed(FORM, &body, 0),
        stint.signed(FORM, &body, 0)
    );
    for (status, answer) in [posts.0, posts.1, posts.2, posts.3] {
        assert_eq!((status, answer.as_str()), (200, ""));
    }
    assert_eq!(stint.requests().await.len(), 1);
    assert_eq!(stint.texts(REQUESTS).await.len(), 1);
    let state = stint.state().await;
    assert_eq!(state["handoffs"], json!({"waiting": 0, "failed": []}));
    assert_eq!(state["audit"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_second_pending_request_for_the_same_target_is_not_made_and_the_first_is_shown() {
    let stint = Stint::start().await;
    let first = stint.ask(ALICE, "Staging", "1 hour").await.unwrap();
    let second = stint.ask(ALICE, "Staging", "30 minutes").await;
    assert_eq!(second, None);
    let told = stint.heard(ALICE).await;
    assert!(
        told.contains("You have asked for *Staging* already"),
        "{told}"
    );
    assert!(told.contains("|see it>"), "{told}");
    // Another target, another person, or a first that is over: no twin.
    assert!(stint.ask(ALICE, "Prod", "1 hour").await.is_some());
    assert!(stint.ask("U04DAVE", "Staging", "1 hour").await.is_some());
    stint.deny(BOB, &first).await;
    assert!(stint.ask(ALICE, "Staging", "1 hour").await.is_some());
}

#[tokio::test]
async fn two_different_forms_at_once_are_one_pending_request() {
    let stint = Stint::start().await;
    stint.command(ALICE, "/access").await;
    let one = submission(&stint, "V0ONE").await;
    let two = submission(&stint, "V0TWO").await;
    tokio::join!(stint.signed(FORM, &one, 0), stint.signed(FORM, &two, 0));
    let pending = stint.requests().await;
    assert_eq!(pending.len(), 1, "{pending:?}");
}

/// Everything that anybody ever sees.
async fn everything_shown(stint: &Stint) -> Vec<String> {
    fn collect(value: &Value, out: &mut Vec<String>) {
        match value {
            Value::String(text) => out.push(text.clone()),
            Value::Array(all) => all.iter().for_each(|it| collect(it, out)),
            Value::Object(all) => all
                .iter()
                .filter(|(key, _)| *key != "value" && *key != "private_metadata")
                .for_each(|(_, it)| collect(it, out)),
            _ => {}
        }
    }
    let state = stint.state().await;
    let mut out = Vec::new();
    for what in ["channels", "dms", "ephemerals"] {
        collect(&state["slack"][what], &mut out);
    }
    out
}

/// As Slack wants it written, so that it is shown as it is.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[tokio::test]
async fn a_reason_is_shown_as_it_was_written_and_mentions_nobody() {
    let stint = Stint::start().await;
    let long = "why ".repeat(249);
    let fire = "🔥".repeat(1000);
    for (reason, shown) in [
        ("<!channel> <!here|hi> <!everyone>", None),
        (
            "<@U99EVIL> <@U02BOB|Bob> <#C03GENERAL> <!subteam^S0123456>",
            None,
        ),
        ("<https://evil.example|Sign in to Okta>", None),
        ("&lt;!channel&gt; &amp; &amp;lt;", None),
        ("*bold* _italic_ ~gone~ `code` ```block``` > quote", None),
        ("<!date^1^{date}|now>", None),
        ("\" }, {\"type\": \"actions\"", None),
        ("{{reason}} ${reason} %s %n \\u0000 \\", None),
        ("emoji 🔥👩‍👩‍👧‍👦 :fire: é e\u{301} 中文 עברית", None),
        ("left\u{202e}thgir\u{2066}x\u{2069}", Some("leftthgirx")),
        ("a\u{0}b\u{7}c\u{1b}[31m", Some("abc[31m")),
        ("one\ntwo\r\nthree\u{2028}four", Some("one two three four")),
        (&long, Some("why why why")),
        (&fire, Some("🔥🔥🔥")),
    ] {
        let seen = stint.fill(ALICE, values(&json!({"reason": reason}))).await;
        assert_eq!(seen["errors"], json!({}), "{reason}");
        let request = stint
            .requests()
            .await
            .into_values()
            .find(|it| it["state"] == "pending");
        let request = request.unwrap_or_else(|| panic!("nothing was asked for with `{reason}`"));
        assert_eq!(request["reason"].as_str().unwrap().trim(), reason.trim());
        let id = request["id"].as_str().unwrap();
        let card = words(&stint.card(id).await);
        let shown = shown.map_or_else(|| escaped(reason), str::to_owned);
        assert!(card.contains(&shown), "`{reason}` is shown as {card}");
        if reason.starts_with('<') {
            // Through a whole life, with all its messages.
            stint.press(BOB, "approve", id).await;
            stint.press(BOB, "revoke", id).await;
            assert_eq!(stint.standing(id).await, "ended/revoked", "{reason}");
        } else {
            stint.deny(BOB, id).await;
        }
    }
    for text in everything_shown(&stint).await {
        for bad in [
            "<!channel",
            "<!here",
            "<!everyone",
            "<@U99EVIL",
            "<@U02BOB|",
            "<!subteam",
            "<#C03GENERAL>",
            "<https://evil",
            "<!date^1^",
            "\u{202e}",
            "\u{2066}",
            "\u{0}",
        ] {
            assert!(!text.contains(bad), "`{bad}` in {text}");
        }
    }
}

#[tokio::test]
async fn a_command_is_no_way_round_the_form() {
    let stint = Stint::start().await;
    for text in [
        "<!channel> <@U02BOB>",
        "prod 999d x",
        &"x".repeat(4000),
        "\u{202e}",
        "staging 1h <https://evil.example|x>",
        "🔥 🔥",
        "prod prod prod 1h 1h",
        "   ",
    ] {
        let seen = stint.command(ALICE, &format!("/access {text}")).await;
        assert_eq!(seen["status"], 200, "{text}");
        assert_eq!(
            seen["view"]["callback_id"], "request",
            "{text}: {}",
            seen["ephemerals"]
        );
    }
    assert_eq!(stint.state().await["requests"], json!([]));
}

#[tokio::test]
async fn a_broken_policy_refuses_everything_but_taking_access_away() {
    for (wrong, why) in [
        ("\npermit (", "`policy.cedar`"),
        (
            "\n@id(\"x\") forbid (principal, action, resource) when { principal.shoe_size > 3 };",
            "shoe_size",
        ),
        (
            "\n@id(\"x\") permit (principal, action == Action::\"aprove\", resource);",
            "aprove",
        ),
    ] {
        let stint = Stint::start().await;
        let held = stint.grant("Staging", "30 minutes").await;
        let other = stint.ask(ALICE, "Prod", "1 hour").await.unwrap();
        let path = stint.file("policy.cedar");
        let right = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{right}{wrong}")).unwrap();

        let seen = stint.press(BOB, "approve", &other).await;
        let told = words(&seen["ephemerals"]);
        assert!(
            told.contains(why) && told.contains("must mend"),
            "{wrong}: {told}"
        );
        let told = stint.texts(ERRORS).await.join("\n");
        assert!(told.contains(why), "{wrong}: {told}");
        stint.deny(BOB, &other).await;
        assert_eq!(stint.standing(&other).await, "pending", "{wrong}");
        stint.fill(CAROL, values(&json!({}))).await;
        assert!(stint.heard(CAROL).await.contains(why), "{wrong}");
        assert_eq!(stint.requests().await.len(), 2, "{wrong}");

        // Whoever said yes may take it back, and whoever has access may give it back.
        stint.press(BOB, "revoke", &held).await;
        assert_eq!(stint.standing(&held).await, "ended/revoked", "{wrong}");
        assert!(!stint.is_member("alice", STAGING).await, "{wrong}");
        stint.press_own(ALICE, "cancel").await;
        assert_eq!(stint.standing(&other).await, "cancelled", "{wrong}");
        std::fs::write(&path, right).unwrap();
        let id = stint.grant("Staging", "30 minutes").await;
        assert_eq!(stint.standing(&id).await, "active", "{wrong}");
        // And time ends what it must, whatever the files say.
        std::fs::write(&path, "").unwrap();
        std::fs::write(stint.file("flows.toml"), "?").unwrap();
        stint.advance(HOUR).await;
        assert_eq!(stint.standing(&id).await, "ended/elapsed", "{wrong}");
        assert!(!stint.is_member("alice", STAGING).await, "{wrong}");
    }
}

#[tokio::test]
async fn missing_files_refuse_everything_but_taking_access_away() {
    let stint = Stint::start().await;
    let held = stint.grant("Staging", "30 minutes").await;
    let other = stint.ask(ALICE, "Prod", "1 hour").await.unwrap();
    std::fs::remove_file(stint.file("flows.toml")).unwrap();
    std::fs::remove_file(stint.file("policy.cedar")).unwrap();
    let seen = stint.command(ALICE, "/access").await;
    assert!(words(&seen["ephemerals"]).contains("flows.toml"), "{seen}");
    let seen = stint.press(BOB, "approve", &other).await;
    let told = words(&seen["ephemerals"]);
    assert!(
        told.contains("flows.toml") && told.contains("policy.cedar"),
        "{told}"
    );
    assert_eq!(stint.standing(&other).await, "pending");
    stint.advance(HOUR).await;
    assert_eq!(stint.standing(&held).await, "ended/elapsed");
    assert!(!stint.is_member("alice", STAGING).await);
}

#[tokio::test]
async fn the_message_of_a_forbid_is_shown_to_whoever_is_refused() {
    let stint = Stint::start().await;
    let path = stint.file("policy.cedar");
    let text = std::fs::read_to_string(&path).unwrap();
    let more = r#"
@id("no-friday")
@message("Not for <!channel> & friends: ask the *lead*.")
forbid (principal, action in [Action::"request", Action::"approve"], resource == Target::"00g2prodadmins");
"#;
    std::fs::write(&path, format!("{text}{more}")).unwrap();
    let before = stint.requests().await.len();
    stint
        .fill(ALICE, values(&json!({"target": "00g2prodadmins"})))
        .await;
    let told = stint.heard(ALICE).await;
    assert!(
        told.contains("Not for &lt;!channel&gt; &amp; friends: ask the *lead*."),
        "{told}"
    );
    assert_eq!(stint.requests().await.len(), before);
}
