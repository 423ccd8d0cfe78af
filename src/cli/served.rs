//! Plans, inventories and looks at a record that a running service makes for a workspace: asked
//! for, waited for, and shown as those that are made here.

use std::path::Path;

use serde_json::{Value, json};

use crate::app::PlanFile;

use super::at::There;
use super::output::{Advice, Outcome, Output};
use super::plan_report::PlanReport;
use super::service::{applied, ended, segment, taken_in};

/// A plan as the service knows it.
pub struct Planned {
    pub id: String,
    pub report: PlanReport,
    /// What the service tells of it beside the rows.
    pub found: Value,
}

/// Has a plan made, and waits for it.
pub async fn plan(there: &There, rest: &str, wish: Value) -> anyhow::Result<Planned> {
    let asked = there.post(rest, wish).await?;
    let id = asked["id"].as_str().unwrap_or_default().to_owned();
    let mut done = ended(there.door(), &there.path(&format!("plans/{id}"))).await?;
    let file: Value = there.get(&format!("plans/{id}/file"), &[]).await?;
    let file = PlanFile::parse(&file.to_string()).map_err(|error| {
        let what = format!("the service's plan cannot be read: {error}");
        Advice::new(what, "use the same version as the service")
    })?;
    let found = done["found"].take();
    Ok(Planned {
        id,
        report: PlanReport::told(file, &found),
        found,
    })
}

/// Has a plan carried out, and waits for the end.
pub async fn apply(
    there: &There,
    plan: &str,
    canary: Option<u32>,
    output: &Output,
) -> anyhow::Result<Outcome> {
    let rest = format!("plans/{}", segment(plan));
    let body = json!({"canary": canary});
    there.post(&format!("{rest}/apply"), body).await?;
    let done = ended(there.door(), &there.path(&rest)).await?;
    Ok(applied(&done, output))
}

/// As [`apply`], of a plan in a file.
pub async fn apply_file(
    there: &There,
    file: &Path,
    canary: Option<u32>,
    output: &Output,
) -> anyhow::Result<Outcome> {
    let plan = taken_in(there.door(), &there.path("plans"), file).await?;
    apply(there, &plan, canary, output).await
}

/// Has an inventory taken, and waits for it.
pub async fn inventory(there: &There, mapping: Option<&str>) -> anyhow::Result<Value> {
    there.post("match", json!({"mapping": mapping})).await?;
    let mut done = ended(there.door(), &there.path("match")).await?;
    Ok(done["inventory"].take())
}

/// Has both records of a pair read and the next run played for them, and waits for it.
pub async fn explained(there: &There, asked: Value) -> anyhow::Result<Value> {
    let asked = there.post("explain", asked).await?;
    let id = asked["id"].as_str().unwrap_or_default();
    let mut done = ended(there.door(), &there.path(&format!("explain/{id}"))).await?;
    Ok(done["answer"].take())
}
