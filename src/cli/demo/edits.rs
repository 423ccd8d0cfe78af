//! The demo's users: chooses what they type into either CRM, and types it.
//!
//! Everything goes through the simulators' direct doors, as from a browser, and into the ledger.

use std::collections::BTreeSet;

use anyhow::{Context, anyhow};
use serde_json::json;

use crate::clock::Clock;
use crate::model::Side;
use crate::sim::seed::{Heroine, Seeded};

use super::ledger::{Edit, EditKind, Ledger, Partners, View};
use super::outcome::Outcome;
use super::shape::{self, Form, Rule, Shape};
use super::typed::{self, Typed};

/// What marketing and sales type into Ada's job title at the same time.
pub const ADA_IN_HUBSPOT: &str = "Director of Operations";
pub const ADA_IN_SALESFORCE: &str = "VP Operations";
pub const ADA_RULE: &str = "jobtitle";

/// A linked pair without an open reason, free to be edited.
#[derive(Clone, Debug)]
pub struct Target {
    pub shape: &'static Shape,
    pub hubspot: String,
    pub salesforce: String,
}

impl Target {
    fn id(&self, side: Side) -> &str {
        match side {
            Side::HubSpot => &self.hubspot,
            Side::Salesforce => &self.salesforce,
        }
    }
}

pub struct Editor<'a> {
    pub view: View<'a>,
    pub partners: &'a Partners,
    pub clock: Clock,
    targets: Vec<Target>,
    dice: fastrand::Rng,
    /// Removals are few: a demo that deletes a lot would meet the guard, rightly.
    removals_left: usize,
    created: usize,
}

impl<'a> Editor<'a> {
    pub fn new(
        view: View<'a>,
        partners: &'a Partners,
        clock: Clock,
        targets: Vec<Target>,
        seed: u64,
    ) -> Self {
        let removals_left = (targets.len() / 100).min(4);
        Self {
            view,
            partners,
            clock,
            targets,
            dice: fastrand::Rng::with_seed(seed ^ 0x5eed),
            removals_left,
            created: 0,
        }
    }

    /// Ada's true conflict: two people, one field, before either side is read again. Returns the
    /// title that both sides held before.
    pub fn follow_ada(
        &mut self,
        ada: &Heroine,
        ledger: &mut Ledger,
    ) -> anyhow::Result<Option<String>> {
        let shape = shape::of("contacts").context("the demo knows no contacts mapping")?;
        let Some(rule) = shape.rule(ADA_RULE) else {
            return Ok(None);
        };
        let base = self.view.value(shape, rule, Side::HubSpot, &ada.hubspot);
        let marketing = Typed::HubSpot(vec![("jobtitle", ADA_IN_HUBSPOT.to_owned())]);
        let sales = Typed::Salesforce(vec![("Title", json!(ADA_IN_SALESFORCE))]);
        self.write(shape, rule, &ada.hubspot, &marketing, ledger)?;
        self.write(shape, rule, &ada.salesforce, &sales, ledger)?;
        // Nobody else touches her, so that her story stays readable.
        self.targets
            .retain(|target| target.shape.mapping != "contacts" || target.hubspot != ada.hubspot);
        Ok(base)
    }

    /// Makes edits until the ledger holds `count` of them.
    pub fn work(&mut self, count: usize, ledger: &mut Ledger) -> anyhow::Result<()> {
        let mut dull = 0;
        while ledger.edits.len() < count && dull < 1_000 && !self.targets.is_empty() {
            let before = ledger.edits.len();
            match self.dice.u8(0..100) {
                0..10 if count - before >= 2 => self.conflict(ledger)?,
                10..18 => self.create(ledger)?,
                18..20 => self.remove(ledger)?,
                20..26 => self.move_house(ledger)?,
                _ => self.one_field(ledger)?,
            }
            dull = if ledger.edits.len() == before {
                dull + 1
            } else {
                0
            };
        }
        Ok(())
    }

    /// From here on only these pairs are edited.
    pub fn offer(&mut self, targets: Vec<Target>) {
        self.targets = targets;
    }

    /// Somebody types another value into the other end of the field before this edit gets there.
    pub fn compete(&mut self, edit: &Edit, ledger: &mut Ledger) -> anyhow::Result<()> {
        let (EditKind::Field { rule, .. }, Some(partner)) = (&edit.kind, &edit.partner) else {
            return Ok(());
        };
        if !is_typed(rule) {
            return Ok(());
        }
        let side = edit.side.other();
        match typed::invent(rule, side, &mut self.dice, self.view.meaning) {
            Some(typed) => self.write(edit.shape, rule, partner, &typed, ledger),
            None => Ok(()),
        }
    }

    fn side(&mut self) -> Side {
        if self.dice.bool() {
            Side::HubSpot
        } else {
            Side::Salesforce
        }
    }

    fn target(&mut self) -> Target {
        let at = self.dice.usize(0..self.targets.len());
        self.targets[at].clone()
    }

    fn rule(&mut self, shape: &Shape, fits: impl Fn(&Rule) -> bool) -> Option<&'static Rule> {
        let rules = shape::of(shape.mapping)?.rules.iter();
        let fitting: Vec<&'static Rule> = rules.filter(|rule| fits(rule)).collect();
        self.dice.choice(fitting)
    }

    fn one_field(&mut self, ledger: &mut Ledger) -> anyhow::Result<()> {
        let target = self.target();
        let Some(rule) = self.rule(target.shape, is_typed) else {
            return Ok(());
        };
        let side = self.side();
        if let Some(typed) = typed::invent(rule, side, &mut self.dice, self.view.meaning) {
            self.write(target.shape, rule, target.id(side), &typed, ledger)?;
        }
        Ok(())
    }

    /// Both sides of one pair, one after the other, before the engine can look.
    fn conflict(&mut self, ledger: &mut Ledger) -> anyhow::Result<()> {
        let target = self.target();
        let Some(rule) = self.rule(target.shape, is_typed) else {
            return Ok(());
        };
        for side in Side::BOTH {
            if let Some(typed) = typed::invent(rule, side, &mut self.dice, self.view.meaning) {
                self.write(target.shape, rule, target.id(side), &typed, ledger)?;
            }
        }
        Ok(())
    }

    /// A child moves to another company. HubSpot moves no stamp for an association, so its user
    /// types something else as well, which is what makes the change visible before a full scan.
    fn move_house(&mut self, ledger: &mut Ledger) -> anyhow::Result<()> {
        let (child, parent) = (self.target(), self.target());
        if parent.shape.mapping != "companies" {
            return Ok(());
        }
        let is_parent = |rule: &Rule| matches!(rule.form, Form::Company { .. });
        let Some(rule) = self.rule(child.shape, is_parent) else {
            return Ok(());
        };
        let Form::Company { primary } = rule.form else {
            return Ok(());
        };
        if self.dice.bool() {
            let typed = Typed::Salesforce(vec![("AccountId", json!(parent.salesforce))]);
            return self.write(child.shape, rule, &child.salesforce, &typed, ledger);
        }
        let typed = Typed::Company {
            id: parent.hubspot,
            primary,
        };
        self.write(child.shape, rule, &child.hubspot, &typed, ledger)?;
        if let Some(rule) = self.rule(child.shape, |rule| rule.typed && rule.form == Form::Text)
            && let Some(typed) =
                typed::invent(rule, Side::HubSpot, &mut self.dice, self.view.meaning)
        {
            self.write(child.shape, rule, &child.hubspot, &typed, ledger)?;
        }
        Ok(())
    }

    fn create(&mut self, ledger: &mut Ledger) -> anyhow::Result<()> {
        let shape = self.target().shape;
        let side = self.side();
        self.created += 1;
        let born = typed::newborn(shape, side, self.created, self.view.meaning);
        let Some(born) = born else {
            return Ok(());
        };
        let id = match born {
            Typed::HubSpot(properties) => self
                .view
                .hubspot
                .create(shape.hubspot, &borrowed(&properties)),
            Typed::Salesforce(fields) => self.view.salesforce.create(shape.salesforce, &fields),
            Typed::Company { .. } => return Ok(()),
        };
        let id = id.map_err(|error| anyhow!("creating a {}: {error}", shape.object(side)))?;
        ledger.enter(Edit {
            shape,
            side,
            id,
            partner: None,
            kind: EditKind::Create,
            at: self.clock.now(),
        });
        Ok(())
    }

    fn remove(&mut self, ledger: &mut Ledger) -> anyhow::Result<()> {
        let target = self.target();
        // Companies keep their children, and a lead may be somebody's contact too.
        let fits = matches!(target.shape.mapping, "contacts" | "deals");
        if self.removals_left == 0 || !fits {
            return Ok(());
        }
        self.removals_left -= 1;
        let side = self.side();
        let id = target.id(side);
        let object = target.shape.object(side);
        let done = match side {
            Side::HubSpot => self.view.hubspot.archive(object, id),
            Side::Salesforce => self.view.salesforce.delete(object, id),
        };
        done.map_err(|error| anyhow!("removing {object} {id}: {error}"))?;
        ledger.enter(Edit {
            shape: target.shape,
            side,
            id: id.to_owned(),
            partner: Some(target.id(side.other()).to_owned()),
            kind: EditKind::Remove,
            at: self.clock.now(),
        });
        self.targets.retain(|other| other.hubspot != target.hubspot);
        Ok(())
    }

    /// Types a value into a record and takes it down, unless it changed nothing.
    fn write(
        &self,
        shape: &'static Shape,
        rule: &'static Rule,
        id: &str,
        typed: &Typed,
        ledger: &mut Ledger,
    ) -> anyhow::Result<()> {
        let (hubspot, salesforce) = (self.view.hubspot, self.view.salesforce);
        let side = typed.side();
        let before = self.view.value(shape, rule, side, id);
        let done = match typed {
            Typed::HubSpot(properties) => hubspot.edit(shape.hubspot, id, &borrowed(properties)),
            Typed::Salesforce(fields) => salesforce.edit(shape.salesforce, id, fields),
            Typed::Company {
                id: company,
                primary,
            } => hubspot.associate((shape.hubspot, id), ("companies", company), *primary),
        };
        done.map_err(|error| anyhow!("editing {} {id}: {error}", shape.object(side)))?;
        let after = self.view.value(shape, rule, side, id);
        let (Some(meaning), true) = (after.clone(), before != after) else {
            return Ok(());
        };
        let at = self.clock.now();
        let partner = self.partners.of(shape.mapping, side, id);
        let there = partner.and_then(|id| self.view.value(shape, rule, side.other(), id));
        let echo = there.as_ref() == Some(&meaning);
        let agreed = ledger.agreed(shape, (side, id), rule, before);
        ledger.enter(Edit {
            shape,
            side,
            id: id.to_owned(),
            partner: partner.map(str::to_owned),
            kind: EditKind::Field {
                rule,
                meaning,
                agreed,
                arrived: echo.then_some(at),
                echo,
            },
            at,
        });
        Ok(())
    }
}

fn borrowed<'t>(properties: &'t [(&'static str, String)]) -> Vec<(&'t str, &'t str)> {
    properties
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect()
}

fn is_typed(rule: &Rule) -> bool {
    rule.typed && !matches!(rule.form, Form::Company { .. })
}

/// Linked pairs that nobody waits for a person about.
pub fn free_targets(outcome: &Outcome, seeded: &Seeded) -> Vec<Target> {
    let mut waiting = BTreeSet::new();
    for open in outcome.holds.iter().chain(&outcome.dead_letters) {
        waiting.insert((open.mapping.as_str(), open.hubspot_id.as_str()));
    }
    let troubled: BTreeSet<(&str, &str)> = seeded
        .expected
        .iter()
        .flat_map(|expected| {
            let ids = expected.hubspot.iter();
            ids.map(|id| (expected.hubspot_object, id.as_str()))
        })
        .collect();
    let free = |mapping: &str, object: &str, id: &str| {
        !waiting.contains(&(mapping, id)) && !troubled.contains(&(object, id))
    };
    let links = outcome.links.iter();
    links
        .filter_map(|(mapping, hubspot, salesforce)| {
            let shape = shape::of(mapping)?;
            free(mapping, shape.hubspot, hubspot).then(|| Target {
                shape,
                hubspot: hubspot.clone(),
                salesforce: salesforce.clone(),
            })
        })
        .collect()
}
