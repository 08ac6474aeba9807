//! A Slack workspace with several people: the Web API that the functions call, and the people, who
//! type, click and submit as Slack's client would have them do it.

#![expect(
    clippy::indexing_slicing,
    reason = "a JSON value is read by key all over, which gives null where there is none"
)]

mod api;
pub mod limits;
mod people;
#[cfg(test)]
mod tests;
mod world;

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws::Clock;
use axum::Router;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::Nonsense;
use world::{Record, World};

/// The workspace.
pub const TEAM: &str = "T0SANDBOX";
/// What the workspace signs its requests with.
pub const SIGNING_SECRET: &str = "sandbox-signing-secret";
/// The app's token.
pub const BOT_TOKEN: &str = "xoxb-sandbox";
/// The app's own user.
const BOT_USER: &str = "U00STINT";
/// The app.
const APP: &str = "A0STINT";

/// The workspace. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Slack {
    world: Arc<Mutex<World>>,
    clock: Arc<dyn Clock>,
}

impl Slack {
    /// The workspace as it was left in the file `path`, a new one if there is none.
    ///
    /// # Errors
    ///
    /// The file cannot be read or written.
    pub fn open(path: impl AsRef<Path>, clock: Arc<dyn Clock>) -> io::Result<Self> {
        Ok(Self {
            world: Arc::new(Mutex::new(World::open(path.as_ref())?)),
            clock,
        })
    }

    /// The Web API: one route per method, to be nested under `/slack/api`.
    pub fn router(&self) -> Router {
        api::router(self.clone())
    }

    /// Everything that people see, as the `slack` object of `GET /sandbox/state`.
    #[must_use]
    pub fn state(&self) -> Value {
        self.world().state()
    }

    /// Changes what an administrator could: `{"channel","archived","bot_in"}` or
    /// `{"user","email","deleted"}`, each with what is to change.
    ///
    /// # Errors
    ///
    /// There is no such channel or person, or nothing to change.
    pub fn admin(&self, body: &Value) -> Result<Value, Nonsense> {
        let mut world = self.world();
        let record = if let Some(name) = body["channel"].as_str() {
            let id = world.channel_named(name).ok_or_else(|| {
                let names = world.channels.keys().cloned().collect::<Vec<_>>();
                Nonsense::new(
                    format!("there is no channel `{name}`"),
                    format!("one of {}", names.join(", ")),
                )
            })?;
            let mut channel = world.channels.get(&id).cloned().unwrap_or_default();
            if let Some(archived) = body["archived"].as_bool() {
                channel.archived = archived;
            }
            if let Some(bot_in) = body["bot_in"].as_bool() {
                channel.bot_in = bot_in;
            }
            Record::Channel { id, channel }
        } else if let Some(id) = body["user"].as_str() {
            let mut person = world.person(id)?.clone();
            if let Some(email) = body.get("email") {
                person.email = email.as_str().map(str::to_owned);
            }
            if let Some(deleted) = body["deleted"].as_bool() {
                person.deleted = deleted;
            }
            Record::Person {
                id: id.to_owned(),
                person,
            }
        } else {
            return Err(Nonsense::new(
                "neither `channel` nor `user`",
                r##"{"channel":"#general","archived":true} or {"user":"U01ALICE","deleted":true}"##,
            ));
        };
        world.record(record);
        Ok(json!({}))
    }

    fn world(&self) -> MutexGuard<'_, World> {
        // Every change is one assignment: a panic elsewhere leaves nothing half done.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
