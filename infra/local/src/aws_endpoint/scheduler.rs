//! EventBridge Scheduler: one-time schedules of one group, in a file.
//!
//! Shapes and errors are those of the EventBridge Scheduler API reference: `CreateSchedule`,
//! `GetSchedule`, `DeleteSchedule`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use aws::Clock;
use axum::Json;
use axum::body::Bytes;
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Refusal;
use crate::clock::SandboxClock;
use crate::functions::Function;
use crate::stack::{ACCOUNT, REGION, SCHEDULE_GROUP, SCHEDULE_ROLE};
use crate::work::locked;
use crate::{Error, store};

/// The schedules.
#[derive(Debug)]
pub(crate) struct Scheduler {
    clock: SandboxClock,
    path: PathBuf,
    schedules: Mutex<BTreeMap<String, Schedule>>,
}

/// A schedule that has not fired yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Schedule {
    /// When it fires.
    pub(crate) at: Timestamp,
    /// What it invokes.
    pub(crate) function: Function,
    /// With what.
    pub(crate) input: Value,
    client_token: Option<String>,
    request: Value,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Create {
    group_name: Option<String>,
    schedule_expression: String,
    schedule_expression_timezone: Option<String>,
    client_token: Option<String>,
    action_after_completion: Option<String>,
    target: Target,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Target {
    arn: String,
    role_arn: String,
    input: Option<String>,
}

impl Scheduler {
    /// The schedules in the file `path`.
    pub(crate) fn open(path: &Path, clock: SandboxClock) -> Result<Arc<Self>, Error> {
        let schedules = store::load(path).map_err(|error| Error::folder(path, &error))?;
        Ok(Arc::new(Self {
            clock,
            path: path.to_owned(),
            schedules: Mutex::new(schedules.unwrap_or_default()),
        }))
    }

    /// When the next one fires.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        locked(&self.schedules)
            .values()
            .map(|schedule| schedule.at)
            .min()
    }

    /// Those that fire now or should have fired before, in order. They stay until
    /// [`Scheduler::done`].
    pub(crate) fn due(&self) -> Vec<(String, Schedule)> {
        let now = self.clock.now();
        let mut due: Vec<_> = locked(&self.schedules)
            .iter()
            .filter(|(_, schedule)| schedule.at <= now)
            .map(|(name, schedule)| (name.clone(), schedule.clone()))
            .collect();
        due.sort_by_key(|(_, schedule)| schedule.at);
        due
    }

    /// Deletes the schedules `names`, which have fired.
    pub(crate) fn done(&self, names: &[String]) {
        let mut schedules = locked(&self.schedules);
        for name in names {
            schedules.remove(name);
        }
        if let Err(error) = store::save(&self.path, &*schedules) {
            tracing::error!(%error, "the schedules were not saved: {error}");
        }
    }

    /// All of them, for the JSON surface.
    pub(crate) fn state(&self) -> Value {
        let schedules = locked(&self.schedules);
        let list = schedules.iter().map(|(name, schedule)| {
            json!({"name": name, "at": schedule.at, "request": schedule.input.get("request")})
        });
        list.collect()
    }

    pub(super) fn answer(&self, parts: &Parts, body: &Bytes) -> Result<Response, Refusal> {
        let name = parts
            .uri
            .path()
            .strip_prefix("/schedules/")
            .unwrap_or_default();
        check_name(name)?;
        match parts.method {
            Method::POST => self.create(name, body),
            Method::GET => {
                check_group(group_of(parts).as_deref())?;
                self.get(name)
            }
            _ => {
                check_group(group_of(parts).as_deref())?;
                self.delete(name)
            }
        }
    }

    fn create(&self, name: &str, body: &Bytes) -> Result<Response, Refusal> {
        let create: Create =
            serde_json::from_slice(body).map_err(|error| invalid(error.to_string()))?;
        check_group(create.group_name.as_deref())?;
        let request = serde_json::from_slice(body).unwrap_or_default();
        let schedule = Self::read(create, request)?;
        let mut schedules = locked(&self.schedules);
        if let Some(existing) = schedules.get(name) {
            // The SDK's own retry of the same call.
            let is_same_call =
                existing.client_token.is_some() && existing.client_token == schedule.client_token;
            if is_same_call {
                return Ok(created(name));
            }
            return Err(Refusal::new(
                409,
                "ConflictException",
                format!("Schedule {name} already exists."),
            ));
        }
        if schedule.at < self.clock.now() {
            return Err(invalid(
                "Invalid Schedule Expression: the time of at() is in the past.",
            ));
        }
        schedules.insert(name.to_owned(), schedule);
        if let Err(error) = store::save(&self.path, &*schedules) {
            schedules.remove(name);
            return Err(Refusal::broken(error.to_string()));
        }
        drop(schedules);
        self.clock.nudge();
        Ok(created(name))
    }

    fn get(&self, name: &str) -> Result<Response, Refusal> {
        let schedules = locked(&self.schedules);
        let Some(schedule) = schedules.get(name) else {
            return Err(missing(format!("Schedule {name} does not exist.")));
        };
        let mut answer = schedule.request.clone();
        if let Some(answer) = answer.as_object_mut() {
            answer.remove("ClientToken");
            answer.insert("Arn".to_owned(), json!(arn(name)));
            answer.insert("Name".to_owned(), json!(name));
            answer.insert("State".to_owned(), json!("ENABLED"));
        }
        Ok(Json(answer).into_response())
    }

    fn delete(&self, name: &str) -> Result<Response, Refusal> {
        let mut schedules = locked(&self.schedules);
        let Some(schedule) = schedules.remove(name) else {
            return Err(missing(format!("Schedule {name} does not exist.")));
        };
        if let Err(error) = store::save(&self.path, &*schedules) {
            schedules.insert(name.to_owned(), schedule);
            return Err(Refusal::broken(error.to_string()));
        }
        Ok(Json(json!({})).into_response())
    }

    fn read(create: Create, request: Value) -> Result<Schedule, Refusal> {
        let expression = &create.schedule_expression;
        let bad = || invalid(format!("Invalid Schedule Expression {expression}."));
        let at: DateTime = expression
            .strip_prefix("at(")
            .and_then(|rest| rest.strip_suffix(')'))
            .filter(|time| time.len() == "2026-01-01T00:00:00".len())
            .and_then(|time| time.parse().ok())
            .ok_or_else(bad)?;
        let zone = create.schedule_expression_timezone.as_deref();
        if zone.is_some_and(|zone| zone != "UTC") {
            return Err(invalid("the sandbox knows only schedules in UTC"));
        }
        if create.action_after_completion.as_deref() != Some("DELETE") {
            return Err(invalid(
                "the sandbox knows only schedules that are deleted after they fired",
            ));
        }
        let at = TimeZone::UTC.to_timestamp(at).map_err(|_| bad())?;
        let target = create.target;
        let is_ours = Function::named(&target.arn) == Some(Function::Deescalation);
        if target.role_arn != SCHEDULE_ROLE || !is_ours {
            return Err(invalid(
                "The execution role you provide must allow AWS EventBridge Scheduler to assume the \
                 role and to invoke the target.",
            ));
        }
        let input = target.input.as_deref().unwrap_or("{}");
        Ok(Schedule {
            at,
            function: Function::Deescalation,
            input: serde_json::from_str(input)
                .map_err(|_| invalid("Invalid RequestJson: the input is not JSON."))?,
            client_token: create.client_token,
            request,
        })
    }
}

fn created(name: &str) -> Response {
    Json(json!({"ScheduleArn": arn(name)})).into_response()
}

fn arn(name: &str) -> String {
    format!("arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/{SCHEDULE_GROUP}/{name}")
}

fn check_name(name: &str) -> Result<(), Refusal> {
    let is_known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let constraint = if name.is_empty() {
        "Member must have length greater than or equal to 1"
    } else if name.len() > 64 {
        "Member must have length less than or equal to 64"
    } else if !name.chars().all(is_known) {
        "Member must satisfy regular expression pattern: ^[0-9a-zA-Z-_.]+$"
    } else {
        return Ok(());
    };
    Err(invalid(format!(
        "1 validation error detected: Value '{name}' at 'name' failed to satisfy constraint: {constraint}"
    )))
}

fn check_group(group: Option<&str>) -> Result<(), Refusal> {
    match group.unwrap_or("default") {
        SCHEDULE_GROUP => Ok(()),
        other => Err(missing(format!("Schedule group {other} does not exist."))),
    }
}

fn group_of(parts: &Parts) -> Option<String> {
    let query = parts.uri.query().unwrap_or_default();
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap_or_default();
    pairs
        .into_iter()
        .find_map(|(name, value)| (name == "groupName").then_some(value))
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(400, "ValidationException", message)
}

fn missing(message: String) -> Refusal {
    Refusal::new(404, "ResourceNotFoundException", message)
}
