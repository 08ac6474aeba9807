//! What the queue of what failed for good hands on, in the shape that it has now, as a file that is
//! never changed.

use aws::Signed;
use serde_json::{Value, json};

use super::{Batch, QueueMessage};

#[test]
fn the_event_that_failed_is_read_from_the_queue() {
    let batch: Batch = serde_json::from_str(include_str!("v1/failed.json")).unwrap();
    let [message] = batch.records.as_slice() else {
        panic!("{batch:?}");
    };
    let signed = Signed::read(message.event().unwrap()).unwrap();
    assert_eq!(signed.timestamp, "1795521600");
    assert_eq!(signed.body, "cGF5bG9hZD0lN0IlN0Q=");
}

#[test]
fn a_message_that_nobody_can_read_is_an_error() {
    for body in ["", "hello", "{}", r#"{"version": "2.0", "payload": {}}"#] {
        let body = body.to_owned();
        let message = QueueMessage { body };
        assert!(message.event().is_err(), "{message:?}");
    }
    let record = json!({"requestPayload": {"v": 2}}).to_string();
    let message = QueueMessage { body: record };
    let event: Value = message.event().unwrap();
    assert!(Signed::read(event).is_err());
}
