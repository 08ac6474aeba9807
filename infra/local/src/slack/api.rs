//! The Web API, as its methods' pages describe it and as recorded exchanges show it: HTTP 200 with
//! `ok` and, where that is false, `error`.

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::routing::any;
use axum::{Json, Router};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::world::{Ephemeral, Kind, Message, Record, World, described, described_message};
use super::{APP, BOT_TOKEN, BOT_USER, Slack, TEAM, limits};

/// The methods that take no JSON.
const FORM_ONLY: [&str; 7] = [
    "users.info",
    "users.list",
    "users.lookupByEmail",
    "conversations.info",
    "conversations.list",
    "conversations.members",
    "chat.getPermalink",
];

/// How long the JSON of a message's blocks may be. The reference does not say; real ones were refused
/// from about 13200 characters on.
const BLOCKS: usize = 13_000;

/// How many old rows of buttons are kept of a message.
const KEPT: usize = 10;

type Answer = Result<Value, Value>;
type Args = Map<String, Value>;

pub(super) fn router(slack: Slack) -> Router {
    Router::new()
        .route("/{method}", any(answer))
        .with_state(slack)
}

async fn answer(
    State(slack): State<Slack>,
    Path(method): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Json<Value> {
    let now = slack.now();
    let answered = arguments(&method, query.as_deref(), &headers, &body).and_then(|args| {
        authorized(&headers, &args)?;
        let mut call = Call {
            world: &mut slack.world(),
            args,
            now,
        };
        call.method(&method)
    });
    Json(match answered {
        Ok(mut value) => {
            if let Some(map) = value.as_object_mut() {
                map.insert("ok".to_owned(), json!(true));
            }
            value
        }
        Err(value) => value,
    })
}

fn fail(error: &str) -> Value {
    json!({"ok": false, "error": error})
}

/// `error`, with what is wrong in detail.
fn complain(error: &str, found: &[String]) -> Value {
    let messages: Vec<String> = found.iter().map(|text| format!("[ERROR] {text}")).collect();
    json!({
        "ok": false, "error": error, "errors": found,
        "response_metadata": {"messages": messages},
    })
}

fn arguments(
    method: &str,
    query: Option<&str>,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Args, Value> {
    let kind = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let kind = kind.unwrap_or_default().to_ascii_lowercase();
    let mut args = form(query.unwrap_or_default().as_bytes())?;
    if kind.starts_with("application/json") {
        match serde_json::from_slice(body) {
            // These look at forms only, and so find nothing.
            Ok(Value::Object(_)) if FORM_ONLY.contains(&method) => {}
            Ok(Value::Object(map)) => args.extend(map),
            Ok(_) => return Err(fail("json_not_object")),
            Err(_) => return Err(fail("invalid_json")),
        }
    } else {
        args.extend(form(body)?);
    }
    Ok(args)
}

fn form(bytes: &[u8]) -> Result<Args, Value> {
    let pairs: Vec<(String, String)> =
        serde_urlencoded::from_bytes(bytes).map_err(|_| fail("invalid_form_data"))?;
    Ok(pairs
        .into_iter()
        .map(|(key, text)| {
            let nested = matches!(key.as_str(), "blocks" | "view" | "metadata");
            let value = nested.then(|| serde_json::from_str(&text).ok()).flatten();
            (key, value.unwrap_or(Value::String(text)))
        })
        .collect())
}

fn authorized(headers: &HeaderMap, args: &Args) -> Result<(), Value> {
    let header = headers.get(AUTHORIZATION).and_then(|it| it.to_str().ok());
    let token = header
        .and_then(|text| text.strip_prefix("Bearer "))
        .or_else(|| args.get("token").and_then(Value::as_str));
    match token {
        None => Err(fail("not_authed")),
        Some(token) if token == BOT_TOKEN => Ok(()),
        Some(_) => Err(fail("invalid_auth")),
    }
}

struct Call<'a> {
    world: &'a mut World,
    args: Args,
    now: Timestamp,
}

impl Call<'_> {
    fn method(&mut self, method: &str) -> Answer {
        match method {
            "api.test" => Ok(json!({})),
            "auth.test" => Ok(json!({
                "url": "https://sandbox.slack.com/", "team": "Sandbox", "user": "stint",
                "team_id": TEAM, "user_id": BOT_USER, "bot_id": "B00STINT", "app_id": APP,
                "is_enterprise_install": false,
            })),
            "chat.postMessage" => self.post_message(),
            "chat.update" => self.update_message(),
            "chat.postEphemeral" => self.post_ephemeral(),
            "chat.getPermalink" => {
                let channel = self.channel(false)?;
                let ts = self.text("message_ts").unwrap_or_default();
                let messages = self.world.messages.get(&channel);
                if messages.is_none_or(|all| !all.contains_key(&ts)) {
                    return Err(fail("message_not_found"));
                }
                let digits = ts.replace('.', "");
                let permalink = format!("https://sandbox.slack.com/archives/{channel}/p{digits}");
                Ok(json!({"channel": channel, "permalink": permalink}))
            }
            "views.open" => self.open_view(false),
            "views.push" => self.open_view(true),
            "views.update" => self.update_view(),
            "views.publish" => self.publish_view(),
            "users.info" => {
                let id = self.text("user").unwrap_or_default();
                let person = self.world.people.get(&id);
                let person = person.ok_or_else(|| fail("user_not_found"))?;
                Ok(json!({"user": described(&id, person)}))
            }
            "users.lookupByEmail" => {
                let email = self.text("email").unwrap_or_default().to_lowercase();
                let mut people = self.world.people.iter();
                let found = people.find(|(_, person)| {
                    let known = person.email.as_ref().map(|known| known.to_lowercase());
                    known.as_deref() == Some(&email) && !person.deleted
                });
                let (id, person) = found.ok_or_else(|| fail("users_not_found"))?;
                Ok(json!({"user": described(id, person)}))
            }
            "users.list" => {
                let people = self.world.people.iter();
                let members: Vec<Value> = people.map(|(id, it)| described(id, it)).collect();
                Ok(json!({"members": members, "response_metadata": {"next_cursor": ""}}))
            }
            "conversations.open" => {
                let id = self.text("users").unwrap_or_default();
                let channel = self.direct(&id)?;
                Ok(json!({"channel": {"id": channel}}))
            }
            "conversations.info" => {
                let name = self.text("channel").unwrap_or_default();
                Ok(json!({"channel": self.described_channel(&name)?}))
            }
            "conversations.list" => {
                let public = self.world.channels.iter();
                let public = public.filter(|(_, channel)| channel.person.is_none());
                let all: Result<Vec<Value>, Value> =
                    public.map(|(id, _)| self.described_channel(id)).collect();
                Ok(json!({"channels": all?, "response_metadata": {"next_cursor": ""}}))
            }
            _ => Err(json!({"ok": false, "error": "unknown_method", "req_method": method})),
        }
    }

    fn text(&self, key: &str) -> Option<String> {
        self.args
            .get(key)
            .and_then(Value::as_str)
            .map(str::to_owned)
    }

    /// The channel of the argument `channel`, in which the app may post. A person's id stands for
    /// their direct messages only in `chat.postMessage`.
    fn channel(&self, people_too: bool) -> Result<String, Value> {
        let name = self.text("channel").unwrap_or_default();
        if self.world.people.contains_key(&name) {
            return if people_too {
                self.direct(&name)
            } else {
                Err(fail("channel_not_found"))
            };
        }
        let id = self.world.channel_named(&name);
        let id = id.ok_or_else(|| fail("channel_not_found"))?;
        match self.world.channels.get(&id) {
            Some(channel) if channel.archived => Err(fail("is_archived")),
            Some(channel) if !channel.bot_in => Err(fail("not_in_channel")),
            _ => Ok(id),
        }
    }

    /// The channel of somebody's direct messages.
    fn direct(&self, user: &str) -> Result<String, Value> {
        match self.world.people.get(user) {
            None => Err(fail("user_not_found")),
            Some(person) if person.kind == Kind::Bot => Err(fail("cannot_dm_bot")),
            Some(person) if person.deleted => Err(fail("user_disabled")),
            Some(_) => Ok(super::world::dm_of(user)),
        }
    }

    fn described_channel(&self, id: &str) -> Answer {
        let channel = self.world.channels.get(id);
        let channel = channel.ok_or_else(|| fail("channel_not_found"))?;
        Ok(json!({
            "id": id, "name": channel.name, "is_channel": channel.person.is_none(),
            "is_im": channel.person.is_some(), "is_archived": channel.archived,
            "is_member": channel.bot_in, "user": channel.person,
        }))
    }

    /// The text and blocks of a message of `kind` that comes by `method`.
    fn content(
        &mut self,
        kind: &str,
        method: &str,
        longest: usize,
    ) -> Result<(String, Value), Value> {
        let text = self.text("text").unwrap_or_default();
        let blocks = match self.args.get("blocks") {
            None | Some(Value::Null) => json!([]),
            Some(blocks) if blocks.is_array() => blocks.clone(),
            Some(_) => return Err(fail("invalid_blocks_format")),
        };
        if blocks.as_array().is_some_and(Vec::is_empty) {
            if text.trim().is_empty() {
                return Err(fail("no_text"));
            }
        } else {
            let found = limits::message_blocks(&blocks);
            if !found.is_empty() {
                return Err(complain("invalid_blocks", &found));
            }
            if blocks.to_string().encode_utf16().count() > BLOCKS {
                return Err(fail("msg_blocks_too_long"));
            }
        }
        if text.chars().count() > longest {
            return Err(fail("msg_too_long"));
        }
        let sent = json!({"text": text, "blocks": blocks});
        self.world.took(kind, method, &sent);
        Ok((text, self.world.stored_blocks(&blocks)))
    }

    fn post_message(&mut self) -> Answer {
        let channel = self.channel(true)?;
        let thread_ts = self.text("thread_ts");
        let known = self.world.messages.get(&channel);
        if let Some(ts) = &thread_ts
            && known.is_none_or(|all| !all.contains_key(ts))
        {
            return Err(fail("thread_not_found"));
        }
        let is_true = |value: &Value| *value == true || *value == "true";
        let broadcast = self.args.get("reply_broadcast").is_some_and(is_true);
        let (text, blocks) = self.content("message", "chat.postMessage", 40_000)?;
        let message = Message {
            ts: self.world.ts(self.now),
            broadcast: broadcast && thread_ts.is_some(),
            thread_ts,
            text,
            blocks,
            before: Vec::new(),
        };
        let answer = json!({
            "channel": channel, "ts": message.ts, "message": described_message(&message),
        });
        self.world.record(Record::Message { channel, message });
        Ok(answer)
    }

    fn update_message(&mut self) -> Answer {
        let channel = self.channel(false)?;
        let ts = self.text("ts").unwrap_or_default();
        let messages = self.world.messages.get(&channel);
        let known = messages.and_then(|all| all.get(&ts)).cloned();
        let known = known.ok_or_else(|| fail("message_not_found"))?;
        let (text, blocks) = self.content("message", "chat.update", 4000)?;
        let mut before = known.before;
        let old = known.blocks.as_array().cloned().unwrap_or_default();
        before.extend(old.into_iter().filter(|block| block["type"] == "actions"));
        before.drain(..before.len().saturating_sub(KEPT));
        let message = Message {
            ts,
            thread_ts: known.thread_ts,
            broadcast: known.broadcast,
            text,
            blocks,
            before,
        };
        let answer = json!({
            "channel": channel, "ts": message.ts, "text": message.text,
            "message": described_message(&message),
        });
        self.world.record(Record::Message { channel, message });
        Ok(answer)
    }

    fn post_ephemeral(&mut self) -> Answer {
        let channel = self.channel(false)?;
        let user = self.text("user").unwrap_or_default();
        let others = match self.world.channels.get(&channel) {
            Some(channel) => channel
                .person
                .as_ref()
                .is_some_and(|person| *person != user),
            None => true,
        };
        if others || !self.world.people.contains_key(&user) {
            return Err(fail("user_not_in_channel"));
        }
        let (text, blocks) = self.content("ephemeral", "chat.postEphemeral", 40_000)?;
        let ts = self.world.ts(self.now);
        let ephemeral = Ephemeral {
            number: self.world.number(),
            ts: ts.clone(),
            channel,
            text,
            blocks,
        };
        self.world.record(Record::Ephemeral { user, ephemeral });
        Ok(json!({"message_ts": ts}))
    }

    /// The view of the argument `view`, which must be of type `kind`.
    fn view(&self, kind: &str) -> Answer {
        let view = self.args.get("view").cloned().unwrap_or_default();
        let found = limits::view(&view, kind);
        if found.is_empty() {
            Ok(view)
        } else if found.iter().any(|text| text.starts_with("view_too_large")) {
            Err(fail("view_too_large"))
        } else {
            Err(complain("invalid_arguments", &found))
        }
    }

    fn open_view(&mut self, push: bool) -> Answer {
        let view = self.view("modal")?;
        let trigger = self.text("trigger_id").unwrap_or_default();
        let user = self.world.pull(&trigger, self.now).map_err(|error| {
            // What Slack really answers is not the error that its reference names.
            if error == "expired_trigger_id" {
                let found = "`trigger_id` expired [json-pointer:/trigger_id]".to_owned();
                complain("invalid_arguments", &[found])
            } else {
                fail(error)
            }
        })?;
        let mut views = self.world.views.get(&user).cloned().unwrap_or_default();
        if !push {
            views.clear();
        } else if views.is_empty() {
            return Err(fail("not_found"));
        } else if views.len() >= 3 {
            return Err(fail("push_limit_reached"));
        }
        let under = views.last().cloned().unwrap_or_default();
        let method = if push { "views.push" } else { "views.open" };
        self.world.took("modal", method, &view);
        let view = self.world.stored_view(&view, None, &under, &Value::Null);
        views.push(view.clone());
        self.world.record(Record::Views { user, views });
        Ok(json!({"view": view}))
    }

    fn update_view(&mut self) -> Answer {
        let id = self.text("view_id").unwrap_or_default();
        let found = self
            .world
            .views
            .iter()
            .find(|(_, views)| views.iter().any(|view| view["id"] == id.as_str()));
        let (user, mut views) = match found {
            Some((user, views)) => (user.clone(), views.clone()),
            None => return Err(fail("not_found")),
        };
        let new = self.view("modal")?;
        let hash = self.text("hash");
        for view in &mut views {
            if view["id"] == id.as_str() {
                if hash.is_some_and(|hash| view["hash"] != hash.as_str()) {
                    return Err(fail("hash_conflict"));
                }
                self.world.took("modal", "views.update", &new);
                *view = self.world.replaced(view, &new);
                let answer = json!({"view": view});
                self.world.record(Record::Views { user, views });
                return Ok(answer);
            }
        }
        Err(fail("not_found"))
    }

    fn publish_view(&mut self) -> Answer {
        let user = self.text("user_id").unwrap_or_default();
        if !self.world.people.contains_key(&user) {
            let found = "invalid `user_id` [json-pointer:/user_id]".to_owned();
            return Err(complain("invalid_arguments", &[found]));
        }
        let view = self.view("home")?;
        let known = self.world.homes.get(&user).cloned().unwrap_or_default();
        let hash = self.text("hash");
        if hash.is_some_and(|hash| known["hash"] != hash.as_str()) {
            return Err(fail("hash_conflict"));
        }
        self.world.took("home", "views.publish", &view);
        let view = self
            .world
            .stored_view(&view, known["id"].as_str(), &Value::Null, &known);
        let answer = json!({"view": view});
        self.world.record(Record::Home { user, view });
        Ok(answer)
    }
}
