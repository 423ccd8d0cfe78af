//! Proposes a mapping from the schemas of two objects: a start to be read and changed by a person.
//!
//! Pure. Names, labels and types are all it goes by, so every line carries its reason, and what it
//! could not place is listed at the end. A proposal that the language or the schemas refuse is not
//! given out: what is refused is taken out and listed with the refusal.

mod fields;
mod head;
mod known;
mod options;
mod rules;
mod stage;
mod text;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::bound::bind;
use super::fault::{Fault, Severity};
use super::load::{SourceFile, load};
use crate::model::{BySide, Schemas, Side};

/// Two objects for which a mapping is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The name of the mapping.
    pub name: String,
    pub objects: BySide<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    pub name: String,
    /// The file.
    pub text: String,
    pub rules: Vec<Proposed>,
    pub left_out: Vec<LeftOut>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposed {
    pub rule: String,
    pub why: String,
}

/// Fields that no rule of the proposal is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    pub fields: BySide<Vec<String>>,
    pub why: String,
}

/// A line of the file, and why it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    yaml: String,
    why: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Section {
    Head,
    Match,
    Policy,
    Rules,
    Associations,
}

/// Lines that stand or fall together.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    section: Section,
    /// Empty for what is no rule.
    rule: String,
    fields: BySide<Vec<String>>,
    lines: Vec<Line>,
}

impl Part {
    fn new(section: Section, rule: &str, fields: BySide<Vec<String>>) -> Self {
        Self {
            section,
            rule: rule.to_owned(),
            fields,
            lines: Vec::new(),
        }
    }

    fn line(mut self, yaml: impl Into<String>, why: impl Into<String>) -> Self {
        let (yaml, why) = (yaml.into(), why.into());
        self.lines.push(Line { yaml, why });
        self
    }

    fn why(&self) -> &str {
        self.lines.first().map_or("", |line| &line.why)
    }
}

/// What is being put together for one pair.
#[derive(Clone, Debug)]
struct Draft {
    pair: Pair,
    parts: Vec<Part>,
    left_out: Vec<LeftOut>,
}

/// Proposes mappings for pairs whose objects are in `schemas`; mappings that are proposed together
/// may refer to each other.
///
/// # Errors
/// When what is left of a proposal is still refused.
pub fn propose(pairs: &[Pair], schemas: &Schemas) -> Result<Vec<Proposal>, Vec<Fault>> {
    let mut drafts: Vec<Draft> = pairs
        .iter()
        .filter_map(|pair| rules::draft(pair, pairs, schemas))
        .collect();
    while let Err(faults) = accepted(&drafts, schemas) {
        if !take_out(&mut drafts, &faults) {
            return Err(faults);
        }
    }
    Ok(drafts.iter().map(Draft::proposal).collect())
}

/// Reads the drafts as files are read, and joins them to the schemas.
fn accepted(drafts: &[Draft], schemas: &Schemas) -> Result<(), Vec<Fault>> {
    let file = |draft: &Draft| SourceFile {
        path: draft.pair.name.clone(),
        text: text::file(draft).0,
    };
    let files: Vec<SourceFile> = drafts.iter().map(file).collect();
    let loaded = load(&files, &BTreeMap::new())?;
    let bound = loaded.mappings.iter().map(|mapping| bind(mapping, schemas));
    let faults: Vec<Fault> = bound.filter_map(Result::err).flatten().collect();
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults)
    }
}

/// Moves the parts that are at fault to what is left out; false when no part is.
fn take_out(drafts: &mut [Draft], faults: &[Fault]) -> bool {
    let mut taken = false;
    for draft in drafts {
        let starts = text::file(draft).1;
        let at = |line: usize| starts.iter().rposition(|start| *start <= line);
        let errors = faults
            .iter()
            .filter(|fault| fault.severity == Severity::Error && fault.file == draft.pair.name);
        let mut refused: BTreeMap<usize, String> = BTreeMap::new();
        for fault in errors {
            if let Some(part) = at(fault.line)
                && draft.parts[part].section != Section::Head
            {
                refused.entry(part).or_insert_with(|| fault.message.clone());
            }
        }
        // From the end, so that the places of the others stay.
        for (part, why) in refused.into_iter().rev() {
            let fields = draft.parts.remove(part).fields;
            draft.left_out.push(LeftOut { fields, why });
            taken = true;
        }
    }
    taken
}

impl Draft {
    fn proposal(&self) -> Proposal {
        let rules = self.parts.iter().filter(|part| !part.rule.is_empty());
        Proposal {
            name: self.pair.name.clone(),
            text: text::file(self).0,
            rules: rules
                .map(|part| Proposed {
                    rule: part.rule.clone(),
                    why: part.why().to_owned(),
                })
                .collect(),
            left_out: self.left_out.clone(),
        }
    }
}

/// Fields of one side only.
fn one_side(side: Side, fields: Vec<String>) -> BySide<Vec<String>> {
    let mut both = BySide::default();
    *both.get_mut(side) = fields;
    both
}
