//! Slack's signature over the raw body, as its page "Verifying requests from Slack" has it.

use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// How far the time in a request may be from ours, either way.
pub const WINDOW: SignedDuration = SignedDuration::from_mins(5);

/// The header with the time of the request, in Unix seconds.
pub const TIMESTAMP_HEADER: &str = "x-slack-request-timestamp";

/// The header with the signature.
pub const SIGNATURE_HEADER: &str = "x-slack-signature";

/// Why a request is not believed to come from Slack. None of them is worth another try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The time or the signature is missing, or the time is not a number.
    #[error("the request carries no signature and time of Slack's")]
    Missing,
    /// The time is more than five minutes away from ours.
    #[error("the request is more than five minutes away from the present time")]
    Stale,
    /// The signature is not the one that the secret makes.
    #[error("the signature does not fit the body and the signing secret")]
    Wrong,
}

/// Checks that `body`, as it came over the wire, was signed with `secret` no more than five minutes
/// away from `now`. The comparison takes the same time wherever the signatures differ.
pub fn verify(
    secret: &SecretString,
    timestamp_header: Option<&str>,
    signature_header: Option<&str>,
    body: &[u8],
    now: Timestamp,
) -> Result<(), SignatureError> {
    let (Some(timestamp), Some(signature)) = (timestamp_header, signature_header) else {
        return Err(SignatureError::Missing);
    };
    let is_number = !timestamp.is_empty() && timestamp.bytes().all(|byte| byte.is_ascii_digit());
    let second: i64 = match timestamp.parse() {
        Ok(second) if is_number => second,
        _ => return Err(SignatureError::Missing),
    };
    if second.abs_diff(now.as_second()) > WINDOW.as_secs().unsigned_abs() {
        return Err(SignatureError::Stale);
    }
    let expected = signature_of(secret, timestamp, body);
    if bool::from(expected.as_bytes().ct_eq(signature.as_bytes())) {
        Ok(())
    } else {
        Err(SignatureError::Wrong)
    }
}

/// The two headers, names and values, that Slack would send with `body` at `at`: for whoever plays
/// Slack's part.
#[must_use]
pub fn sign(secret: &SecretString, body: &[u8], at: Timestamp) -> [(&'static str, String); 2] {
    let timestamp = at.as_second().to_string();
    let signature = signature_of(secret, &timestamp, body);
    [(TIMESTAMP_HEADER, timestamp), (SIGNATURE_HEADER, signature)]
}

fn signature_of(secret: &SecretString, timestamp: &str, body: &[u8]) -> String {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes())
        .expect("a key of any length");
    mac.update(b"v0:");
    mac.update(timestamp.as_bytes());
    mac.update(b":");
    mac.update(body);
    format!("v0={}", hex::encode(mac.finalize().into_bytes()))
}
