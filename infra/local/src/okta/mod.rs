//! An Okta org with several people and groups: the API that the functions call, and an administrator
//! who changes things behind their back.

mod api;
mod org;
mod query;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use aws::Clock;
use axum::Router;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use crate::Nonsense;
use crate::work::locked;
use org::{Group, Org, Record, STATUSES, User};

/// The API token that the org accepts.
pub const API_TOKEN: &str = "00sandbox-okta-token";

/// How many calls are shown.
const CALLS: usize = 1000;

/// The org. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Okta {
    org: Arc<Mutex<Org>>,
    traffic: Arc<Mutex<Traffic>>,
    clock: Arc<dyn Clock>,
}

/// What was called. It is gone after a restart.
#[derive(Debug, Default)]
struct Traffic {
    limits: Limits,
    /// The latest calls.
    calls: VecDeque<Value>,
    /// By bucket of the rate limits: the minute, and how many calls there were in it.
    counts: HashMap<&'static str, (i64, u32)>,
    /// How many calls are there now, and how many there were at most, but for those too many.
    at_once: usize,
    most_at_once: usize,
    /// How many answers there were, by method and status.
    answers: BTreeMap<String, u64>,
    /// How often a call was one too many, by method and path.
    refused: HashMap<String, u64>,
}

/// What an administrator can set of how much Okta takes.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Changes of memberships in a minute, if not as many as usual.
    memberships: Option<u32>,
    /// Calls at once.
    at_once: usize,
    /// How long each call takes, by real time.
    takes: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memberships: None,
            at_once: 75,
            takes: Duration::ZERO,
        }
    }
}

impl Okta {
    /// The org as it was left in the file `path`, a new one if there is none.
    ///
    /// # Errors
    ///
    /// The file cannot be read or written.
    pub fn open(path: &Path, clock: Arc<dyn Clock>) -> io::Result<Self> {
        Ok(Self {
            org: Arc::new(Mutex::new(Org::open(path)?)),
            traffic: Arc::default(),
            clock,
        })
    }

    /// The API, to be nested under `/okta`.
    pub fn router(&self) -> Router {
        api::router(self.clone())
    }

    /// Everything in the org and the latest calls, as the `okta` object of `GET /sandbox/state`.
    #[must_use]
    pub fn state(&self) -> Value {
        let org = self.org();
        let users: Map<String, Value> = org
            .users
            .iter()
            .map(|(id, user)| {
                let shown =
                    json!({"login": user.login, "email": user.email, "status": user.status});
                (id.clone(), shown)
            })
            .collect();
        let groups: Map<String, Value> = org
            .groups
            .iter()
            .map(|(id, group)| {
                let members: Vec<&String> = group.members.keys().collect();
                let shown = json!({
                    "name": group.name, "type": group.kind, "members": members,
                    "rules": group.rules, "admin_roles": group.admin_roles,
                });
                (id.clone(), shown)
            })
            .collect();
        let traffic = self.traffic();
        let is_removal = |(call, _): &(&String, &u64)| call.starts_with("DELETE ");
        let removals = traffic.refused.iter().filter(is_removal);
        let summary = json!({
            "answers": traffic.answers, "most_at_once": traffic.most_at_once,
            "one_removal_refused_at_most": removals.map(|(_, times)| times).max().unwrap_or(&0),
        });
        json!({"users": users, "groups": groups, "calls": traffic.calls, "traffic": summary})
    }

    /// Changes what an administrator could:
    /// `{"group", "add", "remove", "type", "rules", "admin_roles", "deleted"}`,
    /// `{"user", "status", "email", "deleted"}`, each with what is to change,
    /// `{"credential": "valid", "revoked" or "no_role"}`,
    /// `{"limits": {"memberships", "at_once", "takes_ms"}}`, or `{"crowd", "group"}`, which makes as many
    /// users as `crowd` says, who are in `group`.
    ///
    /// # Errors
    ///
    /// There is no such group or user, or nothing to change.
    pub fn admin(&self, body: &Value) -> Result<Value, Nonsense> {
        let Some(fields) = body.as_object() else {
            return Err(Nonsense::new("not an object", EXAMPLES));
        };
        let mut org = self.org();
        let records = if fields.contains_key("crowd") {
            crowd(&org, fields)?
        } else if fields.contains_key("group") {
            change_group(&org, fields)?
        } else if fields.contains_key("user") {
            change_user(&org, fields)?
        } else if let Some(credential) = fields.get("credential") {
            only(fields, &["credential"])?;
            let hint = r#"one of "valid", "revoked", "no_role""#;
            vec![Record::Credential(parse("credential", credential, hint)?)]
        } else if let Some(limits) = fields.get("limits") {
            only(fields, &["limits"])?;
            self.traffic().limits = parse("limits", limits, LIMITS)?;
            return Ok(json!({}));
        } else {
            let error = "neither `group` nor `user` nor `credential` nor `limits`";
            return Err(Nonsense::new(error, EXAMPLES));
        };
        for record in records {
            org.record(record).map_err(|error| {
                let hint = "see whether the disk is full";
                Nonsense::new(
                    format!("the simulated Okta cannot be written: {error}"),
                    hint,
                )
            })?;
        }
        Ok(json!({}))
    }

    fn org(&self) -> MutexGuard<'_, Org> {
        // Every change is one record: a panic elsewhere leaves nothing half done.
        locked(&self.org)
    }

    fn traffic(&self) -> MutexGuard<'_, Traffic> {
        locked(&self.traffic)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

const EXAMPLES: &str = r#"{"group":"00g2prodadmins","add":"00u1alice"}, {"user":"00u1alice","status":"SUSPENDED"} or {"credential":"revoked"}"#;

const LIMITS: &str = r#"an object with any of "memberships" (a minute), "at_once" and "takes_ms""#;

impl<'de> Deserialize<'de> for Limits {
    fn deserialize<D: Deserializer<'de>>(limits: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Given {
            memberships: Option<u32>,
            at_once: Option<usize>,
            takes_ms: Option<u64>,
        }
        let (given, usual) = (Given::deserialize(limits)?, Self::default());
        Ok(Self {
            // 0 would be too many at once.
            memberships: given.memberships.map(|limit| limit.max(1)),
            at_once: given.at_once.unwrap_or(usual.at_once),
            takes: given.takes_ms.map_or(usual.takes, Duration::from_millis),
        })
    }
}

/// So many users whom nobody in Slack is, all of them in one group.
fn crowd(org: &Org, fields: &Map<String, Value>) -> Result<Vec<Record>, Nonsense> {
    only(fields, &["crowd", "group"])?;
    let (group, _) = known("group", fields.get("group"), &org.groups)?;
    let hint = "how many users to make";
    let size: u32 = parse("crowd", fields.get("crowd").unwrap_or(&Value::Null), hint)?;
    let all = (0..size).flat_map(|number| {
        let id = format!("00u8crowd{number:05}");
        let user = User {
            first_name: format!("Crowd {number}"),
            login: format!("crowd.{number}@example.com"),
            email: None,
            status: "ACTIVE".to_owned(),
        };
        let record = Record::In {
            group: group.clone(),
            user: id.clone(),
            by_rule: false,
        };
        [Record::User { id, user }, record]
    });
    something(all.collect())
}

fn change_group(org: &Org, fields: &Map<String, Value>) -> Result<Vec<Record>, Nonsense> {
    only(
        fields,
        &[
            "group",
            "add",
            "remove",
            "type",
            "rules",
            "admin_roles",
            "deleted",
        ],
    )?;
    let (id, group) = known("group", fields.get("group"), &org.groups)?;
    if let Some(deleted) = fields.get("deleted") {
        parse::<True>(
            "deleted",
            deleted,
            "true; what is deleted does not come back",
        )?;
        return Ok(vec![Record::GroupGone { group: id }]);
    }
    let mut records = Vec::new();
    let mut changed: Group = group.clone();
    if let Some(kind) = fields.get("type") {
        let hint = r#"one of "OKTA_GROUP", "APP_GROUP", "BUILT_IN""#;
        changed.kind = parse("type", kind, hint)?;
    }
    let names = r#"a list of names, such as ["All engineers"]"#;
    if let Some(rules) = fields.get("rules") {
        changed.rules = parse("rules", rules, names)?;
    }
    if let Some(roles) = fields.get("admin_roles") {
        changed.admin_roles = parse("admin_roles", roles, names)?;
    }
    // In a group that has a rule, whom the administrator puts in is put in by the rule, unless it
    // must leave them out.
    let by_rule = |user: &String| !changed.rules.is_empty() && !group.excluded.contains(user);
    if let Some(user) = fields.get("add") {
        let (user, _) = known("add", Some(user), &org.users)?;
        let by_rule = by_rule(&user);
        let group = id.clone();
        records.push(Record::In {
            group,
            user,
            by_rule,
        });
    }
    if let Some(user) = fields.get("remove") {
        let (user, _) = known("remove", Some(user), &org.users)?;
        let group = id.clone();
        records.push(Record::Out { group, user });
    }
    if ["type", "rules", "admin_roles"]
        .iter()
        .any(|key| fields.contains_key(*key))
    {
        let group = id.clone();
        records.insert(
            0,
            Record::Group {
                id: group,
                group: changed,
            },
        );
    }
    something(records)
}

fn change_user(org: &Org, fields: &Map<String, Value>) -> Result<Vec<Record>, Nonsense> {
    only(fields, &["user", "status", "email", "deleted"])?;
    let (id, user) = known("user", fields.get("user"), &org.users)?;
    if let Some(deleted) = fields.get("deleted") {
        parse::<True>(
            "deleted",
            deleted,
            "true; what is deleted does not come back",
        )?;
        return Ok(vec![Record::UserGone { user: id }]);
    }
    let mut changed: User = user.clone();
    if let Some(status) = fields.get("status") {
        let hint = format!("one of {}", STATUSES.join(", "));
        changed.status = parse("status", status, &hint)?;
        if !STATUSES.contains(&changed.status.as_str()) {
            let error = format!("there is no status `{}`", changed.status);
            return Err(Nonsense::new(error, hint));
        }
    }
    if let Some(email) = fields.get("email") {
        changed.email = parse("email", email, "an address, or null for none")?;
    }
    let is_changed = fields.len() > 1;
    let record = Record::User { id, user: changed };
    something(is_changed.then_some(record).into_iter().collect())
}

fn something(records: Vec<Record>) -> Result<Vec<Record>, Nonsense> {
    if records.is_empty() {
        return Err(Nonsense::new("nothing to change", EXAMPLES));
    }
    Ok(records)
}

fn only(fields: &Map<String, Value>, known: &[&str]) -> Result<(), Nonsense> {
    match fields.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(Nonsense::new(
            format!("unknown field `{key}`"),
            format!("there are {}", known.join(", ")),
        )),
        None => Ok(()),
    }
}

/// The group or user that the field `field` names.
fn known<'a, T>(
    field: &str,
    id: Option<&Value>,
    all: &'a BTreeMap<String, T>,
) -> Result<(String, &'a T), Nonsense> {
    let id = id.and_then(Value::as_str).unwrap_or_default();
    all.get(id).map(|it| (id.to_owned(), it)).ok_or_else(|| {
        let ids: Vec<&str> = all.keys().map(String::as_str).collect();
        Nonsense::new(
            format!("`{field}` is `{id}`, which is not in Okta"),
            format!("one of {}", ids.join(", ")),
        )
    })
}

fn parse<T: serde::de::DeserializeOwned>(
    field: &str,
    value: &Value,
    hint: &str,
) -> Result<T, Nonsense> {
    serde_json::from_value(value.clone())
        .map_err(|_| Nonsense::new(format!("`{field}` is `{value}`"), hint))
}

/// The value `true` and no other.
#[derive(serde::Deserialize)]
#[serde(try_from = "bool")]
struct True;

impl TryFrom<bool> for True {
    type Error = &'static str;

    fn try_from(value: bool) -> Result<Self, Self::Error> {
        value.then_some(Self).ok_or("not true")
    }
}
