//! `tandem check`: every fault of the mapping files, at once, before anything runs.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use crate::cases::keep_schemas;
use crate::config::{Credentials, Environment};
use crate::mapping::{Fault, Lack, Loaded, Severity, SourceFile, bind, lacks};

use super::output::{Outcome, Output};
use super::plan::save;
use super::{engine, files};

#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Mapping files or folders of them; the shipped mappings when left out.
    files: Vec<PathBuf>,
    /// Also check against the schemas and permissions of both CRMs.
    #[arg(long)]
    live: bool,
    /// With --live: keeps what both CRMs say of the objects in this file, owners included, so that
    /// `tandem test` needs no network.
    #[arg(long, value_name = "FILE", requires = "live")]
    keep: Option<PathBuf>,
}

pub async fn run(
    args: CheckArgs,
    environment: &Environment,
    output: &Output,
) -> anyhow::Result<Outcome> {
    let (files, found) = match files::read(&args.files) {
        Ok(files) => {
            let found = files::check(&args.files, &files);
            (files, found)
        }
        Err(faults) => (Vec::new(), Err(faults)),
    };
    let (faults, missing) = match found {
        Ok(loaded) if args.live => live(&loaded, environment, args.keep.as_deref()).await?,
        Ok(loaded) => (loaded.warnings, Vec::new()),
        Err(faults) => (faults, Vec::new()),
    };
    let failed = report(&files, &faults, &missing, output);
    Ok(if failed {
        Outcome::Failed
    } else {
        Outcome::Done
    })
}

/// Joins the mappings to what both CRMs say about themselves.
async fn live(
    loaded: &Loaded,
    environment: &Environment,
    keep: Option<&Path>,
) -> anyhow::Result<(Vec<Fault>, Vec<Lack>)> {
    let credentials = Credentials::read(environment)?;
    let schemas = engine::live_schemas(&credentials, &loaded.mappings).await?;
    if let Some(path) = keep {
        save(path, &keep_schemas(&schemas))?;
    }
    let mut faults = loaded.warnings.clone();
    for mapping in &loaded.mappings {
        match bind(mapping, &schemas) {
            Ok(bound) => faults.extend(bound.warnings().iter().cloned()),
            Err(found) => faults.extend(found),
        }
    }
    Ok((faults, lacks(&loaded.mappings, &schemas)))
}

/// Prints what the CRMs lack and the faults in the order of the files; true when a run would be
/// refused for any of it.
pub fn report(files: &[SourceFile], faults: &[Fault], missing: &[Lack], output: &Output) -> bool {
    let count = |severity: Severity| faults.iter().filter(|f| f.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let object = json!({
        "files": files.iter().map(|file| &file.path).collect::<Vec<_>>(),
        "errors": errors,
        "warnings": warnings,
        "missing": missing.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "faults": faults.iter().map(fault_json).collect::<Vec<_>>(),
    });
    output.answer(&object, || {
        let lines = missing.iter().map(|lack| format!("missing: {lack}\n"));
        let lines = lines.chain(faults.iter().map(|fault| format!("{fault}\n")));
        let mut text: String = lines.collect();
        let verdict = match (errors, warnings, missing.len()) {
            (0, 0, 0) => format!("{} mapping file(s), no faults\n", files.len()),
            (_, _, 0) => format!("{errors} error(s), {warnings} warning(s)\n"),
            (_, _, lacks) => format!("{errors} error(s), {warnings} warning(s), {lacks} missing\n"),
        };
        text.push_str(&verdict);
        text
    });
    errors > 0 || !missing.is_empty()
}

fn fault_json(fault: &Fault) -> Value {
    let severity = match fault.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    json!({
        "severity": severity,
        "file": fault.file,
        "line": fault.line,
        "column": fault.column,
        "text": fault.text,
        "message": fault.message,
        "suggestion": fault.suggestion,
    })
}
