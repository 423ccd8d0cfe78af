//! Compares every record with its base by value, associations and roles included, slowly.
//!
//! Events are hints and scans are the truth: what a scan finds, the events had missed, and that
//! count should be zero. After a mapping edit a scan also carries the changed rules everywhere.

use super::cursor::ScanCursor;
use super::{Pace, Produced, SCAN, SourceError, put_cursor, read_cursor};
use crate::crm::Crms;
use crate::model::{Cause, MappingName, Side};
use crate::pipeline::{Site, take};
use crate::store::Changes;

pub async fn step(
    site: &Site,
    crms: &Crms,
    leader: &MappingName,
    side: Side,
    pace: &Pace,
) -> Result<Produced, SourceError> {
    let text = site
        .store
        .cursor(&site.workspace, leader, side, SCAN)
        .await?;
    let mut cursor: ScanCursor = read_cursor(text);
    let fields = site.shared_fields(leader, side);
    let Some(bound) = site.mappings.get(leader) else {
        return Ok(Produced::nothing());
    };
    let after = cursor.after.as_deref();
    let mut page = match cursor.archived {
        false => crms.list(side, bound.object(side), &fields, after).await?,
        true => {
            crms.list_archived(bound.object(side), &fields, after)
                .await?
        }
    };
    let mut changes = Changes::default();
    let (mut seen, mut marked, mut missed) = (0, 0, 0);
    for bound in site.sharing(leader, side) {
        if !cursor.archived {
            crms.add_ties(side, bound.object(side), &bound.ties(), &mut page.records)
                .await?;
        }
        let taken = take(site, bound, side, &page.records, Cause::Scan, &mut changes).await?;
        seen = taken.seen;
        marked += taken.marked;
        missed += taken.linked;
    }
    cursor.seen += seen;
    cursor.missed += missed;
    cursor.after = page.next;
    let now = site.clock.now();
    // No poll of HubSpot shows what was archived, and Salesforce lists it with the rest.
    let archives = side == Side::HubSpot && !cursor.archived;
    let next = if cursor.after.is_some() || archives {
        cursor.archived |= cursor.after.is_none();
        now.plus_millis(pace.scan_chunk_millis)
    } else {
        cursor = ScanCursor {
            passes: cursor.passes + 1,
            missed_before: cursor.missed,
            ..ScanCursor::default()
        };
        now.plus_millis(pace.scan_millis)
    };
    changes
        .cursors
        .push(put_cursor(leader, side, SCAN, &cursor));
    Ok(Produced {
        changes,
        next: Some(next),
        seen,
        marked,
    })
}
