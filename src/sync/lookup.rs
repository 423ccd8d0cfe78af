//! One more look at Salesforce before a record is created there.
//!
//! The table of match keys knows what was read, and a record that somebody added a minute ago was
//! not. SOQL is consistent, so one query per match rule tells; HubSpot's search is not, and there
//! the unique e-mail address refuses a double (correctness.md 7).

use std::collections::BTreeSet;

use super::desk::Desk;
use super::load::ReadError;
use super::matching::by_rules;
use super::unit::{Batch, Unit};
use crate::crm::ErrorKind;
use crate::mapping::{Bound, MatchRule};
use crate::model::{Raw, Record, Side};
use crate::pipeline::keys_of;
use crate::store::Changes;

const ON: Side = Side::Salesforce;

/// Reads what matches the records that are about to be copied to Salesforce, and matches again.
pub async fn before_creating(
    desk: &mut Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
) -> Result<(), ReadError> {
    let mut changes = Changes::default();
    for rule in bound
        .mapping()
        .matches
        .iter()
        .filter(|rule| rule.salesforce != "Id")
    {
        let values = values_of(bound, batch, rule);
        if values.is_empty() {
            continue;
        }
        let known = batch.ahead.take_found(&rule.salesforce, &values);
        let records = match known {
            Some(records) => records,
            None => found(desk, bound, rule, &values).await?,
        };
        for record in records {
            changes.match_keys.push(keys_of(bound, ON, &record));
        }
    }
    if changes.match_keys.is_empty() {
        return Ok(());
    }
    desk.lane.commit(changes).await?;
    Ok(by_rules(desk, bound, batch, ON.other()).await?)
}

async fn found(
    desk: &mut Desk<'_>,
    bound: &Bound,
    rule: &MatchRule,
    values: &[String],
) -> Result<Vec<Record>, ReadError> {
    desk.lane.keep().await?;
    let object = bound.object(ON);
    let read = desk
        .crms
        .find(ON, object, &rule.salesforce, values, bound.read_fields(ON))
        .await;
    match read {
        Ok(records) => Ok(records),
        // Not every field can be asked by; the table of match keys has to do for those.
        Err(error) if matches!(error.kind, ErrorKind::Rejected | ErrorKind::BadRequest) => {
            tracing::warn!(%error, field = rule.salesforce, "cannot be looked up by this field");
            Ok(Vec::new())
        }
        Err(error) => Err(error.into()),
    }
}

fn values_of(bound: &Bound, batch: &Batch, rule: &MatchRule) -> Vec<String> {
    let values: BTreeSet<String> = batch
        .units
        .iter()
        .filter(|unit| to_be_created(bound, unit))
        .filter_map(|unit| {
            unit.fields(ON.other())?
                .get(&rule.hubspot)
                .and_then(Raw::as_text)
        })
        .map(str::to_owned)
        .collect();
    values.into_iter().collect()
}

fn to_be_created(bound: &Bound, unit: &Unit) -> bool {
    let source = ON.other();
    unit.open()
        && unit.link.is_none()
        && unit.source() == source
        && bound.mapping().direction.allows(ON)
        && unit
            .fields(source)
            .is_some_and(|fields| bound.may_create(ON, fields).unwrap_or(false))
}
