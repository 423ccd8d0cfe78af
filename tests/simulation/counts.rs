//! How often each kind of event occurred, so that one sees that it did.

use std::collections::BTreeMap;

#[derive(Clone, Debug, Default)]
pub struct Counts(BTreeMap<&'static str, u64>);

impl Counts {
    pub fn add(&mut self, what: &'static str, number: u64) {
        if number > 0 {
            *self.0.entry(what).or_default() += number;
        }
    }

    pub fn of(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }

    pub fn join(&mut self, other: &Self) {
        for (what, number) in &other.0 {
            *self.0.entry(what).or_default() += number;
        }
    }

    pub fn line(&self) -> String {
        let parts: Vec<String> = self
            .0
            .iter()
            .map(|(what, number)| format!("{what} {number}"))
            .collect();
        parts.join(", ")
    }
}
