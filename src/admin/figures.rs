//! The figures of `stats`, gathered for pages that want them by name.

use std::collections::{BTreeMap, HashMap};

use crate::session::Shared;
use crate::session::figures::{Group, show};
use crate::time::Now;

/// The figures of one group.
#[derive(Default)]
pub(super) struct Figures(HashMap<String, String>);

impl Figures {
    /// Gathers a group.
    pub(super) fn gather(shared: &Shared, now: Now, group: Group) -> Self {
        let mut all = HashMap::new();
        show(shared, now, group, &mut |name, value| {
            all.insert(name.to_owned(), String::from_utf8_lossy(value).into_owned());
        });
        Self(all)
    }

    /// One figure as it is written.
    pub(super) fn word(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// One figure that is a number.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.word(name)?.parse().ok()
    }
}

/// The figures of a group whose names begin with a number, such as `5:used_chunks`, by it.
pub(super) struct Numbered {
    /// By number.
    pub(super) by_number: BTreeMap<u32, Vec<(String, String)>>,
    /// Those without one.
    pub(super) others: Figures,
}

impl Numbered {
    /// Gathers a group. `before` stands before the number.
    pub(super) fn gather(shared: &Shared, now: Now, group: Group, before: &str) -> Self {
        let mut gathered = Self {
            by_number: BTreeMap::new(),
            others: Figures::default(),
        };
        show(shared, now, group, &mut |name, value| {
            let value = String::from_utf8_lossy(value).into_owned();
            let numbered = name
                .strip_prefix(before)
                .and_then(|rest| rest.split_once(':'))
                .and_then(|(number, name)| Some((number.parse().ok()?, name.to_owned())));
            match numbered {
                Some((number, name)) => {
                    let figures: &mut Vec<_> = gathered.by_number.entry(number).or_default();
                    figures.push((name, value));
                }
                None => {
                    gathered.others.0.insert(name.to_owned(), value);
                }
            }
        });
        gathered
    }
}

/// One figure of a numbered list.
pub(super) fn find<'f>(figures: &'f [(String, String)], name: &str) -> Option<&'f str> {
    let found = figures.iter().find(|(found, _)| found == name);
    found.map(|(_, value)| value.as_str())
}
