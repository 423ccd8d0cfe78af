//! Which changes by a destination on save a rule accepts as agreement.

use std::borrow::Cow;
use std::collections::BTreeSet;

use rust_decimal::Decimal;

use super::seen::same;
use crate::model::{Tolerance, Value};

/// Whether `stored` is what a destination may have made of `sent` under these tolerances, taken
/// together: a destination that trims and lower-cases does both. Equal values always are.
pub fn within(tolerances: &[Tolerance], sent: &Value, stored: &Value) -> bool {
    if same(sent, stored) {
        return true;
    }
    if tolerances.is_empty() {
        return false;
    }
    match (sent, stored) {
        (Value::Text(sent), Value::Text(stored)) => text_within(tolerances, sent, stored),
        (Value::Text(sent), Value::Null) => text_within(tolerances, sent, ""),
        (Value::Number(sent), Value::Number(stored)) => rounded(tolerances, *sent, *stored),
        (
            Value::Money { amount, currency },
            Value::Money {
                amount: stored,
                currency: stored_currency,
            },
        ) => currency == stored_currency && rounded(tolerances, *amount, *stored),
        (Value::Time(sent), Value::Time(stored)) => {
            let second = |micros: i64| micros.div_euclid(1_000_000);
            tolerances.contains(&Tolerance::Seconds)
                && second(sent.micros()) == second(stored.micros())
        }
        (Value::Set(sent), Value::Set(stored)) => {
            covers(tolerances, stored, sent) && covers(tolerances, sent, stored)
        }
        (Value::Several(sent), Value::Several(stored)) => {
            sent.len() == stored.len()
                && sent
                    .iter()
                    .zip(stored)
                    .all(|(sent, stored)| within(tolerances, sent, stored))
        }
        (
            Value::Null
            | Value::Text(_)
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Date(_)
            | Value::Time(_)
            | Value::Set(_)
            | Value::Money { .. }
            | Value::Link(_)
            | Value::Links(_)
            | Value::Several(_),
            _,
        ) => false,
    }
}

/// Whether every element of `part` is one of `whole`'s under the tolerances.
fn covers(tolerances: &[Tolerance], whole: &BTreeSet<String>, part: &BTreeSet<String>) -> bool {
    let mut others = part.difference(whole).peekable();
    if others.peek().is_none() {
        return true;
    }
    let forgiven: Vec<_> = whole.iter().map(|text| folded(tolerances, text)).collect();
    others.all(|text| forgiven.contains(&folded(tolerances, text)))
}

/// Half up, half even and cut off are all accepted: platforms differ in how they round.
fn rounded(tolerances: &[Tolerance], sent: Decimal, stored: Decimal) -> bool {
    tolerances.iter().any(|tolerance| match tolerance {
        Tolerance::Round(digits) => {
            let step = Decimal::try_new(1, *digits).unwrap_or_default();
            let apart = sent.checked_sub(stored).map(|difference| difference.abs());
            stored.normalize().scale() <= *digits && apart.is_some_and(|apart| apart < step)
        }
        Tolerance::Trim
        | Tolerance::Case
        | Tolerance::Truncate(_)
        | Tolerance::Seconds
        | Tolerance::Phone
        | Tolerance::Html => false,
    })
}

fn text_within(tolerances: &[Tolerance], sent: &str, stored: &str) -> bool {
    let kept = folded(tolerances, stored);
    if folded(tolerances, sent) == kept {
        return true;
    }
    tolerances.iter().any(|tolerance| match tolerance {
        Tolerance::Truncate(length) => {
            let length = *length as usize;
            let head = |text: &str| text.chars().take(length).collect::<String>();
            length > 0
                && stored.chars().nth(length).is_none()
                && (folded(tolerances, &head(sent)) == kept
                    || folded(tolerances, &head(&folded(tolerances, sent))) == kept)
        }
        Tolerance::Trim
        | Tolerance::Case
        | Tolerance::Round(_)
        | Tolerance::Seconds
        | Tolerance::Phone
        | Tolerance::Html => false,
    })
}

/// The text without what the tolerances forgive. Mark-up goes first, since a phone number or
/// outer spaces may stand inside it.
fn folded<'a>(tolerances: &[Tolerance], text: &'a str) -> Cow<'a, str> {
    let mut text = Cow::Borrowed(text);
    if tolerances.contains(&Tolerance::Html) {
        text = Cow::Owned(without_markup(&text));
    }
    if tolerances.contains(&Tolerance::Phone)
        && let Some(digits) = digits(&text)
    {
        text = Cow::Owned(digits);
    }
    if tolerances.contains(&Tolerance::Trim) && text.trim().len() < text.len() {
        text = Cow::Owned(text.trim().to_owned());
    }
    let small = |text: &str| {
        text.bytes()
            .all(|b| b.is_ascii() && !b.is_ascii_uppercase())
    };
    if tolerances.contains(&Tolerance::Case) && !small(&text) {
        text = Cow::Owned(text.to_lowercase());
    }
    text
}

/// The digits of a telephone number, without the international prefix in either spelling; `None`
/// when the text is not one, so that words are compared as words.
fn digits(text: &str) -> Option<String> {
    let filler = |c: char| c.is_whitespace() || "+-./()".contains(c);
    if text.chars().any(|c| !c.is_ascii_digit() && !filler(c)) {
        return None;
    }
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let digits = digits
        .strip_prefix("00")
        .map(str::to_owned)
        .unwrap_or(digits);
    (!digits.is_empty()).then_some(digits)
}

/// The words a reader of the mark-up would see, with single spaces between them.
fn without_markup(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('<') {
        words.push_str(&rest[..open]);
        let tail = &rest[open..];
        let tag = tail[1..].starts_with(|c: char| c.is_ascii_alphabetic() || "/!".contains(c));
        match tail.find('>') {
            Some(close) if tag => {
                words.push(' ');
                rest = &tail[close + 1..];
            }
            Some(_) => {
                words.push('<');
                rest = &tail[1..];
            }
            // No tag can follow; searching on would cost the square of the length.
            None => {
                words.push_str(tail);
                rest = "";
            }
        }
    }
    words.push_str(rest);
    let words = ENTITIES
        .iter()
        .fold(words, |text, (entity, sign)| text.replace(entity, sign));
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `&amp;` comes last, or `&amp;lt;` would be unfolded twice.
const ENTITIES: [(&str, &str); 6] = [
    ("&nbsp;", " "),
    ("&lt;", "<"),
    ("&gt;", ">"),
    ("&quot;", "\""),
    ("&#39;", "'"),
    ("&amp;", "&"),
];
