//! The faults of a demo: switched on once the engine runs, counted when it is judged.

use std::collections::{BTreeMap, BTreeSet};

use crate::sim::faults::FaultPlan;

use super::super::sim::Simulators;

/// What was switched on, in both simulators.
pub struct Trouble<'a> {
    plan: &'a FaultPlan,
    simulators: &'a Simulators,
}

/// The faults that struck, of both sides together.
#[derive(Clone, Debug, Default)]
pub struct Met {
    pub by_family: BTreeMap<&'static str, u64>,
    pub by_fault: BTreeMap<&'static str, u64>,
    /// Ids of records that met a fault which a person may have to look at. A record that was being
    /// made is known by the one it is made from.
    pub records: BTreeSet<String>,
}

impl Met {
    pub fn total(&self) -> u64 {
        self.by_family.values().sum()
    }
}

impl<'a> Trouble<'a> {
    pub fn new(plan: &'a FaultPlan, simulators: &'a Simulators) -> Self {
        Self { plan, simulators }
    }

    pub fn begin(&self) {
        self.simulators.switch_on(self.plan);
    }

    pub fn is_on(&self) -> bool {
        !self.plan.faults.is_empty()
    }

    /// Whether the simulators still have something up their sleeve.
    pub fn is_pending(&self) -> bool {
        let hubspot = self.simulators.hubspot.fault_counts().pending;
        hubspot + self.simulators.salesforce.fault_counts().pending > 0
    }

    pub fn met(&self) -> Met {
        let mut met = Met::default();
        let hubspot = self.simulators.hubspot.fault_counts();
        for counts in [hubspot, self.simulators.salesforce.fault_counts()] {
            for (family, count) in counts.by_family {
                *met.by_family.entry(family).or_default() += count;
            }
            for (fault, count) in counts.by_fault {
                *met.by_fault.entry(fault).or_default() += count;
            }
            let ids = counts.records.into_iter();
            // A key ends with the id of the record that it was made from.
            met.records
                .extend(ids.filter_map(|(_, id)| id.rsplit(':').next().map(str::to_owned)));
        }
        met
    }
}
