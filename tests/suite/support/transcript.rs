//! Protocol conversations as text files, and their reading.
//!
//! ```text
//! # the first comment is the title
//! flags -m 64 -C          the daemon's flags; before the first step
//! oracle 1.6.45           memcached answers so from this version on; `never`: not at all
//! alone                   not to be run as one pipeline
//! whole                   blocks are not to be cut: the answers depend on what comes together
//! > text                  send the text and CRLF; `>~` sends the text as it is
//! < text                  the text and CRLF come next; `<~` the text as it is
//! <... text               lines are skipped up to one that is the text
//! +50s                    the clock moves; ends the run where it cannot be moved
//! closed                  the server closes, without another byte
//! on larder               the steps from here on are for larder; `on memcached`, `on all`
//! from 1.6.45             older memcacheds skip the steps from here on; `from any` ends it
//! ```
//!
//! A capital letter before `>`, `<` or `closed` names a connection; without one it is `A`. In a
//! text, `\r \n \t \0 \\ \{ \xNN` are bytes and `{250*ab}` is a repetition. In an expected text,
//! `{*}` is any run of bytes other than space and line end, `{...}` any up to the line end, `{#}`
//! a decimal number, and `{name}` a number that is remembered: where the name returns, the
//! number must too. A text to send may use `{name}`, `{name+1}` and `{name-1}`. A text with such
//! a hole is matched against one line.

use std::collections::BTreeMap;
use std::path::Path;

use super::client::show;

/// Major, minor and patch number.
pub(crate) type Version = (u32, u32, u32);

/// One conversation.
pub(crate) struct Transcript {
    /// The file's name without its ending.
    pub(crate) name: String,
    /// Flags of the daemon.
    pub(crate) flags: Vec<String>,
    /// The first version of memcached that answers so; `None` if none does.
    pub(crate) oracle: Option<Version>,
    /// Not to be run as one pipeline.
    pub(crate) alone: bool,
    /// Blocks are not to be cut.
    pub(crate) whole: bool,
    /// What happens, in order.
    pub(crate) steps: Vec<Step>,
}

/// One line of a transcript.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// Line number in the file.
    pub(crate) line: usize,
    /// Whom it is for.
    pub(crate) side: Side,
    /// The first version of memcached that it is for.
    pub(crate) since: Version,
    /// On which connection.
    pub(crate) connection: char,
    /// What happens.
    pub(crate) action: Action,
}

/// Whom a step is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Side {
    /// Both.
    All,
    /// larder only.
    Larder,
    /// memcached only.
    Memcached,
}

/// What happens in a step.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// Send this.
    Send(Text),
    /// This comes next.
    Expect(Text),
    /// Lines come, the last of which is this.
    SkipTo(Text),
    /// The clock moves by so many seconds.
    Move(i64),
    /// The server closes the connection.
    Closed,
}

/// A text with holes.
pub(crate) type Text = Vec<Piece>;

/// A part of a text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Piece {
    /// These bytes.
    Bytes(Vec<u8>),
    /// Any run of bytes other than space and line end.
    Word,
    /// Any run of bytes other than line end.
    Rest,
    /// A decimal number.
    Number,
    /// A decimal number by name, and how far from it.
    Named(String, i64),
}

/// What is at the other end of a conversation.
pub(crate) trait Wire {
    /// Sends bytes on a connection, which is opened if it is new.
    fn send(&mut self, connection: char, bytes: &[u8]);
    /// The next bytes, so many or up to the end.
    fn take(&mut self, connection: char, count: usize) -> Vec<u8>;
    /// The next line with its line end, or what comes before the end.
    fn take_line(&mut self, connection: char) -> Vec<u8>;
    /// Whether the server closes without another byte.
    fn closed(&mut self, connection: char) -> bool;
    /// Moves the clock; false if it cannot be moved.
    fn advance(&mut self, seconds: i64) -> bool;
}

impl Transcript {
    /// All transcripts of the project, by name.
    pub(crate) fn all() -> Vec<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
        let mut files: Vec<_> = std::fs::read_dir(&folder)
            .expect("the transcripts")
            .map(|entry| entry.expect("a readable folder").path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "txt"))
            .collect();
        files.sort();
        assert!(!files.is_empty(), "{} is empty", folder.display());
        files.iter().map(|file| Self::read(file)).collect()
    }

    fn read(file: &Path) -> Self {
        let name = file.file_stem().expect("a name").to_string_lossy();
        let text = std::fs::read_to_string(file).expect("a transcript");
        Self::parse(&name, &text)
    }

    /// Reads a transcript from its text.
    pub(crate) fn parse(name: &str, text: &str) -> Self {
        let mut transcript = Self {
            name: name.to_owned(),
            flags: Vec::new(),
            oracle: Some((0, 0, 0)),
            alone: false,
            whole: false,
            steps: Vec::new(),
        };
        let mut side = Side::All;
        let mut since = (0, 0, 0);
        for (index, line) in text.lines().enumerate() {
            let line_number = index + 1;
            let at = format!("{name}:{line_number}");
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                _ if line.trim().is_empty() || line.starts_with('#') => continue,
                "flags" => transcript.flags = rest.split(' ').map(str::to_owned).collect(),
                "oracle" => transcript.oracle = version(rest),
                "alone" => transcript.alone = true,
                "whole" => transcript.whole = true,
                "on" => {
                    side = match rest {
                        "all" => Side::All,
                        "larder" => Side::Larder,
                        "memcached" => Side::Memcached,
                        _ => panic!("{at}: on whom?"),
                    };
                }
                "from" if rest == "any" => since = (0, 0, 0),
                "from" => since = version(rest).expect("a version"),
                _ => {
                    let (connection, action) = action(line, &at);
                    transcript.steps.push(Step {
                        line: line_number,
                        side,
                        since,
                        connection,
                        action,
                    });
                }
            }
        }
        transcript
    }

    /// The same bytes with all requests first and all answers after them, if the conversation
    /// allows: one connection, no clock, nothing sent that depends on an answer.
    pub(crate) fn as_one_pipeline(&self) -> Option<Self> {
        let of_larder = |step: &&Step| step.side != Side::Memcached;
        let steps: Vec<Step> = self.steps.iter().filter(of_larder).cloned().collect();
        let fits = steps.iter().enumerate().all(|(index, step)| {
            step.connection == 'A'
                && match &step.action {
                    Action::Send(text) => !has_holes(text),
                    Action::Expect(_) | Action::SkipTo(_) => true,
                    Action::Move(_) => false,
                    Action::Closed => index + 1 == steps.len(),
                }
        });
        if self.alone || !fits {
            return None;
        }
        let is_send = |step: &Step| matches!(step.action, Action::Send(_));
        let (mut ordered, answers): (Vec<_>, Vec<_>) = steps.into_iter().partition(is_send);
        ordered.extend(answers);
        Some(Self {
            name: self.name.clone(),
            flags: self.flags.clone(),
            oracle: None,
            alone: true,
            whole: self.whole,
            steps: ordered,
        })
    }

    /// Bytes of the largest block that is sent at once.
    pub(crate) fn block_size_max(&self) -> usize {
        let mut largest = 0;
        let mut size = 0;
        for step in &self.steps {
            match &step.action {
                Action::Send(text) => {
                    size += text.iter().map(piece_size).sum::<usize>();
                    largest = largest.max(size);
                }
                _ => size = 0,
            }
        }
        largest
    }

    /// Runs the conversation with larder.
    ///
    /// # Errors
    ///
    /// The first difference, with the line of the transcript.
    pub(crate) fn with_larder(&self, wire: &mut dyn Wire) -> Result<(), String> {
        self.run(wire, |step| step.side != Side::Memcached)
    }

    /// Runs the conversation with a memcached of this version.
    ///
    /// # Errors
    ///
    /// The first difference, with the line of the transcript.
    pub(crate) fn with_memcached(
        &self,
        version: Version,
        wire: &mut dyn Wire,
    ) -> Result<(), String> {
        self.run(wire, |step| {
            step.side != Side::Larder && step.since <= version
        })
    }

    fn run(&self, wire: &mut dyn Wire, is_meant: impl Fn(&Step) -> bool) -> Result<(), String> {
        let mut names = BTreeMap::new();
        let mut block: Vec<u8> = Vec::new();
        let mut block_connection = 'A';
        for step in self.steps.iter().filter(|step| is_meant(step)) {
            let sends = matches!(step.action, Action::Send(_));
            if !block.is_empty() && (!sends || step.connection != block_connection) {
                wire.send(block_connection, &std::mem::take(&mut block));
            }
            let result = match &step.action {
                Action::Send(text) => {
                    block_connection = step.connection;
                    fill(text, &names).map(|bytes| block.extend(bytes))
                }
                Action::Expect(text) => expect(text, step.connection, wire, &mut names),
                Action::SkipTo(text) => skip_to(text, step.connection, wire, &mut names),
                Action::Move(seconds) => {
                    if !wire.advance(*seconds) {
                        return Ok(());
                    }
                    Ok(())
                }
                Action::Closed => {
                    if wire.closed(step.connection) {
                        Ok(())
                    } else {
                        Err("the connection is not closed".to_owned())
                    }
                }
            };
            result.map_err(|what| format!("{}:{}: {what}", self.name, step.line))?;
        }
        if !block.is_empty() {
            wire.send(block_connection, &block);
        }
        Ok(())
    }
}

fn expect(
    text: &Text,
    connection: char,
    wire: &mut dyn Wire,
    names: &mut BTreeMap<String, u64>,
) -> Result<(), String> {
    if !has_holes(text) {
        let wanted = fill(text, names)?;
        let got = wire.take(connection, wanted.len());
        return if got == wanted {
            Ok(())
        } else {
            Err(differ(&show(&wanted), &show(&got)))
        };
    }
    let got = wire.take_line(connection);
    if matches(text, &got, names) {
        Ok(())
    } else {
        let wanted = format!("{} with {names:?}", describe(text));
        Err(differ(&wanted, &show(&got)))
    }
}

fn skip_to(
    text: &Text,
    connection: char,
    wire: &mut dyn Wire,
    names: &mut BTreeMap<String, u64>,
) -> Result<(), String> {
    let mut last = Vec::new();
    loop {
        let got = wire.take_line(connection);
        if matches(text, &got, names) {
            return Ok(());
        }
        if got.last() != Some(&b'\n') {
            return Err(differ(&describe(text), &show(&last)));
        }
        last = got;
    }
}

/// A text as a failure message shows it.
fn describe(text: &Text) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Bytes(bytes) => show(bytes),
        Piece::Word => "{*}".to_owned(),
        Piece::Rest => "{...}".to_owned(),
        Piece::Number => "{#}".to_owned(),
        Piece::Named(name, offset) => format!("{{{name}{offset:+}}}"),
    };
    text.iter().map(piece).collect()
}

fn differ(wanted: &str, got: &str) -> String {
    format!("\n  expected {wanted}\n       got {got}")
}

fn version(text: &str) -> Option<Version> {
    if text == "never" {
        return None;
    }
    let mut numbers = text.split('.').map(|part| part.parse().expect("a version"));
    let mut next = || numbers.next().expect("three numbers");
    Some((next(), next(), next()))
}

fn action(line: &str, at: &str) -> (char, Action) {
    if let Some(seconds) = line
        .strip_prefix('+')
        .and_then(|rest| rest.strip_suffix('s'))
    {
        return ('A', Action::Move(seconds.parse().expect("seconds")));
    }
    let first = line.chars().next().unwrap_or(' ');
    let (connection, rest) = if first.is_ascii_uppercase() {
        (first, line[1..].trim_start())
    } else {
        ('A', line)
    };
    let (word, body) = rest.split_once(' ').unwrap_or((rest, ""));
    let ended = || {
        let mut pieces = text(body, at);
        append(&mut pieces, b"\r\n");
        pieces
    };
    let action = match word {
        ">" => Action::Send(ended()),
        ">~" => Action::Send(text(body, at)),
        "<" => Action::Expect(ended()),
        "<~" => Action::Expect(text(body, at)),
        "<..." => Action::SkipTo(ended()),
        "closed" => Action::Closed,
        _ => panic!("{at}: what is {line:?}?"),
    };
    (connection, action)
}

/// Reads escapes and holes.
fn text(source: &str, at: &str) -> Text {
    let mut pieces = Vec::new();
    let mut rest = source.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = match byte {
            b'\\' => {
                let (byte, after) = escape(after, at);
                append(&mut pieces, &[byte]);
                after
            }
            b'{' => {
                let end = after.iter().position(|&byte| byte == b'}');
                let end = end.unwrap_or_else(|| panic!("{at}: an open brace"));
                hole(&mut pieces, &after[..end], at);
                &after[end + 1..]
            }
            _ => {
                append(&mut pieces, &[byte]);
                after
            }
        };
    }
    pieces
}

fn escape<'a>(rest: &'a [u8], at: &str) -> (u8, &'a [u8]) {
    let (&byte, after) = rest.split_first().unwrap_or_else(|| panic!("{at}: \\"));
    match byte {
        b'r' => (b'\r', after),
        b'n' => (b'\n', after),
        b't' => (b'\t', after),
        b'0' => (0, after),
        b'x' => {
            let digits = std::str::from_utf8(&after[..2]).expect("hexadecimal");
            let byte = u8::from_str_radix(digits, 16).expect("hexadecimal");
            (byte, &after[2..])
        }
        b'\\' | b'{' => (byte, after),
        _ => panic!("{at}: unknown escape"),
    }
}

fn hole(pieces: &mut Text, inside: &[u8], at: &str) {
    let word = std::str::from_utf8(inside).expect("ASCII");
    match word {
        "*" => pieces.push(Piece::Word),
        "..." => pieces.push(Piece::Rest),
        "#" => pieces.push(Piece::Number),
        _ => {
            if let Some((count, what)) = word.split_once('*') {
                let count: usize = count.parse().unwrap_or_else(|_| panic!("{at}: {word}"));
                for piece in text(what, at) {
                    match piece {
                        Piece::Bytes(bytes) => append(pieces, &bytes.repeat(count)),
                        _ => panic!("{at}: a hole in a repetition"),
                    }
                }
            } else {
                let split = word.find(['+', '-']).unwrap_or(word.len());
                let (name, offset) = word.split_at(split);
                let offset = offset.trim_start_matches('+').parse().unwrap_or(0);
                pieces.push(Piece::Named(name.to_owned(), offset));
            }
        }
    }
}

fn append(pieces: &mut Text, bytes: &[u8]) {
    if let Some(Piece::Bytes(last)) = pieces.last_mut() {
        last.extend_from_slice(bytes);
    } else {
        pieces.push(Piece::Bytes(bytes.to_vec()));
    }
}

fn has_holes(text: &Text) -> bool {
    text.iter().any(|piece| !matches!(piece, Piece::Bytes(_)))
}

fn piece_size(piece: &Piece) -> usize {
    match piece {
        Piece::Bytes(bytes) => bytes.len(),
        _ => 1,
    }
}

/// The bytes of a text to send.
fn fill(text: &Text, names: &BTreeMap<String, u64>) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    for piece in text {
        match piece {
            Piece::Bytes(more) => bytes.extend_from_slice(more),
            Piece::Named(name, offset) => {
                let value = names.get(name).ok_or(format!("{name} is not known yet"))?;
                let value = value.wrapping_add_signed(*offset);
                bytes.extend_from_slice(value.to_string().as_bytes());
            }
            hole => return Err(format!("{hole:?} cannot be sent")),
        }
    }
    Ok(bytes)
}

/// Whether the whole of `got` fits the text. Names that are new are remembered.
fn matches(text: &[Piece], got: &[u8], names: &mut BTreeMap<String, u64>) -> bool {
    let Some((piece, more)) = text.split_first() else {
        return got.is_empty();
    };
    match piece {
        Piece::Bytes(bytes) => got
            .strip_prefix(bytes.as_slice())
            .is_some_and(|rest| matches(more, rest, names)),
        Piece::Word | Piece::Rest => {
            let ends = |byte: &u8| {
                matches!(byte, b'\r' | b'\n') || (*piece == Piece::Word && *byte == b' ')
            };
            let size = got.iter().position(ends).unwrap_or(got.len());
            // The shortest run first: what follows a hole may also occur inside of it.
            (0..=size).any(|size| matches(more, &got[size..], names))
        }
        Piece::Number | Piece::Named(..) => {
            let size = got.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let digits = std::str::from_utf8(&got[..size]).expect("digits");
            let Ok(value) = digits.parse::<u64>() else {
                return false;
            };
            if let Piece::Named(name, offset) = piece {
                let value = value.wrapping_add_signed(-offset);
                if *names.entry(name.clone()).or_insert(value) != value {
                    return false;
                }
            }
            matches(more, &got[size..], names)
        }
    }
}

#[test]
fn a_text_has_escapes_repetitions_and_holes() {
    let mut names = BTreeMap::new();
    let wanted = text("VALUE {3*ab} \\x00{#} {cas} {*}", "here");
    assert!(matches(&wanted, b"VALUE ababab \x0012 77 x", &mut names));
    assert_eq!(names["cas"], 77);
    assert!(!matches(&wanted, b"VALUE ababab \x0012 78 x", &mut names));
    let sent = fill(&text("cas {cas-1} \\{", "here"), &names);
    assert_eq!(sent.expect("bytes"), b"cas 76 {");
}
