//! Owners: who on one side stands for whom on the other.

use super::super::rule::{Chain, OwnerRule, Shape};
use super::{Bound, problem};
use crate::model::{Fields, HoldReason, Owner, Problem, Side, Value};

impl Bound {
    /// Blank means: leave the destination's owner as it is.
    pub(super) fn carry_owner(
        &self,
        rule: &OwnerRule,
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
                Chain::Table => owner.and_then(|owner| self.in_table(rule, from, owner)),
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

    fn in_table(&self, rule: &OwnerRule, from: Side, owner: &Owner) -> Option<&Owner> {
        rule.table.iter().find_map(|(hubspot, salesforce)| {
            let (near, far) = match from {
                Side::HubSpot => (hubspot, salesforce),
                Side::Salesforce => (salesforce, hubspot),
            };
            named(owner, near).then(|| self.active(from.other(), |owner| named(owner, far)))?
        })
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
        let known = |side, name: &str| self.owners.get(side).iter().any(|owner| named(owner, name));
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

fn named(owner: &Owner, name: &str) -> bool {
    owner.id.as_str() == name
        || has(owner, &name.trim().to_lowercase())
        || owner.name.eq_ignore_ascii_case(name.trim())
}
