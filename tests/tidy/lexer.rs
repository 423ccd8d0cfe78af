//! Just enough of Rust's grammar for the rules: code with comments and literals blanked out.
//!
//! Blanked text keeps its length in characters and its line breaks, so a position in the code is a
//! position in the file.

/// A file as the rules read it.
pub struct Source {
    /// The code, one `char` for each of the file, comments and literals as spaces.
    pub code: Vec<char>,
    /// The file itself, for what only a comment or a literal can tell.
    pub text: Vec<char>,
}

impl Source {
    pub fn read(text: &str) -> Self {
        let text: Vec<char> = text.chars().collect();
        let mut code = text.clone();
        let mut at = 0;
        while at < text.len() {
            let end = skipped(&text, at);
            for slot in &mut code[at..end] {
                if *slot != '\n' {
                    *slot = ' ';
                }
            }
            at = end.max(at + 1);
        }
        Self { code, text }
    }

    /// The line a position is on, from 1.
    pub fn line(&self, at: usize) -> usize {
        1 + self.text[..at].iter().filter(|c| **c == '\n').count()
    }

    /// Where `word` stands in the code as a word of its own.
    pub fn words(&self, word: &str) -> Vec<usize> {
        let word: Vec<char> = word.chars().collect();
        let last = self.code.len().saturating_sub(word.len());
        (0..=last)
            .filter(|at| self.code[*at..].starts_with(&word))
            .filter(|at| *at == 0 || !is_word(self.code[at - 1]) || !is_word(word[0]))
            .filter(|at| {
                let after = self.code.get(at + word.len());
                let ends_in_word = word.last().is_some_and(|c| is_word(*c));
                !ends_in_word || after.is_none_or(|c| !is_word(*c))
            })
            .collect()
    }

    /// The first position at or after `at` that is not white space.
    pub fn next(&self, mut at: usize) -> usize {
        while self.code.get(at).is_some_and(|c| c.is_whitespace()) {
            at += 1;
        }
        at
    }

    /// The word at `at`; empty when there is none.
    pub fn word(&self, at: usize) -> String {
        let rest = self.code.get(at..).unwrap_or(&[]);
        rest.iter().take_while(|c| is_word(**c)).collect()
    }

    /// Whether `text` stands at `at`.
    pub fn is(&self, at: usize, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        self.code
            .get(at..)
            .is_some_and(|rest| rest.starts_with(&text))
    }

    /// The position after the bracket that closes the one at `open`.
    pub fn close(&self, open: usize) -> usize {
        let mut depth = 0_usize;
        for (at, c) in self.code.iter().enumerate().skip(open) {
            match c {
                '{' | '(' | '[' => depth += 1,
                '}' | ')' | ']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                return at + 1;
            }
        }
        self.code.len()
    }

    /// The bodies of inline modules as (start, end, is a `#[cfg(test)]` module).
    pub fn inline_modules(&self) -> Vec<(usize, usize, bool)> {
        let mut found = Vec::new();
        for at in self.words("mod") {
            let name = self.next(at + 3);
            let open = self.next(name + self.word(name).chars().count());
            if self.is(open, "{") {
                let line_start = self.code[..at].iter().rposition(|c| *c == ';' || *c == '}');
                let before: String = self.code[line_start.unwrap_or(0)..at].iter().collect();
                found.push((open, self.close(open), before.contains("#[cfg(test)]")));
            }
        }
        found
    }

    /// Whether the position is inside a `#[cfg(test)]` module.
    pub fn is_test(&self, at: usize) -> bool {
        self.inline_modules()
            .iter()
            .any(|(start, end, test)| *test && (*start..*end).contains(&at))
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where the comment or literal that begins at `at` ends; `at` itself when none begins there.
fn skipped(text: &[char], at: usize) -> usize {
    let is = |offset: usize, c: char| text.get(at + offset) == Some(&c);
    let joined = at > 0 && is_word(text[at - 1]);
    match text[at] {
        '/' if is(1, '/') => find(text, at, |rest| rest[0] == '\n'),
        '/' if is(1, '*') => block_comment(text, at),
        '"' => quoted(text, at),
        'r' | 'b' | 'c' if !joined => prefixed(text, at),
        '\'' => character(text, at),
        _ => at,
    }
}

fn find(text: &[char], from: usize, matches: impl Fn(&[char]) -> bool) -> usize {
    (from..text.len())
        .find(|at| matches(&text[*at..]))
        .unwrap_or(text.len())
}

fn block_comment(text: &[char], at: usize) -> usize {
    let mut depth = 0_usize;
    let mut here = at;
    while here < text.len() {
        if text[here..].starts_with(&['/', '*']) {
            depth += 1;
            here += 2;
        } else if text[here..].starts_with(&['*', '/']) {
            depth -= 1;
            here += 2;
            if depth == 0 {
                return here;
            }
        } else {
            here += 1;
        }
    }
    here
}

fn quoted(text: &[char], at: usize) -> usize {
    let mut here = at + 1;
    while here < text.len() && text[here] != '"' {
        here += if text[here] == '\\' { 2 } else { 1 };
    }
    (here + 1).min(text.len())
}

/// Literals with a letter before the quote: `r"…"`, `r#"…"#`, `b"…"`, `br#"…"#`, `b'…'`, `c"…"`.
fn prefixed(text: &[char], at: usize) -> usize {
    let letters = text[at..]
        .iter()
        .take_while(|c| "rbc".contains(**c))
        .count();
    let hashes = text[at + letters..]
        .iter()
        .take_while(|c| **c == '#')
        .count();
    let raw = text[at..at + letters].contains(&'r');
    let open = at + letters + hashes;
    match text.get(open) {
        Some('"') if raw => {
            let close: Vec<char> = std::iter::once('"')
                .chain(std::iter::repeat_n('#', hashes))
                .collect();
            let end = find(text, open + 1, |rest| rest.starts_with(&close));
            (end + close.len()).min(text.len())
        }
        Some('"') if hashes == 0 => quoted(text, open),
        Some('\'') if hashes == 0 && letters == 1 && text[at] == 'b' => character(text, open),
        _ => at,
    }
}

/// A character literal, told from a lifetime by its closing quote.
fn character(text: &[char], at: usize) -> usize {
    if text.get(at + 1) == Some(&'\\') {
        let end = find(text, at + 3, |rest| rest[0] == '\'');
        (end + 1).min(text.len())
    } else if text.get(at + 2) == Some(&'\'') {
        at + 3
    } else {
        at
    }
}
