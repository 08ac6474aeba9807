//! What wakes a function.

use access::{RequestId, SlackUser};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Fake, file};
use crate::{Error, HomePayload, Payload, Schedules, Scheduling as _, Signed};

const PAYLOAD: &str = include_str!("v1/events/payload.json");
const HOME: &str = include_str!("v1/events/home.json");
const HOME_OF_NO_REQUEST: &str = include_str!("v1/events/home_of_no_request.json");
const SIGNED: &str = include_str!("v1/events/signed.json");

fn id() -> RequestId {
    RequestId::new("T0123ABCD-V0456EFGH")
}

fn signed() -> Signed {
    Signed {
        v: 1,
        timestamp: "1795521600".to_owned(),
        signature: "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503".to_owned(),
        content_type: "application/x-www-form-urlencoded".to_owned(),
        body: "cGF5bG9hZD0lN0IlN0Q=".to_owned(),
    }
}

fn written(event: &impl Serialize) -> Value {
    serde_json::to_value(event).unwrap()
}

#[test]
fn every_event_is_written_and_read_as_it_was() {
    let user = SlackUser::new("U0123ALICE");
    assert_eq!(Payload::read(file(PAYLOAD)).unwrap(), id());
    assert_eq!(written(&Payload::new(id())), file(PAYLOAD));

    for (text, request) in [(HOME, Some(id())), (HOME_OF_NO_REQUEST, None)] {
        let home = HomePayload::new(user.clone(), request);
        assert_eq!(HomePayload::read(file(text)).unwrap(), home);
        assert_eq!(written(&home), file(text));
    }

    assert_eq!(Signed::read(file(SIGNED)).unwrap(), signed());
    assert_eq!(written(&signed()), file(SIGNED));
}

#[tokio::test]
async fn a_schedule_carries_such_an_event() {
    let aws = Fake::default();
    let schedules = Schedules::new(&aws.config().await);
    let at = "2026-11-24T12:30:00Z".parse().unwrap();
    schedules.create("x-1", at, &id()).await.unwrap();
    let made = aws.written.lock().unwrap().pop().unwrap();
    assert_eq!(made["path"], "/schedules/x-1");
    assert_eq!(made["ScheduleExpression"], "at(2026-11-24T12:30:00)");
    let input = made["Target"]["Input"].as_str().unwrap();
    assert_eq!(file(input), file(PAYLOAD));
}

#[test]
fn an_event_of_another_version_is_refused_with_the_version() {
    let others = [
        (json!(2), "2"),
        (json!("1"), "\"1\""),
        (json!(1.5), "1.5"),
        (Value::Null, "null"),
    ];
    for text in [PAYLOAD, HOME, SIGNED] {
        let refused = |event: Value| {
            let errors = [
                Payload::read(event.clone()).unwrap_err(),
                HomePayload::read(event.clone()).unwrap_err(),
                Signed::read(event).unwrap_err(),
            ];
            errors.map(|error| error.to_string())
        };
        for (v, found) in &others {
            let mut event = file(text);
            event["v"] = v.clone();
            for error in refused(event) {
                let said =
                    format!("an event has version {found}, and this code knows only version 1");
                assert!(error.contains(&said), "{error}");
                assert!(error.contains("deploy the version that sent it"), "{error}");
            }
        }
        let mut event = file(text);
        event.as_object_mut().unwrap().remove("v");
        for error in refused(event) {
            assert!(error.contains("version none"), "{error}");
        }
    }
}

#[test]
fn an_event_of_this_version_that_cannot_be_read_is_refused() {
    for event in [
        json!({"v": 1}),
        json!({"v": 1, "request": 5}),
        json!({"v": 1, "request": "x", "group": "00g1"}),
    ] {
        let error = Payload::read(event).unwrap_err();
        assert!(matches!(error, Error::UnreadableEvent { .. }), "{error}");
    }
}
