//! The inventory for people: a block for each mapping, counts first, then what to look at.

use std::fmt::{Arguments, Write as _};

use crate::app::matches::{Found, Group, Report, asks, percent};
use crate::inventory::{Fate, LISTED};
use crate::model::{BySide, Side};

use super::super::output::{printable, table};
use super::words;

/// Rows of a list.
const SHOWN: usize = 10;
/// Examples of values that would wait.
const EXAMPLES: usize = 3;

/// Text that grows by lines.
struct Text(String);

impl Text {
    fn line(&mut self, words: Arguments<'_>) {
        // Writing to a string cannot fail.
        writeln!(self.0, "{words}").unwrap_or_default();
    }

    /// A list with its heading, and how much more there is of it.
    fn list(&mut self, heading: Arguments<'_>, headers: &[&str], rows: Vec<Vec<String>>, all: u64) {
        if all == 0 {
            return;
        }
        self.line(format_args!("\n {heading}"));
        let shown: Vec<Vec<String>> = rows.into_iter().take(SHOWN).collect();
        let listed = shown.len();
        if listed > 0 {
            self.0.push_str(&table(headers, shown));
        }
        self.more(all, listed);
    }

    /// What a list of `listed` rows does not show.
    fn more(&mut self, all: u64, listed: usize) {
        let more = all.saturating_sub(listed.min(SHOWN) as u64);
        if more > 0 {
            self.line(format_args!(
                "   and {more} more; --json and --html list up to {LISTED}"
            ));
        }
    }
}

pub fn text(report: &Report) -> String {
    let mut text = Text(String::new());
    head(report, &mut text);
    for found in &report.found {
        text.line(format_args!(""));
        block(found, &mut text);
    }
    text.line(format_args!("\nNothing was written."));
    text.0
}

fn head(report: &Report, text: &mut Text) {
    let pairs = words::count(report.sum(|found| found.pairs), "pair", "pairs");
    let created = |found: &Found| -> u64 {
        let sides = Side::BOTH.map(|side| found.inventory.fate(side, Fate::Created));
        sides.iter().sum()
    };
    let created = words::count(report.sum(created), "record", "records");
    text.line(format_args!("{pairs}, {created} would be created."));
    let mut needs: Vec<String> = Vec::new();
    let mut need = |number: u64, one: &str, many: &str| {
        if number > 0 {
            let what = if number == 1 { one } else { many };
            needs.push(format!("{number:>6} {what}"));
        }
    };
    need(
        report.sum(|found| found.ambiguous.count),
        "ambiguous group",
        "ambiguous groups",
    );
    need(
        report.sum(Found::doubles),
        "key that several records share",
        "keys that several records share",
    );
    need(
        report.sum(Found::failures),
        "record that cannot go on",
        "records that cannot go on",
    );
    need(
        report.sum(Found::held),
        "value that would wait",
        "values that would wait",
    );
    need(
        report.sum(Found::unmapped),
        "value without a counterpart",
        "values without a counterpart",
    );
    let lacking = report.missing.len() as u64;
    need(lacking, "thing a CRM lacks", "things the CRMs lack");
    if needs.is_empty() {
        text.line(format_args!("Nothing needs a person."));
    } else {
        text.line(format_args!("A person should look at"));
        for need in needs {
            text.line(format_args!("{need}"));
        }
    }
    for line in &report.missing {
        text.line(format_args!("  missing: {line}"));
    }
}

fn block(found: &Found, text: &mut Text) {
    let BySide {
        hubspot,
        salesforce,
    } = &found.objects;
    let title = format!("{}: HubSpot {hubspot}, Salesforce {salesforce}", found.name);
    let title = console::style(title).bold();
    text.line(format_args!("{title}"));
    counts(found, text);
    pairs(found, text);
    groups(found, text);
    failures(found, text);
    holds(found, text);
    values(found, text);
    creates(found, text);
    records(found, text);
    rules(found, text);
}

/// What becomes of the records of both sides; the lines add up to the first.
fn counts(found: &Found, text: &mut Text) {
    let mut row = |name: &str, hubspot: &str, salesforce: &str| {
        text.line(format_args!(" {name:<46}{hubspot:>12}{salesforce:>12}"));
    };
    row("", Side::HubSpot.title(), Side::Salesforce.title());
    let inventory = &found.inventory;
    let all = Side::BOTH.map(|side| inventory.records(side).to_string());
    row("records", &all[0], &all[1]);
    for fate in Fate::ALL {
        let [hubspot, salesforce] = Side::BOTH.map(|side| inventory.fate(side, fate));
        if hubspot + salesforce > 0 {
            let (hubspot, salesforce) = (hubspot.to_string(), salesforce.to_string());
            row(&format!("  {}", words::fate(fate)), &hubspot, &salesforce);
        }
    }
}

fn pairs(found: &Found, text: &mut Text) {
    if found.pairs == 0 {
        return;
    }
    text.line(format_args!("\n Paired by"));
    for (rule, pairs) in &found.paired_by {
        let rule = found.matched_by(*rule);
        text.line(format_args!("   {rule:<44}{pairs:>12}"));
    }
}

fn groups(found: &Found, text: &mut Text) {
    let count = found.ambiguous.count;
    if count > 0 {
        let groups = words::count(count, "ambiguous group", "ambiguous groups");
        let todo = "which belong together is for a person to say";
        text.line(format_args!("\n {groups}: {todo}"));
        let listed: Vec<&Group> = found.ambiguous.listed.iter().collect();
        members(found, &listed, count, text);
    }
    for side in Side::BOTH {
        let doubles = found.doubles.get(side);
        if doubles.count == 0 {
            continue;
        }
        let (told, others): (Vec<&Group>, Vec<&Group>) = doubles
            .listed
            .iter()
            .partition(|group| found.is_ambiguous(group));
        let above = match told.len() {
            0 => String::new(),
            told => format!(" ({told} named above, as ambiguous)"),
        };
        let keys = words::count(doubles.count, "key", "keys");
        let (title, records) = (side.title(), doubles.records);
        text.line(format_args!(
            "\n Duplicates in {title}: {records} records share {keys}{above}"
        ));
        let rest = doubles.count.saturating_sub(told.len() as u64);
        members(found, &others, rest, text);
    }
}

/// Each group in lines of its own: what its records are equal by, then who they are.
fn members(found: &Found, groups: &[&Group], all: u64, text: &mut Text) {
    for group in groups.iter().take(SHOWN) {
        text.line(format_args!("   {}", found.matched_by(Some(group.rule))));
        for side in Side::BOTH {
            let names = words::members(found, group, side);
            let mut title = side.title();
            for name in names.lines() {
                text.line(format_args!("     {title:<12}{}", printable(name)));
                title = "";
            }
        }
    }
    text.more(all, groups.len());
}

fn failures(found: &Found, text: &mut Text) {
    for (code, letters) in &found.letters {
        let records = words::count(letters.count, "record", "records");
        text.line(format_args!("\n {records} {}", words::failure(code)));
        for (side, id, message) in letters.listed.iter().take(SHOWN) {
            let record = found.named(*side, id);
            text.line(format_args!("   {} {}", side.title(), printable(&record)));
            text.line(format_args!("     {}", printable(message)));
        }
        text.more(letters.count, letters.listed.len());
    }
}

fn holds(found: &Found, text: &mut Text) {
    if found.held() > 0 {
        let values = words::count(found.held(), "value", "values");
        text.line(format_args!(
            "\n {values} would wait while the rest of the record goes on"
        ));
    }
    for ((rule, reason), holds) in &found.holds {
        if !asks(*reason) {
            continue;
        }
        let (count, why) = (holds.count, words::hold(*reason));
        text.line(format_args!("   {rule}: {count}, {why}"));
        for (records, detail) in holds.listed.iter().take(EXAMPLES) {
            let record = words::pair(found, records);
            text.line(format_args!("     {}", printable(&record)));
            text.line(format_args!("       {}", printable(detail)));
        }
        let more = count.saturating_sub(EXAMPLES as u64);
        if more > 0 {
            text.line(format_args!(
                "     and {more} more; --json and --html list up to {LISTED}"
            ));
        }
    }
    if found.following() > 0 {
        let references = words::count(found.following(), "reference", "references");
        let follow = "follow by themselves once the other records are paired";
        text.line(format_args!("\n {references} {follow}."));
    }
}

fn values(found: &Found, text: &mut Text) {
    for owner in [true, false] {
        let rows = words::without_counterpart(found, owner);
        let (count, what) = (rows.len() as u64, if owner { "Owners" } else { "Values" });
        let heading = format_args!("{what} without a counterpart on the other side");
        let value = if owner { "owner" } else { "value" };
        let headers = ["rule", "of", value, "records", "what happens"];
        text.list(heading, &headers, rows, count);
    }
}

fn creates(found: &Found, text: &mut Text) {
    for on in Side::BOTH {
        let Some(listed) = found.inventory.fates.get(on.other()).get(&Fate::Created) else {
            continue;
        };
        let rows = listed.examples.iter().take(SHOWN);
        let rows = rows.map(|example| vec![example.id.to_string(), example.title.clone()]);
        let records = words::count(listed.count, "record", "records");
        let (title, why) = (on.title(), found.creates.get(on));
        let heading = format_args!("{records} would be created in {title}: {why}");
        let from = format!("from {}", on.other().title());
        let headers = [from.as_str(), "which is"];
        text.list(heading, &headers, rows.collect(), listed.count);
    }
}

/// Records that `only` leaves out.
fn records(found: &Found, text: &mut Text) {
    for side in Side::BOTH {
        let Some(listed) = found.inventory.fates.get(side).get(&Fate::Outside) else {
            continue;
        };
        let rows = listed.examples.iter().take(SHOWN);
        let rows = rows.map(|example| vec![example.id.to_string(), example.title.clone()]);
        let records = words::count(listed.count, "record", "records");
        let heading = format_args!("{records} of {} outside the filter", side.title());
        text.list(
            heading,
            &["record", "which is"],
            rows.collect(),
            listed.count,
        );
    }
}

/// How full the fields are, and how far the pairs agree already.
fn rules(found: &Found, text: &mut Text) {
    text.line(format_args!(
        "\n {:<24}{:>22}   {:>46}",
        "", "filled", "pairs, by what they hold"
    ));
    text.line(format_args!(
        " {:<24}{:>10}{:>12}   {:>7}{:>8}{:>14}{:>17}",
        "rule", "HubSpot", "Salesforce", "equal", "differ", "only HubSpot", "only Salesforce"
    ));
    for rule in &found.rules {
        let fill = found.inventory.fills.get(rule).copied().unwrap_or_default();
        let [hubspot, salesforce] = Side::BOTH.map(|side| {
            let fill = fill.get(side);
            let share = percent(fill.filled, fill.of);
            share.map_or_else(|| "-".to_owned(), |share| format!("{share} %"))
        });
        let pairs = found.filled.get(rule).copied().unwrap_or_default();
        text.line(format_args!(
            " {rule:<24}{hubspot:>10}{salesforce:>12}   {:>7}{:>8}{:>14}{:>17}",
            pairs.same,
            pairs.both - pairs.same,
            pairs.alone.hubspot,
            pairs.alone.salesforce,
        ));
    }
}
