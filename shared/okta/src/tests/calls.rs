use serde_json::{Value, json};

use super::{Fake, Reply, complaint, raw};
use crate::{Done, Error, GroupCheck, Mend, Missing, User};

fn user(id: &str, login: &str, email: &str, status: &str) -> Value {
    json!({
        "id": id, "status": status, "created": "2026-01-01T00:00:00.000Z", "activated": null,
        "profile": {"firstName": "A", "lastName": "B", "login": login, "email": email},
        "_links": {"self": {"href": "https://myco.okta.com"}},
    })
}

#[tokio::test]
async fn somebody_is_put_in_and_taken_out() {
    let fake = Fake::new(|_| Reply::done());
    let client = fake.client().await;
    let done = Done {
        request_id: Some("req1".to_owned()),
    };
    assert_eq!(client.add("00u1", "00g1").await, Ok(done.clone()));
    assert_eq!(client.remove("00u1", "00g1").await, Ok(done));
    assert_eq!(
        fake.asked(),
        [
            "PUT /okta/api/v1/groups/00g1/users/00u1",
            "DELETE /okta/api/v1/groups/00g1/users/00u1",
        ]
    );
    assert_eq!(fake.asked.lock().unwrap()[0].authorization, "SSWS 00token");
}

#[tokio::test]
async fn an_id_stays_one_part_of_the_path() {
    let fake = Fake::new(|_| Reply::done());
    let client = fake.client().await;
    client.remove("a/../b?c#d e", "00g1").await.unwrap();
    assert_eq!(
        fake.asked(),
        ["DELETE /okta/api/v1/groups/00g1/users/a%2F..%2Fb%3Fc%23d%20e"]
    );
    for id in ["", ".", ".."] {
        let refused = client.remove(id, "00g1").await.unwrap_err();
        assert!(matches!(refused, Error::Refused { .. }), "{refused:?}");
    }
    assert_eq!(fake.asked().len(), 1);
}

#[tokio::test]
async fn all_groups_of_a_user_are_read_over_several_link_lines() {
    let fake = Fake::new(|asked| {
        let reply = match asked.line.split_once(' ').unwrap().1 {
            "/okta/api/v1/users/00u1/groups" => Reply::new(200, &json!([{"id": "00g1"}])).with(
                "link",
                "</okta/api/v1/users/00u1/groups?after=x%2Cy>; title=\"a, b\"; rel=\"next\"",
            ),
            "/okta/api/v1/users/00u1/groups after=x,y" => Reply::new(200, &json!([{"id": "00g2"}]))
                .with("link", "</prev>; rel=prev, </okta/last>; REL=\"last NEXT\""),
            "/okta/last" => Reply::new(200, &json!([{"id": "00g3"}])),
            other => panic!("{other}"),
        };
        reply.with("link", "</self>; rel=\"self\"")
    });
    let client = fake.client().await;
    assert_eq!(
        client.groups_of("00u1").await.unwrap(),
        ["00g1", "00g2", "00g3"]
    );
    assert_eq!(client.is_member("00u1", "00g3").await, Ok(true));
    assert_eq!(client.is_member("00u1", "00g4").await, Ok(false));
}

#[tokio::test]
async fn the_token_does_not_follow_a_link_to_another_host() {
    let fake = Fake::new(|_| {
        Reply::new(200, &json!([])).with("link", "<https://evil.example/api>; rel=\"next\"")
    });
    let refused = fake.client().await.groups_of("00u1").await.unwrap_err();
    assert!(
        matches!(
            refused,
            Error::Refused {
                mend: Mend::Address,
                ..
            }
        ),
        "{refused:?}"
    );
    assert!(refused.to_string().contains("`https://evil.example`"));
    assert_eq!(fake.asked().len(), 1);
}

#[tokio::test]
async fn a_list_that_never_ends_is_given_up() {
    let fake = Fake::new(|_| Reply::new(200, &json!([])).with("link", "</again>; rel=\"next\""));
    let given_up = fake.client().await.groups_of("00u1").await;
    assert!(matches!(given_up, Err(Error::Unclear { .. })));
}

#[tokio::test]
async fn header_names_may_be_written_anyhow() {
    let client = raw("HTTP/1.1 204 No Content\r\nX-OKTA-Request-Id: reqZ\r\n\r\n").await;
    let done = client.remove("00u1", "00g1").await.unwrap();
    assert_eq!(done.request_id.as_deref(), Some("reqZ"));
}

#[tokio::test]
async fn users_of_any_status_are_read_and_only_active_ones_are_active() {
    for (status, is_active) in [
        ("ACTIVE", true),
        ("DEPROVISIONED", false),
        ("SUSPENDED", false),
        ("PASSWORD_EXPIRED", false),
        ("SOMETHING_NEW", false),
    ] {
        let fake =
            Fake::new(move |_| Reply::new(200, &user("00u1", "ann@x.com", "ann@y.com", status)));
        let found = fake.client().await.user("00u1").await.unwrap();
        assert_eq!(found.is_active(), is_active, "{status}");
        let expected = User {
            id: "00u1".to_owned(),
            login: "ann@x.com".to_owned(),
            email: "ann@y.com".to_owned(),
            status: status.to_owned(),
        };
        assert_eq!(found, expected);
        assert_eq!(fake.asked(), ["GET /okta/api/v1/users/00u1"]);
    }
}

#[tokio::test]
async fn a_user_is_found_by_id_alone() {
    let fake = Fake::new(|_| Reply::new(200, &user("00u1", "ann@x.com", "ann@x.com", "ACTIVE")));
    let missing = fake.client().await.user("ann").await.unwrap_err();
    assert!(matches!(
        missing,
        Error::Missing {
            what: Missing::User,
            ..
        }
    ));
}

/// Who is found for an address, where `filter` and `search` find what they find and a user is read
/// as what they are now.
async fn found(
    email: &str,
    filtered: Value,
    searched: Value,
    now: Value,
) -> (Result<Vec<String>, Error>, Vec<String>) {
    let fake = Fake::new(move |asked| {
        if asked.line.contains(" filter=") {
            Reply::new(200, &filtered)
        } else if asked.line.contains(" search=") {
            Reply::new(200, &searched)
        } else if now.is_null() {
            complaint(
                404,
                "E0000007",
                "Not found: Resource not found: 00u1 (User)",
            )
        } else {
            Reply::new(200, &now)
        }
    });
    let users = fake.client().await.users_by_email(email).await;
    let ids = users.map(|users| users.into_iter().map(|user| user.id).collect());
    let mut asked = fake.asked();
    asked.sort();
    (ids, asked)
}

#[tokio::test]
async fn an_address_is_quoted_and_looked_for_in_both_ways() {
    let (ids, asked) = found("O'Hara\"\\@x.com", json!([]), json!([]), json!(null)).await;
    assert_eq!(ids.unwrap(), [""; 0]);
    let lower = r#"profile.login eq "o'hara\"\\@x.com" or profile.email eq "o'hara\"\\@x.com""#;
    let as_is = r#"profile.login eq "O'Hara\"\\@x.com" or profile.email eq "O'Hara\"\\@x.com""#;
    assert_eq!(
        asked,
        [
            format!("GET /okta/api/v1/users filter={as_is} or {lower} limit=200"),
            format!("GET /okta/api/v1/users search={lower} limit=200"),
        ]
    );
    let (ids, asked) = found("", json!([]), json!([]), json!(null)).await;
    assert_eq!((ids.unwrap().len(), asked.len()), (0, 0));
}

#[tokio::test]
async fn nobody_one_several_and_deactivated_are_told_apart() {
    let ann = user("00u1", "ann@x.com", "ann@x.com", "ACTIVE");
    let by_login = user("00u2", "ann@x.com", "other@x.com", "SUSPENDED");
    let gone = user("00u3", "old@x.com", "ann@x.com", "DEPROVISIONED");
    let near = user("00u4", "ann@x.com.evil", "ann+1@x.com", "ACTIVE");
    for (all, expected) in [
        (json!([]), vec![]),
        (json!([near]), vec![]),
        (json!([ann, ann]), vec!["00u1"]),
        (json!([ann, by_login]), vec!["00u1", "00u2"]),
        (json!([gone, ann]), vec!["00u1"]),
        (json!([gone]), vec!["00u3"]),
    ] {
        let (ids, asked) = found("ann@x.com", all.clone(), all, json!(null)).await;
        assert_eq!(ids.unwrap(), expected);
        assert_eq!(asked.len(), 2);
    }
}

#[tokio::test]
async fn the_case_of_an_address_does_not_matter_and_look_alikes_do() {
    let ann = user("00u1", "Ann@X.com", "Ann@X.com", "ACTIVE");
    let (ids, _) = found("aNN@x.com", json!([]), json!([ann]), ann.clone()).await;
    assert_eq!(ids.unwrap(), ["00u1"]);
    // U+212A is a K, and becomes the letter k in lower case.
    let kay = user("00u1", "kay@x.com", "kay@x.com", "ACTIVE");
    let (ids, _) = found("\u{212a}ay@x.com", json!([kay]), json!([kay]), kay.clone()).await;
    assert_eq!(ids.unwrap(), [""; 0]);
}

#[tokio::test]
async fn what_only_the_old_index_knows_is_read_again() {
    let then = user("00u1", "ann@x.com", "ann@x.com", "ACTIVE");
    let now = user("00u1", "ann@y.com", "ann@y.com", "ACTIVE");
    let (ids, _) = found("ann@x.com", json!([]), json!([then]), now.clone()).await;
    assert_eq!(ids.unwrap(), [""; 0]);
    let (ids, _) = found("ann@x.com", json!([]), json!([then]), json!(null)).await;
    assert_eq!(ids.unwrap(), [""; 0]);
    // What the filter says is current, and the index is not asked about it.
    let (ids, _) = found("ann@x.com", json!([then]), json!([now]), json!(null)).await;
    assert_eq!(ids.unwrap(), ["00u1"]);
}

/// What becomes of the check of `00g1` with these answers for group, rules and roles.
async fn check(group: Reply, rules: Reply, admin: Reply) -> Result<GroupCheck, Error> {
    let replies = std::sync::Mutex::new([Some(group), Some(rules), Some(admin)]);
    let fake = Fake::new(move |asked| {
        let which = match asked.line.as_str() {
            "GET /okta/api/v1/groups/00g1" => 0,
            "GET /okta/api/v1/groups/rules limit=200" => 1,
            "GET /okta/api/v1/groups/00g1/roles" => 2,
            other => panic!("{other}"),
        };
        replies.lock().unwrap()[which].take().unwrap()
    });
    fake.client().await.group_check("00g1").await
}

fn group(kind: &str) -> Reply {
    Reply::new(
        200,
        &json!({"id": "00g1", "type": kind, "profile": {"name": "Prod admins", "description": null}}),
    )
}

fn nothing() -> Reply {
    Reply::new(200, &json!([]))
}

fn rule(status: &str, target: &str) -> Reply {
    Reply::new(
        200,
        &json!([{
            "type": "group_rule", "id": "0pr1", "status": status, "name": "All engineers",
            "conditions": {"people": {"users": {"exclude": []}, "groups": {"exclude": []}},
                "expression": {"value": "user.role==\"Engineer\"", "type": "urn:okta:expression:1.0"}},
            "actions": {"assignUserToGroups": {"groupIds": ["00g9", target]}},
        }]),
    )
}

fn role() -> Reply {
    Reply::new(
        200,
        &json!([{"id": "IFI", "label": "Super Administrator", "type": "SUPER_ADMIN", "status": "ACTIVE", "assignmentType": "GROUP"}]),
    )
}

fn forbidden() -> Reply {
    complaint(
        403,
        "E0000006",
        "You do not have permission to perform the requested action",
    )
}

async fn unfit(group: Reply, rules: Reply, admin: Reply) -> String {
    match check(group, rules, admin).await {
        Ok(GroupCheck::Unfit { reason }) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_plain_group_is_fit() {
    let fit = check(group("OKTA_GROUP"), rule("ACTIVE", "00g2"), nothing()).await;
    let name = "Prod admins".to_owned();
    assert_eq!(fit, Ok(GroupCheck::Fit { name }));
}

#[tokio::test]
async fn a_group_that_is_not_ours_to_change_is_unfit() {
    for kind in ["APP_GROUP", "BUILT_IN"] {
        let reason = unfit(group(kind), nothing(), nothing()).await;
        assert!(reason.contains(kind), "{reason}");
    }
    for status in ["ACTIVE", "INACTIVE", "INVALID"] {
        let reason = unfit(group("OKTA_GROUP"), rule(status, "00g1"), nothing()).await;
        assert_eq!(
            reason,
            "the Okta group `Prod admins` (00g1) gets its members from the group rule `All engineers`"
        );
    }
    let reason = unfit(group("OKTA_GROUP"), nothing(), role()).await;
    assert!(reason.contains("Super Administrator"), "{reason}");
    // One sure reason is enough.
    let reason = unfit(group("OKTA_GROUP"), forbidden(), role()).await;
    assert!(reason.contains("Super Administrator"), "{reason}");
}

#[tokio::test]
async fn a_rule_on_the_second_page_counts() {
    let fake = Fake::new(|asked| match asked.line.as_str() {
        "GET /okta/api/v1/groups/00g1" => group("OKTA_GROUP"),
        "GET /okta/api/v1/groups/00g1/roles" => nothing(),
        "GET /okta/api/v1/groups/rules limit=200" => {
            nothing().with("link", "</okta/more>; rel=\"next\"")
        }
        "GET /okta/more" => rule("ACTIVE", "00g1"),
        other => panic!("{other}"),
    });
    let check = fake.client().await.group_check("00g1").await;
    assert!(matches!(check, Ok(GroupCheck::Unfit { .. })), "{check:?}");
}

#[tokio::test]
async fn what_cannot_be_read_of_a_group_is_named_with_what_it_needs() {
    for (rules, admin, doing, needs) in [
        (
            forbidden(),
            nothing(),
            "read the group rules",
            "`okta.groups.read`",
        ),
        (
            nothing(),
            forbidden(),
            "read the admin roles",
            "`okta.iam.read`",
        ),
    ] {
        let refused = check(group("OKTA_GROUP"), rules, admin).await.unwrap_err();
        let Error::Refused { mend, .. } = &refused else {
            panic!("{refused:?}")
        };
        assert_eq!(*mend, Mend::Permission);
        assert!(refused.to_string().contains(doing), "{refused}");
        assert!(refused.hint().contains(needs), "{}", refused.hint());
    }
    let strange = Reply::new(200, &json!([{"name": "x", "actions": {"new": {}}}]));
    let unclear = check(group("OKTA_GROUP"), strange, nothing()).await;
    assert!(matches!(unclear, Err(Error::Unclear { .. })), "{unclear:?}");
}

#[tokio::test]
async fn everybody_in_a_group_is_read_over_several_link_lines() {
    let fake = Fake::new(|asked| {
        let reply = match asked.line.split_once(' ').unwrap().1 {
            "/okta/api/v1/groups/00g1/users limit=200" => Reply::new(
                200,
                &json!([
                    user("00u1", "a@x", "a@x", "ACTIVE"),
                    user("00u2", "b@x", "b@x", "STAGED")
                ]),
            )
            .with("link", "</okta/next?after=1>; rel=\"next\""),
            "/okta/next after=1" => {
                Reply::new(200, &json!([user("00u3", "c@x", "c@x", "DEPROVISIONED")]))
            }
            other => panic!("{other}"),
        };
        reply.with("link", "</self>; rel=\"self\"")
    });
    let client = fake.client().await;
    let (members, next) = client.members_of("00g1", None).await.unwrap();
    assert_eq!(members, ["00u1", "00u2"]);
    let (members, next) = client.members_of("00g1", next).await.unwrap();
    assert_eq!((members, next), (vec!["00u3".to_owned()], None));
}

#[tokio::test]
async fn a_list_of_members_that_breaks_off_is_no_list() {
    let fake = Fake::new(|asked| {
        if asked.line.contains("after") {
            return complaint(500, "E0000009", "Internal Server Error");
        }
        Reply::new(200, &json!([user("00u1", "a@x", "a@x", "ACTIVE")]))
            .with("link", "</okta/next?after=1>; rel=\"next\"")
    });
    let client = fake.client().await;
    let (_, next) = client.members_of("00g1", None).await.unwrap();
    let broken = client.members_of("00g1", next).await.unwrap_err();
    assert!(
        broken
            .to_string()
            .contains("read who is in the Okta group `00g1`")
    );

    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\n[{\"id\":\"00u1\"}";
    let broken = raw(cut).await.members_of("00g1", None).await.unwrap_err();
    assert!(matches!(broken, Error::Unclear { .. }), "{broken:?}");

    let gone = Fake::new(|_| {
        complaint(
            404,
            "E0000007",
            "Not found: Resource not found: 00g1 (UserGroup)",
        )
    });
    let gone = gone
        .client()
        .await
        .members_of("00g1", None)
        .await
        .unwrap_err();
    let group = Missing::Group;
    assert!(
        matches!(gone, Error::Missing { what, .. } if what == group),
        "{gone:?}"
    );
}
