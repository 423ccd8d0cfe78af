//! Owners: who on one side stands for whom on the other.

use std::collections::BTreeMap;

use super::super::rule::{Chain, OwnerRule, Shape};
use super::slot::Plan;
use super::{Bound, problem};
use crate::model::{BySide, Fields, HoldReason, Owner, Problem, RecordId, Side, Value};

impl Bound {
    /// Blank means: leave the destination's owner as it is.
    pub(super) fn carry_owner(
        &self,
        rule: &OwnerRule,
        plan: &Plan,
        from: Side,
        value: &Value,
    ) -> Result<Value, Problem> {
        let Value::Text(id) = value else {
            return Ok(Value::Null);
        };
        let to = from.other();
        let owner = self
            .owners
            .get(from)
            .iter()
            .find(|owner| owner.id.as_str() == id);
        let email = owner.and_then(address);
        for step in &rule.chain {
            let found = match step {
                Chain::Table => owner
                    .and_then(|owner| plan.owners.get(from).get(&owner.id))
                    .and_then(|id| self.active(to, |owner| owner.id == *id)),
                // A fallback owner stands for anybody; whom is not known any more.
                Chain::Email if is_fallback(rule, email.as_deref()) => return Ok(Value::Null),
                Chain::Email => email
                    .as_deref()
                    .and_then(|email| self.active(to, |owner| has(owner, email))),
                Chain::Keep => return Ok(Value::Null),
                Chain::Fallback(_) if is_fallback(rule, email.as_deref()) => {
                    return Ok(Value::Null);
                }
                Chain::Fallback(email) => self.active(to, |owner| has(owner, email)),
            };
            if let Some(found) = found {
                return Ok(Value::text(found.id.as_str()));
            }
        }
        let who = email.unwrap_or_else(|| id.clone());
        let detail = format!(
            "owner `{who}` has no active counterpart in {}; add one to the owner table, or end \
             the chain with keep or a fallback e-mail",
            to.title()
        );
        Err(problem(HoldReason::Unmapped, detail))
    }

    /// Whom the table means on the other side, for each owner of a side. The first row counts
    /// that leads to somebody active.
    pub(super) fn pairs(&self, rule: &OwnerRule) -> BySide<BTreeMap<RecordId, RecordId>> {
        let named = self.directories();
        BySide::from_fn(|from| {
            let mut found = BTreeMap::new();
            for (hubspot, salesforce) in &rule.table {
                let (near, far) = match from {
                    Side::HubSpot => (hubspot, salesforce),
                    Side::Salesforce => (salesforce, hubspot),
                };
                let mut far = named.get(from.other()).called(far);
                let Some(far) = far.find(|owner| owner.active) else {
                    continue;
                };
                for owner in named.get(from).called(near) {
                    let id = owner.id.clone();
                    found.entry(id).or_insert_with(|| far.id.clone());
                }
            }
            found
        })
    }

    fn directories(&self) -> BySide<Directory<'_>> {
        BySide::from_fn(|side| Directory::of(self.owners.get(side)))
    }

    /// Who owns a record, by e-mail address or else by name or id; `None` where no rule is about
    /// owners, or the record has none.
    pub fn owner(&self, fields: &Fields) -> Option<String> {
        let rules = self.mapping().rules.iter();
        let owners = rules.filter(|rule| matches!(rule.shape, Shape::Owner(_)));
        let names = owners.flat_map(|rule| {
            Side::BOTH
                .into_iter()
                .flat_map(move |side| rule.sides.get(side).iter().map(move |name| (side, name)))
        });
        let mut ids = names.filter_map(|(side, name)| Some((side, fields.get(name)?.as_text()?)));
        let (side, id) = ids.next()?;
        let known = self.owners.get(side).iter();
        let owner = known.clone().find(|owner| owner.id.as_str() == id);
        let name = owner.map(|owner| owner.email.clone().unwrap_or_else(|| owner.name.clone()));
        Some(name.unwrap_or_else(|| id.to_owned()))
    }

    fn active(&self, side: Side, wanted: impl Fn(&Owner) -> bool) -> Option<&Owner> {
        self.owners
            .get(side)
            .iter()
            .find(|owner| owner.active && wanted(owner))
    }

    /// Names of the owner table and the fallback that no owner answers to.
    pub(super) fn unknown_owners(&self, rule: &OwnerRule) -> Vec<(Side, String)> {
        let mut unknown = Vec::new();
        let named = self.directories();
        let known = |side: Side, name: &str| named.get(side).called(name).next().is_some();
        for (hubspot, salesforce) in &rule.table {
            for (side, name) in [(Side::HubSpot, hubspot), (Side::Salesforce, salesforce)] {
                if !known(side, name) {
                    unknown.push((side, name.clone()));
                }
            }
        }
        for step in &rule.chain {
            if let Chain::Fallback(email) = step
                && !Side::BOTH.into_iter().any(|side| known(side, email))
            {
                unknown.push((Side::Salesforce, email.clone()));
            }
        }
        unknown
    }
}

/// The owners of a side by what a table may call them: a table is long, and so is a company.
struct Directory<'o> {
    by_id: BTreeMap<&'o str, &'o Owner>,
    /// Addresses and names in small letters.
    by_name: BTreeMap<String, Vec<&'o Owner>>,
}

impl<'o> Directory<'o> {
    fn of(owners: &'o [Owner]) -> Self {
        let by_id = owners.iter().map(|owner| (owner.id.as_str(), owner));
        let mut by_name: BTreeMap<String, Vec<&Owner>> = BTreeMap::new();
        for owner in owners {
            let name = owner.name.to_lowercase();
            for called in address(owner).into_iter().chain([name]) {
                by_name.entry(called).or_default().push(owner);
            }
        }
        Self {
            by_id: by_id.collect(),
            by_name,
        }
    }

    fn called(&self, name: &str) -> impl Iterator<Item = &'o Owner> {
        let name = name.trim();
        let named = self.by_name.get(&name.to_lowercase());
        let named = named.map_or(&[][..], Vec::as_slice).iter().copied();
        self.by_id.get(name).copied().into_iter().chain(named)
    }
}

fn is_fallback(rule: &OwnerRule, email: Option<&str>) -> bool {
    rule.chain.iter().any(|step| match step {
        Chain::Fallback(fallback) => Some(fallback.as_str()) == email,
        Chain::Table | Chain::Email | Chain::Keep => false,
    })
}

/// An owner's address without the mark that sandbox copies of users carry.
fn address(owner: &Owner) -> Option<String> {
    let email = owner.email.as_deref()?.trim().to_lowercase();
    Some(email.strip_suffix(".invalid").unwrap_or(&email).to_owned())
}

fn has(owner: &Owner, email: &str) -> bool {
    address(owner).as_deref() == Some(email)
}
