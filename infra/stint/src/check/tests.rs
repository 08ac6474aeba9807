use super::*;

#[test]
fn the_files_that_ship_are_right_and_say_where_requests_go() {
    let report = check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../flows"));
    assert_eq!(report.wrong, "");
    let prod = report.found.lines().find(|line| line.contains("Prod"));
    assert_eq!(
        prod,
        Some(
            "    Prod (00g2prodadmins): 30 minutes, 1 hour, 1 hour in all; sent to #sym-requests, \
             first reminder after 1 hour; approved by 1 of the approver group 00g1approvers within \
             1 day"
        )
    );
}

#[test]
fn a_folder_without_the_files_is_told_which_are_missing() {
    let report = check(Path::new("nowhere"));
    assert_eq!(report.found, "");
    let hint = "there is no such file; name the folder that has it: `stint check DIR`";
    assert_eq!(
        report.wrong,
        format!("nowhere/flows.toml: {hint}\nnowhere/policy.cedar: {hint}\n")
    );
}

#[test]
fn each_target_says_where_its_requests_go() {
    for (said, expected) in [
        (
            "request_channel = \"#requests\"",
            "sent to #requests, first reminder after 1 hour",
        ),
        (
            "request_people = [\"U0BOB\", \"U0CAROL\"]\nremind_after = \"never\"",
            "sent to U0BOB, U0CAROL, no reminders",
        ),
        (
            "request_channel = \"#requests\"\nfallback_people = [\"U0BOB\"]\nremind_after = \"10m\"",
            "sent to #requests, after 12 hours also to U0BOB, first reminder after 10 minutes",
        ),
        (
            "request_channel = \"asked-from\"\nfallback_channel = \"#others\"\nfallback_after = \"2h\"",
            "sent to the channel it was asked from, after 2 hours also to #others, \
             first reminder after 1 hour",
        ),
    ] {
        let text = format!(
            "slack_workspace_id = \"T0123ABCD\"\nokta_org_domain = \"myco.okta.com\"\n[[flow]]\n\
             name = \"okta\"\nlabel = \"Okta Access\"\ndurations = [\"1h\"]\n{said}\n\
             [[flow.target]]\nlabel = \"Prod\"\ngroup_id = \"00g2prod\"\n"
        );
        let flows = Flows::parse(&text).unwrap();
        assert_eq!(describe_routes(&flows.flows[0].targets[0]), expected);
    }
}
