use std::collections::BTreeMap;

use access::{
    Approval, Card, Click, Decision, Group, HandOver, Notice, Org, Owed, Person, Place, Posted,
    Recipient, Request, RequestId, SlackUser, State, Trouble, Why,
};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::Value;

use super::limits::{anything, assert_message};
use crate::blocks::Button;
use crate::card::{card, everything};
use crate::form::Again;
use crate::notice::{notice, place, problem, retry, told};

pub(super) fn person(slack: &str) -> Person {
    Person {
        slack: SlackUser::new(slack),
        okta: None,
        email: None,
    }
}

pub(super) fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_795_510_800 + minute * 60).unwrap()
}

pub(super) fn request(state: State) -> Request {
    Request {
        id: RequestId::new("T1-V1"),
        version: 1,
        flow: "okta".to_owned(),
        flow_label: "Okta Access".to_owned(),
        label: "Prod".to_owned(),
        org: Org::new("myco.okta.com"),
        group: Group::new("00g2prodadmins"),
        max_duration_s: 3600,
        error_channel: "#sym-errors".to_owned(),
        notify: Vec::new(),
        requester: person("U01ALICE"),
        duration_s: 1800,
        reason: "fixing INC-42".to_owned(),
        fields: BTreeMap::new(),
        questions: BTreeMap::new(),
        state,
        why: None,
        trouble: None,
        approvals: Vec::new(),
        undone: Vec::new(),
        approvals_needed: 1,
        decision: None,
        handed_over: None,
        requested_at: at(0),
        expires_at: at(60 * 24),
        approved_at: None,
        starts_at: None,
        ends_at: None,
        over_at: None,
        closed_at: state.is_final().then(|| at(40)),
        attempts: 0,
        uncertain: 0,
        extends: None,
        chain_s: 0,
        face: 1,
        cards: vec![
            shown_at(Place::Homes),
            shown_at(Place::Channel("#sym-requests".to_owned())),
            shown_at(Place::Requester),
        ],
        fallback: Vec::new(),
        fallback_after_s: 0,
        fallback_at: None,
        remind_at: None,
        remind_after_s: 3600,
        reminders: 0,
        owed: Vec::new(),
        drive_at: None,
        surfaces_at: None,
        surfaces_tries: 0,
    }
}

/// A copy of the card that was posted.
pub(super) fn shown_at(place: Place) -> Card {
    let posted = Posted {
        channel: "C01REQUESTS".to_owned(),
        ts: "1795510800.000100".to_owned(),
    };
    Card {
        posted: Some(posted).filter(|_| place != Place::Homes),
        place,
        shows: 1,
    }
}

/// One that could not be delivered.
pub(super) fn lost_at(place: Place) -> Card {
    Card {
        posted: None,
        place,
        shows: 1,
    }
}

pub(super) fn asked(slack: &str) -> Place {
    Place::Asked(SlackUser::new(slack))
}

pub(super) fn approved(state: State) -> Request {
    Request {
        approvals: vec![Approval {
            by: person("U02BOB"),
            at: at(1),
            click: Click::new("1"),
            note: None,
        }],
        starts_at: Some(at(2)),
        ends_at: Some(at(32)),
        ..request(state)
    }
}

pub(super) fn decided(state: State, why: Option<Why>, by: &str, note: Option<&str>) -> Request {
    Request {
        why,
        decision: Some(Decision {
            by: person(by),
            at: at(39),
            click: Click::new("2"),
            note: note.map(str::to_owned),
        }),
        ..approved(state)
    }
}

/// All that is written on a card, and its buttons by action id.
fn seen(request: &Request, place: &Place) -> (String, Vec<String>) {
    let message = card(request, place);
    assert_message(&message);
    let json = serde_json::to_value(&message).unwrap();
    let mut lines = Vec::new();
    let mut buttons = Vec::new();
    for block in json["blocks"].as_array().unwrap() {
        if let Some(text) = block["text"]["text"].as_str() {
            lines.push(text.to_owned());
        }
        for element in block["elements"].as_array().into_iter().flatten() {
            if element["type"] == "button" {
                buttons.push(element["action_id"].as_str().unwrap().to_owned());
            } else {
                lines.push(element["text"].as_str().unwrap().to_owned());
            }
        }
    }
    (lines.join("\n"), buttons)
}

fn channel(request: &Request) -> (String, Vec<String>) {
    seen(request, &Place::Channel("#sym-requests".to_owned()))
}

fn requester(request: &Request) -> (String, Vec<String>) {
    seen(request, &Place::Requester)
}

fn approver(request: &Request) -> (String, Vec<String>) {
    seen(request, &Place::Approver(SlackUser::new("U02BOB")))
}

macro_rules! says {
    ($seen:expr, $buttons:expr, $($text:expr),+ $(,)?) => {
        let (text, buttons) = $seen;
        assert_eq!(buttons, $buttons as &[&str], "{text}");
        $(assert!(text.contains($text), "`{}` is not in:\n{text}", $text);)+
    };
}

const DATE: &str = "|2026-11-24 09:32 UTC>";
const CLOSED: &str = "|2026-11-24 09:40 UTC>";

#[test]
fn a_pending_request_says_who_wants_what_and_asks() {
    says!(
        channel(&request(State::Pending)),
        &["approve", "approve_note", "deny"],
        "*Okta Access* request by <@U01ALICE> 🔑",
        "*Prod* · _fixing INC-42_ · 30 minutes",
    );
    says!(
        requester(&request(State::Pending)),
        &["cancel"],
        "Your *Okta Access* request 🔑",
        "Sent to #sym-requests"
    );
}

#[test]
fn a_pending_request_says_who_is_asked_who_approved_and_what_is_wrong() {
    let mut it = approved(State::Pending);
    it.approvals_needed = 2;
    it.notify = vec![
        "S0614TZR7".to_owned(),
        "U03CAROL".to_owned(),
        "<!channel>".to_owned(),
    ];
    it.fields
        .insert("ticket".to_owned(), "INC-42 <!here>".to_owned());
    it.trouble = Some(Trouble {
        error: "the Okta token is not valid".to_owned(),
        hint: "put a new one into the secret".to_owned(),
    });
    says!(
        channel(&it),
        &["approve", "approve_note", "deny"],
        "Asked: <!subteam^S0614TZR7>, <@U03CAROL>, &lt;!channel&gt;",
        "Approved by <@U02BOB> (1 of 2)",
        "⚠️ the Okta token is not valid\n*Hint* put a new one into the secret",
        "ticket: INC-42 &lt;!here&gt;",
    );
    says!(
        approver(&it),
        &[],
        "You approved *Okta Access* for <@U01ALICE>",
        "(1 of 2)"
    );
    it.approvals.clear();
    says!(
        approver(&it),
        &[],
        "waits for approval again: sent to #sym-requests"
    );
}

#[test]
fn an_approved_request_has_no_buttons_until_it_is_active() {
    for state in [State::Approved, State::Escalating] {
        for seen in [
            channel(&approved(state)),
            requester(&approved(state)),
            approver(&approved(state)),
        ] {
            says!(seen, &[], "⏳", "Approved by <@U02BOB>, adding to Okta…");
        }
    }
}

#[test]
fn active_access_says_until_when_and_can_be_ended() {
    let it = approved(State::Active);
    says!(
        channel(&it),
        &["revoke"],
        "✅",
        "Expires at <!date^1795512720^{date_short_pretty} {time}",
        DATE,
        "Approved by <@U02BOB>"
    );
    says!(requester(&it), &["done", "extend"], "✅", DATE);
    says!(approver(&it), &["revoke"], "You approved", DATE);
    // Nothing is left to extend by.
    says!(
        requester(&Request {
            chain_s: 1800,
            ..it.clone()
        }),
        &["done"],
        DATE
    );
    says!(
        channel(&Request {
            approvals: Vec::new(),
            ..it
        }),
        &["revoke"],
        "Approved by policy"
    );
}

#[test]
fn access_that_is_ending_says_why_and_what_stands_in_the_way() {
    let it = decided(State::Deescalating, Some(Why::Revoked), "U03CAROL", None);
    says!(channel(&it), &[], "⏳", "Removing… Revoked by <@U03CAROL>");
    let stuck = Request {
        trouble: Some(Trouble {
            error: "Okta answered 500".to_owned(),
            hint: String::new(),
        }),
        ..it
    };
    for seen in [channel(&stuck), requester(&stuck), approver(&stuck)] {
        says!(
            seen,
            &[],
            "⚠️ Okta answered 500\nIt is tried again until it is done."
        );
    }
}

#[test]
fn what_is_over_says_when_by_whom_and_why_and_can_only_be_asked_for_again() {
    let elapsed = Request {
        closed_at: Some(at(40)),
        why: Some(Why::Elapsed),
        ..approved(State::Ended)
    };
    for (it, icon, words) in [
        (elapsed.clone(), "✅", "Expired at <!date^"),
        (
            decided(State::Ended, Some(Why::Revoked), "U03CAROL", None),
            "✅",
            "Revoked by <@U03CAROL> at",
        ),
        (
            decided(State::Ended, Some(Why::Withdrawn), "U01ALICE", None),
            "✅",
            "Given back by <@U01ALICE> at",
        ),
        (
            decided(State::Denied, None, "U02BOB", Some("not today <!here>")),
            "🚫",
            "Denied by <@U02BOB> at",
        ),
        (
            decided(State::Cancelled, None, "U01ALICE", None),
            "🚫",
            "Cancelled by <@U01ALICE> at",
        ),
        (request(State::Expired), "⌛", "nobody answered"),
        (request(State::Failed), "⚠️", "Failed at"),
    ] {
        says!(channel(&it), &[], icon, words, CLOSED);
        says!(requester(&it), &["again"], icon, words, CLOSED);
        says!(approver(&it), &[], words);
    }
    says!(
        channel(&decided(
            State::Denied,
            None,
            "U02BOB",
            Some("not today <!here>")
        )),
        &[],
        "Denied by <@U02BOB> at <!date^1795513200^{date_short_pretty} {time}|2026-11-24 09:40 UTC>\n> not \
         today &lt;!here&gt;"
    );
    says!(requester(&elapsed), &["again"], "may keep you signed in");
    let superseded = Request {
        why: Some(Why::Superseded),
        ..elapsed.clone()
    };
    says!(requester(&superseded), &[], "Extended at");
    let member = Request {
        why: Some(Why::AlreadyMember),
        approvals: Vec::new(),
        ..elapsed.clone()
    };
    says!(requester(&member), &[], "You are in the group already");
    let handed_over = handed_over(elapsed);
    for seen in [
        channel(&handed_over),
        requester(&handed_over),
        approver(&handed_over),
    ] {
        says!(
            seen,
            &[],
            "✅",
            "Handed over at <!date^1795513200",
            " by jane@example.com: _she is &lt;on&gt; the team now_",
            "The membership stays in Okta: Stint does not take it back any more",
            "Approved by <@U02BOB>",
        );
    }
    let (seen, _) = self::requester(&handed_over);
    assert!(!seen.contains("may keep you signed in"), "they keep it");
}

fn handed_over(request: Request) -> Request {
    Request {
        why: Some(Why::HandedOver),
        handed_over: Some(HandOver {
            by: "jane@example.com".to_owned(),
            reason: "she is <on> the team now".to_owned(),
        }),
        ..request
    }
}

#[test]
fn who_was_taken_out_by_somebody_else_sees_it_while_the_access_lasts() {
    let mut it = approved(State::Active);
    let trouble = Trouble::taken_out(&it);
    it.trouble = Some(trouble.clone());
    assert!(it.is_taken_out());
    says!(
        requester(&it),
        &["done", "extend"],
        "⚠️",
        "was taken out of the Okta group of Prod",
        "*Hint* an Okta administrator can put them in again",
        DATE,
    );
    says!(channel(&it), &["revoke"], "was taken out");
    for to in [Recipient::Requester, Recipient::ErrorChannel] {
        let told = words(&it, to, Notice::Trouble(trouble.clone()));
        for part in [
            "*What* the access that <@U01ALICE> has, approved by",
            "was taken out",
        ] {
            assert!(told.contains(part), "{part} in {told}");
        }
    }
}

#[test]
fn what_is_handed_over_is_told_with_who_and_why() {
    let it = handed_over(approved(State::Ended));
    let to_alice = words(&it, Recipient::Requester, Notice::Ended);
    let to_errors = words(&it, Recipient::ErrorChannel, Notice::Ended);
    assert!(
        to_alice.contains("Your access to *Prod* was handed over by jane@"),
        "{to_alice}"
    );
    let whose = "The access to *Prod* of <@U01ALICE> was handed over by jane@";
    assert!(to_errors.contains(whose), "{to_errors}");
    for told in [&to_alice, &to_errors] {
        assert!(
            told.contains("_she is &lt;on&gt; the team now_. The membership stays"),
            "{told}"
        );
        assert!(!told.contains("sign out where it matters"), "{told}");
        assert!(!told.contains("\"again\""), "{told}");
    }
}

#[test]
fn the_buttons_carry_the_request() {
    let json = serde_json::to_value(card(&approved(State::Active), &Place::Requester)).unwrap();
    let buttons = json["blocks"].as_array().unwrap().last().unwrap()["elements"].clone();
    assert_eq!(buttons[0]["value"], "T1-V1");
    let extend = Again::read(buttons[1]["value"].as_str().unwrap()).unwrap();
    assert_eq!(extend.request, RequestId::new("T1-V1"));
    assert_eq!((extend.flow.as_str(), extend.duration_s), ("okta", 1800));
    assert_eq!(extend.up_to_s, Some(1800));
    assert_eq!(extend.reason.as_deref(), Some("fixing INC-42"));
}

fn words(request: &Request, to: Recipient, notice_: Notice) -> String {
    let message = notice(
        request,
        &Owed {
            to,
            notice: notice_,
        },
    );
    assert_message(&message);
    serde_json::to_string(&message).unwrap()
}

#[test]
fn the_requester_is_told_what_became_of_it() {
    let me = || Recipient::Requester;
    let active = words(&approved(State::Active), me(), Notice::Active);
    assert!(
        active.contains("You have *Prod* until <!date^")
            && active.contains("Approved by <@U02BOB>."),
        "{active}"
    );
    let denied = decided(State::Denied, None, "U02BOB", Some("not today"));
    let denied = words(&denied, me(), Notice::Denied);
    assert!(
        denied.contains("was denied by <@U02BOB>.\\n> not today") && denied.contains("\"again\""),
        "{denied}"
    );
    let expired = words(&request(State::Expired), me(), Notice::Expired);
    assert!(
        expired.contains("has expired: nobody answered. Asked: #sym-requests."),
        "{expired}"
    );
    let ended = words(
        &decided(State::Ended, Some(Why::Revoked), "U02BOB", None),
        me(),
        Notice::Ended,
    );
    assert!(
        ended.contains("was revoked by <@U02BOB>") && ended.contains("may keep you signed in"),
        "{ended}"
    );
    let member = words(&request(State::Ended), me(), Notice::AlreadyMember);
    assert!(member.contains("You are in *Prod* already"), "{member}");
    let other = words(
        &approved(State::Active),
        Recipient::Person(SlackUser::new("U02BOB")),
        Notice::Active,
    );
    assert!(other.contains("<@U01ALICE> has *Prod*"), "{other}");
}

#[test]
fn an_error_says_what_where_and_what_to_do() {
    let trouble = Trouble {
        error: "the Okta token <is> not valid".to_owned(),
        hint: "put a new one into the secret".to_owned(),
    };
    let failed = Request {
        trouble: Some(trouble.clone()),
        ..request(State::Failed)
    };
    let stuck = approved(State::Deescalating);
    for (text, what) in [
        (
            words(&failed, Recipient::ErrorChannel, Notice::Failed),
            "the access that <@U01ALICE> asked for",
        ),
        (
            words(&failed, Recipient::Requester, Notice::Failed),
            "\"again\"",
        ),
        (
            words(&stuck, Recipient::ErrorChannel, Notice::Trouble(trouble)),
            "taking <@U01ALICE> out of the group, approved by <@U02BOB>",
        ),
    ] {
        for part in [
            "Sorry, an error occurred!",
            what,
            "*Where* *Okta Access* for *Prod*",
            "> the Okta token &lt;is&gt; not valid",
            "*Hint* put a new one into the secret",
        ] {
            assert!(text.contains(part), "`{part}` is not in {text}");
        }
    }
}

#[test]
fn the_person_who_is_asked_has_the_same_card_as_a_channel() {
    let mut it = request(State::Pending);
    it.cards = vec![
        shown_at(asked("U02BOB")),
        shown_at(asked("U03CAROL")),
        lost_at(asked("U09GONE")),
        shown_at(Place::Requester),
    ];
    says!(
        seen(&it, &asked("U02BOB")),
        &["approve", "approve_note", "deny"],
        "*Okta Access* request by <@U01ALICE> 🔑",
        "Asked: <@U02BOB>, <@U03CAROL>\nCould not be reached: <@U09GONE>",
    );
    says!(
        requester(&it),
        &["cancel"],
        "Sent to <@U02BOB>, <@U03CAROL>\nCould not be reached: <@U09GONE>"
    );
    it.state = State::Active;
    says!(seen(&it, &asked("U02BOB")), &["revoke"], "✅");
}

#[test]
fn where_nobody_can_be_reached_the_requester_is_told() {
    let mut it = request(State::Pending);
    it.cards = vec![Card {
        shows: 0,
        ..lost_at(Place::Channel("#sym-requests".to_owned()))
    }];
    // It is on its way.
    says!(requester(&it), &["cancel"], "Sent to #sym-requests");
    it.trouble = Some(Trouble {
        error: "the card could not be posted".to_owned(),
        hint: "invite the app".to_owned(),
    });
    says!(
        requester(&it),
        &["cancel"],
        "Nobody could be reached yet: #sym-requests",
        "*Hint* invite the app"
    );
    it.trouble = None;
    it.cards = vec![
        lost_at(Place::Channel("#sym-requests".to_owned())),
        shown_at(Place::Channel("C02ONCALL".to_owned())),
    ];
    says!(
        requester(&it),
        &["cancel"],
        "Sent to <#C02ONCALL>\nCould not be reached: #sym-requests"
    );
    says!(
        seen(&it, &Place::Channel("C02ONCALL".to_owned())),
        &["approve", "approve_note", "deny"],
        "Could not be reached: #sym-requests"
    );
}

#[test]
fn the_requester_knows_who_else_is_asked_and_when() {
    let mut it = request(State::Pending);
    it.fallback = vec![asked("U03CAROL")];
    it.fallback_at = Some(at(40));
    let (text, _) = requester(&it);
    let line = "Goes to <@U03CAROL> too if nobody answers until <!date^";
    assert!(text.contains(line) && text.contains(CLOSED), "{text}");
    // Who is not asked yet is mentioned nowhere else.
    let (text, _) = channel(&it);
    assert!(!text.contains("CAROL"), "{text}");
}

#[test]
fn an_expired_request_says_who_was_asked() {
    let mut it = request(State::Expired);
    it.notify = vec!["S0614TZR7".to_owned()];
    it.cards.push(shown_at(asked("U03CAROL")));
    it.cards.push(lost_at(asked("U09GONE")));
    let line = "nobody answered\nAsked: <!subteam^S0614TZR7>, #sym-requests, <@U03CAROL>\nCould not be reached: \
         <@U09GONE>";
    says!(channel(&it), &[], line);
    says!(requester(&it), &["again"], line);
}

#[test]
fn an_extension_says_from_when_it_counts_and_that_it_takes_nothing_away() {
    let it = Request {
        extends: Some(RequestId::new("T1-V0")),
        ..request(State::Pending)
    };
    let counts = "the 30 minutes count from the approval on, instead of what is left then, and never end \
                  earlier";
    says!(
        channel(&it),
        &["approve", "approve_note", "deny"],
        "Extends access that they have now: ",
        counts
    );
    says!(
        requester(&it),
        &["cancel"],
        "Extends access that you have now: ",
        counts
    );
}

#[test]
fn revoking_asks_first_and_says_what_it_does_not_do() {
    let json = serde_json::to_value(card(
        &approved(State::Active),
        &Place::Channel("#x".to_owned()),
    ));
    let text = json.unwrap().to_string();
    assert!(text.contains("may keep them signed in"), "{text}");
}

#[test]
fn notes_are_shown_and_empty_ones_are_not() {
    let mut it = approved(State::Active);
    it.approvals[0].note = Some(" only\nthe replica <!here> ".to_owned());
    says!(
        channel(&it),
        &["revoke"],
        "<@U02BOB>: _only the replica &lt;!here&gt;_"
    );
    it.approvals[0].note = Some(" \n".to_owned());
    let (text, _) = channel(&it);
    assert!(!text.contains("<@U02BOB>: "), "{text}");
}

#[test]
fn what_was_shortened_is_one_click_away() {
    let long = |words: usize| "word ".repeat(words).trim().to_owned();
    let plain = request(State::Pending);
    let mut all = vec![plain.clone(); 6];
    all[0].reason = long(100);
    all[1].label = long(60);
    all[2].fields.insert("ticket".to_owned(), long(60));
    all[3].approvals = approved(State::Pending).approvals;
    all[3].approvals[0].note = Some(long(60));
    all[4].trouble = Some(Trouble {
        error: long(200),
        hint: String::new(),
    });
    all[5].trouble = Some(Trouble {
        error: "no".to_owned(),
        hint: long(200),
    });
    for it in &all {
        says!(
            channel(it),
            &["approve", "approve_note", "deny", "details"],
            "…"
        );
        says!(requester(it), &["cancel", "details"], "…");
        let everything = everything(it);
        assert_message(&everything);
        let json = serde_json::to_value(&everything).unwrap();
        assert!(!json["blocks"].to_string().contains('…'), "{json:#}");
        for text in [&it.reason, &it.label] {
            assert!(
                json["blocks"].to_string().contains(text.as_str()),
                "{json:#}"
            );
        }
    }
    let denied = decided(State::Denied, None, "U02BOB", Some(&long(100)));
    says!(channel(&denied), &["details"], "…");
}

#[test]
fn everything_says_it_all() {
    let mut it = decided(State::Denied, None, "U03CAROL", Some("not\ntoday"));
    it.reason = "one\n\ntwo <!here>\n".to_owned() + &"x".repeat(3000);
    it.approvals[0].note = Some("fine by me".to_owned());
    it.fields.insert("ticket".to_owned(), "INC-42".to_owned());
    it.cards.push(lost_at(asked("U09GONE")));
    let message = everything(&it);
    assert_message(&message);
    let json = serde_json::to_value(&message).unwrap();
    let blocks = json["blocks"].as_array().unwrap().iter();
    let texts = blocks.map(|block| block["text"]["text"].as_str().unwrap());
    let text = texts.collect::<Vec<_>>().join("\n");
    for part in [
        "*Okta Access* request by <@U01ALICE>",
        "*Prod* for 30 minutes",
        "*Reason* one\ntwo &lt;!here&gt;\n",
        "*ticket* INC-42",
        "*Approved* by <@U02BOB> at <!date^1795510860",
        ": fine by me",
        "*Denied* by <@U03CAROL> at <!date^",
        ": not\ntoday",
        "*Asked for* at <!date^1795510800",
        "*Over* at <!date^",
        "*State* denied",
        "*Asked* #sym-requests",
        "*Could not be reached* <@U09GONE>",
    ] {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
    assert_eq!(text.matches('x').count(), 3000);

    it.approvals = vec![it.approvals[0].clone(); 10];
    for approval in &mut it.approvals {
        approval.note = Some("y".repeat(1000));
    }
    let text = serde_json::to_string(&everything(&it)).unwrap();
    assert!(text.contains("more than Slack takes in one message"));
}

#[test]
fn what_is_written_from_right_to_left_leaves_the_rest_where_it_is() {
    let mut it = request(State::Pending);
    it.reason = "לתקן 42\u{202e}".to_owned();
    says!(
        channel(&it),
        &["approve", "approve_note", "deny"],
        "*Prod* · _\u{2068}לתקן 42\u{2069}_ · 30 minutes"
    );
}

#[test]
fn a_reminder_says_what_waits_and_calls_those_who_are_mentioned() {
    let mut it = request(State::Pending);
    it.notify = vec!["S0614TZR7".to_owned(), "U03CAROL".to_owned()];
    let channel = Recipient::Card(Place::Channel("#sym-requests".to_owned()));
    let text = words(&it, channel, Notice::Reminder);
    assert!(
        text.contains(
            "Still waiting for an answer: *Prod* for 30 minutes, asked for by <@U01ALICE>"
        ) && text.contains("\\n<!subteam^S0614TZR7>, <@U03CAROL>"),
        "{text}"
    );
    let text = words(&it, Recipient::Card(asked("U02BOB")), Notice::Reminder);
    assert!(
        text.contains("Still waiting for an answer") && !text.contains("CAROL"),
        "{text}"
    );
}

#[test]
fn the_end_is_announced_with_what_can_be_done_about_it() {
    let it = approved(State::Active);
    let text = words(&it, Recipient::Requester, Notice::Ending);
    for part in [
        "Your access to *Prod* ends at <!date^",
        DATE,
        "\"done\"",
        "\"extend\"",
        "may keep you signed in",
    ] {
        assert!(text.contains(part), "`{part}` is not in {text}");
    }
    let full = Request {
        chain_s: 1800,
        ..it
    };
    let text = words(&full, Recipient::Requester, Notice::Ending);
    assert!(
        text.contains("\"done\"") && !text.contains("\"extend\""),
        "{text}"
    );
}

#[test]
fn a_message_can_offer_another_try() {
    let message = retry(
        "The form came too late.",
        Button::new("ask", "Try again", "prod 1h"),
    );
    assert_message(&message);
    let json = serde_json::to_value(&message).unwrap();
    assert_eq!(json["blocks"][1]["elements"][0]["value"], "prod 1h");
}

fn any_state() -> impl Strategy<Value = (State, Option<Why>)> {
    let states = prop::sample::select(vec![
        State::Pending,
        State::Approved,
        State::Escalating,
        State::Active,
        State::Deescalating,
        State::Ended,
        State::Denied,
        State::Cancelled,
        State::Expired,
        State::Failed,
    ]);
    let why = prop::option::of(prop::sample::select(vec![
        Why::Elapsed,
        Why::Revoked,
        Why::Withdrawn,
        Why::Superseded,
        Why::AlreadyMember,
        Why::HandedOver,
        Why::Failed,
    ]));
    (states, why)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    #[test]
    fn no_request_breaks_a_card_or_a_message(
        (state, why) in any_state(),
        texts in prop::collection::vec(anything(), 1..12),
        duration_s in any::<u64>(),
        approvals in 0..70_usize,
        notify in 0..60_usize,
    ) {
        let text = |at: usize| texts[at % texts.len()].clone();
        let mut it = decided(state, why, "U02BOB", Some(&text(0)));
        it.flow = text(1).chars().take(100).collect();
        it.flow_label = text(2);
        it.label = text(3);
        it.reason = text(4);
        it.cards = vec![
            shown_at(Place::Channel(text(5))), lost_at(Place::Channel(text(6))), shown_at(asked(&text(7))),
            lost_at(asked("U00000009")),
        ];
        it.fallback = vec![Place::Channel(text(8)), asked(&text(9))];
        it.fallback_at = Some(at(30));
        it.extends = (approvals % 2 == 0).then(|| RequestId::new("T1-V0"));
        it.group = Group::new(text(6).chars().take(100).collect::<String>());
        it.duration_s = duration_s;
        it.max_duration_s = u64::MAX;
        it.approvals_needed = u32::MAX;
        it.fields = (0..20).map(|n| (format!("{}{n}", text(n)), text(n + 1))).collect();
        it.notify = (0..notify).map(|n| if n % 2 == 0 { format!("U{n:08}") } else { text(n) }).collect();
        it.approvals = (0..approvals).map(|n| Approval {
            by: person(&format!("U{n:08}")), at: at(1), click: Click::new("1"), note: Some(text(n)),
        }).collect();
        it.handed_over = why.map(|_| HandOver { by: text(2), reason: text(3) });
        let trouble = Trouble { error: text(7), hint: text(8) };
        it.trouble = Some(trouble.clone());
        for place in [Place::Channel(text(5)), asked(&text(7)), Place::Homes, Place::Requester, Place::Approver(SlackUser::new("U00000001"))] {
            let message = card(&it, &place);
            assert_message(&message);
            let json = serde_json::to_value(&message).unwrap();
            for value in button_values(&json) {
                prop_assert!(value == "T1-V1" || Again::read(&value).is_some(), "{value}");
            }
            // Whatever there is to say, what can be done stays.
            let (_, buttons) = seen(&it, &place);
            let waits = state == State::Pending && place.asks();
            prop_assert!(!waits || buttons.starts_with(&["approve".to_owned()]), "{buttons:?}");
        }
        assert_message(&everything(&it));
        assert_message(&retry(crate::text::escaped(&text(0)), Button::new("ask", &text(1), &text(2))));
        for to in [Recipient::Requester, Recipient::Person(SlackUser::new("U1")), Recipient::ErrorChannel,
            Recipient::Card(Place::Channel(text(5))), Recipient::Card(asked("U1"))] {
            for told in [
                Notice::Active, Notice::Denied, Notice::Expired, Notice::Ended, Notice::Failed,
                Notice::AlreadyMember, Notice::Trouble(trouble.clone()), Notice::Reminder, Notice::Ending,
            ] {
                words(&it, to.clone(), told);
            }
        }
        assert_message(&problem(crate::text::escaped(&text(0)), place(&text(1), &text(2)), &text(3), &text(4)));
        assert_message(&told(crate::text::escaped(&text(0))));
    }
}

fn button_values(message: &Value) -> Vec<String> {
    let blocks = message["blocks"].as_array().unwrap();
    let elements = blocks
        .iter()
        .filter_map(|block| block["elements"].as_array())
        .flatten();
    let values = elements.filter_map(|element| element["value"].as_str());
    values.map(str::to_owned).collect()
}
