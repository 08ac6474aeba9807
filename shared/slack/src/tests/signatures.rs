use jiff::Timestamp;
use proptest::prelude::*;
use secrecy::SecretString;

use crate::signature::{SignatureError, sign, verify};

// The example of Slack's page "Verifying requests from Slack".
const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
const AT: &str = "1531420618";
const BODY: &[u8] = b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
const SIGNATURE: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";

fn check(
    timestamp: Option<&str>,
    signature: Option<&str>,
    late_s: i64,
) -> Result<(), SignatureError> {
    let now = Timestamp::from_second(1_531_420_618 + late_s).unwrap();
    verify(&SecretString::from(SECRET), timestamp, signature, BODY, now)
}

#[test]
fn slacks_own_example_is_believed() {
    assert_eq!(check(Some(AT), Some(SIGNATURE), 0), Ok(()));
}

#[test]
fn what_we_sign_is_what_slack_signs() {
    let at = Timestamp::from_second(1_531_420_618).unwrap();
    let headers = sign(&SecretString::from(SECRET), BODY, at);
    assert_eq!(
        headers.map(|(_, value)| value),
        [AT.to_owned(), SIGNATURE.to_owned()]
    );
}

#[test]
fn five_minutes_either_way_are_the_limit() {
    for late in [300, -300] {
        assert_eq!(check(Some(AT), Some(SIGNATURE), late), Ok(()), "{late}");
    }
    for late in [301, -301, 1_000_000] {
        let stale = Err(SignatureError::Stale);
        assert_eq!(check(Some(AT), Some(SIGNATURE), late), stale, "{late}");
    }
    let far = Err(SignatureError::Stale);
    assert_eq!(check(Some("9223372036854775807"), Some(SIGNATURE), 0), far);
}

#[test]
fn what_is_missing_or_no_number_is_refused() {
    let missing = Err(SignatureError::Missing);
    assert_eq!(check(None, Some(SIGNATURE), 0), missing);
    assert_eq!(check(Some(AT), None, 0), missing);
    for at in [
        "",
        "soon",
        "1531420618.0",
        "+1531420618",
        " 1531420618",
        "-1",
        "99999999999999999999",
    ] {
        assert_eq!(check(Some(at), Some(SIGNATURE), 0), missing, "{at}");
    }
}

#[test]
fn a_signature_of_another_body_secret_or_version_is_refused() {
    let wrong = Err(SignatureError::Wrong);
    for signature in [
        "",
        "v0=",
        &SIGNATURE.replace("v0", "v1"),
        &SIGNATURE.to_uppercase(),
        &SIGNATURE[3..],
    ] {
        assert_eq!(check(Some(AT), Some(signature), 0), wrong, "{signature}");
    }
    let now = Timestamp::from_second(1_531_420_618).unwrap();
    let other = SecretString::from("another");
    assert_eq!(verify(&other, Some(AT), Some(SIGNATURE), BODY, now), wrong);
    let empty = verify(
        &SecretString::from(SECRET),
        Some(AT),
        Some(SIGNATURE),
        b"",
        now,
    );
    assert_eq!(empty, wrong);
}

proptest! {
    #[test]
    fn one_changed_bit_is_noticed(body in prop::collection::vec(any::<u8>(), 1..200), at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let secret = SecretString::from(SECRET);
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let [(_, timestamp), (_, signature)] = sign(&secret, &body, now);
        prop_assert_eq!(verify(&secret, Some(&timestamp), Some(&signature), &body, now), Ok(()));
        let mut other = body.clone();
        other[at.index(body.len())] ^= 1 << bit;
        prop_assert_eq!(
            verify(&secret, Some(&timestamp), Some(&signature), &other, now),
            Err(SignatureError::Wrong)
        );
    }
}
