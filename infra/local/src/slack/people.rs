//! What people do, turned into what Slack sends, byte for byte as Slack sends it.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use jiff::SignedDuration;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::world::{Ephemeral, Record, World, described_message, dm_of, slot};
use super::{APP, SIGNING_SECRET, Slack, TEAM, limits};
use crate::Nonsense;
use crate::nonsense::yes;
use crate::slack_delivery::{Answered, Deliver, SignedHttp};

/// What Slack's own client shows when an app does not answer as it should.
const TROUBLE: &str = "We had some trouble connecting. Try again?";

/// One thing that a person does.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Act {
    user: String,
    command: Option<String>,
    /// Where the command is typed; `#general` if not said.
    channel: Option<String>,
    shortcut: Option<String>,
    click: Option<Click>,
    #[serde(rename = "type")]
    typing: Option<Typing>,
    submit: Option<Submit>,
    close: Option<Close>,
    #[serde(default)]
    open_home: bool,
    /// How often the same bytes are delivered.
    #[serde(default = "one")]
    deliveries: u32,
    /// How long ago Slack signed it.
    #[serde(default)]
    age_s: i64,
    retry_num: Option<u32>,
    #[serde(default = "yes")]
    wait: bool,
    /// Does what Slack's client would not let a person do: values that the form does not offer,
    /// buttons that are not on the message any more, messages of others.
    #[serde(default)]
    force: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Click {
    channel: Option<String>,
    ts: Option<String>,
    view_id: Option<String>,
    action_id: String,
    /// What to choose or to fill in, where it is no button; with `force`, what the button sends.
    value: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Typing {
    view_id: String,
    action_id: String,
    #[serde(default)]
    text: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Submit {
    view_id: String,
    #[serde(default)]
    values: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Close {
    view_id: String,
}

fn one() -> u32 {
    1
}

/// What Slack sends, unsigned.
struct Sent {
    content_type: &'static str,
    body: Vec<u8>,
    answer: Expected,
}

/// What Slack does with the answer.
enum Expected {
    Nothing,
    /// Shown to the person in the channel.
    Words {
        command: String,
        channel: String,
    },
    /// Says what becomes of the view.
    View(String),
    /// Can be chosen from in an element of a view.
    Options {
        view_id: String,
        action_id: String,
    },
}

/// What a person sees of an act.
#[derive(Default)]
struct Seen {
    errors: BTreeMap<String, String>,
    options: Vec<Value>,
}

impl Slack {
    /// Does what `body` says, as `POST /sandbox/slack` describes it: builds what Slack would send,
    /// signs it, has it delivered to the ingress, and does what Slack does with the answer.
    ///
    /// # Errors
    ///
    /// What is asked for makes no sense: there is no such person, message, button or choice.
    pub async fn act(&self, body: &Value, deliver: &dyn Deliver) -> Result<Value, Nonsense> {
        if let Some(admin) = body.get("channel_admin").or_else(|| body.get("user_admin")) {
            return self.admin(admin);
        }
        let hint = r#"{"user", and one of "command", "shortcut", "click", "type", "submit", "close", "open_home"}"#;
        if !body.is_object() {
            return Err(Nonsense::new("not an object", hint));
        }
        let act: Act = serde_json::from_value(body.clone())
            .map_err(|error| Nonsense::new(error.to_string(), hint))?;
        self.world().person(&act.user)?;
        let first_new = self.world().number();
        let (sent, mut seen) = self.prepare(&act, deliver).await?;
        let mut status = 200;
        if let Some(sent) = sent {
            let request = self.signed(&sent, &act);
            let mut first = None;
            for _ in 0..act.deliveries.max(1) {
                let answered = deliver.deliver(request.clone()).await;
                first.get_or_insert(answered);
            }
            if let Some(answered) = first {
                status = answered.status;
                self.take_answer(&act.user, sent.answer, &answered, &mut seen);
            }
        }
        if act.wait {
            deliver.settled().await;
        }
        let world = self.world();
        let views = world.views.get(&act.user);
        let ephemerals = world.ephemerals.get(&act.user).into_iter().flatten();
        let ephemerals: Vec<Value> = ephemerals
            .filter(|it| it.number > first_new)
            .map(Ephemeral::shown)
            .collect();
        Ok(json!({
            "status": status, "view": views.and_then(|all| all.last()), "errors": seen.errors,
            "ephemerals": ephemerals, "options": seen.options,
        }))
    }

    /// What Slack sends for `act`, if anything, and what its client shows without asking the app.
    async fn prepare(
        &self,
        act: &Act,
        deliver: &dyn Deliver,
    ) -> Result<(Option<Sent>, Seen), Nonsense> {
        let asked = [
            act.command.is_some(),
            act.shortcut.is_some(),
            act.click.is_some(),
            act.typing.is_some(),
            act.submit.is_some(),
            act.close.is_some(),
            act.open_home,
        ];
        if asked.iter().filter(|it| **it).count() != 1 {
            return Err(Nonsense::new(
                "not one thing to do",
                "exactly one of `command`, `shortcut`, `click`, `type`, `submit`, `close`, `open_home`",
            ));
        }
        let mut seen = Seen::default();
        let sent = if let Some(command) = &act.command {
            Some(self.command(act, command)?)
        } else if let Some(callback_id) = &act.shortcut {
            Some(self.shortcut(act, callback_id))
        } else if let Some(click) = &act.click {
            self.click(act, click, deliver).await?
        } else if let Some(typing) = &act.typing {
            let view = self.top_view(&act.user, &typing.view_id)?;
            self.suggestion(&act.user, &view, &typing.action_id, &typing.text)?
        } else if let Some(submit) = &act.submit {
            let view = self.top_view(&act.user, &submit.view_id)?;
            let values = self.fill_in(act, &view, &submit.values, deliver, &mut seen);
            let values = values.await?;
            self.world().fill(&act.user, &submit.view_id, &values);
            seen.errors
                .is_empty()
                .then(|| self.submission(&act.user, view, &values))
        } else if let Some(close) = &act.close {
            let view = self.top_view(&act.user, &close.view_id)?;
            self.closed(&act.user, &view)
        } else {
            Some(self.home_opened(&act.user))
        };
        Ok((sent, seen))
    }

    /// The view that `user` sees, which must be `id`.
    fn top_view(&self, user: &str, id: &str) -> Result<Value, Nonsense> {
        let world = self.world();
        let top = world.views.get(user).and_then(|views| views.last());
        match top {
            Some(view) if view["id"] == id => Ok(view.clone()),
            Some(view) => Err(Nonsense::new(
                format!("`{user}` does not see the view `{id}`"),
                format!("`{user}` sees {}", view["id"]),
            )),
            None => Err(Nonsense::new(
                format!("`{user}` does not see the view `{id}`"),
                format!("`{user}` has no view open: open one with a command"),
            )),
        }
    }

    fn signed(&self, sent: &Sent, act: &Act) -> SignedHttp {
        let at = self.now() - SignedDuration::from_secs(act.age_s);
        let secret = SecretString::from(SIGNING_SECRET);
        let mut headers = vec![
            ("Content-Type".to_owned(), sent.content_type.to_owned()),
            (
                "User-Agent".to_owned(),
                "Slackbot 1.0 (+https://api.slack.com/robots)".to_owned(),
            ),
        ];
        let signature = ::slack::signature::sign(&secret, &sent.body, at);
        headers.extend(signature.map(|(name, value)| (name.to_owned(), value)));
        if let Some(retry) = act.retry_num {
            headers.push(("X-Slack-Retry-Num".to_owned(), retry.to_string()));
            headers.push(("X-Slack-Retry-Reason".to_owned(), "http_timeout".to_owned()));
        }
        SignedHttp {
            headers,
            body: sent.body.clone(),
        }
    }

    fn command(&self, act: &Act, command: &str) -> Result<Sent, Nonsense> {
        let mut world = self.world();
        if !command.starts_with('/') {
            return Err(Nonsense::new(
                format!("`{command}` is no command"),
                "such as `/access prod 1h fixing INC-42`",
            ));
        }
        let (name, text) = command.split_once(' ').unwrap_or((command, ""));
        let asked = act.channel.as_deref().unwrap_or("C03GENERAL");
        let channel = world.channel_named(asked).ok_or_else(|| {
            Nonsense::new(
                format!("there is no channel `{asked}`"),
                "such as `#general`, or `C03GENERAL`",
            )
        })?;
        let channel_name = match world.channels.get(&channel) {
            Some(known) if known.person.is_none() => known.name.clone(),
            _ => "directmessage".to_owned(),
        };
        let user_name = world.person(&act.user)?.name.to_lowercase();
        let trigger_id = world.trigger(&act.user, self.now());
        let body = encoded(&[
            ("token", "sandbox-verification-token"),
            ("team_id", TEAM),
            ("team_domain", "sandbox"),
            ("channel_id", &channel),
            ("channel_name", &channel_name),
            ("user_id", &act.user),
            ("user_name", &user_name),
            ("command", name),
            ("text", text.trim()),
            ("api_app_id", APP),
            ("is_enterprise_install", "false"),
            ("response_url", &response_url("commands", &trigger_id)),
            ("trigger_id", &trigger_id),
        ]);
        Ok(Sent {
            content_type: FORM,
            body,
            answer: Expected::Words {
                command: name.to_owned(),
                channel,
            },
        })
    }

    fn shortcut(&self, act: &Act, callback_id: &str) -> Sent {
        let mut world = self.world();
        let more = json!({
            "callback_id": callback_id, "action_ts": world.ts(self.now()),
            "trigger_id": world.trigger(&act.user, self.now()),
        });
        interaction(&world, "shortcut", &act.user, more, Expected::Nothing)
    }

    async fn click(
        &self,
        act: &Act,
        click: &Click,
        deliver: &dyn Deliver,
    ) -> Result<Option<Sent>, Nonsense> {
        match (&click.view_id, &click.channel, &click.ts) {
            (Some(id), None, None) => {
                let view = seen_view(&self.world(), act, id)?;
                if let Some(input) = input_of(&view, &click.action_id) {
                    return self.choose(act, click, &view, input, deliver).await;
                }
                let button = button(&[&view["blocks"]], act, click)?;
                Ok(Some(self.pressed(act, in_view(&view), button)))
            }
            (None, Some(channel), Some(ts)) => {
                let (place, button) = in_message(&self.world(), act, click, channel, ts)?;
                Ok(Some(self.pressed(act, place, button)))
            }
            _ => Err(Nonsense::new(
                "a click without a place",
                "either `view_id`, or `channel` and `ts`",
            )),
        }
    }

    /// Fills in `input` of `view`. Slack tells the app at once where the block says so, and otherwise
    /// when the form is submitted.
    async fn choose(
        &self,
        act: &Act,
        click: &Click,
        view: &Value,
        input: &Value,
        deliver: &dyn Deliver,
    ) -> Result<Option<Sent>, Nonsense> {
        let (element, block_id) = (&input["element"], &input["block_id"]);
        let kind = element["type"].as_str().unwrap_or_default();
        let (key, initial) = slot(kind).unwrap_or(("value", "initial_value"));
        let Some(text) = &click.value else {
            return Err(Nonsense::new(
                format!("nothing is chosen for `{}`", click.action_id),
                "`value` says what to choose, or is empty to choose nothing",
            ));
        };
        let given = self.given(act, view, element, text, deliver).await?;
        let mut view = view.clone();
        let id = view["id"].as_str().unwrap_or_default().to_owned();
        let held = json!({"type": kind, key: given});
        let values = &mut view["state"]["values"];
        values[block_id.as_str().unwrap_or_default()] = json!({&click.action_id: held});
        self.world().fill(&act.user, &id, values);
        if input["dispatch_action"] != true {
            return Ok(None);
        }
        let mut action = held;
        if let Some(map) = action.as_object_mut() {
            map.insert("action_id".to_owned(), json!(click.action_id));
            map.insert("block_id".to_owned(), block_id.clone());
            for key in ["placeholder", initial] {
                if key != "initial_value" && !element[key].is_null() {
                    map.insert(key.to_owned(), element[key].clone());
                }
            }
        }
        Ok(Some(self.pressed(act, in_view(&view), action)))
    }

    /// What Slack sends when `action` is taken at `place`.
    fn pressed(&self, act: &Act, place: Value, mut action: Value) -> Sent {
        let mut world = self.world();
        let trigger_id = world.trigger(&act.user, self.now());
        let action_ts = world.ts(self.now());
        if let Some(map) = action.as_object_mut() {
            map.remove("confirm");
            map.insert("action_ts".to_owned(), json!(action_ts));
        }
        let mut more = place;
        if let Some(map) = more.as_object_mut() {
            if map.contains_key("channel") {
                let url = response_url("actions", &trigger_id);
                map.insert("response_url".to_owned(), json!(url));
            }
            map.insert("trigger_id".to_owned(), json!(trigger_id));
            map.insert("actions".to_owned(), json!([action]));
        }
        let answer = Expected::Nothing;
        interaction(&world, "block_actions", &act.user, more, answer)
    }

    /// The question for what can be chosen from, unless Slack does not ask yet.
    fn suggestion(
        &self,
        user: &str,
        view: &Value,
        action_id: &str,
        text: &str,
    ) -> Result<Option<Sent>, Nonsense> {
        let blocks = view["blocks"].as_array().cloned().unwrap_or_default();
        let block = blocks.iter().find(|block| {
            let element = &block["element"];
            element["type"] == "external_select" && element["action_id"] == action_id
        });
        let block = block.ok_or_else(|| {
            let found = blocks
                .iter()
                .filter_map(|block| block["element"]["action_id"].as_str());
            Nonsense::new(
                format!("nothing called `{action_id}` asks the app while one types"),
                format!("the form has {}", found.collect::<Vec<_>>().join(", ")),
            )
        })?;
        let least = block["element"]["min_query_length"].as_u64().unwrap_or(3);
        if (text.chars().count() as u64) < least {
            return Ok(None);
        }
        let more = json!({
            "action_id": action_id, "block_id": block["block_id"], "value": text, "view": view,
            "container": {"type": "view", "view_id": view["id"]},
        });
        let world = self.world();
        let answer = Expected::Options {
            view_id: view["id"].as_str().unwrap_or_default().to_owned(),
            action_id: action_id.to_owned(),
        };
        let sent = interaction(&world, "block_suggestion", user, more, answer);
        Ok(Some(sent))
    }

    fn submission(&self, user: &str, mut view: Value, values: &Value) -> Sent {
        let mut world = self.world();
        let id = view["id"].as_str().unwrap_or_default().to_owned();
        if let Some(map) = view.as_object_mut() {
            map.insert("state".to_owned(), json!({"values": values}));
        }
        let more = json!({
            "trigger_id": world.trigger(user, self.now()), "view": view, "response_urls": [],
        });
        interaction(&world, "view_submission", user, more, Expected::View(id))
    }

    fn closed(&self, user: &str, view: &Value) -> Option<Sent> {
        let mut world = self.world();
        pop(&mut world, user);
        (view["notify_on_close"] == true).then(|| {
            let more = json!({"view": view, "is_cleared": false});
            interaction(&world, "view_closed", user, more, Expected::Nothing)
        })
    }

    fn home_opened(&self, user: &str) -> Sent {
        let mut world = self.world();
        let ts = world.ts(self.now());
        let number = world.number();
        let mut event = json!({
            "type": "app_home_opened", "user": user, "channel": dm_of(user), "tab": "home",
            "event_ts": ts,
        });
        // The first time there is no view yet.
        if let (Some(home), Some(map)) = (world.homes.get(user), event.as_object_mut()) {
            map.insert("view".to_owned(), home.clone());
        }
        let body = json!({
            "token": "sandbox-verification-token", "team_id": TEAM, "api_app_id": APP,
            "event": event, "type": "event_callback", "event_id": format!("Ev{number:010}"),
            "event_time": self.now().as_second(), "is_ext_shared_channel": false,
            "authorizations": [{
                "enterprise_id": null, "team_id": TEAM, "user_id": super::BOT_USER,
                "is_bot": true, "is_enterprise_install": false,
            }],
        });
        Sent {
            content_type: "application/json",
            body: body.to_string().into_bytes(),
            answer: Expected::Nothing,
        }
    }

    /// `state.values` of a submission: `values` by block id over what is filled in already. What Slack's
    /// client does not let through ends up in `seen.errors`.
    async fn fill_in(
        &self,
        act: &Act,
        view: &Value,
        values: &Map<String, Value>,
        deliver: &dyn Deliver,
        seen: &mut Seen,
    ) -> Result<Value, Nonsense> {
        if view["submit"].is_null() {
            return Err(Nonsense::new(
                "the view has nothing to submit",
                "close it, or press one of its buttons",
            ));
        }
        let blocks = view["blocks"].as_array().cloned().unwrap_or_default();
        let inputs: Vec<&Value> = blocks.iter().filter(|b| b["type"] == "input").collect();
        let ids: Vec<&str> = inputs
            .iter()
            .filter_map(|b| b["block_id"].as_str())
            .collect();
        if let Some(key) = values.keys().find(|key| !ids.contains(&key.as_str())) {
            return Err(Nonsense::new(
                format!("the form does not ask for `{key}`"),
                format!("it asks for {}", ids.join(", ")),
            ));
        }
        let mut all = view["state"]["values"].clone();
        for (input, id) in inputs.iter().zip(&ids) {
            let element = &input["element"];
            let kind = element["type"].as_str().unwrap_or_default();
            let action_id = element["action_id"].as_str().unwrap_or_default();
            let (key, _) = slot(kind).unwrap_or(("value", "initial_value"));
            let given = match values.get(*id) {
                None => all[*id][action_id][key].clone(),
                Some(Value::String(text)) => self.given(act, view, element, text, deliver).await?,
                Some(Value::Null) => Value::Null,
                Some(other) => json!(other.to_string()),
            };
            if !act.force
                && let Some(error) = refused(input, kind, &given)
            {
                seen.errors.insert((*id).to_owned(), error);
            }
            all[*id] = json!({action_id: {"type": kind, key: given}});
        }
        Ok(all)
    }

    /// What `element` of `view` holds after `text` was filled in or chosen; nothing if it is empty.
    async fn given(
        &self,
        act: &Act,
        view: &Value,
        element: &Value,
        text: &str,
        deliver: &dyn Deliver,
    ) -> Result<Value, Nonsense> {
        let kind = element["type"].as_str().unwrap_or_default();
        if text.is_empty() {
            Ok(Value::Null)
        } else if slot(kind).is_some_and(|(key, _)| key == "selected_option") {
            self.chosen(act, view, element, text, deliver).await
        } else {
            Ok(json!(text))
        }
    }

    /// The option of `element` that `text` names by value or by label.
    async fn chosen(
        &self,
        act: &Act,
        view: &Value,
        element: &Value,
        text: &str,
        deliver: &dyn Deliver,
    ) -> Result<Value, Nonsense> {
        let view_id = view["id"].as_str().unwrap_or_default();
        let action_id = element["action_id"].as_str().unwrap_or_default();
        let mut offered = offered_in(element);
        offered.extend(Some(element["initial_option"].clone()).filter(Value::is_object));
        offered.extend(self.world().offered(view_id, action_id));
        if element["type"] == "external_select" && named(&offered, text).is_none() {
            for typed in [text, ""] {
                if let Some(sent) = self.suggestion(&act.user, view, action_id, typed)? {
                    let answered = deliver.deliver(self.signed(&sent, act)).await;
                    offered.extend(self.options_of(view_id, action_id, &answered));
                }
            }
        }
        match named(&offered, text) {
            Some(option) => Ok(option),
            None if act.force => Ok(json!({
                "text": {"type": "plain_text", "text": text, "emoji": true}, "value": text,
            })),
            None => {
                let labels = offered.iter().filter_map(|it| it["text"]["text"].as_str());
                Err(Nonsense::new(
                    format!("`{text}` is not offered"),
                    format!(
                        "one of {}; `\"force\": true` sends it all the same",
                        labels.collect::<Vec<_>>().join(", ")
                    ),
                ))
            }
        }
    }

    /// Does with the app's answer what Slack does.
    fn take_answer(&self, user: &str, expected: Expected, answered: &Answered, seen: &mut Seen) {
        let ok = (200..300).contains(&answered.status);
        match expected {
            Expected::Nothing => {}
            Expected::Options { view_id, action_id } => {
                seen.options = self.options_of(&view_id, &action_id, answered);
            }
            Expected::Words { command, channel } => {
                self.take_words(user, &command, channel, answered);
            }
            Expected::View(id) => {
                let trouble = !ok || !self.take_view_answer(user, &id, &answered.body, seen);
                if trouble {
                    seen.errors.insert(String::new(), TROUBLE.to_owned());
                }
            }
        }
    }

    /// Shows `user` alone what the answer to `command` says.
    fn take_words(&self, user: &str, command: &str, channel: String, answered: &Answered) {
        let said: Value = serde_json::from_slice(&answered.body).unwrap_or_default();
        let plain = String::from_utf8_lossy(&answered.body).into_owned();
        let failed = |error: &str| {
            (
                format!("{command} failed with the error \"{error}\""),
                json!([]),
            )
        };
        let mut world = self.world();
        let (text, blocks) = if !(200..300).contains(&answered.status) {
            failed("dispatch_failed")
        } else if plain.trim().is_empty() {
            return;
        } else if said.is_object() {
            let text = said["text"].as_str().unwrap_or_default().to_owned();
            let blocks = &said["blocks"];
            let has_blocks = blocks.as_array().is_some_and(|all| !all.is_empty());
            let found = if has_blocks {
                limits::message_blocks(blocks)
            } else {
                Vec::new()
            };
            if found.is_empty() {
                let sent = json!({"text": text, "blocks": blocks});
                world.took("ephemeral", "the answer to a command", &sent);
                (text, world.stored_blocks(blocks))
            } else {
                tracing::warn!("Slack would refuse the answer: {}", found.join("; "));
                failed("invalid_command_response")
            }
        } else {
            let sent = json!({"text": plain, "blocks": []});
            world.took("ephemeral", "the answer to a command", &sent);
            (plain, json!([]))
        };
        let ephemeral = Ephemeral {
            number: world.number(),
            ts: world.ts(self.now()),
            channel,
            text,
            blocks,
        };
        world.record(Record::Ephemeral {
            user: user.to_owned(),
            ephemeral,
        });
    }

    /// Does what the answer to a submission of the view `id` says; false if it makes no sense.
    fn take_view_answer(&self, user: &str, id: &str, body: &[u8], seen: &mut Seen) -> bool {
        let answer: Value = if body.trim_ascii().is_empty() {
            json!({})
        } else {
            serde_json::from_slice(body).unwrap_or_default()
        };
        if !answer.is_object() {
            return false;
        }
        let mut world = self.world();
        let mut views = world.views.get(user).cloned().unwrap_or_default();
        let Some(at) = views.iter().position(|view| view["id"] == id) else {
            // The app has closed or replaced it itself.
            return true;
        };
        match answer["response_action"].as_str() {
            None => {
                views.remove(at);
            }
            Some("clear") => views.clear(),
            Some("errors") => {
                let blocks = views.get(at).map(|view| view["blocks"].clone());
                let blocks = blocks.as_ref().and_then(Value::as_array);
                let is_input = |id: &str| {
                    let mut all = blocks.into_iter().flatten();
                    all.any(|block| block["type"] == "input" && block["block_id"] == id)
                };
                let errors = answer["errors"].as_object().cloned().unwrap_or_default();
                let is_text = |text: &Value| text.as_str().is_some_and(|it| !it.trim().is_empty());
                if errors.is_empty() || !errors.iter().all(|(id, it)| is_input(id) && is_text(it)) {
                    return false;
                }
                let sent = json!({"errors": errors, "blocks": blocks});
                world.took("errors", "the answer to a form", &sent);
                for (id, text) in errors {
                    let text = text.as_str().unwrap_or_default().to_owned();
                    seen.errors.insert(id, text);
                }
                return true;
            }
            Some(action @ ("update" | "push")) => {
                let view = &answer["view"];
                let found = limits::view(view, "modal");
                if !found.is_empty() || (action == "push" && views.len() >= 3) {
                    tracing::warn!("Slack would refuse the view: {}", found.join("; "));
                    return false;
                }
                world.took("modal", "the answer to a form", view);
                let old = views.get(at).cloned().unwrap_or_default();
                if action == "update" {
                    if let Some(slot) = views.get_mut(at) {
                        *slot = world.replaced(&old, view);
                    }
                } else {
                    views.push(world.stored_view(view, None, &old, &Value::Null));
                }
            }
            Some(_) => return false,
        }
        world.record(Record::Views {
            user: user.to_owned(),
            views,
        });
        true
    }

    /// The options in the answer to a question for them, which can be chosen from then on; none where
    /// Slack would not take them.
    fn options_of(&self, view_id: &str, action_id: &str, answered: &Answered) -> Vec<Value> {
        let body: Value = serde_json::from_slice(&answered.body).unwrap_or_default();
        let found = limits::options(&body["options"]);
        if answered.status != 200 || !found.is_empty() {
            tracing::warn!("Slack would refuse the options: {}", found.join("; "));
            return Vec::new();
        }
        let options = body["options"].as_array().cloned().unwrap_or_default();
        let mut world = self.world();
        world.took("options", "the answer to a question for options", &body);
        world.offer(view_id, action_id, &options);
        options
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

fn encoded(pairs: &[(&str, &str)]) -> Vec<u8> {
    serde_urlencoded::to_string(pairs)
        .unwrap_or_default()
        .into_bytes()
}

/// Where an app could answer later, as Slack spells it; nobody listens there.
fn response_url(kind: &str, trigger_id: &str) -> String {
    let number = trigger_id.split('.').next().unwrap_or_default();
    format!("https://hooks.slack.com/{kind}/{TEAM}/{number}/sandbox")
}

/// An interaction of `user`, with `more` fields than all of them have.
fn interaction(world: &World, kind: &str, user: &str, more: Value, answer: Expected) -> Sent {
    let person = world.people.get(user);
    let name = person.map_or_else(String::new, |it| it.name.to_lowercase());
    let home = person.map_or(TEAM, |it| it.team.as_str());
    let domain = if home == TEAM { "sandbox" } else { "elsewhere" };
    let mut payload = json!({
        // Somebody in a shared channel does it in their own workspace.
        "type": kind, "team": {"id": home, "domain": domain},
        "user": {"id": user, "username": name, "name": name, "team_id": home},
        "api_app_id": APP, "token": "sandbox-verification-token", "enterprise": null,
        "is_enterprise_install": false,
    });
    if let (Some(map), Value::Object(more)) = (payload.as_object_mut(), more) {
        map.extend(more);
    }
    Sent {
        content_type: FORM,
        body: encoded(&[("payload", &payload.to_string())]),
        answer,
    }
}

/// The view `id`, which whoever acts must see: their Home, or on top of what they have open.
fn seen_view(world: &World, act: &Act, id: &str) -> Result<Value, Nonsense> {
    let top = world.views.get(&act.user).and_then(|views| views.last());
    let home = world.homes.get(&act.user);
    let mut seen = top.into_iter().chain(home);
    let view = seen.find(|view| view["id"] == id).ok_or_else(|| {
        let ids = top.into_iter().chain(home);
        let ids: Vec<&str> = ids.filter_map(|view| view["id"].as_str()).collect();
        Nonsense::new(
            format!("`{}` does not see the view `{id}`", act.user),
            format!("`{}` sees {}", act.user, list(&ids)),
        )
    })?;
    Ok(view.clone())
}

/// The place of a click in `view`.
fn in_view(view: &Value) -> Value {
    json!({"view": view, "container": {"type": "view", "view_id": view["id"]}})
}

/// The block of `view` that asks for something as `action_id`.
fn input_of<'a>(view: &'a Value, action_id: &str) -> Option<&'a Value> {
    let mut blocks = view["blocks"].as_array().into_iter().flatten();
    blocks.find(|block| block["type"] == "input" && block["element"]["action_id"] == action_id)
}

/// The options that `element` itself offers, in groups or not.
fn offered_in(element: &Value) -> Vec<Value> {
    let groups = element["option_groups"].as_array().into_iter().flatten();
    let lists = groups.map(|group| &group["options"]);
    let lists = lists.chain([&element["options"]]);
    lists
        .filter_map(Value::as_array)
        .flatten()
        .cloned()
        .collect()
}

/// The place of a click in a message, and the button.
fn in_message(
    world: &World,
    act: &Act,
    click: &Click,
    channel: &str,
    ts: &str,
) -> Result<(Value, Value), Nonsense> {
    let id = world.channel_named(channel).ok_or_else(|| {
        Nonsense::new(
            format!("there is no channel `{channel}`"),
            "such as `#sym-requests`, or the id of somebody's direct messages",
        )
    })?;
    let known = world.channels.get(&id).cloned().unwrap_or_default();
    let is_theirs = known.person.as_ref().is_none_or(|it| *it == act.user);
    if !is_theirs && !act.force {
        return Err(Nonsense::new(
            format!("`{}` does not see the direct messages of others", act.user),
            format!("theirs are in `{}`", dm_of(&act.user)),
        ));
    }
    let name = if known.person.is_some() {
        "directmessage"
    } else {
        known.name.as_str()
    };
    let messages = world.messages.get(&id);
    let mut ephemerals = world.ephemerals.get(&act.user).into_iter().flatten();
    if let Some(message) = ephemerals.find(|it| it.channel == id && it.ts == ts) {
        let button = button(&[&message.blocks], act, click)?;
        // Slack does not send such a message back.
        let place = json!({
            "container": {
                "type": "message", "message_ts": ts, "channel_id": id, "is_ephemeral": true,
            },
            "channel": {"id": id, "name": name}, "state": {"values": {}},
        });
        return Ok((place, button));
    }
    let message = messages.and_then(|all| all.get(ts)).ok_or_else(|| {
        let all = messages.into_iter().flat_map(BTreeMap::keys);
        let all: Vec<&str> = all.map(String::as_str).collect();
        Nonsense::new(
            format!("there is no message `{ts}` in `{channel}`"),
            format!("there is {}", list(&all)),
        )
    })?;
    let before = Value::Array(message.before.iter().rev().cloned().collect());
    let shown: &[&Value] = if act.force {
        &[&message.blocks, &before]
    } else {
        &[&message.blocks]
    };
    let button = button(shown, act, click)?;
    let mut container = json!({
        "type": "message", "message_ts": ts, "channel_id": id, "is_ephemeral": false,
    });
    if let (Some(map), Some(thread)) = (container.as_object_mut(), &message.thread_ts) {
        map.insert("thread_ts".to_owned(), json!(thread));
    }
    let place = json!({
        "container": container,
        "channel": {"id": id, "name": name}, "message": described_message(message),
        "state": {"values": {}},
    });
    Ok((place, button))
}

/// What `click` presses in one of `shown`, as it is reported in `actions`.
fn button(shown: &[&Value], act: &Act, click: &Click) -> Result<Value, Nonsense> {
    let blocks = || shown.iter().filter_map(|it| it.as_array()).flatten();
    let elements = || {
        blocks().flat_map(|block| {
            let row = block["elements"].as_array().into_iter().flatten();
            let beside = Some(&block["accessory"]).filter(|it| it.is_object());
            row.chain(beside).map(move |element| (block, element))
        })
    };
    let found = elements().find(|(_, element)| element["action_id"] == click.action_id.as_str());
    let Some((block, element)) = found else {
        if act.force {
            return Ok(json!({
                "type": "button", "action_id": click.action_id, "block_id": "forced",
                "text": {"type": "plain_text", "text": "forced", "emoji": true},
                "value": click.value,
            }));
        }
        let there: Vec<&str> = elements()
            .filter_map(|(_, element)| element["action_id"].as_str())
            .collect();
        return Err(Nonsense::new(
            format!("there is no button `{}`", click.action_id),
            format!("there is {}", list(&there)),
        ));
    };
    let mut action = element.clone();
    if let Some(map) = action.as_object_mut() {
        map.insert("block_id".to_owned(), block["block_id"].clone());
        if map["type"] == "button" {
            if let Some(value) = click.value.as_ref().filter(|_| act.force) {
                map.insert("value".to_owned(), json!(value));
            }
        } else {
            map.remove("options");
            map.remove("option_groups");
            let offered = offered_in(element);
            let value = click.value.as_deref().unwrap_or_default();
            let option = named(&offered, value).ok_or_else(|| {
                let labels = offered.iter().filter_map(|it| it["text"]["text"].as_str());
                let labels: Vec<&str> = labels.collect();
                Nonsense::new(
                    format!("`{value}` is not offered"),
                    format!("`value` is one of {}", list(&labels)),
                )
            })?;
            map.insert("selected_option".to_owned(), option);
        }
    }
    Ok(action)
}

fn list(items: &[&str]) -> String {
    if items.is_empty() {
        "nothing".to_owned()
    } else {
        items.join(", ")
    }
}

/// Why Slack's client does not submit `given` for `input`.
fn refused(input: &Value, kind: &str, given: &Value) -> Option<String> {
    let text = given.as_str();
    if given.is_null() {
        let required = input["optional"] != true;
        return required.then(|| "Please complete this required field.".to_owned());
    }
    let element = &input["element"];
    let bound = |key: &str| element[key].as_u64();
    let length = text.map_or(0, |text| text.chars().count() as u64);
    let number = |value: &Value| value.as_str().and_then(|text| text.parse::<f64>().ok());
    let beyond = |key: &str, ordering: Ordering| {
        let bound = number(&element[key]).zip(number(given));
        bound.is_some_and(|(bound, given)| given.partial_cmp(&bound) == Some(ordering))
    };
    match kind {
        "plain_text_input" if bound("max_length").is_some_and(|max| length > max) => {
            Some("Please shorten this.".to_owned())
        }
        "plain_text_input" if bound("min_length").is_some_and(|min| length < min) => {
            Some("Please write more.".to_owned())
        }
        "number_input" if number(given).is_none() => Some("Please enter a number.".to_owned()),
        "number_input"
            if element["is_decimal_allowed"] != true
                && text.is_some_and(|text| text.parse::<i64>().is_err()) =>
        {
            Some("Please enter a whole number.".to_owned())
        }
        "number_input" if beyond("min_value", Ordering::Less) => {
            let least = element["min_value"].as_str().unwrap_or_default();
            Some(format!("Please enter {least} or more."))
        }
        "number_input" if beyond("max_value", Ordering::Greater) => {
            let most = element["max_value"].as_str().unwrap_or_default();
            Some(format!("Please enter {most} or less."))
        }
        "datepicker" if text.is_some_and(|text| text.parse::<jiff::civil::Date>().is_err()) => {
            Some("Please enter a date.".to_owned())
        }
        _ => None,
    }
}

/// The option that `text` names: by value, by label, or by label in other case.
fn named(options: &[Value], text: &str) -> Option<Value> {
    let label = |option: &Value| option["text"]["text"].as_str().map(str::to_lowercase);
    let by_value = options.iter().find(|it| it["value"] == text);
    let by_label = || options.iter().find(|it| it["text"]["text"] == text);
    let any_case = || {
        let wanted = Some(text.to_lowercase());
        options.iter().find(|it| label(it) == wanted)
    };
    by_value.or_else(by_label).or_else(any_case).cloned()
}

fn pop(world: &mut World, user: &str) {
    let mut views = world.views.get(user).cloned().unwrap_or_default();
    views.pop();
    world.record(Record::Views {
        user: user.to_owned(),
        views,
    });
}
