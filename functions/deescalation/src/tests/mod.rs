//! What wakes the function, in the shapes that version 1 has, as files that are never changed.

use serde_json::{Value, json};

use super::{Woken, read};

const REQUEST: &str = include_str!("v1/request.json");
const SWEEP: &str = include_str!("v1/sweep.json");
const DRIFT: &str = include_str!("v1/drift.json");
const HAND_OVER: &str = include_str!("v1/hand_over.json");
const HAND_OVER_AS_TYPED: &str = include_str!("v1/hand_over_as_typed.json");
const END_ALL: &str = include_str!("v1/end_all.json");
const END_ALL_AS_TYPED: &str = include_str!("v1/end_all_as_typed.json");
const CLOUDFORMATION: &str = include_str!("v1/cloudformation.json");

fn file(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn every_event_is_read() {
    let woken = |text| read(file(text)).unwrap();
    assert!(matches!(woken(REQUEST), Woken::Request(id) if id.as_str() == "T0123ABCD-V0456EFGH"));
    assert!(matches!(woken(SWEEP), Woken::Sweep));
    assert!(matches!(woken(DRIFT), Woken::Drift));
    assert!(matches!(woken(HAND_OVER), Woken::HandOver(Ok(_))));
    assert!(matches!(woken(HAND_OVER_AS_TYPED), Woken::HandOver(Ok(_))));
    assert!(matches!(woken(END_ALL), Woken::EndAll(_)));
    assert!(matches!(woken(END_ALL_AS_TYPED), Woken::EndAll(_)));
    for what in ["Create", "Update", "Delete"] {
        let mut event = file(CLOUDFORMATION);
        event["RequestType"] = json!(what);
        event["OldResourceProperties"] = json!({});
        assert!(matches!(read(event), Ok(Woken::Guarded(_))), "{what}");
    }
}

#[test]
fn what_the_stack_wakes_it_with_is_this() {
    let template = include_str!("../../../../template.yaml");
    for text in [SWEEP, DRIFT] {
        let input = text.trim().replace(' ', "");
        assert!(template.contains(&format!("Input: '{input}'")), "{input}");
    }
}

#[test]
fn an_event_of_another_version_is_an_error() {
    for text in [REQUEST, SWEEP, DRIFT, HAND_OVER, END_ALL] {
        for v in [json!(2), json!("1"), Value::Null] {
            let mut event = file(text);
            event["v"] = v.clone();
            let error = read(event).err().unwrap().to_string();
            let said = format!("an event has version {v}, and this code knows only version 1");
            assert!(error.contains(&said), "{error}");
        }
    }
}

#[test]
fn an_event_that_nobody_knows_is_an_error() {
    for event in [
        json!({"key1": "value1", "key2": "value2", "key3": "value3"}),
        json!({"sweep": true}),
        json!({"end_all": {}}),
        json!({"RequestType": "Delete"}),
        json!({"v": 1, "sweep": false}),
        json!({"v": 1, "end_all": {"expect": 1}, "sweep": true}),
        json!([]),
        Value::Null,
    ] {
        assert!(read(event.clone()).is_err(), "{event}");
    }
}
