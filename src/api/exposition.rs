//! Prometheus' text format, version 0.0.4: families of samples. Knows nothing of what is counted.

use std::fmt::{Display, Write as _};

/// As the format is named in an answer's header.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// The text so far.
#[derive(Debug, Default)]
pub(super) struct Exposition(String);

impl Exposition {
    /// Begins a family. Its samples come before the next one begins; `what` is one line.
    pub fn family(&mut self, kind: Kind, name: &'static str, what: &str) -> Family<'_> {
        let (text, kind) = (&mut self.0, kind.as_str());
        // Writing to a string cannot fail.
        writeln!(text, "# HELP tandem_{name} {what}").ok();
        writeln!(text, "# TYPE tandem_{name} {kind}").ok();
        Family { text, name }
    }

    pub fn into_text(self) -> String {
        self.0
    }
}

pub(super) struct Family<'a> {
    text: &'a mut String,
    name: &'static str,
}

impl Family<'_> {
    pub fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.put("", labels, value);
    }

    /// A histogram without labels: how many were at most so long, for each bound, then all.
    pub fn seconds(
        &mut self,
        up_to: impl Iterator<Item = (u64, u64)>,
        count: u64,
        sum_millis: u64,
    ) {
        for (bound, number) in up_to {
            self.put("_bucket", &[("le", &seconds(bound))], number);
        }
        self.put("_bucket", &[("le", "+Inf")], count);
        self.put("_sum", &[], seconds(sum_millis));
        self.put("_count", &[], count);
    }

    fn put(&mut self, ending: &str, labels: &[(&str, &str)], value: impl Display) {
        write!(self.text, "tandem_{}{ending}", self.name).ok();
        for (at, (label, text)) in labels.iter().enumerate() {
            let before = if at == 0 { '{' } else { ',' };
            write!(self.text, "{before}{label}=\"{}\"", escaped(text)).ok();
        }
        let end = if labels.is_empty() { "" } else { "}" };
        writeln!(self.text, "{end} {value}").ok();
    }
}

/// Milliseconds in seconds.
pub(super) fn seconds(millis: u64) -> String {
    format!("{}.{:03}", millis / 1_000, millis % 1_000)
}

/// The value of a label, as Prometheus reads it.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_break_out_of_its_label() {
        let mut all = Exposition::default();
        let mut family = all.family(Kind::Gauge, "age_seconds", "How old.");
        family.sample(
            &[("workspace", "a\"} 1\nb\\"), ("side", "x")],
            seconds(2_500),
        );
        family.sample(&[], 7);
        let rows = "tandem_age_seconds{workspace=\"a\\\"} 1\\nb\\\\\",side=\"x\"} 2.500\n\
                    tandem_age_seconds 7\n";
        let text = all.into_text();
        assert!(text.ends_with(rows), "{text}");
        assert_eq!(text.lines().count(), 4, "{text}");
    }
}
