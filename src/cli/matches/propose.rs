//! `tandem match --propose`: a starting mapping, made from what both CRMs say about themselves.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::config::{Credentials, Environment};
use crate::mapping::{LeftOut, Pair, Proposal, SourceFile, load, propose};
use crate::model::{BySide, Side};

use super::super::engine::live_schemas;
use super::super::files::faults_error;
use super::super::output::{Advice, Outcome, Output};
use super::super::plan::save;

/// The objects that go together in most companies.
const USUAL: [(&str, &str); 3] = [
    ("contacts", "Contact"),
    ("companies", "Account"),
    ("deals", "Opportunity"),
];
/// Longer names exist on neither platform.
const NAME_MAX: usize = 80;
const OBJECTS_MAX: usize = 20;

pub async fn run(
    objects: &[String],
    out: Option<&Path>,
    environment: &Environment,
    output: &Output,
) -> anyhow::Result<Outcome> {
    let pairs = pairs(objects, out.is_some())?;
    let files: Vec<_> = match out {
        Some(folder) => pairs
            .iter()
            .map(|pair| file(folder, pair))
            .collect::<Result<_, _>>()?,
        None => Vec::new(),
    };
    let credentials = Credentials::read(environment)?;
    let asked: Vec<SourceFile> = pairs.iter().map(question).collect();
    let asked = load(&asked, &BTreeMap::new())
        .map_err(|faults| faults_error(&faults, "name other objects with --object"))?;
    let schemas = live_schemas(&credentials, &asked.mappings).await?;
    let proposals = propose(&pairs, &schemas).map_err(|faults| {
        faults_error(
            &faults,
            "write the mapping by hand; docs/mapping.md shows how",
        )
    })?;
    if let Some(folder) = out {
        std::fs::create_dir_all(folder).map_err(|error| {
            let what = format!("cannot make {}: {error}", folder.display());
            Advice::new(what, "name a folder that can be written with --out")
        })?;
    }
    for (path, proposal) in files.iter().zip(&proposals) {
        save(path, &proposal.text)?;
    }
    let answer = json!({
        "mappings": proposals.iter().map(object).collect::<Vec<_>>(),
        "files": files.iter().map(|path| path.display().to_string()).collect::<Vec<_>>(),
    });
    output.answer(&answer, || match out {
        None => proposals
            .iter()
            .map(|proposal| proposal.text.clone())
            .collect(),
        Some(_) => files.iter().zip(&proposals).map(told).collect(),
    });
    Ok(Outcome::Done)
}

fn told((path, proposal): (&std::path::PathBuf, &Proposal)) -> String {
    let (rules, path) = (proposal.rules.len(), path.display());
    format!("{path}: {rules} rules proposed; read them, then `tandem check --live {path}`\n")
}

/// A file that is there is somebody's work.
fn file(folder: &Path, pair: &Pair) -> anyhow::Result<std::path::PathBuf> {
    let path = folder.join(format!("{}.yaml", pair.name));
    if path.exists() {
        let what = format!("{} is there already", path.display());
        return Err(Advice::new(what, "name another folder with --out").into());
    }
    Ok(path)
}

/// The pairs that were named: `contacts`, or `p_name=Name__c`.
fn pairs(objects: &[String], many: bool) -> anyhow::Result<Vec<Pair>> {
    let usual = USUAL.map(|(hubspot, _)| hubspot.to_owned());
    let objects = match (objects, many) {
        ([], true) => &usual[..],
        // A file holds one mapping, and people come first.
        ([], false) => &usual[..1],
        (objects, _) => objects,
    };
    if objects.len() > 1 && !many {
        let what = "a mapping file holds one mapping, and several objects are named";
        let todo = "name one --object, or a folder for all of them with --out";
        return Err(Advice::new(what, todo).into());
    }
    if objects.len() > OBJECTS_MAX {
        let what = format!("{} objects are too many at once", objects.len());
        return Err(Advice::new(what, format!("name at most {OBJECTS_MAX}")).into());
    }
    let mut pairs: Vec<Pair> = Vec::new();
    for object in objects {
        let pair = pair(object)?;
        if pairs.iter().any(|other| other.name == pair.name) {
            let what = format!("`{}` is named twice", pair.name);
            return Err(Advice::new(what, "name each HubSpot object once").into());
        }
        pairs.push(pair);
    }
    Ok(pairs)
}

fn pair(text: &str) -> anyhow::Result<Pair> {
    let (hubspot, salesforce) = match text.split_once('=') {
        Some((hubspot, salesforce)) => (hubspot, salesforce),
        None => {
            let known = USUAL.iter().find(|(hubspot, _)| *hubspot == text);
            let Some((hubspot, salesforce)) = known else {
                let shown: String = text.chars().take(NAME_MAX).collect();
                let what = format!("it is not known which Salesforce object `{shown}` goes with");
                let todo = "name both, as in --object p_subscription=Subscription__c";
                return Err(Advice::new(what, todo).into());
            };
            (*hubspot, *salesforce)
        }
    };
    for name in [hubspot, salesforce] {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || name.len() > NAME_MAX || !name.chars().all(plain) {
            let shown: String = name.chars().take(NAME_MAX).collect();
            let what = format!("`{shown}` is no name of an object");
            let todo = "names have letters, digits and `_` only, as in --object contacts=Contact";
            return Err(Advice::new(what, todo).into());
        }
    }
    let name = hubspot.strip_prefix("p_").unwrap_or(hubspot).to_lowercase();
    Ok(Pair {
        name,
        objects: BySide::new(hubspot.to_owned(), salesforce.to_owned()),
    })
}

/// A mapping that names two objects and nothing else, so that their schemas are read.
fn question(pair: &Pair) -> SourceFile {
    let Pair { name, objects } = pair;
    SourceFile {
        path: name.clone(),
        text: format!(
            "mapping: \"{name}\"\nhubspot: \"{}\"\nsalesforce: \"{}\"\nconflict: ask\nmatch: []\n\
             rules: {{ hs_object_id: Id }}\n",
            objects.hubspot, objects.salesforce
        ),
    }
}

fn object(proposal: &Proposal) -> Value {
    let rules = proposal.rules.iter();
    let left_out = |left: &LeftOut| {
        let fields =
            Side::BOTH.map(|side| (side.as_str().to_owned(), json!(left.fields.get(side))));
        json!({"fields": Value::Object(fields.into_iter().collect()), "why": left.why})
    };
    json!({
        "mapping": proposal.name,
        "yaml": proposal.text,
        "rules": rules
            .map(|proposed| json!({"rule": proposed.rule, "why": proposed.why}))
            .collect::<Vec<_>>(),
        "left_out": proposal.left_out.iter().map(left_out).collect::<Vec<_>>(),
    })
}
