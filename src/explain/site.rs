//! Which mappings a question is about, and which of their rules.
//!
//! Pure.

use super::question::Refusal;
use crate::mapping::{Mapping, Rule};
use crate::model::{MappingName, Revision, Side};

/// A word this unlike is no slip of the finger.
const CLOSE: f64 = 0.7;

/// One mapping as the store knows it.
#[derive(Clone, Debug)]
pub struct Known {
    pub name: MappingName,
    /// The last run used it; otherwise nothing of it is synced.
    pub active: bool,
    pub revision: Revision,
    /// `None` when this version cannot read what an earlier one stored.
    pub mapping: Option<Mapping>,
}

impl Known {
    fn words(&self) -> Vec<&str> {
        let mut words = vec![self.name.as_str()];
        if let Some(mapping) = &self.mapping {
            words.extend(Side::BOTH.map(|side| mapping.objects.get(side).as_str()));
        }
        words
    }

    fn group(&self) -> Option<&str> {
        self.mapping.as_ref()?.group.as_deref()
    }
}

/// The mappings that `object` may mean, then their peers: a HubSpot contact that was asked for as
/// a Contact may be paired with a Lead.
pub fn searched(mappings: &[Known], object: &str) -> Result<Vec<MappingName>, Refusal> {
    if mappings.is_empty() {
        return Err(Refusal::Empty);
    }
    let meant = |known: &&Known| {
        let mut words = known.words().into_iter();
        words.any(|word| word.eq_ignore_ascii_case(object))
    };
    let direct: Vec<&Known> = mappings.iter().filter(meant).collect();
    if direct.is_empty() {
        return Err(unknown(mappings, object));
    }
    let peer = |known: &&Known| {
        let group = known.group();
        group.is_some() && direct.iter().any(|other| other.group() == group)
    };
    let mut names: Vec<MappingName> = direct.iter().map(|known| known.name.clone()).collect();
    for known in mappings.iter().filter(peer) {
        if !names.contains(&known.name) {
            names.push(known.name.clone());
        }
    }
    Ok(names)
}

fn unknown(mappings: &[Known], object: &str) -> Refusal {
    let mut known: Vec<String> = Vec::new();
    for word in mappings.iter().flat_map(Known::words) {
        if !known.iter().any(|seen| seen == word) {
            known.push(word.to_owned());
        }
    }
    let close = closest(object, known.iter().map(String::as_str));
    Refusal::UnknownObject {
        object: object.chars().take(40).collect(),
        known,
        close,
    }
}

/// The known word that was probably meant.
pub fn closest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let short: String = word.chars().take(100).collect();
    let wanted = short.to_lowercase();
    known
        .map(|word| {
            (
                strsim::normalized_damerau_levenshtein(&wanted, &word.to_lowercase()),
                word,
            )
        })
        .filter(|(likeness, _)| *likeness >= CLOSE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, word)| word.to_owned())
}

/// The rules a word names: by name, else by a field they write, else by a field they read.
pub fn rules_named<'a>(mapping: &'a Mapping, word: &str) -> Vec<&'a Rule> {
    let is = |name: &String| name.eq_ignore_ascii_case(word);
    let by = |pick: &dyn Fn(&Rule) -> bool| -> Vec<&'a Rule> {
        mapping.rules.iter().filter(|rule| pick(rule)).collect()
    };
    let writes = |rule: &Rule| {
        Side::BOTH
            .into_iter()
            .any(|s| rule.writes(s).iter().any(is))
    };
    let reads = |rule: &Rule| {
        Side::BOTH
            .into_iter()
            .any(|s| rule.sides.get(s).iter().any(is))
    };
    [by(&|rule| is(&rule.name)), by(&writes), by(&reads)]
        .into_iter()
        .find(|found| !found.is_empty())
        .unwrap_or_default()
}

/// The field of the mapping that was probably meant.
pub fn close_field(mapping: &Mapping, word: &str) -> Option<String> {
    let names = mapping.rules.iter().flat_map(|rule| {
        let fields = Side::BOTH.into_iter().flat_map(|side| rule.writes(side));
        fields.chain([&rule.name]).map(String::as_str)
    });
    closest(word, names)
}
