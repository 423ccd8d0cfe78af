//! A folder that is ours for the length of one run, and gone afterwards.
//!
//! It may hold a copy of customers' data, so nobody else may look into it.

use std::fs;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

/// Names tried before the place for temporary files counts as unusable.
const NAMES: u32 = 100;

/// The folder; dropping this removes it with all it holds.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// # Errors
    /// When the system's place for temporary files takes no new folder.
    pub fn make() -> Result<Self, Error> {
        let parent = std::env::temp_dir();
        let mut last = None;
        for nth in 0..NAMES {
            let path = parent.join(format!("tandem-{}-{nth}", std::process::id()));
            match private().create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => last = Some(error),
                Err(error) => {
                    last = Some(error);
                    break;
                }
            }
        }
        let last = last.unwrap_or_else(|| ErrorKind::Other.into());
        let what = format!("cannot make a folder in {}: {last}", parent.display());
        Err(Error::new(last.kind(), what))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "cannot remove");
        }
    }
}

fn private() -> fs::DirBuilder {
    #[cfg_attr(not(unix), allow(unused_mut, reason = "only Unix has modes"))]
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_at_once_are_apart_and_leave_nothing_behind() {
        let (one, two) = (Scratch::make().unwrap(), Scratch::make().unwrap());
        assert_ne!(one.path(), two.path());
        fs::write(one.path().join("copy.db"), "x").unwrap();
        let paths = [one.path().to_owned(), two.path().to_owned()];
        drop((one, two));
        assert!(paths.iter().all(|path| !path.exists()));
    }
}
