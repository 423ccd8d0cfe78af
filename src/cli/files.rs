//! Mapping files from disk, or the shipped ones that are part of the program.
//!
//! Reads and bounds what is read; what the files mean is `mapping`'s affair.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::app::MappingFiles;
use crate::mapping::{Fault, Loaded, Severity, SourceFile, load};
use crate::model::WorkspaceId;

use super::output::Advice;

/// Larger than any mapping a person writes; keeps a wrong path from filling the memory.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// More than any workspace has.
const FILES_MAX: usize = 1_000;

const SHIPPED: [(&str, &str); 4] = [
    (
        "mappings/companies.yaml",
        include_str!("../../mappings/companies.yaml"),
    ),
    (
        "mappings/contacts.yaml",
        include_str!("../../mappings/contacts.yaml"),
    ),
    (
        "mappings/deals.yaml",
        include_str!("../../mappings/deals.yaml"),
    ),
    (
        "mappings/leads.yaml",
        include_str!("../../mappings/leads.yaml"),
    ),
];

/// The mappings that come with the program.
pub fn shipped() -> Vec<SourceFile> {
    SHIPPED
        .iter()
        .map(|(path, text)| SourceFile {
            path: (*path).to_owned(),
            text: (*text).to_owned(),
        })
        .collect()
}

/// The files that `paths` name: a folder stands for the `.yaml` and `.yml` files in it, and no
/// path at all for the shipped mappings. A file that cannot be read is a fault like any other.
pub fn read(paths: &[PathBuf]) -> Result<Vec<SourceFile>, Vec<Fault>> {
    if paths.is_empty() {
        return Ok(shipped());
    }
    let (files, mut faults) = texts(paths, FILE_BYTES_MAX);
    if faults.is_empty() {
        Ok(files)
    } else {
        // The readable files are checked all the same, so that all faults are seen at once.
        faults.extend(check(paths, &files).err().unwrap_or_default());
        Err(faults)
    }
}

/// The texts of the files that `paths` name, and a fault for each that cannot be read.
pub fn texts(paths: &[PathBuf], bytes_max: u64) -> (Vec<SourceFile>, Vec<Fault>) {
    let mut files = Vec::new();
    let mut faults = Vec::new();
    for path in paths {
        match expand(path) {
            Ok(found) => {
                for path in found {
                    match read_one(&path, bytes_max) {
                        Ok(file) => files.push(file),
                        Err(why) => faults.push(unreadable(&path, &why)),
                    }
                }
            }
            Err(why) => faults.push(unreadable(path, &why)),
        }
    }
    (files, faults)
}

/// Checks `files` together with the mappings beside them, whose own faults are not reported.
///
/// # Errors
/// The faults of `files`, warnings included, when one of them is an error.
pub fn check(paths: &[PathBuf], files: &[SourceFile]) -> Result<Loaded, Vec<Fault>> {
    let mut all = files.to_vec();
    all.extend(beside(paths, files));
    let asked = |faults: Vec<Fault>| -> Vec<Fault> {
        let named = |fault: &Fault| files.iter().any(|file| file.path == fault.file);
        faults.into_iter().filter(named).collect()
    };
    match load(&all, &BTreeMap::new()) {
        Ok(mut loaded) => {
            let named: BTreeSet<String> = files.iter().filter_map(mapping_name).collect();
            if named.len() == files.len() {
                loaded
                    .mappings
                    .retain(|mapping| named.contains(mapping.name.as_str()));
            }
            loaded.warnings = asked(loaded.warnings);
            Ok(loaded)
        }
        Err(faults) => Err(asked(faults)),
    }
}

/// Other mappings that the named files may refer to: those beside them, then the shipped ones.
/// A file whose mapping is among the named ones already is left out.
fn beside(paths: &[PathBuf], files: &[SourceFile]) -> Vec<SourceFile> {
    let mut names: BTreeSet<String> = files.iter().filter_map(mapping_name).collect();
    let folders: BTreeSet<&Path> = paths
        .iter()
        .filter(|path| path.is_file())
        .filter_map(|path| path.parent())
        .map(|folder| {
            if folder.as_os_str().is_empty() {
                Path::new(".")
            } else {
                folder
            }
        })
        .collect();
    if folders.is_empty() {
        return Vec::new();
    }
    let near = folders
        .iter()
        .flat_map(|folder| expand(folder).unwrap_or_default());
    near.filter_map(|path| read_one(&path, FILE_BYTES_MAX).ok())
        .chain(shipped())
        .filter(|file| mapping_name(file).is_some_and(|name| names.insert(name)))
        .collect()
}

fn mapping_name(file: &SourceFile) -> Option<String> {
    file.mapping_name().map(str::to_owned)
}

/// The files that only one workspace has: those in `<folder>/<customer>/<environment>`.
fn of_workspaces(folder: &Path) -> Result<BTreeMap<WorkspaceId, Vec<SourceFile>>, Vec<Fault>> {
    let mut own = BTreeMap::new();
    let mut faults = Vec::new();
    for customer in folders_in(folder) {
        for path in folders_in(&customer) {
            let name = |path: &Path| path.file_name()?.to_str().map(str::to_owned);
            let id = name(&customer)
                .zip(name(&path))
                .and_then(|(customer, environment)| {
                    WorkspaceId::parse(&format!("{customer}/{environment}"))
                });
            match id {
                Some(id) => {
                    let (files, unread) = texts(std::slice::from_ref(&path), FILE_BYTES_MAX);
                    own.insert(id, files);
                    faults.extend(unread);
                }
                None => faults.push(unreadable(&path, "its folders name no workspace")),
            }
        }
    }
    if faults.is_empty() {
        Ok(own)
    } else {
        Err(faults)
    }
}

/// The folders in a folder, apart from the one with test cases.
fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_case = |path: &PathBuf| path.file_name().is_some_and(|name| name == "tests");
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.is_dir() && !is_case(path))
        .collect();
    found.sort();
    found
}

/// The files of a folder, and those that its workspaces have of their own; without a folder the
/// shipped ones.
pub fn with_workspaces(folder: Option<&Path>) -> Result<MappingFiles, Vec<Fault>> {
    let paths: Vec<PathBuf> = folder.map(Path::to_path_buf).into_iter().collect();
    Ok(MappingFiles {
        shared: read(&paths)?,
        own: folder.map_or_else(|| Ok(BTreeMap::new()), of_workspaces)?,
    })
}

/// Loads the mappings a run works with.
///
/// # Errors
/// The first fault and how many there are; `tandem check` shows them all.
pub fn mappings(folder: Option<&Path>) -> anyhow::Result<Loaded> {
    let paths: Vec<PathBuf> = folder.map(Path::to_path_buf).into_iter().collect();
    let loaded = read(&paths).and_then(|files| load(&files, &BTreeMap::new()));
    loaded.map_err(|faults| {
        let named = folder.map_or_else(String::new, |path| format!(" {}", path.display()));
        faults_error(&faults, &format!("`tandem check{named}` lists them all"))
    })
}

/// All faults as one line: how many, and the first of them.
pub fn faults_error(faults: &[Fault], todo: &str) -> anyhow::Error {
    let is_error = |fault: &&Fault| fault.severity == Severity::Error;
    let count = faults.iter().filter(is_error).count();
    let first = faults
        .iter()
        .find(is_error)
        .map(ToString::to_string)
        .unwrap_or_default();
    let what = format!("the mappings have {count} fault(s), the first: {first}");
    Advice::new(what, todo).into()
}

fn expand(path: &Path) -> Result<Vec<PathBuf>, String> {
    if !path.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path).map_err(|error| error.to_string())? {
        let path = entry.map_err(|error| error.to_string())?.path();
        if path
            .extension()
            .is_some_and(|end| end == "yaml" || end == "yml")
        {
            found.push(path);
        }
        if found.len() > FILES_MAX {
            return Err(format!("more than {FILES_MAX} mapping files in one folder"));
        }
    }
    found.sort();
    if found.is_empty() {
        return Err("no .yaml files in this folder".to_owned());
    }
    Ok(found)
}

pub fn read_one(path: &Path, bytes_max: u64) -> Result<SourceFile, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    file.take(bytes_max + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > bytes_max {
        return Err(format!("larger than {bytes_max} bytes"));
    }
    let text = String::from_utf8(bytes).map_err(|_| "not UTF-8 text".to_owned())?;
    Ok(SourceFile {
        path: path.display().to_string(),
        text,
    })
}

fn unreadable(path: &Path, why: &str) -> Fault {
    Fault {
        severity: Severity::Error,
        file: path.display().to_string(),
        line: 1,
        column: 1,
        text: String::new(),
        message: format!("cannot be read: {why}"),
        suggestion: None,
    }
}
