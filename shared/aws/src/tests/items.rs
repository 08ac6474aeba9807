//! What is in the table.

use std::collections::{BTreeMap, BTreeSet};

use access::audit::{Actor, Entry, Step};
use access::{
    Approval, Asked, Call, CallKind, Card, Click, Decision, Group, HandOver, Loaded, Membership,
    MembershipChange, MembershipKey, Notice, OktaUser, Org, Owed, Person, Place, Posted, Recipient,
    Request, RequestId, SlackUser, Stamp, State, Transition, Trouble, Viewer, Why,
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Fake, file};
use crate::{Binding, Closed, Error, Table};

const PENDING_REQUEST: &str = include_str!("v1/items/request_pending.json");
const ACTIVE_REQUEST: &str = include_str!("v1/items/request_active.json");
const FULL_REQUEST: &str = include_str!("v1/items/request_full.json");
const FINAL_REQUEST: &str = include_str!("v1/items/request_final.json");
const HANDED_OVER_REQUEST: &str = include_str!("v1/items/request_handed_over.json");
/// Written before there were fields with labels, reminders and fallbacks.
const EARLY_REQUEST: &str = include_str!("v1/items/request_early.json");
const HELD: &str = include_str!("v1/items/membership_held.json");
const FULL_MEMBERSHIP: &str = include_str!("v1/items/membership_full.json");
/// Written before it was noted since when somebody should be out.
const EARLY_MEMBERSHIP: &str = include_str!("v1/items/membership_early.json");
const BINDING: &str = include_str!("v1/items/binding.json");
const AUDIT_OF_PERSON: &str = include_str!("v1/items/audit_of_person.json");
const AUDIT_OF_FUNCTION: &str = include_str!("v1/items/audit_of_function.json");
const HOME: &str = include_str!("v1/items/home.json");
const FULL_HOME: &str = include_str!("v1/items/home_full.json");
const TOLD: &str = include_str!("v1/items/told.json");
const PENDING: &str = include_str!("v1/items/pending.json");
const CLOSING: &str = include_str!("v1/items/closing.json");

fn at(time: &str) -> Timestamp {
    format!("2026-11-24T{time}Z").parse().unwrap()
}

fn id() -> RequestId {
    RequestId::new("T0123ABCD-V0456EFGH")
}

fn alice() -> SlackUser {
    SlackUser::new("U0123ALICE")
}

fn person(slack: &str, okta: &str, email: &str) -> Person {
    Person {
        slack: SlackUser::new(slack),
        okta: Some(OktaUser::new(okta)),
        email: Some(email.to_owned()),
    }
}

fn bob() -> Person {
    person("U0123BOB", "00u2bob", "bob@myco.example")
}

/// A request that waits, with nothing that it need not have.
fn pending() -> Request {
    Request {
        id: id(),
        version: 1,
        flow: "okta".to_owned(),
        flow_label: "Okta Access".to_owned(),
        label: "Prod".to_owned(),
        org: Org::new("myco.okta.com"),
        group: Group::new("00g2prodadmins"),
        max_duration_s: 3600,
        error_channel: "#sym-errors".to_owned(),
        notify: Vec::new(),
        requester: Person {
            slack: alice(),
            okta: None,
            email: None,
        },
        duration_s: 1800,
        reason: "fixing INC-42".to_owned(),
        fields: BTreeMap::new(),
        questions: BTreeMap::new(),
        state: State::Pending,
        why: None,
        trouble: None,
        approvals: Vec::new(),
        undone: Vec::new(),
        approvals_needed: 1,
        decision: None,
        handed_over: None,
        requested_at: at("12:00:00"),
        expires_at: at("13:00:00.123456789"),
        approved_at: None,
        starts_at: None,
        ends_at: None,
        over_at: None,
        closed_at: None,
        attempts: 0,
        uncertain: 0,
        extends: None,
        chain_s: 0,
        face: 1,
        cards: vec![Card {
            place: Place::Requester,
            posted: None,
            shows: 0,
        }],
        fallback: Vec::new(),
        fallback_after_s: 0,
        fallback_at: None,
        remind_at: None,
        remind_after_s: 0,
        reminders: 0,
        owed: Vec::new(),
        drive_at: Some(at("13:00:00.123456789")),
        surfaces_at: None,
        surfaces_tries: 0,
    }
}

/// The same once it is active, shown, and owes nothing.
fn active() -> Request {
    Request {
        version: 6,
        state: State::Active,
        requester: person("U0123ALICE", "00u1alice", "alice@myco.example"),
        approvals: vec![Approval {
            by: bob(),
            at: at("12:01:00"),
            click: Click::new("click-1"),
            note: None,
        }],
        approved_at: Some(at("12:01:00")),
        starts_at: Some(at("12:01:02")),
        ends_at: Some(at("12:31:02")),
        attempts: 1,
        drive_at: Some(at("12:31:02")),
        remind_at: Some(at("12:21:02")),
        ..pending()
    }
}

/// One with everything that there is.
fn full() -> Request {
    let posted = |channel: &str, ts: &str| {
        Some(Posted {
            channel: channel.to_owned(),
            ts: ts.to_owned(),
        })
    };
    let card = |place, posted, shows| Card {
        place,
        posted,
        shows,
    };
    let owed = |to, notice| Owed { to, notice };
    let carol = SlackUser::new("U0123CAROL");
    let trouble = Trouble {
        error: "Okta answered 503".to_owned(),
        hint: "nothing to do: it is tried again".to_owned(),
    };
    let mut full = active();
    full.version = 12;
    full.notify = vec!["S0123ONCALL".to_owned()];
    full.fields = BTreeMap::from([("ticket".to_owned(), "INC-42".to_owned())]);
    full.questions = BTreeMap::from([(
        "ticket".to_owned(),
        Asked {
            label: "Ticket".to_owned(),
            is_person: false,
        },
    )]);
    full.state = State::Deescalating;
    full.why = Some(Why::Revoked);
    full.trouble = Some(trouble.clone());
    full.approvals[0].note = Some("until it is fixed".to_owned());
    full.undone = vec![Click::new("click-0")];
    full.approvals_needed = 2;
    full.decision = Some(Decision {
        by: bob(),
        at: at("12:10:00"),
        click: Click::new("click-2"),
        note: Some("it is fixed".to_owned()),
    });
    full.over_at = Some(at("12:10:00"));
    full.closed_at = Some(at("12:10:05"));
    full.attempts = 2;
    full.uncertain = 1;
    full.extends = Some(RequestId::new("T0123ABCD-V0123OLD"));
    full.chain_s = 1800;
    full.face = 7;
    full.cards = vec![
        card(
            Place::Channel("#sym-requests".to_owned()),
            posted("C01", "1.1"),
            7,
        ),
        card(Place::Asked(carol.clone()), posted("D03", "1.2"), 6),
        card(Place::Requester, posted("D01", "1.3"), 7),
        card(Place::Approver(bob().slack), posted("D02", "1.4"), 5),
        card(Place::Homes, None, 7),
    ];
    full.fallback = vec![
        Place::Channel("#sym-fallback".to_owned()),
        Place::Asked(carol.clone()),
    ];
    full.fallback_after_s = 1200;
    full.fallback_at = Some(at("12:20:00"));
    full.remind_after_s = 600;
    full.reminders = 2;
    full.owed = vec![
        owed(Recipient::Requester, Notice::Active),
        owed(Recipient::Person(carol), Notice::Denied),
        owed(Recipient::ErrorChannel, Notice::Trouble(trouble)),
        owed(Recipient::Card(Place::Requester), Notice::Reminder),
        owed(Recipient::Requester, Notice::Ending),
        owed(Recipient::Requester, Notice::Expired),
        owed(Recipient::Requester, Notice::Ended),
        owed(Recipient::Requester, Notice::Failed),
        owed(Recipient::Requester, Notice::AlreadyMember),
    ];
    full.drive_at = Some(at("12:10:30"));
    full.surfaces_at = Some(at("12:10:10"));
    full.surfaces_tries = 3;
    full
}

/// One that is over, and is forgotten one day.
fn over() -> Request {
    Request {
        version: 9,
        state: State::Ended,
        why: Some(Why::Elapsed),
        over_at: Some(at("12:31:02")),
        closed_at: Some(at("12:31:03")),
        drive_at: None,
        remind_at: None,
        ..active()
    }
}

/// One whose membership was handed over.
fn handed_over() -> Request {
    Request {
        why: Some(Why::HandedOver),
        handed_over: Some(HandOver {
            by: "jane@example.com".to_owned(),
            reason: "she is on the team now".to_owned(),
        }),
        ..over()
    }
}

fn key() -> MembershipKey {
    MembershipKey {
        org: Org::new("myco.okta.com"),
        user: OktaUser::new("00u1alice"),
        group: Group::new("00g2prodadmins"),
    }
}

fn entry(actor: Actor) -> Entry {
    Entry {
        id: "T0123ABCD-V0456EFGH.000003".to_owned(),
        at: at("12:01:00"),
        request: id(),
        step: Step::Approve,
        from: Some(State::Pending),
        to: State::Approved,
        actor,
        policy: vec!["approvers-decide".to_owned()],
        flow: "okta".to_owned(),
        target: "Prod".to_owned(),
        duration_s: 1800,
        reason: Some("until it is fixed".to_owned()),
        why: None,
        error: None,
        okta_request_id: None,
    }
}

fn home() -> Viewer {
    Viewer {
        user: alice(),
        version: 3,
        opened_at: at("12:00:00"),
        groups: Vec::new(),
        groups_at: at("12:00:01"),
        decides: false,
        more: None,
        face: 2,
        shows: 2,
        due_at: None,
    }
}

fn full_home() -> Viewer {
    Viewer {
        groups: vec![Group::new("00g1approvers")],
        decides: true,
        more: Some("waiting:20".to_owned()),
        face: 4,
        due_at: Some(at("12:05:00")),
        ..home()
    }
}

async fn table(aws: &Fake) -> Table {
    Table::new(&aws.config().await)
}

/// The item that is written of what `step` says, whose name begins with `sk`.
async fn committed(step: Transition, sk: &str) -> Value {
    let aws = Fake::default();
    let (table, nothing) = (table(&aws).await, Loaded::default());
    let committed = table.commit(&nothing, &step, at("12:00:00")).await;
    committed.unwrap();
    aws.written(sk).pop().unwrap()
}

async fn written_request(request: Request) -> Value {
    let step = Transition {
        request: Some(request),
        ..Transition::default()
    };
    committed(step, "request").await
}

async fn read_request(item: &str) -> Request {
    let table = table(&Fake::with(&file(item))).await;
    table.request(&id()).await.unwrap().unwrap()
}

async fn read_membership(item: &str) -> Membership {
    let table = table(&Fake::with(&file(item))).await;
    table.membership(&key()).await.unwrap().unwrap()
}

/// Where `item` has what: each path through it, with what is at its end.
fn paths(item: &Value, path: &str, out: &mut BTreeSet<String>) {
    match item {
        Value::Object(fields) => {
            for (name, value) in fields {
                paths(value, &format!("{path}.{name}"), out);
            }
        }
        Value::Array(all) => all.iter().for_each(|it| paths(it, path, out)),
        _ => {
            out.insert(path.to_owned());
        }
    }
}

/// Whether `item` has everything that `of` has, and the same.
fn covers(item: &Value, of: &Value) -> bool {
    match (item, of) {
        (Value::Object(item), Value::Object(of)) => of
            .iter()
            .all(|(name, it)| item.get(name).is_some_and(|item| covers(item, it))),
        (Value::Array(item), Value::Array(of)) => {
            item.len() == of.len() && item.iter().zip(of).all(|(item, of)| covers(item, of))
        }
        (item, of) => item == of,
    }
}

/// That `written` is still in the shape of the file `kept`, and has nothing that no file of `all` has.
fn is_as_kept(written: &Value, kept: &str, all: &[&str]) {
    assert!(
        covers(written, &file(kept)),
        "the shape of an item has changed, which takes another version: now it is\n{written:#}\n\
         and it was\n{kept}"
    );
    let (mut known, mut now) = (BTreeSet::new(), BTreeSet::new());
    for kept in all {
        paths(&file(kept), "", &mut known);
    }
    paths(written, "", &mut now);
    let new: Vec<&String> = now.difference(&known).collect();
    assert!(
        new.is_empty(),
        "no file has {new:?}: leave the files as they are and add one, as the item is now:\n{written:#}"
    );
}

#[tokio::test]
async fn every_request_is_read_and_written_as_it_was() {
    let all = [
        PENDING_REQUEST,
        ACTIVE_REQUEST,
        FULL_REQUEST,
        FINAL_REQUEST,
        HANDED_OVER_REQUEST,
    ];
    let requests = [pending(), active(), full(), over(), handed_over()];
    for (kept, request) in all.iter().zip(requests) {
        is_as_kept(&written_request(request.clone()).await, kept, &all);
        assert_eq!(read_request(kept).await, request);
    }
}

#[tokio::test]
async fn a_request_without_what_came_later_is_read() {
    let mut early = full();
    early.questions = BTreeMap::new();
    (early.fallback, early.fallback_after_s) = (Vec::new(), 0);
    (early.fallback_at, early.remind_at) = (None, None);
    (early.remind_after_s, early.reminders) = (0, 0);
    assert_eq!(read_request(EARLY_REQUEST).await, early);
}

#[tokio::test]
async fn every_ledger_item_is_read_and_written_as_it_was() {
    let all = [HELD, FULL_MEMBERSHIP];
    for kept in all {
        let item = read_membership(kept).await;
        let step = Transition {
            membership: MembershipChange::Put(item),
            ..Transition::default()
        };
        is_as_kept(&committed(step, "membership").await, kept, &all);
    }
    // What follows says what is in the files; fields that came later are none of its business.
    let Membership {
        key: its_key,
        version,
        holders,
        ours,
        agreed,
        calls,
        over_at,
        removed_at,
        due_at,
        tries,
        ..
    } = read_membership(FULL_MEMBERSHIP).await;
    let call = |id: &str, kind, time, clean| Call {
        id: Stamp::new(id),
        kind,
        at: at(time),
        clean,
    };
    let under_way = [
        call("stamp-2", CallKind::Add, "12:10:00", true),
        call("stamp-3", CallKind::Remove, "12:10:02", false),
    ];
    assert_eq!((its_key, version), (key(), Stamp::new("stamp-3")));
    assert_eq!(holders, BTreeSet::new());
    assert_eq!((ours, agreed, tries), (true, false, 3));
    assert_eq!(calls, under_way);
    assert_eq!(over_at, Some(at("12:10:00")));
    assert_eq!(removed_at, Some(at("12:09:00")));
    assert_eq!(due_at, Some(at("12:11:02")));

    let held = read_membership(HELD).await;
    assert_eq!(held.holders, BTreeSet::from([id()]));
    assert!(held.ours && held.agreed && held.calls.is_empty());
    assert_eq!(
        (held.over_at, held.removed_at, held.due_at),
        (None, None, None)
    );

    let early = read_membership(EARLY_MEMBERSHIP).await;
    assert_eq!((early.over_at, early.tries), (None, 3));
}

#[tokio::test]
async fn a_binding_is_read_and_written_as_it_was() {
    let binding = Binding {
        slack: alice(),
        okta: OktaUser::new("00u1alice"),
        email: "alice@myco.example".to_owned(),
        at: at("12:00:00"),
    };
    let aws = Fake::with(&file(BINDING));
    let table = table(&aws).await;
    table.bind(&binding).await.unwrap();
    is_as_kept(&aws.written("binding").pop().unwrap(), BINDING, &[BINDING]);
    assert_eq!(table.binding(&alice()).await.unwrap(), Some(binding));
}

#[tokio::test]
async fn every_audit_entry_is_written_as_it_was() {
    let all = [AUDIT_OF_PERSON, AUDIT_OF_FUNCTION];
    let by_function = Entry {
        from: None,
        why: Some(Why::Elapsed),
        error: Some("Okta answered 503".to_owned()),
        okta_request_id: Some("req-1".to_owned()),
        ..entry(Actor::function("deescalation"))
    };
    for (kept, entry) in all.iter().zip([entry(Actor::from(&bob())), by_function]) {
        let step = Transition {
            audit: vec![entry.clone()],
            ..Transition::default()
        };
        is_as_kept(&committed(step, "audit#").await, kept, &all);
        // Nobody reads one but the local run, and whoever looks at the table.
        let table = table(&Fake::with(&file(kept))).await;
        assert_eq!(table.everything().await.unwrap().audit, [entry]);
    }
}

#[tokio::test]
async fn who_looks_at_their_home_is_read_and_written_as_it_was() {
    let all = [HOME, FULL_HOME];
    for (kept, viewer) in all.iter().zip([home(), full_home()]) {
        let aws = Fake::with(&file(kept));
        let table = table(&aws).await;
        table.put_viewer(&viewer, None).await.unwrap();
        is_as_kept(&aws.written("home").pop().unwrap(), kept, &all);
        assert_eq!(table.viewer(&alice()).await.unwrap(), Some(viewer));
    }
}

#[tokio::test]
async fn what_was_told_is_read_and_written_as_it_was() {
    let aws = Fake::with(&file(TOLD));
    let table = table(&aws).await;
    let (cause, now) = ("other: mend it", at("12:00:00"));
    table.note_told("#sym-errors", cause, now).await.unwrap();
    is_as_kept(&aws.written("told#").pop().unwrap(), TOLD, &[TOLD]);
    for (since, told) in [("11:59:59", true), ("12:00:00", false)] {
        let known = table.was_told("#sym-errors", cause, at(since)).await;
        assert_eq!(known.unwrap(), told);
    }
}

#[tokio::test]
async fn who_waits_for_a_group_is_read_and_written_as_it_was() {
    let step = Transition {
        request: Some(pending()),
        ..Transition::default()
    };
    is_as_kept(&committed(step, "pending#").await, PENDING, &[PENDING]);
    let table = table(&Fake::with(&file(PENDING))).await;
    let found = table.pending(&alice(), &Group::new("00g2prodadmins")).await;
    assert_eq!(found.unwrap(), Some(id()));
}

#[tokio::test]
async fn that_the_stack_is_being_deleted_is_written_as_it_was() {
    let aws = Fake::default();
    let until = Closed::ForAnHour(at("12:00:00"));
    let closed = table(&aws).await;
    closed.close(&Stamp::new("stamp-1"), until).await.unwrap();
    let written = aws.written("closing#");
    assert_eq!(written.len(), 8, "one for each shard");
    is_as_kept(&written[0], CLOSING, &[CLOSING]);
}

#[tokio::test]
async fn an_item_of_another_version_is_refused_with_its_name_and_its_version() {
    let others = [
        (json!({"N": "2"}), "2"),
        (json!({"S": "1"}), "none"),
        (Value::Null, "none"),
    ];
    for (v, found) in others {
        for kept in [FULL_REQUEST, FULL_MEMBERSHIP, BINDING, TOLD, PENDING] {
            let mut item = file(kept);
            if v.is_null() {
                item.as_object_mut().unwrap().remove("v");
            } else {
                item["v"] = v.clone();
            }
            let table = table(&Fake::with(&item)).await;
            let sk = item["sk"]["S"].as_str().unwrap();
            let refused = match sk.split('#').next().unwrap() {
                "request" => table.request(&id()).await.map(|_| ()),
                "membership" => table.membership(&key()).await.map(|_| ()),
                "binding" => table.binding(&alice()).await.map(|_| ()),
                "told" => table.was_told("x", "y", at("12:00:00")).await.map(|_| ()),
                _ => table.pending(&alice(), &key().group).await.map(|_| ()),
            };
            let error = refused.unwrap_err();
            assert!(matches!(error, Error::UnknownVersion { .. }), "{error}");
            let said = format!(
                "item `{}/{sk}` has schema version {found}, and this code knows only version 1: \
                 deploy the version that wrote it",
                item["pk"]["S"].as_str().unwrap()
            );
            assert_eq!(error.to_string(), said);
        }
    }
}

#[tokio::test]
async fn a_home_of_another_version_is_drawn_anew() {
    let mut item = file(FULL_HOME);
    item["v"] = json!({"N": "2"});
    let table = table(&Fake::with(&item)).await;
    assert_eq!(table.viewer(&alice()).await.unwrap(), None);
}
