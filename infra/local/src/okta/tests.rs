//! The org as the functions' client, a person with curl, and an administrator see it.

use std::future::Future;
use std::io::Write;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ::okta::{Client, CredentialError, CredentialSource, Error, GroupCheck, Mend, Missing};
use jiff::Timestamp;
use reqwest::Method;
use secrecy::SecretString;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{API_TOKEN, Okta};
use crate::watch::Watch;

#[derive(Debug)]
struct Token(&'static str);

impl CredentialSource for Token {
    fn token(
        &self,
    ) -> Pin<Box<dyn Future<Output = Result<SecretString, CredentialError>> + Send + '_>> {
        Box::pin(std::future::ready(Ok(SecretString::from(self.0))))
    }

    fn forget(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::ready(()))
    }
}

struct Sandbox {
    okta: Okta,
    client: Client,
    watch: Arc<Watch>,
    folder: TempDir,
    base: String,
}

/// What a person with curl sees of an answer.
struct Seen {
    status: u16,
    headers: reqwest::header::HeaderMap,
    body: Value,
}

impl Seen {
    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    fn links(&self) -> Vec<&str> {
        let all = self.headers.get_all("link").into_iter();
        all.map(|link| link.to_str().unwrap()).collect()
    }

    fn ids(&self) -> Vec<&str> {
        let all = self.body.as_array().unwrap().iter();
        all.map(|it| it["id"].as_str().unwrap()).collect()
    }
}

impl Sandbox {
    async fn new() -> Self {
        let at = "2026-11-24T09:00:50Z".parse().unwrap();
        let folder = tempfile::tempdir().unwrap();
        Self::open(folder, Watch::at(at)).await
    }

    async fn open(folder: TempDir, watch: Arc<Watch>) -> Self {
        let okta = Okta::open(&folder.path().join("okta.json"), watch.clone()).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/okta", listener.local_addr().unwrap());
        let router = axum::Router::new().nest("/okta", okta.router());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let client = client(&base, API_TOKEN);
        Self {
            okta,
            client,
            watch,
            folder,
            base,
        }
    }

    /// Kills it and starts it again.
    async fn restarted(self) -> Self {
        Self::open(self.folder, self.watch).await
    }

    fn admin(&self, body: &Value) {
        assert_eq!(self.okta.admin(body), Ok(json!({})));
    }

    fn members(&self, group: &str) -> Value {
        self.okta.state()["groups"][group]["members"].clone()
    }

    async fn get(&self, path: &str) -> Seen {
        self.call(Method::GET, path, Some(&format!("SSWS {API_TOKEN}")))
            .await
    }

    async fn call(&self, method: Method, path: &str, authorization: Option<&str>) -> Seen {
        let url = format!("{}{path}", self.base);
        let mut request = https::client().request(method, url);
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = serde_json::from_slice(&response.bytes().await.unwrap());
        Seen {
            status,
            headers,
            body: body.unwrap_or(Value::Null),
        }
    }
}

fn client(base: &str, token: &'static str) -> Client {
    let token = Arc::new(Token(token));
    Client::new(https::client(), base.parse().unwrap(), token)
}

fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> (Mend, String) {
    match result.unwrap_err() {
        Error::Refused { mend, reason, .. } => (mend, reason),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn somebody_is_put_in_and_taken_out_however_often() {
    let it = Sandbox::new().await;
    let (alice, prod) = ("00u1alice", "00g2prodadmins");
    assert_eq!(it.client.is_member(alice, prod).await, Ok(false));
    for _ in 0..2 {
        let done = it.client.add(alice, prod).await.unwrap();
        assert!(done.request_id.is_some());
        assert_eq!(it.members(prod), json!([alice, "00u4dave"]));
    }
    assert_eq!(it.client.is_member(alice, prod).await, Ok(true));
    let groups = it.client.groups_of(alice).await.unwrap();
    assert_eq!(groups, ["00g0everyone", prod]);
    for _ in 0..2 {
        it.client.remove(alice, prod).await.unwrap();
        assert_eq!(it.members(prod), json!(["00u4dave"]));
    }
}

#[tokio::test]
async fn what_is_not_there_is_missing() {
    let it = Sandbox::new().await;
    for (user, group, expected) in [
        ("00u9", "00g2prodadmins", Missing::User),
        ("00u1alice", "00g9", Missing::Group),
    ] {
        for result in [
            it.client.add(user, group).await,
            it.client.remove(user, group).await,
        ] {
            let Err(Error::Missing { what, .. }) = result else {
                panic!("{result:?}")
            };
            assert_eq!(what, expected);
        }
    }
    let missing = it.client.user("00u9").await;
    assert!(matches!(
        missing,
        Err(Error::Missing {
            what: Missing::User,
            ..
        })
    ));
    let missing = it.client.group_check("00g9").await;
    assert!(matches!(
        missing,
        Err(Error::Missing {
            what: Missing::Group,
            ..
        })
    ));
    it.admin(&json!({"user": "00u1alice", "deleted": true}));
    assert!(matches!(
        it.client.groups_of("00u1alice").await,
        Err(Error::Missing { .. })
    ));
    it.admin(&json!({"group": "00g2prodadmins", "deleted": true}));
    let missing = it.client.remove("00u4dave", "00g2prodadmins").await;
    assert!(matches!(
        missing,
        Err(Error::Missing {
            what: Missing::Group,
            ..
        })
    ));
}

#[tokio::test]
async fn only_plain_groups_are_fit() {
    let it = Sandbox::new().await;
    for group in ["00g1approvers", "00g2prodadmins", "00g3stagingadmins"] {
        let check = it.client.group_check(group).await;
        assert!(matches!(check, Ok(GroupCheck::Fit { .. })), "{check:?}");
    }
    for (group, why) in [
        ("00g0everyone", "BUILT_IN"),
        ("00g4rulemanaged", "All engineers"),
        ("00g5app", "APP_GROUP"),
        ("00g6admins", "Super Administrator"),
    ] {
        match it.client.group_check(group).await {
            Ok(GroupCheck::Unfit { reason }) => assert!(reason.contains(why), "{reason}"),
            other => panic!("{other:?}"),
        }
    }
    let add = async |group| refused(it.client.add("00u1alice", group).await).0;
    assert_eq!(add("00g0everyone").await, Mend::Nothing);
    assert_eq!(add("00g5app").await, Mend::Permission);
    assert_eq!(add("00g6admins").await, Mend::Permission);
}

#[tokio::test]
async fn a_rule_far_down_the_list_is_found() {
    let it = Sandbox::new().await;
    let rules: Vec<String> = (0..450).map(|number| format!("rule {number}")).collect();
    it.admin(&json!({"group": "00g4rulemanaged", "rules": rules}));
    let all = it.get("/api/v1/groups/rules?limit=200").await;
    assert_eq!(all.ids().len(), 200);
    let fit = it.client.group_check("00g2prodadmins").await;
    assert!(matches!(fit, Ok(GroupCheck::Fit { .. })), "{fit:?}");
    // Whichever of the three pages it is on.
    for number in [0, 199, 449] {
        let name = format!("rule {number}");
        it.admin(&json!({"group": "00g2prodadmins", "rules": [name]}));
        let unfit = it.client.group_check("00g2prodadmins").await;
        assert!(matches!(unfit, Ok(GroupCheck::Unfit { .. })), "{unfit:?}");
    }
}

#[tokio::test]
async fn whom_a_rule_put_in_and_the_api_took_out_stays_out() {
    let it = Sandbox::new().await;
    let (alice, group) = ("00u1alice", "00g4rulemanaged");
    it.admin(&json!({"group": group, "add": alice}));
    it.client.remove(alice, group).await.unwrap();
    let rules = it.get("/api/v1/groups/rules").await;
    let excluded = &rules.body[0]["conditions"]["people"]["users"]["exclude"];
    assert_eq!(*excluded, json!([alice]));
    // Whom the API put in is there by hand, and no rule knows of it.
    it.client.add("00u2bob", group).await.unwrap();
    it.client.remove("00u2bob", group).await.unwrap();
    let rules = it.get("/api/v1/groups/rules").await;
    let excluded = &rules.body[0]["conditions"]["people"]["users"]["exclude"];
    assert_eq!(*excluded, json!([alice]));
}

#[tokio::test]
async fn people_are_found_by_address() {
    let it = Sandbox::new().await;
    let found = async |email: &str| -> Vec<String> {
        let users = it.client.users_by_email(email).await.unwrap();
        users.into_iter().map(|user| user.id).collect()
    };
    assert_eq!(found("ALICE@Example.com").await, ["00u1alice"]);
    assert_eq!(found("alice").await, [""; 0]);
    assert_eq!(found("o'hara \"x\" \\@example.com").await, [""; 0]);
    assert_eq!(found("twins@example.com").await, ["00u6twin", "00u7twin"]);
    assert_eq!(found("twin.one@example.com").await, ["00u6twin"]);
    it.admin(&json!({"user": "00u6twin", "status": "DEPROVISIONED"}));
    assert_eq!(found("twins@example.com").await, ["00u7twin"]);
    assert_eq!(found("twin.one@example.com").await, ["00u6twin"]);
    it.admin(&json!({"user": "00u7twin", "email": "O'Hara\"\\@Example.com"}));
    assert_eq!(found("o'hara\"\\@example.com").await, ["00u7twin"]);
    it.admin(&json!({"user": "00u7twin", "email": null}));
    assert_eq!(it.client.user("00u7twin").await.unwrap().email, "");
}

#[tokio::test]
async fn deactivated_users_stay_in_can_leave_and_cannot_come() {
    let it = Sandbox::new().await;
    let (dave, prod) = ("00u4dave", "00g2prodadmins");
    it.admin(&json!({"user": dave, "status": "DEPROVISIONED"}));
    assert!(!it.client.user(dave).await.unwrap().is_active());
    assert_eq!(it.client.is_member(dave, prod).await, Ok(true));
    it.client.remove(dave, prod).await.unwrap();
    let (mend, reason) = refused(it.client.add(dave, prod).await);
    assert_eq!(mend, Mend::Nothing);
    assert!(reason.contains("E0000038"), "{reason}");
    assert_eq!(it.client.is_member(dave, prod).await, Ok(false));
}

#[tokio::test]
async fn the_token_is_checked_first() {
    let it = Sandbox::new().await;
    let path = "/api/v1/users/00u1alice";
    let wrong = client(&it.base, "00wrong").user("00u1alice").await;
    assert_eq!(refused(wrong).0, Mend::Token);
    let none = it.call(Method::GET, path, None).await;
    assert_eq!(
        (none.status, &none.body["errorCode"]),
        (403, &json!("E0000005"))
    );
    for (credential, expected) in [
        ("revoked", Some((Mend::Token, "E0000011"))),
        ("no_role", Some((Mend::Permission, "E0000006"))),
        ("valid", None),
    ] {
        it.admin(&json!({"credential": credential}));
        let read = it.client.user("00u1alice").await;
        let added = it.client.add("00u1alice", "00g2prodadmins").await;
        let Some((mend, code)) = expected else {
            assert!(read.is_ok() && added.is_ok());
            continue;
        };
        for (found, reason) in [refused(read), refused(added)] {
            assert_eq!(found, mend);
            assert!(reason.contains(code), "{reason}");
        }
    }
}

#[tokio::test]
async fn limits_are_told_and_enforced_by_the_clock_of_the_sandbox() {
    let it = Sandbox::new().await;
    let first = it.get("/api/v1/groups/00g2prodadmins/users?limit=1").await;
    assert_eq!(first.header("date"), "Tue, 24 Nov 2026 09:00:50 GMT");
    assert_eq!(first.header("x-rate-limit-limit"), "500");
    assert_eq!(first.header("x-rate-limit-remaining"), "499");
    let reset: Timestamp = "2026-11-24T09:01:00Z".parse().unwrap();
    assert_eq!(
        first.header("x-rate-limit-reset"),
        reset.as_second().to_string()
    );
    assert!(!first.header("x-okta-request-id").is_empty());

    let (alice, prod) = ("00u1alice", "00g2prodadmins");
    for _ in 0..400 {
        it.client.remove(alice, prod).await.unwrap();
    }
    it.client.add(alice, prod).await.unwrap();
    // What is left is for removals.
    let later = it.client.add(alice, prod).await;
    assert!(matches!(later, Err(Error::Later { .. })), "{later:?}");
    for _ in 0..99 {
        it.client.remove(alice, prod).await.unwrap();
    }
    let Err(Error::Later { after, reason, .. }) = it.client.remove(alice, prod).await else {
        panic!("500 are over")
    };
    assert_eq!(after, Duration::from_secs(11));
    assert!(reason.contains("E0000047"), "{reason}");
    // Another bucket has its own count.
    assert!(it.client.user(alice).await.is_ok());
    it.watch.advance(10);
    it.client.remove(alice, prod).await.unwrap();
    it.client.add(alice, prod).await.unwrap();
}

#[tokio::test]
async fn an_administrator_sets_how_much_okta_takes() {
    let it = Sandbox::new().await;
    it.admin(&json!({"limits": {"memberships": 2, "at_once": 3, "takes_ms": 200}}));
    let path = "/api/v1/users/00u1alice";
    let seen = tokio::join!(it.get(path), it.get(path), it.get(path), it.get(path));
    let mut statuses = [seen.0.status, seen.1.status, seen.2.status, seen.3.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 200, 429], "three at once");
    let all = [seen.0, seen.1, seen.2, seen.3];
    let refused = all.iter().find(|it| it.status == 429).unwrap();
    for name in ["x-rate-limit-limit", "x-rate-limit-remaining"] {
        assert_eq!(refused.header(name), "0");
    }
    assert_eq!(refused.body["errorCode"], "E0000047");

    let (alice, prod) = ("00u1alice", "00g2prodadmins");
    it.client.remove(alice, prod).await.unwrap();
    it.client.remove(alice, prod).await.unwrap();
    it.client.room_to_remove().unwrap_err();
    it.client.remove(alice, prod).await.unwrap_err();
    let traffic = it.okta.state()["traffic"].clone();
    assert_eq!(traffic["most_at_once"], 3);
    assert_eq!(traffic["one_removal_refused_at_most"], 1);
    assert_eq!(traffic["answers"]["DELETE 204"], 2);
}

#[tokio::test]
async fn a_crowd_is_made_at_once() {
    let it = Sandbox::new().await;
    it.admin(&json!({"crowd": 3, "group": "00g3stagingadmins"}));
    assert_eq!(
        it.members("00g3stagingadmins"),
        json!(["00u8crowd00000", "00u8crowd00001", "00u8crowd00002"])
    );
    assert!(it.client.user("00u8crowd00002").await.unwrap().is_active());
}

#[tokio::test]
async fn lists_come_in_pages_with_a_line_for_each_link() {
    let it = Sandbox::new().await;
    let mut path = "/api/v1/groups/00g0everyone/users?limit=3".to_owned();
    let mut all = Vec::new();
    loop {
        let page = it.get(&path).await;
        all.extend(page.ids().into_iter().map(str::to_owned));
        let links = page.links();
        assert!(links[0].ends_with("; rel=\"self\""), "{links:?}");
        let Some(next) = links.get(1) else { break };
        let next = next.strip_prefix(&format!("<{}", it.base)).unwrap();
        path = next.strip_suffix(">; rel=\"next\"").unwrap().to_owned();
    }
    assert_eq!(all.len(), 7);
    let nonsense = it.get("/api/v1/groups/00g0everyone/users?limit=0").await;
    assert_eq!(nonsense.status, 400);
}

#[tokio::test]
async fn a_person_with_curl_finds_what_they_look_for() {
    let it = Sandbox::new().await;
    it.admin(&json!({"user": "00u5guest", "status": "DEPROVISIONED"}));
    let users = async |query: &str| {
        let seen = it.get(&format!("/api/v1/users{query}")).await;
        seen.ids()
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(users("").await.len(), 6);
    assert_eq!(
        users("?filter=status+eq+%22DEPROVISIONED%22").await,
        ["00u5guest"]
    );
    assert_eq!(
        users("?search=profile.login%20eq%20%22BOB@example.com%22").await,
        ["00u2bob"]
    );
    assert_eq!(
        users("?filter=profile.login%20eq%20%22BOB@example.com%22").await,
        [""; 0]
    );
    let both =
        "?search=(id+eq+%2200u2bob%22+or+id+eq+%2200u3carol%22)+and+profile.firstName+sw+%22c%22";
    assert_eq!(users(both).await, ["00u3carol"]);
    assert_eq!(users("?q=ca").await, ["00u3carol", "00u6twin"]);
    let groups = it
        .get("/api/v1/groups?search=type+eq+%22APP_GROUP%22")
        .await;
    assert_eq!(groups.ids(), ["00g5app"]);
    let admins = it.get("/api/v1/groups?q=okta&expand=stats").await;
    assert_eq!(
        admins.body[0]["_embedded"]["stats"]["hasAdminPrivlege"],
        true
    );
    for login in ["Alice%40example.com", "alice", "00u1alice"] {
        let user = it.get(&format!("/api/v1/users/{login}")).await;
        assert_eq!(user.body["id"], "00u1alice", "{login}");
    }
    let nonsense = it.get("/api/v1/users?filter=profile.login+is+bob").await;
    assert_eq!(
        (nonsense.status, &nonsense.body["errorCode"]),
        (400, &json!("E0000031"))
    );
}

#[tokio::test]
async fn what_okta_does_not_know_is_answered_as_okta_does() {
    let it = Sandbox::new().await;
    let typo = it.get("/api/v1/group/00g1").await;
    assert_eq!(
        (typo.status, &typo.body["errorCode"]),
        (404, &json!("E0000008"))
    );
    let elsewhere = it.get("/nowhere").await;
    assert_eq!(
        elsewhere.body,
        json!({"status": 404, "message": "Resource not found"})
    );
    let authorization = format!("SSWS {API_TOKEN}");
    let wrong = it
        .call(Method::POST, "/api/v1/groups/00g1", Some(&authorization))
        .await;
    assert_eq!(
        (wrong.status, &wrong.body["errorCode"]),
        (405, &json!("E0000022"))
    );
    let calls = it.okta.state()["calls"].clone();
    assert_eq!(
        calls[0],
        json!({"at": "2026-11-24T09:00:50Z", "method": "GET", "path": "/api/v1/group/00g1", "status": 404})
    );
}

#[tokio::test]
async fn everything_is_there_after_the_process_was_killed() {
    let it = Sandbox::new().await;
    let (alice, prod) = ("00u1alice", "00g2prodadmins");
    it.client.add(alice, prod).await.unwrap();
    it.client.remove("00u4dave", prod).await.unwrap();
    it.admin(&json!({"group": "00g3stagingadmins", "deleted": true}));
    it.admin(&json!({"user": "00u5guest", "deleted": true}));
    it.admin(&json!({"user": alice, "status": "SUSPENDED", "email": "a@example.com"}));
    it.admin(&json!({"group": "00g5app", "type": "OKTA_GROUP", "admin_roles": ["ORG_ADMIN"]}));
    it.admin(&json!({"credential": "revoked"}));
    let (users, groups) = {
        let state = it.okta.state();
        (state["users"].clone(), state["groups"].clone())
    };
    // It was killed in the middle of writing.
    let path = it.folder.path().join("okta.json");
    let mut file = std::fs::File::options().append(true).open(path).unwrap();
    file.write_all(b"{\"in\":{\"group\":\"00g2").unwrap();
    let mut it = it.restarted().await;
    for _ in 0..2 {
        let state = it.okta.state();
        assert_eq!((&state["users"], &state["groups"]), (&users, &groups));
        assert_eq!(refused(it.client.user(alice).await).0, Mend::Token);
        it = it.restarted().await;
    }
    assert_eq!(groups[prod]["members"], json!([alice]));
    assert_eq!(
        users[alice],
        json!({"login": "alice@example.com", "email": "a@example.com", "status": "SUSPENDED"})
    );
}

#[tokio::test]
async fn nonsense_is_told_with_what_would_make_sense() {
    let it = Sandbox::new().await;
    for (body, error) in [
        (json!([]), "not an object"),
        (json!({}), "neither `group` nor `user`"),
        (
            json!({"group": "00g9", "add": "00u1alice"}),
            "`group` is `00g9`",
        ),
        (
            json!({"group": "00g2prodadmins", "add": "00u9"}),
            "`add` is `00u9`",
        ),
        (
            json!({"group": "00g2prodadmins", "remove": 7}),
            "`remove` is ``",
        ),
        (json!({"group": "00g2prodadmins"}), "nothing to change"),
        (
            json!({"group": "00g2prodadmins", "type": "GROUP"}),
            "`type` is `\"GROUP\"`",
        ),
        (
            json!({"group": "00g2prodadmins", "rules": "x"}),
            "`rules` is `\"x\"`",
        ),
        (
            json!({"group": "00g2prodadmins", "deleted": false}),
            "`deleted` is `false`",
        ),
        (
            json!({"group": "00g2prodadmins", "dance": 1}),
            "unknown field `dance`",
        ),
        (json!({"user": "00u1alice"}), "nothing to change"),
        (
            json!({"user": "00u1alice", "status": "ASLEEP"}),
            "no status `ASLEEP`",
        ),
        (json!({"credential": "lost"}), "`credential` is `\"lost\"`"),
    ] {
        let before = it.okta.state();
        let nonsense = it.okta.admin(&body).unwrap_err();
        assert!(nonsense.error.contains(error), "{}", nonsense.error);
        assert!(!nonsense.hint.is_empty());
        assert_eq!(it.okta.state(), before);
    }
}
