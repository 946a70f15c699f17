//! Prometheus's text format, version 0.0.4: families of series, written one after the other.
//!
//! By hand, since the libraries for it name things by their own rules (they put `_total` behind
//! every counter), and names here are those that memcached's exporter has given them.

use std::fmt::{Display, Write};

/// What the format is called over HTTP.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the values of a family mean.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// It only grows.
    Counter,
    /// It comes and goes.
    Gauge,
    /// Counts by size.
    Histogram,
}

/// A page being written.
#[derive(Default)]
pub(super) struct Page {
    text: String,
}

/// One family of a page.
pub(super) struct Family<'p> {
    page: &'p mut Page,
    name: &'p str,
}

impl Page {
    /// Begins a family. Its series must follow before the next one begins.
    pub(super) fn family<'p>(&'p mut self, name: &'p str, kind: Kind, help: &str) -> Family<'p> {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        // Writing to a string cannot fail.
        let _ = write!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        Family { page: self, name }
    }

    /// Writes a counter that is one series.
    pub(super) fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, Kind::Counter, help).add(&[], value);
    }

    /// Writes a gauge that is one series.
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, Kind::Gauge, help).add(&[], value);
    }

    /// The whole page.
    pub(super) fn finish(self) -> String {
        self.text
    }
}

impl Family<'_> {
    /// Adds a series. Names of labels are ours, values may be anything.
    pub(super) fn add(&mut self, labels: &[(&str, &str)], value: impl Display) -> &mut Self {
        self.series("", labels, value)
    }

    /// Adds a series of a histogram, whose name ends in `suffix`.
    pub(super) fn series(
        &mut self,
        suffix: &str,
        labels: &[(&str, &str)],
        value: impl Display,
    ) -> &mut Self {
        let text = &mut self.page.text;
        text.push_str(self.name);
        text.push_str(suffix);
        for (index, (name, label)) in labels.iter().enumerate() {
            text.push(if index == 0 { '{' } else { ',' });
            text.push_str(name);
            text.push_str("=\"");
            escape(text, label);
            text.push('"');
        }
        if !labels.is_empty() {
            text.push('}');
        }
        // Writing to a string cannot fail.
        let _ = writeln!(text, " {value}");
        self
    }
}

/// Appends the value of a label so that it cannot end before its quote.
fn escape(text: &mut String, label: &str) {
    for letter in label.chars() {
        match letter {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            _ => text.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_written_with_their_help_type_and_escaped_labels() {
        let mut page = Page::default();
        page.counter("a_total", "All.", 5);
        page.family("b", Kind::Gauge, "Some.")
            .add(&[("x", "1"), ("y", "\"\\\n")], 0.5)
            .add(&[], -1);
        page.family("c", Kind::Histogram, "Times.")
            .series("_bucket", &[("le", "+Inf")], 3);
        let expected = "# HELP a_total All.\n# TYPE a_total counter\na_total 5\n\
                        # HELP b Some.\n# TYPE b gauge\nb{x=\"1\",y=\"\\\"\\\\\\n\"} 0.5\nb -1\n\
                        # HELP c Times.\n# TYPE c histogram\nc_bucket{le=\"+Inf\"} 3\n";
        assert_eq!(page.finish(), expected);
    }
}
