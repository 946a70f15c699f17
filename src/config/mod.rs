//! Every setting, once.

/// All settings, validated.
#[derive(Clone, Debug, Default)]
pub struct Config {}
