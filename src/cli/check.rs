//! `tandem check`: every fault of the mapping files, at once, before anything runs.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use crate::config::{Credentials, Environment};
use crate::mapping::{Fault, Loaded, Severity, SourceFile, bind};

use super::output::{Outcome, Output};
use super::{engine, files};

#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Mapping files or folders of them; the shipped mappings when left out.
    files: Vec<PathBuf>,
    /// Also check against the schemas and permissions of both CRMs.
    #[arg(long)]
    live: bool,
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
    let faults = match found {
        Ok(loaded) if args.live => live(&loaded, environment).await?,
        Ok(loaded) => loaded.warnings,
        Err(faults) => faults,
    };
    let failed = report(&files, &faults, output);
    Ok(if failed {
        Outcome::Failed
    } else {
        Outcome::Done
    })
}

/// Joins the mappings to what both CRMs say about themselves.
async fn live(loaded: &Loaded, environment: &Environment) -> anyhow::Result<Vec<Fault>> {
    let credentials = Credentials::read(environment)?;
    let schemas = engine::live_schemas(&credentials, &loaded.mappings).await?;
    let mut faults = loaded.warnings.clone();
    for mapping in &loaded.mappings {
        match bind(mapping, &schemas) {
            Ok(bound) => faults.extend(bound.warnings().iter().cloned()),
            Err(found) => faults.extend(found),
        }
    }
    Ok(faults)
}

/// Prints the faults in the order of the files; true when one of them is an error.
fn report(files: &[SourceFile], faults: &[Fault], output: &Output) -> bool {
    let count = |severity: Severity| faults.iter().filter(|f| f.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let object = json!({
        "files": files.iter().map(|file| &file.path).collect::<Vec<_>>(),
        "errors": errors,
        "warnings": warnings,
        "faults": faults.iter().map(fault_json).collect::<Vec<_>>(),
    });
    output.answer(&object, || {
        let mut text: String = faults.iter().map(|fault| format!("{fault}\n")).collect();
        let verdict = match (errors, warnings) {
            (0, 0) => format!("{} mapping file(s), no faults\n", files.len()),
            _ => format!("{errors} error(s), {warnings} warning(s)\n"),
        };
        text.push_str(&verdict);
        text
    });
    errors > 0
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
