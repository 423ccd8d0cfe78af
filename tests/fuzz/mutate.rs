//! Makes hostile input out of sound samples, along the seams that the format has.
//!
//! Everything stays text: a tree could hold no key twice, no cut body and no number that is none.

use std::ops::Range;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// Larger inputs find nothing more here; the named tests make the really large ones.
const LONGEST: usize = 256 * 1024;

/// What a piece of the input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// JSON values, perhaps several among other text.
    Json,
    /// Lines, and what stands behind `: `.
    Lines,
    /// Words, quoted texts and single marks.
    Words,
}

#[derive(Clone, Debug)]
pub struct Step {
    kind: u8,
    at: Index,
    with: Index,
}

/// A recipe: which sample, and what is done to it. Shrinks towards the untouched sample.
#[derive(Clone, Debug)]
pub struct Recipe {
    sample: Index,
    steps: Vec<Step>,
}

pub fn recipes() -> impl Strategy<Value = Recipe> {
    let step = (any::<u8>(), any::<Index>(), any::<Index>()).prop_map(|(kind, at, with)| Step {
        kind,
        at,
        with,
    });
    (any::<Index>(), vec(step, 0..7)).prop_map(|(sample, steps)| Recipe { sample, steps })
}

impl Recipe {
    pub fn cook(&self, shape: Shape, samples: &[Vec<u8>]) -> Vec<u8> {
        let mut text = self.sample.get(samples).clone();
        for step in &self.steps {
            step.apply(shape, samples, &mut text);
            text.truncate(LONGEST);
        }
        text
    }
}

const HOSTILE: [&str; 44] = [
    "null",
    "true",
    "0",
    "-1",
    "1e999999999",
    "1e-999999999",
    "1.7976931348623157e309",
    "123456789012345678901234567890",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551616",
    "0.1",
    "01",
    "\"\"",
    "\"\\ud800\"",
    "\"\\u0000\"",
    "\"1e999999999\"",
    "\"+262142-01-01T00:00:00Z\"",
    "\"-262143-01-01T00:00:00.0+0000\"",
    "\"9999-12-31T23:59:60Z\"",
    "\"253402300799999\"",
    "\"../../../secret\"",
    "\"a;b;;c\"",
    "\"' OR Id != '\"",
    "\"\\\\\"",
    "{}",
    "[]",
    "[[]]",
    "{\"id\":\"1\"}",
    "{\"\":{\"\":{}}}",
    "*a",
    "&a",
    "!!binary",
    "~",
    "${vars.x}",
    "`${",
    "'",
    "\"",
    "\\",
    "#",
    "\u{feff}",
    "\u{202e}\u{301}\u{1f468}\u{200d}\u{1f469}",
    "\u{0}",
    "--",
];

const AROUND: [(&str, &str); 7] = [
    ("[", "]"),
    ("{\"a\":", "}"),
    ("(", ")"),
    ("`${", "}`"),
    ("!", ""),
    ("- ", ""),
    ("NOT ", ""),
];

const DEPTHS: [usize; 5] = [1, 3, 40, 200, 6_000];

impl Step {
    fn apply(&self, shape: Shape, samples: &[Vec<u8>], text: &mut Vec<u8>) {
        let pieces = pieces(shape, text);
        let here = pick(self.at, &pieces);
        let there = pick(self.with, &pieces);
        let hostile = HOSTILE[self.with.index(HOSTILE.len())].as_bytes();
        match self.kind % 12 {
            0 | 1 => replace(text, here, hostile),
            2 => {
                let mut twice = text[here.clone()].to_vec();
                if shape == Shape::Json {
                    twice.push(b',');
                }
                insert(text, here.start, &twice);
            }
            3 => replace(text, here, b""),
            4 => {
                let other = text[there].to_vec();
                replace(text, here, &other);
            }
            5 | 6 => {
                let donor = self.with.get(samples);
                let theirs = pieces_of(shape, donor, self.at);
                replace(text, here, theirs);
            }
            7 => {
                let (open, close) = AROUND[self.with.index(AROUND.len())];
                let depth = DEPTHS[self.at.index(DEPTHS.len())];
                insert(text, here.end, close.repeat(depth).as_bytes());
                insert(text, here.start, open.repeat(depth).as_bytes());
            }
            8 => {
                if !text.is_empty() {
                    let at = self.at.index(text.len());
                    text[at] ^= 1 << self.with.index(8);
                }
            }
            9 => {
                let end = self.at.index(text.len() + 1);
                text.truncate(end);
            }
            10 => insert(text, self.at.index(text.len() + 1), hostile),
            _ => {
                let piece = text[here.clone()].to_vec();
                let times = (20_000 / piece.len().max(1)).min(DEPTHS[self.with.index(5)]);
                insert(text, here.end, &piece.repeat(times));
            }
        }
    }
}

fn pick(index: Index, pieces: &[Range<usize>]) -> Range<usize> {
    if pieces.is_empty() {
        return 0..0;
    }
    index.get(pieces).clone()
}

fn pieces_of(shape: Shape, text: &[u8], index: Index) -> &[u8] {
    &text[pick(index, &pieces(shape, text))]
}

fn replace(text: &mut Vec<u8>, range: Range<usize>, with: &[u8]) {
    drop(text.splice(range, with.iter().copied()));
}

fn insert(text: &mut Vec<u8>, at: usize, with: &[u8]) {
    replace(text, at..at, with);
}

fn pieces(shape: Shape, text: &[u8]) -> Vec<Range<usize>> {
    match shape {
        Shape::Json => values(text),
        Shape::Lines => lines(text),
        Shape::Words => words(text),
    }
}

fn lines(text: &[u8]) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        let end = start + line.len();
        out.push(start..end);
        if let Some(at) = line.windows(2).position(|pair| pair == b": ") {
            out.push(start + at + 2..end - usize::from(line.ends_with(b"\n")));
        }
        start = end;
    }
    out
}

fn words(text: &[u8]) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let start = at;
        if matches!(text[at], b'"' | b'\'' | b'`') {
            at = quoted(text, at);
        } else if is_word(text[at]) {
            while at < text.len() && is_word(text[at]) {
                at += 1;
            }
        } else {
            at += 1;
        }
        out.push(start..at);
    }
    out
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// The end of the quoted text that begins at `at`.
fn quoted(text: &[u8], at: usize) -> usize {
    let mark = text[at];
    let mut end = at + 1;
    while end < text.len() {
        match text[end] {
            b'\\' => end += 2,
            byte if byte == mark => return end + 1,
            _ => end += 1,
        }
    }
    text.len()
}

/// Every JSON value, and every member of an object with its key.
fn values(text: &[u8]) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let mut open: Vec<(usize, Option<usize>)> = Vec::new();
    let mut key: Option<usize> = None;
    let mut at = 0;
    while at < text.len() {
        let start = at;
        match text[at] {
            b'{' | b'[' => {
                open.push((at, key.take()));
                at += 1;
                continue;
            }
            b'}' | b']' => {
                at += 1;
                if let Some((start, own)) = open.pop() {
                    out.push(start..at);
                    out.extend(own.map(|own| own..at));
                }
                key = None;
                continue;
            }
            b'"' => at = quoted(text, at),
            byte if is_word(byte) || byte == b'-' => {
                while at < text.len() && (is_word(text[at]) || b"+-.".contains(&text[at])) {
                    at += 1;
                }
            }
            _ => {
                at += 1;
                continue;
            }
        }
        let next = text[at..].iter().find(|byte| !byte.is_ascii_whitespace());
        if next == Some(&b':') && !open.is_empty() {
            key = Some(start);
        } else {
            out.push(start..at);
            out.extend(key.take().map(|own| own..at));
        }
    }
    out
}
