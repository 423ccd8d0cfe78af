//! What kind of value a rule carries: plain fields, a table, money, a name or an owner.

use std::collections::BTreeSet;
use std::str::FromStr;

use chrono_tz::Tz;
use rhai::Dynamic;

use super::super::expression::Expression;
use super::super::fault::At;
use super::super::keys;
use super::super::rule::{
    Cell, Chain, Conversion, Country, FieldRule, MoneyRule, OwnerRule, Row, Shape, Table,
};
use super::super::tree::{Body, Entry, Node};
use super::{Reader, find};
use crate::model::{BySide, Conflict, Direction, Policy, Side};

/// The word of `as:` and the text between its brackets.
enum Named {
    Money,
    FullName,
    Field(Conversion),
}

impl Reader<'_> {
    pub(super) fn shape(
        &mut self,
        at: &At,
        entries: &[&Entry],
        spelled: &BySide<Vec<String>>,
        policy: &Policy,
    ) -> Option<Shape> {
        self.exclusive(entries);
        let otherwise = self.otherwise(entries);
        if let Some(node) = find(entries, "table") {
            let rows = self.rows(node, spelled, policy.direction);
            return Some(Shape::Table(Table { rows, otherwise }));
        }
        if let Some(node) = find(entries, "owner") {
            self.single(at, spelled, "`owner`");
            return Some(Shape::Owner(self.owner(node)));
        }
        let values = find(entries, "values").map(|node| self.values(node, policy.direction));
        if values.is_some() {
            self.single(at, spelled, "`values`");
        }
        let named = match find(entries, "as") {
            Some(node) => self.named(node)?,
            None => {
                self.pairs(at, spelled);
                return Some(Shape::Fields(FieldRule {
                    conversion: None,
                    values,
                    otherwise,
                }));
            }
        };
        match named {
            Named::Money => {
                if spelled.hubspot.len() > 2 || spelled.salesforce.len() > 2 {
                    self.error(
                        at,
                        "money",
                        "money is an amount and a currency code on each side",
                    );
                }
                Some(Shape::Money(MoneyRule { otherwise }))
            }
            Named::FullName => {
                self.full_name(at, spelled, policy);
                Some(Shape::FullName)
            }
            Named::Field(conversion) => {
                self.single(at, spelled, "this conversion");
                let conversion = Some(conversion);
                Some(Shape::Fields(FieldRule {
                    conversion,
                    values,
                    otherwise,
                }))
            }
        }
    }

    /// Keys that each decide what the value is; one rule has at most one of them.
    fn exclusive(&mut self, entries: &[&Entry]) {
        let kinds = ["table", "owner", "values", "as"];
        let mut given = entries
            .iter()
            .filter(|entry| kinds.contains(&entry.key.as_str()));
        if let Some(first) = given.next() {
            for other in given {
                let message = format!("`{}` and `{}` exclude each other", first.key, other.key);
                self.error(&other.at, &other.key, message);
            }
        }
    }

    fn single(&mut self, at: &At, spelled: &BySide<Vec<String>>, what: &str) {
        if spelled.hubspot.len() != 1 || spelled.salesforce.len() != 1 {
            self.error(
                at,
                "",
                format!("{what} is for rules with one field on each side"),
            );
        }
    }

    fn pairs(&mut self, at: &At, spelled: &BySide<Vec<String>>) {
        if spelled.hubspot.len() != spelled.salesforce.len() {
            let message = "several fields without `table` or `as` are taken pair by pair; \
                           name as many on one side as on the other";
            self.error(at, "", message);
        }
    }

    fn full_name(&mut self, at: &At, spelled: &BySide<Vec<String>>, policy: &Policy) {
        let counts = (spelled.hubspot.len(), spelled.salesforce.len());
        if !matches!(counts, (1, 2) | (2, 1)) {
            let message = "full-name takes one field on one side, first and last name on the other";
            self.error(at, "full-name", message);
        }
        if policy.direction == Direction::Both {
            let message = "a full name cannot be taken apart and put together again without loss; \
                           give the rule a direction";
            self.error(at, "full-name", message);
        }
    }

    fn named(&mut self, node: &Node) -> Option<Named> {
        let text = self.text(node, "`as`")?;
        let (word, inner) = match text.split_once('(') {
            Some((word, rest)) => match rest.strip_suffix(')') {
                Some(inner) => (
                    word.trim(),
                    Some(inner.trim()).filter(|inner| !inner.is_empty()),
                ),
                None => {
                    self.error(&node.at, text, "the closing bracket is missing");
                    return None;
                }
            },
            None => (text, None),
        };
        match (word, inner) {
            ("money", None) => Some(Named::Money),
            ("full-name", None) => Some(Named::FullName),
            ("text", None) => Some(Named::Field(Conversion::Text)),
            ("email", None) => Some(Named::Field(Conversion::Email)),
            ("domain", None) => Some(Named::Field(Conversion::Domain)),
            ("phone", inner) => {
                let country = match inner {
                    Some(inner) => Some(self.country(node, inner)?),
                    None => None,
                };
                Some(Named::Field(Conversion::Phone(country)))
            }
            ("date", Some(inner)) => self.zone(node, inner).map(Named::Field),
            ("date", None) => {
                self.error(&node.at, text, "say in which zone: date(\"Europe/Berlin\")");
                None
            }
            _ => {
                let names = [
                    "text",
                    "email",
                    "phone",
                    "date",
                    "domain",
                    "money",
                    "full-name",
                ];
                let message = format!("there is no conversion `{word}`");
                self.faults
                    .push(node.at.error(word, message).suggest(names));
                None
            }
        }
    }

    fn country(&mut self, node: &Node, text: &str) -> Option<Country> {
        match Expression::compile(text, node.at.clone()) {
            Ok(expression) => Some(Country {
                expression,
                fields: BySide::default(),
            }),
            Err(message) => {
                self.error(&node.at, text, message);
                None
            }
        }
    }

    /// The zone is an expression too, but of no field: one rule has one zone.
    fn zone(&mut self, node: &Node, text: &str) -> Option<Conversion> {
        let result = Expression::compile(text, node.at.clone())
            .and_then(|expression| match expression.variables.first() {
                Some(field) => Err(format!("the zone cannot depend on the field `{field}`")),
                None => expression.evaluate(|_| Dynamic::UNIT),
            })
            .and_then(|value| {
                Tz::from_str(&value.to_string()).map_err(|_| {
                    format!("`{value}` is no time zone; expected one such as Europe/Berlin")
                })
            });
        match result {
            Ok(zone) => Some(Conversion::Date(zone)),
            Err(message) => {
                self.error(&node.at, text, message);
                None
            }
        }
    }

    /// One row: HubSpot's values, Salesforce's values, and perhaps a direction.
    fn rows(&mut self, node: &Node, spelled: &BySide<Vec<String>>, rule: Direction) -> Vec<Row> {
        let left = spelled.hubspot.len();
        let width = left + spelled.salesforce.len();
        let mut rows = Vec::new();
        let mut sources = BySide::default();
        for item in self.list(node, "`table`") {
            let cells = self.list(item, "a row of `table`");
            if cells.len() != width && cells.len() != width + 1 {
                let message = format!(
                    "a row has {width} values here ({left} of HubSpot, {} of Salesforce) and \
                     perhaps a direction; this one has {}",
                    width - left,
                    cells.len()
                );
                self.error(&item.at, &item.shown(), message);
                continue;
            }
            let direction = match cells.get(width) {
                Some(cell) => self.direction(cell).unwrap_or(rule),
                None => rule,
            };
            let read: Vec<Cell> = cells[..width].iter().map(|cell| self.cell(cell)).collect();
            let (hubspot, salesforce) = read.split_at(left);
            let cells = BySide::new(hubspot.to_vec(), salesforce.to_vec());
            self.ambiguous(item, &mut sources, &cells, direction);
            rows.push(Row { cells, direction });
        }
        rows
    }

    fn cell(&mut self, node: &Node) -> Cell {
        let text = match &node.body {
            Body::Null => None,
            Body::Text(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
            Body::List(_) | Body::Map(_) => {
                self.error(
                    &node.at,
                    &node.shown(),
                    "a value of a row is a text, or ~ for blank",
                );
                None
            }
        };
        Cell {
            text,
            at: node.at.clone(),
        }
    }

    /// Two rows with the same source would leave the result to chance.
    fn ambiguous(
        &mut self,
        item: &Node,
        sources: &mut BySide<BTreeSet<Vec<Option<String>>>>,
        cells: &BySide<Vec<Cell>>,
        direction: Direction,
    ) {
        for to in Side::BOTH.into_iter().filter(|to| direction.allows(*to)) {
            let from = to.other();
            let texts = cells.get(from).iter().map(|cell| cell.text.clone());
            let first = sources.get_mut(from).insert(texts.collect());
            if !first {
                let message = format!(
                    "an earlier row already says what these {} values become; \
                     give one of the rows the direction to-{}",
                    from.title(),
                    from
                );
                self.error(&item.at, &item.shown(), message);
            }
        }
    }

    fn owner(&mut self, node: &Node) -> OwnerRule {
        let entries = self.table(node, "`owner`", keys::OWNER);
        let mut chain = Vec::new();
        if let Some(node) = find(&entries, "chain") {
            let items: &[Node] = self.list(node, "`chain`");
            for item in items {
                chain.extend(self.link_of_chain(item));
            }
        } else {
            chain = vec![Chain::Table, Chain::Email, Chain::Keep];
        }
        let mut table = Vec::new();
        if let Some(node) = find(&entries, "table") {
            for entry in self.entries(node, "`table` of `owner`") {
                if let Some(user) = self.text(&entry.value, "`table` of `owner`") {
                    table.push((entry.key.clone(), user.to_owned()));
                }
            }
        }
        OwnerRule { chain, table }
    }

    fn link_of_chain(&mut self, item: &Node) -> Option<Chain> {
        match self.text(item, "`chain`")? {
            "table" => Some(Chain::Table),
            "email" => Some(Chain::Email),
            "keep" => Some(Chain::Keep),
            text if text.contains('@') => Some(Chain::Fallback(text.to_lowercase())),
            text => {
                let message = "`chain` takes table, email, keep or an e-mail address";
                let fault = item.at.error(text, message);
                self.faults.push(fault.suggest(["table", "email", "keep"]));
                None
            }
        }
    }

    /// `union` and `ratchet` need a kind of value they can work on.
    pub(super) fn fits(policy: &Policy, shape: &Shape) -> Option<&'static str> {
        let plain = matches!(shape, Shape::Fields(_));
        match &policy.conflict {
            Conflict::Union if !plain => Some("`union` is for multi-select fields"),
            Conflict::Ratchet(_) if !plain => Some("`ratchet` is for rules with one plain field"),
            Conflict::Union
            | Conflict::Ratchet(_)
            | Conflict::Wins(_)
            | Conflict::Ask
            | Conflict::Newest { .. } => None,
        }
    }
}
