//! `/metrics`: read as strictly as the format allows, and held against its documentation.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use axum::http::Method;

use crate::house::House;
use crate::review::something_waits;

const ACME: &str = "acme/production";

/// Labels of a sample, in order.
type Labels = Vec<(String, String)>;

/// What one name stands for.
#[derive(Debug, Default)]
struct Family {
    kind: String,
    /// The ending of the name behind the family's, labels, value.
    samples: Vec<(String, Labels, f64)>,
}

impl Family {
    fn value(&self, ending: &str, wanted: &[(&str, &str)]) -> f64 {
        let fits = |labels: &Labels| {
            let has =
                |(name, value): &(&str, &str)| labels.iter().any(|(n, v)| n == name && v == value);
            wanted.iter().all(has)
        };
        let found = self.samples.iter();
        let found = found.filter(|(of, labels, _)| of == ending && fits(labels));
        found.map(|(.., value)| value).sum()
    }
}

/// Reads the whole text, or says what is wrong with it. Stricter than Prometheus: each family is
/// told of once and in one place, before its samples.
fn parse(text: &str) -> Result<BTreeMap<String, Family>, String> {
    if !text.ends_with('\n') {
        return Err("the last line does not end".to_owned());
    }
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let (mut helped, mut current) = (String::new(), String::new());
    for line in text.lines() {
        let wrong = |what: &str| Err(format!("{what}: {line}"));
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, what) = rest.split_once(' ').ok_or(line)?;
            if what.trim().is_empty() || what.contains('\\') || !is_name(name) {
                return wrong("not a help line");
            }
            name.clone_into(&mut helped);
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').ok_or(line)?;
            if name != helped || !["counter", "gauge", "histogram"].contains(&kind) {
                return wrong("not the type of what was helped with");
            }
            if name.ends_with("_total") != (kind == "counter") {
                return wrong("counters end in _total, and nothing else does");
            }
            let family = Family {
                kind: kind.to_owned(),
                samples: Vec::new(),
            };
            if families.insert(name.to_owned(), family).is_some() {
                return wrong("a family twice");
            }
            name.clone_into(&mut current);
        } else {
            let (name, labels, value) = sample(line)?;
            let family = families.get_mut(&current).ok_or(line)?;
            let Some(ending) = name.strip_prefix(current.as_str()) else {
                return wrong("not of the family before it");
            };
            let endings: &[&str] = match family.kind.as_str() {
                "histogram" => &["_bucket", "_sum", "_count"],
                _ => &[""],
            };
            if !endings.contains(&ending) || !seen.insert(format!("{name}{labels:?}")) {
                return wrong("not a sample of its family, or twice");
            }
            if family.kind != "gauge" && (value < 0.0 || !value.is_finite()) {
                return wrong("what is counted is not less than nothing");
            }
            family.samples.push((ending.to_owned(), labels, value));
        }
    }
    Ok(families)
}

fn is_name(text: &str) -> bool {
    let first = text.chars().next();
    first.is_some_and(|c| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn sample(line: &str) -> Result<(String, Labels, f64), String> {
    let wrong = || format!("not a sample: {line}");
    let end = line.find(['{', ' ']).ok_or_else(wrong)?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Labels::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, value) = rest.split_once("=\"").ok_or_else(wrong)?;
            let (value, after) = quoted(value).ok_or_else(wrong)?;
            if !is_name(label) || labels.iter().any(|(known, _)| known == label) {
                return Err(wrong());
            }
            labels.push((label.to_owned(), value));
            rest = after.strip_prefix(',').unwrap_or(after);
        }
        rest = &rest[1..];
    }
    let value = rest.strip_prefix(' ').ok_or_else(wrong)?;
    let number = value.parse().map_err(|_| wrong())?;
    if !is_name(name) {
        return Err(wrong());
    }
    Ok((name.to_owned(), labels, number))
}

/// The value of a label up to its closing quote, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let (mut value, mut chars) = (String::new(), text.char_indices());
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                c @ ('\\' | '"') => c,
                _ => return None,
            }),
            c => value.push(c),
        }
    }
    None
}

async fn scrape(house: &House) -> (BTreeMap<String, Family>, String) {
    let answer = house.call(Method::GET, "/metrics", None, None).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let kind = &answer.headers["content-type"];
    assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
    let families = parse(&answer.text);
    (families.unwrap_or_else(|why| panic!("{why}")), answer.text)
}

/// Two workspaces: one where all kinds of things happened, and one that nobody connected.
async fn busy() -> House {
    let house = House::new().await;
    let other = serde_json::json!({"id": "idle/production"});
    house
        .operate(Method::POST, "/v1/workspaces", Some(other))
        .await;
    something_waits(&house, ACME).await;
    house
}

#[tokio::test]
async fn what_happened_is_in_the_metrics_and_in_their_sums() {
    let house = busy().await;
    let (found, text) = scrape(&house).await;
    let value = |name: &str, ending: &str, labels: &[(&str, &str)]| {
        found[&format!("tandem_{name}")].value(ending, labels)
    };
    for side in ["hubspot", "salesforce"] {
        let labels = [("side", side), ("outcome", "ok")];
        let own = [("workspace", ACME), ("side", side), ("outcome", "ok")];
        let sum = value("calls_total", "", &labels);
        assert!(sum > 10.0, "{text}");
        assert_eq!(sum, value("connection_calls_total", "", &own));
        let day = [("workspace", ACME), ("side", side)];
        let used = value("connection_daily_calls_used", "", &day);
        let limit = value("connection_daily_calls_limit", "", &day);
        assert!(used > 0.0 && used < limit, "{side}: {used} of {limit}");
    }
    let idle = [("workspace", "idle/production")];
    assert_eq!(value("connection_calls_total", "", &idle), 0.0);
    let verdicts = |verdict: &str| value("verdicts_total", "", &[("verdict", verdict)]);
    assert!(verdicts("written") >= 3.0, "{text}");
    assert!(
        verdicts("held") >= 1.0 && verdicts("dead-letter") >= 1.0,
        "{text}"
    );
    let setbacks = value("setbacks_total", "", &[]);
    let unsettled = ["retried", "put-off", "blocked", "dead-letter"].map(verdicts);
    assert_eq!(setbacks, unsettled.iter().sum::<f64>());
    assert_eq!(value("values_held_total", "", &[("reason", "ask")]), 1.0);
    assert!(value("values_held_total", "", &[("reason", "guard")]) >= 1.0);
    let settled = value("lag_seconds", "_count", &[]);
    assert!(settled >= 3.0, "{text}");
    assert_eq!(value("lag_seconds", "_bucket", &[("le", "+Inf")]), settled);
    let buckets = &found["tandem_lag_seconds"].samples;
    let buckets = buckets.iter().filter(|(ending, ..)| ending == "_bucket");
    assert!(buckets.is_sorted_by_key(|(.., value)| *value), "{text}");
}

#[tokio::test]
async fn a_deleted_workspace_leaves_the_metrics_and_its_calls_stay_in_the_sums() {
    let house = busy().await;
    let before = scrape(&house).await.0;
    let path = format!("/v1/workspaces/{ACME}");
    house.operate(Method::DELETE, &path, None).await;
    let (after, text) = scrape(&house).await;
    assert!(!text.contains(ACME), "{text}");
    let calls = |of: &BTreeMap<String, Family>| of["tandem_calls_total"].value("", &[]);
    assert!(calls(&after) >= calls(&before));
}

/// The rows of the table: name, kind, labels.
fn documented() -> Vec<(String, String, BTreeSet<String>)> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/service.md");
    let text = fs::read_to_string(page).expect("docs/service.md");
    let rows = text.lines().filter(|line| line.starts_with("| `tandem_"));
    let plain = |cell: &str| cell.trim().trim_matches('`').to_owned();
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').collect();
        let labels = cells[3].split(',').map(plain);
        let labels = labels.filter(|label| !label.is_empty()).collect();
        (plain(cells[1]), plain(cells[2]), labels)
    };
    rows.map(row).collect()
}

#[tokio::test]
async fn the_page_lists_exactly_the_metrics_that_are_served() {
    let house = busy().await;
    let (found, _) = scrape(&house).await;
    let told: BTreeSet<_> = documented().into_iter().collect();
    let served = found.into_iter().map(|(name, family)| {
        let labels = family.samples.iter().flat_map(|(_, labels, _)| labels);
        let labels = labels.map(|(label, _)| label.clone());
        let labels = labels.filter(|label| label != "le").collect();
        (name, family.kind, labels)
    });
    assert_eq!(told, served.collect());
}

#[test]
fn the_reader_refuses_what_prometheus_would_misread() {
    let head = "# HELP tandem_a_total A.\n# TYPE tandem_a_total counter\n";
    assert!(parse(&format!("{head}tandem_a_total{{x=\"a\\\"b\"}} 1\n")).is_ok());
    for wrong in [
        "tandem_a_total 1",
        "tandem_a_total{x=\"a\"b\"} 1\n",
        "tandem_a_total{x=\"a\\q\"} 1\n",
        "tandem_a_total 1\ntandem_a_total 2\n",
        "tandem_a_total one\n",
        "tandem_b_total 1\n",
        "tandem_a_total -1\n",
        "# HELP tandem_b B.\n# TYPE tandem_b counter\n",
    ] {
        assert!(parse(&format!("{head}{wrong}")).is_err(), "{wrong}");
    }
    assert!(parse("tandem_a_total 1\n").is_err(), "told of by nobody");
}
