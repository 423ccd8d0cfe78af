//! How large things may be, and that each file says what it is.

use super::Fault;
use super::lexer::Source;

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_COLUMNS_MAX: usize = 100;

pub fn check(path: &str, text: &str, source: &Source) -> Vec<Fault> {
    let mut faults = Vec::new();
    let lines = text.lines().count();
    if lines > FILE_LINES_MAX {
        let said = format!("{lines} lines; split it where it has two reasons to change");
        faults.push(Fault::new("file-length", path, lines, said));
    }
    for (index, line) in text.lines().enumerate() {
        let columns = line.chars().count();
        if columns > LINE_COLUMNS_MAX {
            let said = format!("{columns} columns, at most {LINE_COLUMNS_MAX}");
            faults.push(Fault::new("line-width", path, index + 1, said));
        }
    }
    if !text.starts_with("//!") {
        let said = "begin with a `//!` comment: what this is, what may live here";
        faults.push(Fault::new("module-doc", path, 1, said));
    }
    faults.extend(long_functions(path, source));
    faults
}

fn long_functions(path: &str, source: &Source) -> Vec<Fault> {
    let mut faults = Vec::new();
    for at in source.words("fn") {
        let name = source.word(source.next(at + 2));
        let Some(open) = body(source, at).filter(|_| !name.is_empty()) else {
            continue;
        };
        let lines = source.line(source.close(open) - 1) - source.line(at) + 1;
        if lines > FUNCTION_LINES_MAX {
            let said = format!("`{name}` has {lines} lines, at most {FUNCTION_LINES_MAX}");
            faults.push(Fault::new("function-length", path, source.line(at), said));
        }
    }
    faults
}

/// Where the body of the function at `at` opens; none for a declaration.
fn body(source: &Source, at: usize) -> Option<usize> {
    let mut here = at;
    loop {
        match source.code.get(here)? {
            '{' => return Some(here),
            ';' => return None,
            '(' | '[' => here = source.close(here),
            _ => here += 1,
        }
    }
}
