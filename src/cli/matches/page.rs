//! The inventory as one page to send: counts first, then a list for everything that stands out.

use crate::app::matches::{Found, Group, Groups, Report, percent};
use crate::inventory::{Fate, Listed};
use crate::model::{RecordId, Side};

use super::super::page::Page;
use super::words;

pub fn page(report: &Report) -> String {
    let accounts = &report.accounts;
    let intro = format!(
        "What HubSpot portal {} and Salesforce organization {} hold before the first write: who \
         pairs with whom, what is missing, doubled or would be refused. Made {} for workspace {}; \
         nothing was written.",
        accounts.hubspot, accounts.salesforce, report.made_at, report.workspace,
    );
    let mut page = Page::new("Match report", &intro);
    page.figures(&figures(report));
    let missing: Vec<Vec<String>> = report
        .missing
        .iter()
        .map(|line| vec![line.clone()])
        .collect();
    page.list(
        "What the CRMs lack",
        &["what, and what to do"],
        &missing,
        true,
    );
    for found in &report.found {
        block(found, &mut page);
    }
    page.end("Lists hold 500 rows at most; the counts are exact.")
}

fn figures(report: &Report) -> Vec<(&'static str, String, bool)> {
    let mut figures = Vec::new();
    let mut figure = |name, number: u64, look: bool| {
        figures.push((name, number.to_string(), look && number > 0));
    };
    let records = |side: Side| report.sum(|found| found.inventory.records(side));
    let created = |on: Side| report.sum(|found| found.inventory.fate(on.other(), Fate::Created));
    figure(
        "ambiguous groups",
        report.sum(|found| found.ambiguous.count),
        true,
    );
    figure(
        "keys shared by several records",
        report.sum(Found::doubles),
        true,
    );
    figure(
        "records that cannot go on",
        report.sum(Found::failures),
        true,
    );
    figure("values that would wait", report.sum(Found::held), true);
    figure(
        "values without a counterpart",
        report.sum(Found::unmapped),
        true,
    );
    figure("pairs", report.sum(|found| found.pairs), false);
    figure("created in HubSpot", created(Side::HubSpot), false);
    figure("created in Salesforce", created(Side::Salesforce), false);
    figure("HubSpot records, by mapping", records(Side::HubSpot), false);
    figure(
        "Salesforce records, by mapping",
        records(Side::Salesforce),
        false,
    );
    figures
}

fn block(found: &Found, page: &mut Page) {
    let name = &found.name;
    let sides = Side::BOTH.map(|side| found.inventory.records(side));
    let mut rows = vec![row3("records", sides)];
    for fate in Fate::ALL {
        let sides = Side::BOTH.map(|side| found.inventory.fate(side, fate));
        if sides != [0, 0] {
            rows.push(row3(words::fate(fate), sides));
        }
    }
    for (rule, pairs) in &found.paired_by {
        let rule = format!("paired by {}", found.matched_by(*rule));
        rows.push(row3(&rule, [*pairs, *pairs]));
    }
    let objects = &found.objects;
    let (hubspot, salesforce) = (&objects.hubspot, &objects.salesforce);
    let title = format!("{name}: HubSpot {hubspot}, Salesforce {salesforce}");
    page.list(&title, &["", "HubSpot", "Salesforce"], &rows, true);
    groups(
        page,
        &format!("{name}: ambiguous"),
        found,
        &found.ambiguous,
        true,
    );
    for side in Side::BOTH {
        let title = format!("{name}: duplicates in {}", side.title());
        groups(page, &title, found, found.doubles.get(side), true);
    }
    failures(found, page);
    holds(found, page);
    values(found, page);
    records(found, page);
    rules(found, page);
}

fn row3(name: &str, [hubspot, salesforce]: [u64; 2]) -> Vec<String> {
    vec![name.to_owned(), hubspot.to_string(), salesforce.to_string()]
}

/// A heading that says how many there are when not all are listed.
fn heading(title: &str, listed: usize, all: u64) -> String {
    match u64::try_from(listed) {
        Ok(listed) if listed < all => format!("{title}: {all} in all, the first"),
        _ => title.to_owned(),
    }
}

fn groups(page: &mut Page, title: &str, found: &Found, groups: &Groups, open: bool) {
    let row = |group: &Group| {
        let sides = Side::BOTH.map(|side| words::members(found, group, side));
        let [hubspot, salesforce] = sides;
        let rule = found.matched_by(Some(group.rule)).to_owned();
        vec![rule, hubspot, salesforce]
    };
    let rows: Vec<Vec<String>> = groups.listed.iter().map(row).collect();
    let title = heading(title, rows.len(), groups.count);
    page.list(&title, &["equal by", "HubSpot", "Salesforce"], &rows, open);
}

fn failures(found: &Found, page: &mut Page) {
    for (code, letters) in &found.letters {
        let rows = letters.listed.iter().map(|(side, id, message)| {
            let record = format!("{} {}", side.title(), found.named(*side, id));
            vec![record, message.clone()]
        });
        let rows: Vec<Vec<String>> = rows.collect();
        let title = format!("{}: {}", found.name, words::failure(code));
        let title = heading(&title, rows.len(), letters.count);
        page.list(&title, &["record", "why"], &rows, true);
    }
}

fn holds(found: &Found, page: &mut Page) {
    for ((rule, reason), holds) in &found.holds {
        let rows = holds.listed.iter().map(|(records, detail)| {
            let id = |side: Side| {
                let id: Option<&RecordId> = records.get(side).as_ref();
                id.map_or_else(String::new, |id| found.named(side, id))
            };
            vec![id(Side::HubSpot), id(Side::Salesforce), detail.clone()]
        });
        let rows: Vec<Vec<String>> = rows.collect();
        let title = format!("{}: {rule} {}", found.name, words::hold(*reason));
        let title = heading(&title, rows.len(), holds.count);
        page.list(
            &title,
            &["HubSpot", "Salesforce", "what is wrong"],
            &rows,
            false,
        );
    }
}

fn values(found: &Found, page: &mut Page) {
    for owner in [true, false] {
        let rows = words::without_counterpart(found, owner);
        let what = if owner { "owners" } else { "values" };
        let title = format!("{}: {what} without a counterpart", found.name);
        let headers = ["rule", "of", "value", "records", "what happens"];
        page.list(&title, &headers, &rows, true);
    }
}

fn records(found: &Found, page: &mut Page) {
    let mut list = |title: &str, listed: &Listed| {
        let rows = listed.examples.iter();
        let rows = rows.map(|example| vec![example.id.to_string(), example.title.clone()]);
        let rows: Vec<Vec<String>> = rows.collect();
        let title = heading(title, rows.len(), listed.count);
        page.list(&title, &["record", "which is"], &rows, false);
    };
    let name = &found.name;
    for side in Side::BOTH {
        let on = side.other();
        for (fate, listed) in found.inventory.fates.get(side) {
            let title = match fate {
                Fate::Created => {
                    let (there, why) = (on.title(), found.creates.get(on));
                    format!("{name}: would be created in {there}: {why}")
                }
                Fate::Outside | Fate::Alone(_) => {
                    format!(
                        "{name}: records of {}, {}",
                        side.title(),
                        words::fate(*fate)
                    )
                }
                Fate::Paired | Fate::Elsewhere | Fate::Person | Fate::Waiting => continue,
            };
            list(&title, listed);
        }
    }
    let rows = found.paired.iter().map(|pair| {
        let [hubspot, salesforce] =
            Side::BOTH.map(|side| found.named(side, pair.records.get(side)));
        vec![hubspot, salesforce, found.matched_by(pair.rule).to_owned()]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    let title = heading(&format!("{name}: pairs"), rows.len(), found.pairs);
    page.list(&title, &["HubSpot", "Salesforce", "equal by"], &rows, false);
}

fn rules(found: &Found, page: &mut Page) {
    let rows = found.rules.iter().map(|rule| {
        let fill = found.inventory.fills.get(rule).copied().unwrap_or_default();
        let share = |side: Side| {
            let fill = fill.get(side);
            let share = percent(fill.filled, fill.of);
            share.map_or_else(|| "-".to_owned(), |share| format!("{share} %"))
        };
        let pairs = found.filled.get(rule).copied().unwrap_or_default();
        let agree = percent(pairs.same, pairs.both);
        vec![
            rule.clone(),
            share(Side::HubSpot),
            share(Side::Salesforce),
            agree.map_or_else(|| "-".to_owned(), |share| format!("{share} %")),
            pairs.same.to_string(),
            (pairs.both - pairs.same).to_string(),
            pairs.alone.hubspot.to_string(),
            pairs.alone.salesforce.to_string(),
        ]
    });
    let headers = [
        "rule",
        "filled in HubSpot",
        "filled in Salesforce",
        "pairs that agree",
        "equal",
        "differ",
        "only in HubSpot",
        "only in Salesforce",
    ];
    let title = format!(
        "{}: how full the fields are, and how far pairs agree",
        found.name
    );
    page.list(&title, &headers, &rows.collect::<Vec<_>>(), true);
}
