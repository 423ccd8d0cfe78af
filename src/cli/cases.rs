//! `tandem test`: plays the cases beside the mapping files, tries the laws, and compares revisions.
//!
//! Files are read and written here; what comes of a case is `crate::cases`' affair.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::app;
use crate::cases::{
    self, Behaviour, Compared, Recorded, Suite, compare, laws, play, read_schemas, rewrite,
};
use crate::mapping::{Fault, References, SourceFile};
use crate::model::{LinkState, Schemas, Side};
use crate::pipeline::Site;
use crate::store::LinkFilter;

use super::arguments::DataArgs;
use super::cases_report::{Played, Report};
use super::data::Data;
use super::output::{Advice, Outcome, Output};
use super::plan::save;
use super::{check, files};

/// Case files may be larger than mapping files.
const CASE_BYTES_MAX: u64 = 8 << 20;
const SCHEMA_BYTES_MAX: u64 = 64 << 20;
/// Pairs of one mapping that are read from a store to compare revisions on.
const RECORDED: u32 = 500;

/// The folder of the cases, inside the folder of the mapping files.
const CASES: &str = "tests";
/// Beside the cases: what both CRMs say of their objects.
const SCHEMAS: &str = "schemas.json";

const SHIPPED_SCHEMAS: &str = include_str!("../../mappings/tests/schemas.json");
const SHIPPED_CASES: [(&str, &str); 4] = [
    (
        "mappings/tests/companies.yaml",
        include_str!("../../mappings/tests/companies.yaml"),
    ),
    (
        "mappings/tests/contacts.yaml",
        include_str!("../../mappings/tests/contacts.yaml"),
    ),
    (
        "mappings/tests/deals.yaml",
        include_str!("../../mappings/tests/deals.yaml"),
    ),
    (
        "mappings/tests/leads.yaml",
        include_str!("../../mappings/tests/leads.yaml"),
    ),
];

#[derive(Debug, Args)]
pub struct TestArgs {
    /// Folder of mapping files, with the cases in its folder `tests`; the shipped ones when left
    /// out.
    folder: Option<PathBuf>,
    /// Case files or folders of them, in place of the folder `tests`.
    #[arg(long, value_name = "PATH")]
    cases: Vec<PathBuf>,
    /// What both CRMs say of their objects, as `check --live --keep FILE` wrote it. When left out,
    /// `tests/schemas.json`, or else the standard objects.
    #[arg(long, value_name = "FILE")]
    schemas: Option<PathBuf>,
    /// Writes what came of the cases into their files, as what is expected from now on.
    #[arg(long, conflicts_with = "against", requires = "folder")]
    update: bool,
    /// Another revision of the mapping files: shows which records and values behave differently.
    #[arg(long, value_name = "DIR")]
    against: Option<PathBuf>,
    /// With --against: tries the pairs of this store as well.
    #[arg(long, value_name = "DIR", requires = "against")]
    data: Option<PathBuf>,
    /// Lists every case, and every value that comes back changed.
    #[arg(long)]
    all: bool,
}

pub async fn run(args: TestArgs, output: &Output) -> anyhow::Result<Outcome> {
    let schemas = schemas(&args)?;
    let site = app::stage(
        &files::mappings(args.folder.as_deref())?.mappings,
        schemas.clone(),
    )
    .await;
    let site = site.map_err(misfit)?;
    let texts = match texts(&args) {
        Ok(texts) => texts,
        Err(faults) => return Ok(refuse(&[], &faults, output)),
    };
    let suites = match suites(&texts, &site) {
        Ok(suites) => suites,
        Err(faults) => return Ok(refuse(&texts, &faults, output)),
    };
    let played: Vec<Played> = suites.iter().map(|suite| play_all(&site, suite)).collect();
    if args.update {
        return update(&site, &texts, &suites, &played, output);
    }
    let mut report = Report::new(played, args.all);
    for (name, bound) in &site.mappings {
        report.laws.push((name.clone(), laws(bound)));
        let rules = bound.mapping().rules.iter().map(|rule| rule.name.clone());
        report.cover(name, rules.collect());
    }
    if let Some(folder) = &args.against {
        let compared = differ(&args, folder, &site, (&texts, &suites), schemas).await?;
        report.compared = Some((folder.display().to_string(), compared));
    }
    output.answer(&report.json(), || report.text());
    Ok(report.outcome())
}

fn misfit(error: app::SetupError) -> anyhow::Error {
    match error {
        app::SetupError::Mappings(faults) => files::faults_error(
            &faults,
            "keep what your CRMs say with `tandem check --live --keep FILE` and name the file with \
             --schemas, or mend the mapping",
        ),
        error => error.into(),
    }
}

/// The file that is named, the one beside the cases, or the standard objects.
fn schemas(args: &TestArgs) -> anyhow::Result<Schemas> {
    let beside = args
        .folder
        .as_ref()
        .map(|folder| folder.join(CASES).join(SCHEMAS));
    let path = args.schemas.clone().or(beside.filter(|path| path.exists()));
    let todo = "make one with `tandem check --live --keep FILE`";
    let Some(path) = path else {
        return Ok(read_schemas(SHIPPED_SCHEMAS)?);
    };
    let refuse = |why: String| Advice::new(format!("{}: {why}", path.display()), todo);
    let file = files::read_one(&path, SCHEMA_BYTES_MAX).map_err(refuse)?;
    Ok(read_schemas(&file.text).map_err(|error| refuse(error.to_string()))?)
}

/// The case files, or the shipped ones with the shipped mappings.
fn texts(args: &TestArgs) -> Result<Vec<SourceFile>, Vec<Fault>> {
    let paths = match (&args.folder, args.cases.is_empty()) {
        (None, true) => return Ok(shipped()),
        (Some(folder), true) if folder.join(CASES).exists() => vec![folder.join(CASES)],
        // Laws and coverage are worth a look even where nobody has written a case.
        (Some(_), true) => return Ok(Vec::new()),
        (_, false) => args.cases.clone(),
    };
    let (texts, faults) = files::texts(&paths, CASE_BYTES_MAX);
    if faults.is_empty() {
        Ok(texts)
    } else {
        Err(faults)
    }
}

fn shipped() -> Vec<SourceFile> {
    let files = SHIPPED_CASES.iter();
    files
        .map(|(path, text)| SourceFile {
            path: (*path).to_owned(),
            text: (*text).to_owned(),
        })
        .collect()
}

/// Reads all files, and gives all faults of all of them.
fn suites(texts: &[SourceFile], site: &Site) -> Result<Vec<Suite>, Vec<Fault>> {
    let mut suites = Vec::new();
    let mut faults = Vec::new();
    for file in texts {
        match cases::read(file, &site.mappings) {
            Ok(suite) => suites.push(suite),
            Err(mut more) => faults.append(&mut more),
        }
    }
    if faults.is_empty() {
        Ok(suites)
    } else {
        Err(faults)
    }
}

fn refuse(texts: &[SourceFile], faults: &[Fault], output: &Output) -> Outcome {
    check::report(texts, faults, &[], output);
    Outcome::Failed
}

fn play_all(site: &Site, suite: &Suite) -> Played {
    let cases = suite.cases.iter().map(|case| {
        let came = match site.mappings.get(&suite.mapping) {
            Some(bound) => play(site, bound, case.given(bound)),
            // A suite is read for a mapping that is there.
            None => cases::Came::default(),
        };
        (case.clone(), came)
    });
    Played {
        path: suite.path.clone(),
        mapping: suite.mapping.clone(),
        cases: cases.collect(),
    }
}

/// Writes the expectations that do not fit, and makes sure that the file then reads as meant.
fn update(
    site: &Site,
    texts: &[SourceFile],
    suites: &[Suite],
    played: &[Played],
    output: &Output,
) -> anyhow::Result<Outcome> {
    let mut changed = Vec::new();
    for ((file, suite), played) in texts.iter().zip(suites).zip(played) {
        let new: Vec<Option<Behaviour>> = played.new_expectations();
        let count = new.iter().flatten().count();
        if count == 0 {
            continue;
        }
        let place = &file.path;
        let text = rewrite(&file.text, suite, &new).map_err(|case| {
            let what =
                format!("{place}: case `{case}` is written on one line; nothing was changed");
            Advice::new(what, "give each key of the case a line of its own")
        })?;
        let again = SourceFile {
            path: place.clone(),
            text: text.clone(),
        };
        let meant = cases::read(&again, &site.mappings).is_ok_and(|suite| {
            play_all(site, &suite)
                .new_expectations()
                .iter()
                .all(Option::is_none)
        });
        if !meant {
            let what = format!("{place} cannot be rewritten safely; nothing was changed");
            return Err(Advice::new(what, "write what is expected by hand").into());
        }
        save(Path::new(place), &text)?;
        changed.push((place.clone(), count));
    }
    let object = serde_json::json!({
        "updated": changed
            .iter()
            .map(|(file, cases)| serde_json::json!({"file": file, "cases": cases}))
            .collect::<Vec<_>>(),
    });
    output.answer(&object, || match changed.is_empty() {
        true => "Every case is as expected; no file was changed.\n".to_owned(),
        false => changed
            .iter()
            .map(|(file, count)| {
                format!("{file}: {count} expectation(s) written; look at the diff\n")
            })
            .collect(),
    });
    Ok(Outcome::Done)
}

/// Plays everything under both revisions.
async fn differ(
    args: &TestArgs,
    folder: &Path,
    now: &Site,
    (texts, suites_now): (&[SourceFile], &[Suite]),
    schemas: Schemas,
) -> anyhow::Result<Compared> {
    let then = app::stage(&files::mappings(Some(folder))?.mappings, schemas).await;
    let then = then.map_err(misfit)?;
    let both = |suite: &&Suite| then.mappings.contains_key(&suite.mapping);
    let of_both: Vec<Suite> = suites_now.iter().filter(both).cloned().collect();
    let files = texts.iter().zip(suites_now);
    let files: Vec<SourceFile> = files
        .filter(|(_, suite)| both(suite))
        .map(|(file, _)| file.clone())
        .collect();
    let before = suites(&files, &then).map_err(|faults| {
        files::faults_error(
            &faults,
            "the other revision does not have what this case names; take the case out, or compare \
             with a later revision",
        )
    })?;
    let recorded = match &args.data {
        Some(data) => recorded(data, now).await?,
        None => Vec::new(),
    };
    Ok(compare((now, &of_both), (&then, &before), &recorded))
}

/// Pairs of a store, with what both sides held when they last agreed.
async fn recorded(folder: &Path, site: &Site) -> anyhow::Result<Vec<Recorded>> {
    let data = Data::open_to_read(&DataArgs {
        data: folder.to_path_buf(),
    })
    .await?;
    let found = async {
        let (store, ws) = (&data.store, &data.workspace);
        let mut recorded = Vec::new();
        for (name, bound) in &site.mappings {
            let filter = LinkFilter {
                mapping: Some(name.clone()),
                state: Some(LinkState::Linked),
            };
            let links = store.links_page(ws, &filter, None, RECORDED).await?;
            let ids: Vec<_> = links.iter().map(|link| link.id.clone()).collect();
            let mut bases = store.bases(ws, &ids).await?;
            let pairs = links.into_iter().filter_map(|link| {
                let id = |id: &Option<_>| id.as_ref().map_or("?".to_owned(), ToString::to_string);
                let object = |side| bound.object(side);
                Some(Recorded {
                    mapping: name.clone(),
                    name: format!(
                        "{} {} and {} {}",
                        object(Side::HubSpot),
                        id(&link.records.hubspot),
                        object(Side::Salesforce),
                        id(&link.records.salesforce)
                    ),
                    bases: bases.remove(&link.id)?,
                    references: References::default(),
                })
            });
            recorded.extend(pairs);
        }
        Ok::<_, anyhow::Error>(recorded)
    }
    .await;
    data.close().await;
    found
}
