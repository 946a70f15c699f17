//! The obvious map that a store is compared with.
