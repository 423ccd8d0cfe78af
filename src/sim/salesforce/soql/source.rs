//! Chooses which rows to look at, so that reads by id, by key and by stamp need no full scan.

use super::bind::{Bound, Path, Test};
use super::evaluate::{Key, key, order, passes};
use super::parser::Literal;
use crate::sim::salesforce::id::AnyId;
use crate::sim::salesforce::org::Org;
use crate::sim::salesforce::table::{Row, place};

pub(super) fn select(org: &Org, bound: &Bound, with_bin: bool) -> Vec<u64> {
    let table = &org.tables[bound.object];
    let fits = |row: &&Row| {
        (with_bin || !row.deleted)
            && bound
                .filter
                .as_ref()
                .is_none_or(|test| passes(org, bound.object, row, test))
    };
    let filter = bound.filter.as_ref();
    if let Some(numbers) = filter.and_then(|test| keyed(org, bound.object, test)) {
        let rows = numbers.into_iter().filter_map(|number| table.get(number));
        let in_order = bound.order.is_empty() || leads_with(bound, place::ID);
        return finish(org, bound, rows.filter(fits), in_order);
    }
    let range = |at| filter.map_or((None, None), |test| bounds(test, at));
    let (stamp_low, stamp_high) = range(place::STAMP);
    let by_stamp = is_keyset(bound);
    let bounded = stamp_low.is_some() || stamp_high.is_some();
    if by_stamp || (bounded && !leads_with(bound, place::ID)) {
        let low = stamp_low.unwrap_or(i64::MIN);
        let rows = table.stamped_between(low, stamp_high.unwrap_or(i64::MAX));
        let in_order = by_stamp || bound.order.is_empty();
        return finish(org, bound, rows.filter(fits), in_order);
    }
    let (low, high) = range(place::ID);
    let number = |bound: Option<i64>| bound.and_then(|number| u64::try_from(number).ok());
    let rows = table.rows_between(number(low).unwrap_or(0), number(high).unwrap_or(u64::MAX));
    let in_order = bound.order.is_empty() || leads_with(bound, place::ID);
    finish(org, bound, rows.filter(fits), in_order)
}

fn leads_with(bound: &Bound, at: u16) -> bool {
    bound
        .order
        .first()
        .is_some_and(|sort| sort.path.own() == Some(at) && !sort.descending)
}

/// Ordered by stamp alone, or by stamp and id.
fn is_keyset(bound: &Bound) -> bool {
    leads_with(bound, place::STAMP)
        && bound
            .order
            .get(1)
            .is_none_or(|sort| sort.path.own() == Some(place::ID) && !sort.descending)
}

fn finish<'a>(
    org: &Org,
    bound: &Bound,
    rows: impl Iterator<Item = &'a Row>,
    in_order: bool,
) -> Vec<u64> {
    let skip = usize::try_from(bound.offset).unwrap_or(usize::MAX);
    let most = bound.limit.map_or(usize::MAX, |limit| {
        usize::try_from(limit).unwrap_or(usize::MAX)
    });
    if in_order || bound.output.is_none() {
        return rows.skip(skip).take(most).map(|row| row.number).collect();
    }
    let mut keyed: Vec<(Vec<Key>, u64)> = rows
        .map(|row| {
            let keys = bound
                .order
                .iter()
                .map(|sort| key(org, bound.object, row, &sort.path))
                .collect();
            (keys, row.number)
        })
        .collect();
    keyed.sort_by(|a, b| {
        bound
            .order
            .iter()
            .zip(a.0.iter().zip(&b.0))
            .map(|(sort, (a, b))| order(sort, a, b))
            .find(|ordering| ordering.is_ne())
            .unwrap_or_else(|| a.1.cmp(&b.1))
    });
    keyed
        .into_iter()
        .skip(skip)
        .take(most)
        .map(|(_, number)| number)
        .collect()
}

/// The only rows that can pass, in id order, when the test names ids or values of an indexed field.
fn keyed(org: &Org, object: usize, test: &Test) -> Option<Vec<u64>> {
    let mut numbers = match test {
        Test::And(parts) => parts.iter().find_map(|part| keyed(org, object, part))?,
        Test::Or(parts) => {
            let all: Option<Vec<Vec<u64>>> =
                parts.iter().map(|part| keyed(org, object, part)).collect();
            all?.into_iter().flatten().collect()
        }
        Test::Compare {
            path,
            sign: "=",
            to: Literal::Text(text),
        } => lookup(org, object, path, text)?,
        Test::In {
            path,
            texts,
            others,
        } if others.is_empty() => {
            let mut found = Vec::new();
            for text in texts {
                found.extend(lookup(org, object, path, text)?);
            }
            found
        }
        Test::Compare { .. }
        | Test::In { .. }
        | Test::Not(_)
        | Test::Like { .. }
        | Test::Includes { .. } => return None,
    };
    numbers.sort_unstable();
    numbers.dedup();
    Some(numbers)
}

fn lookup(org: &Org, object: usize, path: &Path, text: &str) -> Option<Vec<u64>> {
    let at = path.own()?;
    if at == place::ID {
        let id = AnyId::parse(text)?;
        let own = id.prefix() == org.schema.objects[object].prefix;
        return Some(id.number().filter(|_| own).into_iter().collect());
    }
    let table = &org.tables[object];
    table.is_indexed(at).then(|| table.with_key(at, text))
}

type Range = (Option<i64>, Option<i64>);

/// Inclusive bounds every passing row keeps on the id number or the stamp in seconds.
fn bounds(test: &Test, at: u16) -> Range {
    match test {
        Test::And(parts) => parts
            .iter()
            .map(|part| bounds(part, at))
            .fold((None, None), |(low, high), (l, h)| {
                (low.max(l), smaller(high, h))
            }),
        Test::Or(parts) => {
            let all: Vec<Range> = parts.iter().map(|part| bounds(part, at)).collect();
            let low: Option<Vec<i64>> = all.iter().map(|range| range.0).collect();
            let high: Option<Vec<i64>> = all.iter().map(|range| range.1).collect();
            (
                low.and_then(|low| low.into_iter().min()),
                high.and_then(|high| high.into_iter().max()),
            )
        }
        Test::Compare { path, sign, to } if path.own() == Some(at) => {
            let Some(point) = point(to, at) else {
                return (None, None);
            };
            match *sign {
                "=" => (Some(point), Some(point)),
                ">" | ">=" => (Some(point), None),
                "<" | "<=" => (None, Some(point.saturating_add(1))),
                _ => (None, None),
            }
        }
        Test::Compare { .. }
        | Test::In { .. }
        | Test::Not(_)
        | Test::Like { .. }
        | Test::Includes { .. } => (None, None),
    }
}

fn smaller(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, None) | (None, one) => one,
    }
}

fn point(to: &Literal, at: u16) -> Option<i64> {
    match to {
        Literal::Instant(millis) if at == place::STAMP => Some(millis.div_euclid(1_000)),
        Literal::Text(text) if at == place::ID => {
            let number = AnyId::parse(text)?.number()?;
            i64::try_from(number).ok()
        }
        Literal::Null
        | Literal::Bool(_)
        | Literal::Number(_)
        | Literal::Date(_)
        | Literal::Instant(_)
        | Literal::Text(_) => None,
    }
}
