//! The merge judged by cases that read like sentences: `tests/cases/merge/*.yaml`.
//!
//! Each case gives a policy, what was agreed and what both sides hold, and says what must happen
//! and why. Values are carried over unchanged unless the case says otherwise. The random
//! counterpart is `merge_properties.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde::{Deserialize, Deserializer};
use serde_json::Value as Json;
use tandem::merge::{self, Agreement, Decision, Lost, Reason, RuleInput, Settled};
use tandem::model::{
    Blank, BySide, Conflict, Direction, FirstSync, HoldReason, Policy, Problem, Side, Timestamp,
    Tolerance, Value,
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Case {
    case: String,
    #[serde(default)]
    policy: PolicyText,
    base: Option<Sides>,
    carried_base: Option<Sides>,
    #[serde(default)]
    rule_changed: bool,
    #[serde(default)]
    hubspot: Json,
    #[serde(default)]
    salesforce: Json,
    /// Where a value, carried over, is not itself.
    #[serde(default)]
    carried: BTreeMap<String, Json>,
    held: Option<String>,
    #[serde(default)]
    modified: BTreeMap<String, String>,
    /// Until when Salesforce's value is known to have been its half of the base.
    unmoved: Option<String>,
    expect: Expect,
    because: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sides {
    #[serde(default)]
    hubspot: Json,
    #[serde(default)]
    salesforce: Json,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct PolicyText {
    direction: Option<String>,
    conflict: Option<String>,
    ratchet: Option<Vec<String>>,
    first_sync: Option<String>,
    enforce: bool,
    once: bool,
    blank_keep: bool,
    tolerance: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
enum Expect {
    Unchanged,
    Skip,
    Agree(String),
    Write {
        #[serde(default, deserialize_with = "given")]
        hubspot: Option<Json>,
        #[serde(default, deserialize_with = "given")]
        salesforce: Option<Json>,
        /// The side whose value is lost.
        #[serde(default)]
        lost: Option<String>,
        #[serde(default)]
        first_contact: bool,
    },
    Hold {
        reason: String,
        #[serde(default)]
        conflict: bool,
    },
}

/// A blank that is written is not the same as a side that is not written.
fn given<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(from).map(Some)
}

fn side(text: &str) -> Side {
    Side::parse(text).unwrap_or_else(|| panic!("no side is called {text}"))
}

/// `SIDE` after a prefix, or `ask`; `newest-SIDE` names the winner of a tie.
fn policy(text: &PolicyText) -> Policy {
    let direction = text.direction.as_deref().unwrap_or("both");
    let conflict = text.conflict.as_deref().unwrap_or("salesforce");
    let first = text
        .first_sync
        .as_deref()
        .unwrap_or("fill-blanks-salesforce");
    Policy {
        direction: match direction.strip_prefix("to-") {
            Some(name) => Direction::To(side(name)),
            None => Direction::Both,
        },
        conflict: match (&text.ratchet, conflict) {
            (Some(order), _) => Conflict::Ratchet(order.clone()),
            (None, "ask") => Conflict::Ask,
            (None, "union") => Conflict::Union,
            (None, name) => match name.strip_prefix("newest-") {
                Some(tie) => Conflict::Newest { tie: side(tie) },
                None => Conflict::Wins(side(name)),
            },
        },
        first_sync: match first {
            "ask" => FirstSync::Ask,
            "fill-blanks-ask" => FirstSync::FillBlanks(None),
            name => match (
                name.strip_prefix("fill-blanks-"),
                name.strip_prefix("newest-"),
            ) {
                (Some(winner), _) => FirstSync::FillBlanks(Some(side(winner))),
                (None, Some(tie)) => FirstSync::Newest { tie: side(tie) },
                (None, None) => FirstSync::Wins(side(name)),
            },
        },
        enforce: text.enforce,
        once: text.once,
        blank: if text.blank_keep {
            Blank::Keep
        } else {
            Blank::Travels
        },
        tolerances: text.tolerance.iter().map(|name| tolerance(name)).collect(),
    }
}

fn tolerance(text: &str) -> Tolerance {
    let (name, figure) = text.split_once(' ').unwrap_or((text, "0"));
    let figure = figure.parse().expect("a figure after the tolerance");
    match name {
        "trim" => Tolerance::Trim,
        "case" => Tolerance::Case,
        "round" => Tolerance::Round(figure),
        "truncate" => Tolerance::Truncate(figure),
        "seconds" => Tolerance::Seconds,
        "phone" => Tolerance::Phone,
        "html" => Tolerance::Html,
        _ => panic!("no tolerance is called {text}"),
    }
}

/// A list is a set, `{ problem: REASON }` a value that cannot be read or carried.
fn read(json: &Json) -> Result<Value, Problem> {
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => Value::Number(number.to_string().parse().expect("a decimal")),
        Json::String(text) => Value::text(text),
        Json::Array(items) => {
            let text = |item: &Json| item.as_str().expect("elements are text").to_owned();
            Value::Set(items.iter().map(text).collect())
        }
        Json::Object(map) => {
            if let Some(Json::Array(items)) = map.get("several") {
                return items
                    .iter()
                    .map(read)
                    .collect::<Result<_, _>>()
                    .map(Value::Several);
            }
            let reason = map
                .get("problem")
                .and_then(Json::as_str)
                .expect("problem or several");
            return Err(Problem {
                reason: HoldReason::parse(reason).expect("a hold reason"),
                detail: format!("{reason} in this case"),
            });
        }
    })
}

fn value(json: &Json) -> Value {
    read(json).expect("a value, not a problem")
}

fn decide(case: &Case) -> (Decision, Reason) {
    let policy = policy(&case.policy);
    let now = BySide::new(read(&case.hubspot), read(&case.salesforce));
    let carried = BySide::from_fn(|to| match case.carried.get(to.as_str()) {
        Some(json) => read(json),
        None => now.get(to.other()).clone(),
    });
    let halves = |sides: &Sides| BySide::new(value(&sides.hubspot), value(&sides.salesforce));
    let mut input = RuleInput::new(&case.case, &policy, now, carried);
    input.base = case.base.as_ref().map(halves);
    input.carried_base = case.carried_base.as_ref().map(halves);
    input.rule_changed = case.rule_changed;
    input.held = case
        .held
        .as_deref()
        .map(|name| HoldReason::parse(name).expect("a hold reason"));
    input.modified = BySide::from_fn(|side| {
        let text = case.modified.get(side.as_str())?;
        Some(Timestamp::parse(text).expect("a time"))
    });
    let unmoved = case.unmoved.as_deref();
    input.unmoved_until = unmoved.map(|text| Timestamp::parse(text).expect("a time"));
    let outcome = merge::decide(&input);
    assert_eq!(
        outcome,
        merge::decide(&input),
        "{}: not deterministic",
        case.case
    );
    outcome
}

fn matches(case: &Case, decision: &Decision) -> bool {
    match (&case.expect, decision) {
        (Expect::Unchanged, Decision::Unchanged) | (Expect::Skip, Decision::Skip) => true,
        (Expect::Agree(name), Decision::Agree { how }) => {
            name == match how {
                Agreement::Equal => "equal",
                Agreement::Tolerated => "tolerated",
                Agreement::Kept => "kept",
            }
        }
        (
            Expect::Hold { reason, conflict },
            Decision::Hold {
                reason: why,
                conflict: both,
                ..
            },
        ) => reason == why.as_str() && conflict == both,
        (
            Expect::Write {
                hubspot,
                salesforce,
                lost,
                first_contact,
            },
            Decision::Write {
                values,
                lost: loser,
            },
        ) => {
            let wanted = BySide::new(hubspot.as_ref(), salesforce.as_ref());
            let loser_wanted = lost.as_deref().map(|name| Lost {
                loser: side(name),
                value: value(match side(name) {
                    Side::HubSpot => &case.hubspot,
                    Side::Salesforce => &case.salesforce,
                }),
                first_contact: *first_contact,
            });
            *values == wanted.map(|json| json.map(value)) && *loser == loser_wanted
        }
        (
            Expect::Unchanged
            | Expect::Skip
            | Expect::Agree(_)
            | Expect::Write { .. }
            | Expect::Hold { .. },
            _,
        ) => false,
    }
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/merge");
    let mut files: Vec<_> = fs::read_dir(&folder)
        .expect("the folder of cases")
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    files.sort();
    files
        .iter()
        .flat_map(|file| {
            let text = fs::read_to_string(file).expect("a readable file");
            serde_saphyr::from_str::<Vec<Case>>(&text)
                .unwrap_or_else(|fault| panic!("{}: {fault}", file.display()))
        })
        .collect()
}

#[test]
fn every_case_is_decided_as_written() {
    let cases = cases();
    assert!(cases.len() >= 40, "only {} cases found", cases.len());
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            let (decision, reason) = decide(case);
            let right = matches(case, &decision) && reason.as_str() == case.because;
            (!right).then(|| format!("{}: {decision:?} because {}", case.case, reason.as_str()))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_reason_has_a_case() {
    let shown: BTreeSet<String> = cases().into_iter().map(|case| case.because).collect();
    for reason in Reason::ALL {
        assert!(
            shown.contains(reason.as_str()),
            "no case shows {}",
            reason.as_str()
        );
        assert_eq!(Reason::parse(reason.as_str()), Some(reason));
    }
}

#[test]
fn settling_tells_a_kept_old_value_from_a_lost_call() {
    let [old, new, other] = ["old", "new", "other"].map(Value::text);
    let settle = |stored: &Value, acknowledged| {
        merge::settle(&new, &old, stored, acknowledged, &[Tolerance::Case])
    };
    assert_eq!(settle(&new, true), Settled::Applied);
    assert_eq!(
        settle(&new, false),
        Settled::Applied,
        "the reply was lost, not the write"
    );
    assert_eq!(
        settle(&Value::text("NEW"), true),
        Settled::Applied,
        "tolerated"
    );
    assert_eq!(settle(&old, true), Settled::NotKept);
    assert_eq!(settle(&old, false), Settled::NotApplied);
    assert_eq!(settle(&other, true), Settled::Altered);
    assert_eq!(settle(&other, false), Settled::Overtaken);
}

#[test]
fn a_case_only_write_to_a_side_that_folds_case_settles_only_when_acknowledged() {
    let [sent, held] = ["Ann", "ann"].map(Value::text);
    let settle =
        |acknowledged| merge::settle(&sent, &held, &held, acknowledged, &[Tolerance::Case]);
    assert_eq!(settle(true), Settled::Applied);
    assert_eq!(settle(false), Settled::NotApplied);
}

#[test]
fn tolerances_accept_what_they_name_and_nothing_else() {
    let number = |text: &str| Value::Number(text.parse().expect("a decimal"));
    let text = |text: &str| Value::text(text);
    let accepted = [
        ("trim", text(" Ann "), text("Ann")),
        ("trim", text("  "), Value::Null),
        ("case", text("Ann@X.com"), text("ann@x.com")),
        ("round 2", number("1.005"), number("1.01")),
        ("round 2", number("1.005"), number("1")),
        ("truncate 3", text("äöüß"), text("äöü")),
        ("phone", text("+49 (30) 1-2"), text("0049 30 12")),
        ("html", text("<p>a &amp; b</p>"), text("a & b")),
    ];
    for (name, sent, stored) in accepted {
        assert!(
            merge::within(&[tolerance(name)], &sent, &stored),
            "{name}: {sent} {stored}"
        );
        assert!(
            !merge::within(&[], &sent, &stored),
            "undeclared: {sent} {stored}"
        );
    }
    let refused = [
        ("trim", text("Ann"), text("An")),
        ("trim", text("Ann"), Value::Null),
        ("round 2", number("1.005"), number("1.02")),
        ("round 2", number("1.005"), number("1.0051")),
        ("truncate 3", text("abcdef"), text("ab")),
        ("truncate 3", text("abcdef"), text("abcd")),
        ("truncate 0", text("abc"), Value::Null),
        ("phone", text("+49 30 1"), text("+49 30 2")),
        ("phone", text("call Ann"), text("")),
        ("html", text("a < b"), text("a")),
        ("html", text("<p>word</p>"), text("")),
    ];
    for (name, sent, stored) in refused {
        assert!(
            !merge::within(&[tolerance(name)], &sent, &stored),
            "{name}: {sent} {stored}"
        );
    }
    let both = [Tolerance::Trim, Tolerance::Case, Tolerance::Truncate(4)];
    assert!(
        merge::within(&both, &text(" Annabel"), &text("anna")),
        "several at once"
    );
}

#[test]
fn a_long_hostile_text_costs_little() {
    let sent = Value::text("<".repeat(1_000_000));
    let stored = Value::text("<a".repeat(500_000));
    assert!(!merge::within(
        &[Tolerance::Html, Tolerance::Truncate(10)],
        &sent,
        &stored
    ));
}
