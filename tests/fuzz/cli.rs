//! Ids and other words on the command line, by a person who pastes something odd.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use tandem::clock::Clock;
use tandem::store::Store;

use crate::mutate::Shape;
use crate::run::Target;

#[test]
fn no_word_on_the_command_line_breaks_a_command() {
    Target {
        name: "cli",
        shape: Shape::Words,
        cases: 40,
        samples: Vec::new(),
        check,
    }
    .run();
}

/// A store with nothing in it, made once.
fn store() -> &'static PathBuf {
    static STORE: OnceLock<PathBuf> = OnceLock::new();
    STORE.get_or_init(|| {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("fuzz/store");
        drop(std::fs::remove_dir_all(&folder));
        std::fs::create_dir_all(&folder).unwrap();
        let data = folder.join(".tandem");
        std::fs::create_dir_all(&data).unwrap();
        let url = data.join("tandem.db").display().to_string();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap();
        let opened = runtime.block_on(Store::open(&url, Clock::System)).map(drop);
        opened.unwrap_or_else(|error| panic!("the store opens: {error}"));
        folder
    })
}

/// One argument a line.
fn check(input: &[u8]) -> Result<(), String> {
    let words: Vec<&[u8]> = input
        .split(|&byte| byte == b'\n')
        .filter(|word| !word.is_empty() && !word.contains(&0))
        // An argument longer than this is refused by the system itself.
        .map(|word| &word[..word.len().min(100_000)])
        .take(20)
        .collect();
    // These two stay up, or write files of the simulators' own; neither takes an id.
    if words
        .iter()
        .any(|word| matches!(*word, b"demo" | b"sim" | b"sync" | b"plan"))
    {
        return Ok(());
    }
    let output = Command::new(env!("CARGO_BIN_EXE_tandem"))
        .args(words.iter().map(|word| std::ffi::OsStr::from_bytes(word)))
        .env("TANDEM_LOG", "off")
        .current_dir(store())
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    let errors = String::from_utf8_lossy(&output.stderr);
    let Some(code) = output.status.code() else {
        return Err(format!("the program was ended by a signal: {errors}"));
    };
    if errors.contains("panicked") || code > 2 {
        return Err(format!("exit code {code}: {errors}"));
    }
    if code == 1 && errors.lines().count() != 1 && !errors.is_empty() {
        return Err(format!("an error of several lines: {errors}"));
    }
    if errors.chars().any(|c| c.is_control() && c != '\n') {
        return Err(format!("an error steers the terminal: {errors:?}"));
    }
    Ok(())
}
