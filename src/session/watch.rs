//! Who watches what, and the lines they are owed.

/// Who watches what. Pure: time comes with each line.
#[derive(Debug, Default)]
pub struct Hub {}
