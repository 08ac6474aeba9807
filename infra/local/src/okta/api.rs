//! The API, as its specification describes it and as recorded exchanges show it.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::Router;
use axum::body::Body;
use axum::extract::{OriginalUri, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HOST, LINK};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, Uri};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::org::{Credential, Group, Kind, Org, Record, User};
use super::{API_TOKEN, CALLS, Okta, Traffic, query};

/// The bucket of the calls that change memberships.
const MEMBERSHIPS: &str = "memberships";

/// How far away the reset is said to be when there are too many calls at once.
const GUESS_S: i64 = 40;

/// When everything in the org was made.
const CREATED: &str = "2026-01-01T00:00:00.000Z";

const NO_PERMISSION: &str = "You do not have permission to perform the requested action";

pub(super) fn router(okta: Okta) -> Router {
    Router::new().fallback(answer).with_state(okta)
}

struct Reply {
    status: u16,
    body: Value,
    links: Vec<String>,
}

type Answer = Result<Reply, Reply>;

/// One call, taken apart.
struct Call {
    method: Method,
    /// The path below `/api/v1`, part by part; nothing for paths elsewhere.
    path: Option<Vec<String>>,
    query: Vec<(String, String)>,
    /// The address that was called, without the query.
    address: String,
}

async fn answer(
    State(okta): State<Okta>,
    OriginalUri(original): OriginalUri,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response<Body> {
    let now = okta.now();
    let call = Call::new(method, &original, &uri, &headers);
    let (bucket, limit) = call.bucket();
    let (Counted { reply, limit, left }, takes) = {
        let mut traffic = okta.traffic();
        let limit = match traffic.limits.memberships {
            Some(limit) if bucket == MEMBERSHIPS => limit,
            _ => limit,
        };
        (traffic.count(bucket, limit, now), traffic.limits.takes)
    };
    let there = There(&okta);
    let reply = if let Some(refused) = reply {
        refused
    } else {
        tokio::time::sleep(takes).await;
        let answer = call.answer(&mut okta.org(), &headers);
        answer.unwrap_or_else(|refused| refused)
    };
    drop(there);
    let path = uri.path_and_query().map_or("/", |it| it.as_str());
    okta.traffic().keep(&call.method, path, reply.status, now);
    // What the reset of too many calls at once says is a guess.
    let reset = if limit == 0 {
        now.as_second() + GUESS_S
    } else {
        (minute(now) + 1) * 60
    };
    written(reply, limit, left, reset, now)
}

/// A call that is there until this is dropped; whoever made it may go away before it is answered.
struct There<'a>(&'a Okta);

impl Drop for There<'_> {
    fn drop(&mut self) {
        self.0.traffic().at_once -= 1;
    }
}

/// What became of a call when it was counted.
struct Counted {
    /// The answer, if it is one too many.
    reply: Option<Reply>,
    limit: u32,
    left: u32,
}

fn written(reply: Reply, limit: u32, left: u32, reset: i64, now: Timestamp) -> Response<Body> {
    let body = match &reply.body {
        Value::Null => Body::empty(),
        body => Body::from(body.to_string()),
    };
    let mut response = Response::new(body);
    *response.status_mut() = reply.status.try_into().unwrap_or_default();
    let headers = response.headers_mut();
    let mut add = |name: HeaderName, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.append(name, value);
        }
    };
    let date = jiff::fmt::rfc2822::DateTimePrinter::new();
    if let Ok(date) = date.timestamp_to_rfc9110_string(&now) {
        add(DATE, date);
    }
    let named = HeaderName::from_static;
    add(named("x-okta-request-id"), aws::stamp().to_string());
    add(named("x-rate-limit-limit"), limit.to_string());
    add(named("x-rate-limit-remaining"), left.to_string());
    add(named("x-rate-limit-reset"), reset.to_string());
    add(named("cache-control"), "no-cache, no-store".to_owned());
    if !reply.body.is_null() {
        add(CONTENT_TYPE, "application/json".to_owned());
    }
    for link in reply.links {
        add(LINK, link);
    }
    response
}

impl Traffic {
    /// Counts a call that comes in the minute of `now`, unless it is one too many. It is there until
    /// a [`There`] is dropped.
    fn count(&mut self, bucket: &'static str, limit: u32, now: Timestamp) -> Counted {
        let refused = |limit| Counted {
            reply: Some(fail(
                429,
                "E0000047",
                "API call exceeded rate limit due to too many requests.",
            )),
            limit,
            left: 0,
        };
        self.at_once += 1;
        if self.at_once > self.limits.at_once {
            return refused(0);
        }
        self.most_at_once = self.most_at_once.max(self.at_once);
        let now = minute(now);
        let (minute, count) = self.counts.entry(bucket).or_default();
        if *minute != now {
            (*minute, *count) = (now, 0);
        }
        if *count >= limit {
            return refused(limit);
        }
        *count += 1;
        Counted {
            reply: None,
            limit,
            left: limit - *count,
        }
    }

    fn keep(&mut self, method: &Method, path: &str, status: u16, at: Timestamp) {
        *self
            .answers
            .entry(format!("{method} {status}"))
            .or_default() += 1;
        if status == 429 {
            *self.refused.entry(format!("{method} {path}")).or_default() += 1;
        }
        self.calls.push_back(json!({
            "at": at, "method": method.as_str(), "status": status, "path": path,
        }));
        if self.calls.len() > CALLS {
            self.calls.pop_front();
        }
    }
}

fn minute(now: Timestamp) -> i64 {
    now.as_second().div_euclid(60)
}

fn ok(body: Value) -> Reply {
    Reply {
        status: 200,
        body,
        links: Vec::new(),
    }
}

fn fail(status: u16, code: &str, summary: &str) -> Reply {
    let body = json!({
        "errorCode": code, "errorSummary": summary, "errorLink": code,
        "errorId": format!("oae{}", aws::stamp()), "errorCauses": [],
    });
    Reply {
        status,
        body,
        links: Vec::new(),
    }
}

fn not_found(id: &str, kind: &str) -> Reply {
    let summary = format!("Not found: Resource not found: {id} ({kind})");
    fail(404, "E0000007", &summary)
}

impl Call {
    fn new(method: Method, original: &Uri, uri: &Uri, headers: &HeaderMap) -> Self {
        let path = uri.path().strip_prefix("/api/v1/");
        let path = path.map(|path| path.split('/').map(decoded).collect());
        let query = serde_urlencoded::from_str(uri.query().unwrap_or_default());
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        Self {
            method,
            path,
            query: query.unwrap_or_default(),
            address: format!("http://{}{}", host.unwrap_or_default(), original.path()),
        }
    }

    fn parts(&self) -> Vec<&str> {
        let path = self.path.iter().flatten();
        path.map(String::as_str).collect()
    }

    /// The bucket of the rate limits, and how many calls it allows in a minute.
    fn bucket(&self) -> (&'static str, u32) {
        match (self.method.as_str(), self.parts().as_slice()) {
            (_, ["users"]) => ("users", 600),
            (_, ["users", _]) => ("user", 2000),
            (_, ["users", _, "groups"]) => ("groups of a user", 1000),
            (_, ["groups"]) => ("groups", 500),
            (_, ["groups", "rules"]) => ("rules", 500),
            (_, ["groups", _]) => ("group", 1000),
            (_, ["groups", _, "users"]) => ("users of a group", 500),
            (_, ["groups", _, "users", _]) => (MEMBERSHIPS, 500),
            (_, ["groups", _, "roles"]) => ("roles", 1000),
            _ => ("other", 1200),
        }
    }

    fn answer(&self, org: &mut Org, headers: &HeaderMap) -> Answer {
        if self.path.is_none() {
            let body = json!({"status": 404, "message": "Resource not found"});
            return Err(Reply {
                status: 404,
                ..ok(body)
            });
        }
        authorized(org.credential, headers)?;
        let parts = self.parts();
        match (self.method.as_str(), parts.as_slice()) {
            ("GET", ["users"]) => self.users(org),
            ("GET", ["users", user]) => {
                let (id, user) = find(org, user)?;
                Ok(ok(described_user(id, user)))
            }
            ("GET", ["users", user, "groups"]) => {
                let (id, _) = find(org, user)?;
                let groups = org.groups.iter();
                let groups = groups.filter(|(_, group)| group.members.contains_key(id));
                let groups: Vec<Value> = groups.map(|(id, it)| described_group(id, it)).collect();
                let mut reply = ok(json!(groups));
                reply
                    .links
                    .push(format!("<{}>; rel=\"self\"", self.address));
                Ok(reply)
            }
            ("GET", ["groups"]) => self.groups(org),
            ("GET", ["groups", "rules"]) => self.rules(org),
            ("GET", ["groups", id]) => Ok(ok(described_group(id, group(org, id)?))),
            ("GET", ["groups", id, "users"]) => {
                let members = group(org, id)?.members.keys();
                let users = members.filter_map(|id| org.users.get_key_value(id));
                self.page(users, described_user, 1000, 1000)
            }
            ("GET", ["groups", id, "roles"]) => {
                let roles = group(org, id)?.admin_roles.iter();
                let roles: Vec<Value> = roles.map(|role| described_role(role)).collect();
                Ok(ok(json!(roles)))
            }
            ("PUT", ["groups", id, "users", user]) => add(org, id, user),
            ("DELETE", ["groups", id, "users", user]) => remove(org, id, user),
            (
                _,
                ["users" | "groups"]
                | ["users" | "groups", _]
                | ["users", _, "groups"]
                | ["groups", _, "users" | "roles"]
                | ["groups", _, "users", _],
            ) => Err(fail(
                405,
                "E0000022",
                "The endpoint does not support the provided HTTP method",
            )),
            _ => Err(fail(404, "E0000008", "The requested path was not found")),
        }
    }

    fn users(&self, org: &Org) -> Answer {
        let mut found = Vec::new();
        for (id, user) in &org.users {
            let attribute = |name: &str| {
                Some(match name {
                    "id" => id.as_str(),
                    "status" => user.status.as_str(),
                    "profile.login" => user.login.as_str(),
                    "profile.email" => user.email.as_deref().unwrap_or_default(),
                    "profile.firstName" => user.first_name.as_str(),
                    "profile.lastName" => LAST_NAME,
                    _ => return None,
                })
            };
            let is_there = user.status != "DEPROVISIONED";
            let matched = match self.condition() {
                Some((kind, text)) => matched(query::matches(text, kind, &attribute))?,
                None => match self.value("q") {
                    Some(start) => {
                        is_there && starts(start, &[&user.first_name, LAST_NAME, &user.login])
                    }
                    None => is_there,
                },
            };
            if matched {
                found.push((id, user));
            }
        }
        if self.condition().is_none() && self.value("q").is_some() {
            // This one has no further pages.
            let mut reply = self.page(found.into_iter(), described_user, 10, 200)?;
            reply.links.truncate(1);
            return Ok(reply);
        }
        self.page(found.into_iter(), described_user, 200, 200)
    }

    fn groups(&self, org: &Org) -> Answer {
        let mut found = Vec::new();
        for (id, group) in &org.groups {
            let attribute = |name: &str| {
                Some(match name {
                    "id" => id.as_str(),
                    "type" => group.kind.name(),
                    "profile.name" => group.name.as_str(),
                    _ => return None,
                })
            };
            let is_found = match self.condition() {
                Some((kind, text)) => matched(query::matches(text, kind, &attribute))?,
                None => self
                    .value("q")
                    .is_none_or(|start| starts(start, &[&group.name])),
            };
            if is_found {
                found.push((id, group));
            }
        }
        let with_stats = self.value("expand") == Some("stats");
        let described = |id: &str, group: &Group| {
            let mut described = described_group(id, group);
            if let (true, Some(map)) = (with_stats, described.as_object_mut()) {
                // The spelling is Okta's.
                let stats = json!({
                    "usersCount": group.members.len(), "appsCount": 0, "groupPushMappingsCount": 0,
                    "hasAdminPrivlege": !group.admin_roles.is_empty(),
                });
                map.insert("_embedded".to_owned(), json!({"stats": stats}));
            }
            described
        };
        self.page(found.into_iter(), described, 10_000, 10_000)
    }

    /// The group rules: those of one name are one rule.
    fn rules(&self, org: &Org) -> Answer {
        let mut rules = std::collections::BTreeMap::new();
        for (id, group) in &org.groups {
            for name in &group.rules {
                let mut hasher = DefaultHasher::new();
                name.hash(&mut hasher);
                let rule = format!("0pr{:016x}", hasher.finish());
                let (_, targets) = rules.entry(rule).or_insert((name, Vec::new()));
                targets.push((id, group));
            }
        }
        let keyword = self.value("search").unwrap_or_default().to_lowercase();
        let rules = rules.iter();
        let rules = rules.filter(|(_, (name, _))| name.to_lowercase().contains(&keyword));
        let described = |id: &str, (name, targets): &(&String, Vec<(&String, &Group)>)| {
            let ids: Vec<&String> = targets.iter().map(|(id, _)| *id).collect();
            let excluded: Vec<&String> = targets.iter().flat_map(|(_, it)| &it.excluded).collect();
            json!({
                "type": "group_rule", "id": id, "status": "ACTIVE", "name": name,
                "created": CREATED, "lastUpdated": CREATED,
                "conditions": {
                    "people": {"users": {"exclude": excluded}, "groups": {"exclude": []}},
                    "expression": {
                        "value": "user.department==\"Engineering\"",
                        "type": "urn:okta:expression:1.0",
                    },
                },
                "actions": {"assignUserToGroups": {"groupIds": ids}},
            })
        };
        self.page(rules, described, 50, 200)
    }

    /// The page of `all` that is asked for: `limit` from after the one with the id `after`.
    fn page<'a, T: 'a>(
        &self,
        all: impl Iterator<Item = (&'a String, T)>,
        described: impl Fn(&str, T) -> Value,
        default: usize,
        most: usize,
    ) -> Answer {
        let limit = match self.value("limit").map(str::parse) {
            None => default,
            Some(Ok(limit @ 1..)) => usize::min(limit, most),
            Some(_) => {
                let summary = "Api validation failed: limit";
                return Err(fail(400, "E0000001", summary));
            }
        };
        let after = self.value("after").unwrap_or_default();
        let mut rest = all.filter(|(id, _)| id.as_str() > after).peekable();
        let mut last = "";
        let mut page = Vec::new();
        while page.len() < limit
            && let Some((id, it)) = rest.next()
        {
            last = id;
            page.push(described(id, it));
        }
        let has_more = rest.peek().is_some();
        let mut reply = ok(json!(page));
        reply.links.push(self.link(after, limit, "self"));
        if has_more {
            reply.links.push(self.link(last, limit, "next"));
        }
        Ok(reply)
    }

    /// The same call for the page after `after`.
    fn link(&self, after: &str, limit: usize, rel: &str) -> String {
        let mut query = self.query.clone();
        query.retain(|(key, _)| key != "after" && key != "limit");
        if !after.is_empty() {
            query.push(("after".to_owned(), after.to_owned()));
        }
        query.push(("limit".to_owned(), limit.to_string()));
        let query = serde_urlencoded::to_string(query).unwrap_or_default();
        format!("<{}?{query}>; rel=\"{rel}\"", self.address)
    }

    fn condition(&self) -> Option<(query::Kind, &str)> {
        let search = self.value("search").map(|it| (query::Kind::Search, it));
        search.or_else(|| self.value("filter").map(|it| (query::Kind::Filter, it)))
    }

    fn value(&self, key: &str) -> Option<&str> {
        let found = self.query.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value.as_str())
    }
}

/// A part of a path without its percent signs. It is read as the value of a form, in which plus and
/// ampersand mean more than in a path.
fn decoded(part: &str) -> String {
    let form = format!("_={}", part.replace('+', "%2B").replace('&', "%26"));
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(&form).unwrap_or_default();
    pairs.into_iter().map(|(_, value)| value).collect()
}

fn authorized(credential: Credential, headers: &HeaderMap) -> Result<(), Reply> {
    let header = headers.get(AUTHORIZATION).and_then(|it| it.to_str().ok());
    match header.and_then(|text| text.split_once(' ')) {
        Some(("SSWS", token)) if token == API_TOKEN && credential != Credential::Revoked => {}
        Some(("SSWS" | "Bearer", _)) => {
            return Err(fail(401, "E0000011", "Invalid token provided"));
        }
        _ => return Err(fail(403, "E0000005", "Invalid session")),
    }
    if credential == Credential::NoRole {
        return Err(fail(403, "E0000006", NO_PERMISSION));
    }
    Ok(())
}

fn matched(matched: Option<bool>) -> Result<bool, Reply> {
    matched.ok_or_else(|| fail(400, "E0000031", "Invalid search criteria."))
}

fn starts(start: &str, names: &[&str]) -> bool {
    let start = start.to_lowercase();
    names
        .iter()
        .any(|name| name.to_lowercase().starts_with(&start))
}

/// The user with this id, this login, or this beginning of a login where nobody else has it.
fn find<'a>(org: &'a Org, name: &str) -> Result<(&'a String, &'a User), Reply> {
    if let Some(found) = org.users.get_key_value(name) {
        return Ok(found);
    }
    let named = |short: bool| {
        let mut found = org.users.iter().filter(move |(_, user)| {
            let login = user.login.as_str();
            let login = if short {
                login.split('@').next().unwrap_or(login)
            } else {
                login
            };
            login.eq_ignore_ascii_case(name)
        });
        found.next().filter(|_| found.next().is_none())
    };
    let found = named(false).or_else(|| named(true));
    found.ok_or_else(|| not_found(name, "User"))
}

fn group<'a>(org: &'a Org, id: &str) -> Result<&'a Group, Reply> {
    org.groups.get(id).ok_or_else(|| not_found(id, "UserGroup"))
}

/// Whether the token may change who is in the group. Its admin is no super administrator.
fn changeable<'a>(org: &'a Org, id: &str) -> Result<&'a Group, Reply> {
    let group = group(org, id)?;
    match group.kind {
        Kind::BuiltIn => Err(fail(501, "E0000060", "Unsupported operation.")),
        Kind::OktaGroup if group.admin_roles.is_empty() => Ok(group),
        Kind::OktaGroup | Kind::AppGroup => Err(fail(403, "E0000006", NO_PERMISSION)),
    }
}

fn add(org: &mut Org, id: &str, user: &str) -> Answer {
    let group = changeable(org, id)?;
    let found = org.users.get(user);
    let found = found.ok_or_else(|| not_found(user, "User"))?;
    if found.status == "DEPROVISIONED" {
        let summary = "This operation is not allowed in the user's current status.";
        return Err(fail(403, "E0000038", summary));
    }
    // Whom a rule put in is from now on there by hand; nothing changes for others.
    if group.members.get(user) == Some(&false) {
        return Ok(done());
    }
    changed(
        org,
        Record::In {
            group: id.to_owned(),
            user: user.to_owned(),
            by_rule: false,
        },
    )
}

fn remove(org: &mut Org, id: &str, user: &str) -> Answer {
    let group = changeable(org, id)?;
    if !org.users.contains_key(user) {
        return Err(not_found(user, "User"));
    }
    if !group.members.contains_key(user) {
        return Ok(done());
    }
    changed(
        org,
        Record::Out {
            group: id.to_owned(),
            user: user.to_owned(),
        },
    )
}

fn done() -> Reply {
    Reply {
        status: 204,
        ..ok(Value::Null)
    }
}

fn changed(org: &mut Org, record: Record) -> Answer {
    match org.record(record) {
        Ok(()) => Ok(done()),
        Err(error) => {
            tracing::error!(%error, "the simulated Okta cannot be written: {error}");
            Err(fail(500, "E0000009", "Internal Server Error"))
        }
    }
}

const LAST_NAME: &str = "Example";

fn described_user(id: &str, user: &User) -> Value {
    json!({
        "id": id, "status": user.status, "created": CREATED, "activated": CREATED,
        "statusChanged": CREATED, "lastLogin": null, "lastUpdated": CREATED,
        "passwordChanged": null, "type": {"id": "oty1default"},
        "profile": {
            "firstName": user.first_name, "lastName": LAST_NAME, "mobilePhone": null,
            "secondEmail": null, "login": user.login, "email": user.email,
        },
        "credentials": {"provider": {"type": "OKTA", "name": "OKTA"}},
    })
}

fn described_group(id: &str, group: &Group) -> Value {
    let object_class = match group.kind {
        Kind::AppGroup => "okta:windows_security_principal",
        Kind::OktaGroup | Kind::BuiltIn => "okta:user_group",
    };
    json!({
        "id": id, "created": CREATED, "lastUpdated": CREATED, "lastMembershipUpdated": CREATED,
        "objectClass": [object_class], "type": group.kind.name(),
        "profile": {"name": group.name, "description": null},
    })
}

fn described_role(role: &str) -> Value {
    let label = match role {
        "SUPER_ADMIN" => "Super Administrator",
        "ORG_ADMIN" => "Organization Administrator",
        "APP_ADMIN" => "Application Administrator",
        "USER_ADMIN" => "Group Administrator",
        "HELP_DESK_ADMIN" => "Help Desk Administrator",
        "READ_ONLY_ADMIN" => "Read Only Administrator",
        "GROUP_MEMBERSHIP_ADMIN" => "Group Membership Administrator",
        other => other,
    };
    let kind = if label == role { "CUSTOM" } else { role };
    json!({
        "id": format!("gra{}", role.to_lowercase()), "label": label, "type": kind,
        "status": "ACTIVE", "created": CREATED, "lastUpdated": CREATED, "assignmentType": "GROUP",
    })
}
