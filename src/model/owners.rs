//! A workspace's own table of owners: who on HubSpot stands for whom on Salesforce.
//!
//! Only what every table must be; how owners are found by it is the mapping's.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Side;

/// A HubSpot owner and a Salesforce user or queue, each by e-mail address, id or name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerPair {
    pub hubspot: String,
    pub salesforce: String,
}

/// Pairs in the order in which they are looked through; each HubSpot owner stands in one of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnerTable(Vec<OwnerPair>);

/// Why pairs are no table. `place` counts from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OwnerTableFault {
    #[error(
        "a table of owners has up to {} pairs, this one has {found}",
        OwnerTable::MOST
    )]
    TooMany { found: usize },
    #[error(
        "pair {place} of the table of owners names nobody on {}: it takes an e-mail address, id \
         or name of 1 to {} characters, without control characters and `${{`",
        side.title(),
        OwnerTable::NAME_CHARS
    )]
    Name { place: usize, side: Side },
    #[error("pairs {first} and {place} of the table of owners are both about `{name}` of HubSpot")]
    Twice {
        first: usize,
        place: usize,
        name: String,
    },
}

impl OwnerTable {
    /// A rule takes these beside its own, and a mapping is read as a whole.
    pub const MOST: usize = 1_000;
    pub const NAME_CHARS: usize = 255;

    /// Takes the pairs without blanks around their names.
    ///
    /// # Errors
    /// The first fault of them.
    pub fn new(pairs: Vec<OwnerPair>) -> Result<Self, OwnerTableFault> {
        if pairs.len() > Self::MOST {
            return Err(OwnerTableFault::TooMany { found: pairs.len() });
        }
        let mut seen = BTreeMap::new();
        let mut table = Vec::with_capacity(pairs.len());
        for (index, pair) in pairs.into_iter().enumerate() {
            let place = index + 1;
            let named = |side, text: &str| {
                let name = text.trim();
                let good = is_name(name).then(|| name.to_owned());
                good.ok_or(OwnerTableFault::Name { place, side })
            };
            let hubspot = named(Side::HubSpot, &pair.hubspot)?;
            let salesforce = named(Side::Salesforce, &pair.salesforce)?;
            if let Some(first) = seen.insert(hubspot.to_lowercase(), place) {
                let name = hubspot;
                return Err(OwnerTableFault::Twice { first, place, name });
            }
            table.push(OwnerPair {
                hubspot,
                salesforce,
            });
        }
        Ok(Self(table))
    }

    pub fn pairs(&self) -> &[OwnerPair] {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The HubSpot owners that have a pair, in small letters.
    pub fn hubspot(&self) -> BTreeSet<String> {
        let names = self.0.iter().map(|pair| pair.hubspot.to_lowercase());
        names.collect()
    }
}

/// `${` begins a variable where mappings are kept.
fn is_name(name: &str) -> bool {
    (1..=OwnerTable::NAME_CHARS).contains(&name.chars().count())
        && !name.contains("${")
        && !name.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(pairs: &[(&str, &str)]) -> Result<OwnerTable, String> {
        let pairs = pairs.iter().map(|(hubspot, salesforce)| OwnerPair {
            hubspot: (*hubspot).to_owned(),
            salesforce: (*salesforce).to_owned(),
        });
        OwnerTable::new(pairs.collect()).map_err(|fault| fault.to_string())
    }

    #[test]
    fn pairs_keep_their_order_and_lose_blanks_around_names() {
        let table = table(&[(" zoe@example.com ", "Inside Sales"), ("12", "005\t")]).unwrap();
        let names: Vec<_> = table
            .pairs()
            .iter()
            .map(|one| one.hubspot.as_str())
            .collect();
        assert_eq!(names, ["zoe@example.com", "12"]);
        assert_eq!(table.pairs()[1].salesforce, "005");
    }

    #[test]
    fn what_is_no_table_is_refused_with_its_place() {
        let long = "x".repeat(256);
        for (pairs, told) in [
            (
                vec![("a@example.com", "b"), ("", "b")],
                "pair 2 of the table",
            ),
            (vec![("a@example.com", "  ")], "names nobody on Salesforce"),
            (vec![("a\u{7}", "b")], "names nobody on HubSpot"),
            (
                vec![("${vars.x}", "b")],
                "without control characters and `${`",
            ),
            (vec![(long.as_str(), "b")], "1 to 255 characters"),
            (
                vec![
                    ("Ann@example.com", "b"),
                    ("x", "b"),
                    ("ann@example.com ", "c"),
                ],
                "pairs 1 and 3 of the table of owners are both about `ann@example.com`",
            ),
        ] {
            let fault = table(&pairs).unwrap_err();
            assert!(fault.contains(told), "{pairs:?}: {fault}");
        }
    }

    #[test]
    fn a_table_has_a_thousand_pairs_at_most() {
        let pair = |index: usize| OwnerPair {
            hubspot: index.to_string(),
            salesforce: "x".to_owned(),
        };
        let pairs = |count| (0..count).map(pair).collect();
        assert!(OwnerTable::new(pairs(OwnerTable::MOST)).is_ok());
        let fault = OwnerTable::new(pairs(OwnerTable::MOST + 1)).unwrap_err();
        assert_eq!(fault, OwnerTableFault::TooMany { found: 1_001 });
    }
}
