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
pub struct Mrkdwn {
    text: String,
    #[serde(skip)]
    is_cut: bool,
}

impl Mrkdwn {
    /// The text as it is sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The text in at most `limit` UTF-16 units, never empty. No mention, date or escape is cut in two.
    #[must_use]
    pub fn within(&self, limit: usize) -> Self {
        let mut text = cut(&self.text, limit, true);
        if is_open(&text) {
            text = closed(cut(&self.text, limit.saturating_sub(1), true));
        }
        Self {
            is_cut: self.is_cut || text != self.text,
            text: visible(&text),
        }
    }

    /// All of the text, in parts of at most `limit` UTF-16 units each; no part where there is no text.
    pub(crate) fn pieces(&self, limit: usize) -> Vec<Self> {
        let mut pieces = Vec::new();
        let mut rest = self.text.trim().to_owned();
        while !rest.is_empty() {
            let end = if units(&rest) <= limit {
                rest.len()
            } else {
                cut_at(&rest, limit.saturating_sub(1), true)
            };
            let (piece, behind) = rest.split_at_checked(end).unwrap_or((&rest, ""));
            if piece.is_empty() {
                break;
            }
            // What goes on in the next part keeps its own direction there too.
            let open = if is_open(piece) { ISOLATE } else { "" };
            let behind = open.to_owned() + behind.trim_start();
            pieces.push(Self::written(closed(piece.trim_end().to_owned())));
            rest = if behind == open {
                String::new()
            } else {
                behind
            };
        }
        pieces
    }

    /// Whether something was shortened or left out.
    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// The parts with `between` between every two.
    #[must_use]
    pub fn join(parts: impl IntoIterator<Item = Self>, between: &'static str) -> Self {
        let mut parts = parts.into_iter();
        let first = parts.next().unwrap_or_default();
        parts.fold(first, |all, part| all + between + part)
    }

    fn written(text: String) -> Self {
        Self {
            text,
            is_cut: false,
        }
    }
}

impl From<&'static str> for Mrkdwn {
    fn from(literal: &'static str) -> Self {
        Self::written(literal.to_owned())
    }
}

impl<T: Into<Mrkdwn>> Add<T> for Mrkdwn {
    type Output = Self;

    fn add(mut self, more: T) -> Self {
        let more = more.into();
        self.text.push_str(&more.text);
        self.is_cut = self.is_cut || more.is_cut;
        self
    }
}

/// What a person or another system wrote, escaped and on one line. Where some of it runs from right to
/// left, it does not reorder what stands around it.
#[must_use]
pub fn escaped(text: &str) -> Mrkdwn {
    shown(&clean(text))
}

/// A clean text, escaped.
fn shown(text: &str) -> Mrkdwn {
    let mut text = escape(text);
    if text.chars().any(runs_from_the_right) {
        text = format!("{ISOLATE}{text}{END_OF_ISOLATE}");
    }
    Mrkdwn::written(text)
}

/// [`escaped`], in at most `limit` UTF-16 units.
#[must_use]
pub fn short(text: &str, limit: usize) -> Mrkdwn {
    // One character more tells whether there are more.
    let beginning = shown(&clean_within(text, limit.saturating_add(1)));
    if units(&beginning.text) <= limit {
        beginning
    } else {
        beginning.within(limit)
    }
}

/// [`escaped`], line by line.
pub(crate) fn lines(text: &str) -> Mrkdwn {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    Mrkdwn::join(lines.map(escaped), "\n")
}

/// The first `most` of `items`, and how many more there are.
pub(crate) fn listed(items: &[Mrkdwn], most: usize) -> Mrkdwn {
    let mut list = Mrkdwn::join(items.iter().take(most).cloned(), ", ");
    let more = items.len().saturating_sub(most);
    if more > 0 {
        list = list + Mrkdwn::written(format!(" and {more} more"));
        list.is_cut = true;
    }
    list
}

/// Text that this app sent and Slack sent back: mentions and dates stay what they are, whatever else is
/// in it is escaped.
#[must_use]
pub fn resent(text: &str) -> Mrkdwn {
    let ours = |inside: &str| {
        let inside = inside.split('|').next().unwrap_or_default();
        if let Some(date_) = inside.strip_prefix("!date^") {
            let at = date_.split('^').next()?.parse().ok()?;
            return Some(date(Timestamp::from_second(at).ok()?));
        }
        let id = ["@", "#", "!subteam^"]
            .iter()
            .find_map(|kind| inside.strip_prefix(kind))?;
        Some(mention(id)).filter(|it| it.as_str().starts_with('<'))
    };
    let resent = |line: &str| {
        let mut parts = line.split(ISOLATE);
        let first = marked(parts.next().unwrap_or_default(), ours);
        parts.fold(first, |all, part| {
            let (isolated, rest) = part.split_once(END_OF_ISOLATE).unwrap_or((part, ""));
            all + escaped(&unescaped(isolated)) + marked(rest, ours)
        })
    };
    Mrkdwn::join(text.lines().map(resent), "\n")
}

/// A line of Slack's markup that is not this code's: whatever is in `<…>` becomes what `kept` makes of
/// it, or is shown as it is written.
pub(crate) fn marked(line: &str, kept: impl Fn(&str) -> Option<Mrkdwn>) -> Mrkdwn {
    let mut out = Mrkdwn::default();
    let mut rest = line;
    while let Some((before, (inside, behind))) = rest
        .split_once('<')
        .and_then(|(before, rest)| Some((before, rest.split_once('>')?)))
    {
        let inside = kept(inside).unwrap_or_else(|| Mrkdwn::from("&lt;") + spaced(inside) + "&gt;");
        out = out + spaced(before) + inside;
        rest = behind;
    }
    out + spaced(rest)
}

/// `text` escaped, with the space around it, where it may have been escaped already.
pub(crate) fn spaced(text: &str) -> Mrkdwn {
    let raw = unescaped(text);
    let space = |yes: bool| if yes { " " } else { "" };
    let is_blank = raw.trim().is_empty();
    let before = space(raw.starts_with(' '));
    let after = space(raw.ends_with(' ') && !is_blank);
    Mrkdwn::written(before.to_owned() + &escape(&clean(&raw)) + after)
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
        Some('U' | 'W') if is_id => Mrkdwn::written(format!("<@{id}>")),
        Some('S') if is_id => Mrkdwn::written(format!("<!subteam^{id}>")),
        Some('C' | 'G' | 'D') if is_id => Mrkdwn::written(format!("<#{id}>")),
        _ => escaped(id),
    }
}

/// Whether `text` may be the id of a person in Slack.
pub(crate) fn is_person(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
    text.starts_with(['U', 'W']) && text.chars().all(is_plain)
}

/// A link to `url`, shown as `label`; only the label where `url` is no web address.
#[must_use]
pub fn link(url: &str, label: &'static str) -> Mrkdwn {
    let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '|');
    if url.starts_with("https://") && url.chars().all(is_plain) {
        Mrkdwn::written(format!("<{}|{label}>", url.replace('&', "&amp;")))
    } else {
        label.into()
    }
}

/// An instant that every reader sees in their own zone; in UTC where Slack cannot do that.
#[must_use]
pub fn date(at: Timestamp) -> Mrkdwn {
    Mrkdwn::written(format!(
        "<!date^{}^{{date_short_pretty}} {{time}}|{}>",
        at.as_second(),
        in_utc(at)
    ))
}

/// An instant as `2026-11-24 22:51 UTC`.
fn in_utc(at: Timestamp) -> String {
    let text = at.to_string();
    let minute = text.get(.."2026-11-24T22:51".len()).unwrap_or(&text);
    format!("{} UTC", minute.replace('T', " "))
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
    let kept = text.get(..cut_at(text, room, markup)).unwrap_or_default();
    format!("{}…", kept.trim_end())
}

/// Where `text`, which is longer, is cut to have at most `room` UTF-16 units.
fn cut_at(text: &str, room: usize, markup: bool) -> usize {
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
    if word > 0 && hard.saturating_sub(word) <= 20 {
        word
    } else {
        hard
    }
}

/// The number of UTF-16 units in `text`.
pub(crate) fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// Begins text that has its own direction, whichever that is, and leaves what is around it alone.
const ISOLATE: &str = "\u{2068}";
/// Ends it.
const END_OF_ISOLATE: &str = "\u{2069}";

fn is_open(text: &str) -> bool {
    text.matches(ISOLATE).count() > text.matches(END_OF_ISOLATE).count()
}

fn closed(text: String) -> String {
    if is_open(&text) {
        text + END_OF_ISOLATE
    } else {
        text
    }
}

/// Whether `c` is of a script that runs from right to left, or makes its neighbours do so.
fn runs_from_the_right(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{8ff}' | '\u{200f}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}'
        | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
    out
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

/// `text` on one line and without characters that change how the text around them is shown: controls
/// and overrides of the writing direction.
fn clean(text: &str) -> String {
    clean_within(text, usize::MAX)
}

/// The first characters of that, `most` or a few more.
fn clean_within(text: &str, most: usize) -> String {
    let mut out = String::new();
    let mut count = 0;
    for c in text.chars() {
        if count > most {
            break;
        }
        match c {
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            c if c.is_whitespace() || c == '\u{2028}' || c == '\u{2029}' => {
                if !out.ends_with(' ') && !out.is_empty() {
                    out.push(' ');
                    count += 1;
                }
            }
            c if c.is_control() => {}
            c => {
                out.push(c);
                count += 1;
            }
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
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2069}' | '\u{61c}' | '\u{feff}' | '\u{ad}')
    };
    if text.chars().all(is_blank) {
        "–".to_owned()
    } else {
        text.to_owned()
    }
}
