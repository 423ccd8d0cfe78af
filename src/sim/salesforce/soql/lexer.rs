//! Splits a statement into tokens with their positions.

use super::malformed;
use crate::sim::salesforce::error::Refusal;
use crate::sim::salesforce::value::read_date;
use chrono::DateTime;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A keyword or a dotted name.
    Word(String),
    Text(String),
    Number(f64),
    Date(i32),
    /// Milliseconds since 1970-01-01 UTC.
    Instant(i64),
    Open,
    Close,
    Comma,
    /// A comparison operator.
    Sign(&'static str),
}

impl Token {
    pub fn shown(&self) -> String {
        match self {
            Self::Word(word) => word.clone(),
            Self::Text(text) => format!("'{text}'"),
            Self::Number(number) => number.to_string(),
            Self::Date(_) => "date".to_owned(),
            Self::Instant(_) => "dateTime".to_owned(),
            Self::Open => "(".to_owned(),
            Self::Close => ")".to_owned(),
            Self::Comma => ",".to_owned(),
            Self::Sign(sign) => (*sign).to_owned(),
        }
    }
}

pub(super) fn split(text: &str) -> Result<Vec<(Token, usize)>, Refusal> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let Some(first) = rest.chars().next() else {
            return Ok(tokens);
        };
        let at = text.len() - rest.len();
        let (token, length) = next(rest, first)?;
        tokens.push((token, at));
        rest = &rest[length..];
    }
}

fn next(rest: &str, first: char) -> Result<(Token, usize), Refusal> {
    let run = |keep: fn(char) -> bool| rest.find(|c: char| !keep(c)).unwrap_or(rest.len());
    match first {
        '(' => Ok((Token::Open, 1)),
        ')' => Ok((Token::Close, 1)),
        ',' => Ok((Token::Comma, 1)),
        '\'' => quoted(rest),
        '=' | '<' | '>' | '!' => sign(rest),
        c if c.is_ascii_alphabetic() || c == '_' => {
            let length = run(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.' || c == ':');
            Ok((Token::Word(rest[..length].to_owned()), length))
        }
        c if c.is_ascii_digit() || c == '-' || c == '+' || c == '.' => {
            let length = run(|c| c.is_ascii_alphanumeric() || "+-.:".contains(c));
            number(&rest[..length]).map(|token| (token, length))
        }
        other => Err(malformed(format!("unexpected token: '{other}'"))),
    }
}

fn sign(rest: &str) -> Result<(Token, usize), Refusal> {
    for sign in ["!=", "<>", "<=", ">=", "=", "<", ">"] {
        if rest.starts_with(sign) {
            let meaning = if sign == "<>" { "!=" } else { sign };
            return Ok((Token::Sign(meaning), sign.len()));
        }
    }
    Err(malformed("unexpected token: '!'"))
}

fn number(text: &str) -> Result<Token, Refusal> {
    let instant = || {
        DateTime::parse_from_rfc3339(text)
            .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
            .ok()
            .map(|at| Token::Instant(at.timestamp_millis()))
    };
    read_date(text)
        .map(Token::Date)
        .or_else(instant)
        .or_else(|| {
            let plain = text
                .bytes()
                .all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
            text.parse().ok().filter(|_| plain).map(Token::Number)
        })
        .ok_or_else(|| malformed(format!("unexpected token: '{text}'")))
}

/// A string literal; `\%` and `\_` keep their backslash, for LIKE to read.
fn quoted(rest: &str) -> Result<(Token, usize), Refusal> {
    let mut out = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\'' => return Ok((Token::Text(out), at + 1)),
            '\\' => match chars.next().map(|(_, c)| c) {
                Some('n' | 'N') => out.push('\n'),
                Some('r' | 'R') => out.push('\r'),
                Some('t' | 'T') => out.push('\t'),
                Some('b' | 'B') => out.push('\u{8}'),
                Some('f' | 'F') => out.push('\u{c}'),
                Some(c @ ('\'' | '"' | '\\')) => out.push(c),
                Some(c @ ('%' | '_')) => {
                    out.push('\\');
                    out.push(c);
                }
                Some(other) => {
                    let message = format!("invalid string literal: illegal escape '\\{other}'");
                    return Err(malformed(message));
                }
                None => break,
            },
            other => out.push(other),
        }
    }
    Err(malformed(
        "unexpected token: <EOF>: a string literal is not closed",
    ))
}
