//! Mapping files of all workspaces, and those that only one of them has.

use std::collections::{BTreeMap, BTreeSet};

use crate::mapping::{self, Fault, Loaded, SourceFile};
use crate::model::{Workspace, WorkspaceId};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MappingFiles {
    pub shared: Vec<SourceFile>,
    /// A mapping of a workspace's own stands in the place of the shared one with its name.
    pub own: BTreeMap<WorkspaceId, Vec<SourceFile>>,
}

impl MappingFiles {
    pub fn shared(files: Vec<SourceFile>) -> Self {
        Self {
            shared: files,
            own: BTreeMap::new(),
        }
    }

    /// The mappings of one workspace, by its files and variables.
    pub fn load(&self, workspace: &Workspace) -> Result<Loaded, Vec<Fault>> {
        let Some(own) = self.own.get(&workspace.id) else {
            return mapping::load(&self.shared, &workspace.vars);
        };
        let names: BTreeSet<&str> = own.iter().filter_map(SourceFile::mapping_name).collect();
        let replaced =
            |file: &&SourceFile| file.mapping_name().is_some_and(|name| names.contains(name));
        let kept = self.shared.iter().filter(|file| !replaced(file));
        let files: Vec<SourceFile> = kept.chain(own).cloned().collect();
        mapping::load(&files, &workspace.vars)
    }
}
