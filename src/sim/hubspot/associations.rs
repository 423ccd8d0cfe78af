//! Which records are linked, under which association types (`hubspot.md 7`).
//!
//! Both directions of a pair are kept. Whether a record is live is the caller's question, so that
//! links of an archived record come back with it.

use std::collections::BTreeMap;

use super::assoc_types::{AssocType, Role, TypeBook};
use super::kind::ObjectKind;

pub(super) type End = (ObjectKind, u64);

#[derive(Debug)]
pub(super) struct Associations {
    pub types: TypeBook,
    pairs: BTreeMap<(ObjectKind, u64, ObjectKind, u64), Vec<u32>>,
}

impl Associations {
    pub fn new() -> Self {
        Self {
            types: TypeBook::new(),
            pairs: BTreeMap::new(),
        }
    }

    /// Ids and types of everything of kind `to` linked to a record, by ascending id.
    pub fn links(
        &self,
        from: ObjectKind,
        id: u64,
        to: ObjectKind,
    ) -> impl Iterator<Item = (u64, &[u32])> {
        self.pairs
            .range((from, id, to, 0)..=(from, id, to, u64::MAX))
            .map(|(key, types)| (key.3, types.as_slice()))
    }

    /// The types of one pair.
    pub fn types_of(&self, from: End, to: End) -> Vec<u32> {
        let types = self.pairs.get(&(from.0, from.1, to.0, to.1));
        types.cloned().unwrap_or_default()
    }

    /// The primary company of a contact, deal or ticket.
    pub fn primary(&self, from: ObjectKind, id: u64) -> Option<u64> {
        let primary = self
            .types
            .with_role(from, ObjectKind::Company, Role::Primary)?;
        self.links(from, id, ObjectKind::Company)
            .find(|(_, types)| types.contains(&primary.id))
            .map(|(company, _)| company)
    }

    /// Links two records. The labels given replace those the pair had; the unlabelled type always
    /// stays, and so does being primary. The first company of a record becomes its primary one.
    pub fn link(&mut self, from: End, to: End, types: &[u32]) {
        let plain = self
            .types
            .with_role(from.0, to.0, Role::Plain)
            .map(|t| t.id);
        let had = self.pairs.get(&(from.0, from.1, to.0, to.1));
        let primary = self
            .types
            .with_role(from.0, to.0, Role::Primary)
            .map(|t| t.id);
        let mut now: Vec<u32> = plain.into_iter().chain(types.iter().copied()).collect();
        if let Some(primary) = primary {
            let is_primary = had.is_some_and(|had| had.contains(&primary));
            let (holder, company) = oriented(from, to);
            let current = self.primary(holder.0, holder.1);
            if is_primary || current.is_none() {
                now.push(primary);
            }
            if now.contains(&primary)
                && let Some(old) = current.filter(|old| *old != company.1)
            {
                self.demote(holder, (ObjectKind::Company, old));
            }
        }
        now.sort_unstable();
        now.dedup();
        self.store(from, to, now);
    }

    /// Adds types to a pair and keeps what it has.
    pub fn add(&mut self, from: End, to: End, types: &[u32]) {
        let had = self.pairs.get(&(from.0, from.1, to.0, to.1));
        let mut all = had.cloned().unwrap_or_default();
        all.extend_from_slice(types);
        self.link(from, to, &all);
    }

    /// Ends every association of a pair.
    pub fn unlink(&mut self, from: End, to: End) {
        self.pairs.remove(&(from.0, from.1, to.0, to.1));
        self.pairs.remove(&(to.0, to.1, from.0, from.1));
    }

    /// Takes some types off a pair. Without its unlabelled type the pair ends.
    pub fn remove_types(&mut self, from: End, to: End, types: &[u32]) {
        let Some(had) = self.pairs.get(&(from.0, from.1, to.0, to.1)) else {
            return;
        };
        let plain = self
            .types
            .with_role(from.0, to.0, Role::Plain)
            .map(|t| t.id);
        if plain.is_some_and(|plain| types.contains(&plain)) {
            self.unlink(from, to);
            return;
        }
        let left = had
            .iter()
            .filter(|id| !types.contains(id))
            .copied()
            .collect();
        self.store(from, to, left);
    }

    /// Hands all links of a merged record to the one that stands for it.
    pub fn move_all(&mut self, kind: ObjectKind, old: u64, new: u64) {
        for to in ObjectKind::ALL {
            let moved: Vec<(u64, Vec<u32>)> = self
                .links(kind, old, to)
                .map(|(id, types)| (id, types.to_vec()))
                .collect();
            for (id, mut types) in moved {
                self.unlink((kind, old), (to, id));
                let is_self = kind == to && id == new;
                if is_self {
                    continue;
                }
                let primary = self.types.with_role(kind, to, Role::Primary).map(|t| t.id);
                let (holder, _) = oriented((kind, new), (to, id));
                if self.primary(holder.0, holder.1).is_some() {
                    types.retain(|id| Some(*id) != primary);
                }
                self.add((kind, new), (to, id), &types);
            }
        }
    }

    fn demote(&mut self, holder: End, company: End) {
        let Some(primary) = self.types.with_role(holder.0, company.0, Role::Primary) else {
            return;
        };
        let id = primary.id;
        if let Some(had) = self.pairs.get(&(holder.0, holder.1, company.0, company.1)) {
            let left = had.iter().filter(|t| **t != id).copied().collect();
            self.store(holder, company, left);
        }
    }

    fn store(&mut self, from: End, to: End, types: Vec<u32>) {
        let known = |id: &u32| self.types.find(from.0, to.0, *id);
        let mut back: Vec<u32> = types
            .iter()
            .filter_map(known)
            .map(AssocType::inverse)
            .collect();
        back.sort_unstable();
        self.pairs.insert((from.0, from.1, to.0, to.1), types);
        self.pairs.insert((to.0, to.1, from.0, from.1), back);
    }
}

/// The end that has one primary company, and the company.
fn oriented(from: End, to: End) -> (End, End) {
    if from.0 == ObjectKind::Company {
        (to, from)
    } else {
        (from, to)
    }
}
