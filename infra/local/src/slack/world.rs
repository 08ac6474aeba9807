//! What there is in the workspace, and the journal in which every change is kept.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{APP, BOT_USER, SIGNING_SECRET, TEAM};
use crate::Nonsense;

/// How long a click can open a view.
const TRIGGER_LIFE: SignedDuration = SignedDuration::from_secs(3);

/// How many private messages are kept for each person.
const EPHEMERALS: usize = 50;

/// From this size on the file of what was shown is begun anew at the next start.
const SHOWN_BYTES: u64 = 32 << 20;

/// Everything in the workspace. Each change is a [`Record`], written to a journal before anybody is
/// answered; the journal is what the workspace is read from at the next start.
#[derive(Debug, Default)]
pub(super) struct World {
    journal: Option<File>,
    shown: Option<File>,
    /// How often the workspace was opened: no identifier is given out twice.
    generation: u64,
    count: u64,
    last_ts: i64,
    pub(super) people: BTreeMap<String, Person>,
    pub(super) channels: BTreeMap<String, Channel>,
    pub(super) messages: BTreeMap<String, BTreeMap<String, Message>>,
    pub(super) ephemerals: BTreeMap<String, Vec<Ephemeral>>,
    pub(super) views: BTreeMap<String, Vec<Value>>,
    pub(super) homes: BTreeMap<String, Value>,
    triggers: BTreeMap<String, Trigger>,
    /// What the app offered while somebody typed, by view and action: it can be chosen.
    offered: BTreeMap<(String, String), Vec<Value>>,
}

/// One change.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Record {
    Opened {
        generation: u64,
    },
    Person {
        id: String,
        person: Person,
    },
    Channel {
        id: String,
        channel: Channel,
    },
    Message {
        channel: String,
        message: Message,
    },
    Ephemeral {
        user: String,
        ephemeral: Ephemeral,
    },
    /// The whole stack of views that a person has open, the top one last.
    Views {
        user: String,
        views: Vec<Value>,
    },
    Home {
        user: String,
        view: Value,
    },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Person {
    pub(super) name: String,
    pub(super) email: Option<String>,
    pub(super) kind: Kind,
    pub(super) team: String,
    pub(super) okta: Option<String>,
    pub(super) deleted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Member,
    Guest,
    Bot,
    Stranger,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Channel {
    pub(super) name: String,
    pub(super) bot_in: bool,
    pub(super) archived: bool,
    /// Whose direct messages these are.
    pub(super) person: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Message {
    pub(super) ts: String,
    pub(super) thread_ts: Option<String>,
    /// Whether a reply in a thread is shown in the channel too.
    #[serde(default)]
    pub(super) broadcast: bool,
    pub(super) text: String,
    pub(super) blocks: Value,
    /// The blocks with buttons that it had before, the latest last: a screen may still show them.
    #[serde(default)]
    pub(super) before: Vec<Value>,
}

impl Message {
    fn shown(&self) -> Value {
        let mut shown = json!({
            "ts": self.ts, "thread_ts": self.thread_ts, "text": self.text, "blocks": self.blocks,
        });
        if let Some(map) = shown.as_object_mut().filter(|_| self.broadcast) {
            map.insert("subtype".to_owned(), json!(BROADCAST));
        }
        shown
    }
}

/// What Slack calls a reply that is shown in the channel too.
const BROADCAST: &str = "thread_broadcast";

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Ephemeral {
    /// Counts all of them, so that the new ones are known.
    pub(super) number: u64,
    #[serde(default)]
    pub(super) ts: String,
    pub(super) channel: String,
    pub(super) text: String,
    pub(super) blocks: Value,
}

#[derive(Debug)]
struct Trigger {
    user: String,
    at: Timestamp,
    used: bool,
}

impl Ephemeral {
    pub(super) fn shown(&self) -> Value {
        json!({
            "channel": self.channel, "ts": self.ts, "text": self.text, "blocks": self.blocks,
        })
    }
}

impl World {
    /// Reads the journal at `path`, and writes it anew without what has been overwritten since.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut world = Self::default();
        for record in seed().into_iter().chain(read(path)?) {
            world.apply(record);
        }
        world.generation += 1;
        let draft = path.with_extension("draft");
        let mut file = BufWriter::new(File::create(&draft)?);
        for record in world.snapshot() {
            file.write_all(&line(&record)?)?;
        }
        let file = file.into_inner()?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        world.journal = Some(file);
        let shown = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path.with_extension("shown.jsonl"))?;
        if shown.metadata()?.len() > SHOWN_BYTES {
            shown.set_len(0)?;
        }
        world.shown = Some(shown);
        Ok(world)
    }

    /// Keeps what the app sent and Slack took, exactly as it was sent, for tests to look at: a line
    /// of the file beside the journal. `kind` says what it is, `from` how it came.
    pub(super) fn took(&mut self, kind: &str, from: &str, content: &Value) {
        let mut line = json!({"kind": kind, "from": from, "content": content}).to_string();
        line.push('\n');
        let kept = match &mut self.shown {
            Some(file) => file.write_all(line.as_bytes()),
            None => Ok(()),
        };
        if let Err(error) = kept {
            tracing::error!(%error, "what the simulated Slack shows cannot be written: {error}");
        }
    }

    /// Makes a change and keeps it.
    pub(super) fn record(&mut self, record: Record) {
        let kept = line(&record).and_then(|line| match &mut self.journal {
            Some(journal) => journal.write_all(&line),
            None => Ok(()),
        });
        if let Err(error) = kept {
            tracing::error!(%error, "the simulated Slack cannot be written: {error}");
        }
        self.apply(record);
    }

    fn apply(&mut self, record: Record) {
        match record {
            Record::Opened { generation } => self.generation = generation,
            Record::Person { id, person } => {
                self.people.insert(id, person);
            }
            Record::Channel { id, channel } => {
                self.channels.insert(id, channel);
            }
            Record::Message { channel, message } => {
                self.taken(&message.ts);
                let messages = self.messages.entry(channel).or_default();
                messages.insert(message.ts.clone(), message);
            }
            Record::Ephemeral { user, ephemeral } => {
                self.taken(&ephemeral.ts);
                let all = self.ephemerals.entry(user).or_default();
                all.push(ephemeral);
                let excess = all.len().saturating_sub(EPHEMERALS);
                all.drain(..excess);
            }
            Record::Views { user, views } => {
                self.views.insert(user, views);
            }
            Record::Home { user, view } => {
                self.homes.insert(user, view);
            }
        }
    }

    /// The records that make everything there is.
    fn snapshot(&self) -> Vec<Record> {
        let mut all = vec![Record::Opened {
            generation: self.generation,
        }];
        all.extend(self.people.iter().map(|(id, person)| Record::Person {
            id: id.clone(),
            person: person.clone(),
        }));
        all.extend(self.channels.iter().map(|(id, channel)| Record::Channel {
            id: id.clone(),
            channel: channel.clone(),
        }));
        for (channel, messages) in &self.messages {
            all.extend(messages.values().map(|message| Record::Message {
                channel: channel.clone(),
                message: message.clone(),
            }));
        }
        for (user, ephemerals) in &self.ephemerals {
            all.extend(ephemerals.iter().map(|ephemeral| Record::Ephemeral {
                user: user.clone(),
                ephemeral: ephemeral.clone(),
            }));
        }
        all.extend(self.views.iter().map(|(user, views)| Record::Views {
            user: user.clone(),
            views: views.clone(),
        }));
        all.extend(self.homes.iter().map(|(user, view)| Record::Home {
            user: user.clone(),
            view: view.clone(),
        }));
        all
    }

    pub(super) fn state(&self) -> Value {
        let messages = |channel: &str| -> Vec<Value> {
            let all = self.messages.get(channel);
            all.into_iter()
                .flat_map(BTreeMap::values)
                .map(Message::shown)
                .collect()
        };
        let each = |of: &dyn Fn(&str) -> Value| -> Value {
            let people = self.people.keys();
            people.map(|id| (id.clone(), of(id))).collect()
        };
        let users = |id: &str| {
            self.people.get(id).map_or(Value::Null, |person| {
                json!({"name": person.name, "email": person.email, "kind": person.kind, "okta": person.okta})
            })
        };
        let dm = |id: &str| {
            let channel = dm_of(id);
            json!({"channel": channel, "messages": messages(&channel)})
        };
        let public = self.channels.iter().filter(|(_, it)| it.person.is_none());
        let channels: Value = public
            .map(|(id, it)| {
                (
                    id.clone(),
                    json!({"name": it.name, "messages": messages(id)}),
                )
            })
            .collect();
        let ephemerals = |id: &str| {
            let all = self.ephemerals.get(id).into_iter().flatten();
            all.map(Ephemeral::shown).collect()
        };
        json!({
            "team": TEAM,
            "signing_secret": SIGNING_SECRET,
            "users": each(&users),
            "channels": channels,
            "dms": each(&dm),
            "ephemerals": each(&ephemerals),
            "views": each(&|id| json!(self.views.get(id).cloned().unwrap_or_default())),
            "homes": each(&|id| json!(self.homes.get(id))),
        })
    }

    pub(super) fn person(&self, id: &str) -> Result<&Person, Nonsense> {
        self.people.get(id).ok_or_else(|| {
            let people = self.people.keys().cloned().collect::<Vec<_>>();
            Nonsense::new(
                format!("there is no user `{id}`"),
                format!("`user` is one of {}", people.join(", ")),
            )
        })
    }

    /// The id of the channel that `name` names: an id, a name with or without `#`, or a person's id
    /// for their direct messages.
    pub(super) fn channel_named(&self, name: &str) -> Option<String> {
        let plain = name.strip_prefix('#').unwrap_or(name);
        let found = self.channels.iter().find(|(id, channel)| {
            id.as_str() == name || (channel.person.is_none() && channel.name == plain)
        });
        let dm = || Some(dm_of(name)).filter(|dm| self.channels.contains_key(dm));
        match found {
            Some((id, _)) => Some(id.clone()),
            None if self.people.contains_key(name) => dm(),
            None => None,
        }
    }

    /// A number that was never given out before.
    pub(super) fn number(&mut self) -> u64 {
        self.count += 1;
        self.generation * GENERATION + self.count
    }

    /// Gives out no timestamp up to `ts` any more.
    fn taken(&mut self, ts: &str) {
        let micros = ts.replace('.', "").parse().unwrap_or(0);
        self.last_ts = self.last_ts.max(micros);
    }

    /// The timestamp of a new message: the time, a little later where that is taken.
    pub(super) fn ts(&mut self, now: Timestamp) -> String {
        self.last_ts = now.as_microsecond().max(self.last_ts + 1);
        format!(
            "{}.{:06}",
            self.last_ts / 1_000_000,
            self.last_ts % 1_000_000
        )
    }

    /// Lets `user` open one view within three seconds.
    pub(super) fn trigger(&mut self, user: &str, now: Timestamp) -> String {
        self.triggers
            .retain(|_, trigger| now.duration_since(trigger.at) <= TRIGGER_LIFE * 20);
        let number = self.number();
        let id = format!("{number}.9000000001.{:032x}", u128::from(number) << 32);
        let trigger = Trigger {
            user: user.to_owned(),
            at: now,
            used: false,
        };
        self.triggers.insert(id.clone(), trigger);
        id
    }

    /// Who may open a view with the trigger `id`; it works once.
    pub(super) fn pull(&mut self, id: &str, now: Timestamp) -> Result<String, &'static str> {
        let Some(trigger) = self.triggers.get_mut(id) else {
            return Err("invalid_trigger_id");
        };
        if now.duration_since(trigger.at) > TRIGGER_LIFE {
            return Err("expired_trigger_id");
        }
        if trigger.used {
            return Err("exchanged_trigger_id");
        }
        trigger.used = true;
        Ok(trigger.user.clone())
    }

    /// What the app offered for `action_id` of the view `view_id` while somebody typed.
    pub(super) fn offered(&self, view_id: &str, action_id: &str) -> Vec<Value> {
        let key = (view_id.to_owned(), action_id.to_owned());
        self.offered.get(&key).cloned().unwrap_or_default()
    }

    /// Keeps what the app has just offered there.
    pub(super) fn offer(&mut self, view_id: &str, action_id: &str, options: &[Value]) {
        let key = (view_id.to_owned(), action_id.to_owned());
        let known = self.offered.entry(key).or_default();
        known.extend_from_slice(options);
    }

    /// Keeps `values` as what is filled in in the view `view_id` of `user`.
    pub(super) fn fill(&mut self, user: &str, view_id: &str, values: &Value) {
        let mut views = self.views.get(user).cloned().unwrap_or_default();
        let view = views.iter_mut().find(|view| view["id"] == view_id);
        let Some(map) = view.and_then(Value::as_object_mut) else {
            return;
        };
        map.insert("state".to_owned(), json!({"values": values}));
        self.record(Record::Views {
            user: user.to_owned(),
            views,
        });
    }

    /// `view` as Slack keeps it: with an identity, every block with an id, and what is filled in.
    /// `under` is the view on which it lies, `before` the one whose place it takes.
    pub(super) fn stored_view(
        &mut self,
        view: &Value,
        id: Option<&str>,
        under: &Value,
        before: &Value,
    ) -> Value {
        let id = id.map_or_else(|| format!("V{:012}", self.number()), str::to_owned);
        let mut out = view.clone();
        if let Some(map) = out.as_object_mut() {
            let mut default = |key: &str, value: Value| {
                map.entry(key).or_insert(value);
            };
            default("callback_id", json!(""));
            default("private_metadata", json!(""));
            default("external_id", json!(""));
            // A Home tab has no title, but Slack sends one.
            default(
                "title",
                json!({"type": "plain_text", "text": "View Title", "emoji": true}),
            );
            default("submit", Value::Null);
            default("close", Value::Null);
            default("clear_on_close", json!(false));
            default("notify_on_close", json!(false));
        }
        let root = match under["root_view_id"].as_str() {
            Some(root) => root.to_owned(),
            None => id.clone(),
        };
        let hash = format!("{}.h{}", self.last_ts / 1_000_000, self.number());
        let blocks = self.stored_blocks(&view["blocks"]);
        let filled = filled(&blocks, &before["state"]["values"]);
        let more = json!({
            "id": id, "team_id": TEAM, "app_id": APP, "app_installed_team_id": TEAM,
            "bot_id": "B00STINT", "hash": hash, "root_view_id": root,
            "previous_view_id": under["id"], "state": {"values": filled}, "blocks": blocks,
        });
        if let (Some(map), Value::Object(more)) = (out.as_object_mut(), more) {
            map.extend(more);
        }
        out
    }

    /// `view` in the place of `old`; what is filled in stays.
    pub(super) fn replaced(&mut self, old: &Value, view: &Value) -> Value {
        let mut new = self.stored_view(view, old["id"].as_str(), &Value::Null, old);
        if let Some(map) = new.as_object_mut() {
            for key in ["root_view_id", "previous_view_id"] {
                map.insert(key.to_owned(), old[key].clone());
            }
        }
        new
    }

    /// Every block with an id, as Slack gives one to those that have none.
    pub(super) fn stored_blocks(&mut self, blocks: &Value) -> Value {
        let mut blocks = blocks.as_array().cloned().unwrap_or_default();
        for block in &mut blocks {
            if let Some(map) = block.as_object_mut()
                && !map.contains_key("block_id")
            {
                map.insert("block_id".to_owned(), json!(format!("b{}", self.number())));
            }
        }
        Value::Array(blocks)
    }
}

/// What is filled in in `blocks`, as `state.values`. Slack goes by block and action: what was there
/// `before` under the same two ids stays, also when it was nothing, or is not offered any more; what
/// the element is set to from the start counts only where the ids are new (observed; the reference
/// says that it "can be preserved").
fn filled(blocks: &Value, before: &Value) -> Value {
    let mut all = Map::new();
    for block in blocks.as_array().into_iter().flatten() {
        let row = block["elements"].as_array().into_iter().flatten();
        let mut held = Map::new();
        for element in row.chain([&block["accessory"], &block["element"]]) {
            let (Some(kind), Some(id)) = (element["type"].as_str(), element["action_id"].as_str())
            else {
                continue;
            };
            let Some((key, initial)) = slot(kind) else {
                continue;
            };
            let known = &before[block["block_id"].as_str().unwrap_or_default()][id];
            let value = if known["type"] == kind {
                known.clone()
            } else {
                json!({"type": kind, key: element[initial]})
            };
            held.insert(id.to_owned(), value);
        }
        if let Some(id) = block["block_id"].as_str().filter(|_| !held.is_empty()) {
            all.insert(id.to_owned(), Value::Object(held));
        }
    }
    Value::Object(all)
}

/// Where an element of `kind` says what it holds, and what it holds from the start; none for a button.
pub(super) fn slot(kind: &str) -> Option<(&'static str, &'static str)> {
    match kind {
        "plain_text_input" | "number_input" => Some(("value", "initial_value")),
        "static_select" | "external_select" => Some(("selected_option", "initial_option")),
        "users_select" => Some(("selected_user", "initial_user")),
        "datepicker" => Some(("selected_date", "initial_date")),
        _ => None,
    }
}

/// How many identifiers there are between one start and the next.
const GENERATION: u64 = 10_000_000;

/// The channel of a person's direct messages with the app.
pub(super) fn dm_of(user: &str) -> String {
    format!("D{}", user.get(1..).unwrap_or_default())
}

/// A user as `users.info` describes them.
pub(super) fn described(id: &str, person: &Person) -> Value {
    json!({
        "id": id, "team_id": person.team, "name": person.name.to_lowercase(),
        "deleted": person.deleted, "real_name": person.name, "tz": "Europe/Berlin",
        "tz_label": "Central European Time", "tz_offset": 3600,
        "is_admin": false, "is_owner": false, "is_primary_owner": false,
        "is_bot": person.kind == Kind::Bot, "is_app_user": false, "updated": 1,
        "is_restricted": person.kind == Kind::Guest, "is_ultra_restricted": false,
        "is_stranger": person.kind == Kind::Stranger, "is_email_confirmed": true,
        "profile": {
            "real_name": person.name, "display_name": person.name.to_lowercase(),
            "email": person.email, "team": person.team,
        },
    })
}

fn line(record: &Record) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(record)?;
    line.push(b'\n');
    Ok(line)
}

/// The records at `path`. A last one that was cut off when the process was killed never was.
fn read(path: &Path) -> io::Result<Vec<Record>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    text.split_inclusive('\n')
        .filter(|line| line.ends_with('\n'))
        .map(|line| serde_json::from_str(line).map_err(io::Error::from))
        .collect()
}

/// The people: id, name, e-mail, kind, Okta user; empty where they have none.
const PEOPLE: [(&str, &str, &str, Kind, &str); 9] = [
    (
        "U01ALICE",
        "Alice",
        "alice@example.com",
        Kind::Member,
        "00u1alice",
    ),
    ("U02BOB", "Bob", "bob@example.com", Kind::Member, "00u2bob"),
    (
        "U03CAROL",
        "Carol",
        "carol@example.com",
        Kind::Member,
        "00u3carol",
    ),
    (
        "U04DAVE",
        "Dave",
        "dave@example.com",
        Kind::Member,
        "00u4dave",
    ),
    (
        "U05GUEST",
        "Guest",
        "guest@example.com",
        Kind::Guest,
        "00u5guest",
    ),
    ("U06BOT", "Bot", "", Kind::Bot, ""),
    (
        "U07STRANGER",
        "Stranger",
        "stranger@elsewhere.example",
        Kind::Stranger,
        "",
    ),
    (
        "U08NOBODY",
        "Nobody",
        "nobody@example.com",
        Kind::Member,
        "",
    ),
    ("U09TWINS", "Twins", "twins@example.com", Kind::Member, ""),
];

/// The workspace as it is at the first start.
fn seed() -> Vec<Record> {
    let channel = |id: &str, name: &str, person: Option<&str>| Record::Channel {
        id: id.to_owned(),
        channel: Channel {
            name: name.to_owned(),
            bot_in: true,
            archived: false,
            person: person.map(str::to_owned),
        },
    };
    let mut all = vec![
        channel("C01REQUESTS", "sym-requests", None),
        channel("C02ERRORS", "sym-errors", None),
        channel("C03GENERAL", "general", None),
    ];
    for (id, name, email, kind, okta) in PEOPLE {
        let is_stranger = kind == Kind::Stranger;
        let filled = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let team = if is_stranger { "T0ELSEWHERE" } else { TEAM };
        all.push(channel(&dm_of(id), "", Some(id)));
        all.push(Record::Person {
            id: id.to_owned(),
            person: Person {
                name: name.to_owned(),
                email: filled(email),
                kind,
                team: team.to_owned(),
                okta: filled(okta),
                deleted: false,
            },
        });
    }
    all
}

/// The message as Slack describes it in answers and clicks.
pub(super) fn described_message(message: &Message) -> Value {
    let mut described = json!({
        "type": "message", "user": BOT_USER, "bot_id": "B00STINT", "app_id": APP, "team": TEAM,
        "ts": message.ts, "text": message.text, "blocks": message.blocks,
    });
    if let (Some(map), Some(thread)) = (described.as_object_mut(), &message.thread_ts) {
        map.insert("thread_ts".to_owned(), json!(thread));
        if message.broadcast {
            map.insert("subtype".to_owned(), json!(BROADCAST));
        }
    }
    described
}
