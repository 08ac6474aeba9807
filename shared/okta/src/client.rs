//! The calls.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, USER_AGENT};
use reqwest::{StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::ask::Ask;
use crate::error::PAUSE;
use crate::limits::{Budget, Limits, Room};
use crate::{CredentialError, CredentialSource, Error, Mend, Missing, credential, link};

/// How long a call may take with everything that belongs to it: the token, the call, and once more
/// both if the token was rejected. Who announced a call gives it up a while after that.
const TIMEOUT: Duration = Duration::from_secs(10);

/// No answer is larger: a page of 200 users has less than 1 MB.
const LARGEST: usize = 4 << 20;

/// No list has more pages.
const MOST_PAGES: usize = 500;

/// How many users or rules Okta is asked for at once: the most that it gives of rules.
const PAGE: &str = "200";

/// Okta's API with one org's credential. Cheap to clone; clones share what they know of Okta's rate
/// limits.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    credential: Arc<dyn CredentialSource>,
    budget: Arc<Budget>,
}

/// A change that Okta confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// Okta's id of the call, by which it is found in the System Log.
    pub request_id: Option<String>,
}

/// Somebody in Okta.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Their id, which never changes.
    pub id: String,
    /// The name they sign in with, often an e-mail address.
    pub login: String,
    /// Their primary e-mail address; empty if they have none.
    pub email: String,
    /// Okta's word for what they are, such as `ACTIVE`, `SUSPENDED` or `DEPROVISIONED`. Okta may have
    /// words that are not known here.
    pub status: String,
}

/// Whether a group is one whose members Stint may change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupCheck {
    /// It is.
    Fit {
        /// The group's name.
        name: String,
    },
    /// It is not.
    Unfit {
        /// Why, for people.
        reason: String,
    },
}

impl User {
    /// Whether they may be given access: no status but `ACTIVE` will do.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.status == "ACTIVE"
    }

    /// Whether their account was closed. Okta leaves such users in their groups.
    #[must_use]
    pub fn is_deactivated(&self) -> bool {
        self.status == "DEPROVISIONED"
    }

    /// Only letters of ASCII are alike in both cases: others have look-alikes that are somebody else.
    fn is_called(&self, email: &str) -> bool {
        self.login.eq_ignore_ascii_case(email) || self.email.eq_ignore_ascii_case(email)
    }
}

impl Client {
    /// The API of the org at `base`, such as `https://myco.okta.com`, with the token of `credential`.
    /// Makes no call.
    #[must_use]
    pub fn new(http: reqwest::Client, base: Url, credential: Arc<dyn CredentialSource>) -> Self {
        Self {
            http,
            base,
            credential,
            budget: {
                let start = Instant::now();
                Budget::new(move || start.elapsed())
            },
        }
    }

    /// The same with another clock for Okta's rate limits: `clock` tells the time that has gone by
    /// since any one moment. The stopwatch that is used otherwise may stand still while a function is
    /// frozen between two events.
    #[must_use]
    pub fn timed_by(self, clock: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self {
            budget: Budget::new(clock),
            ..self
        }
    }

    /// Why and for how long an addition waits, if it does, as far as Okta's latest answers tell: while
    /// less than a fifth of what it takes in a minute is left, that is for removals.
    #[must_use]
    pub fn wait_to_add(&self) -> Option<(&'static str, Duration)> {
        let reason = "Okta takes only so many changes a minute, and removals go first";
        self.budget.wait_to_add().map(|after| (reason, after))
    }

    /// Room for one removal, as far as Okta's latest answers tell; keep it until the removal is
    /// answered. Where they tell nothing, there is room.
    ///
    /// # Errors
    ///
    /// There is none: how long to wait before asking again. All who share what is known here and wait
    /// for Okta's next minute come back together, and apart from everybody else.
    pub fn room_to_remove(&self) -> Result<Room, Duration> {
        self.budget.room_to_remove()
    }

    /// Puts `user` into `group`; nothing changes if they are in it. Waits ([`Error::Later`]) as
    /// [`Client::wait_to_add`] says.
    pub async fn add(&self, user: &str, group: &str) -> Result<Done, Error> {
        let ask = Ask::Add { user, group };
        if let Some((reason, after)) = self.wait_to_add() {
            return Err(Error::later(ask, reason, after));
        }
        let mut added = self.change(ask).await;
        if let Err(Error::Later { after, .. }) = &mut added {
            // The refusal has told what is left.
            *after = self
                .budget
                .wait_to_add()
                .map_or(*after, |wait| wait.max(*after));
        }
        added
    }

    /// Takes `user` out of `group`; nothing changes if they are not in it.
    pub async fn remove(&self, user: &str, group: &str) -> Result<Done, Error> {
        self.change(Ask::Remove { user, group }).await
    }

    /// Whether `user` is in `group`.
    ///
    /// Reads the groups of the user, not the users of the group: both are current, but a person is in
    /// few groups, and a group may have thousands of people on many pages.
    pub async fn is_member(&self, user: &str, group: &str) -> Result<bool, Error> {
        let groups = self.groups_of(user).await?;
        Ok(groups.iter().any(|id| id == group))
    }

    /// The ids of all groups of `user`.
    pub async fn groups_of(&self, user: &str) -> Result<Vec<String>, Error> {
        let ask = Ask::GroupsOf { user };
        let groups: Vec<WithId> = self.list(ask, &[]).await?;
        Ok(groups.into_iter().map(|group| group.id).collect())
    }

    /// The ids of 200 who are in `group`, the first if no `page` is given, and where the next page is, if
    /// there is one. Somebody who is put in or taken out while the pages are read may be missed, or listed
    /// still.
    pub async fn members_of(
        &self,
        group: &str,
        page: Option<Url>,
    ) -> Result<(Vec<String>, Option<Url>), Error> {
        let ask = Ask::MembersOf { group };
        let page = page.map_or_else(|| self.address(ask, &[("limit", PAGE)]), Ok)?;
        let (members, next) = self.page::<WithId>(ask, page).await?;
        Ok((members.into_iter().map(|user| user.id).collect(), next))
    }

    /// The user with the Okta id `id`.
    pub async fn user(&self, id: &str) -> Result<User, Error> {
        let ask = Ask::User { user: id };
        let user: WireUser = self.one(ask).await?;
        if user.id != id {
            // Okta takes a login or the beginning of one as well, and answers with whoever has it.
            let reason = "Okta knows this as a name, and not as the id of a user";
            return Err(Error::missing(ask, Missing::User, reason));
        }
        Ok(user.into())
    }

    /// Everybody whose login or e-mail address is `email`, whatever the case of its letters.
    ///
    /// Nobody is an empty list. Deactivated users are left out unless there are no others: where one
    /// is in the list, all are. More than one user is for the caller to refuse.
    pub async fn users_by_email(&self, email: &str) -> Result<Vec<User>, Error> {
        if email.is_empty() {
            return Ok(Vec::new());
        }
        let ask = Ask::UsersCalled { email };
        let called = |email: &str| {
            let email = email.replace('\\', r"\\").replace('"', r#"\""#);
            format!(r#"profile.login eq "{email}" or profile.email eq "{email}""#)
        };
        // Okta's `search` does not mind the case, but may be some seconds old; its `filter` is
        // current, but minds the case. So both are asked, and where they differ the user is read.
        let lower = email.to_ascii_lowercase();
        let search = called(&lower);
        let filter = if lower == email {
            search.clone()
        } else {
            format!("{} or {search}", called(email))
        };
        let search = [("search", search.as_str()), ("limit", PAGE)];
        let filter = [("filter", filter.as_str()), ("limit", PAGE)];
        let (searched, filtered) = tokio::try_join!(
            self.list::<WireUser>(ask, &search),
            self.list::<WireUser>(ask, &filter)
        )?;
        let mut found: Vec<User> = Vec::new();
        let is_new = |found: &[User], id: &str| found.iter().all(|user| user.id != id);
        for user in filtered {
            if is_new(&found, &user.id) {
                found.push(user.into());
            }
        }
        for user in searched.into_iter().map(User::from) {
            if is_new(&found, &user.id) && user.is_called(email) {
                match self.user(&user.id).await {
                    Ok(user) => found.push(user),
                    Err(Error::Missing { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        found.retain(|user| user.is_called(email));
        if !found.iter().all(User::is_deactivated) {
            found.retain(|user| !user.is_deactivated());
        }
        Ok(found)
    }

    /// Whether the members of `group` are Stint's to change. What cannot be found out is an error,
    /// unless something else already makes the group unfit.
    pub async fn group_check(&self, group: &str) -> Result<GroupCheck, Error> {
        let page = [("limit", PAGE)];
        let (described, rules, admin_roles) = tokio::join!(
            self.one::<WireGroup>(Ask::Group { group }),
            self.list::<WireRule>(Ask::Rules, &page),
            self.list::<WireRole>(Ask::RolesOf { group }, &[])
        );
        let described = described?;
        let name = described.profile.name;
        let unfit = |why: String| GroupCheck::Unfit {
            reason: format!("the Okta group `{name}` ({group}) {why}"),
        };
        if described.kind != "OKTA_GROUP" {
            return Ok(unfit(format!(
                "is of the type `{}`: only members of an OKTA_GROUP can be changed",
                described.kind
            )));
        }
        // A rule counts whatever its status is: one that is inactive or broken is a click away from
        // being active, and the removal of somebody whom it put in would shut them out of it for good.
        let mut each = rules.iter().flatten();
        if let Some(rule) = each.find(|rule| rule.has_target(group)) {
            return Ok(unfit(format!(
                "gets its members from the group rule `{}`",
                rule.name
            )));
        }
        let names: Vec<&str> = admin_roles.iter().flatten().map(WireRole::name).collect();
        if !names.is_empty() {
            return Ok(unfit(format!(
                "makes its members Okta administrators ({})",
                names.join(", ")
            )));
        }
        rules.and(admin_roles)?;
        Ok(GroupCheck::Fit { name })
    }

    async fn change(&self, ask: Ask<'_>) -> Result<Done, Error> {
        let answer = self.call(ask, self.address(ask, &[])?).await?;
        Ok(Done {
            request_id: answer.request_id,
        })
    }

    async fn one<T: DeserializeOwned>(&self, ask: Ask<'_>) -> Result<T, Error> {
        let answer = self.call(ask, self.address(ask, &[])?).await?;
        answer.read(ask)
    }

    /// All pages of a list.
    async fn list<T: DeserializeOwned>(
        &self,
        ask: Ask<'_>,
        query: &[(&str, &str)],
    ) -> Result<Vec<T>, Error> {
        let mut url = self.address(ask, query)?;
        let mut all = Vec::new();
        for _ in 0..MOST_PAGES {
            let (mut some, next) = self.page(ask, url).await?;
            all.append(&mut some);
            let Some(next) = next else {
                return Ok(all);
            };
            url = next;
        }
        Err(Error::unclear(ask, "the list has no end"))
    }

    /// The page of a list that is at `url`, and where the next one is, if there is one.
    async fn page<T: DeserializeOwned>(
        &self,
        ask: Ask<'_>,
        url: Url,
    ) -> Result<(Vec<T>, Option<Url>), Error> {
        let answer = self.call(ask, url.clone()).await?;
        let some = answer.read(ask)?;
        let Some(next) = link::next(&answer.headers) else {
            return Ok((some, None));
        };
        let Ok(next) = url.join(next) else {
            return Err(Error::unclear(ask, "the next page has no proper address"));
        };
        // The token goes along with the call.
        if next.origin() != self.base.origin() {
            let origin = next.origin().ascii_serialization();
            let reason = format!("Okta says that the next page is at `{origin}`");
            return Err(Error::refused(ask, Mend::Address, reason));
        }
        Ok((some, Some(next)))
    }

    fn address(&self, ask: Ask<'_>, query: &[(&str, &str)]) -> Result<Url, Error> {
        let path = ask.path();
        // These would make another path, whatever is written for them.
        if let Some(part) = path.iter().find(|part| matches!(**part, "" | "." | "..")) {
            let reason = format!("`{part}` is no id");
            return Err(Error::refused(ask, Mend::Nothing, reason));
        }
        let mut url = self.base.clone();
        let Ok(mut segments) = url.path_segments_mut() else {
            let reason = format!("`{}` is no address of Okta", self.base);
            return Err(Error::refused(ask, Mend::Address, reason));
        };
        segments.pop_if_empty().extend(["api", "v1"]).extend(path);
        drop(segments);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    /// Makes the call, and tells the source of the token if there is none that Okta takes.
    async fn call(&self, ask: Ask<'_>, url: Url) -> Result<Answer, Error> {
        let answer = self.call_signed_in(ask, url).await;
        if let Err(Error::Refused {
            mend: Mend::Token, ..
        }) = answer
        {
            self.credential.failed();
        }
        answer
    }

    /// Makes the call; once more if the token is rejected and there is another one.
    async fn call_signed_in(&self, ask: Ask<'_>, url: Url) -> Result<Answer, Error> {
        let until = Instant::now() + TIMEOUT;
        let token = in_time(ask, until, self.credential.token()).await?;
        let answer = self.send(ask, url.clone(), &token, until).await;
        match answer {
            Err(Error::Refused {
                mend: Mend::Token, ..
            }) => {
                // A call whose token is rejected has no effect.
                let newer = async {
                    self.credential.forget().await;
                    self.credential.token().await
                };
                let newer = in_time(ask, until, newer).await?;
                if newer.expose_secret() == token.expose_secret() {
                    return answer;
                }
                self.send(ask, url, &newer, until).await
            }
            _ => answer,
        }
    }

    async fn send(
        &self,
        ask: Ask<'_>,
        url: Url,
        token: &SecretString,
        until: Instant,
    ) -> Result<Answer, Error> {
        let Some(authorization) = credential::authorization(token) else {
            let reason = "the Okta token has characters that no token has";
            return Err(Error::refused(ask, Mend::Token, reason));
        };
        let request = self
            .http
            .request(ask.method(), url)
            .timeout(until.saturating_duration_since(Instant::now()))
            .header(AUTHORIZATION, authorization)
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, concat!("stint/", env!("CARGO_PKG_VERSION")));
        let mut response = request
            .send()
            .await
            .map_err(|error| Error::on_the_way(ask, &error))?;
        let status = response.status();
        let limits = Limits::of(response.headers());
        self.budget.note(ask, &limits);
        tracing::debug!(
            status = status.as_u16(),
            okta_request_id = limits.request_id,
            "Okta answered {} on the try to {ask}",
            status.as_u16()
        );
        let headers = std::mem::take(response.headers_mut());
        let mut body = Vec::new();
        if !(ask.is_change() && status == StatusCode::NO_CONTENT) {
            while let Some(chunk) = response.chunk().await.map_err(|error| {
                let error = error.without_url();
                Error::unclear(ask, format!("the answer broke off: {error}"))
            })? {
                body.extend_from_slice(&chunk);
                if body.len() > LARGEST {
                    return Err(Error::unclear(
                        ask,
                        "the answer is larger than any of Okta's",
                    ));
                }
            }
        }
        // Anything else that looks like a success comes from somebody who is not Okta.
        let success = if ask.is_change() {
            StatusCode::NO_CONTENT
        } else {
            StatusCode::OK
        };
        if status == success {
            Ok(Answer {
                request_id: limits.request_id,
                headers,
                body,
            })
        } else {
            Err(Error::answered(ask, status, &limits, &body))
        }
    }
}

/// The token, if it comes before `until`.
async fn in_time(
    ask: Ask<'_>,
    until: Instant,
    token: impl Future<Output = Result<SecretString, CredentialError>>,
) -> Result<SecretString, Error> {
    let Ok(token) = tokio::time::timeout_at(until, token).await else {
        let reason = "the Okta token was not read within 10 seconds";
        return Err(Error::later(ask, reason, PAUSE));
    };
    token.map_err(|error| Error::without_token(ask, error))
}

/// A success.
struct Answer {
    request_id: Option<String>,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn read<T: DeserializeOwned>(&self, ask: Ask<'_>) -> Result<T, Error> {
        // The message of the error may repeat what is in the answer.
        serde_json::from_slice(&self.body).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let reason = format!("the answer makes no sense at line {line}, column {column}");
            Error::unclear(ask, reason)
        })
    }
}

#[derive(Deserialize)]
struct WithId {
    id: String,
}

#[derive(Deserialize)]
struct WireUser {
    id: String,
    status: String,
    profile: WireProfile,
}

#[derive(Deserialize)]
struct WireProfile {
    login: String,
    email: Option<String>,
}

impl From<WireUser> for User {
    fn from(user: WireUser) -> Self {
        Self {
            id: user.id,
            login: user.profile.login,
            email: user.profile.email.unwrap_or_default(),
            status: user.status,
        }
    }
}

#[derive(Deserialize)]
struct WireGroup {
    #[serde(rename = "type")]
    kind: String,
    profile: WireGroupProfile,
}

#[derive(Deserialize)]
struct WireGroupProfile {
    name: String,
}

/// A rule without any of these would be of a kind that is not known here: better refused than read
/// as harmless.
#[derive(Deserialize)]
struct WireRule {
    name: String,
    actions: WireActions,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireActions {
    assign_user_to_groups: WireTargets,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireTargets {
    group_ids: Vec<String>,
}

impl WireRule {
    fn has_target(&self, group: &str) -> bool {
        let targets = &self.actions.assign_user_to_groups.group_ids;
        targets.iter().any(|target| target == group)
    }
}

#[derive(Deserialize)]
struct WireRole {
    label: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl WireRole {
    fn name(&self) -> &str {
        let name = self.label.as_deref().or(self.kind.as_deref());
        name.unwrap_or("a role without a name")
    }
}
