use proptest::prelude::*;

use super::*;

const VALID: &str = r##"slack_workspace_id = "T0123ABCD"
okta_org_domain = "MyCo.okta.com"
tags = { company = "myco", tier = "unknown" }
[[flow]]
name = "okta"
label = "Okta Access"
request_channel = "#sym-requests"
approver_group = "00g1approvers"
durations = ["4h", "30m", "1h"]
notify = ["S0ONCALL1"]
tags = { tier = "production" }
[[flow.field]]
name = "ticket"
label = "Ticket"
type = "choice"
choices = ["INC", "CHG"]
[[flow.field]]
name = "who-asked"
label = "Who asked"
type = "person"
required = false
[[flow.target]]
label = "Prod"
group_id = "00g2prod"
max_duration = "1h"
[[flow.target]]
label = "Staging"
group_id = "00g3staging"
durations = ["2d", "90m"]
approver_group = "00g4others"
approvals_needed = 2
request_timeout = "1h"
request_channel = "C0123ABCD"
error_channel = "#staging-errors"
notify = []
tags = { tier = "staging" }
"##;

#[test]
fn a_target_has_everything_that_applies_to_it() {
    let flows = Flows::parse(VALID).unwrap();
    assert_eq!(flows.slack_workspace_id, "T0123ABCD");
    assert_eq!(flows.okta_org, Org::new("myco.okta.com"));
    assert_eq!(flows.error_channel.as_str(), "#sym-errors");

    let flow = flows.flow("okta").unwrap();
    assert_eq!(
        flow.target(&Group::new("00g2prod")),
        Some(&Target {
            label: "Prod".to_owned(),
            group: Group::new("00g2prod"),
            approver_group: Some(Group::new("00g1approvers")),
            approvals_needed: 1,
            durations: durations(&["30m", "1h"]),
            max_duration: duration("1h"),
            request_timeout: duration("24h"),
            route: to("#sym-requests"),
            fallback: None,
            fallback_after: duration("12h"),
            remind_after: Some(duration("1h")),
            error_channel: channel("#sym-errors"),
            notify: vec!["S0ONCALL1".to_owned()],
            tags: tags(&[("company", "myco"), ("tier", "production")]),
        })
    );
    assert_eq!(
        flow.target(&Group::new("00g3staging")),
        Some(&Target {
            label: "Staging".to_owned(),
            group: Group::new("00g3staging"),
            approver_group: Some(Group::new("00g4others")),
            approvals_needed: 2,
            durations: durations(&["90m", "2d"]),
            max_duration: duration("2d"),
            request_timeout: duration("1h"),
            route: to("C0123ABCD"),
            fallback: None,
            fallback_after: duration("30m"),
            remind_after: Some(duration("1h")),
            error_channel: channel("#staging-errors"),
            notify: vec![],
            tags: tags(&[("company", "myco"), ("tier", "staging")]),
        })
    );
    assert_eq!(flow.target(&Group::new("nothing")), None);
    assert_eq!(flows.flow("nothing"), None);
}

#[test]
fn a_flow_asks_its_own_questions() {
    let flows = Flows::parse(VALID).unwrap();
    let choices = vec!["INC".to_owned(), "CHG".to_owned()];
    assert_eq!(
        flows.flows[0].fields,
        [
            Field {
                name: "ticket".to_owned(),
                label: "Ticket".to_owned(),
                kind: FieldKind::Choice(choices),
                required: true,
            },
            Field {
                name: "who-asked".to_owned(),
                label: "Who asked".to_owned(),
                kind: FieldKind::Person,
                required: false,
            },
        ]
    );
}

#[test]
fn a_file_may_have_no_flows() {
    let text = "slack_workspace_id = \"E0123ABCD\"\nokta_org_domain = \"id.myco.com\"";
    assert_eq!(Flows::parse(text).unwrap().flows, []);
}

#[test]
fn the_file_that_ships_is_right() {
    let flows = Flows::parse(include_str!("../../../../infra/flows/flows.toml")).unwrap();
    assert_eq!(flows.flows.len(), 1);
}

#[test]
fn an_approver_group_is_a_target_only_if_the_file_says_so() {
    let text = VALID.replace("00g2prod", "00g4others");
    assert_eq!(
        mistakes(&text),
        "line 24: `group_id` is `00g4others`, which is an approver group, expected another group or \
         `allow_approver_group_as_target = true`"
    );
    Flows::parse(&format!("allow_approver_group_as_target = true\n{text}")).unwrap();
}

/// Each row changes the valid file, from the first text to the second, and names the line and what
/// is said about it.
#[test]
fn every_mistake_is_told_with_its_line() {
    let duration = "expected a duration such as `30m`, `1h` or `2d`, from one minute to 90 days";
    let label = "expected a text of 1 to 75 characters in one line, without space around it";
    let slug = "expected 1 to 40 lower-case letters, digits and `-`";
    let group = "expected an Okta group id such as `00g1abcd2EFGH3ijk4x7`";
    let channel = "expected a channel such as `#sym-requests`, or a channel id such as `C0123ABCD`";
    let request = "expected a channel such as `#sym-requests`, a channel id such as `C0123ABCD`, or \
                   `asked-from`";
    let mention = "expected the Slack id of a person (`U…`, `W…`) or of a user group (`S…`)";
    let org = "expected the bare host name of an Okta org such as `myco.okta.com`, without \
               `https://` and without `-admin`";
    let long_label = format!("label = \"{}\"", "x".repeat(76));
    let long_header = format!("label = \"Okta Access\"\nheader = \"{}\"", "x".repeat(3001));
    let x60 = "x".repeat(60);
    let choices: Vec<_> = (0..101).map(|n| format!("\"{n}\"")).collect();
    let many_choices = format!("choices = [{}]", choices.join(","));
    let fields: Vec<_> = (0..9)
        .map(|n| format!("[[flow.field]]\nname = \"f{n}\"\nlabel = \"F{n}\"\ntype = \"text\""))
        .collect();
    let many_fields = format!("{}\n[[flow.target]]\nlabel = \"Prod\"", fields.join("\n"));

    #[rustfmt::skip]
    let rows: &[(&str, &str, usize, &str)] = &[
        // Missing, unknown, twice, not TOML.
        ("slack_workspace_id = \"T0123ABCD\"", "", 1, "this file has no `slack_workspace_id`, expected a Slack workspace id such as `T0123ABCD`"),
        ("okta_org_domain = \"MyCo.okta.com\"", "", 1, &format!("this file has no `okta_org_domain`, {org}")),
        ("name = \"okta\"", "", 4, &format!("this flow has no `name`, {slug}")),
        ("label = \"Okta Access\"", "", 4, &format!("this flow has no `label`, {label}")),
        ("request_channel = \"#sym-requests\"", "", 4, "this flow has neither `request_channel` nor `request_people`, expected one of them, such as `request_channel = \"#sym-requests\"`"),
        ("durations = [\"4h\", \"30m\", \"1h\"]", "", 4, "this flow has no `durations`, expected a list of durations such as `[\"30m\", \"1h\"]`"),
        ("label = \"Prod\"", "", 22, &format!("this target has no `label`, {label}")),
        ("group_id = \"00g2prod\"", "", 22, &format!("this target has no `group_id`, {group}")),
        ("name = \"ticket\"", "", 12, &format!("this field has no `name`, {slug}, and none of `flow`, `target`, `reason` and `duration`, which every form has")),
        ("label = \"Ticket\"", "", 12, &format!("this field has no `label`, {label}")),
        ("type = \"person\"", "", 17, "this field has no `type`, expected `text`, `number`, `choice`, `person` or `date`"),
        ("choices = [\"INC\", \"CHG\"]", "", 12, "this field has no `choices`, expected a list of texts, because its `type` is `choice`"),
        ("max_duration", "max_durations", 25, "`max_durations` is not a key of this target, did you mean `max_duration`?"),
        ("required", "requird", 21, "`requird` is not a key of this field, did you mean `required`?"),
        ("required", "zzz", 21, "`zzz` is not a key of this field, expected one of `name`, `label`, `type`, `required`, `choices`"),
        ("slack_workspace_id", "slack_workspace_id = \"T01\"\nslack_workspace_id", 2, "`slack_workspace_id` is there a second time, expected each key once"),
        ("name = \"okta\"", "name = \"okta", 5, "this is not TOML: invalid basic string, expected `\"`"),
        ("[[flow]]", "[[flow]", 4, "this is not TOML: unclosed array table, expected `]`"),
        // Wrong types.
        ("name = \"okta\"", "name = 7", 5, &format!("`name` is `7`, {slug}")),
        ("notify = [\"S0ONCALL1\"]", "notify = \"S0ONCALL1\"", 10, &format!("`notify` is `S0ONCALL1`, expected a list, each item {}", &mention["expected ".len()..])),
        ("max_duration = \"1h\"", "max_duration = [1]", 25, &format!("`max_duration` is a list, {duration}")),
        ("max_duration = \"1h\"", "max_duration = {}", 25, &format!("`max_duration` is a table, {duration}")),
        ("tags = { tier = \"production\" }", "tags = 1", 11, "`tags` is `1`, expected a table such as `{ tier = \"production\" }`"),
        ("tags = { tier = \"production\" }", "tags = { tier = 1 }", 11, "`tier` is `1`, expected a text"),
        ("required = false", "required = \"no\"", 21, "`required` is `no`, expected `true` or `false`"),
        // Wrong values.
        ("T0123ABCD", "t0123abcd", 1, "`slack_workspace_id` is `t0123abcd`, expected a Slack workspace id such as `T0123ABCD`"),
        ("MyCo.okta.com", "https://myco.okta.com", 2, &format!("`okta_org_domain` is `https://myco.okta.com`, {org}")),
        ("MyCo.okta.com", "myco.okta.com/", 2, &format!("`okta_org_domain` is `myco.okta.com/`, {org}")),
        ("MyCo.okta.com", "myco", 2, &format!("`okta_org_domain` is `myco`, {org}")),
        ("MyCo.okta.com", "myco-admin.okta.com", 2, &format!("`okta_org_domain` is `myco-admin.okta.com`, {org}")),
        ("#sym-requests", "sym-requests", 7, &format!("`request_channel` is `sym-requests`, {request}")),
        ("#sym-requests", "#Sym requests", 7, &format!("`request_channel` is `#Sym requests`, {request}")),
        ("#staging-errors", "#", 34, &format!("`error_channel` is `#`, {channel}")),
        ("00g1approvers", "Approvers", 8, &format!("`approver_group` is `Approvers`, {group}")),
        ("00g2prod", "00g", 24, &format!("`group_id` is `00g`, {group}")),
        ("name = \"okta\"", "name = \"Okta_Access\"", 5, &format!("`name` is `Okta_Access`, {slug}")),
        ("name = \"ticket\"", "name = \"reason\"", 13, &format!("`name` is `reason`, {slug}, and none of `flow`, `target`, `reason` and `duration`, which every form has")),
        ("label = \"Okta Access\"", &long_label, 6, &format!("`label` is `{x60}…`, {label}")),
        ("label = \"Okta Access\"", "label = \"\"", 6, &format!("`label` is ``, {label}")),
        ("label = \"Okta Access\"", "label = \" Okta\"", 6, &format!("`label` is ` Okta`, {label}")),
        ("label = \"Okta Access\"", &long_header, 7, &format!("`header` is `{x60}…`, expected a text of 1 to 3000 characters")),
        ("S0ONCALL1", "@oncall", 10, &format!("`notify` has `@oncall`, {mention}")),
        ("approvals_needed = 2", "approvals_needed = 0", 31, "`approvals_needed` is `0`, expected a whole number from 1 to 10"),
        ("approvals_needed = 2", "approvals_needed = 11", 31, "`approvals_needed` is `11`, expected a whole number from 1 to 10"),
        ("approvals_needed = 2", "approvals_needed = 1.5", 31, "`approvals_needed` is `1.5`, expected a whole number from 1 to 10"),
        ("type = \"person\"", "type = \"people\"", 20, "`type` is `people`, expected `text`, `number`, `choice`, `person` or `date`"),
        // Durations.
        ("max_duration = \"1h\"", "max_duration = \"1x\"", 25, &format!("`max_duration` is `1x`, {duration}")),
        ("max_duration = \"1h\"", "max_duration = \"59s\"", 25, &format!("`max_duration` is `59s`, {duration}")),
        ("max_duration = \"1h\"", "max_duration = \"91d\"", 25, &format!("`max_duration` is `91d`, {duration}")),
        ("max_duration = \"1h\"", "max_duration = \"1.5h\"", 25, &format!("`max_duration` is `1.5h`, {duration}")),
        ("request_timeout = \"1h\"", "request_timeout = \"\"", 32, &format!("`request_timeout` is ``, {duration}")),
        ("\"4h\", \"30m\"", "\"4h\", 30", 9, &format!("`durations` has `30`, {duration}")),
        ("\"4h\", \"30m\", \"1h\"", "", 9, &format!("`durations` is empty, expected {}", &duration["expected ".len()..])),
        ("\"4h\", \"30m\"", "\"60m\", \"30m\"", 9, "`durations` has `1h` a second time, expected each item once"),
        ("max_duration = \"1h\"", "max_duration = \"10m\"", 25, "`max_duration` is `10m`, expected at least the shortest of the flow's `durations`"),
        ("durations = [\"2d\", \"90m\"]", "durations = [\"2d\",\n \"90m\"]\nmax_duration = \"1d\"", 29, "`durations` has `2d`, expected at most the longest `max_duration`, 1 day"),
        ("durations = [\"2d\", \"90m\"]", "max_duration = \"29m\"", 29, "`max_duration` is `29m`, expected at least the shortest of the flow's `durations`"),
        // Too many, too few, twice.
        ("\"CHG\"", "\"INC\"", 16, "`choices` has `INC` a second time, expected each item once"),
        ("choices = [\"INC\", \"CHG\"]", "choices = []", 16, &format!("`choices` is empty, expected {}", &label["expected ".len()..])),
        ("choices = [\"INC\", \"CHG\"]", &many_choices, 16, "`choices` has 101 items, expected at most 100"),
        ("type = \"person\"", "type = \"person\"\nchoices = [\"a\"]", 17, "this field has `choices`, expected only with `type = \"choice\"`"),
        ("[[flow.target]]\nlabel = \"Prod\"", &many_fields, 54, "this field is number 11, expected at most 10"),
        ("label = \"Who asked\"", "label = \"TICKET\"", 19, "`label` is `TICKET`, the same as in line 14, expected another for each field"),
        ("name = \"who-asked\"", "name = \"ticket\"", 18, "`name` is `ticket`, the same as in line 13, expected another for each field"),
        ("label = \"Staging\"", "label = \"prod\"", 27, "`label` is `prod`, the same as in line 23, expected another for each target"),
        ("00g3staging", "00g2prod", 28, "`group_id` is `00g2prod`, the same as in line 24, expected another for each target"),
    ];
    told(rows.iter().map(|(from, to, line, said)| {
        let text = VALID.replacen(from, to, 1);
        assert_ne!(text, VALID, "`{from}` is not in the valid file");
        (text, format!("line {line}: {said}"))
    }));
}

#[test]
fn requests_go_where_the_nearest_level_says() {
    #[rustfmt::skip]
    let rows: &[(&str, &str, Route, Option<Route>)] = &[
        ("request_channel = \"#far\"", "", to("#far"), None),
        ("request_channel = \"#far\"", "request_channel = \"C0NEAR\"", to("C0NEAR"), None),
        ("request_channel = \"#far\"", "request_people = [\"U0BOB\"]", of(&["U0BOB"]), None),
        ("request_people = [\"U0BOB\", \"W0CAROL\"]", "", of(&["U0BOB", "W0CAROL"]), None),
        ("request_people = [\"U0BOB\"]", "request_people = [\"U0CAROL\"]", of(&["U0CAROL"]), None),
        ("request_people = [\"U0BOB\"]", "request_channel = \"#near\"", to("#near"), None),
        // A fallback, in the same way and for itself.
        ("request_channel = \"#far\"\nfallback_channel = \"#others\"", "", to("#far"), Some(to("#others"))),
        ("request_channel = \"#far\"\nfallback_channel = \"#others\"", "request_people = [\"U0BOB\"]", of(&["U0BOB"]), Some(to("#others"))),
        ("request_channel = \"#far\"\nfallback_channel = \"#others\"", "fallback_people = [\"U0BOB\"]", to("#far"), Some(of(&["U0BOB"]))),
        ("request_channel = \"#far\"\nfallback_people = [\"U0BOB\"]", "fallback_channel = \"#near\"", to("#far"), Some(to("#near"))),
        ("request_people = [\"U0BOB\"]", "fallback_people = [\"U0BOB\", \"U0CAROL\"]", of(&["U0BOB"]), Some(of(&["U0BOB", "U0CAROL"]))),
        // Where it was asked from.
        ("request_channel = \"asked-from\"\nfallback_channel = \"#others\"", "", Route::AskedFrom, Some(to("#others"))),
        ("request_channel = \"asked-from\"", "fallback_people = [\"U0BOB\"]", Route::AskedFrom, Some(of(&["U0BOB"]))),
        ("request_channel = \"#far\"\nfallback_channel = \"#others\"", "request_channel = \"asked-from\"", Route::AskedFrom, Some(to("#others"))),
        ("request_channel = \"asked-from\"", "request_channel = \"#near\"", to("#near"), None),
    ];
    for (flow, target, route, fallback) in rows {
        let found = routed(flow, target);
        assert_eq!(&found.route, route, "{flow} | {target}");
        assert_eq!(&found.fallback, fallback, "{flow} | {target}");
    }
}

#[test]
fn others_are_asked_after_half_of_the_timeout_or_when_the_file_says() {
    #[rustfmt::skip]
    let rows = [
        ("fallback_channel = \"#others\"", "", "12h"),
        ("fallback_channel = \"#others\"\nrequest_timeout = \"1h\"", "", "30m"),
        ("fallback_channel = \"#others\"\nrequest_timeout = \"1h\"", "request_timeout = \"3h\"", "90m"),
        ("fallback_channel = \"#others\"", "request_timeout = \"90s\"", "1m"),
        ("fallback_channel = \"#others\"\nfallback_after = \"23h\"", "", "23h"),
        ("fallback_channel = \"#others\"\nfallback_after = \"23h\"", "fallback_after = \"5m\"", "5m"),
        ("fallback_channel = \"#others\"\nfallback_after = \"2d\"", "request_timeout = \"3d\"", "2d"),
        ("fallback_after = \"2h\"", "fallback_channel = \"#others\"", "2h"),
    ];
    for (flow, target, after) in rows {
        let flow = format!("request_channel = \"#far\"\n{flow}");
        let found = routed(&flow, target).fallback_after;
        assert_eq!(found, duration(after), "{flow} | {target}");
    }
}

#[test]
fn reminders_begin_after_an_hour_or_when_the_file_says() {
    for (flow, target, after) in [
        ("", "", Some("1h")),
        ("remind_after = \"10m\"", "", Some("10m")),
        ("remind_after = \"never\"", "", None),
        (
            "remind_after = \"never\"",
            "remind_after = \"2d\"",
            Some("2d"),
        ),
        ("remind_after = \"2h\"", "remind_after = \"never\"", None),
    ] {
        let flow = format!("request_channel = \"#far\"\n{flow}");
        let found = routed(&flow, target).remind_after;
        assert_eq!(found, after.map(duration), "{flow} | {target}");
    }
}

/// Each row is what a flow says, from line 7 on; what its target says, from three lines after that;
/// and the line and what is said about it.
#[test]
fn every_mistake_in_where_requests_go_is_told_with_its_line() {
    let request = "expected a channel such as `#sym-requests`, a channel id such as `C0123ABCD`, or \
                   `asked-from`";
    let fallback = "expected a channel such as `#sym-requests`, or a channel id such as `C0123ABCD`, \
                    and not `asked-from`, which needs a fallback itself";
    let person = "expected the Slack id of a person (`U…`, `W…`), and not of a user group (`S…`), \
                  which cannot get direct messages";
    let duration = "expected a duration such as `30m`, `1h` or `2d`, from one minute to 90 days";
    let many: Vec<_> = (10..21).map(|n| format!("\"U{n}\"")).collect();
    let many = format!("request_people = [{}]", many.join(", "));
    let far = "request_channel = \"#far\"";

    #[rustfmt::skip]
    let rows: &[(&str, &str, usize, &str)] = &[
        // Neither, both.
        ("", "request_channel = \"#near\"", 3, "this flow has neither `request_channel` nor `request_people`, expected one of them, such as `request_channel = \"#sym-requests\"`"),
        ("request_channel = \"#far\"\nrequest_people = [\"U0BOB\"]", "", 8, "`request_people` is there as well as `request_channel` in line 7, expected only one of them"),
        ("request_people = [\"U0BOB\"]\nrequest_channel = \"#far\"", "", 8, "`request_channel` is there as well as `request_people` in line 7, expected only one of them"),
        (far, "request_people = [\"U0BOB\"]\nrequest_channel = \"#near\"", 12, "`request_channel` is there as well as `request_people` in line 11, expected only one of them"),
        (far, "fallback_people = [\"U0BOB\"]\nfallback_channel = \"#near\"", 12, "`fallback_channel` is there as well as `fallback_people` in line 11, expected only one of them"),
        // Wrong values.
        ("request_channel = \"far\"", "", 7, &format!("`request_channel` is `far`, {request}")),
        ("request_channel = \"Asked-From\"", "", 7, &format!("`request_channel` is `Asked-From`, {request}")),
        ("request_channel = [\"#far\"]", "", 7, &format!("`request_channel` is a list, {request}")),
        (far, "fallback_channel = \"others\"", 11, &format!("`fallback_channel` is `others`, {fallback}")),
        (far, "fallback_channel = \"asked-from\"", 11, &format!("`fallback_channel` is `asked-from`, {fallback}")),
        ("request_people = \"U0BOB\"", "", 7, &format!("`request_people` is `U0BOB`, expected a list, each item {}", &person["expected ".len()..])),
        ("request_people = [\"@bob\"]", "", 7, &format!("`request_people` has `@bob`, {person}")),
        ("request_people = [\"asked-from\"]", "", 7, &format!("`request_people` has `asked-from`, {person}")),
        ("request_people = [\"U0BOB\",\n\"S0ONCALL\"]", "", 8, &format!("`request_people` has `S0ONCALL`, {person}")),
        ("request_people = [\"U0BOB\", \"U0BOB\"]", "", 7, "`request_people` has `U0BOB` a second time, expected each item once"),
        ("request_people = []", "", 7, &format!("`request_people` is empty, {person}")),
        (&many, "", 7, "`request_people` has 11 items, expected at most 10"),
        (far, "fallback_people = [\"S0ONCALL\"]", 11, &format!("`fallback_people` has `S0ONCALL`, {person}")),
        (far, "fallback_people = []", 11, &format!("`fallback_people` is empty, {person}")),
        (far, "remind_after = \"off\"", 11, &format!("`remind_after` is `off`, {duration}, or `never`")),
        (far, "remind_after = 0", 11, &format!("`remind_after` is `0`, {duration}, or `never`")),
        (far, "fallback_channel = \"#near\"\nfallback_after = \"never\"", 12, &format!("`fallback_after` is `never`, {duration}")),
        // A time for a fallback that there is not, or that comes too late.
        ("request_channel = \"#far\"\nfallback_after = \"2h\"", "", 8, "`fallback_after` is `2h`, expected only with a `fallback_channel` or `fallback_people`"),
        (far, "fallback_after = \"2h\"", 11, "`fallback_after` is `2h`, expected only with a `fallback_channel` or `fallback_people`"),
        ("request_channel = \"#far\"\nfallback_channel = \"#others\"\nfallback_after = \"24h\"", "", 9, "`fallback_after` is `24h`, expected less than `request_timeout`, 1 day"),
        ("request_channel = \"#far\"\nfallback_channel = \"#others\"\nrequest_timeout = \"2h\"", "fallback_after = \"3h\"", 13, "`fallback_after` is `3h`, expected less than `request_timeout`, 2 hours"),
        ("request_channel = \"#far\"\nfallback_channel = \"#others\"\nfallback_after = \"2h\"", "request_timeout = \"90m\"", 13, "`request_timeout` is `90m`, expected more than `fallback_after`, 2 hours"),
        (far, "fallback_channel = \"#others\"\nrequest_timeout = \"1m\"", 12, "`request_timeout` is `1m`, expected more than `fallback_after`, 1 minute"),
        // From where it was asked, which may be nowhere.
        ("request_channel = \"asked-from\"", "", 7, "`request_channel` is `asked-from`, expected a `fallback_channel` or `fallback_people` as well, for requests that come from no channel"),
        (far, "request_channel = \"asked-from\"", 11, "`request_channel` is `asked-from`, expected a `fallback_channel` or `fallback_people` as well, for requests that come from no channel"),
        // Nobody else to ask.
        ("request_channel = \"#far\"\nfallback_channel = \"#far\"", "", 8, "`fallback_channel` is `#far`, the same as `request_channel` in line 7, expected another"),
        (far, "fallback_channel = \"#far\"", 11, "`fallback_channel` is `#far`, the same as `request_channel` in line 7, expected another"),
        ("request_channel = \"#far\"\nfallback_channel = \"#others\"", "request_channel = \"#others\"", 12, "`request_channel` is `#others`, the same as `fallback_channel` in line 8, expected another"),
        ("request_people = [\"U0BOB\", \"U0CAROL\"]", "fallback_people = [\"U0CAROL\", \"U0BOB\"]", 11, "`fallback_people` is `[\"U0CAROL\", \"U0BOB\"]`, the same as `request_people` in line 7, expected others"),
    ];
    told(rows.iter().map(|(flow, target, line, said)| {
        (routed_text(flow, target), format!("line {line}: {said}"))
    }));
}

#[test]
fn what_targets_have_of_their_flow_is_told_once() {
    let more = "[[flow.target]]\nlabel = \"Staging\"\ngroup_id = \"00g3staging\"";
    let text = routed_text(
        "request_channel = \"#far\"\nfallback_channel = \"#far\"",
        more,
    );
    assert_eq!(mistakes(&text).lines().count(), 1, "{}", mistakes(&text));
}

#[test]
fn where_requests_go_is_not_held_against_what_cannot_be_read() {
    for (flow, target, line) in [
        (
            "request_channel = \"asked-from\"\nfallback_channel = \"x\"",
            "",
            8,
        ),
        (
            "request_channel = \"asked-from\"",
            "fallback_people = [\"x\"]\nfallback_after = \"2h\"",
            11,
        ),
        (
            "request_channel = \"#far\"\nfallback_channel = \"#others\"",
            "fallback_after = \"30h\"\nrequest_timeout = \"x\"",
            13,
        ),
        (
            "request_channel = \"#far\"\nfallback_channel = \"#others\"",
            "fallback_after = \"x\"\nrequest_timeout = \"1m\"",
            12,
        ),
        (
            "request_channel = \"#far\"\nfallback_channel = \"#others\"",
            "request_channel = \"x\"",
            12,
        ),
    ] {
        let found = Flows::parse(&routed_text(flow, target)).unwrap_err();
        let lines: Vec<_> = found.as_slice().iter().map(|m| m.line).collect();
        assert_eq!(lines, [line], "{found}");
    }
}

#[test]
fn a_duration_that_no_target_offers_is_a_warning() {
    let flows = Flows::parse(VALID).unwrap();
    assert_eq!(
        flows
            .warnings
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        [
            "line 9: `durations` has `4h`, expected at most the longest `max_duration`, 1 hour, so it \
             is never offered"
        ]
    );
    let flows = Flows::parse(&VALID.replace("max_duration = \"1h\"", "")).unwrap();
    assert_eq!(flows.warnings, []);
}

#[test]
fn a_flows_longest_is_told_once_however_many_targets_have_it() {
    let text = VALID
        .replace("notify = [\"S0ONCALL1\"]", "max_duration = \"5m\"")
        .replace("max_duration = \"1h\"", "")
        .replace("durations = [\"2d\", \"90m\"]", "");
    assert_eq!(
        mistakes(&text),
        "line 10: `max_duration` is `5m`, expected at least the shortest of the flow's `durations`"
    );
}

#[test]
fn what_cannot_be_read_is_not_held_against_the_rest() {
    let text = VALID
        .replace("\"1h\"\n[[", "\"1x\"\n[[")
        .replace("90m", "90x");
    let found = Flows::parse(&text).unwrap_err();
    let lines: Vec<_> = found.as_slice().iter().map(|m| m.line).collect();
    assert_eq!(lines, [25, 29], "{found}");
}

#[test]
fn two_flows_have_different_names_and_labels() {
    let (top, flow) = VALID.split_at(VALID.find("[[flow]]").unwrap());
    let text = format!("{top}{flow}{flow}");
    assert_eq!(
        mistakes(&text),
        "line 38: `name` is `okta`, the same as in line 5, expected another for each flow\n\
         line 39: `label` is `Okta Access`, the same as in line 6, expected another for each flow"
    );
}

#[test]
fn a_flow_has_a_target() {
    let text = VALID.split_at(VALID.find("[[flow.target]]").unwrap()).0;
    assert_eq!(
        mistakes(text),
        "line 4: this flow has no targets, expected at least one `[[flow.target]]`"
    );
    let text = VALID
        .replace("[[flow]]", "[flow]")
        .replace("[[flow.", "[[flow_");
    assert!(mistakes(&text).starts_with("line 4: `flow` is a table, expected `[[flow]]`"));
    let text = format!(
        "{}target = [1]\nfield = 1\n",
        &VALID[..VALID.find("[[flow.").unwrap()]
    );
    assert_eq!(
        mistakes(&text),
        "line 4: this flow has no targets, expected at least one `[[flow.target]]`\n\
         line 12: `target` is `1`, expected `[[flow.target]]`\n\
         line 13: `field` is `1`, expected `[[flow.field]]`"
    );
}

#[test]
fn all_mistakes_are_told_at_once() {
    let text = VALID
        .replace("T0123ABCD", "?")
        .replace("00g1approvers", "?")
        .replace("30m", "?")
        .replace("00g3staging", "?");
    let lines: Vec<_> = Flows::parse(&text)
        .unwrap_err()
        .as_slice()
        .iter()
        .map(|m| m.line)
        .collect();
    assert_eq!(lines, [1, 8, 9, 28]);
}

#[test]
fn a_file_that_is_too_big_is_not_read() {
    let text = "#".repeat(Flows::SIZE_LIMIT + 1);
    assert_eq!(
        mistakes(&text),
        "line 1: the file is 1000001 bytes, expected at most 1000000"
    );
}

#[test]
fn durations_are_said_as_people_say_them() {
    for (text, said) in [
        ("60s", "1 minute"),
        ("90s", "1 minute 30 seconds"),
        ("30m", "30 minutes"),
        ("60m", "1 hour"),
        ("90m", "1 hour 30 minutes"),
        ("4h", "4 hours"),
        ("24h", "1 day"),
        ("36h", "1 day 12 hours"),
        ("2d", "2 days"),
        ("90d", "90 days"),
    ] {
        assert_eq!(duration(text).to_string(), said);
    }
    assert_eq!(in_words(0), "0 seconds");
}

#[test]
fn other_texts_are_no_durations() {
    for text in [
        "",
        "m",
        "1",
        "1 h",
        "-1h",
        "+1h",
        "1H",
        "1mo",
        "1h30m",
        "٣m",
        "99999999999999999999d",
        "300000000000000000d",
        "0m",
        "59s",
        "91d",
    ] {
        assert_eq!(Duration::parse(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn durations_round_trip(seconds in 60_u64..=90 * 86_400) {
        let read = Duration::parse(&format!("{seconds}s")).unwrap();
        prop_assert_eq!(read.seconds(), seconds);
        prop_assert_eq!(Duration::from_seconds(seconds), Some(read));
        let said: u64 = read.to_string().split(' ').collect::<Vec<_>>().chunks(2).map(|pair| {
            let unit = match pair[1].trim_end_matches('s') {
                "day" => "d", "hour" => "h", "minute" => "m", _ => return pair[0].parse().unwrap(),
            };
            let unit_s = Duration::parse(&format!("60{unit}")).map_or(86_400, |d| d.seconds() / 60);
            pair[0].parse::<u64>().unwrap() * unit_s
        }).sum();
        prop_assert_eq!(said, seconds);
    }

    #[test]
    fn any_text_is_read_or_refused(text in ".*") {
        read_or_refuse(&text);
    }

    #[test]
    fn a_changed_file_is_read_or_refused(
        is_routed in any::<bool>(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..40, "[\\[\\]{}=\",#.a-z0-9\n]{0,8}"), 1..6)
    ) {
        let routed = routed_text(
            "request_channel = \"asked-from\"\nfallback_people = [\"U0\", \"U1\"]\nfallback_after = \"2h\"",
            "request_people = [\"U0\", \"U2\"]\nrequest_timeout = \"3h\"\nremind_after = \"1h\"",
        );
        let text = if is_routed { &routed } else { VALID };
        let mut text: Vec<char> = text.chars().collect();
        for (at, gone, new) in cuts {
            let at = at.index(text.len() + 1);
            let end = (at + gone).min(text.len());
            text.splice(at..end, new.chars());
        }
        read_or_refuse(&text.into_iter().collect::<String>());
    }
}

fn read_or_refuse(text: &str) {
    match Flows::parse(text) {
        Ok(flows) => {
            for target in flows.flows.iter().flat_map(|flow| &flow.targets) {
                assert!(!target.durations.is_empty());
                assert!(target.durations.iter().all(|d| *d <= target.max_duration));
                assert_ne!(target.fallback, Some(Route::AskedFrom));
                assert_ne!(target.fallback.as_ref(), Some(&target.route));
                if target.fallback.is_some() {
                    assert!(target.fallback_after < target.request_timeout);
                } else {
                    assert_ne!(target.route, Route::AskedFrom);
                }
            }
        }
        Err(mistakes) => {
            assert!(!mistakes.as_slice().is_empty());
            let lines = text.matches('\n').count() + 1;
            assert!(
                mistakes
                    .as_slice()
                    .iter()
                    .all(|m| (1..=lines).contains(&m.line))
            );
            assert_eq!(
                mistakes.to_string().lines().count(),
                mistakes.as_slice().len()
            );
        }
    }
}

fn mistakes(text: &str) -> String {
    Flows::parse(text).unwrap_err().to_string()
}

/// Each file with a mistake is told what is said about it.
fn told(files: impl Iterator<Item = (String, String)>) {
    let mut failed = Vec::new();
    for (text, expected) in files {
        let found = match Flows::parse(&text) {
            Ok(_) => "nothing".to_owned(),
            Err(mistakes) => mistakes.to_string(),
        };
        if found != expected {
            failed.push(format!(
                "{text}\n  found    {found}\n  expected {expected}\n"
            ));
        }
    }
    assert!(failed.is_empty(), "\n{}", failed.join("\n"));
}

/// A file whose flow says `flow`, from line 7 on, and whose target says `target`.
fn routed_text(flow: &str, target: &str) -> String {
    format!(
        "slack_workspace_id = \"T0123ABCD\"\nokta_org_domain = \"myco.okta.com\"\n[[flow]]\n\
         name = \"okta\"\nlabel = \"Okta Access\"\ndurations = [\"1h\"]\n{flow}\n\
         [[flow.target]]\nlabel = \"Prod\"\ngroup_id = \"00g2prod\"\n{target}\n"
    )
}

/// The target of that file.
fn routed(flow: &str, target: &str) -> Target {
    let flows = Flows::parse(&routed_text(flow, target)).unwrap();
    flows.flows[0].targets[0].clone()
}

fn duration(text: &str) -> Duration {
    Duration::parse(text).unwrap()
}

fn durations(texts: &[&str]) -> Vec<Duration> {
    texts.iter().map(|text| duration(text)).collect()
}

fn channel(text: &str) -> Channel {
    Channel::parse(text).unwrap()
}

fn to(text: &str) -> Route {
    Route::Channel(channel(text))
}

fn of(people: &[&str]) -> Route {
    Route::People(people.iter().map(|id| (*id).to_owned()).collect())
}

fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect()
}
