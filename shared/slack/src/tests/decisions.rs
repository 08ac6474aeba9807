use access::RequestId;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::limits::{anything, assert_view};
use crate::View;
use crate::card::{APPROVE_NOTE, DENY};
use crate::decision::{About, form, read};
use crate::payload::{Values, ViewRef};

fn about() -> About {
    About {
        request: RequestId::new("T1-V1"),
        channel: Some("C01REQUESTS".to_owned()),
        ts: Some("1795510800.000100".to_owned()),
    }
}

/// `view` as Slack sends it back.
fn sent(view: &View) -> ViewRef {
    let json = assert_view(view);
    let text = |key: &str| json[key].as_str().unwrap().to_owned();
    ViewRef {
        id: "V1".to_owned(),
        callback_id: text("callback_id"),
        private_metadata: text("private_metadata"),
        hash: None,
        kind: "modal".to_owned(),
        inputs: vec!["note".to_owned()],
        sections: std::collections::BTreeMap::new(),
    }
}

fn noted(note: &str) -> Values {
    [("note".to_owned(), note.to_owned())].into()
}

#[test]
fn a_denial_asks_for_a_reason_and_an_approval_for_a_note() {
    for (action, callback_id, submit) in
        [(DENY, "deny", "Deny"), (APPROVE_NOTE, "approve", "Approve")]
    {
        let view = form(
            action,
            &about(),
            Some("Okta Access request by <@U01ALICE>: Prod · fixing &lt;!here&gt; <!channel>"),
        );
        let json = assert_view(&view);
        assert_eq!(json["callback_id"], callback_id);
        assert_eq!(json["submit"]["text"], submit);
        assert_eq!(
            json["private_metadata"],
            "{\"request\":\"T1-V1\",\"channel\":\"C01REQUESTS\",\"ts\":\"1795510800.000100\"}"
        );
        assert_eq!(
            json["blocks"][0]["text"]["text"],
            "Okta Access request by <@U01ALICE>: Prod · fixing &lt;!here&gt; &lt;!channel&gt;"
        );
        let input = &json["blocks"][1];
        assert_eq!(input["block_id"], "note");
        assert_eq!(input["optional"], true);
        assert_eq!(input["element"]["max_length"], 1000);

        let (read_about, note) = read(&sent(&view), &noted(" not\ntoday ")).unwrap();
        assert_eq!(read_about, about());
        assert_eq!(note.as_deref(), Some("not\ntoday"));
    }
}

#[test]
fn a_note_may_be_left_out_and_may_not_be_too_long() {
    let from_home = About {
        channel: None,
        ts: None,
        ..about()
    };
    let view = form(DENY, &from_home, None);
    assert_eq!(
        assert_view(&view)["private_metadata"],
        "{\"request\":\"T1-V1\"}"
    );
    for values in [Values::new(), noted(" \n")] {
        let read = read(&sent(&view), &values).unwrap();
        assert_eq!(read, (from_home.clone(), None));
    }
    let wrong = read(&sent(&view), &noted(&"x".repeat(1001))).unwrap_err();
    assert_eq!(
        wrong.to_string(),
        "this has 1001 characters, 1000 at most are kept: shorten it"
    );
    assert!(wrong.0.contains_key("note"));
    let odd = ViewRef {
        private_metadata: "?".to_owned(),
        ..sent(&view)
    };
    let wrong = read(&odd, &noted("x")).unwrap_err();
    assert!(wrong.to_string().contains("press the button again"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn no_summary_breaks_the_form(summary in anything(), channel in anything()) {
        let channel: String = channel.chars().take(200).collect();
        let about = About { channel: Some(channel), ..about() };
        let json = assert_view(&form(APPROVE_NOTE, &about, Some(&summary)));
        prop_assert_eq!(&json["blocks"][1]["block_id"], &json!("note"));
        prop_assert_ne!(&json["private_metadata"], &Value::Null);
    }
}
