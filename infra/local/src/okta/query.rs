//! The language of `filter` and `search`.

/// Whether a thing with the attributes `attribute` meets `query`; nothing if `query` makes no sense.
///
/// `filter` knows `eq` alone and minds the case of letters; `search` knows more and does not mind.
/// Comparisons are put together with `and`, `or` and parentheses; `and` binds first.
pub(super) fn matches<'a>(
    query: &str,
    kind: Kind,
    attribute: &dyn Fn(&str) -> Option<&'a str>,
) -> Option<bool> {
    let tokens = tokens(query)?;
    let mut parser = Parser {
        tokens: &tokens,
        kind,
        attribute,
    };
    let matched = parser.any()?;
    parser.tokens.is_empty().then_some(matched)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Filter,
    Search,
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Open,
    Close,
}

fn tokens(query: &str) -> Option<Vec<Token>> {
    let mut all = Vec::new();
    let mut rest = query.chars().peekable();
    while let Some(it) = rest.next() {
        match it {
            '(' => all.push(Token::Open),
            ')' => all.push(Token::Close),
            '"' => {
                let mut text = String::new();
                loop {
                    match rest.next()? {
                        '"' => break,
                        '\\' => text.push(rest.next()?),
                        other => text.push(other),
                    }
                }
                all.push(Token::Text(text));
            }
            it if it.is_whitespace() => {}
            it => {
                let mut word = it.to_string();
                while let Some(more) =
                    rest.next_if(|it| !it.is_whitespace() && !matches!(it, '(' | ')' | '"'))
                {
                    word.push(more);
                }
                all.push(Token::Word(word));
            }
        }
    }
    Some(all)
}

struct Parser<'a, 'b> {
    tokens: &'b [Token],
    kind: Kind,
    attribute: &'b dyn Fn(&str) -> Option<&'a str>,
}

impl Parser<'_, '_> {
    fn any(&mut self) -> Option<bool> {
        let mut matched = self.all()?;
        while self.word("or") {
            matched |= self.all()?;
        }
        Some(matched)
    }

    fn all(&mut self) -> Option<bool> {
        let mut matched = self.one()?;
        while self.word("and") {
            matched &= self.one()?;
        }
        Some(matched)
    }

    fn one(&mut self) -> Option<bool> {
        match self.tokens {
            [Token::Open, rest @ ..] => {
                self.tokens = rest;
                let matched = self.any()?;
                let (Token::Close, rest) = self.tokens.split_first()? else {
                    return None;
                };
                self.tokens = rest;
                Some(matched)
            }
            [
                Token::Word(name),
                Token::Word(operator),
                Token::Text(text),
                rest @ ..,
            ] => {
                self.tokens = rest;
                let value = (self.attribute)(name)?;
                let (value, text) = match self.kind {
                    Kind::Filter => (value.to_owned(), text.clone()),
                    Kind::Search => (value.to_lowercase(), text.to_lowercase()),
                };
                match (operator.to_ascii_lowercase().as_str(), self.kind) {
                    ("eq", _) => Some(value == text),
                    ("sw", Kind::Search) => Some(value.starts_with(&text)),
                    ("co", Kind::Search) => Some(value.contains(&text)),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn word(&mut self, word: &str) -> bool {
        match self.tokens {
            [Token::Word(found), rest @ ..] if found.eq_ignore_ascii_case(word) => {
                self.tokens = rest;
                true
            }
            _ => false,
        }
    }
}
