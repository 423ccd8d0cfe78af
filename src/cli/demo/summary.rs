//! The demo's last page: what happened, told so that a person enjoys reading it.
//!
//! Colours appear on terminals only; `console` sees to that and to `NO_COLOR`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use console::style;

use crate::model::{BySide, Side};
use crate::sim::seed::{ADA_NAME, Fate, Heroine, Seeded};

use super::edits::{ADA_IN_HUBSPOT, ADA_IN_SALESFORCE, ADA_RULE};
use super::outcome::{ConflictSeen, Open};
use super::reach::Reach;
use super::report::{LISTED, Report};
use super::second;

/// Ada's conflict, as the engine recorded it.
#[derive(Clone, Debug)]
pub struct Story {
    /// What both CRMs held before, and what each holds now.
    pub base: String,
    pub now: BySide<String>,
    conflict: Option<ConflictSeen>,
}

impl Story {
    pub fn of(report: &Report, ada: &Heroine, base: &str, now: BySide<String>) -> Self {
        let hers = |conflict: &&ConflictSeen| {
            conflict.mapping == "contacts"
                && conflict.rule == ADA_RULE
                && conflict.hubspot_id == ada.hubspot
        };
        let mut conflicts = report.outcome.conflicts.iter().rev();
        Self {
            base: base.to_owned(),
            now,
            conflict: conflicts.find(hers).cloned(),
        }
    }
}

/// What the page says about its surroundings.
pub struct Scene<'a> {
    pub data: &'a Path,
    /// How the service is reached, while it stays up.
    pub reach: Option<&'a Reach>,
    pub curl: [String; 2],
    pub seeded: &'a Seeded,
}

/// Writes a text and a line break to stdout.
///
/// # Errors
/// When stdout is gone, as in `| head`.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()?;
    Ok(())
}

pub fn text(report: &Report, story: Option<&Story>, scene: &Scene<'_>) -> String {
    let mut page = String::new();
    heading(&mut page, report);
    figures(&mut page, report);
    waiting(&mut page, report, scene.seeded);
    if let Some(story) = story {
        tell(&mut page, story);
    }
    other(&mut page, report);
    findings(&mut page, report);
    next(&mut page, scene);
    page
}

fn line(page: &mut String, text: impl std::fmt::Display) {
    // Writing into a String cannot fail.
    let written = writeln!(page, "{text}");
    debug_assert!(written.is_ok(), "a String takes every text");
}

fn row(page: &mut String, name: &str, value: impl std::fmt::Display) {
    line(page, format_args!("  {name:<22}{value}"));
}

fn heading(page: &mut String, report: &Report) {
    let verdict = if report.converged() {
        style("In both workspaces both CRMs agree. Nothing was lost.")
            .green()
            .bold()
    } else if report.quiet {
        style("The CRMs do not agree; the differences are below.")
            .red()
            .bold()
    } else {
        style("Not finished: work was still due when this was written.")
            .red()
            .bold()
    };
    line(page, format_args!("\n{verdict}\n"));
}

fn figures(page: &mut String, report: &Report) {
    let outcome = &report.outcome;
    let calls = report.last.calls;
    row(page, "pairs compared", report.findings.pairs);
    row(page, "edits by people", report.edits);
    row(page, "records written", report.last.writes);
    row(page, "conflicts decided", outcome.conflicts.len());
    row(page, "lost edits", report.findings.lost.len());
    if outcome.unknown_overwrites > 0 {
        let what = "writes may have replaced an edit; no history tells";
        let told = format!("{} {what}", outcome.unknown_overwrites);
        row(page, "not known", told);
    }
    row(page, "duplicates made", report.findings.duplicates.len());
    row(page, "pointless writes", report.last.noop_writes);
    if report.faults.total() > 0 {
        let families = report
            .faults
            .by_family
            .iter()
            .filter(|(_, count)| **count > 0);
        let families: Vec<String> = families
            .map(|(name, count)| format!("{count} {name}"))
            .collect();
        let told = format!("{}: {}", report.faults.total(), families.join(", "));
        row(page, "faults met", told);
    }
    let each = format!(
        "{} HubSpot + {} Salesforce, {} per changed record ({} after the first sync)",
        calls.hubspot,
        calls.salesforce,
        report.per_changed(),
        report.per_changed_after_first()
    );
    row(page, "API calls", each);
    if let (Some(half), Some(most)) = (report.lag(50), report.lag(99)) {
        row(
            page,
            "edit to other side",
            format!("{half} ms (half), {most} ms (99 of 100)"),
        );
    }
    let seconds = report.elapsed_ms / 100;
    row(page, "took", format!("{}.{} s", seconds / 10, seconds % 10));
}

/// What waits for a person, by reason.
fn waiting(page: &mut String, report: &Report, seeded: &Seeded) {
    let (holds, dead) = (&report.outcome.holds, &report.outcome.dead_letters);
    let fates = seeded.fates();
    let seen = |fate: Fate| fates.get(&fate).copied().unwrap_or_default();
    line(
        page,
        format_args!("\n{}", style("Waiting for a person").bold()),
    );
    row(page, "fields held", holds.len());
    reasons(page, holds);
    row(page, "dead letters", dead.len());
    reasons(page, dead);
    let planted: usize = [Fate::Held, Fate::DeadLettered, Fate::Ambiguous]
        .map(seen)
        .iter()
        .sum();
    line(
        page,
        style(format!(
            "  {planted} records were wrong from the start, on purpose."
        ))
        .dim(),
    );
}

/// At most this many kinds of reasons are shown of each sort.
const KINDS: usize = 8;

fn reasons(page: &mut String, opens: &[Open]) {
    let mut by_reason: BTreeMap<(&str, String), usize> = BTreeMap::new();
    for open in opens {
        // What comes before the colon is the word for it; the rest tells of one record.
        let word = open.why.split(':').next().unwrap_or_default();
        let reason = match &open.rule {
            Some(rule) => format!("`{rule}` {word}"),
            None => word.to_owned(),
        };
        *by_reason.entry((&open.mapping, reason)).or_default() += 1;
    }
    for ((mapping, reason), count) in by_reason.iter().take(KINDS) {
        line(page, format_args!("    {count:>5}  {mapping}: {reason}"));
    }
    if by_reason.len() > KINDS {
        line(
            page,
            format_args!("           and {} more kinds", by_reason.len() - KINDS),
        );
    }
}

fn tell(page: &mut String, story: &Story) {
    line(
        page,
        format_args!("\n{}", style(format!("The case of {ADA_NAME}")).bold()),
    );
    line(
        page,
        "  Two people changed her job title before either CRM heard of the other:\n",
    );
    row(page, "both CRMs held", &story.base);
    row(page, "marketing, in HubSpot", ADA_IN_HUBSPOT);
    row(page, "sales, in Salesforce", ADA_IN_SALESFORCE);
    let Some(conflict) = &story.conflict else {
        let missing = style("the engine recorded no conflict for her, which is a fault").red();
        row(page, "decided", missing);
        return;
    };
    let rule = &conflict.rule;
    match conflict.winner {
        None => row(
            page,
            "decided",
            format!("rule `{rule}` asks a person; both stay as they are"),
        ),
        Some(winner) => {
            let lost = match winner {
                Side::HubSpot => ADA_IN_SALESFORCE,
                Side::Salesforce => ADA_IN_HUBSPOT,
            };
            let name = winner.title();
            row(
                page,
                "decided",
                format!("rule `{rule}` of mappings/contacts.yaml: {name} wins"),
            );
            let BySide {
                hubspot,
                salesforce,
            } = &story.now;
            if hubspot == salesforce {
                row(page, "both CRMs hold now", style(hubspot).green());
            } else {
                row(page, "HubSpot holds now", style(hubspot).red());
                row(page, "Salesforce holds now", style(salesforce).red());
            }
            row(
                page,
                "kept, not lost",
                format!("{lost}, under `tandem conflicts`"),
            );
        }
    }
}

/// The workspace beside the one that all above is about.
fn other(page: &mut String, report: &Report) {
    let found = &report.second;
    let title = format!("The other workspace, {}", second::WORKSPACE);
    line(page, format_args!("\n{}", style(title).bold()));
    row(page, "people on both sides", found.people);
    row(page, "edits by people", found.edits);
    for (name, text) in second::story(found.edits > 0) {
        row(page, name, text);
    }
    row(page, "differences", found.differences.len());
}

fn findings(page: &mut String, report: &Report) {
    let found = &report.findings;
    list(page, "Differences without a reason", &found.mismatches);
    list(page, "Lost edits", &found.lost);
    list(page, "Made twice", &found.duplicates);
    list(page, "Waiting, and nobody planted it", &found.unexpected);
    let title = "Not as the other workspace's mappings say";
    list(page, title, &report.second.differences);
}

fn list(page: &mut String, title: &str, found: &[impl std::fmt::Display]) {
    if found.is_empty() {
        return;
    }
    line(
        page,
        format_args!("\n{} ({})", style(title).red().bold(), found.len()),
    );
    for one in found.iter().take(LISTED) {
        line(page, format_args!("  {one}"));
    }
    if found.len() > LISTED {
        line(page, format_args!("  and {} more", found.len() - LISTED));
    }
}

fn next(page: &mut String, scene: &Scene<'_>) {
    let Some(reach) = scene.reach else {
        return commands(page, scene);
    };
    line(page, format_args!("\n{}", style("How to reach it").bold()));
    let url = &reach.url;
    row(page, "API", format!("{url}/v1, described at {url}/docs"));
    for place in &reach.workspaces {
        let (hubspot, salesforce) = (&place.hubspot, &place.salesforce);
        let told = format!("HubSpot {hubspot}, Salesforce {salesforce}");
        row(page, &place.id, told);
    }
    let data = scene.data.display();
    row(
        page,
        "settings, mappings",
        format!("{data}, where changed mappings take over"),
    );
    line(page, "\n  With a management key, of this demo only:\n");
    let ada = scene
        .seeded
        .heroine
        .as_ref()
        .map(|ada| (ada.hubspot.as_str(), ADA_RULE));
    for command in reach.commands(ada) {
        line(page, format_args!("  {command}"));
    }
    line(page, format_args!("\n{}", style("What to try next").bold()));
    line(page, "  Read five contacts from each side:\n");
    for curl in &scene.curl {
        line(page, format_args!("  {curl}\n"));
    }
    if let Some(ada) = &scene.seeded.heroine {
        line(
            page,
            "  Change Ada's title in HubSpot and watch it arrive in Salesforce:\n",
        );
        line(page, patch(scene, &ada.hubspot));
    }
    line(page, "  Ctrl-C stops. Then the store tells its story:\n");
    line(page, format_args!("  tandem conflicts list --data {data}"));
    line(
        page,
        format_args!("  tandem dead-letters list --data {data}"),
    );
    if let Some(ada) = &scene.seeded.heroine {
        let id = &ada.hubspot;
        line(
            page,
            format_args!("  tandem explain contacts {id} {ADA_RULE} --data {data}"),
        );
    }
    line(page, format_args!("  tandem undo --data {data}"));
}

/// What can be done once the demo has ended.
fn commands(page: &mut String, scene: &Scene<'_>) {
    line(page, format_args!("\n{}", style("What to try next").bold()));
    let mut told = |command: &str, what: &str| {
        line(page, format!("  {command:<41}{what}").trim_end());
    };
    told(
        "tandem demo",
        "stays up, syncs what you edit, says how to reach its API",
    );
    told(
        "tandem demo --exit --data DIR",
        "keeps the store for the next lines",
    );
    told("tandem conflicts list --data DIR", "who lost what, and why");
    if let Some(ada) = &scene.seeded.heroine {
        let id = &ada.hubspot;
        told(
            &format!("tandem explain contacts {id} {ADA_RULE} --data DIR"),
            "",
        );
    }
    told(
        "tandem undo --data DIR",
        "the runs, and how to take one back",
    );
    let list = "tandem workspace list --config DIR/tandem.toml";
    told(list, "");
}

fn patch(scene: &Scene<'_>, contact: &str) -> String {
    let read = &scene.curl[0];
    let head = read.split("contacts?").next().unwrap_or(read);
    let body = r#"{"properties":{"jobtitle":"Chief Robot Whisperer"}}"#;
    let head = head.replacen(
        "curl ",
        "curl -X PATCH -H 'Content-Type: application/json' ",
        1,
    );
    format!("  {head}contacts/{contact}' \\\n    -d '{body}'\n")
}
