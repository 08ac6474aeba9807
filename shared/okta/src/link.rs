//! Where a list goes on.

use reqwest::header::{HeaderMap, LINK};

/// The address of the link with `rel="next"`. Okta sends each link on a line of its own; several on
/// one line are allowed too.
pub(crate) fn next(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(LINK).into_iter();
    lines
        .filter_map(|line| line.to_str().ok())
        .find_map(next_in)
}

fn next_in(mut line: &str) -> Option<&str> {
    while let Some((_, rest)) = line.split_once('<') {
        let (address, rest) = rest.split_once('>')?;
        let (parameters, rest) = rest.split_at(end_of_parameters(rest));
        if parameters.split(';').any(is_next) {
            return Some(address);
        }
        line = rest;
    }
    None
}

/// Where the next link of the line begins: at a comma outside quotes.
fn end_of_parameters(text: &str) -> usize {
    let mut is_quoted = false;
    let comma = text.find(|it| {
        is_quoted ^= it == '"';
        it == ',' && !is_quoted
    });
    comma.unwrap_or(text.len())
}

fn is_next(parameter: &str) -> bool {
    parameter.split_once('=').is_some_and(|(name, value)| {
        let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
        name.trim().eq_ignore_ascii_case("rel")
            && relations.any(|relation| relation.eq_ignore_ascii_case("next"))
    })
}
