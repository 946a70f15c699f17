//! What requests ask, and which shape each has.

use std::ops::RangeInclusive;

use crate::limits::KEY_SIZE_MAX;

/// What a request asks, loud or quiet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verb {
    /// Stores where nothing is.
    Add,
    /// Puts a value behind another.
    Append,
    /// Forgets an entry that is no item, such as the nodes of the cluster.
    ConfigDelete,
    /// An entry that is no item.
    ConfigGet,
    /// An entry that is no item, with its key.
    ConfigGetKey,
    /// Stores an entry that is no item.
    ConfigSet,
    /// Counts down.
    Decrement,
    /// Deletes.
    Delete,
    /// Flushes, now or later.
    Flush,
    /// The value.
    Get,
    /// The value with its key.
    GetKey,
    /// The value, and a new expiry for it.
    GetTouch,
    /// The value with its key, and a new expiry for it.
    GetKeyTouch,
    /// Counts up.
    Increment,
    /// Nothing but an answer.
    Noop,
    /// Puts a value before another.
    Prepend,
    /// Ends the conversation.
    Quit,
    /// Stores where something is.
    Replace,
    /// Begins a login.
    SaslAuth,
    /// The ways to log in.
    SaslList,
    /// Goes on with a login.
    SaslStep,
    /// Stores.
    Set,
    /// Statistics.
    Stat,
    /// A new expiry.
    Touch,
    /// The version.
    Version,
}

/// What a request of a kind may consist of.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    /// Sizes of extras.
    pub(super) extras: &'static [u8],
    /// Sizes of a key.
    pub(super) key: RangeInclusive<usize>,
    /// Whether it has a value.
    pub(super) value: bool,
}

impl Verb {
    /// Whether it is about one item.
    pub const fn is_keyed(self) -> bool {
        !self.is_login()
            && !self.is_config()
            && !matches!(
                self,
                Self::Flush | Self::Noop | Self::Quit | Self::Stat | Self::Version
            )
    }

    /// Whether it is about an entry that is no item.
    pub const fn is_config(self) -> bool {
        matches!(
            self,
            Self::ConfigDelete | Self::ConfigGet | Self::ConfigGetKey | Self::ConfigSet
        )
    }

    /// Whether it is a part of a login.
    pub const fn is_login(self) -> bool {
        matches!(self, Self::SaslAuth | Self::SaslList | Self::SaslStep)
    }

    pub(super) const fn shape(self) -> Shape {
        let (extras, key, value): (&'static [u8], _, _) = match self {
            Self::Add | Self::Replace | Self::Set => (&[8], 1..=KEY_SIZE_MAX, true),
            Self::Append | Self::Prepend | Self::SaslAuth | Self::SaslStep => {
                (&[0], 1..=KEY_SIZE_MAX, true)
            }
            Self::ConfigSet => (&[4], 1..=KEY_SIZE_MAX, true),
            Self::ConfigDelete | Self::ConfigGet | Self::ConfigGetKey => {
                (&[0], 1..=KEY_SIZE_MAX, false)
            }
            Self::Delete | Self::Get | Self::GetKey => (&[0], 1..=KEY_SIZE_MAX, false),
            Self::Decrement | Self::Increment => (&[20], 1..=KEY_SIZE_MAX, false),
            Self::Flush => (&[0, 4], 0..=0, false),
            Self::GetKeyTouch | Self::GetTouch | Self::Touch => (&[4], 1..=KEY_SIZE_MAX, false),
            Self::Noop | Self::Quit | Self::SaslList | Self::Version => (&[0], 0..=0, false),
            Self::Stat => (&[0], 0..=KEY_SIZE_MAX, false),
        };
        Shape { extras, key, value }
    }
}

macro_rules! opcodes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $verb:ident, $quiet:literal;)*) => {
        /// A command as requests number it.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        #[repr(u8)]
        pub enum Opcode {
            $($(#[$doc])* $name = $code,)*
        }

        impl Opcode {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The command of this number.
            pub const fn from_code(code: u8) -> Option<Self> {
                match code {
                    $($code => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// What it asks.
            pub const fn verb(self) -> Verb {
                match self {
                    $(Self::$name => Verb::$verb,)*
                }
            }

            /// Whether the reply that its client expects is not sent: a miss of a retrieval,
            /// success of anything else.
            pub const fn is_quiet(self) -> bool {
                match self {
                    $(Self::$name => $quiet,)*
                }
            }
        }
    };
}

opcodes! {
    /// Get.
    Get = 0x00, Get, false;
    /// Set.
    Set = 0x01, Set, false;
    /// Add.
    Add = 0x02, Add, false;
    /// Replace.
    Replace = 0x03, Replace, false;
    /// Delete.
    Delete = 0x04, Delete, false;
    /// Increment.
    Increment = 0x05, Increment, false;
    /// Decrement.
    Decrement = 0x06, Decrement, false;
    /// Quit.
    Quit = 0x07, Quit, false;
    /// Flush.
    Flush = 0x08, Flush, false;
    /// Get, silent on a miss.
    GetQ = 0x09, Get, true;
    /// Noop.
    Noop = 0x0a, Noop, false;
    /// Version.
    Version = 0x0b, Version, false;
    /// Get with the key.
    GetK = 0x0c, GetKey, false;
    /// Get with the key, silent on a miss.
    GetKQ = 0x0d, GetKey, true;
    /// Append.
    Append = 0x0e, Append, false;
    /// Prepend.
    Prepend = 0x0f, Prepend, false;
    /// Statistics.
    Stat = 0x10, Stat, false;
    /// Set, silent on success.
    SetQ = 0x11, Set, true;
    /// Add, silent on success.
    AddQ = 0x12, Add, true;
    /// Replace, silent on success.
    ReplaceQ = 0x13, Replace, true;
    /// Delete, silent on success.
    DeleteQ = 0x14, Delete, true;
    /// Increment, silent on success.
    IncrementQ = 0x15, Increment, true;
    /// Decrement, silent on success.
    DecrementQ = 0x16, Decrement, true;
    /// Quit without a word.
    QuitQ = 0x17, Quit, true;
    /// Flush, silent on success.
    FlushQ = 0x18, Flush, true;
    /// Append, silent on success.
    AppendQ = 0x19, Append, true;
    /// Prepend, silent on success.
    PrependQ = 0x1a, Prepend, true;
    /// Touch.
    Touch = 0x1c, Touch, false;
    /// Get and touch.
    Gat = 0x1d, GetTouch, false;
    /// Get and touch, silent on a miss.
    GatQ = 0x1e, GetTouch, true;
    /// The ways to log in.
    SaslList = 0x20, SaslList, false;
    /// Begins a login.
    SaslAuth = 0x21, SaslAuth, false;
    /// Goes on with a login.
    SaslStep = 0x22, SaslStep, false;
    /// Get with the key, and touch.
    GatK = 0x23, GetKeyTouch, false;
    /// Get with the key, and touch, silent on a miss.
    GatKQ = 0x24, GetKeyTouch, true;
    /// Config get.
    ConfigGet = 0x60, ConfigGet, false;
    /// Config get, silent on a miss.
    ConfigGetQ = 0x61, ConfigGet, true;
    /// Config get with the key.
    ConfigGetK = 0x62, ConfigGetKey, false;
    /// Config get with the key, silent on a miss.
    ConfigGetKQ = 0x63, ConfigGetKey, true;
    /// Config set.
    ConfigSet = 0x64, ConfigSet, false;
    /// Config set, silent on success.
    ConfigSetQ = 0x65, ConfigSet, true;
    /// Config delete.
    ConfigDelete = 0x66, ConfigDelete, false;
    /// Config delete, silent on success.
    ConfigDeleteQ = 0x67, ConfigDelete, true;
}
