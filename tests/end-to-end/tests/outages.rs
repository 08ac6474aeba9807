//! One row for each way in which something that Stint needs breaks: what it says to whom meanwhile, and
//! when the access is gone. The rows are the table in `docs/faults.md`.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use end_to_end::{ALICE, BOB, ERRORS, HOUR, REQUESTS, STAGING, Stint, words};
use jiff::Timestamp;
use serde_json::{Value, json};

/// How long Alice gets Staging, in seconds.
const GRANT_S: u64 = 1800;

/// How late a removal may be while nothing keeps it from being made, in seconds.
const LATE_S: u64 = 90;

/// One row. What somebody is told is a part of what they are really told; nothing, if they are told of
/// no error.
struct Row {
    breaks: &'static str,
    when: &'static str,
    requester: &'static str,
    approver: &'static str,
    errors: &'static str,
    gone: &'static str,
}

/// One life of a request, and what everybody was told in it.
struct Life {
    stint: Stint,
    id: String,
    requester: BTreeSet<String>,
    approver: BTreeSet<String>,
    errors: BTreeSet<String>,
}

impl Life {
    /// Alice has asked for Staging.
    async fn asked() -> Self {
        let stint = Stint::start().await;
        let id = stint.ask(ALICE, "Staging", "30 minutes").await.unwrap();
        Self {
            stint,
            id,
            requester: BTreeSet::new(),
            approver: BTreeSet::new(),
            errors: BTreeSet::new(),
        }
    }

    /// Alice has Staging.
    async fn granted() -> Self {
        let life = Self::asked().await;
        life.stint.press(BOB, "approve", &life.id).await;
        life.is("active").await;
        life
    }

    /// Alice has Staging, and it is about to end.
    async fn ending() -> Self {
        let life = Self::granted().await;
        life.stint.advance(GRANT_S - 5).await;
        assert!(life.is_in().await);
        life
    }

    /// Bob approves.
    async fn approve(&mut self) {
        self.stint.press(BOB, "approve", &self.id).await;
        self.listen().await;
    }

    async fn is(&self, standing: &str) {
        assert_eq!(self.stint.standing(&self.id).await, standing);
    }

    async fn is_in(&self) -> bool {
        self.stint.is_member("alice", STAGING).await
    }

    async fn now(&self) -> Timestamp {
        let now = self.stint.state().await["now"].clone();
        now.as_str().unwrap().parse().unwrap()
    }

    async fn ends_at(&self) -> Timestamp {
        let end = self.stint.request(&self.id).await["ends_at"].clone();
        end.as_str().unwrap().parse().unwrap()
    }

    /// Time goes on, and it is listened to what is said.
    async fn pass(&mut self, seconds: u64) {
        let step = if seconds < 600 { 30 } else { 300 };
        let mut left = seconds;
        while left > 0 {
            let now = left.min(step);
            self.stint.advance(now).await;
            self.listen().await;
            left -= now;
        }
    }

    /// Collects what everybody sees: a card is drawn again, and what it said is over.
    async fn listen(&mut self) {
        let state = self.stint.state().await;
        let slack = &state["slack"];
        let seen = |all: &Value| -> Vec<String> {
            let all = all.as_array().into_iter().flatten();
            all.map(words).collect()
        };
        for (user, heard) in [(ALICE, &mut self.requester), (BOB, &mut self.approver)] {
            heard.extend(seen(&slack["dms"][user]["messages"]));
            heard.extend(seen(&slack["ephemerals"][user]));
        }
        self.approver
            .extend(seen(&slack["channels"][REQUESTS]["messages"]));
        self.errors
            .extend(seen(&slack["channels"][ERRORS]["messages"]));
    }

    /// By now the alarm for whoever is still in is raised, whatever people are told.
    async fn is_alarmed(&self) {
        let overdue = self.stint.metric("OverdueSeconds").await;
        assert!(overdue["maximum"].as_f64().unwrap() > 90.0, "{overdue}");
    }

    async fn breaks(&self, fault: Value) {
        let mut fault = fault;
        fault["times"] = json!(0);
        self.stint.fault(fault).await;
    }

    /// Everything works again: the access is gone within `seconds`, and everybody sees it.
    async fn gone_within(&mut self, seconds: u64) {
        let mut waited = 0;
        while self.is_in().await {
            assert!(waited < seconds, "still in after {waited} s");
            self.stint.advance(10).await;
            self.listen().await;
            waited += 10;
        }
        self.pass(600).await;
        let state = self.stint.state().await;
        assert_eq!(state["requests"][0]["due_at"], Value::Null, "{state}");
        assert_eq!(state["memberships"], json!([]));
    }

    async fn pass_to_its_end(&mut self) {
        let left = self.ends_at().await.duration_since(self.now().await);
        self.pass(u64::try_from(left.as_secs()).unwrap()).await;
    }

    /// Its time passes, and it is gone in time.
    async fn ends(&mut self) {
        self.pass_to_its_end().await;
        self.gone_within(LATE_S).await;
        self.is("ended/elapsed").await;
    }

    /// That everybody was told what `row` says.
    fn told(&self, row: &Row) {
        let all = [
            ("the requester", &self.requester, row.requester),
            ("the approver", &self.approver, row.approver),
            ("the error channel", &self.errors, row.errors),
        ];
        let mut wrong = Vec::new();
        for (who, heard, told) in all {
            let is_right = if told.is_empty() {
                !heard.iter().any(is_of_error)
            } else {
                heard.iter().any(|it| it.contains(told))
            };
            if !is_right {
                wrong.push(format!("{who} is told {heard:#?}, not {told:?}"));
            }
        }
        assert!(wrong.is_empty(), "{}: {}", row.breaks, wrong.join("\n"));
    }
}

/// Whether somebody is told that something went wrong.
#[expect(clippy::ptr_arg, reason = "it is asked of collections of them")]
fn is_of_error(told: &String) -> bool {
    told.contains("Sorry, an error") || told.contains("⚠️")
}

/// What Okta sends with a 429: no `Retry-After`. `limit` is 0 where there are too many calls at once.
async fn limited(life: &Life, what: &str, limit: u32) -> Value {
    let now = life.now().await;
    json!({
        "system": "okta", "match": what, "status": 429,
        "headers": {
            "date": now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string(),
            "x-rate-limit-limit": limit.to_string(),
            "x-rate-limit-remaining": "0",
            "x-rate-limit-reset": (now.as_second() + 40).to_string(),
            "x-okta-request-id": "req-limited",
        },
    })
}

fn okta(what: &str, status: u16) -> Value {
    json!({"system": "okta", "match": what, "status": status})
}

/// An error of DynamoDB.
fn dynamo(operation: &str, code: &str) -> Value {
    let body = json!({
        "__type": format!("com.amazonaws.dynamodb.v20120810#{code}"),
        "message": "a fault of the sandbox",
    });
    json!({
        "system": "aws", "match": format!("DynamoDB.{operation}"), "status": 400, "body": body,
    })
}

/// A transaction that did not come about, because of `reason`.
fn cancelled(reason: &str) -> Value {
    let mut fault = dynamo("TransactWriteItems", "TransactionCanceledException");
    fault["body"]["CancellationReasons"] = json!([{"Code": reason, "Message": "a fault"}]);
    fault
}

const ADD: &str = "PUT /api/v1/groups";
const REMOVE: &str = "DELETE /api/v1/groups";

/// Something is broken while Bob approves, for a minute; then it is mended.
async fn while_approving(fault: impl AsyncFn(&Life) -> Value) -> Life {
    let mut life = Life::asked().await;
    let fault = fault(&life).await;
    life.breaks(fault).await;
    life.approve().await;
    life.pass(60).await;
    life.stint.mend().await;
    life.pass(180).await;
    if life.stint.standing(&life.id).await == "pending" {
        let is_told = life.approver.iter().any(is_of_error);
        assert!(is_told, "the click was swallowed: {:#?}", life.approver);
        life.approve().await;
        life.pass(60).await;
    }
    life.is("active").await;
    life.ends().await;
    life
}

/// Something is broken when a grant ends, for five minutes; then it is mended.
async fn while_ending(fault: impl AsyncFn(&Life) -> Value) -> Life {
    let life = Life::ending().await;
    let fault = fault(&life).await;
    life.breaks(fault).await;
    broken_at_the_end(life).await
}

/// The same of something that a function needs once, and has from the last comparison with Okta if it does
/// not break before.
async fn since_the_beginning(fault: Value) -> Life {
    let mut life = Life::granted().await;
    life.breaks(fault).await;
    life.pass(GRANT_S - 5).await;
    broken_at_the_end(life).await
}

async fn broken_at_the_end(mut life: Life) -> Life {
    life.pass(300).await;
    assert!(life.is_in().await);
    life.is_alarmed().await;
    life.stint.mend().await;
    life.gone_within(LATE_S).await;
    life.is("ended/elapsed").await;
    life
}

macro_rules! outages {
    ($($name:ident: $breaks:literal, $when:literal,
        requester $requester:literal, approver $approver:literal, errors $errors:literal,
        gone $gone:literal; $life:expr;)*) => {
        const ROWS: &[Row] = &[$(Row {
            breaks: $breaks, when: $when, requester: $requester, approver: $approver,
            errors: $errors, gone: $gone,
        }),*];

        $(#[tokio::test]
        async fn $name() {
            let life: Life = $life.await;
            let row = ROWS.iter().find(|row| (row.breaks, row.when) == ($breaks, $when));
            life.told(row.unwrap());
        })*
    };
}

outages! {
    okta_limits_adds: "Okta limits calls (429)", "while somebody is added",
        requester "API call exceeded rate limit",
        approver "API call exceeded rate limit",
        errors "",
        gone "within 90 s of its end";
        while_approving(async |life| limited(life, ADD, 50).await);

    okta_limits_adds_at_once: "Okta limits calls at once (429, limit 0)", "while somebody is added",
        requester "API call exceeded rate limit",
        approver "API call exceeded rate limit",
        errors "",
        gone "within 90 s of its end";
        while_approving(async |life| limited(life, ADD, 0).await);

    okta_limits_removals: "Okta limits calls (429)", "at the end",
        requester "It is tried again until it is done.",
        approver "It is tried again until it is done.",
        errors "API call exceeded rate limit",
        gone "within 90 s of the limit's end";
        while_ending(async |life| limited(life, REMOVE, 50).await);

    okta_limits_removals_at_once: "Okta limits calls at once (429, limit 0)", "at the end",
        requester "It is tried again until it is done.",
        approver "It is tried again until it is done.",
        errors "API call exceeded rate limit",
        gone "within 90 s of the limit's end";
        while_ending(async |life| limited(life, REMOVE, 0).await);

    okta_fails_to_add: "Okta answers 500", "while somebody is added",
        requester "Internal Server Error",
        approver "Internal Server Error",
        errors "",
        gone "within 90 s of its end";
        while_approving(async |_| okta(ADD, 500));

    okta_fails_to_remove: "Okta answers 500", "at the end",
        requester "It is tried again until it is done.",
        approver "It is tried again until it is done.",
        errors "no clear answer on the try to remove",
        gone "within 90 s of its next good answer";
        while_ending(async |_| okta(REMOVE, 500));

    okta_only_reads_while_adding: "Okta is read-only (503, E0000010)", "while somebody is added",
        requester "Service is in read only mode",
        approver "Service is in read only mode",
        errors "",
        gone "within 90 s of its end";
        while_approving(async |_| read_only(ADD));

    okta_only_reads_while_removing: "Okta is read-only (503, E0000010)", "at the end",
        requester "It is tried again until it is done.",
        approver "It is tried again until it is done.",
        errors "Service is in read only mode",
        gone "within 90 s of its writing again";
        while_ending(async |_| read_only(REMOVE));

    okta_is_cut_off: "Okta's answer is cut in half", "while Bob approves",
        requester "",
        approver "the answer makes no sense",
        errors "the answer makes no sense",
        gone "within 90 s of its end";
        while_approving(async |_| {
            let mut fault = okta("GET /api/v1/users/00u2bob/groups", 200);
            fault["body"] = json!("[{\"id\":\"00g1appr");
            fault
        });

    okta_is_cut_off_at_the_end: "Okta's answer is cut in half", "at the end",
        requester "It is tried again until it is done.",
        approver "It is tried again until it is done.",
        errors "the call broke off",
        gone "at its end: only the answers were lost";
        async {
            let mut life = Life::ending().await;
            life.breaks(json!({"system": "okta", "match": REMOVE, "drop": "after"})).await;
            let mut half = okta("GET /api/v1/users/00u1alice/groups", 200);
            half["body"] = json!("[{\"id\":\"00g1eve");
            life.breaks(half).await;
            life.pass(300).await;
            // The answers were lost, the removal was not.
            assert!(!life.is_in().await);
            life.is("deescalating/elapsed").await;
            life.stint.mend().await;
            life.gone_within(LATE_S).await;
            life.is("ended/elapsed").await;
            life
        };

    okta_hangs: "Okta does not answer for more than 10 s", "at the end",
        requester "no answer within 10 seconds",
        approver "no answer within 10 seconds",
        errors "no answer within 10 seconds",
        gone "within 90 s of its end";
        async {
            let mut life = Life::ending().await;
            let slow = json!({
                "system": "okta", "match": REMOVE, "latency_ms": 11_000, "times": 1, "drop": "before",
            });
            life.stint.fault(slow).await;
            life.pass(5).await;
            assert!(life.is_in().await);
            life.gone_within(LATE_S).await;
            life
        };

    the_token_dies: "the Okta token is revoked", "during the grant, until a new one is put in",
        requester "It is tried again until it is done.",
        approver "It is tried again until it is done.",
        errors "put a valid Okta API token into the Okta secret",
        gone "within 90 s of the new one";
        async {
            let mut life = Life::granted().await;
            life.stint.post("secret", json!({"okta_api_token": "00revoked"})).await;
            life.pass(GRANT_S + 1200).await;
            assert!(life.is_in().await);
            life.stint.post("secret", json!({"okta_api_token": "00sandbox-okta-token"})).await;
            life.gone_within(LATE_S).await;
            life.is("ended/elapsed").await;
            life
        };

    the_group_is_deleted: "the group is deleted in Okta", "during the grant",
        requester "was taken out of the Okta group",
        approver "was taken out of the Okta group",
        errors "is gone: nobody is in it",
        gone "with the group";
        async {
            let mut life = Life::granted().await;
            life.stint.post("okta", json!({"group": STAGING, "deleted": true})).await;
            life.pass(GRANT_S + LATE_S + 600).await;
            life.is("ended/elapsed").await;
            let state = life.stint.state().await;
            assert_eq!(state["memberships"], json!([]));
            life
        };

    the_user_is_deactivated: "the user is deactivated in Okta", "during the grant",
        requester "Your access to *Staging* has ended",
        approver "Expired at",
        errors "",
        gone "within 90 s of its end, or when Okta does it";
        async {
            let mut life = Life::granted().await;
            let gone = json!({"user": "00u1alice", "status": "DEPROVISIONED"});
            life.stint.post("okta", gone).await;
            life.ends().await;
            life
        };

    the_user_is_deleted: "the user is deleted in Okta", "during the grant",
        requester "was taken out of the Okta group",
        approver "was taken out of the Okta group",
        errors "was taken out of the Okta group",
        gone "with the user";
        async {
            let mut life = Life::granted().await;
            life.stint.post("okta", json!({"user": "00u1alice", "deleted": true})).await;
            life.ends().await;
            life
        };

    the_group_becomes_rule_managed: "the group becomes rule-managed in Okta", "during the grant",
        requester "Your access to *Staging* has ended",
        approver "Expired at",
        errors "gets its members from the group rule",
        gone "within 90 s of its end";
        async {
            let mut life = Life::granted().await;
            let rule = json!({"group": STAGING, "rules": ["0pr1everybody"]});
            life.stint.post("okta", rule).await;
            life.ends().await;
            life
        };

    okta_is_down_for_hours: "Okta is down for six hours", "at the end",
        requester "It is tried again until it is done.",
        approver "It is tried again until it is done.",
        errors "no clear answer on the try to remove",
        gone "within 90 s of its return";
        async {
            let mut life = Life::ending().await;
            for what in ["GET /", "PUT /", "DELETE /", "POST /"] {
                life.breaks(okta(what, 503)).await;
            }
            life.pass(5 + 300).await;
            // Within five minutes people know, and the alarm is raised.
            assert!(!life.errors.is_empty(), "the error channel");
            life.is_alarmed().await;
            life.pass(6 * HOUR - 300).await;
            assert!(life.is_in().await);
            life.stint.mend().await;
            life.gone_within(LATE_S).await;
            life.is("ended/elapsed").await;
            let late = life.stint.metric("LatenessSeconds").await;
            assert!(late["value"].as_f64().unwrap() > 21_600.0, "{late}");
            life
        };

    slack_is_down: "Slack is down for an hour", "at the end",
        requester "Your access to *Staging* has ended",
        approver "Expired at",
        errors "",
        gone "within 90 s of its end; people are told once Slack is back";
        async {
            let mut life = Life::ending().await;
            for method in ["chat.postMessage", "chat.update", "chat.postEphemeral", "users.info"] {
                life.breaks(json!({"system": "slack", "match": method, "status": 503})).await;
            }
            life.stint.advance(5 + LATE_S).await;
            assert!(!life.is_in().await);
            life.pass(HOUR).await;
            life.stint.mend().await;
            life.gone_within(LATE_S).await;
            life
        };

    the_channel_is_archived: "the request channel is archived", "during the grant",
        requester "Your access to *Staging* has ended",
        approver "Expired at",
        errors "",
        gone "within 90 s of its end";
        async {
            let mut life = Life::granted().await;
            admin(&life, json!({"channel": REQUESTS, "archived": true})).await;
            life.ends().await;
            life
        };

    the_channel_is_archived_before: "the request channel is archived", "before somebody asks",
        requester "Nobody could be reached yet: #sym-requests",
        approver "",
        errors "the request cannot be posted to #sym-requests",
        gone "nobody was let in";
        async {
            let mut life = Life::asked().await;
            admin(&life, json!({"channel": REQUESTS, "archived": true})).await;
            life.id = life.stint.ask(ALICE, "Prod", "30 minutes").await.unwrap();
            life.pass(300).await;
            life.is("pending").await;
            life
        };

    the_bot_is_thrown_out: "the bot is thrown out of the request channel", "during the grant",
        requester "Your access to *Staging* has ended",
        approver "Expired at",
        errors "",
        gone "within 90 s of its end";
        async {
            let mut life = Life::granted().await;
            admin(&life, json!({"channel": REQUESTS, "bot_in": false})).await;
            life.ends().await;
            life
        };

    dynamo_is_throttled: "DynamoDB throttles (ProvisionedThroughputExceeded)", "while Bob approves",
        requester "You have *Staging* until",
        approver "Approved by",
        errors "",
        gone "within 90 s of its end; the click takes effect when it is tried again";
        while_approving(async |_| {
            dynamo("TransactWriteItems", "ProvisionedThroughputExceededException")
        });

    dynamo_throttles_at_the_end: "DynamoDB throttles (ThrottlingException)", "at the end",
        requester "Your access to *Staging* has ended",
        approver "Expired at",
        errors "",
        gone "within 90 s of the throttling's; meanwhile `OverdueAlarm` rings, as Stint can write down nothing";
        while_ending(async |_| dynamo("GetItem", "ThrottlingException"));

    dynamo_index_is_throttled: "DynamoDB throttles the index of what is due (ThrottlingException)", "from the grant until after its end",
        requester "Your access to *Staging* has ended",
        approver "Expired at",
        errors "",
        gone "within 90 s of its end, by its schedule; meanwhile `OverdueAlarm` rings, as no sweep can tell";
        async {
            let mut life = Life::granted().await;
            life.breaks(dynamo("Query", "ThrottlingException")).await;
            life.pass_to_its_end().await;
            let overdue = life.stint.metric("OverdueSeconds").await;
            let last: Timestamp = overdue["at"].as_str().unwrap().parse().unwrap();
            let silent = life.now().await.duration_since(last);
            assert!(silent.as_secs() > 180, "{overdue}");
            life.stint.advance(LATE_S).await;
            assert!(!life.is_in().await);
            life.stint.mend().await;
            life.gone_within(0).await;
            life.is("ended/elapsed").await;
            life
        };

    transactions_conflict: "DynamoDB's transactions conflict (TransactionConflict)", "while Bob approves",
        requester "You have *Staging* until",
        approver "Approved by",
        errors "",
        gone "within 90 s of its end; the click takes effect when it is tried again";
        while_approving(async |_| cancelled("TransactionConflict"));

    transactions_are_throttled: "DynamoDB's transactions are throttled (ThrottlingError)", "at the end",
        requester "Your access to *Staging* has ended",
        approver "Expired at",
        errors "",
        gone "within 90 s of the throttling's; meanwhile `OverdueAlarm` rings, as Stint can write down nothing";
        while_ending(async |_| cancelled("ThrottlingError"));

    no_schedule_is_made: "the schedule of the end cannot be made", "while somebody is added",
        requester "You have *Staging* until",
        approver "Approved by",
        errors "",
        gone "within 90 s of its end, by the sweep";
        async {
            let mut life = Life::asked().await;
            let fault = json!({"system": "aws", "match": "Scheduler.CreateSchedule", "status": 500});
            life.breaks(fault).await;
            life.approve().await;
            life.is("active").await;
            assert_eq!(life.stint.state().await["schedules"], json!([]));
            life.ends().await;
            life
        };

    no_secret_is_read: "Secrets Manager fails", "from the grant until after its end",
        requester "It is tried again until it is done.",
        approver "It is tried again until it is done.",
        errors "Secrets Manager failed",
        gone "within 90 s of its working again";
        since_the_beginning(
            json!({"system": "aws", "match": "SecretsManager.GetSecretValue", "status": 500})
        );

    no_role_is_assumed: "STS refuses the connector's role", "while Bob approves",
        requester "the runtime connector cannot be assumed",
        approver "the runtime connector cannot be assumed",
        errors "the runtime connector cannot be assumed",
        gone "within 90 s of its end";
        while_approving(async |_| refused_role());

    no_role_is_assumed_at_the_end: "STS refuses the connector's role", "from the grant until after its end",
        requester "It is tried again until it is done.",
        approver "It is tried again until it is done.",
        errors "the runtime connector cannot be assumed",
        gone "within 90 s of its working again";
        since_the_beginning(refused_role());
}

/// What Okta says in read-only mode.
fn read_only(what: &str) -> Value {
    let mut fault = okta(what, 503);
    fault["body"] = json!({
        "errorCode": "E0000010", "errorSummary": "Service is in read only mode",
        "errorLink": "E0000010", "errorId": "oae1", "errorCauses": [],
    });
    fault
}

/// What STS says to a role that may not be assumed.
fn refused_role() -> Value {
    let body = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>\
        <Message>User is not authorized to perform: sts:AssumeRole</Message></Error></ErrorResponse>";
    json!({"system": "aws", "match": "STS.AssumeRole", "status": 403, "body": body})
}

async fn admin(life: &Life, change: Value) {
    life.stint
        .post("slack", json!({ "channel_admin": change }))
        .await;
}

/// The table of the page, as the rows make it.
fn table() -> String {
    let mut table = String::from(
        "| what breaks | when | the requester is told | the approver is told \
         | the error channel is told | the access is gone |\n|---|---|---|---|---|---|\n",
    );
    let told = |text: &str| match text {
        "" => "nothing".to_owned(),
        text => format!("“{}”", text.replace('\n', " ").replace('*', "\\*")),
    };
    for row in ROWS {
        let told = [row.requester, row.approver, row.errors].map(told);
        let cells = [&[row.breaks.to_owned(), row.when.to_owned()], &told[..]].concat();
        writeln!(table, "| {} | {} |", cells.join(" | "), row.gone).unwrap();
    }
    table
}

#[test]
fn the_page_says_what_happens() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/faults.md");
    let page = std::fs::read_to_string(path).unwrap();
    let rows = page.lines().filter(|line| line.starts_with('|'));
    let rows = rows.collect::<Vec<_>>().join("\n") + "\n";
    let table = table();
    assert_eq!(
        rows, table,
        "the table in docs/faults.md is not what the tests hold: replace it by\n{table}"
    );
}
