//! What `tandem test` shows: cases that are not as expected, laws, rules that no case meets, and
//! how another revision differs.

use std::collections::{BTreeMap, BTreeSet};

use console::style;
use serde_json::{Value, json};

use crate::cases::{Behaviour, Came, Case, Changed, Compared, Difference, Laws};
use crate::model::MappingName;

use super::output::{Outcome, printable};

/// What is listed of a long list.
const LISTED: usize = 20;

/// The cases of one file and what came of them.
pub struct Played {
    pub path: String,
    pub mapping: MappingName,
    pub cases: Vec<(Case, Came)>,
}

impl Played {
    /// For each case what it should expect, where it expects something else or nothing yet.
    pub fn new_expectations(&self) -> Vec<Option<Behaviour>> {
        let cases = self.cases.iter();
        cases
            .map(|(case, came)| {
                let fits = case
                    .expect
                    .as_ref()
                    .is_some_and(|e| e.differences(&came.behaviour).is_empty());
                (!fits).then(|| came.behaviour.clone())
            })
            .collect()
    }
}

pub struct Report {
    played: Vec<Played>,
    pub laws: Vec<(MappingName, Laws)>,
    /// Rules that no case meets, by mapping, and how many there are in all.
    uncovered: BTreeMap<MappingName, Vec<String>>,
    rules: usize,
    pub compared: Option<(String, Compared)>,
    all: bool,
}

impl Report {
    pub fn new(played: Vec<Played>, all: bool) -> Self {
        Self {
            played,
            laws: Vec::new(),
            uncovered: BTreeMap::new(),
            rules: 0,
            compared: None,
            all,
        }
    }

    /// Notes which rules of a mapping no case meets.
    pub fn cover(&mut self, mapping: &MappingName, rules: Vec<String>) {
        let suites = self
            .played
            .iter()
            .filter(|played| played.mapping == *mapping);
        let met: BTreeSet<&String> = suites
            .flat_map(|played| played.cases.iter().flat_map(|(_, came)| &came.rules))
            .collect();
        self.rules += rules.len();
        let missed: Vec<String> = rules
            .into_iter()
            .filter(|rule| !met.contains(rule))
            .collect();
        if !missed.is_empty() {
            self.uncovered.insert(mapping.clone(), missed);
        }
    }

    fn cases(&self) -> impl Iterator<Item = (&Played, &Case, &Came)> {
        let played = self.played.iter();
        played.flat_map(|played| {
            let cases = played.cases.iter();
            cases.map(move |(case, came)| (played, case, came))
        })
    }

    fn broken(&self) -> impl Iterator<Item = (&MappingName, &Changed)> {
        let laws = self.laws.iter();
        laws.flat_map(|(name, laws)| laws.broken.iter().map(move |one| (name, one)))
    }

    fn changed(&self) -> impl Iterator<Item = (&MappingName, &Changed)> {
        let laws = self.laws.iter();
        laws.flat_map(|(name, laws)| laws.changed.iter().map(move |one| (name, one)))
    }

    fn failed(&self) -> usize {
        let cases = self.cases();
        cases
            .filter(|(_, case, came)| !wrong(case, came).is_empty())
            .count()
    }

    pub fn outcome(&self) -> Outcome {
        let moved = self
            .compared
            .as_ref()
            .is_some_and(|(_, compared)| !compared.moved.is_empty() || !compared.only.is_empty());
        if self.failed() > 0 || self.broken().next().is_some() {
            Outcome::Failed
        } else if moved {
            Outcome::Different
        } else {
            Outcome::Done
        }
    }

    pub fn json(&self) -> Value {
        let cases = self.cases().map(|(played, case, came)| {
            let wrong = wrong(case, came);
            json!({
                "file": played.path,
                "line": case.at.line,
                "mapping": played.mapping.as_str(),
                "case": case.name,
                "as_expected": wrong.is_empty(),
                "differences": wrong.iter().map(difference).collect::<Vec<_>>(),
                "notes": came.notes,
            })
        });
        let changed = |(name, one): (&MappingName, &Changed)| {
            json!({
                "mapping": name.as_str(),
                "rule": one.rule,
                "from": one.from.as_str(),
                "value": one.value,
                "what": one.what,
            })
        };
        json!({
            "cases": cases.collect::<Vec<_>>(),
            "laws": {
                "rules": self.laws.iter().map(|(_, laws)| laws.rules).sum::<u64>(),
                "values": self.laws.iter().map(|(_, laws)| laws.values).sum::<u64>(),
                "broken": self.broken().map(changed).collect::<Vec<_>>(),
                "come_back_changed": self.changed().map(changed).collect::<Vec<_>>(),
            },
            "coverage": {
                "rules": self.rules,
                "not_met": self
                    .uncovered
                    .iter()
                    .map(|(name, rules)| (name.to_string(), json!(rules)))
                    .collect::<serde_json::Map<_, _>>(),
            },
            "against": self.compared.as_ref().map(|(folder, compared)| json!({
                "folder": folder,
                "cases": compared.cases,
                "pairs": compared.pairs,
                "values": compared.values,
                "mappings": compared.only,
                "different": compared.moved.iter().map(|moved| json!({
                    "mapping": moved.mapping.as_str(),
                    "with": moved.with,
                    "differences": moved.differences.iter().map(difference).collect::<Vec<_>>(),
                })).collect::<Vec<_>>(),
            })),
        })
    }

    pub fn text(&self) -> String {
        let mut out = String::new();
        for played in &self.played {
            self.file(played, &mut out);
        }
        for (name, one) in self.broken().take(LISTED) {
            let mark = style("BROKEN").red().bold();
            let (rule, side) = (&one.rule, one.from.title());
            line(
                &mut out,
                &format!("{mark} {name}, rule {rule}, {} in {side}", one.value),
            );
            line(&mut out, &format!("       {}", printable(&one.what)));
        }
        if self.all {
            for (name, one) in self.changed() {
                let (rule, side) = (&one.rule, one.from.title());
                let (value, what) = (&one.value, printable(&one.what));
                line(
                    &mut out,
                    &format!("{name}, rule {rule}: {value} in {side} {what}"),
                );
            }
        }
        if let Some((folder, compared)) = &self.compared {
            self.against(folder, compared, &mut out);
        }
        if !out.is_empty() {
            out.push('\n');
        }
        self.summary(&mut out);
        out
    }

    fn file(&self, played: &Played, out: &mut String) {
        let mut lines = String::new();
        for (case, came) in &played.cases {
            let wrong = wrong(case, came);
            let name = printable(&case.name);
            if wrong.is_empty() {
                if self.all {
                    line(&mut lines, &format!("  {} {name}", style("ok    ").green()));
                }
                continue;
            }
            let mark = style("FAILED").red().bold();
            let at = case.at.line;
            line(&mut lines, &format!("  {mark} {name}  (line {at})"));
            differences(&wrong, &mut lines, ("expected", "found"));
            for note in &came.notes {
                line(
                    &mut lines,
                    &format!("         {}", style(printable(note)).dim()),
                );
            }
        }
        if !lines.is_empty() {
            line(out, &played.path);
            out.push_str(&lines);
        }
    }

    fn against(&self, folder: &str, compared: &Compared, out: &mut String) {
        for lone in &compared.only {
            line(out, &format!("mapping {lone}"));
        }
        let shown = if self.all { usize::MAX } else { LISTED };
        for moved in compared.moved.iter().take(shown) {
            line(
                out,
                &format!("{}: {}", moved.mapping, printable(&moved.with)),
            );
            differences(&moved.differences, out, ("was", "is now"));
        }
        let rest = compared.moved.len().saturating_sub(shown);
        if rest > 0 {
            line(out, &format!("and {rest} more; --all lists them"));
        }
        let (cases, pairs, values) = (compared.cases, compared.pairs, compared.values);
        let count = compared.moved.len();
        line(
            out,
            &format!(
                "{count} of {} behave differently from {folder} ({cases} cases, {pairs} pairs of \
                 the store, {values} values)",
                cases + pairs + values
            ),
        );
    }

    fn summary(&self, out: &mut String) {
        let (all, failed) = (self.cases().count(), self.failed());
        let cases = match (all, failed) {
            (0, _) => "none; write some into the folder `tests` of the mappings".to_owned(),
            (all, 0) => format!("all {all} as expected"),
            (all, failed) => format!("{} of {all} as expected, {failed} failed", all - failed),
        };
        line(out, &format!("Cases     {cases}"));
        let rules: u64 = self.laws.iter().map(|(_, laws)| laws.rules).sum();
        let values: u64 = self.laws.iter().map(|(_, laws)| laws.values).sum();
        let (broken, changed) = (self.broken().count(), self.changed().count());
        let mut laws = format!("{values} values for {rules} rules: ");
        laws.push_str(&match broken {
            0 => "what is written once is not written again".to_owned(),
            broken => format!("{broken} break a law"),
        });
        if changed > 0 {
            let list = if self.all { "" } else { " (--all lists them)" };
            laws.push_str(&format!(
                "; {changed} mean something else once they are back{list}"
            ));
        }
        line(out, &format!("Laws      {laws}"));
        let missed: usize = self.uncovered.values().map(Vec::len).sum();
        let met = self.rules - missed;
        line(
            out,
            &format!("Coverage  {met} of {} rules are met by a case", self.rules),
        );
        for (name, rules) in &self.uncovered {
            line(
                out,
                &format!("          not met in {name}: {}", rules.join(", ")),
            );
        }
    }
}

/// Where the case is not as expected. One that expects nothing yet is not.
fn wrong(case: &Case, came: &Came) -> Vec<Difference> {
    match &case.expect {
        Some(expect) => expect.differences(&came.behaviour),
        None => vec![Difference {
            what: "`expect:`".to_owned(),
            expected: "is missing".to_owned(),
            found: "what comes of it is written down by --update".to_owned(),
        }],
    }
}

fn differences(found: &[Difference], out: &mut String, (was, is): (&str, &str)) {
    let width = found
        .iter()
        .map(|one| one.what.chars().count())
        .max()
        .unwrap_or(0);
    for one in found {
        let what = printable(&one.what);
        let (expected, found) = (printable(&one.expected), printable(&one.found));
        line(
            out,
            &format!("         {what:width$}  {was} {expected}, {is} {found}"),
        );
    }
}

fn difference(one: &Difference) -> Value {
    json!({ "what": one.what, "expected": one.expected, "found": one.found })
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}
