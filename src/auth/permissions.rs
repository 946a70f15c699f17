//! What a user may do: kinds of commands, and keys.

/// What a request needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Need {
    /// Nothing that anybody lacks: `version`, `quit`, `mn`.
    Nothing,
    /// Looks at items.
    Read,
    /// Changes items.
    Write,
    /// Looks at items and changes them: a touch, a vivifying get, a counter.
    ReadWrite,
    /// Looks at the daemon, not at keys: `stats`.
    Look,
    /// Changes the daemon, or empties it.
    Admin,
    /// Shows keys of everybody.
    List,
}

/// What a user may do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Permissions {
    read: bool,
    write: bool,
    admin: bool,
    /// Keys must begin with one of these; empty means any key.
    prefixes: Vec<Box<[u8]>>,
    /// Most connections at a time.
    connections_max: Option<u32>,
    /// Most requests in one second.
    rate_max: Option<u32>,
}

impl Permissions {
    /// Everything.
    pub const ALL: Self = Self {
        read: true,
        write: true,
        admin: true,
        prefixes: Vec::new(),
        connections_max: None,
        rate_max: None,
    };

    /// Nothing.
    const NONE: Self = Self {
        read: false,
        write: false,
        admin: false,
        prefixes: Vec::new(),
        connections_max: None,
        rate_max: None,
    };

    /// Whether every request may be served, as far as its command and its key go.
    pub fn is_all(&self) -> bool {
        self.read && self.write && self.admin && self.prefixes.is_empty()
    }

    /// Whether nothing keeps from writing under any key.
    pub(super) fn may_write_every_key(&self) -> bool {
        self.write && self.prefixes.is_empty()
    }

    /// Most connections at a time, if there is a bound.
    pub const fn connections_max(&self) -> Option<u32> {
        self.connections_max
    }

    /// Most requests in one second, if there is a bound.
    pub const fn rate_max(&self) -> Option<u32> {
        self.rate_max
    }

    /// Whether a request may be served, whatever its key.
    pub fn allows(&self, need: Need) -> bool {
        match need {
            Need::Nothing | Need::Look => true,
            Need::Read => self.read,
            Need::Write => self.write,
            Need::ReadWrite => self.read && self.write,
            Need::Admin => self.admin,
            Need::List => self.admin && self.read && self.prefixes.is_empty(),
        }
    }

    /// Whether a request for this key may be served.
    pub fn allows_key(&self, need: Need, key: &[u8]) -> bool {
        let mut prefixes = self.prefixes.iter();
        self.allows(need) && (self.prefixes.is_empty() || prefixes.any(|p| key.starts_with(p)))
    }

    /// Reads the words behind a user's name: `+@read +@write +@admin +@all -@admin ~PREFIX*
    /// conns=COUNT rate=COUNT`. It begins with nothing, and `~*` or no pattern means all keys.
    ///
    /// # Errors
    ///
    /// What is wrong, in words.
    pub(super) fn parse<'a>(words: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let mut permissions = Self::NONE;
        let mut every_key = false;
        let mut says_what = false;
        for word in words {
            if let Some(pattern) = word.strip_prefix('~') {
                let prefix = pattern.strip_suffix('*').unwrap_or_default();
                if pattern == "*" {
                    every_key = true;
                } else if prefix.is_empty() || prefix.contains('*') {
                    return Err(format!("{word}: expected ~PREFIX* or ~*"));
                } else {
                    permissions.prefixes.push(prefix.as_bytes().into());
                }
                continue;
            }
            if let Some(count) = word.strip_prefix("conns=") {
                permissions.connections_max = Some(Self::count(word, count)?);
                continue;
            }
            if let Some(count) = word.strip_prefix("rate=") {
                permissions.rate_max = Some(Self::count(word, count)?);
                continue;
            }
            says_what = true;
            let (given, name) = match (word.strip_prefix("+@"), word.strip_prefix("-@")) {
                (Some(name), _) => (true, name),
                (_, Some(name)) => (false, name),
                (None, None) => return Err(Self::unknown(word)),
            };
            match name {
                "read" => permissions.read = given,
                "write" => permissions.write = given,
                "admin" => permissions.admin = given,
                "all" => {
                    permissions.read = given;
                    permissions.write = given;
                    permissions.admin = given;
                }
                _ => return Err(Self::unknown(word)),
            }
        }
        if every_key {
            permissions.prefixes.clear();
        }
        if !says_what {
            // Who forgets this would wonder why nothing is allowed.
            return Err("expected +@read, +@write, +@admin or +@all among the words".to_owned());
        }
        Ok(permissions)
    }

    fn count(word: &str, count: &str) -> Result<u32, String> {
        let count = count.parse().ok().filter(|&count| count > 0);
        count.ok_or_else(|| format!("{word}: expected a number from 1 to 4294967295"))
    }

    fn unknown(word: &str) -> String {
        format!(
            "{word}: expected +@ or -@ with read, write, admin or all, ~PREFIX*, conns=COUNT or \
             rate=COUNT"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Permissions {
        Permissions::parse(text.split_whitespace()).unwrap()
    }

    #[test]
    fn a_reader_of_one_prefix_can_do_nothing_else() {
        let reader = parse("+@read ~app1:*");
        assert!(reader.allows_key(Need::Read, b"app1:x"));
        assert!(reader.allows_key(Need::Read, b"app1:"));
        assert!(!reader.allows_key(Need::Read, b"app1"));
        assert!(!reader.allows_key(Need::Read, b"app2:x"));
        for need in [Need::Write, Need::ReadWrite, Need::Admin, Need::List] {
            assert!(!reader.allows(need), "{need:?}");
            assert!(!reader.allows_key(need, b"app1:x"), "{need:?}");
        }
        assert!(reader.allows(Need::Nothing) && reader.allows(Need::Look));
    }

    #[test]
    fn who_is_bound_to_a_prefix_never_lists_keys() {
        assert!(parse("+@all").allows(Need::List));
        assert!(parse("+@all ~*").is_all());
        assert!(parse("+@all ~a:* ~*").is_all());
        assert!(!parse("+@all ~a:*").allows(Need::List));
        assert!(!parse("+@admin").allows(Need::List));
        assert!(!parse("+@all -@admin").allows(Need::Admin));
    }

    #[test]
    fn words_that_mean_nothing_are_refused() {
        for text in [
            "read",
            "+@Read",
            "+read",
            "~",
            "~a",
            "~a*b*",
            "+@",
            "~a b",
            "",
            "~a*",
            "conns=5",
            "+@read conns=0",
            "+@read conns=",
            "+@read rate=-1",
            "+@read rate=4294967296",
        ] {
            assert!(
                Permissions::parse(text.split_whitespace()).is_err(),
                "{text}"
            );
        }
    }
}
