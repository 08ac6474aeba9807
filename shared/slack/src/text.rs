//! Text for Slack, which cannot carry an injection.
//!
//! Slack's markup takes `<…>` for mentions and dates, so whatever a person wrote is escaped before it
//! becomes [`Mrkdwn`]; only literals of this code are taken as they are. Lengths are counted in UTF-16
//! units, which is never less than what Slack counts.

use std::ops::Add;

use access::SlackUser;
use jiff::Timestamp;
use serde::Serialize;

/// Text in Slack's markup, in which `<…>` and `&…;` are only what this code meant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Mrkdwn(String);

impl Mrkdwn {
    /// The text as it is sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text in at most `limit` UTF-16 units, never empty. No mention, date or escape is cut in two.
    #[must_use]
    pub fn within(&self, limit: usize) -> Self {
        Self(visible(&cut(&self.0, limit, true)))
    }

    /// The parts with `between` between every two.
    #[must_use]
    pub fn join(parts: impl IntoIterator<Item = Self>, between: &'static str) -> Self {
        let mut parts = parts.into_iter();
        let first = parts.next().unwrap_or_default();
        parts.fold(first, |all, part| all + between + part)
    }
}

impl From<&'static str> for Mrkdwn {
    fn from(literal: &'static str) -> Self {
        Self(literal.to_owned())
    }
}

impl<T: Into<Mrkdwn>> Add<T> for Mrkdwn {
    type Output = Self;

    fn add(mut self, more: T) -> Self {
        self.0.push_str(&more.into().0);
        self
    }
}

/// What a person or another system wrote, escaped and on one line.
#[must_use]
pub fn escaped(text: &str) -> Mrkdwn {
    let mut out = String::with_capacity(text.len());
    for c in clean(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
    Mrkdwn(out)
}

/// [`escaped`], at most `limit` UTF-16 units of it.
#[must_use]
pub fn short(text: &str, limit: usize) -> Mrkdwn {
    escaped(&cut(&clean(text), limit, false))
}

/// A mention of `user`, which Slack shows as a name.
#[must_use]
pub fn user(user: &SlackUser) -> Mrkdwn {
    mention(user.as_str())
}

/// A mention of whatever `id` names: a person (`U…`, `W…`), a user group (`S…`), a channel (`C…`,
/// `G…`, `D…`). Anything else, such as `#sym-requests`, is shown as it is written.
#[must_use]
pub fn mention(id: &str) -> Mrkdwn {
    let is_id = id.len() >= 6
        && id
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    match id.chars().next() {
        Some('U' | 'W') if is_id => Mrkdwn(format!("<@{id}>")),
        Some('S') if is_id => Mrkdwn(format!("<!subteam^{id}>")),
        Some('C' | 'G' | 'D') if is_id => Mrkdwn(format!("<#{id}>")),
        _ => escaped(id),
    }
}

/// A link to `url`, shown as `label`; only the label where `url` is no web address.
#[must_use]
pub fn link(url: &str, label: &'static str) -> Mrkdwn {
    let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '|');
    if url.starts_with("https://") && url.chars().all(is_plain) {
        Mrkdwn(format!("<{}|{label}>", url.replace('&', "&amp;")))
    } else {
        label.into()
    }
}

/// An instant that every reader sees in their own zone; in UTC where Slack cannot do that.
#[must_use]
pub fn date(at: Timestamp) -> Mrkdwn {
    Mrkdwn(format!(
        "<!date^{}^{{date_short_pretty}} {{time}}|{}>",
        at.as_second(),
        at.strftime("%Y-%m-%d %H:%M UTC")
    ))
}

/// `text` on one line, in at most `limit` UTF-16 units, never empty: for texts without markup.
#[must_use]
pub fn plain(text: &str, limit: usize) -> String {
    visible(&cut(&clean(text), limit, false))
}

/// `text` in at most `limit` UTF-16 units, shortened at a word with `…`. With `markup`, `<…>` and
/// `&…;` stay whole.
pub(crate) fn cut(text: &str, limit: usize, markup: bool) -> String {
    if units(text) <= limit {
        return text.to_owned();
    }
    let Some(room) = limit.checked_sub(1) else {
        return String::new();
    };
    let (mut used, mut hard, mut word) = (0, 0, 0);
    let mut inside = None;
    for (at, c) in text.char_indices() {
        if inside.is_none() && c.is_whitespace() {
            word = at;
        }
        used += c.len_utf16();
        if used > room {
            break;
        }
        let end = at + c.len_utf8();
        match (inside, c) {
            (None, '<') if markup => inside = Some('>'),
            (None, '&') if markup => inside = Some(';'),
            (Some(close), c) if c == close => inside = None,
            _ => {}
        }
        if inside.is_none() {
            hard = end;
        }
    }
    // A long word is cut in two rather than left out.
    let end = if word > 0 && hard.saturating_sub(word) <= 20 {
        word
    } else {
        hard
    };
    let kept = text.get(..end).unwrap_or_default();
    format!("{}…", kept.trim_end())
}

/// The number of UTF-16 units in `text`.
pub(crate) fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// `text` on one line and without characters that change how the text around them is shown: controls
/// and overrides of the writing direction.
fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            c if c.is_whitespace() || c == '\u{2028}' || c == '\u{2029}' => {
                if !out.ends_with(' ') && !out.is_empty() {
                    out.push(' ');
                }
            }
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// `text`, or a dash where nothing could be seen, since Slack refuses empty texts.
fn visible(text: &str) -> String {
    let is_blank = |c: char| {
        c.is_whitespace()
            || c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{ad}')
    };
    if text.chars().all(is_blank) {
        "–".to_owned()
    } else {
        text.to_owned()
    }
}
