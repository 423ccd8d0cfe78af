//! Which options of two lists mean the same: those of one label, or of one value.

use std::collections::BTreeMap;

use super::known::plain;
use crate::model::{BySide, FieldKind, PickOption};

/// How two lists go together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lists {
    /// Every value is a value of the other side.
    Same,
    /// These values mean the same, HubSpot's first; the others have no counterpart.
    Partly {
        pairs: Vec<(PickOption, PickOption)>,
        without: BySide<Vec<String>>,
    },
    Apart,
}

/// The active options of a list.
pub(super) fn options(kind: &FieldKind) -> Option<Vec<&PickOption>> {
    let (FieldKind::Picklist { options, .. } | FieldKind::MultiPicklist { options, .. }) = kind
    else {
        return None;
    };
    Some(options.iter().filter(|option| option.active).collect())
}

pub(super) fn compare(hubspot: &[&PickOption], salesforce: &[&PickOption]) -> Lists {
    let is_there = |options: &[&PickOption], value: &str| options.iter().any(|o| o.value == value);
    let same = hubspot.iter().all(|o| is_there(salesforce, &o.value))
        && salesforce.iter().all(|o| is_there(hubspot, &o.value));
    if same {
        return Lists::Same;
    }
    // A value counts before a label.
    let mut theirs: BTreeMap<String, &PickOption> = BTreeMap::new();
    for option in salesforce {
        theirs.entry(plain(&option.label)).or_insert(option);
    }
    for option in salesforce {
        theirs.insert(plain(&option.value), option);
    }
    let mut pairs: Vec<(PickOption, PickOption)> = Vec::new();
    for option in hubspot {
        let found = [plain(&option.label), plain(&option.value)]
            .into_iter()
            .filter(|name| !name.is_empty())
            .find_map(|name| theirs.get(&name));
        // Each value of Salesforce's stands for one of HubSpot's.
        let free = |theirs: &PickOption| pairs.iter().all(|(_, held)| held.value != theirs.value);
        if let Some(theirs) = found.copied().filter(|theirs| free(theirs)) {
            pairs.push(((*option).clone(), theirs.clone()));
        }
    }
    if pairs.is_empty() {
        return Lists::Apart;
    }
    let lone = |all: &[&PickOption], met: Vec<&String>| -> Vec<String> {
        let lone = all.iter().filter(|option| !met.contains(&&option.value));
        lone.map(|option| option.value.clone()).collect()
    };
    let without = BySide::new(
        lone(hubspot, pairs.iter().map(|(one, _)| &one.value).collect()),
        lone(
            salesforce,
            pairs.iter().map(|(_, two)| &two.value).collect(),
        ),
    );
    Lists::Partly { pairs, without }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(value: &str, label: &str) -> PickOption {
        PickOption {
            value: value.to_owned(),
            label: label.to_owned(),
            active: true,
        }
    }

    #[test]
    fn options_meet_by_label_and_the_rest_is_named() {
        let ours = [
            option("NEW", "New"),
            option("X1", "Open deal"),
            option("Z", "Zed"),
        ];
        let theirs = [
            option("new", "New"),
            option("Open Deal", "Open Deal"),
            option("Q", "Q"),
        ];
        let refs = |all: &'static [PickOption]| all.iter().collect::<Vec<_>>();
        let (ours, theirs) = (Box::leak(Box::new(ours)), Box::leak(Box::new(theirs)));
        let Lists::Partly { pairs, without } = compare(&refs(ours), &refs(theirs)) else {
            panic!("they have something in common");
        };
        let pairs: Vec<(&str, &str)> = pairs
            .iter()
            .map(|(one, two)| (one.value.as_str(), two.value.as_str()))
            .collect();
        assert_eq!(pairs, [("NEW", "new"), ("X1", "Open Deal")]);
        assert_eq!(without.hubspot, ["Z"]);
        assert_eq!(without.salesforce, ["Q"]);
    }

    #[test]
    fn lists_of_one_set_of_values_need_no_table_and_strangers_have_none() {
        let (a, b, c) = (option("a", "A"), option("b", "B"), option("c", "C"));
        assert_eq!(compare(&[&a, &b], &[&b, &a]), Lists::Same);
        assert_eq!(compare(&[&a], &[&c]), Lists::Apart);
    }
}
