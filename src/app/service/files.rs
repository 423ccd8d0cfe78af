//! Which mapping texts count in a workspace: the files of all, those of its folder, and what was
//! set for it. A later one stands in the place of an earlier one of its name.

use std::collections::{BTreeMap, BTreeSet};

use crate::mapping::{self, Fault, Loaded, SourceFile};
use crate::model::{Workspace, WorkspaceId};
use crate::store::SetMapping;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MappingFiles {
    pub shared: Vec<SourceFile>,
    /// A mapping of a workspace's own stands in the place of the shared one with its name.
    pub own: BTreeMap<WorkspaceId, Vec<SourceFile>>,
}

/// Where a mapping's text comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The folder that all workspaces share.
    Shared,
    /// The workspace's own folder.
    Folder,
    /// Somebody set it.
    Set,
}

impl Origin {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Folder => "folder",
            Self::Set => "set",
        }
    }
}

impl MappingFiles {
    pub fn shared(files: Vec<SourceFile>) -> Self {
        Self {
            shared: files,
            own: BTreeMap::new(),
        }
    }

    /// The mappings of a workspace if `set` is what was set for it.
    pub fn load(&self, workspace: &Workspace, set: &[SetMapping]) -> Result<Loaded, Vec<Fault>> {
        let texts = self.of(&workspace.id, set).into_iter();
        let files: Vec<SourceFile> = texts.map(|(_, file)| file).collect();
        mapping::load_with(&files, &workspace.vars, &workspace.owners)
    }

    /// The mappings that all share, read with the workspace's variables and owners.
    pub fn load_shared(&self, workspace: &Workspace) -> Result<Loaded, Vec<Fault>> {
        mapping::load_with(&self.shared, &workspace.vars, &workspace.owners)
    }

    /// The texts that count in a workspace, given what was set for it.
    pub fn of(&self, ws: &WorkspaceId, set: &[SetMapping]) -> Vec<(Origin, SourceFile)> {
        let own = self.own.get(ws).map_or(&[][..], Vec::as_slice);
        let set: Vec<SourceFile> = set.iter().map(source).collect();
        let layers = [
            (Origin::Set, set.as_slice()),
            (Origin::Folder, own),
            (Origin::Shared, self.shared.as_slice()),
        ];
        let mut taken: BTreeSet<String> = BTreeSet::new();
        let mut texts = Vec::new();
        for (origin, files) in layers {
            let name = |file: &SourceFile| file.mapping_name().map(str::to_owned);
            let free = |file: &&SourceFile| name(file).is_none_or(|name| !taken.contains(&name));
            let counts: Vec<SourceFile> = files.iter().filter(free).cloned().collect();
            taken.extend(counts.iter().filter_map(name));
            texts.extend(counts.into_iter().map(|file| (origin, file)));
        }
        texts
    }
}

fn source(set: &SetMapping) -> SourceFile {
    SourceFile {
        path: set.name.as_str().to_owned(),
        text: set.text.clone(),
    }
}
