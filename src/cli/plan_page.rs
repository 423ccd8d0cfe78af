//! A plan as a page to look at or to send.

use crate::app::named;
use crate::model::{IntentKind, PlannedWrite, Side};

use super::page::Page;
use super::plan_report::{PlanReport, doing, rule_of, shown_percent, values};

const HEADERS: [&str; 7] = [
    "to",
    "record",
    "field rule",
    "now",
    "would be",
    "why",
    "owner",
];

pub fn page(report: &PlanReport) -> String {
    let file = &report.file;
    let intro = format!(
        "What would be written to HubSpot portal {} and Salesforce organization {}. Made {} for \
         workspace {}; nothing was written.",
        file.accounts.hubspot, file.accounts.salesforce, file.made_at, file.workspace,
    );
    let mut page = Page::new("Plan", &intro);
    page.figures(&figures(report));
    let rows = |pick: &dyn Fn(&PlannedWrite) -> bool| -> Vec<Vec<String>> {
        let writes = report.writes().filter(|write| pick(write));
        writes.map(row).collect()
    };
    let gone = |write: &PlannedWrite| write.kind == IntentKind::Archive;
    page.list(
        "Records that would be deleted",
        &HEADERS,
        &rows(&gone),
        true,
    );
    let blanks = rows(&PlannedWrite::blanks);
    page.list("Values that would be emptied", &HEADERS, &blanks, true);
    let totals: Vec<Vec<String>> = report
        .file
        .totals()
        .into_iter()
        .map(|((mapping, side, kind), count)| {
            let side = side.title().to_owned();
            vec![mapping, side, doing(kind).to_owned(), count.to_string()]
        })
        .collect();
    let headers = ["mapping", "to", "records are", "count"];
    page.list("Records by mapping", &headers, &totals, true);
    let owners: Vec<Vec<String>> = report
        .owners()
        .into_iter()
        .map(|(owner, count)| vec![owner, count.to_string()])
        .collect();
    page.list("Records by owner", &["owner", "records"], &owners, false);
    for mapping in file.mappings.keys() {
        for kind in [IntentKind::Create, IntentKind::Update] {
            let title = match kind {
                IntentKind::Create => format!("{mapping}: new records"),
                IntentKind::Update | IntentKind::Associate | IntentKind::Archive => {
                    format!("{mapping}: changed values")
                }
            };
            let of = |write: &PlannedWrite| write.mapping == *mapping && write.kind == kind;
            page.list(&title, &HEADERS, &rows(&of), false);
        }
    }
    page.end(&format!("Digest of the plan: {}", file.digest()))
}

fn figures(report: &PlanReport) -> Vec<(&'static str, String, bool)> {
    let count = |kind: IntentKind| -> u64 {
        let totals = report.file.totals().into_iter();
        let of_kind = totals.filter(|((_, _, of), _)| *of == kind);
        of_kind.map(|(_, count)| count).sum()
    };
    let (deletes, blanks) = (report.file.deletes(), report.file.blanks());
    let calls = |side: Side| {
        let share = report.daily_percent(side);
        let share = share.map_or_else(String::new, |percent| {
            format!(" ({})", shown_percent(percent))
        });
        format!("{}{share}", report.file.calls.get(side))
    };
    vec![
        ("records deleted", deletes.to_string(), deletes > 0),
        ("values emptied", blanks.to_string(), blanks > 0),
        (
            "records created",
            count(IntentKind::Create).to_string(),
            false,
        ),
        (
            "records updated",
            count(IntentKind::Update).to_string(),
            false,
        ),
        ("pairs linked", report.links.to_string(), false),
        ("records that wait", report.waiting.to_string(), false),
        ("HubSpot calls (of a day)", calls(Side::HubSpot), false),
        (
            "Salesforce calls (of a day)",
            calls(Side::Salesforce),
            false,
        ),
        ("seconds, about", report.seconds().to_string(), false),
    ]
}

fn row(write: &PlannedWrite) -> Vec<String> {
    vec![
        write.side.title().to_owned(),
        named(write),
        rule_of(write),
        values(&write.before, &write.after),
        values(&write.after, &write.after),
        write.reason.clone(),
        write.owner.clone().unwrap_or_default(),
    ]
}
