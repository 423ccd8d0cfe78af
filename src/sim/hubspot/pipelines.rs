//! The pipelines of the portal and their stages (`hubspot.md 8.2`).
//!
//! Fixed data and look-ups in it; pipelines cannot be edited in the simulator.

use serde_json::{Value as Json, json};

use super::kind::ObjectKind;

pub(super) struct Pipeline {
    pub id: &'static str,
    pub label: &'static str,
    pub stages: &'static [Stage],
}

pub(super) struct Stage {
    pub id: &'static str,
    pub label: &'static str,
    /// Deals: the probability as text. Tickets: `OPEN` or `CLOSED`.
    pub measure: &'static str,
}

const fn stage(id: &'static str, label: &'static str, measure: &'static str) -> Stage {
    Stage { id, label, measure }
}

const SALES: [Stage; 7] = [
    stage("appointmentscheduled", "Appointment Scheduled", "0.2"),
    stage("qualifiedtobuy", "Qualified To Buy", "0.4"),
    stage("presentationscheduled", "Presentation Scheduled", "0.6"),
    stage("decisionmakerboughtin", "Decision Maker Bought-In", "0.8"),
    stage("contractsent", "Contract Sent", "0.9"),
    stage("closedwon", "Closed Won", "1.0"),
    stage("closedlost", "Closed Lost", "0.0"),
];

const RENEWALS: [Stage; 4] = [
    stage("214587501", "Renewal Due", "0.5"),
    stage("214587502", "In Negotiation", "0.7"),
    stage("214587503", "Renewed", "1.0"),
    stage("214587504", "Churned", "0.0"),
];

const SUPPORT: [Stage; 4] = [
    stage("1", "New", "OPEN"),
    stage("2", "Waiting on contact", "OPEN"),
    stage("3", "Waiting on us", "OPEN"),
    stage("4", "Closed", "CLOSED"),
];

const DEALS: [Pipeline; 2] = [
    Pipeline {
        id: "default",
        label: "Sales Pipeline",
        stages: &SALES,
    },
    Pipeline {
        id: "8423117",
        label: "Renewals",
        stages: &RENEWALS,
    },
];

const TICKETS: [Pipeline; 1] = [Pipeline {
    id: "0",
    label: "Support Pipeline",
    stages: &SUPPORT,
}];

pub(super) fn of(kind: ObjectKind) -> &'static [Pipeline] {
    match kind {
        ObjectKind::Deal => &DEALS,
        ObjectKind::Ticket => &TICKETS,
        ObjectKind::Contact | ObjectKind::Company | ObjectKind::Subscription => &[],
    }
}

/// The names of the pipeline and the stage property of an object that has pipelines.
pub(super) fn properties_of(kind: ObjectKind) -> Option<(&'static str, &'static str)> {
    match kind {
        ObjectKind::Deal => Some(("pipeline", "dealstage")),
        ObjectKind::Ticket => Some(("hs_pipeline", "hs_pipeline_stage")),
        ObjectKind::Contact | ObjectKind::Company | ObjectKind::Subscription => None,
    }
}

pub(super) fn pipeline_options(kind: ObjectKind) -> Vec<(&'static str, &'static str)> {
    of(kind).iter().map(|p| (p.id, p.label)).collect()
}

pub(super) fn stage_options(kind: ObjectKind) -> Vec<(&'static str, &'static str)> {
    of(kind)
        .iter()
        .flat_map(|p| p.stages)
        .map(|s| (s.id, s.label))
        .collect()
}

/// The pipeline a stage belongs to; stage ids are unique within an account.
pub(super) fn of_stage(kind: ObjectKind, stage: &str) -> Option<(&'static str, &'static Stage)> {
    of(kind)
        .iter()
        .flat_map(|p| p.stages.iter().map(move |s| (p.id, s)))
        .find(|(_, s)| s.id == stage)
}

const MADE: &str = "2024-03-05T09:00:00Z";

impl Pipeline {
    pub fn to_json(&self, kind: ObjectKind) -> Json {
        let order = of(kind).iter().position(|p| p.id == self.id);
        json!({"id": self.id, "label": self.label, "displayOrder": order.unwrap_or(0),
            "archived": false, "createdAt": MADE, "updatedAt": MADE,
            "stages": self.stages_json(kind)})
    }

    pub fn stages_json(&self, kind: ObjectKind) -> Vec<Json> {
        self.stages
            .iter()
            .enumerate()
            .map(|(order, stage)| {
                let metadata = match kind {
                    ObjectKind::Ticket => json!({"ticketState": stage.measure}),
                    ObjectKind::Contact
                    | ObjectKind::Company
                    | ObjectKind::Deal
                    | ObjectKind::Subscription => {
                        let closed = stage.is_closed().to_string();
                        json!({"probability": stage.measure, "isClosed": closed})
                    }
                };
                json!({"id": stage.id, "label": stage.label, "displayOrder": order,
                    "metadata": metadata, "archived": false, "createdAt": MADE,
                    "updatedAt": MADE, "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT"})
            })
            .collect()
    }
}

impl Stage {
    pub fn is_closed(&self) -> bool {
        matches!(self.measure, "1.0" | "0.0" | "CLOSED")
    }

    pub fn is_won(&self) -> bool {
        self.measure == "1.0"
    }
}
