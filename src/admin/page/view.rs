//! What the page shows, as tiles and tables of words, and its two forms: HTML for the first sight
//! and for browsers without scripts, JSON for the script that keeps it up to date.
//!
//! Words are made once, in `sections.rs`. Keys, names and addresses are whatever their owners
//! chose; here is the only place where text becomes HTML, and all of it is escaped. The script
//! never takes anything for HTML.

use serde_json::{Value, json};

/// Whether something is as it should be.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Tone {
    /// Nothing to say.
    #[default]
    Plain,
    /// As it should be.
    Good,
    /// Worth a look.
    Warn,
    /// Somebody has to act.
    Bad,
}

impl Tone {
    /// Its class in the style sheet.
    const fn class(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

/// What changes from second to second.
pub(super) struct View {
    /// How the daemon is, in a word or two.
    pub(super) health: (Tone, String),
    /// What it is and since when.
    pub(super) about: String,
    /// The figures at the top.
    pub(super) tiles: Vec<Tile>,
    /// Memory by what it is used for.
    pub(super) map: Vec<Segment>,
    /// Everything else.
    pub(super) tables: Vec<Table>,
}

/// One figure with its last minute.
pub(super) struct Tile {
    /// By what the script knows it.
    pub(super) id: &'static str,
    /// What it is.
    pub(super) label: &'static str,
    /// How much, and of what.
    pub(super) figure: (String, &'static str),
    /// A line below it.
    pub(super) note: String,
    /// Its last minute, oldest first.
    pub(super) points: Vec<f64>,
}

/// A part of the memory.
pub(super) struct Segment {
    /// The colour it has, a class in the style sheet.
    pub(super) class: String,
    /// What it is, if there is room to say so.
    pub(super) label: String,
    /// What it is and how large.
    pub(super) title: String,
    /// Its size.
    pub(super) bytes: u64,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// Words, set left.
    Text,
    /// Figures, set right.
    Number,
    /// A part of a whole, drawn.
    Bar,
    /// What the script makes a button of that closes this client, for who may.
    Kill,
}

/// A table.
pub(super) struct Table {
    /// By what the script and links know it.
    pub(super) id: &'static str,
    /// Its heading.
    pub(super) title: &'static str,
    /// What is to be said about it.
    pub(super) note: String,
    /// Its columns; the first names the row.
    pub(super) columns: &'static [(&'static str, Kind)],
    /// Its rows.
    pub(super) rows: Vec<Row>,
    /// What stands there when it has none.
    pub(super) empty: &'static str,
}

/// A row, as many cells as there are columns.
#[derive(Default)]
pub(super) struct Row {
    /// Whether it is as it should be.
    pub(super) tone: Tone,
    /// What it says.
    pub(super) cells: Vec<Cell>,
}

/// A cell.
pub(super) struct Cell {
    /// What it says.
    pub(super) text: String,
    /// A part of a whole, in percent, which is drawn.
    pub(super) bar: Option<f64>,
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { text, bar: None }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl Cell {
    /// A part of a whole.
    pub(super) fn bar(part: f64, whole: f64) -> Self {
        Self {
            text: super::words::share(part, whole),
            bar: Some(if whole > 0.0 {
                (100.0 * part / whole).clamp(0.0, 100.0)
            } else {
                0.0
            }),
        }
    }
}

impl View {
    /// For the script: the words that stand in the page, in the same order.
    pub(super) fn json(&self) -> Value {
        let (tone, text) = &self.health;
        json!({
            "tables": tables_json(&self.tables),
            "health": { "tone": tone.class(), "text": text },
            "about": self.about,
            "tiles": self.tiles.iter().map(Tile::json).collect::<Vec<_>>(),
            "map": spread(&self.map)
                .map(|(segment, begin, width)| json!({
                    "class": segment.class,
                    "label": segment.label,
                    "title": segment.title,
                    "begin": begin,
                    "width": width,
                }))
                .collect::<Vec<_>>(),
        })
    }

    /// The head of the page.
    pub(super) fn health_html(&self, out: &mut String) {
        let (tone, text) = &self.health;
        push(out, &["<span id=\"health\" class=\"", tone.class(), "\">"]);
        escape(out, text);
        out.push_str("</span>");
    }

    /// The tiles.
    pub(super) fn tiles_html(&self, out: &mut String) {
        for tile in &self.tiles {
            tile.html(out);
        }
    }

    /// The drawing of the memory.
    pub(super) fn map_html(&self) -> String {
        let mut drawing = String::from(
            "<svg id=\"map\" role=\"img\" aria-label=\"Memory by what it is used for\">",
        );
        let out = &mut drawing;
        for (segment, begin, width) in spread(&self.map) {
            push(out, &["<g class=\"", &segment.class, "\"><title>"]);
            escape(out, &segment.title);
            out.push_str(&format!(
                "</title><rect x=\"{begin:.3}%\" width=\"{width:.3}%\" height=\"100%\"/>\
                 <text x=\"{:.3}%\" y=\"50%\">",
                begin + width / 2.0
            ));
            if width >= LETTER_PERCENT * segment.label.len() as f64 {
                escape(out, &segment.label);
            }
            out.push_str("</text></g>");
        }
        drawing.push_str("</svg>");
        drawing
    }
}

/// The words of some tables, for the script.
pub(super) fn tables_json(tables: &[Table]) -> Value {
    tables.iter().map(Table::json).collect::<Vec<_>>().into()
}

/// Width that a letter of a label needs, in percent of the map of a small screen. The script knows
/// how wide the screen is and shows more.
const LETTER_PERCENT: f64 = 2.0;

/// Where each part of the memory begins and how wide it is, in percent of all.
fn spread(map: &[Segment]) -> impl Iterator<Item = (&Segment, f64, f64)> {
    let whole: u64 = map.iter().map(|segment| segment.bytes).sum();
    let percent = move |bytes: u64| 100.0 * bytes as f64 / whole.max(1) as f64;
    map.iter().scan(0, move |before, segment| {
        let begin = percent(*before);
        *before += segment.bytes;
        Some((segment, begin, percent(segment.bytes)))
    })
}

impl Tile {
    fn json(&self) -> Value {
        let (figure, unit) = &self.figure;
        json!({
            "id": self.id,
            "figure": figure,
            "unit": unit,
            "note": self.note,
            "spark": spark(&self.points),
        })
    }

    fn html(&self, out: &mut String) {
        let (figure, unit) = &self.figure;
        push(
            out,
            &[
                "<label class=\"tile\" data-tile=\"",
                self.id,
                "\"><input type=\"radio\" name=\"chart\" value=\"",
                self.id,
                "\" disabled hidden><span class=\"name\">",
                self.label,
                "</span><span class=\"figure\"><b>",
            ],
        );
        escape(out, figure);
        push(out, &["</b> <i>", unit, "</i></span><span class=\"note\">"]);
        escape(out, &self.note);
        push(
            out,
            &[
                "</span><svg class=\"spark\" viewBox=\"0 0 60 20\" preserveAspectRatio=\"none\" \
                 aria-hidden=\"true\"><path d=\"",
                &spark(&self.points),
                "\"/></svg></label>",
            ],
        );
    }
}

/// A minute as a line in a box of 60 by 20, the newest point at the right.
fn spark(points: &[f64]) -> String {
    let known = points.iter().copied().filter(|point| point.is_finite());
    let top = known.fold(0.0, f64::max);
    let mut path = String::with_capacity(8 * points.len());
    let mut was_known = false;
    let first = 60_usize.saturating_sub(points.len().saturating_sub(1));
    for (index, &point) in points.iter().enumerate() {
        // A share of nothing is none.
        if !point.is_finite() {
            was_known = false;
            continue;
        }
        let y = if top > 0.0 {
            19.0 - 18.0 * point / top
        } else {
            19.0
        };
        let word = if was_known { 'L' } else { 'M' };
        was_known = true;
        path.push_str(&format!("{word}{} {y:.1}", first + index));
    }
    path
}

impl Table {
    fn json(&self) -> Value {
        let rows = self.rows.iter().map(|row| {
            let cells = row.cells.iter().map(|cell| match cell.bar {
                None => Value::from(cell.text.as_str()),
                Some(percent) => json!([cell.text, percent]),
            });
            json!({ "tone": row.tone.class(), "cells": cells.collect::<Vec<_>>() })
        });
        json!({ "id": self.id, "note": self.note, "rows": rows.collect::<Vec<_>>() })
    }

    /// The whole section, with its heading and a drawing, if there is one.
    pub(super) fn html(&self, drawing: &str, out: &mut String) {
        let id = self.id;
        push(
            out,
            &["<section id=\"", id, "\"><h2 id=\"", id, "-title\">"],
        );
        escape(out, self.title);
        out.push_str("</h2><p class=\"note\">");
        escape(out, &self.note);
        push(out, &["</p>", drawing]);
        self.table_html(out);
        out.push_str("</section>");
    }

    /// The table alone, and what stands in its place when it is empty.
    pub(super) fn table_html(&self, out: &mut String) {
        let [no_table, no_words] = if self.rows.is_empty() {
            [" hidden", ""]
        } else {
            ["", " hidden"]
        };
        let (id, begin) = (self.id, "<div class=\"wide\" role=\"region\"");
        push(
            out,
            &["<p class=\"empty\"", no_words, ">", self.empty, "</p>"],
        );
        push(
            out,
            &[begin, " aria-labelledby=\"", id, "-title\"", no_table],
        );
        push(out, &["><table data-table=\"", id, "\"><thead><tr>"]);
        for (name, kind) in self.columns {
            push(out, &["<th scope=\"col\" class=\"", kind.class(), "\">"]);
            escape(out, name);
            out.push_str("</th>");
        }
        out.push_str("</tr></thead><tbody>");
        for row in &self.rows {
            row.html(self.columns, out);
        }
        out.push_str("</tbody></table></div>");
    }
}

impl Row {
    fn html(&self, columns: &[(&str, Kind)], out: &mut String) {
        push(out, &["<tr class=\"", self.tone.class(), "\">"]);
        for (index, (cell, (_, kind))) in self.cells.iter().zip(columns).enumerate() {
            let [begin, end] = if index == 0 {
                ["<th scope=\"row\" class=\"", "</th>"]
            } else {
                ["<td class=\"", "</td>"]
            };
            push(out, &[begin, kind.class(), "\">"]);
            if let Some(percent) = cell.bar {
                out.push_str(&format!(
                    "<svg aria-hidden=\"true\"><rect width=\"{percent:.1}%\" height=\"100%\"/></svg>"
                ));
            }
            out.push_str("<span>");
            // Without the script there is no button to be had.
            if *kind != Kind::Kill {
                escape(out, &cell.text);
            }
            push(out, &["</span>", end]);
        }
        out.push_str("</tr>");
    }
}

impl Kind {
    /// Its class in the style sheet.
    const fn class(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "number",
            Self::Bar => "bar",
            Self::Kill => "kill",
        }
    }
}

fn push(out: &mut String, pieces: &[&str]) {
    out.extend(pieces.iter().copied());
}

/// Appends text as HTML that shows it, in content and in quoted attributes.
pub(super) fn escape(out: &mut String, text: &str) {
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVIL: &str = "<img src=x onerror=alert(1)>\"'&";

    fn table(rows: Vec<Row>) -> Table {
        Table {
            id: "keys",
            title: "Keys",
            note: String::new(),
            columns: &[("Key", Kind::Text), ("Share", Kind::Bar)],
            rows,
            empty: "none",
        }
    }

    #[test]
    fn text_of_others_is_never_markup() {
        let row = Row {
            cells: vec![EVIL.into(), Cell::bar(1.0, 4.0)],
            ..Row::default()
        };
        let mut html = String::new();
        table(vec![row]).html("", &mut html);
        assert!(!html.contains("<img"), "{html}");
        let shown = "&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;";
        assert!(html.contains(&format!("<span>{shown}</span>")), "{html}");
        assert!(html.contains("width=\"25.0%\""), "{html}");
    }

    #[test]
    fn an_empty_table_says_so_in_its_place() {
        let mut html = String::new();
        table(Vec::new()).html("", &mut html);
        assert!(html.contains("<p class=\"empty\">none</p>"), "{html}");
        assert!(html.contains("aria-labelledby=\"keys-title\" hidden>"));
    }

    #[test]
    fn parts_of_the_memory_lie_side_by_side_and_fill_it() {
        let segment = |bytes| Segment {
            class: String::new(),
            label: String::new(),
            title: String::new(),
            bytes,
        };
        let map = [segment(1), segment(0), segment(3)];
        let places: Vec<(f64, f64)> = spread(&map)
            .map(|(_, begin, width)| (begin, width))
            .collect();
        assert_eq!(places, [(0.0, 25.0), (25.0, 0.0), (25.0, 75.0)]);
        assert_eq!(spread(&[segment(0)]).count(), 1);
    }

    #[test]
    fn a_spark_ends_at_the_right_and_stays_in_its_box() {
        assert_eq!(spark(&[]), "");
        assert_eq!(spark(&[0.0, 0.0]), "M59 19.0L60 19.0");
        assert_eq!(spark(&[5.0, 10.0]), "M59 10.0L60 1.0");
        assert!(spark(&[1.0; 60]).starts_with("M1 1.0"));
        let gap = [1.0, f64::NAN, 1.0, 0.5];
        assert_eq!(spark(&gap), "M57 1.0M59 1.0L60 10.0");
    }
}
