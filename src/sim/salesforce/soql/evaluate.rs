//! Whether a row passes a test, and how two rows compare.

use std::cmp::Ordering;

use super::bind::{Glyph, Path, Sort, Test};
use super::parser::Literal;
use crate::sim::salesforce::id::AnyId;
use crate::sim::salesforce::org::Org;
use crate::sim::salesforce::schema::Kind;
use crate::sim::salesforce::table::{Row, Seen, see};
use crate::sim::salesforce::value::Cell;

pub(super) fn value<'a>(org: &'a Org, object: usize, row: &'a Row, path: &Path) -> Seen<'a> {
    let (mut object, mut row) = (object, row);
    for (at, step) in path.steps.iter().enumerate() {
        let Some((_, field)) = step.iter().find(|(own, _)| *own == object) else {
            return Seen::Null;
        };
        let seen = see(&org.schema.objects[object], row, *field);
        if at + 1 == path.steps.len() {
            return seen;
        }
        let parent = seen
            .cell()
            .and_then(Cell::as_text)
            .and_then(AnyId::parse)
            .and_then(|id| org.find(&id));
        let Some((next, parent)) = parent else {
            return Seen::Null;
        };
        (object, row) = (next, parent);
    }
    Seen::Null
}

pub(super) fn passes(org: &Org, object: usize, row: &Row, test: &Test) -> bool {
    match test {
        Test::And(parts) => parts.iter().all(|part| passes(org, object, row, part)),
        Test::Or(parts) => parts.iter().any(|part| passes(org, object, row, part)),
        Test::Not(inner) => !passes(org, object, row, inner),
        Test::Compare { path, sign, to } => {
            let seen = value(org, object, row, path);
            compare(seen.cell(), sign, to, is_exact(path.kind))
        }
        Test::Like { path, pattern } => {
            let seen = value(org, object, row, path);
            let text = seen.cell().and_then(Cell::as_text).unwrap_or_default();
            let folded: Vec<char> = text.chars().flat_map(char::to_lowercase).collect();
            like(&folded, pattern)
        }
        Test::In {
            path,
            texts,
            others,
        } => {
            let seen = value(org, object, row, path);
            let cell = seen.cell();
            let text = cell.and_then(Cell::as_text);
            let found = text.is_some_and(|text| {
                if is_exact(path.kind) {
                    texts.contains(text)
                } else {
                    texts.contains(&text.to_lowercase())
                }
            });
            found || others.iter().any(|other| compare(cell, "=", other, true))
        }
        Test::Includes { path, any } => {
            let seen = value(org, object, row, path);
            let text = seen.cell().and_then(Cell::as_text).unwrap_or_default();
            let held: Vec<String> = text.split(';').map(str::to_lowercase).collect();
            any.iter()
                .any(|all| all.iter().all(|part| held.contains(part)))
        }
    }
}

fn is_exact(kind: Kind) -> bool {
    matches!(kind, Kind::Id | Kind::Reference)
}

fn compare(cell: Option<&Cell>, sign: &str, to: &Literal, exact: bool) -> bool {
    let ordering = match (cell, to) {
        (None, Literal::Null) => Some(Ordering::Equal),
        (None, _) | (_, Literal::Null) => None,
        (Some(Cell::Bool(a)), Literal::Bool(b)) => Some(a.cmp(b)),
        (Some(Cell::Number(a)), Literal::Number(b)) => a.partial_cmp(b),
        (Some(Cell::Date(a)), Literal::Date(b)) => Some(a.cmp(b)),
        (Some(Cell::Instant(a)), Literal::Instant(b)) => Some((a * 1_000).cmp(b)),
        (Some(Cell::Text(a)), Literal::Text(b)) if exact => Some((**a).cmp(b.as_str())),
        (Some(Cell::Text(a)), Literal::Text(b)) => Some(a.to_lowercase().cmp(b)),
        (Some(_), _) => None,
    };
    match sign {
        "=" => ordering == Some(Ordering::Equal),
        "!=" => ordering != Some(Ordering::Equal),
        "<" => ordering == Some(Ordering::Less),
        ">" => ordering == Some(Ordering::Greater),
        "<=" => ordering.is_some_and(Ordering::is_le) && cell.is_some(),
        _ => ordering.is_some_and(Ordering::is_ge) && cell.is_some(),
    }
}

/// Greedy matching with one point of return: linear for the usual patterns, never exponential.
fn like(text: &[char], pattern: &[Glyph]) -> bool {
    let (mut t, mut p) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(Glyph::Any) => {
                back = Some((p + 1, t));
                p += 1;
            }
            Some(Glyph::One) => {
                t += 1;
                p += 1;
            }
            Some(Glyph::Char(c)) if *c == text[t] => {
                t += 1;
                p += 1;
            }
            Some(Glyph::Char(_)) | None => match back {
                Some((after, from)) => {
                    back = Some((after, from + 1));
                    p = after;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|glyph| *glyph == Glyph::Any)
}

/// A value made ready for sorting.
#[derive(Clone, Debug)]
pub(super) enum Key {
    Null,
    Number(f64),
    Text(String),
}

pub(super) fn key(org: &Org, object: usize, row: &Row, path: &Path) -> Key {
    match value(org, object, row, path).cell() {
        None => Key::Null,
        Some(Cell::Bool(flag)) => Key::Number(f64::from(u8::from(*flag))),
        Some(Cell::Number(number)) => Key::Number(*number),
        Some(Cell::Date(days)) => Key::Number(f64::from(*days)),
        Some(Cell::Instant(seconds)) => Key::Number(*seconds as f64),
        Some(Cell::Text(text)) if is_exact(path.kind) => Key::Text(text.to_string()),
        Some(Cell::Text(text)) => Key::Text(text.to_lowercase()),
    }
}

pub(super) fn order(sort: &Sort, a: &Key, b: &Key) -> Ordering {
    let by_null = |null_first: Ordering| {
        if sort.nulls_last {
            null_first.reverse()
        } else {
            null_first
        }
    };
    let by_value = match (a, b) {
        (Key::Null, Key::Null) => return Ordering::Equal,
        (Key::Null, _) => return by_null(Ordering::Less),
        (_, Key::Null) => return by_null(Ordering::Greater),
        (Key::Number(a), Key::Number(b)) => a.total_cmp(b),
        (Key::Text(a), Key::Text(b)) => a.cmp(b),
        (Key::Number(_), Key::Text(_)) => Ordering::Less,
        (Key::Text(_), Key::Number(_)) => Ordering::Greater,
    };
    if sort.descending {
        by_value.reverse()
    } else {
        by_value
    }
}
