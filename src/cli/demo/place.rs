//! Where the demo keeps its store.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// A directory that holds nothing yet.
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
    /// Made by us, so it is ours to remove.
    temporary: bool,
}

impl Place {
    /// Takes the given directory, made if need be, or makes a temporary one.
    ///
    /// # Errors
    /// A directory with something in it: the simulators start empty, so an old store would take
    /// all its records for deleted.
    pub fn choose(given: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = given else {
            return Self::temporary();
        };
        let shown = path.display();
        std::fs::create_dir_all(path).with_context(|| format!("cannot make {shown}"))?;
        let mut inside = std::fs::read_dir(path).with_context(|| format!("cannot read {shown}"))?;
        if inside.next().is_some() {
            bail!("{shown} is not empty; the demo starts anew each time, give an empty directory");
        }
        Ok(Self {
            path: path.to_owned(),
            temporary: false,
        })
    }

    fn temporary() -> anyhow::Result<Self> {
        let parent = std::env::temp_dir();
        for nth in 0..100 {
            let path = parent.join(format!("tandem-demo-{}-{nth}", std::process::id()));
            match std::fs::create_dir(&path) {
                Ok(()) => {
                    return Ok(Self {
                        path,
                        temporary: true,
                    });
                }
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    let shown = path.display();
                    return Err(error).with_context(|| format!("cannot make {shown}"));
                }
            }
        }
        let shown = parent.display();
        bail!("{shown} is full of old demos; remove tandem-demo-* there, or give --data DIR");
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes a temporary directory; keeps one that was given.
    pub fn tidy_up(&self) -> anyhow::Result<()> {
        if !self.temporary {
            return Ok(());
        }
        let shown = self.path.display();
        std::fs::remove_dir_all(&self.path).with_context(|| format!("cannot remove {shown}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_store_is_never_run_against_fresh_simulators() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Place::choose(Some(dir.path())).is_ok());
        std::fs::write(dir.path().join("tandem.db"), "old").unwrap();
        let error = Place::choose(Some(dir.path())).unwrap_err().to_string();
        assert!(error.contains("not empty"), "{error}");
    }

    #[test]
    fn only_our_own_directory_is_removed() {
        let place = Place::choose(None).unwrap();
        place.tidy_up().unwrap();
        assert!(!place.path().exists());
        let dir = tempfile::tempdir().unwrap();
        Place::choose(Some(dir.path())).unwrap().tidy_up().unwrap();
        assert!(dir.path().exists());
    }
}
