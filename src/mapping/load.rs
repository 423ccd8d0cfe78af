//! From files to mappings: every fault of every file in one go.
//!
//! Ties the steps together and checks what needs more than one mapping. Reads no file itself.

use std::collections::{BTreeMap, BTreeSet};

use super::extend;
use super::fault::{self, Fault};
use super::owners;
use super::read;
use super::rule::{ReferenceEnd, Rule};
use super::tree::{self, Most, Node};
use super::types::Mapping;
use super::warn;
use crate::model::{Junction, OwnerTable, Side};

/// A mapping file as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// As faults show it.
    pub path: String,
    pub text: String,
}

impl SourceFile {
    /// The name in the `mapping:` line, without reading the file as a mapping.
    pub fn mapping_name(&self) -> Option<&str> {
        let lines = &mut self.text.lines();
        let line = lines.find_map(|line| {
            let bare = line.strip_prefix("mapping:");
            bare.or_else(|| line.strip_prefix("\"mapping\":"))
        })?;
        let name = line.split('#').next().unwrap_or_default().trim();
        Some(name.trim_matches(['"', '\'']))
    }
}

#[derive(Clone, Debug)]
pub struct Loaded {
    /// By name.
    pub mappings: Vec<Mapping>,
    pub warnings: Vec<Fault>,
}

/// Reads all files. One error anywhere and nothing is loaded; the error holds all faults,
/// warnings included, in the order of files and lines.
pub fn load(files: &[SourceFile], vars: &BTreeMap<String, String>) -> Result<Loaded, Vec<Fault>> {
    load_with(files, vars, &OwnerTable::default())
}

/// As [`load`], with a workspace's own table of owners in front of each rule's. The pairs become a
/// part of the mappings: of their revisions, their effective texts, and the hashes of these rules.
pub fn load_with(
    files: &[SourceFile],
    vars: &BTreeMap<String, String>,
    owners: &OwnerTable,
) -> Result<Loaded, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut trees: Vec<Node> = Vec::new();
    for file in files {
        let (tree, found) = tree::parse(&file.path, &file.text, Most::OF_A_MAPPING);
        faults.extend(found);
        if let Some(mut tree) = tree {
            extend::fill(&mut tree, vars, &mut faults);
            trees.push(tree);
        }
    }
    duplicates(&trees, &mut faults);
    let mut effective = extend::resolve(&trees, &mut faults);
    let changed = owners::put(&mut effective, owners, &mut faults);
    let mut mappings: Vec<Mapping> = effective
        .iter()
        .zip(changed)
        .filter_map(|(tree, changed)| {
            // No file's text stands for a mapping that was changed.
            let files = if changed { &[][..] } else { files };
            read::mapping(tree, files, &mut faults)
        })
        .collect();
    mappings.sort_by(|left, right| left.name.cmp(&right.name));
    references(&mappings, &trees, &mut faults);
    warn::across(&mappings, &mut faults);
    Ok(Loaded {
        mappings,
        warnings: fault::sorted(faults)?,
    })
}

fn duplicates(trees: &[Node], faults: &mut Vec<Fault>) {
    let mut seen: BTreeMap<&str, &Node> = BTreeMap::new();
    for name in trees.iter().filter_map(|tree| tree.get("mapping")) {
        let Some(text) = name.as_text() else { continue };
        if let Some(first) = seen.insert(text, name) {
            let (file, line) = (&first.at.file, first.at.line);
            let message = format!("another mapping has this name, in {file} line {line}");
            faults.push(name.at.error(text, message));
        }
    }
}

/// An association must lead to a mapping of the object it names.
fn references(mappings: &[Mapping], trees: &[Node], faults: &mut Vec<Fault>) {
    let known: BTreeSet<&str> = trees
        .iter()
        .filter_map(|tree| tree.get("mapping")?.as_text())
        .collect();
    let rules = mappings
        .iter()
        .flat_map(|mapping| mapping.associations().map(move |rule| (mapping, rule)));
    for (mapping, rule) in rules {
        let Some(reference) = rule.reference() else {
            continue;
        };
        let name = reference.mapping.as_str();
        if !known.contains(name) {
            let message = format!("there is no mapping `{name}` for this association");
            faults.push(rule.at.error(name, message).suggest(known.iter().copied()));
            continue;
        }
        let parent = mappings
            .iter()
            .find(|mapping| mapping.name == reference.mapping);
        if let (Some(parent), ReferenceEnd::Association { object, .. }) =
            (parent, &reference.hubspot)
            && parent.objects.hubspot != *object
        {
            let message = format!(
                "the association leads to {object}, but mapping `{name}` is about {}",
                parent.objects.hubspot
            );
            faults.push(rule.at.error(object, message));
        }
        if let (Some(parent), ReferenceEnd::Junction { object, .. }) =
            (parent, &reference.salesforce)
        {
            faults.extend(ends(mapping, parent, rule, object));
            faults.extend(from_both_ends(mappings, mapping, rule, object));
        }
    }
}

/// Two views of one row would each remember it by themselves, and one could bring back what was
/// taken away under the other.
fn from_both_ends(
    mappings: &[Mapping],
    mapping: &Mapping,
    rule: &Rule,
    object: &str,
) -> Option<Fault> {
    let field = &rule.writes(Side::Salesforce).first()?;
    let other = mappings
        .iter()
        .take_while(|other| other.name != mapping.name)
        .filter(|other| other.objects.salesforce != mapping.objects.salesforce)
        .find(|other| {
            let mut rules = other.associations();
            rules.any(|rule| rule.is_set() && rule.writes(Side::Salesforce).contains(field))
        })?;
    let message = format!(
        "mapping `{}` carries the same rows from their other end; leave them to one of the two",
        other.name
    );
    let at = rule.at_field(Side::Salesforce, 0);
    Some(at.error(object, message))
}

/// The rows of a junction object must tie records of this mapping to records of the other.
fn ends(mapping: &Mapping, parent: &Mapping, rule: &Rule, object: &str) -> Option<Fault> {
    let junction = Junction::named(object)?;
    let own = mapping.objects.salesforce.as_str();
    let theirs = parent.objects.salesforce.as_str();
    let far = junction.seen_from(own).map(|(_, _, far)| far);
    (far != Some(theirs)).then(|| {
        let [(_, one), (_, two)] = junction.ends;
        let message = format!(
            "`{object}` ties {one} and {two}, but this mapping is about {own} and mapping `{}` \
             about {theirs}",
            parent.name
        );
        rule.at_field(Side::Salesforce, 0).error(object, message)
    })
}
