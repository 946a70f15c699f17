//! The manual page, from the same commands that the program obeys. A test writes it and holds
//! it current; the program itself does not need it.

use std::fmt::Write;

use clap::{Arg, Command};

use super::{ABOUT, EXIT_CODES};
use crate::config::render::roff;

/// The manual page, `packaging/larder.1`.
pub(super) fn man(command: &Command) -> String {
    let mut out = String::from(
        ".TH LARDER 1 \"\" \"larder\" \"User Commands\"\n\
         .SH NAME\nlarder \\- ask a cache daemon that speaks memcached's protocols\n\
         .SH SYNOPSIS\n.B larder\n[\\fIoptions\\fR] \\fIcommand\\fR [\\fIarguments\\fR]\n",
    );
    let _ = write!(out, ".SH DESCRIPTION\n{}\n.SH OPTIONS\n", roff(ABOUT));
    for argument in command.get_arguments() {
        describe(&mut out, argument);
    }
    out.push_str(".SH COMMANDS\n");
    for verb in command.get_subcommands() {
        subcommand(&mut out, "larder", verb);
    }
    out.push_str(".SH EXIT STATUS\n");
    for (code, meaning) in EXIT_CODES {
        let _ = write!(out, ".TP\n.B {code}\n{}\n", roff(meaning));
    }
    out.push_str(".SH SEE ALSO\n.BR larderd (8)\n");
    out
}

fn subcommand(out: &mut String, before: &str, verb: &Command) {
    let name = format!("{before} {}", verb.get_name());
    let words: String = verb
        .get_positionals()
        .map(|argument| format!(" [\\fI{}\\fR]", roff(&value_name(argument))))
        .collect();
    let _ = writeln!(out, ".SS {}{words}", roff(&name));
    if let Some(about) = verb.get_about() {
        let _ = writeln!(out, "{}.", roff(&about.to_string()));
    }
    for argument in verb.get_arguments().filter(|argument| !is_help(argument)) {
        describe(out, argument);
    }
    if let Some(examples) = verb.get_after_help() {
        let _ = write!(out, ".PP\n.nf\n{}\n.fi\n", roff(&examples.to_string()));
    }
    for inner in verb.get_subcommands() {
        subcommand(out, &name, inner);
    }
}

fn is_help(argument: &Arg) -> bool {
    matches!(argument.get_id().as_str(), "help" | "version")
}

fn value_name(argument: &Arg) -> String {
    argument
        .get_value_names()
        .map(|names| names.join(" "))
        .unwrap_or_default()
}

/// One argument: how it is written, what it does, its default.
fn describe(out: &mut String, argument: &Arg) {
    let mut forms = Vec::new();
    let value = if argument.get_action().takes_values() {
        format!(" {}", value_name(argument))
    } else {
        String::new()
    };
    if let Some(short) = argument.get_short() {
        forms.push(format!("-{short}{value}"));
    }
    if let Some(long) = argument.get_long() {
        forms.push(format!("--{long}{value}"));
    }
    if forms.is_empty() {
        forms.push(value.trim().to_owned());
    }
    let _ = writeln!(out, ".TP\n.B {}", roff(&forms.join(", ")));
    let mut help = argument
        .get_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    let default: Vec<_> = argument
        .get_default_values()
        .iter()
        .map(|value| value.to_string_lossy())
        .collect();
    if !default.is_empty() && argument.get_action().takes_values() {
        let _ = write!(help, " [default: {}]", default.join(" "));
    }
    let _ = writeln!(out, "{}", roff(&help));
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use clap_complete::Shell;

    use super::*;

    /// What a shell knows of the commands.
    fn completion(shell: Shell) -> String {
        let mut out = Vec::new();
        clap_complete::generate(shell, &mut super::super::command(), "larder", &mut out);
        String::from_utf8(out).expect("a script is text")
    }

    #[test]
    fn the_generated_files_of_the_client_are_current() {
        for (path, text) in [
            ("packaging/larder.1", man(&super::super::command())),
            ("packaging/completions/larder.bash", completion(Shell::Bash)),
            ("packaging/completions/larder.fish", completion(Shell::Fish)),
            ("packaging/completions/_larder", completion(Shell::Zsh)),
        ] {
            let full = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
            if std::env::var_os("UPDATE_GENERATED").is_some() {
                fs::write(&full, &text).expect("the file can be written");
            }
            assert!(
                fs::read_to_string(&full).is_ok_and(|now| now == text),
                "{path} is stale: run UPDATE_GENERATED=1 cargo test generated"
            );
        }
    }
}
