//! Values that a field may hold, plausible ones and those that break things.

use crate::mapping::{Bound, Rule};
use crate::model::{FieldKind, Fields, PickOption, Raw, Side};

/// Options of one list that are tried.
const OPTIONS: usize = 60;
/// Owners that are tried.
const OWNERS: usize = 20;

/// What the fields of a rule may hold together, one record after the other. A rule of several
/// fields gets its values side by side, so each is met at least once.
pub(super) fn records(bound: &Bound, rule: &Rule, side: Side) -> Vec<Fields> {
    let fields = rule.sides.get(side);
    let columns: Vec<Vec<Raw>> = fields
        .iter()
        .map(|name| values(bound, side, name))
        .collect();
    let most = columns.iter().map(Vec::len).max().unwrap_or(0);
    let record = |at: usize| {
        let cells = fields.iter().zip(&columns);
        cells
            .filter_map(|(name, column)| {
                Some((name.clone(), column.get(at % column.len().max(1))?))
            })
            .map(|(name, raw)| (name, raw.clone()))
            .collect()
    };
    (0..most).map(record).collect()
}

fn values(bound: &Bound, side: Side, name: &str) -> Vec<Raw> {
    let texts = |texts: &[&str]| texts.iter().copied().map(Raw::text).collect::<Vec<_>>();
    let numbers = |texts: &[&str]| -> Vec<Raw> {
        let texts = texts.iter().copied();
        match side {
            Side::HubSpot => texts.map(Raw::text).collect(),
            Side::Salesforce => texts.map(|text| Raw::Number(text.to_owned())).collect(),
        }
    };
    let Some(kind) = bound.field_kind(side, name) else {
        return Vec::new();
    };
    match kind {
        FieldKind::Text { length } => {
            let mut found = texts(&[
                "Ada Lovelace",
                "Ünïcödé 你好 👩‍🚀",
                " padded ",
                "first line\nsecond line",
                "<b>bold</b> & \"quoted\"",
                "0012",
                "null",
            ]);
            let full = usize::try_from(length.unwrap_or(300)).unwrap_or(300);
            found.push(Raw::text("x".repeat(full.min(2_000))));
            found
        }
        FieldKind::Email => texts(&["ada@example.com", "Ada.L@Example.COM", "a+b@example.co.uk"]),
        FieldKind::Phone => texts(&["+49 30 901820", "(415) 555-0100", "030 901820", "0", "n/a"]),
        FieldKind::Url => texts(&[
            "https://www.example.com/a?b=c",
            "example.com",
            "HTTP://EX.COM",
        ]),
        FieldKind::Number { .. } | FieldKind::Money { .. } => {
            numbers(&["0", "12.5", "-3", "1234567.89", "0.10", "1e3"])
        }
        FieldKind::Integer => numbers(&["0", "12", "-7", "2147483648"]),
        FieldKind::Bool => match side {
            Side::HubSpot => texts(&["true", "false"]),
            Side::Salesforce => vec![Raw::Bool(true), Raw::Bool(false)],
        },
        FieldKind::Date => texts(&["2026-02-28", "2024-02-29", "1969-12-31"]),
        FieldKind::DateTime => texts(&[
            "2026-03-29T01:30:00Z",
            "2024-02-29T23:59:59.999Z",
            "1969-12-31T23:59:59Z",
        ]),
        FieldKind::Picklist { options, .. } => active(options).collect(),
        FieldKind::MultiPicklist { options, .. } => {
            let mut found: Vec<Raw> = active(options).collect();
            let two: Vec<&str> = found.iter().filter_map(Raw::as_text).take(2).collect();
            found.push(Raw::text(two.join(";")));
            found
        }
        FieldKind::Owner => {
            let owners = bound.owners(side).iter().filter(|owner| owner.active);
            let owners = owners.take(OWNERS);
            owners.map(|owner| Raw::text(owner.id.as_str())).collect()
        }
        FieldKind::Reference { .. } | FieldKind::Id | FieldKind::Other(_) => Vec::new(),
    }
}

fn active(options: &[PickOption]) -> impl Iterator<Item = Raw> {
    let options = options.iter().filter(|option| option.active);
    options.take(OPTIONS).map(|option| Raw::text(&option.value))
}
