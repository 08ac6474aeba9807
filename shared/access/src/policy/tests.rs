use cedar_policy::SchemaFragment;
use proptest::prelude::*;

use super::*;
use crate::names::{OktaUser, SlackUser};

const SHIPPED: &str = include_str!("../../../../infra/flows/policy.cedar");
const APPROVERS: &str = "00g1approvers";

// As shipped.

#[test]
fn anyone_may_ask_and_ask_for_more_time() {
    let policy = shipped();
    for action in [Action::Request, Action::Extend] {
        let verdict = policy.decide(&Asked::by("U01ALICE").question(action));
        assert_eq!(permitted(verdict), ["anyone-may-ask"]);
    }
}

#[test]
fn an_approver_decides_and_the_permit_names_the_policy() {
    let policy = shipped();
    let asked = Asked::by("U01ALICE").decided_by("U02BOB", &[APPROVERS]);
    for action in [Action::Approve, Action::Deny, Action::Revoke] {
        let Verdict::Permitted(permit) = policy.decide(&asked.question(action)) else {
            panic!("{action:?} was refused");
        };
        assert_eq!(permit.action(), action);
        assert_eq!(permit.policies(), ["approvers-decide"]);
    }
}

#[test]
fn nobody_else_decides() {
    let policy = shipped();
    for groups in [&[][..], &["00g9others"][..]] {
        let asked = Asked::by("U01ALICE").decided_by("U05EVE", groups);
        for action in [Action::Approve, Action::Deny, Action::Revoke] {
            let (message, policies) = refused(policy.decide(&asked.question(action)));
            assert!(
                message.contains("it takes one of its approvers"),
                "{message}"
            );
            assert_eq!(policies, [""; 0]);
        }
    }
}

#[test]
fn without_an_approver_group_nobody_decides() {
    let mut asked = Asked::by("U01ALICE").decided_by("U02BOB", &[APPROVERS]);
    asked.approver_group = None;
    refused(shipped().decide(&asked.question(Action::Approve)));
}

#[test]
fn nobody_decides_on_their_own_request_and_is_told_so() {
    let policy = shipped();
    let asked = Asked::by("U02BOB").decided_by("U02BOB", &[APPROVERS]);
    for action in [Action::Approve, Action::Deny] {
        assert_eq!(
            refused(policy.decide(&asked.question(action))),
            (
                "Nobody decides on their own request: ask another approver.".to_owned(),
                vec!["nobody-decides-alone".to_owned()]
            )
        );
    }
    assert_eq!(
        permitted(policy.decide(&asked.question(Action::Revoke))),
        ["approvers-decide"]
    );
}

#[test]
fn the_same_okta_user_behind_two_slack_accounts_is_one_person() {
    let policy = shipped();
    let mut asked = Asked::by("U02BOB").decided_by("U12BOB", &[APPROVERS]);
    permitted(policy.decide(&asked.question(Action::Approve)));
    asked.principal.okta = Some(OktaUser::new("00uBOB"));
    asked.requester.okta = Some(OktaUser::new("00uBOB"));
    let (message, _) = refused(policy.decide(&asked.question(Action::Approve)));
    assert_eq!(
        message,
        "Nobody decides on their own request: ask another approver."
    );
}

#[test]
fn nothing_is_approved_by_itself() {
    let asked = Asked::by("U01ALICE").decided_by("U01ALICE", &[APPROVERS]);
    refused(shipped().decide(&asked.question(Action::AutoApprove)));
}

#[test]
fn an_empty_file_permits_nothing() {
    let policy = Policy::parse("").unwrap();
    let asked = Asked::by("U01ALICE").decided_by("U02BOB", &[APPROVERS]);
    for action in ACTIONS {
        let (message, policies) = refused(policy.decide(&asked.question(action)));
        assert!(message.starts_with("The policy does not"), "{message}");
        assert_eq!(policies, [""; 0]);
    }
}

// What goes wrong is a no.

#[test]
fn a_policy_that_cannot_be_evaluated_refuses_even_what_others_permit() {
    let overflow = "context.duration_s * 9223372036854775807 > 0";
    let ghost = "Person::\"U0GHOST\".slack == \"U0GHOST\"";
    for (effect, condition) in [
        ("forbid", overflow),
        ("permit", overflow),
        ("forbid", ghost),
    ] {
        let policy = parse(&format!(
            "@id(\"all\") permit (principal, action, resource);
             @id(\"broken\") {effect} (principal, action, resource) when {{ {condition} }};"
        ));
        let asked = Asked::by("U01ALICE").decided_by("U02BOB", &[APPROVERS]);
        let (message, policies) = refused(policy.decide(&asked.question(Action::Approve)));
        assert!(
            message.starts_with("The policy could not be evaluated, so the answer is no."),
            "{message}"
        );
        assert!(message.contains("`broken`"), "{message}");
        assert_eq!(policies, ["broken"]);
    }
}

#[test]
fn a_question_that_cannot_be_put_is_refused() {
    let policy = parse("@id(\"all\") permit (principal, action, resource);");
    let mut asked = Asked::by("U01ALICE");
    permitted(policy.decide(&asked.question(Action::Request)));
    asked.duration_s = u64::MAX;
    let (message, _) = refused(policy.decide(&asked.question(Action::Request)));
    assert!(
        message.starts_with("The policy could not be evaluated"),
        "{message}"
    );
    asked.duration_s = 1;
    asked.now = Timestamp::MIN;
    refused(policy.decide(&asked.question(Action::Request)));
}

#[test]
fn the_message_is_that_of_a_policy_that_forbids() {
    let policy = parse(
        "@id(\"all\") @message(\"not this\") permit (principal, action, resource);
         @id(\"a\") forbid (principal, action, resource);
         @id(\"b\") @message(\"this\") forbid (principal, action, resource);
         @id(\"c\") @message(\"nor this\") forbid (principal, action == Action::\"deny\", resource);",
    );
    let verdict = policy.decide(&Asked::by("U01ALICE").question(Action::Request));
    assert_eq!(
        refused(verdict),
        ("this".to_owned(), vec!["a".to_owned(), "b".to_owned()])
    );
}

// The examples in the file.

#[test]
fn every_example_is_accepted() {
    let ids: Vec<_> = with_examples()
        .rules()
        .into_iter()
        .map(|rule| rule.id)
        .collect();
    assert_eq!(
        ids,
        [
            "anyone-may-ask",
            "approvers-decide",
            "contractors-stay-out-of-prod",
            "long-access-takes-a-lead",
            "nobody-decides-alone",
            "on-call-needs-no-approval",
            "staging-in-working-hours",
            "ticket-names-an-incident",
        ]
    );
    assert_eq!(with_examples().warnings(), []);
    assert_eq!(shipped().warnings(), []);
}

#[test]
fn whoever_is_on_call_needs_no_approval_for_an_hour() {
    let policy = with_examples();
    let mut asked = Asked::by("U01ALICE").decided_by("U01ALICE", &["00g4oncall"]);
    let permits = policy.decide(&asked.question(Action::AutoApprove));
    assert_eq!(permitted(permits), ["on-call-needs-no-approval"]);
    asked.duration_s = 3601;
    refused(policy.decide(&asked.question(Action::AutoApprove)));
    asked.duration_s = 3600;
    asked.flow = "aws";
    refused(policy.decide(&asked.question(Action::AutoApprove)));
}

#[test]
fn staging_needs_no_approval_in_working_hours() {
    let policy = with_examples();
    let mut asked = Asked::by("U01ALICE");
    asked.tags.insert("tier".to_owned(), "staging".to_owned());
    for (now, is_open) in [
        ("2026-11-23T08:00:00Z", true),      // Monday
        ("2026-11-27T17:59:59.999Z", true),  // Friday
        ("2026-11-27T18:00:00Z", false),     // Friday
        ("2026-11-23T07:59:59.999Z", false), // Monday
        ("2026-11-28T12:00:00Z", false),     // Saturday
        ("2026-11-29T12:00:00Z", false),     // Sunday
    ] {
        asked.now = now.parse().unwrap();
        let verdict = policy.decide(&asked.question(Action::AutoApprove));
        assert_eq!(matches!(verdict, Verdict::Permitted(_)), is_open, "{now}");
    }
    asked.now = "2026-11-23T08:00:00Z".parse().unwrap();
    asked
        .tags
        .insert("tier".to_owned(), "production".to_owned());
    refused(policy.decide(&asked.question(Action::AutoApprove)));
}

#[test]
fn long_access_takes_a_lead() {
    let policy = with_examples();
    let mut asked = Asked::by("U01ALICE").decided_by("U02BOB", &[APPROVERS]);
    asked.duration_s = 4 * 3600;
    permitted(policy.decide(&asked.question(Action::Approve)));
    asked.duration_s = 4 * 3600 + 1;
    let (message, _) = refused(policy.decide(&asked.question(Action::Approve)));
    assert_eq!(message, "More than 4 hours takes the yes of a lead.");
    let asked = Asked {
        duration_s: asked.duration_s,
        ..Asked::by("U01ALICE").decided_by("U03CAROL", &[APPROVERS, "00g5leads"])
    };
    permitted(policy.decide(&asked.question(Action::Approve)));
}

#[test]
fn contractors_stay_out_of_one_target() {
    let policy = with_examples();
    let mut asked = Asked::by("U01ALICE").decided_by("U01ALICE", &["00g6contractors"]);
    let (message, _) = refused(policy.decide(&asked.question(Action::Extend)));
    assert_eq!(message, "Prod is not open to contractors.");
    asked.target = Group::new("00g3stagingadmins");
    permitted(policy.decide(&asked.question(Action::Extend)));
}

#[test]
fn a_field_of_the_form_can_be_asked_for() {
    let policy = with_examples();
    let mut asked = Asked::by("U01ALICE");
    permitted(policy.decide(&asked.question(Action::Request)));
    for wrong in [None, Some("CHG-7")] {
        asked.fields = wrong
            .map(|text| ("ticket".to_owned(), text.to_owned()))
            .into_iter()
            .collect();
        let (message, _) = refused(policy.decide(&asked.question(Action::Request)));
        assert_eq!(
            message,
            "Name the incident, such as INC-42, in the field Ticket."
        );
    }
}

// Reading the file.

#[test]
fn every_mistake_is_told_with_its_line() {
    let id = "expected one such as `@id(\"approvers-decide\")`";
    #[rustfmt::skip]
    let rows = [
        ("permit (principal, action, resource);", &*format!("line 1: this policy has no id, {id}")),
        ("\n@id(\" \") permit (principal, action, resource);", &format!("line 2: this policy has no id, {id}")),
        ("// @id(\"a\") permit (principal, action, resource);\n@id(\"a\") permit (principal, action, resource);\n\n@id(\"a\") permit (principal, action, resource);", "line 4: `@id` is `a`, the same as in line 2, expected another"),
        ("@id(\"a\")\npermit (principal, action, resource)\n", "line 2: unexpected end of input; expected `;` or identifier"),
        ("@id(\"a\")\npermt (principal, action, resource);", "line 2: invalid policy effect: permt; effect must be either `permit` or `forbid`"),
        ("@id(\"a\")\npermit (principal == ?principal, action, resource);", "line 1: this is a template, expected no `?principal` and no `?resource`"),
        ("@id(\"a\")\npermit (principal, action == Action::\"aprove\", resource);", "line 2: for policy `a`, unrecognized action `Action::\"aprove\"`; did you mean `Action::\"approve\"`?"),
        ("@id(\"a\")\npermit (principal in Grup::\"00g1\", action, resource);", "line 2: for policy `a`, unrecognized entity type `Grup`; did you mean `Group`?"),
        ("@id(\"a\")\npermit (principal, action, resource)\nwhen { principal in context.approver_group };", "line 3: for policy `a`, unable to guarantee safety of access to optional attribute `approver_group` in context; try testing for the attribute's presence with `context has approver_group && ..`"),
        ("@id(\"a\")\npermit (principal, action, resource)\nwhen { resource.getTag(\"tier\") == \"x\" };", "line 3: for policy `a`, unable to guarantee safety of access to tag `\"tier\"` on entity type `Target`; try testing for the tag's presence with `.hasTag(\"tier\") && ..`"),
        ("@id(\"a\")\npermit (principal in Group::\"Approvers\", action, resource);", "line 1: `Group::\"Approvers\"` is nobody's id, expected an Okta group id such as `00g1abcd2EFGH3ijk4x7`"),
        ("@id(\"a\")\npermit (principal, action, resource == Target::\"Prod\");", "line 1: `Target::\"Prod\"` is nobody's id, expected an Okta group id such as `00g1abcd2EFGH3ijk4x7`"),
        ("@id(\"a\")\npermit (principal == Person::\"bob@myco.com\", action, resource);", "line 1: `Person::\"bob@myco.com\"` is nobody's id, expected a Slack id such as `U0123ABCD`"),
        ("@id(\"a\")\npermit (principal, action, resource in Flow::\"Okta Access\");", "line 1: `Flow::\"Okta Access\"` is nobody's id, expected the name of a flow"),
    ];
    for (text, expected) in rows {
        assert_eq!(mistakes(text), expected, "{text}");
    }
}

/// Cedar would answer "not a member", and a `forbid` would not forbid.
#[test]
fn nobody_asks_for_groups_that_are_not_known() {
    for condition in [
        "context.requester in Group::\"00g1\"",
        "principal == context.requester || !(context.requester in [Group::\"00g1\"])",
        "context.requester is Person in Group::\"00g1\"",
        "(if context.duration_s > 1 then principal else context.requester) in Group::\"00g1\"",
        "Person::\"U01ALICE\" in Group::\"00g1\"",
    ] {
        let text =
            format!("@id(\"a\") forbid (principal, action, resource) when {{ {condition} }};");
        assert_eq!(
            mistakes(&text),
            "line 1: this policy asks which groups somebody other than the principal is in, which \
             is not known, expected only `principal in …` and `resource in …`",
            "{condition}"
        );
    }
    for condition in [
        "principal in [Group::\"00g1\", Group::\"00g2\"]",
        "principal is Person in Group::\"00g1\"",
        "resource in Flow::\"okta\"",
        "context.requester is Person",
        "context.requester == Person::\"U01ALICE\"",
    ] {
        parse(&format!(
            "@id(\"a\") forbid (principal, action, resource) when {{ {condition} }};"
        ));
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let text = "permit (principal, action, resource);\n\
                @id(\"a\") permit (principal, action == Action::\"x\", resource);\n\
                @id(\"a\") permit (principal in Group::\"x\", action, resource)\n\
                when { context.reasons == 1 };";
    let lines: Vec<_> = Policy::parse(text)
        .unwrap_err()
        .as_slice()
        .iter()
        .map(|m| m.line)
        .collect();
    assert_eq!(lines, [1, 2, 3, 3, 4]);
}

#[test]
fn a_policy_that_can_never_apply_is_a_warning() {
    let policy = parse("\n@id(\"a\") permit (principal, action, resource) when { false };");
    assert_eq!(
        policy.warnings()[0].to_string(),
        "line 2: for policy `a`, policy is impossible: the policy expression evaluates to false for \
         all valid requests"
    );
}

#[test]
fn rules_name_the_flows_and_targets_they_are_about() {
    let rules = parse(
        "@id(\"b\") permit (principal, action, resource in Flow::\"okta\");
         @id(\"a\") forbid (principal, action, resource) when { resource == Target::\"00g1\" };",
    )
    .rules();
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(
        rules,
        [
            Rule {
                id: "a".to_owned(),
                permits: false,
                flows: names(&[]),
                targets: names(&["00g1"]),
            },
            Rule {
                id: "b".to_owned(),
                permits: true,
                flows: names(&["okta"]),
                targets: names(&[]),
            },
        ]
    );
}

#[test]
fn it_is_known_what_no_policy_could_permit() {
    let policy = shipped();
    assert!(policy.could_permit(Action::Approve, true));
    assert!(!policy.could_permit(Action::Approve, false));
    assert!(policy.could_permit(Action::Request, false));
    assert!(!policy.could_permit(Action::AutoApprove, true));
    assert!(with_examples().could_permit(Action::AutoApprove, false));

    let text =
        "@id(\"a\") permit (principal, action, resource) unless { context has approver_group };";
    assert!(parse(text).could_permit(Action::Approve, false));
    assert!(!parse(text).could_permit(Action::Approve, true));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in ".*") {
        read_or_refuse(&text);
    }

    #[test]
    fn a_changed_file_is_read_or_refused(
        cuts in prop::collection::vec(
            (any::<prop::sample::Index>(), 0_usize..20, "[(){};.,@\"&|=!a-z0-9 \n]{0,6}"), 1..4
        )
    ) {
        let mut text: Vec<char> = with_examples_text().chars().collect();
        for (at, gone, new) in cuts {
            let at = at.index(text.len() + 1);
            let end = (at + gone).min(text.len());
            text.splice(at..end, new.chars());
        }
        read_or_refuse(&text.into_iter().collect::<String>());
    }

    #[test]
    fn any_words_can_be_asked_about(
        reason in ".*",
        email in proptest::option::of(".*"),
        fields in prop::collection::btree_map(".*", ".*", 0..3),
        slack in ".*",
    ) {
        let mut asked = Asked::by(&slack).decided_by("U02BOB", &[APPROVERS]);
        asked.requester.email = email;
        asked.reason = reason;
        asked.fields = fields;
        permitted(shipped().decide(&asked.question(Action::Approve)));
    }
}

// Helpers.

/// One request and who looks at it.
struct Asked {
    principal: Person,
    groups: Vec<Group>,
    requester: Person,
    flow: &'static str,
    target: Group,
    tags: BTreeMap<String, String>,
    approver_group: Option<Group>,
    duration_s: u64,
    reason: String,
    fields: BTreeMap<String, String>,
    now: Timestamp,
}

impl Asked {
    fn by(slack: &str) -> Self {
        Self {
            principal: somebody(slack),
            groups: Vec::new(),
            requester: somebody(slack),
            flow: "okta",
            target: Group::new("00g2prodadmins"),
            tags: BTreeMap::new(),
            approver_group: Some(Group::new(APPROVERS)),
            duration_s: 3600,
            reason: "fixing INC-42".to_owned(),
            fields: [("ticket".to_owned(), "INC-42".to_owned())].into(),
            now: "2026-11-28T03:00:00Z".parse().unwrap(),
        }
    }

    fn decided_by(self, slack: &str, groups: &[&str]) -> Self {
        Self {
            principal: somebody(slack),
            groups: groups.iter().map(|group| Group::new(*group)).collect(),
            ..self
        }
    }

    fn question(&self, action: Action) -> Question<'_> {
        Question {
            action,
            principal: &self.principal,
            groups: &self.groups,
            flow: self.flow,
            target: &self.target,
            label: "Prod",
            tags: &self.tags,
            approver_group: self.approver_group.as_ref(),
            requester: &self.requester,
            duration_s: self.duration_s,
            reason: &self.reason,
            fields: &self.fields,
            now: self.now,
        }
    }
}

const ACTIONS: [Action; 6] = [
    Action::Request,
    Action::Approve,
    Action::Deny,
    Action::Revoke,
    Action::Extend,
    Action::AutoApprove,
];

fn somebody(slack: &str) -> Person {
    Person {
        slack: SlackUser::new(slack),
        okta: None,
        email: None,
    }
}

fn permitted(verdict: Verdict) -> Vec<String> {
    match verdict {
        Verdict::Permitted(permit) => permit.policies().to_vec(),
        Verdict::Refused { message, policies } => panic!("refused: {message} {policies:?}"),
    }
}

fn refused(verdict: Verdict) -> (String, Vec<String>) {
    match verdict {
        Verdict::Permitted(permit) => panic!("permitted by {:?}", permit.policies()),
        Verdict::Refused { message, policies } => (message, policies),
    }
}

fn shipped() -> Policy {
    parse(SHIPPED)
}

fn with_examples() -> Policy {
    parse(&with_examples_text())
}

/// The shipped file with its examples uncommented: each begins with its `@id` and ends with a `;`.
fn with_examples_text() -> String {
    let mut is_example = false;
    let uncommented: Vec<&str> = SHIPPED
        .lines()
        .map(|line| {
            let code = line.trim_start_matches("//").trim();
            is_example |= line.starts_with("// @id(");
            let line = if is_example { code } else { line };
            is_example &= !code.ends_with(';');
            line
        })
        .collect();
    uncommented.join("\n")
}

fn parse(text: &str) -> Policy {
    Policy::parse(text).unwrap_or_else(|mistakes| panic!("{mistakes}\n{text}"))
}

fn mistakes(text: &str) -> String {
    Policy::parse(text).unwrap_err().to_string()
}

fn read_or_refuse(text: &str) {
    if let Err(mistakes) = Policy::parse(text) {
        let lines = text.matches('\n').count() + 1;
        assert!(!mistakes.as_slice().is_empty());
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

#[test]
fn the_schema_that_is_built_in_is_the_one_that_people_read() {
    let (schema, _) =
        SchemaFragment::from_cedarschema_str(include_str!("../policy.cedarschema")).unwrap();
    let text = serde_json::to_string_pretty(&schema.to_json_value().unwrap()).unwrap();
    let kept = include_str!("../policy.cedarschema.json");
    assert_eq!(
        kept.trim_end(),
        text,
        "put this into policy.cedarschema.json:\n{text}"
    );
}
