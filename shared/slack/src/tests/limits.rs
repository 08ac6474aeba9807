use proptest::prelude::*;
use serde_json::Value;

use super::slacks_limits::{message_blocks, options, view};
use crate::blocks::{
    Button, Choice, Choices, Element, Home, Input, Message, View, actions, context, divider,
    fields, header, section,
};
use crate::text::{Mrkdwn, escaped};

/// Texts as people and other systems write them: nothing at all, one word of thousands of characters,
/// emoji, right-to-left, markup, controls.
pub(super) fn anything() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-zA-Z0-9]{1,12}",
        4 => Just(" ".to_owned()),
        1 => "\\PC{0,20}",
        1 => "(👩‍🚒|🔑|é|ß|漢字|שלום|مرحبا|\u{202e}|\u{200b}|\n|\u{0}|\u{1f})",
        1 => "(<!channel>|<@U01ALICE>|&amp;|&|<|>|\\*|_|`|~|:x:)",
    ];
    let words = prop::collection::vec(piece, 0..80).prop_map(|pieces| pieces.concat());
    prop_oneof![
        6 => words.clone(),
        1 => (words, 1..60_usize).prop_map(|(text, times)| text.repeat(times)),
        1 => (1..5000_usize).prop_map(|length| "x".repeat(length)),
        1 => (1..3000_usize).prop_map(|length| "🔑".repeat(length)),
        1 => (1..3000_usize).prop_map(|length| "&".repeat(length)),
    ]
}

pub(super) fn assert_message(message: &Message) {
    let json = serde_json::to_value(message).unwrap();
    // What Slack refuses with `msg_blocks_too_long`.
    assert!(
        json["blocks"].to_string().encode_utf16().count() <= 12_100,
        "{json:#}"
    );
    assert_eq!(message_blocks(&json["blocks"]), [""; 0], "{json:#}");
    let text = json["text"].as_str().unwrap();
    assert!(!text.trim().is_empty() && text.encode_utf16().count() <= 4000);
}

pub(super) fn assert_home(home: &Home) -> Value {
    let json = serde_json::to_value(home).unwrap();
    assert_eq!(view(&json, "home"), [""; 0], "{json:#}");
    json
}

pub(super) fn assert_view(built: &View) -> Value {
    let json = serde_json::to_value(built).unwrap();
    assert_eq!(view(&json, "modal"), [""; 0], "{json:#}");
    json
}

#[test]
fn the_checker_itself_complains() {
    let too_long = serde_json::json!([{"type": "section", "text": {"type": "mrkdwn", "text": "x".repeat(3001)}}]);
    assert_eq!(
        message_blocks(&too_long),
        ["must be less than 3001 characters [json-pointer:/blocks/0/text/text]"]
    );
    let twice = serde_json::json!([{"type": "divider", "block_id": "a"}, {"type": "divider", "block_id": "a"}]);
    assert_eq!(message_blocks(&twice).len(), 1);
    let no_submit = serde_json::json!({
        "type": "modal", "title": {"type": "plain_text", "text": "x"},
        "blocks": [{"type": "input", "block_id": "a", "label": {"type": "plain_text", "text": "x"},
            "element": {"type": "plain_text_input", "action_id": "a"}}],
    });
    assert_eq!(
        view(&no_submit, "modal"),
        ["missing required field: submit [json-pointer:/view]"]
    );
    assert_eq!(message_blocks(&serde_json::json!([])).len(), 1);
    let unknown = serde_json::json!([{"type": "divider", "colour": "red"}]);
    assert_eq!(message_blocks(&unknown).len(), 1);
}

#[test]
fn a_message_without_blocks_shows_its_text() {
    let json = serde_json::to_value(Message::new("hello")).unwrap();
    assert_eq!(json["blocks"][0]["text"]["text"], "hello");
    assert_message(&Message::new(""));
}

#[test]
fn more_blocks_than_slack_takes_are_left_out() {
    let mut message = Message::new("x");
    let mut view = View::modal("x");
    let mut home = Home::new();
    for _ in 0..150 {
        message = message.with(divider());
        view = view.with(divider());
        home = home.with(divider());
    }
    let count = |json: Value| json["blocks"].as_array().unwrap().len();
    assert_eq!(count(serde_json::to_value(&message).unwrap()), 50);
    assert_eq!(count(assert_view(&view)), 100);
    assert_eq!(count(serde_json::to_value(&home).unwrap()), 100);
}

#[test]
fn a_message_that_is_too_long_keeps_its_buttons() {
    let mut message = Message::new("x");
    for n in 0..60 {
        message = message.with(section(escaped(&format!("{n} {}", "y".repeat(500)))));
    }
    let message = message.with(actions([Button::new("a", "b", "c")]));
    assert_message(&message);
    let json = serde_json::to_value(&message).unwrap();
    let blocks = json["blocks"].as_array().unwrap();
    assert!(blocks.len() > 15, "{}", blocks.len());
    assert_eq!(blocks.last().unwrap()["type"], "actions");
    assert!(message.is_cut());
}

#[test]
fn a_button_may_send_nothing() {
    let json = serde_json::to_value(Button::new("ask", "Ask", "")).unwrap();
    assert_eq!(json["value"], Value::Null);
}

#[test]
fn a_second_block_of_an_id_takes_the_place_of_the_first() {
    let view = View::form("f", "t", "s")
        .input(Input::new("a", "first", Element::text(false, 10, None)))
        .with(divider())
        .input(Input::new("a", "second", Element::text(false, 10, None)));
    let json = assert_view(&view);
    assert_eq!(json["blocks"].as_array().unwrap().len(), 2);
    assert_eq!(json["blocks"][0]["label"]["text"], "second");
}

#[test]
fn a_view_with_an_input_can_be_submitted() {
    let view = View::modal("x").input(Input::new("a", "b", Element::text(true, 3000, Some("c"))));
    assert_eq!(assert_view(&view)["submit"]["text"], "Submit");
}

#[test]
fn a_view_stays_below_the_greatest_size() {
    let mut view = View::modal("x");
    for _ in 0..100 {
        view = view.with(section(escaped(&"漢".repeat(3000))));
    }
    let bytes = serde_json::to_string(&view).unwrap().len();
    assert!((200_000..250_000).contains(&bytes), "{bytes}");
}

#[test]
fn a_select_is_set_only_to_what_it_offers() {
    let choices = || ["1", "2"].map(|value| Choice::new(value, value));
    let json = |initial| serde_json::to_value(Element::select(choices(), initial)).unwrap();
    assert_eq!(json(Some("2"))["initial_option"]["value"], "2");
    assert_eq!(json(Some("3"))["initial_option"], Value::Null);
    let empty = View::modal("x").input(Input::new("a", "b", Element::select([], None)));
    assert_view(&empty);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_text_breaks_a_message(texts in prop::collection::vec(anything(), 1..14), count in 0..60_usize) {
        let text = |at: usize| texts[at % texts.len()].as_str();
        let buttons = (0..count).map(|at| {
            Button::new(text(at), text(at + 1), text(at + 2))
                .danger()
                .confirm(text(at), text(at + 1), text(at + 2), text(at + 3))
        });
        let mut message = Message::new(escaped(text(0)))
            .with(header(text(0)))
            .with(section(escaped(text(1))).beside(Button::new(text(0), text(1), text(2)).primary()))
            .with(fields((0..count).map(|at| escaped(text(at)))))
            .with(context((0..count).map(|at| Mrkdwn::from("*") + escaped(text(at)) + "*")))
            .with(actions(buttons));
        for at in 0..count {
            message = message.with(section(escaped(text(at))).id(text(at)));
        }
        assert_message(&message);
    }

    #[test]
    fn no_text_breaks_a_view(texts in prop::collection::vec(anything(), 1..14), count in 0..130_usize) {
        let text = |at: usize| texts[at % texts.len()].as_str();
        let choices = || (0..count).map(|at| Choice::new(text(at), &format!("{at}{}", text(at))).described(text(at + 1)));
        let first = Choice::value_of(&format!("0{}", text(0)));
        let inputs = [
            Element::text(true, count * 40, Some(text(0))),
            Element::select(choices(), Some(&first)),
            Element::search(text(1), choices().next()),
            Element::whole_number(Some(-3)),
            Element::person(Some("U01ALICE")),
            Element::date(Some(jiff::civil::date(2026, 2, 28))),
        ];
        let mut view = View::form(text(0), text(1), text(2))
            .metadata(text(3).to_owned())
            .with(section(escaped(text(4))));
        for (at, element) in inputs.into_iter().enumerate() {
            let input = Input::new(&format!("{at}{}", text(at)), text(at), element);
            view = view.input(input.hint(text(at + 1)).optional(at % 2 == 0));
        }
        let json = assert_view(&view);
        prop_assert_eq!(json["blocks"].as_array().unwrap().len(), 7);
        let offered = serde_json::to_value(Choices::new(choices())).unwrap();
        prop_assert_eq!(options(&offered["options"]), Vec::<String>::new());
    }
}
