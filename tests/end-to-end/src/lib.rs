//! Conversations with the whole system, through the JSON surface of the local run.
//!
//! A test says what people do and looks at what they see; nothing here reaches into the functions.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "a test ends where something is not as it should be"
)]

mod administrator;
mod shown;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use local::{Gate, Options, Running};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use sha2::Sha256;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

pub use administrator::CloudFormation;
pub use shown::Copy;

/// Asks, in every test.
pub const ALICE: &str = "U01ALICE";
/// Approves.
pub const BOB: &str = "U02BOB";
/// Approves too.
pub const CAROL: &str = "U03CAROL";
/// Is in the group of Prod without Stint.
pub const DAVE: &str = "U04DAVE";
/// The channel in which requests are posted.
pub const REQUESTS: &str = "C01REQUESTS";
/// The channel in which failures are told.
pub const ERRORS: &str = "C02ERRORS";
/// The group of Prod.
pub const PROD: &str = "00g2prodadmins";
/// The group of Staging.
pub const STAGING: &str = "00g3stagingadmins";

/// The buttons of a card that waits for a decision.
pub const DECIDING: [&str; 3] = ["approve", "approve_note", "deny"];

/// One hour, in seconds.
pub const HOUR: u64 = 3600;

/// The whole system with a folder of its own, whose time stands still. When it is dropped, what people
/// were shown is kept in `target/surfaces`, for other checks to look at.
pub struct Stint {
    client: Client,
    url: String,
    #[expect(
        dead_code,
        reason = "it keeps what was shown when it is dropped, before the folder is"
    )]
    shown: Option<Shown>,
    folder: TempDir,
    runs: Runs,
}

/// The file with what people were shown.
struct Shown(PathBuf);

impl Shown {
    fn within(folder: &TempDir) -> Self {
        Self(folder.path().join("slack.shown.jsonl"))
    }
}

/// How it runs.
enum Runs {
    /// In this process.
    Here(Option<Running>),
    /// As the program that people start, which can be killed.
    AsProgram(Child),
}

impl Stint {
    /// Starts it in this process.
    pub async fn start() -> Self {
        Self::start_with(None, None).await
    }

    /// Starts it in this process with a copy of everything in the folder `from`, and behind `gate`; what
    /// people are shown behind one is not kept.
    pub async fn start_with(from: Option<&Path>, gate: Option<Arc<dyn Gate>>) -> Self {
        let folder = TempDir::new().expect("a folder");
        if let Some(from) = from {
            copy(from, folder.path()).expect("it can be copied");
        }
        let options = Options {
            port: 0,
            data: folder.path().to_owned(),
            gate: gate.clone(),
        };
        let running = local::start(options).await.expect("it starts");
        let stint = Self {
            client: client(),
            url: running.url(),
            shown: gate.is_none().then(|| Shown::within(&folder)),
            folder,
            runs: Runs::Here(Some(running)),
        };
        stint.post("clock", json!({"freeze": true})).await;
        stint
    }

    /// Starts the program `local`, so that it can be killed.
    pub async fn start_program() -> Self {
        let folder = TempDir::new().expect("a folder");
        let (child, url) = program(folder.path()).await;
        let stint = Self {
            client: client(),
            url,
            shown: Some(Shown::within(&folder)),
            folder,
            runs: Runs::AsProgram(child),
        };
        stint.post("clock", json!({"freeze": true})).await;
        stint
    }

    /// Ends it; the folder with everything that it was.
    pub async fn into_folder(self) -> TempDir {
        if let Runs::Here(Some(running)) = self.runs {
            running.stop().await;
        }
        self.folder
    }

    /// Kills the program with SIGKILL.
    pub async fn kill(&mut self) {
        let Runs::AsProgram(child) = &mut self.runs else {
            panic!("only the program can be killed");
        };
        child.kill().await.expect("it can be killed");
    }

    /// Starts the killed program again, on the same folder.
    pub async fn start_again(&mut self) {
        let (child, url) = program(self.folder.path()).await;
        self.runs = Runs::AsProgram(child);
        self.url = url;
    }

    /// The table of one that runs in this process, for a test that needs more in it than people could do.
    #[must_use]
    pub fn table(&self) -> &aws::Table {
        let Runs::Here(Some(running)) = &self.runs else {
            panic!("it runs elsewhere");
        };
        running.table().expect("it has one")
    }

    /// Ends one that runs in this process, puts `content` into the file `name` of its folder, and
    /// starts it again.
    pub async fn start_again_with(&mut self, name: &str, content: &Value) {
        let Runs::Here(running) = &mut self.runs else {
            panic!("it runs elsewhere");
        };
        running.take().expect("it runs").stop().await;
        let data = self.folder.path().to_owned();
        std::fs::write(data.join(name), content.to_string()).expect("the file can be written");
        let again = local::start(Options {
            port: 0,
            data,
            gate: None,
        })
        .await;
        let again = running.insert(again.expect("it starts"));
        self.url = again.url();
    }

    /// The address, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A file that a team edits: `flows.toml` or `policy.cedar`.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("flows").join(name)
    }

    /// Replaces `old` in the file `name` by `new`.
    pub fn edit(&self, name: &str, old: &str, new: &str) {
        let path = self.file(name);
        let text = std::fs::read_to_string(&path).expect("the file is there");
        assert!(text.contains(old), "`{old}` is not in {name}");
        std::fs::write(path, text.replace(old, new)).expect("the file can be written");
    }

    /// Has every target take the yes of two people.
    pub fn need_two(&self) {
        let timeout = "request_timeout = \"24h\"";
        let two = format!("{timeout}\napprovals_needed = 2");
        self.edit("flows.toml", timeout, &two);
    }

    /// Has whoever asks get it at once, without anybody's yes.
    pub fn need_nobody(&self) {
        let first = "// Anyone in the workspace may ask";
        let rule =
            "@id(\"at-once\")\npermit (principal, action == Action::\"auto_approve\", resource);\n";
        self.edit("policy.cedar", first, &format!("{rule}\n{first}"));
    }

    /// Calls the JSON surface; the status and the answer.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.expect("it answers");
        let status = answer.status().as_u16();
        let body = answer.bytes().await.expect("the whole answer");
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    /// Posts to `/sandbox/…`, which must succeed.
    pub async fn post(&self, what: &str, body: Value) -> Value {
        let path = format!("/sandbox/{what}");
        let (status, answer) = self.call(Method::POST, &path, Some(&body)).await;
        assert_eq!(status, 200, "POST {path} {body}: {answer}");
        answer
    }

    /// Sends bytes as they are, with these headers; the status and the text of the answer.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, String)],
        body: Vec<u8>,
    ) -> (u16, String) {
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let answer = request.body(body).send().await.expect("it answers");
        let status = answer.status().as_u16();
        (status, answer.text().await.expect("the whole answer"))
    }

    /// Posts `body` to the ingress, signed as Slack signs what it sent `age_s` seconds ago.
    pub async fn signed(&self, content_type: &str, body: &[u8], age_s: i64) -> (u16, String) {
        let state = self.state().await;
        let secret = state["slack"]["signing_secret"].as_str().expect("a secret");
        let now: Timestamp = state["now"]
            .as_str()
            .and_then(|it| it.parse().ok())
            .expect("a time");
        let at = (now.as_second() - age_s).to_string();
        let headers = [
            ("content-type", content_type.to_owned()),
            ("x-slack-signature", signature(secret, &at, body)),
            ("x-slack-request-timestamp", at),
        ];
        let path = "/slack/events";
        self.send(Method::POST, path, &headers, body.to_vec()).await
    }

    /// The steps of the request `id`, as the audit has them.
    pub async fn steps(&self, id: &str) -> Vec<String> {
        let state = self.state().await;
        let audit = state["audit"].as_array().expect("the audit").iter();
        let own = audit.filter(|it| it["request"] == id);
        own.map(|it| it["step"].as_str().expect("a step").to_owned())
            .collect()
    }

    /// Everything, once nothing is under way.
    pub async fn state(&self) -> Value {
        let (status, state) = self
            .call(Method::GET, "/sandbox/state?settle=true", None)
            .await;
        assert_eq!(status, 200, "{state}");
        state
    }

    /// What was measured last of the metric `name`, once nothing is under way.
    pub async fn metric(&self, name: &str) -> Value {
        self.state().await["metrics"][name].clone()
    }

    /// `user` does something in Slack, as `POST /sandbox/slack` describes it.
    pub async fn slack(&self, user: &str, mut act: Value) -> Value {
        act["user"] = json!(user);
        self.post("slack", act).await
    }

    /// `user` types `command`; what they see then.
    pub async fn command(&self, user: &str, command: &str) -> Value {
        self.slack(user, json!({ "command": command })).await
    }

    /// `user` fills in the form that they see.
    pub async fn submit(&self, user: &str, values: Value) -> Value {
        let state = self.state().await;
        let views = state["slack"]["views"][user].as_array().cloned();
        let view = views.unwrap_or_default().pop().unwrap_or_default();
        let id = view["id"].as_str().expect("a form is open").to_owned();
        self.slack(user, json!({"submit": {"view_id": id, "values": values}}))
            .await
    }

    /// `user` asks for `target`; the request's id, if one was made.
    pub async fn ask(&self, user: &str, target: &str, duration: &str) -> Option<String> {
        let values =
            json!({"target": target, "duration": duration, "reason": "fixing INC-42: it is down"});
        self.ask_with(user, values).await
    }

    /// `user` asks for what `values` say; the request's id, if one was made.
    pub async fn ask_with(&self, user: &str, values: Value) -> Option<String> {
        self.command(user, "/access").await;
        self.send_form(user, values).await
    }

    /// `user` fills in the form that they see and sends it; the id of the request, if one was made.
    pub async fn send_form(&self, user: &str, values: Value) -> Option<String> {
        let before = self.requests().await;
        let seen = self.submit(user, values).await;
        assert_eq!(seen["errors"], json!({}), "{seen}");
        let after = self.requests().await;
        let new = after.into_iter().find(|it| !before.contains_key(&it.0));
        new.map(|(id, _)| id)
    }

    /// `user` presses `action`, `deny` or `approve_note`, on the card of `request` in the request
    /// channel, writes `note` into the form that opens, and sends it; what they see then.
    pub async fn decide(&self, user: &str, action: &str, request: &str, note: &str) -> Value {
        let seen = self.press(user, action, request).await;
        assert!(seen["view"].is_object(), "no form: {seen}");
        self.submit(user, json!({ "note": note })).await
    }

    /// `user` presses `action`, whatever it is, as [`press_gone`](Self::press_gone) does, and sends the
    /// form if that opens one; what they see then.
    pub async fn decide_gone(&self, user: &str, action: &str, request: &str) -> Value {
        let seen = self.press_gone(user, action, request).await;
        if matches!(action, "deny" | "approve_note") {
            assert!(seen["view"].is_object(), "no form: {seen}");
            return self.submit(user, json!({})).await;
        }
        seen
    }

    /// `user` denies `request` on its card in the request channel, without a reason.
    pub async fn deny(&self, user: &str, request: &str) -> Value {
        self.decide(user, "deny", request, "").await
    }

    /// `user` asks with whatever values, even those that the form does not offer; what they see then.
    pub async fn fill(&self, user: &str, values: Value) -> Value {
        let seen = self.command(user, "/access").await;
        let id = seen["view"]["id"].as_str().expect("a form is open");
        let submit = json!({"view_id": id, "values": values});
        self.slack(user, json!({"submit": submit, "force": true}))
            .await
    }

    /// `user` presses `action` on the card of `request` in the request channel, whether or not the
    /// card still has that button.
    pub async fn press_gone(&self, user: &str, action: &str, request: &str) -> Value {
        let card = self.request(request).await["card"].clone();
        let click = json!({
            "channel": card["channel"], "ts": card["ts"], "action_id": action, "value": request,
        });
        self.slack(user, json!({"click": click, "force": true}))
            .await
    }

    /// Everything that `user` alone was told, oldest first: direct messages, then what only they saw.
    pub async fn heard(&self, user: &str) -> String {
        heard(&self.state().await, user)
    }

    /// `user` presses `action` on the card of `request` in the request channel.
    pub async fn press(&self, user: &str, action: &str, request: &str) -> Value {
        let click = self.button(action, request).await;
        self.slack(user, json!({ "click": click })).await
    }

    /// The button `action` on the card of `request` in the request channel, as a click names it.
    pub async fn button(&self, action: &str, request: &str) -> Value {
        let card = self.request(request).await["card"].clone();
        json!({"channel": card["channel"], "ts": card["ts"], "action_id": action})
    }

    /// `user` presses `action` in the newest of their direct messages that has it.
    pub async fn press_own(&self, user: &str, action: &str) -> Value {
        let state = self.state().await;
        let dm = &state["slack"]["dms"][user];
        let messages = dm["messages"].as_array().expect("direct messages");
        let has = |it: &&Value| buttons(it).iter().any(|button| button == action);
        let message = messages.iter().rev().find(has);
        let message = message.unwrap_or_else(|| panic!("{user} has no `{action}`: {dm}"));
        let click = json!({"channel": dm["channel"], "ts": message["ts"], "action_id": action});
        self.slack(user, json!({ "click": click })).await
    }

    /// `user` opens the app's Home tab; what they see of it.
    pub async fn open_home(&self, user: &str) -> Value {
        let seen = self.slack(user, json!({"open_home": true})).await;
        assert_eq!(seen["status"], 200, "{seen}");
        self.home(user).await
    }

    /// The Home tab of `user`, as it is now.
    pub async fn home(&self, user: &str) -> Value {
        self.state().await["slack"]["homes"][user].clone()
    }

    /// `user` presses the button `action` of `request` in their Home tab, which must be there; what
    /// they see then.
    pub async fn press_home(&self, user: &str, action: &str, request: &str) -> Value {
        let home = self.home(user).await;
        let button = elements(&home).into_iter().find(|it| {
            let value = it["value"].as_str().unwrap_or_default();
            it["action_id"] == action && value.contains(request)
        });
        let button = button.unwrap_or_else(|| panic!("no `{action}` of {request} in {home}"));
        // There may be several of them: `value` says which.
        let click = json!({
            "view_id": home["id"], "action_id": action, "value": button["value"],
        });
        self.slack(user, json!({"click": click, "force": true}))
            .await
    }

    /// `user` presses `action` of `request` on their newest direct message, whether or not it still has
    /// that button.
    pub async fn press_own_gone(&self, user: &str, action: &str, request: &str) -> Value {
        let dm = self.state().await["slack"]["dms"][user].clone();
        let message = dm["messages"].as_array().and_then(|all| all.last());
        let ts = message.map(|it| it["ts"].clone());
        let click = json!({
            "channel": dm["channel"], "ts": ts, "action_id": action, "value": request,
        });
        self.slack(user, json!({"click": click, "force": true}))
            .await
    }

    /// Asks for `target` as Alice and approves as Bob; the request's id.
    pub async fn grant(&self, target: &str, duration: &str) -> String {
        let id = self.ask(ALICE, target, duration).await.expect("a request");
        self.press(BOB, "approve", &id).await;
        id
    }

    /// All requests, by id.
    pub async fn requests(&self) -> std::collections::BTreeMap<String, Value> {
        let state = self.state().await;
        let requests = state["requests"].as_array().cloned().unwrap_or_default();
        let named = requests
            .into_iter()
            .filter_map(|it| Some((it["id"].as_str()?.to_owned(), it)));
        named.collect()
    }

    /// The request `id`.
    pub async fn request(&self, id: &str) -> Value {
        let all = self.requests().await;
        all.get(id)
            .cloned()
            .unwrap_or_else(|| panic!("there is no request `{id}`: {all:?}"))
    }

    /// The request's state and, after a slash, why: `ended/elapsed`.
    pub async fn standing(&self, id: &str) -> String {
        let request = self.request(id).await;
        let text = |key: &str| request[key].as_str().map(str::to_owned);
        let state = text("state").unwrap_or_default();
        text("why").map_or(state.clone(), |why| format!("{state}/{why}"))
    }

    /// The card of `request` in the request channel.
    pub async fn card(&self, request: &str) -> Value {
        let ts = self.request(request).await["card"]["ts"].clone();
        let state = self.state().await;
        let messages = &state["slack"]["channels"][REQUESTS]["messages"];
        let mut all = messages.as_array().expect("messages").iter();
        all.find(|it| it["ts"] == ts).cloned().unwrap_or_default()
    }

    /// Whether the Okta user of the person called `name` (such as `alice`) is in `group`.
    pub async fn is_member(&self, name: &str, group: &str) -> bool {
        let state = self.state().await;
        let members = &state["okta"]["groups"][group]["members"];
        let mut members = members.as_array().expect("members").iter();
        members.any(|it| it.as_str().is_some_and(|id| id.ends_with(name)))
    }

    /// Time goes on.
    pub async fn advance(&self, seconds: u64) -> Value {
        self.post("clock", json!({ "advance_s": seconds })).await
    }

    /// Breaks something; the fault's id.
    pub async fn fault(&self, fault: Value) -> String {
        let answer = self.post("faults", fault).await;
        answer["id"].as_str().expect("an id").to_owned()
    }

    /// Mends everything.
    pub async fn mend(&self) {
        let (status, answer) = self.call(Method::DELETE, "/sandbox/faults", None).await;
        assert_eq!(status, 200, "{answer}");
    }

    /// The texts in a channel or a person's direct messages, oldest first.
    pub async fn texts(&self, place: &str) -> Vec<String> {
        let state = self.state().await;
        let slack = &state["slack"];
        let messages = match &slack["channels"][place] {
            Value::Null => &slack["dms"][place]["messages"],
            channel => &channel["messages"],
        };
        let messages = messages.as_array().cloned().unwrap_or_default();
        messages.iter().map(words).collect()
    }

    /// How many messages in a channel or a person's direct messages contain `text`.
    pub async fn count(&self, place: &str, text: &str) -> usize {
        let texts = self.texts(place).await;
        texts.iter().filter(|it| it.contains(text)).count()
    }

    /// The calls to Okta with this method.
    pub async fn okta_calls(&self, method: &str) -> Vec<Value> {
        let state = self.state().await;
        let calls = state["okta"]["calls"].as_array().cloned();
        let calls = calls.unwrap_or_default().into_iter();
        calls.filter(|it| it["method"] == method).collect()
    }
}

/// Slack's signature of `body` at the Unix time `at` ("Verifying requests from Slack").
#[must_use]
pub fn signature(secret: &str, at: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length will do");
    mac.update(format!("v0:{at}:").as_bytes());
    mac.update(body);
    format!("v0={}", hex::encode(mac.finalize().into_bytes()))
}

/// Everything that `user` alone was told by then, oldest first: direct messages, then what only they saw.
#[must_use]
pub fn heard(state: &Value, user: &str) -> String {
    let slack = &state["slack"];
    words(&json!([slack["dms"][user], slack["ephemerals"][user]]))
}

/// Every word that a message or a view shows, one line a text.
#[must_use]
pub fn words(message: &Value) -> String {
    fn collect(value: &Value, out: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    match value {
                        Value::String(text) if key == "text" => out.push(text.clone()),
                        value => collect(value, out),
                    }
                }
            }
            Value::Array(all) => all.iter().for_each(|it| collect(it, out)),
            _ => {}
        }
    }
    let mut out = Vec::new();
    collect(message, &mut out);
    out.join("\n")
}

/// The `action_id`s of a message's or a view's buttons.
#[must_use]
pub fn buttons(message: &Value) -> Vec<String> {
    let all = elements(message);
    let ids = all.iter().filter_map(|it| it["action_id"].as_str());
    ids.map(str::to_owned).collect()
}

/// Everything that can be pressed in a message or a view.
fn elements(message: &Value) -> Vec<Value> {
    let blocks = message["blocks"].as_array().into_iter().flatten();
    let all = blocks.flat_map(|block| {
        let row = block["elements"].as_array().into_iter().flatten();
        row.chain([&block["accessory"]])
    });
    all.filter(|it| it["action_id"].is_string())
        .cloned()
        .collect()
}

impl Drop for Shown {
    fn drop(&mut self) {
        shown::keep(&self.0);
    }
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            std::fs::create_dir_all(&to)?;
            copy(&entry.path(), &to)?;
        } else {
            std::fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

fn client() -> Client {
    https::local_client()
}

async fn program(data: &Path) -> (Child, String) {
    // `cargo` puts the program beside the folder of the tests.
    let here = std::env::current_exe().expect("a path");
    let folder = here.parent().and_then(Path::parent).expect("a folder");
    let mut child = Command::new(folder.join("local"))
        .args(["--port", "0", "--data"])
        .arg(data)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the program `local` is built: run the tests of the whole workspace");
    let out = child.stdout.take().expect("its output");
    let mut lines = BufReader::new(out).lines();
    let line = lines.next_line().await.expect("a line").unwrap_or_default();
    let url = line
        .strip_prefix("Stint runs at ")
        .unwrap_or_else(|| panic!("it did not start: {line}"));
    (child, url.to_owned())
}
