use access::SlackUser;
use jiff::Timestamp;
use proptest::prelude::*;

use crate::text::{
    Mrkdwn, date, escaped, lines, listed, mention, plain, resent, short, units, user,
};

#[test]
fn nothing_that_a_person_writes_becomes_a_mention() {
    let text = escaped("<!channel> & <@U1> <https://x|y>");
    assert_eq!(
        text.as_str(),
        "&lt;!channel&gt; &amp; &lt;@U1&gt; &lt;https://x|y&gt;"
    );
    assert_eq!(user(&SlackUser::new("U01ALICE")).as_str(), "<@U01ALICE>");
    assert_eq!(
        user(&SlackUser::new("U1> <!here")).as_str(),
        "U1&gt; &lt;!here"
    );
}

#[test]
fn a_text_stays_on_its_line_and_in_its_direction() {
    assert_eq!(escaped("a\n\n b\r\tc\u{202e}d\u{0}").as_str(), "a b cd");
}

#[test]
fn an_identifier_is_mentioned_and_a_name_is_shown() {
    for (id, shown) in [
        ("U01ALICE", "<@U01ALICE>"),
        ("W012A3CDE", "<@W012A3CDE>"),
        ("S0614TZR7", "<!subteam^S0614TZR7>"),
        ("C01REQUESTS", "<#C01REQUESTS>"),
        ("#sym-requests", "#sym-requests"),
        ("SOS", "SOS"),
        ("on-call <x>", "on-call &lt;x&gt;"),
        ("", ""),
    ] {
        assert_eq!(mention(id).as_str(), shown);
    }
}

#[test]
fn a_date_is_each_readers_own_with_utc_to_fall_back_on() {
    let at: Timestamp = "2026-11-24T09:05:59Z".parse().unwrap();
    assert_eq!(
        date(at).as_str(),
        "<!date^1795511159^{date_short_pretty} {time}|2026-11-24 09:05 UTC>"
    );
}

#[test]
fn a_long_text_is_cut_at_a_word() {
    assert_eq!(plain("one two three four", 14), "one two three…");
    assert_eq!(plain("one two three four", 13), "one two…");
    assert_eq!(plain("abcdefghijkl", 6), "abcde…");
    assert_eq!(plain("👩‍🚒👩‍🚒", 3), "👩…");
    assert_eq!(plain("fits", 4), "fits");
}

#[test]
fn a_cut_leaves_mentions_dates_and_escapes_whole() {
    let text = escaped("ab") + user(&SlackUser::new("U01ALICE")) + "cd";
    assert_eq!(text.within(9).as_str(), "ab…");
    assert_eq!(text.within(100).as_str(), "ab<@U01ALICE>cd");
    assert_eq!(short("a&b", 2).as_str(), "a…");
    assert_eq!(escaped("&&&&").within(12).as_str(), "&amp;&amp;…");
}

#[test]
fn what_cannot_be_seen_becomes_a_dash() {
    for text in ["", " ", "\n\t", "\u{200b}\u{feff}", "\u{202e}"] {
        assert_eq!(plain(text, 10), "–", "{text:?}");
        assert_eq!(escaped(text).within(10).as_str(), "–", "{text:?}");
    }
}

#[test]
fn what_runs_from_right_to_left_has_a_direction_of_its_own() {
    for (text, shown) in [
        ("שלום 5", "\u{2068}שלום 5\u{2069}"),
        ("مرحبا & x", "\u{2068}مرحبا &amp; x\u{2069}"),
        ("\u{2067}שלום", "\u{2068}שלום\u{2069}"),
        ("漢字 é 🔑", "漢字 é 🔑"),
    ] {
        assert_eq!(escaped(text).as_str(), shown);
    }
    // However much is cut off, what comes after it is not drawn in.
    let text = Mrkdwn::from("_") + escaped(&"שלום ".repeat(20)) + "_ · 30 minutes";
    for limit in 1..60 {
        let cut = text.within(limit);
        let count = |c: char| cut.as_str().matches(c).count();
        assert_eq!(count('\u{2068}'), count('\u{2069}'), "{cut:?}");
        assert!(units(cut.as_str()) <= limit, "{cut:?}");
    }
}

#[test]
fn a_text_in_parts_is_all_there() {
    let text = escaped(&"one & two שלום ".repeat(100)) + user(&SlackUser::new("U01ALICE"));
    let pieces = text.pieces(120);
    assert!(pieces.len() > 10);
    let mut whole = String::new();
    for piece in &pieces {
        assert!(
            units(piece.as_str()) <= 120 && is_whole(piece.as_str()),
            "{piece:?}"
        );
        let count = |c: char| piece.as_str().matches(c).count();
        assert_eq!(count('\u{2068}'), count('\u{2069}'), "{piece:?}");
        whole.push_str(piece.as_str());
    }
    let letters = |text: &str| -> String {
        let is_letter = |c: &char| !c.is_whitespace() && !matches!(c, '\u{2068}' | '\u{2069}');
        text.chars().filter(is_letter).collect()
    };
    assert_eq!(letters(&whole), letters(text.as_str()));
    assert!(Mrkdwn::default().pieces(10).is_empty());
    assert_eq!(lines("one\r\n\n <two>\n").as_str(), "one\n&lt;two&gt;");
}

#[test]
fn a_long_list_says_how_much_of_it_is_missing() {
    let items = ["a", "b", "c"].map(Mrkdwn::from);
    assert_eq!(listed(&items, 3).as_str(), "a, b, c");
    assert_eq!(listed(&items, 1).as_str(), "a and 2 more");
    assert!(listed(&items, 1).is_cut() && !listed(&items, 3).is_cut());
}

#[test]
fn what_slack_sends_back_stays_what_it_was_and_nothing_more() {
    let at: Timestamp = "2026-11-24T09:05:59Z".parse().unwrap();
    let ours = Mrkdwn::from("*Okta* request by ")
        + user(&SlackUser::new("U01ALICE"))
        + ": "
        + escaped("שלום <!channel> & &lt;x")
        + " for "
        + date(at)
        + " in "
        + mention("C01REQUESTS")
        + " "
        + mention("S0614TZR7");
    assert_eq!(resent(ours.as_str()).as_str(), ours.as_str());
    for (text, shown) in [
        ("<!channel> <!here|x>", "&lt;!channel&gt; &lt;!here|x&gt;"),
        (
            "<@U01ALICE|alice> <#C01REQUESTS|req>",
            "<@U01ALICE> <#C01REQUESTS>",
        ),
        ("<https://x.example|x>", "&lt;https://x.example|x&gt;"),
        (
            "<@<!here>> <!date^x^y|z>",
            "&lt;@&lt;!here&gt;&gt; &lt;!date^x^y|z&gt;",
        ),
        ("a < b & c", "a &lt; b &amp; c"),
        ("a\n\u{202e}b", "a\nb"),
    ] {
        assert_eq!(resent(text).as_str(), shown);
    }
}

/// Whether every `<` and `&` begins something that is closed, and nothing else is open.
fn is_whole(text: &str) -> bool {
    let mut inside = None;
    for c in text.chars() {
        inside = match (inside, c) {
            (None, '<') => Some('>'),
            (None, '&') => Some(';'),
            (None, '>') => return false,
            (Some(close), c) if c == close => None,
            (now, _) => now,
        };
    }
    inside.is_none()
}

proptest! {
    #[test]
    fn whatever_is_written_the_markup_stays_ours(text in super::limits::anything(), limit in 1..4000_usize) {
        let composed = Mrkdwn::from("*") + escaped(&text) + "* "
            + user(&SlackUser::new("U01ALICE")) + " " + date(Timestamp::UNIX_EPOCH) + short(&text, limit);
        let cut = composed.within(limit);
        prop_assert!(is_whole(cut.as_str()), "{}", cut.as_str());
        prop_assert!(units(cut.as_str()) <= limit);
        prop_assert!(!cut.as_str().is_empty());
        let mentions = escaped(&text);
        prop_assert!(!mentions.as_str().contains(['<', '>']));
        prop_assert!(is_whole(resent(&text).as_str()));
        let once = resent(composed.as_str());
        prop_assert_eq!(resent(once.as_str()), once);
        for piece in composed.pieces(1000) {
            prop_assert!(is_whole(piece.as_str()) && units(piece.as_str()) <= 1000);
        }
    }
}
