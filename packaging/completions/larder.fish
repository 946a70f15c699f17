# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_larder_global_optspecs
    string join \n s/server= cluster placement= timeout= user= password-file= allow-cleartext tls tls-ca= tls-cert= tls-key= tls-server-name= binary json h/help V/version
end

function __fish_larder_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_larder_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_larder_using_subcommand
    set -l cmd (__fish_larder_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c larder -n "__fish_larder_needs_command" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket; several with commas, or given again [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_needs_command" -l placement -d 'With several daemons: send a key where this client puts it, such as ketama-weighted; see `larder cluster owner --help`' -r
complete -c larder -n "__fish_larder_needs_command" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_needs_command" -l user -d 'Log in as this user. The password comes from --password-file, or the variable LARDER_PASSWORD, or is asked for [env: LARDER_USER]' -r
complete -c larder -n "__fish_larder_needs_command" -l password-file -d 'The file that holds the password and nothing else [env: LARDER_PASSWORD_FILE]' -r -F
complete -c larder -n "__fish_larder_needs_command" -l tls-ca -d 'Authorities to trust instead of the system\'s, in PEM; means --tls [env: LARDER_TLS_CA]' -r -F
complete -c larder -n "__fish_larder_needs_command" -l tls-cert -d 'The certificate to show, in PEM; means --tls [env: LARDER_TLS_CERT]' -r -F
complete -c larder -n "__fish_larder_needs_command" -l tls-key -d 'Its private key, in PEM, when it is not in the same file [env: LARDER_TLS_KEY]' -r -F
complete -c larder -n "__fish_larder_needs_command" -l tls-server-name -d 'The name that the daemon\'s certificate must have, when it is not that of --server' -r
complete -c larder -n "__fish_larder_needs_command" -l cluster -d 'Ask every node that the daemon tells clients of'
complete -c larder -n "__fish_larder_needs_command" -l allow-cleartext -d 'Send a password over the network even if nothing hides it there [env: LARDER_ALLOW_CLEARTEXT]'
complete -c larder -n "__fish_larder_needs_command" -l tls -d 'Encrypt connections [env: LARDER_TLS]'
complete -c larder -n "__fish_larder_needs_command" -l binary -d 'Speak the binary protocol, to a daemon that speaks nothing else'
complete -c larder -n "__fish_larder_needs_command" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_needs_command" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_needs_command" -s V -l version -d 'Print version'
complete -c larder -n "__fish_larder_needs_command" -f -a "set" -d 'Store a value under a key'
complete -c larder -n "__fish_larder_needs_command" -f -a "add" -d 'Store a value under a key that is not there'
complete -c larder -n "__fish_larder_needs_command" -f -a "replace" -d 'Store a value under a key that is there'
complete -c larder -n "__fish_larder_needs_command" -f -a "append" -d 'Put more behind the value of a key'
complete -c larder -n "__fish_larder_needs_command" -f -a "prepend" -d 'Put more before the value of a key'
complete -c larder -n "__fish_larder_needs_command" -f -a "cas" -d 'Store a value unless somebody has changed the item'
complete -c larder -n "__fish_larder_needs_command" -f -a "get" -d 'Print the value of a key'
complete -c larder -n "__fish_larder_needs_command" -f -a "gat" -d 'Print the value of a key and give it another time to live'
complete -c larder -n "__fish_larder_needs_command" -f -a "touch" -d 'Give a key another time to live'
complete -c larder -n "__fish_larder_needs_command" -f -a "incr" -d 'Add to the number under a key, and print the sum'
complete -c larder -n "__fish_larder_needs_command" -f -a "decr" -d 'Take from the number under a key, down to 0, and print what is left'
complete -c larder -n "__fish_larder_needs_command" -f -a "delete" -d 'Remove a key'
complete -c larder -n "__fish_larder_needs_command" -f -a "flush" -d 'Remove all items'
complete -c larder -n "__fish_larder_needs_command" -f -a "keys" -d 'Print the keys of all items, one on a line, in no order'
complete -c larder -n "__fish_larder_needs_command" -f -a "inspect" -d 'Print what the daemon knows of an item, without using it'
complete -c larder -n "__fish_larder_needs_command" -f -a "dump" -d 'Write all items to a file, or to `larder load`'
complete -c larder -n "__fish_larder_needs_command" -f -a "load" -d 'Store the items of a file, or of `larder dump`'
complete -c larder -n "__fish_larder_needs_command" -f -a "stats" -d 'Print counters, all or one group of them'
complete -c larder -n "__fish_larder_needs_command" -f -a "version" -d 'Print the version that the daemon claims'
complete -c larder -n "__fish_larder_needs_command" -f -a "top" -d 'Show how busy each daemon is, anew each second; q ends it'
complete -c larder -n "__fish_larder_needs_command" -f -a "doctor" -d 'Look for what is wrong with a daemon, and say what to do about it'
complete -c larder -n "__fish_larder_needs_command" -f -a "hotkeys" -d 'Show the keys, and the prefixes of keys, that are asked for most'
complete -c larder -n "__fish_larder_needs_command" -f -a "bigkeys" -d 'Show the largest items'
complete -c larder -n "__fish_larder_needs_command" -f -a "clients" -d 'Show who is connected, or close connections'
complete -c larder -n "__fish_larder_needs_command" -f -a "slow" -d 'Show what took the daemon long, newest first'
complete -c larder -n "__fish_larder_needs_command" -f -a "threads" -d 'Show what each worker thread does, and how busy it is'
complete -c larder -n "__fish_larder_needs_command" -f -a "snapshot" -d 'Have larderd write all items to its snapshot file, and wait until it is done'
complete -c larder -n "__fish_larder_needs_command" -f -a "latency" -d 'Measure round trips, and show how long the daemon itself takes for commands'
complete -c larder -n "__fish_larder_needs_command" -f -a "monitor" -d 'Show what happens in a daemon, as it happens'
complete -c larder -n "__fish_larder_needs_command" -f -a "bench" -d 'Load a daemon and show how fast it answers'
complete -c larder -n "__fish_larder_needs_command" -f -a "cluster" -d 'Show the nodes that clients find, and which of them owns a key'
complete -c larder -n "__fish_larder_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c larder -n "__fish_larder_using_subcommand set" -l ttl -d 'How long it lives, or a Unix time; 0 is without end' -r
complete -c larder -n "__fish_larder_using_subcommand set" -l flags -d 'A number to keep beside it, by which clients know its form' -r
complete -c larder -n "__fish_larder_using_subcommand set" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket; several with commas, or given again [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand set" -l placement -d 'With several daemons: send a key where this client puts it, such as ketama-weighted; see `larder cluster owner --help`' -r
complete -c larder -n "__fish_larder_using_subcommand set" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand set" -l user -d 'Log in as this user. The password comes from --password-file, or the variable LARDER_PASSWORD, or is asked for [env: LARDER_USER]' -r
complete -c larder -n "__fish_larder_using_subcommand set" -l password-file -d 'The file that holds the password and nothing else [env: LARDER_PASSWORD_FILE]' -r -F
complete -c larder -n "__fish_larder_using_subcommand set" -l tls-ca -d 'Authorities to trust instead of the system\'s, in PEM; means --tls [env: LARDER_TLS_CA]' -r -F
complete -c larder -n "__fish_larder_using_subcommand set" -l tls-cert -d 'The certificate to show, in PEM; means --tls [env: LARDER_TLS_CERT]' -r -F
complete -c larder -n "__fish_larder_using_subcommand set" -l tls-key -d 'Its private key, in PEM, when it is not in the same file [env: LARDER_TLS_KEY]' -r -F
complete -c larder -n "__fish_larder_using_subcommand set" -l tls-server-name -d 'The name that the daemon\'s certificate must have, when it is not that of --server' -r
complete -c larder -n "__fish_larder_using_subcommand set" -l cluster -d 'Ask every node that the daemon tells clients of'
complete -c larder -n "__fish_larder_using_subcommand set" -l allow-cleartext -d 'Send a password over the network even if nothing hides it there [env: LARDER_ALLOW_CLEARTEXT]'
complete -c larder -n "__fish_larder_using_subcommand set" -l tls -d 'Encrypt connections [env: LARDER_TLS]'
complete -c larder -n "__fish_larder_using_subcommand set" -l binary -d 'Speak the binary protocol, to a daemon that speaks nothing else'
complete -c larder -n "__fish_larder_using_subcommand set" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand set" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand add" -l ttl -d 'How long it lives, or a Unix time; 0 is without end' -r
complete -c larder -n "__fish_larder_using_subcommand add" -l flags -d 'A number to keep beside it, by which clients know its form' -r
complete -c larder -n "__fish_larder_using_subcommand add" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket; several with commas, or given again [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand add" -l placement -d 'With several daemons: send a key where this client puts it, such as ketama-weighted; see `larder cluster owner --help`' -r
complete -c larder -n "__fish_larder_using_subcommand add" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand add" -l user -d 'Log in as this user. The password comes from --password-file, or the variable LARDER_PASSWORD, or is asked for [env: LARDER_USER]' -r
complete -c larder -n "__fish_larder_using_subcommand add" -l password-file -d 'The file that holds the password and nothing else [env: LARDER_PASSWORD_FILE]' -r -F
complete -c larder -n "__fish_larder_using_subcommand add" -l tls-ca -d 'Authorities to trust instead of the system\'s, in PEM; means --tls [env: LARDER_TLS_CA]' -r -F
complete -c larder -n "__fish_larder_using_subcommand add" -l tls-cert -d 'The certificate to show, in PEM; means --tls [env: LARDER_TLS_CERT]' -r -F
complete -c larder -n "__fish_larder_using_subcommand add" -l tls-key -d 'Its private key, in PEM, when it is not in the same file [env: LARDER_TLS_KEY]' -r -F
complete -c larder -n "__fish_larder_using_subcommand add" -l tls-server-name -d 'The name that the daemon\'s certificate must have, when it is not that of --server' -r
complete -c larder -n "__fish_larder_using_subcommand add" -l cluster -d 'Ask every node that the daemon tells clients of'
complete -c larder -n "__fish_larder_using_subcommand add" -l allow-cleartext -d 'Send a password over the network even if nothing hides it there [env: LARDER_ALLOW_CLEARTEXT]'
complete -c larder -n "__fish_larder_using_subcommand add" -l tls -d 'Encrypt connections [env: LARDER_TLS]'
complete -c larder -n "__fish_larder_using_subcommand add" -l binary -d 'Speak the binary protocol, to a daemon that speaks nothing else'
complete -c larder -n "__fish_larder_using_subcommand add" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand add" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand replace" -l ttl -d 'How long it lives, or a Unix time; 0 is without end' -r
complete -c larder -n "__fish_larder_using_subcommand replace" -l flags -d 'A number to keep beside it, by which clients know its form' -r
complete -c larder -n "__fish_larder_using_subcommand replace" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket; several with commas, or given again [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand replace" -l placement -d 'With several daemons: send a key where this client puts it, such as ketama-weighted; see `larder cluster owner --help`' -r
complete -c larder -n "__fish_larder_using_subcommand replace" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand replace" -l user -d 'Log in as this user. The password comes from --password-file, or the variable LARDER_PASSWORD, or is asked for [env: LARDER_USER]' -r
complete -c larder -n "__fish_larder_using_subcommand replace" -l password-file -d 'The file that holds the password and nothing else [env: LARDER_PASSWORD_FILE]' -r -F
complete -c larder -n "__fish_larder_using_subcommand replace" -l tls-ca -d 'Authorities to trust instead of the system\'s, in PEM; means --tls [env: LARDER_TLS_CA]' -r -F
complete -c larder -n "__fish_larder_using_subcommand replace" -l tls-cert -d 'The certificate to show, in PEM; means --tls [env: LARDER_TLS_CERT]' -r -F
complete -c larder -n "__fish_larder_using_subcommand replace" -l tls-key -d 'Its private key, in PEM, when it is not in the same file [env: LARDER_TLS_KEY]' -r -F
complete -c larder -n "__fish_larder_using_subcommand replace" -l tls-server-name -d 'The name that the daemon\'s certificate must have, when it is not that of --server' -r
complete -c larder -n "__fish_larder_using_subcommand replace" -l cluster -d 'Ask every node that the daemon tells clients of'
complete -c larder -n "__fish_larder_using_subcommand replace" -l allow-cleartext -d 'Send a password over the network even if nothing hides it there [env: LARDER_ALLOW_CLEARTEXT]'
complete -c larder -n "__fish_larder_using_subcommand replace" -l tls -d 'Encrypt connections [env: LARDER_TLS]'
complete -c larder -n "__fish_larder_using_subcommand replace" -l binary -d 'Speak the binary protocol, to a daemon that speaks nothing else'
complete -c larder -n "__fish_larder_using_subcommand replace" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand replace" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand append" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket; several with commas, or given again [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand append" -l placement -d 'With several daemons: send a key where this client puts it, such as ketama-weighted; see `larder cluster owner --help`' -r
complete -c larder -n "__fish_larder_using_subcommand append" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand append" -l user -d 'Log in as this user. The password comes from --password-file, or the variable LARDER_PASSWORD, or is asked for [env: LARDER_USER]' -r
complete -c larder -n "__fish_larder_using_subcommand append" -l password-file -d 'The file that holds the password and nothing else [env: LARDER_PASSWORD_FILE]' -r -F
complete -c larder -n "__fish_larder_using_subcommand append" -l tls-ca -d 'Authorities to trust instead of the system\'s, in PEM; means --tls [env: LARDER_TLS_CA]' -r -F
complete -c larder -n "__fish_larder_using_subcommand append" -l tls-cert -d 'The certificate to show, in PEM; means --tls [env: LARDER_TLS_CERT]' -r -F
complete -c larder -n "__fish_larder_using_subcommand append" -l tls-key -d 'Its private key, in PEM, when it is not in the same file [env: LARDER_TLS_KEY]' -r -F
complete -c larder -n "__fish_larder_using_subcommand append" -l tls-server-name -d 'The name that the daemon\'s certificate must have, when it is not that of --server' -r
complete -c larder -n "__fish_larder_using_subcommand append" -l cluster -d 'Ask every node that the daemon tells clients of'
complete -c larder -n "__fish_larder_using_subcommand append" -l allow-cleartext -d 'Send a password over the network even if nothing hides it there [env: LARDER_ALLOW_CLEARTEXT]'
complete -c larder -n "__fish_larder_using_subcommand append" -l tls -d 'Encrypt connections [env: LARDER_TLS]'
complete -c larder -n "__fish_larder_using_subcommand append" -l binary -d 'Speak the binary protocol, to a daemon that speaks nothing else'
complete -c larder -n "__fish_larder_using_subcommand append" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand append" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand prepend" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket; several with commas, or given again [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand prepend" -l placement -d 'With several daemons: send a key where this client puts it, such as ketama-weighted; see `larder cluster owner --help`' -r
complete -c larder -n "__fish_larder_using_subcommand prepend" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand prepend" -l user -d 'Log in as this user. The password comes from --password-file, or the variable LARDER_PASSWORD, or is asked for [env: LARDER_USER]' -r
complete -c larder -n "__fish_larder_using_subcommand prepend" -l password-file -d 'The file that holds the password and nothing else [env: LARDER_PASSWORD_FILE]' -r -F
complete -c larder -n "__fish_larder_using_subcommand prepend" -l tls-ca -d 'Authorities to trust instead of the system\'s, in PEM; means --tls [env: LARDER_TLS_CA]' -r -F
complete -c larder -n "__fish_larder_using_subcommand prepend" -l tls-cert -d 'The certificate to show, in PEM; means --tls [env: LARDER_TLS_CERT]' -r -F
complete -c larder -n "__fish_larder_using_subcommand prepend" -l tls-key -d 'Its private key, in PEM, when it is not in the same file [env: LARDER_TLS_KEY]' -r -F
complete -c larder -n "__fish_larder_using_subcommand prepend" -l tls-server-name -d 'The name that the daemon\'s certificate must have, when it is not that of --server' -r
complete -c larder -n "__fish_larder_using_subcommand prepend" -l cluster -d 'Ask every node that the daemon tells clients of'
complete -c larder -n "__fish_larder_using_subcommand prepend" -l allow-cleartext -d 'Send a password over the network even if nothing hides it there [env: LARDER_ALLOW_CLEARTEXT]'
complete -c larder -n "__fish_larder_using_subcommand prepend" -l tls -d 'Encrypt connections [env: LARDER_TLS]'
complete -c larder -n "__fish_larder_using_subcommand prepend" -l binary -d 'Speak the binary protocol, to a daemon that speaks nothing else'
complete -c larder -n "__fish_larder_using_subcommand prepend" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand prepend" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand cas" -l ttl -d 'How long it lives, or a Unix time; 0 is without end' -r
complete -c larder -n "__fish_larder_using_subcommand cas" -l flags -d 'A number to keep beside it, by which clients know its form' -r
complete -c larder -n "__fish_larder_using_subcommand cas" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket; several with commas, or given again [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand cas" -l placement -d 'With several daemons: send a key where this client puts it, such as ketama-weighted; see `larder cluster owner --help`' -r
complete -c larder -n "__fish_larder_using_subcommand cas" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand cas" -l user -d 'Log in as this user. The password comes from --password-file, or the variable LARDER_PASSWORD, or is asked for [env: LARDER_USER]' -r
complete -c larder -n "__fish_larder_using_subcommand cas" -l password-file -d 'The file that holds the password and nothing else [env: LARDER_PASSWORD_FILE]' -r -F
complete -c larder -n "__fish_larder_using_subcommand cas" -l tls-ca -d 'Authorities to trust instead of the system\'s, in PEM; means --tls [env: LARDER_TLS_CA]' -r -F
complete -c larder -n "__fish_larder_using_subcommand cas" -l tls-cert -d 'The certificate to show, in PEM; means --tls [env: LARDER_TLS_CERT]' -r -F
complete -c larder -n "__fish_larder_using_subcommand cas" -l tls-key -d 'Its private key, in PEM, when it is not in the same file [env: LARDER_TLS_KEY]' -r -F
complete -c larder -n "__fish_larder_using_subcommand cas" -l tls-server-name -d 'The name that the daemon\'s certificate must have, when it is not that of --server' -r
complete -c larder -n "__fish_larder_using_subcommand cas" -l cluster -d 'Ask every node that the daemon tells clients of'
complete -c larder -n "__fish_larder_using_subcommand cas" -l allow-cleartext -d 'Send a password over the network even if nothing hides it there [env: LARDER_ALLOW_CLEARTEXT]'
complete -c larder -n "__fish_larder_using_subcommand cas" -l tls -d 'Encrypt connections [env: LARDER_TLS]'
complete -c larder -n "__fish_larder_using_subcommand cas" -l binary -d 'Speak the binary protocol, to a daemon that speaks nothing else'
complete -c larder -n "__fish_larder_using_subcommand cas" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand cas" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand get" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket; several with commas, or given again [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand get" -l placement -d 'With several daemons: send a key where this client puts it, such as ketama-weighted; see `larder cluster owner --help`' -r
complete -c larder -n "__fish_larder_using_subcommand get" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand get" -l user -d 'Log in as this user. The password comes from --password-file, or the variable LARDER_PASSWORD, or is asked for [env: LARDER_USER]' -r
complete -c larder -n "__fish_larder_using_subcommand get" -l password-file -d 'The file that holds the password and nothing else [env: LARDER_PASSWORD_FILE]' -r -F
complete -c larder -n "__fish_larder_using_subcommand get" -l tls-ca -d 'Authorities to trust instead of the system\'s, in PEM; means --tls [env: LARDER_TLS_CA]' -r -F
complete -c larder -n "__fish_larder_using_subcommand get" -l tls-cert -d 'The certificate to show, in PEM; means --tls [env: LARDER_TLS_CERT]' -r -F
complete -c larder -n "__fish_larder_using_subcommand get" -l tls-key -d 'Its private key, in PEM, when it is not in the same file [env: LARDER_TLS_KEY]' -r -F
complete -c larder -n "__fish_larder_using_subcommand get" -l tls-server-name -d 'The name that the daemon\'s certificate must have, when it is not that of --server' -r
complete -c larder -n "__fish_larder_using_subcommand get" -l cluster -d 'Ask every node that the daemon tells clients of'
complete -c larder -n "__fish_larder_using_subcommand get" -l allow-cleartext -d 'Send a password over the network even if nothing hides it there [env: LARDER_ALLOW_CLEARTEXT]'
complete -c larder -n "__fish_larder_using_subcommand get" -l tls -d 'Encrypt connections [env: LARDER_TLS]'
complete -c larder -n "__fish_larder_using_subcommand get" -l binary -d 'Speak the binary protocol, to a daemon that speaks nothing else'
complete -c larder -n "__fish_larder_using_subcommand get" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand get" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand gat" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket; several with commas, or given again [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand gat" -l placement -d 'With several daemons: send a key where this client puts it, such as ketama-weighted; see `larder cluster owner --help`' -r
complete -c larder -n "__fish_larder_using_subcommand gat" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand gat" -l user -d 'Log in as this user. The password comes from --password-file, or the variable LARDER_PASSWORD, or is asked for [env: LARDER_USER]' -r
complete -c larder -n "__fish_larder_using_subcommand gat" -l password-file -d 'The file that holds the password and nothing else [env: LARDER_PASSWORD_FILE]' -r -F
complete -c larder -n "__fish_larder_using_subcommand gat" -l tls-ca -d 'Authorities to trust instead of the system\'s, in PEM; means --tls [env: LARDER_TLS_CA]' -r -F
complete -c larder -n "__fish_larder_using_subcommand gat" -l tls-cert -d 'The certificate to show, in PEM; means --tls [env: LARDER_TLS_CERT]' -r -F
complete -c larder -n "__fish_larder_using_subcommand gat" -l tls-key -d 'Its private key, in PEM, when it is not in the same file [env: LARDER_TLS_KEY]' -r -F
complete -c larder -n "__fish_larder_using_subcommand gat" -l tls-server-name -d 'The name that the daemon\'s certificate must have, when it is not that of --server' -r
complete -c larder -n "__fish_larder_using_subcommand gat" -l cluster -d 'Ask every node that the daemon tells clients of'
complete -c larder -n "__fish_larder_using_subcommand gat" -l allow-cleartext -d 'Send a password over the network even if nothing hides it there [env: LARDER_ALLOW_CLEARTEXT]'
complete -c larder -n "__fish_larder_using_subcommand gat" -l tls -d 'Encrypt connections [env: LARDER_TLS]'
complete -c larder -n "__fish_larder_using_subcommand gat" -l binary -d 'Speak the binary protocol, to a daemon that speaks nothing else'
complete -c larder -n "__fish_larder_using_subcommand gat" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand gat" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand touch" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket; several with commas, or given again [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand touch" -l placement -d 'With several daemons: send a key where this client puts it, such as ketama-weighted; see `larder cluster owner --help`' -r
complete -c larder -n "__fish_larder_using_subcommand touch" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand touch" -l user -d 'Log in as this user. The password comes from --password-file, or the variable LARDER_PASSWORD, or is asked for [env: LARDER_USER]' -r
complete -c larder -n "__fish_larder_using_subcommand touch" -l password-file -d 'The file that holds the password and nothing else [env: LARDER_PASSWORD_FILE]' -r -F
complete -c larder -n "__fish_larder_using_subcommand touch" -l tls-ca -d 'Authorities to trust instead of the system\'s, in PEM; means --tls [env: LARDER_TLS_CA]' -r -F
complete -c larder -n "__fish_larder_using_subcommand touch" -l tls-cert -d 'The certificate to show, in PEM; means --tls [env: LARDER_TLS_CERT]' -r -F
complete -c larder -n "__fish_larder_using_subcommand touch" -l tls-key -d 'Its private key, in PEM, when it is not in the same file [env: LARDER_TLS_KEY]' -r -F
complete -c larder -n "__fish_larder_using_subcommand touch" -l tls-server-name -d 'The name that the daemon\'s certificate must have, when it is not that of --server' -r
complete -c larder -n "__fish_larder_using_subcommand touch" -l cluster -d 'Ask every node that the daemon tells clients of'
complete -c larder -n "__fish_larder_using_subcommand touch" -l allow-cleartext -d 'Send a password over the network even if nothing hides it there [env: LARDER_ALLOW_CLEARTEXT]'
complete -c larder -n "__fish_larder_using_subcommand touch" -l tls -d 'Encrypt connections [env: LARDER_TLS]'
complete -c larder -n "__fish_larder_using_subcommand touch" -l binary -d 'Speak the binary protocol, to a daemon that speaks nothing else'
complete -c larder -n "__fish_larder_using_subcommand touch" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand touch" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand incr" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket; several with commas, or given again [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand incr" -l placement -d 'With several daemons: send a key where this client puts it, such as ketama-weighted; see `larder cluster owner --help`' -r
complete -c larder -n "__fish_larder_using_subcommand incr" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand incr" -l user -d 'Log in as this user. The password comes from --password-file, or the variable LARDER_PASSWORD, or is asked for [env: LARDER_USER]' -r
complete -c larder -n "__fish_larder_using_subcommand incr" -l password-file -d 'The file that holds the password and nothing else [env: LARDER_PASSWORD_FILE]' -r -F
complete -c larder -n "__fish_larder_using_subcommand incr" -l tls-ca -d 'Authorities to trust instead of the system\'s, in PEM; means --tls [env: LARDER_TLS_CA]' -r -F
complete -c larder -n "__fish_larder_using_subcommand incr" -l tls-cert -d 'The certificate to show, in PEM; means --tls [env: LARDER_TLS_CERT]' -r -F
complete -c larder -n "__fish_larder_using_subcommand incr" -l tls-key -d 'Its private key, in PEM, when it is not in the same file [env: LARDER_TLS_KEY]' -r -F
complete -c larder -n "__fish_larder_using_subcommand incr" -l tls-server-name -d 'The name that the daemon\'s certificate must have, when it is not that of --server' -r
complete -c larder -n "__fish_larder_using_subcommand incr" -l cluster -d 'Ask every node that the daemon tells clients of'
complete -c larder -n "__fish_larder_using_subcommand incr" -l allow-cleartext -d 'Send a password over the network even if nothing hides it there [env: LARDER_ALLOW_CLEARTEXT]'
complete -c larder -n "__fish_larder_using_subcommand incr" -l tls -d 'Encrypt connections [env: LARDER_TLS]'
complete -c larder -n "__fish_larder_using_subcommand incr" -l binary -d 'Speak the binary protocol, to a daemon that speaks nothing else'
complete -c larder -n "__fish_larder_using_subcommand incr" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand incr" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand decr" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket; several with commas, or given again [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand decr" -l placement -d 'With several daemons: send a key where this client puts it, such as ketama-weighted; see `larder cluster owner --help`' -r
complete -c larder -n "__fish_larder_using_subcommand decr" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand decr" -l user -d 'Log in as this user. The password comes from --password-file, or the variable LARDER_PASSWORD, or is asked for [env: LARDER_USER]' -r
complete -c larder -n "__fish_larder_using_subcommand decr" -l password-file -d 'The file that holds the password and nothing else [env: LARDER_PASSWORD_FILE]' -r -F
complete -c larder -n "__fish_larder_using_subcommand decr" -l tls-ca -d 'Authorities to trust instead of the system\'s, in PEM; means --tls [env: LARDER_TLS_CA]' -r -F
complete -c larder -n "__fish_larder_using_subcommand decr" -l tls-cert -d 'The certificate to show, in PEM; means --tls [env: LARDER_TLS_CERT]' -r -F
complete -c larder -n "__fish_larder_using_subcommand decr" -l tls-key -d 'Its private key, in PEM, when it is not in the same file [env: LARDER_TLS_KEY]' -r -F
complete -c larder -n "__fish_larder_using_subcommand decr" -l tls-server-name -d 'The name that the daemon\'s certificate must have, when it is not that of --server' -r
complete -c larder -n "__fish_larder_using_subcommand decr" -l cluster -d 'Ask every node that the daemon tells clients of'
complete -c larder -n "__fish_larder_using_subcommand decr" -l allow-cleartext -d 'Send a password over the network even if nothing hides it there [env: LARDER_ALLOW_CLEARTEXT]'
complete -c larder -n "__fish_larder_using_subcommand decr" -l tls -d 'Encrypt connections [env: LARDER_TLS]'
complete -c larder -n "__fish_larder_using_subcommand decr" -l binary -d 'Speak the binary protocol, to a daemon that speaks nothing else'
complete -c larder -n "__fish_larder_using_subcommand decr" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand decr" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand delete" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket; several with commas, or given again [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand delete" -l placement -d 'With several daemons: send a key where this client puts it, such as ketama-weighted; see `larder cluster owner --help`' -r
complete -c larder -n "__fish_larder_using_subcommand delete" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand delete" -l user -d 'Log in as this user. The password comes from --password-file, or the variable LARDER_PASSWORD, or is asked for [env: LARDER_USER]' -r
complete -c larder -n "__fish_larder_using_subcommand delete" -l password-file -d 'The file that holds the password and nothing else [env: LARDER_PASSWORD_FILE]' -r -F
complete -c larder -n "__fish_larder_using_subcommand delete" -l tls-ca -d 'Authorities to trust instead of the system\'s, in PEM; means --tls [env: LARDER_TLS_CA]' -r -F
complete -c larder -n "__fish_larder_using_subcommand delete" -l tls-cert -d 'The certificate to show, in PEM; means --tls [env: LARDER_TLS_CERT]' -r -F
complete -c larder -n "__fish_larder_using_subcommand delete" -l tls-key -d 'Its private key, in PEM, when it is not in the same file [env: LARDER_TLS_KEY]' -r -F
complete -c larder -n "__fish_larder_using_subcommand delete" -l tls-server-name -d 'The name that the daemon\'s certificate must have, when it is not that of --server' -r
complete -c larder -n "__fish_larder_using_subcommand delete" -l cluster -d 'Ask every node that the daemon tells clients of'
complete -c larder -n "__fish_larder_using_subcommand delete" -l allow-cleartext -d 'Send a password over the network even if nothing hides it there [env: LARDER_ALLOW_CLEARTEXT]'
complete -c larder -n "__fish_larder_using_subcommand delete" -l tls -d 'Encrypt connections [env: LARDER_TLS]'
complete -c larder -n "__fish_larder_using_subcommand delete" -l binary -d 'Speak the binary protocol, to a daemon that speaks nothing else'
complete -c larder -n "__fish_larder_using_subcommand delete" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand delete" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand flush" -l delay -d 'Not now, but then; with several daemons each that much after the one before' -r
complete -c larder -n "__fish_larder_using_subcommand flush" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket; several with commas, or given again [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand flush" -l placement -d 'With several daemons: send a key where this client puts it, such as ketama-weighted; see `larder cluster owner --help`' -r
complete -c larder -n "__fish_larder_using_subcommand flush" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand flush" -l user -d 'Log in as this user. The password comes from --password-file, or the variable LARDER_PASSWORD, or is asked for [env: LARDER_USER]' -r
complete -c larder -n "__fish_larder_using_subcommand flush" -l password-file -d 'The file that holds the password and nothing else [env: LARDER_PASSWORD_FILE]' -r -F
complete -c larder -n "__fish_larder_using_subcommand flush" -l tls-ca -d 'Authorities to trust instead of the system\'s, in PEM; means --tls [env: LARDER_TLS_CA]' -r -F
complete -c larder -n "__fish_larder_using_subcommand flush" -l tls-cert -d 'The certificate to show, in PEM; means --tls [env: LARDER_TLS_CERT]' -r -F
complete -c larder -n "__fish_larder_using_subcommand flush" -l tls-key -d 'Its private key, in PEM, when it is not in the same file [env: LARDER_TLS_KEY]' -r -F
complete -c larder -n "__fish_larder_using_subcommand flush" -l tls-server-name -d 'The name that the daemon\'s certificate must have, when it is not that of --server' -r
complete -c larder -n "__fish_larder_using_subcommand flush" -l yes -d 'Do not ask whether that is meant'
complete -c larder -n "__fish_larder_using_subcommand flush" -l cluster -d 'Ask every node that the daemon tells clients of'
complete -c larder -n "__fish_larder_using_subcommand flush" -l allow-cleartext -d 'Send a password over the network even if nothing hides it there [env: LARDER_ALLOW_CLEARTEXT]'
complete -c larder -n "__fish_larder_using_subcommand flush" -l tls -d 'Encrypt connections [env: LARDER_TLS]'
complete -c larder -n "__fish_larder_using_subcommand flush" -l binary -d 'Speak the binary protocol, to a daemon that speaks nothing else'
complete -c larder -n "__fish_larder_using_subcommand flush" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand flush" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand keys" -l prefix -d 'Only keys that begin so' -r
complete -c larder -n "__fish_larder_using_subcommand keys" -l limit -d 'Stop after so many' -r
complete -c larder -n "__fish_larder_using_subcommand keys" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket; several with commas, or given again [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand keys" -l placement -d 'With several daemons: send a key where this client puts it, such as ketama-weighted; see `larder cluster owner --help`' -r
complete -c larder -n "__fish_larder_using_subcommand keys" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand keys" -l user -d 'Log in as this user. The password comes from --password-file, or the variable LARDER_PASSWORD, or is asked for [env: LARDER_USER]' -r
complete -c larder -n "__fish_larder_using_subcommand keys" -l password-file -d 'The file that holds the password and nothing else [env: LARDER_PASSWORD_FILE]' -r -F
complete -c larder -n "__fish_larder_using_subcommand keys" -l tls-ca -d 'Authorities to trust instead of the system\'s, in PEM; means --tls [env: LARDER_TLS_CA]' -r -F
complete -c larder -n "__fish_larder_using_subcommand keys" -l tls-cert -d 'The certificate to show, in PEM; means --tls [env: LARDER_TLS_CERT]' -r -F
complete -c larder -n "__fish_larder_using_subcommand keys" -l tls-key -d 'Its private key, in PEM, when it is not in the same file [env: LARDER_TLS_KEY]' -r -F
complete -c larder -n "__fish_larder_using_subcommand keys" -l tls-server-name -d 'The name that the daemon\'s certificate must have, when it is not that of --server' -r
complete -c larder -n "__fish_larder_using_subcommand keys" -l long -d 'Behind each, with tabs: memory in bytes, seconds to live or -, seconds since it was used, slab class'
complete -c larder -n "__fish_larder_using_subcommand keys" -l cluster -d 'Ask every node that the daemon tells clients of'
complete -c larder -n "__fish_larder_using_subcommand keys" -l allow-cleartext -d 'Send a password over the network even if nothing hides it there [env: LARDER_ALLOW_CLEARTEXT]'
complete -c larder -n "__fish_larder_using_subcommand keys" -l tls -d 'Encrypt connections [env: LARDER_TLS]'
complete -c larder -n "__fish_larder_using_subcommand keys" -l binary -d 'Speak the binary protocol, to a daemon that speaks nothing else'
complete -c larder -n "__fish_larder_using_subcommand keys" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand keys" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand inspect" -l only -d 'Print this number or word and nothing else' -r -f -a "size\t''
flags\t''
cas\t''
ttl_s\t''
last_access_s\t''
hit_before\t''
class\t''
memory\t''
binary\t''"
complete -c larder -n "__fish_larder_using_subcommand inspect" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket; several with commas, or given again [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand inspect" -l placement -d 'With several daemons: send a key where this client puts it, such as ketama-weighted; see `larder cluster owner --help`' -r
complete -c larder -n "__fish_larder_using_subcommand inspect" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand inspect" -l user -d 'Log in as this user. The password comes from --password-file, or the variable LARDER_PASSWORD, or is asked for [env: LARDER_USER]' -r
complete -c larder -n "__fish_larder_using_subcommand inspect" -l password-file -d 'The file that holds the password and nothing else [env: LARDER_PASSWORD_FILE]' -r -F
complete -c larder -n "__fish_larder_using_subcommand inspect" -l tls-ca -d 'Authorities to trust instead of the system\'s, in PEM; means --tls [env: LARDER_TLS_CA]' -r -F
complete -c larder -n "__fish_larder_using_subcommand inspect" -l tls-cert -d 'The certificate to show, in PEM; means --tls [env: LARDER_TLS_CERT]' -r -F
complete -c larder -n "__fish_larder_using_subcommand inspect" -l tls-key -d 'Its private key, in PEM, when it is not in the same file [env: LARDER_TLS_KEY]' -r -F
complete -c larder -n "__fish_larder_using_subcommand inspect" -l tls-server-name -d 'The name that the daemon\'s certificate must have, when it is not that of --server' -r
complete -c larder -n "__fish_larder_using_subcommand inspect" -l cluster -d 'Ask every node that the daemon tells clients of'
complete -c larder -n "__fish_larder_using_subcommand inspect" -l allow-cleartext -d 'Send a password over the network even if nothing hides it there [env: LARDER_ALLOW_CLEARTEXT]'
complete -c larder -n "__fish_larder_using_subcommand inspect" -l tls -d 'Encrypt connections [env: LARDER_TLS]'
complete -c larder -n "__fish_larder_using_subcommand inspect" -l binary -d 'Speak the binary protocol, to a daemon that speaks nothing else'
complete -c larder -n "__fish_larder_using_subcommand inspect" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand inspect" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand dump" -l prefix -d 'Only keys that begin so' -r
complete -c larder -n "__fish_larder_using_subcommand dump" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket; several with commas, or given again [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand dump" -l placement -d 'With several daemons: send a key where this client puts it, such as ketama-weighted; see `larder cluster owner --help`' -r
complete -c larder -n "__fish_larder_using_subcommand dump" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand dump" -l user -d 'Log in as this user. The password comes from --password-file, or the variable LARDER_PASSWORD, or is asked for [env: LARDER_USER]' -r
complete -c larder -n "__fish_larder_using_subcommand dump" -l password-file -d 'The file that holds the password and nothing else [env: LARDER_PASSWORD_FILE]' -r -F
complete -c larder -n "__fish_larder_using_subcommand dump" -l tls-ca -d 'Authorities to trust instead of the system\'s, in PEM; means --tls [env: LARDER_TLS_CA]' -r -F
complete -c larder -n "__fish_larder_using_subcommand dump" -l tls-cert -d 'The certificate to show, in PEM; means --tls [env: LARDER_TLS_CERT]' -r -F
complete -c larder -n "__fish_larder_using_subcommand dump" -l tls-key -d 'Its private key, in PEM, when it is not in the same file [env: LARDER_TLS_KEY]' -r -F
complete -c larder -n "__fish_larder_using_subcommand dump" -l tls-server-name -d 'The name that the daemon\'s certificate must have, when it is not that of --server' -r
complete -c larder -n "__fish_larder_using_subcommand dump" -l resume -d 'Keep what FILE has from a dump that was broken off, and add the keys that it lacks'
complete -c larder -n "__fish_larder_using_subcommand dump" -l cluster -d 'Ask every node that the daemon tells clients of'
complete -c larder -n "__fish_larder_using_subcommand dump" -l allow-cleartext -d 'Send a password over the network even if nothing hides it there [env: LARDER_ALLOW_CLEARTEXT]'
complete -c larder -n "__fish_larder_using_subcommand dump" -l tls -d 'Encrypt connections [env: LARDER_TLS]'
complete -c larder -n "__fish_larder_using_subcommand dump" -l binary -d 'Speak the binary protocol, to a daemon that speaks nothing else'
complete -c larder -n "__fish_larder_using_subcommand dump" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand dump" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand load" -l after -d 'Pass over everything up to this key, and it too: a load that fails tells how far it came' -r
complete -c larder -n "__fish_larder_using_subcommand load" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket; several with commas, or given again [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand load" -l placement -d 'With several daemons: send a key where this client puts it, such as ketama-weighted; see `larder cluster owner --help`' -r
complete -c larder -n "__fish_larder_using_subcommand load" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand load" -l user -d 'Log in as this user. The password comes from --password-file, or the variable LARDER_PASSWORD, or is asked for [env: LARDER_USER]' -r
complete -c larder -n "__fish_larder_using_subcommand load" -l password-file -d 'The file that holds the password and nothing else [env: LARDER_PASSWORD_FILE]' -r -F
complete -c larder -n "__fish_larder_using_subcommand load" -l tls-ca -d 'Authorities to trust instead of the system\'s, in PEM; means --tls [env: LARDER_TLS_CA]' -r -F
complete -c larder -n "__fish_larder_using_subcommand load" -l tls-cert -d 'The certificate to show, in PEM; means --tls [env: LARDER_TLS_CERT]' -r -F
complete -c larder -n "__fish_larder_using_subcommand load" -l tls-key -d 'Its private key, in PEM, when it is not in the same file [env: LARDER_TLS_KEY]' -r -F
complete -c larder -n "__fish_larder_using_subcommand load" -l tls-server-name -d 'The name that the daemon\'s certificate must have, when it is not that of --server' -r
complete -c larder -n "__fish_larder_using_subcommand load" -l add -d 'Leave alone what is there already'
complete -c larder -n "__fish_larder_using_subcommand load" -l cluster -d 'Ask every node that the daemon tells clients of'
complete -c larder -n "__fish_larder_using_subcommand load" -l allow-cleartext -d 'Send a password over the network even if nothing hides it there [env: LARDER_ALLOW_CLEARTEXT]'
complete -c larder -n "__fish_larder_using_subcommand load" -l tls -d 'Encrypt connections [env: LARDER_TLS]'
complete -c larder -n "__fish_larder_using_subcommand load" -l binary -d 'Speak the binary protocol, to a daemon that speaks nothing else'
complete -c larder -n "__fish_larder_using_subcommand load" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand load" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand stats" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket; several with commas, or given again [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand stats" -l placement -d 'With several daemons: send a key where this client puts it, such as ketama-weighted; see `larder cluster owner --help`' -r
complete -c larder -n "__fish_larder_using_subcommand stats" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand stats" -l user -d 'Log in as this user. The password comes from --password-file, or the variable LARDER_PASSWORD, or is asked for [env: LARDER_USER]' -r
complete -c larder -n "__fish_larder_using_subcommand stats" -l password-file -d 'The file that holds the password and nothing else [env: LARDER_PASSWORD_FILE]' -r -F
complete -c larder -n "__fish_larder_using_subcommand stats" -l tls-ca -d 'Authorities to trust instead of the system\'s, in PEM; means --tls [env: LARDER_TLS_CA]' -r -F
complete -c larder -n "__fish_larder_using_subcommand stats" -l tls-cert -d 'The certificate to show, in PEM; means --tls [env: LARDER_TLS_CERT]' -r -F
complete -c larder -n "__fish_larder_using_subcommand stats" -l tls-key -d 'Its private key, in PEM, when it is not in the same file [env: LARDER_TLS_KEY]' -r -F
complete -c larder -n "__fish_larder_using_subcommand stats" -l tls-server-name -d 'The name that the daemon\'s certificate must have, when it is not that of --server' -r
complete -c larder -n "__fish_larder_using_subcommand stats" -l cluster -d 'Ask every node that the daemon tells clients of'
complete -c larder -n "__fish_larder_using_subcommand stats" -l allow-cleartext -d 'Send a password over the network even if nothing hides it there [env: LARDER_ALLOW_CLEARTEXT]'
complete -c larder -n "__fish_larder_using_subcommand stats" -l tls -d 'Encrypt connections [env: LARDER_TLS]'
complete -c larder -n "__fish_larder_using_subcommand stats" -l binary -d 'Speak the binary protocol, to a daemon that speaks nothing else'
complete -c larder -n "__fish_larder_using_subcommand stats" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand stats" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand version" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket; several with commas, or given again [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand version" -l placement -d 'With several daemons: send a key where this client puts it, such as ketama-weighted; see `larder cluster owner --help`' -r
complete -c larder -n "__fish_larder_using_subcommand version" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand version" -l user -d 'Log in as this user. The password comes from --password-file, or the variable LARDER_PASSWORD, or is asked for [env: LARDER_USER]' -r
complete -c larder -n "__fish_larder_using_subcommand version" -l password-file -d 'The file that holds the password and nothing else [env: LARDER_PASSWORD_FILE]' -r -F
complete -c larder -n "__fish_larder_using_subcommand version" -l tls-ca -d 'Authorities to trust instead of the system\'s, in PEM; means --tls [env: LARDER_TLS_CA]' -r -F
complete -c larder -n "__fish_larder_using_subcommand version" -l tls-cert -d 'The certificate to show, in PEM; means --tls [env: LARDER_TLS_CERT]' -r -F
complete -c larder -n "__fish_larder_using_subcommand version" -l tls-key -d 'Its private key, in PEM, when it is not in the same file [env: LARDER_TLS_KEY]' -r -F
complete -c larder -n "__fish_larder_using_subcommand version" -l tls-server-name -d 'The name that the daemon\'s certificate must have, when it is not that of --server' -r
complete -c larder -n "__fish_larder_using_subcommand version" -l cluster -d 'Ask every node that the daemon tells clients of'
complete -c larder -n "__fish_larder_using_subcommand version" -l allow-cleartext -d 'Send a password over the network even if nothing hides it there [env: LARDER_ALLOW_CLEARTEXT]'
complete -c larder -n "__fish_larder_using_subcommand version" -l tls -d 'Encrypt connections [env: LARDER_TLS]'
complete -c larder -n "__fish_larder_using_subcommand version" -l binary -d 'Speak the binary protocol, to a daemon that speaks nothing else'
complete -c larder -n "__fish_larder_using_subcommand version" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand version" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand top" -l count -d 'End after so many tables' -r
complete -c larder -n "__fish_larder_using_subcommand top" -l interval -d 'Time between two readings [default: 1]' -r
complete -c larder -n "__fish_larder_using_subcommand top" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket; several with commas, or given again [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand top" -l placement -d 'With several daemons: send a key where this client puts it, such as ketama-weighted; see `larder cluster owner --help`' -r
complete -c larder -n "__fish_larder_using_subcommand top" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand top" -l user -d 'Log in as this user. The password comes from --password-file, or the variable LARDER_PASSWORD, or is asked for [env: LARDER_USER]' -r
complete -c larder -n "__fish_larder_using_subcommand top" -l password-file -d 'The file that holds the password and nothing else [env: LARDER_PASSWORD_FILE]' -r -F
complete -c larder -n "__fish_larder_using_subcommand top" -l tls-ca -d 'Authorities to trust instead of the system\'s, in PEM; means --tls [env: LARDER_TLS_CA]' -r -F
complete -c larder -n "__fish_larder_using_subcommand top" -l tls-cert -d 'The certificate to show, in PEM; means --tls [env: LARDER_TLS_CERT]' -r -F
complete -c larder -n "__fish_larder_using_subcommand top" -l tls-key -d 'Its private key, in PEM, when it is not in the same file [env: LARDER_TLS_KEY]' -r -F
complete -c larder -n "__fish_larder_using_subcommand top" -l tls-server-name -d 'The name that the daemon\'s certificate must have, when it is not that of --server' -r
complete -c larder -n "__fish_larder_using_subcommand top" -l once -d 'Print one table after one interval, for scripts'
complete -c larder -n "__fish_larder_using_subcommand top" -l cluster -d 'Ask every node that the daemon tells clients of'
complete -c larder -n "__fish_larder_using_subcommand top" -l allow-cleartext -d 'Send a password over the network even if nothing hides it there [env: LARDER_ALLOW_CLEARTEXT]'
complete -c larder -n "__fish_larder_using_subcommand top" -l tls -d 'Encrypt connections [env: LARDER_TLS]'
complete -c larder -n "__fish_larder_using_subcommand top" -l binary -d 'Speak the binary protocol, to a daemon that speaks nothing else'
complete -c larder -n "__fish_larder_using_subcommand top" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand top" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand doctor" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket; several with commas, or given again [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand doctor" -l placement -d 'With several daemons: send a key where this client puts it, such as ketama-weighted; see `larder cluster owner --help`' -r
complete -c larder -n "__fish_larder_using_subcommand doctor" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand doctor" -l user -d 'Log in as this user. The password comes from --password-file, or the variable LARDER_PASSWORD, or is asked for [env: LARDER_USER]' -r
complete -c larder -n "__fish_larder_using_subcommand doctor" -l password-file -d 'The file that holds the password and nothing else [env: LARDER_PASSWORD_FILE]' -r -F
complete -c larder -n "__fish_larder_using_subcommand doctor" -l tls-ca -d 'Authorities to trust instead of the system\'s, in PEM; means --tls [env: LARDER_TLS_CA]' -r -F
complete -c larder -n "__fish_larder_using_subcommand doctor" -l tls-cert -d 'The certificate to show, in PEM; means --tls [env: LARDER_TLS_CERT]' -r -F
complete -c larder -n "__fish_larder_using_subcommand doctor" -l tls-key -d 'Its private key, in PEM, when it is not in the same file [env: LARDER_TLS_KEY]' -r -F
complete -c larder -n "__fish_larder_using_subcommand doctor" -l tls-server-name -d 'The name that the daemon\'s certificate must have, when it is not that of --server' -r
complete -c larder -n "__fish_larder_using_subcommand doctor" -l cluster -d 'Ask every node that the daemon tells clients of'
complete -c larder -n "__fish_larder_using_subcommand doctor" -l allow-cleartext -d 'Send a password over the network even if nothing hides it there [env: LARDER_ALLOW_CLEARTEXT]'
complete -c larder -n "__fish_larder_using_subcommand doctor" -l tls -d 'Encrypt connections [env: LARDER_TLS]'
complete -c larder -n "__fish_larder_using_subcommand doctor" -l binary -d 'Speak the binary protocol, to a daemon that speaks nothing else'
complete -c larder -n "__fish_larder_using_subcommand doctor" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand doctor" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand hotkeys" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket; several with commas, or given again [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand hotkeys" -l placement -d 'With several daemons: send a key where this client puts it, such as ketama-weighted; see `larder cluster owner --help`' -r
complete -c larder -n "__fish_larder_using_subcommand hotkeys" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand hotkeys" -l user -d 'Log in as this user. The password comes from --password-file, or the variable LARDER_PASSWORD, or is asked for [env: LARDER_USER]' -r
complete -c larder -n "__fish_larder_using_subcommand hotkeys" -l password-file -d 'The file that holds the password and nothing else [env: LARDER_PASSWORD_FILE]' -r -F
complete -c larder -n "__fish_larder_using_subcommand hotkeys" -l tls-ca -d 'Authorities to trust instead of the system\'s, in PEM; means --tls [env: LARDER_TLS_CA]' -r -F
complete -c larder -n "__fish_larder_using_subcommand hotkeys" -l tls-cert -d 'The certificate to show, in PEM; means --tls [env: LARDER_TLS_CERT]' -r -F
complete -c larder -n "__fish_larder_using_subcommand hotkeys" -l tls-key -d 'Its private key, in PEM, when it is not in the same file [env: LARDER_TLS_KEY]' -r -F
complete -c larder -n "__fish_larder_using_subcommand hotkeys" -l tls-server-name -d 'The name that the daemon\'s certificate must have, when it is not that of --server' -r
complete -c larder -n "__fish_larder_using_subcommand hotkeys" -l cluster -d 'Ask every node that the daemon tells clients of'
complete -c larder -n "__fish_larder_using_subcommand hotkeys" -l allow-cleartext -d 'Send a password over the network even if nothing hides it there [env: LARDER_ALLOW_CLEARTEXT]'
complete -c larder -n "__fish_larder_using_subcommand hotkeys" -l tls -d 'Encrypt connections [env: LARDER_TLS]'
complete -c larder -n "__fish_larder_using_subcommand hotkeys" -l binary -d 'Speak the binary protocol, to a daemon that speaks nothing else'
complete -c larder -n "__fish_larder_using_subcommand hotkeys" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand hotkeys" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand bigkeys" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket; several with commas, or given again [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand bigkeys" -l placement -d 'With several daemons: send a key where this client puts it, such as ketama-weighted; see `larder cluster owner --help`' -r
complete -c larder -n "__fish_larder_using_subcommand bigkeys" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand bigkeys" -l user -d 'Log in as this user. The password comes from --password-file, or the variable LARDER_PASSWORD, or is asked for [env: LARDER_USER]' -r
complete -c larder -n "__fish_larder_using_subcommand bigkeys" -l password-file -d 'The file that holds the password and nothing else [env: LARDER_PASSWORD_FILE]' -r -F
complete -c larder -n "__fish_larder_using_subcommand bigkeys" -l tls-ca -d 'Authorities to trust instead of the system\'s, in PEM; means --tls [env: LARDER_TLS_CA]' -r -F
complete -c larder -n "__fish_larder_using_subcommand bigkeys" -l tls-cert -d 'The certificate to show, in PEM; means --tls [env: LARDER_TLS_CERT]' -r -F
complete -c larder -n "__fish_larder_using_subcommand bigkeys" -l tls-key -d 'Its private key, in PEM, when it is not in the same file [env: LARDER_TLS_KEY]' -r -F
complete -c larder -n "__fish_larder_using_subcommand bigkeys" -l tls-server-name -d 'The name that the daemon\'s certificate must have, when it is not that of --server' -r
complete -c larder -n "__fish_larder_using_subcommand bigkeys" -l cluster -d 'Ask every node that the daemon tells clients of'
complete -c larder -n "__fish_larder_using_subcommand bigkeys" -l allow-cleartext -d 'Send a password over the network even if nothing hides it there [env: LARDER_ALLOW_CLEARTEXT]'
complete -c larder -n "__fish_larder_using_subcommand bigkeys" -l tls -d 'Encrypt connections [env: LARDER_TLS]'
complete -c larder -n "__fish_larder_using_subcommand bigkeys" -l binary -d 'Speak the binary protocol, to a daemon that speaks nothing else'
complete -c larder -n "__fish_larder_using_subcommand bigkeys" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand bigkeys" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand clients; and not __fish_seen_subcommand_from list kill help" -l limit -d 'Show so many, and how many there are' -r
complete -c larder -n "__fish_larder_using_subcommand clients; and not __fish_seen_subcommand_from list kill help" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket; several with commas, or given again [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand clients; and not __fish_seen_subcommand_from list kill help" -l placement -d 'With several daemons: send a key where this client puts it, such as ketama-weighted; see `larder cluster owner --help`' -r
complete -c larder -n "__fish_larder_using_subcommand clients; and not __fish_seen_subcommand_from list kill help" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand clients; and not __fish_seen_subcommand_from list kill help" -l user -d 'Log in as this user. The password comes from --password-file, or the variable LARDER_PASSWORD, or is asked for [env: LARDER_USER]' -r
complete -c larder -n "__fish_larder_using_subcommand clients; and not __fish_seen_subcommand_from list kill help" -l password-file -d 'The file that holds the password and nothing else [env: LARDER_PASSWORD_FILE]' -r -F
complete -c larder -n "__fish_larder_using_subcommand clients; and not __fish_seen_subcommand_from list kill help" -l tls-ca -d 'Authorities to trust instead of the system\'s, in PEM; means --tls [env: LARDER_TLS_CA]' -r -F
complete -c larder -n "__fish_larder_using_subcommand clients; and not __fish_seen_subcommand_from list kill help" -l tls-cert -d 'The certificate to show, in PEM; means --tls [env: LARDER_TLS_CERT]' -r -F
complete -c larder -n "__fish_larder_using_subcommand clients; and not __fish_seen_subcommand_from list kill help" -l tls-key -d 'Its private key, in PEM, when it is not in the same file [env: LARDER_TLS_KEY]' -r -F
complete -c larder -n "__fish_larder_using_subcommand clients; and not __fish_seen_subcommand_from list kill help" -l tls-server-name -d 'The name that the daemon\'s certificate must have, when it is not that of --server' -r
complete -c larder -n "__fish_larder_using_subcommand clients; and not __fish_seen_subcommand_from list kill help" -l cluster -d 'Ask every node that the daemon tells clients of'
complete -c larder -n "__fish_larder_using_subcommand clients; and not __fish_seen_subcommand_from list kill help" -l allow-cleartext -d 'Send a password over the network even if nothing hides it there [env: LARDER_ALLOW_CLEARTEXT]'
complete -c larder -n "__fish_larder_using_subcommand clients; and not __fish_seen_subcommand_from list kill help" -l tls -d 'Encrypt connections [env: LARDER_TLS]'
complete -c larder -n "__fish_larder_using_subcommand clients; and not __fish_seen_subcommand_from list kill help" -l binary -d 'Speak the binary protocol, to a daemon that speaks nothing else'
complete -c larder -n "__fish_larder_using_subcommand clients; and not __fish_seen_subcommand_from list kill help" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand clients; and not __fish_seen_subcommand_from list kill help" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand clients; and not __fish_seen_subcommand_from list kill help" -f -a "list" -d 'Print who is connected, which is done without a command too'
complete -c larder -n "__fish_larder_using_subcommand clients; and not __fish_seen_subcommand_from list kill help" -f -a "kill" -d 'Close a connection, or all of an address'
complete -c larder -n "__fish_larder_using_subcommand clients; and not __fish_seen_subcommand_from list kill help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c larder -n "__fish_larder_using_subcommand clients; and __fish_seen_subcommand_from list" -l limit -d 'Show so many, and how many there are' -r
complete -c larder -n "__fish_larder_using_subcommand clients; and __fish_seen_subcommand_from list" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket; several with commas, or given again [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand clients; and __fish_seen_subcommand_from list" -l placement -d 'With several daemons: send a key where this client puts it, such as ketama-weighted; see `larder cluster owner --help`' -r
complete -c larder -n "__fish_larder_using_subcommand clients; and __fish_seen_subcommand_from list" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand clients; and __fish_seen_subcommand_from list" -l user -d 'Log in as this user. The password comes from --password-file, or the variable LARDER_PASSWORD, or is asked for [env: LARDER_USER]' -r
complete -c larder -n "__fish_larder_using_subcommand clients; and __fish_seen_subcommand_from list" -l password-file -d 'The file that holds the password and nothing else [env: LARDER_PASSWORD_FILE]' -r -F
complete -c larder -n "__fish_larder_using_subcommand clients; and __fish_seen_subcommand_from list" -l tls-ca -d 'Authorities to trust instead of the system\'s, in PEM; means --tls [env: LARDER_TLS_CA]' -r -F
complete -c larder -n "__fish_larder_using_subcommand clients; and __fish_seen_subcommand_from list" -l tls-cert -d 'The certificate to show, in PEM; means --tls [env: LARDER_TLS_CERT]' -r -F
complete -c larder -n "__fish_larder_using_subcommand clients; and __fish_seen_subcommand_from list" -l tls-key -d 'Its private key, in PEM, when it is not in the same file [env: LARDER_TLS_KEY]' -r -F
complete -c larder -n "__fish_larder_using_subcommand clients; and __fish_seen_subcommand_from list" -l tls-server-name -d 'The name that the daemon\'s certificate must have, when it is not that of --server' -r
complete -c larder -n "__fish_larder_using_subcommand clients; and __fish_seen_subcommand_from list" -l cluster -d 'Ask every node that the daemon tells clients of'
complete -c larder -n "__fish_larder_using_subcommand clients; and __fish_seen_subcommand_from list" -l allow-cleartext -d 'Send a password over the network even if nothing hides it there [env: LARDER_ALLOW_CLEARTEXT]'
complete -c larder -n "__fish_larder_using_subcommand clients; and __fish_seen_subcommand_from list" -l tls -d 'Encrypt connections [env: LARDER_TLS]'
complete -c larder -n "__fish_larder_using_subcommand clients; and __fish_seen_subcommand_from list" -l binary -d 'Speak the binary protocol, to a daemon that speaks nothing else'
complete -c larder -n "__fish_larder_using_subcommand clients; and __fish_seen_subcommand_from list" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand clients; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand clients; and __fish_seen_subcommand_from kill" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket; several with commas, or given again [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand clients; and __fish_seen_subcommand_from kill" -l placement -d 'With several daemons: send a key where this client puts it, such as ketama-weighted; see `larder cluster owner --help`' -r
complete -c larder -n "__fish_larder_using_subcommand clients; and __fish_seen_subcommand_from kill" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand clients; and __fish_seen_subcommand_from kill" -l user -d 'Log in as this user. The password comes from --password-file, or the variable LARDER_PASSWORD, or is asked for [env: LARDER_USER]' -r
complete -c larder -n "__fish_larder_using_subcommand clients; and __fish_seen_subcommand_from kill" -l password-file -d 'The file that holds the password and nothing else [env: LARDER_PASSWORD_FILE]' -r -F
complete -c larder -n "__fish_larder_using_subcommand clients; and __fish_seen_subcommand_from kill" -l tls-ca -d 'Authorities to trust instead of the system\'s, in PEM; means --tls [env: LARDER_TLS_CA]' -r -F
complete -c larder -n "__fish_larder_using_subcommand clients; and __fish_seen_subcommand_from kill" -l tls-cert -d 'The certificate to show, in PEM; means --tls [env: LARDER_TLS_CERT]' -r -F
complete -c larder -n "__fish_larder_using_subcommand clients; and __fish_seen_subcommand_from kill" -l tls-key -d 'Its private key, in PEM, when it is not in the same file [env: LARDER_TLS_KEY]' -r -F
complete -c larder -n "__fish_larder_using_subcommand clients; and __fish_seen_subcommand_from kill" -l tls-server-name -d 'The name that the daemon\'s certificate must have, when it is not that of --server' -r
complete -c larder -n "__fish_larder_using_subcommand clients; and __fish_seen_subcommand_from kill" -l cluster -d 'Ask every node that the daemon tells clients of'
complete -c larder -n "__fish_larder_using_subcommand clients; and __fish_seen_subcommand_from kill" -l allow-cleartext -d 'Send a password over the network even if nothing hides it there [env: LARDER_ALLOW_CLEARTEXT]'
complete -c larder -n "__fish_larder_using_subcommand clients; and __fish_seen_subcommand_from kill" -l tls -d 'Encrypt connections [env: LARDER_TLS]'
complete -c larder -n "__fish_larder_using_subcommand clients; and __fish_seen_subcommand_from kill" -l binary -d 'Speak the binary protocol, to a daemon that speaks nothing else'
complete -c larder -n "__fish_larder_using_subcommand clients; and __fish_seen_subcommand_from kill" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand clients; and __fish_seen_subcommand_from kill" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand clients; and __fish_seen_subcommand_from help" -f -a "list" -d 'Print who is connected, which is done without a command too'
complete -c larder -n "__fish_larder_using_subcommand clients; and __fish_seen_subcommand_from help" -f -a "kill" -d 'Close a connection, or all of an address'
complete -c larder -n "__fish_larder_using_subcommand clients; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c larder -n "__fish_larder_using_subcommand slow" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket; several with commas, or given again [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand slow" -l placement -d 'With several daemons: send a key where this client puts it, such as ketama-weighted; see `larder cluster owner --help`' -r
complete -c larder -n "__fish_larder_using_subcommand slow" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand slow" -l user -d 'Log in as this user. The password comes from --password-file, or the variable LARDER_PASSWORD, or is asked for [env: LARDER_USER]' -r
complete -c larder -n "__fish_larder_using_subcommand slow" -l password-file -d 'The file that holds the password and nothing else [env: LARDER_PASSWORD_FILE]' -r -F
complete -c larder -n "__fish_larder_using_subcommand slow" -l tls-ca -d 'Authorities to trust instead of the system\'s, in PEM; means --tls [env: LARDER_TLS_CA]' -r -F
complete -c larder -n "__fish_larder_using_subcommand slow" -l tls-cert -d 'The certificate to show, in PEM; means --tls [env: LARDER_TLS_CERT]' -r -F
complete -c larder -n "__fish_larder_using_subcommand slow" -l tls-key -d 'Its private key, in PEM, when it is not in the same file [env: LARDER_TLS_KEY]' -r -F
complete -c larder -n "__fish_larder_using_subcommand slow" -l tls-server-name -d 'The name that the daemon\'s certificate must have, when it is not that of --server' -r
complete -c larder -n "__fish_larder_using_subcommand slow" -l cluster -d 'Ask every node that the daemon tells clients of'
complete -c larder -n "__fish_larder_using_subcommand slow" -l allow-cleartext -d 'Send a password over the network even if nothing hides it there [env: LARDER_ALLOW_CLEARTEXT]'
complete -c larder -n "__fish_larder_using_subcommand slow" -l tls -d 'Encrypt connections [env: LARDER_TLS]'
complete -c larder -n "__fish_larder_using_subcommand slow" -l binary -d 'Speak the binary protocol, to a daemon that speaks nothing else'
complete -c larder -n "__fish_larder_using_subcommand slow" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand slow" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand threads" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket; several with commas, or given again [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand threads" -l placement -d 'With several daemons: send a key where this client puts it, such as ketama-weighted; see `larder cluster owner --help`' -r
complete -c larder -n "__fish_larder_using_subcommand threads" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand threads" -l user -d 'Log in as this user. The password comes from --password-file, or the variable LARDER_PASSWORD, or is asked for [env: LARDER_USER]' -r
complete -c larder -n "__fish_larder_using_subcommand threads" -l password-file -d 'The file that holds the password and nothing else [env: LARDER_PASSWORD_FILE]' -r -F
complete -c larder -n "__fish_larder_using_subcommand threads" -l tls-ca -d 'Authorities to trust instead of the system\'s, in PEM; means --tls [env: LARDER_TLS_CA]' -r -F
complete -c larder -n "__fish_larder_using_subcommand threads" -l tls-cert -d 'The certificate to show, in PEM; means --tls [env: LARDER_TLS_CERT]' -r -F
complete -c larder -n "__fish_larder_using_subcommand threads" -l tls-key -d 'Its private key, in PEM, when it is not in the same file [env: LARDER_TLS_KEY]' -r -F
complete -c larder -n "__fish_larder_using_subcommand threads" -l tls-server-name -d 'The name that the daemon\'s certificate must have, when it is not that of --server' -r
complete -c larder -n "__fish_larder_using_subcommand threads" -l cluster -d 'Ask every node that the daemon tells clients of'
complete -c larder -n "__fish_larder_using_subcommand threads" -l allow-cleartext -d 'Send a password over the network even if nothing hides it there [env: LARDER_ALLOW_CLEARTEXT]'
complete -c larder -n "__fish_larder_using_subcommand threads" -l tls -d 'Encrypt connections [env: LARDER_TLS]'
complete -c larder -n "__fish_larder_using_subcommand threads" -l binary -d 'Speak the binary protocol, to a daemon that speaks nothing else'
complete -c larder -n "__fish_larder_using_subcommand threads" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand threads" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand snapshot" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket; several with commas, or given again [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand snapshot" -l placement -d 'With several daemons: send a key where this client puts it, such as ketama-weighted; see `larder cluster owner --help`' -r
complete -c larder -n "__fish_larder_using_subcommand snapshot" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand snapshot" -l user -d 'Log in as this user. The password comes from --password-file, or the variable LARDER_PASSWORD, or is asked for [env: LARDER_USER]' -r
complete -c larder -n "__fish_larder_using_subcommand snapshot" -l password-file -d 'The file that holds the password and nothing else [env: LARDER_PASSWORD_FILE]' -r -F
complete -c larder -n "__fish_larder_using_subcommand snapshot" -l tls-ca -d 'Authorities to trust instead of the system\'s, in PEM; means --tls [env: LARDER_TLS_CA]' -r -F
complete -c larder -n "__fish_larder_using_subcommand snapshot" -l tls-cert -d 'The certificate to show, in PEM; means --tls [env: LARDER_TLS_CERT]' -r -F
complete -c larder -n "__fish_larder_using_subcommand snapshot" -l tls-key -d 'Its private key, in PEM, when it is not in the same file [env: LARDER_TLS_KEY]' -r -F
complete -c larder -n "__fish_larder_using_subcommand snapshot" -l tls-server-name -d 'The name that the daemon\'s certificate must have, when it is not that of --server' -r
complete -c larder -n "__fish_larder_using_subcommand snapshot" -l cluster -d 'Ask every node that the daemon tells clients of'
complete -c larder -n "__fish_larder_using_subcommand snapshot" -l allow-cleartext -d 'Send a password over the network even if nothing hides it there [env: LARDER_ALLOW_CLEARTEXT]'
complete -c larder -n "__fish_larder_using_subcommand snapshot" -l tls -d 'Encrypt connections [env: LARDER_TLS]'
complete -c larder -n "__fish_larder_using_subcommand snapshot" -l binary -d 'Speak the binary protocol, to a daemon that speaks nothing else'
complete -c larder -n "__fish_larder_using_subcommand snapshot" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand snapshot" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand latency" -l count -d 'Round trips to measure, one after the other' -r
complete -c larder -n "__fish_larder_using_subcommand latency" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket; several with commas, or given again [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand latency" -l placement -d 'With several daemons: send a key where this client puts it, such as ketama-weighted; see `larder cluster owner --help`' -r
complete -c larder -n "__fish_larder_using_subcommand latency" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand latency" -l user -d 'Log in as this user. The password comes from --password-file, or the variable LARDER_PASSWORD, or is asked for [env: LARDER_USER]' -r
complete -c larder -n "__fish_larder_using_subcommand latency" -l password-file -d 'The file that holds the password and nothing else [env: LARDER_PASSWORD_FILE]' -r -F
complete -c larder -n "__fish_larder_using_subcommand latency" -l tls-ca -d 'Authorities to trust instead of the system\'s, in PEM; means --tls [env: LARDER_TLS_CA]' -r -F
complete -c larder -n "__fish_larder_using_subcommand latency" -l tls-cert -d 'The certificate to show, in PEM; means --tls [env: LARDER_TLS_CERT]' -r -F
complete -c larder -n "__fish_larder_using_subcommand latency" -l tls-key -d 'Its private key, in PEM, when it is not in the same file [env: LARDER_TLS_KEY]' -r -F
complete -c larder -n "__fish_larder_using_subcommand latency" -l tls-server-name -d 'The name that the daemon\'s certificate must have, when it is not that of --server' -r
complete -c larder -n "__fish_larder_using_subcommand latency" -l cluster -d 'Ask every node that the daemon tells clients of'
complete -c larder -n "__fish_larder_using_subcommand latency" -l allow-cleartext -d 'Send a password over the network even if nothing hides it there [env: LARDER_ALLOW_CLEARTEXT]'
complete -c larder -n "__fish_larder_using_subcommand latency" -l tls -d 'Encrypt connections [env: LARDER_TLS]'
complete -c larder -n "__fish_larder_using_subcommand latency" -l binary -d 'Speak the binary protocol, to a daemon that speaks nothing else'
complete -c larder -n "__fish_larder_using_subcommand latency" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand latency" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand monitor" -l count -d 'End after so many lines' -r
complete -c larder -n "__fish_larder_using_subcommand monitor" -l duration -d 'End after this time' -r
complete -c larder -n "__fish_larder_using_subcommand monitor" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket; several with commas, or given again [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand monitor" -l placement -d 'With several daemons: send a key where this client puts it, such as ketama-weighted; see `larder cluster owner --help`' -r
complete -c larder -n "__fish_larder_using_subcommand monitor" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand monitor" -l user -d 'Log in as this user. The password comes from --password-file, or the variable LARDER_PASSWORD, or is asked for [env: LARDER_USER]' -r
complete -c larder -n "__fish_larder_using_subcommand monitor" -l password-file -d 'The file that holds the password and nothing else [env: LARDER_PASSWORD_FILE]' -r -F
complete -c larder -n "__fish_larder_using_subcommand monitor" -l tls-ca -d 'Authorities to trust instead of the system\'s, in PEM; means --tls [env: LARDER_TLS_CA]' -r -F
complete -c larder -n "__fish_larder_using_subcommand monitor" -l tls-cert -d 'The certificate to show, in PEM; means --tls [env: LARDER_TLS_CERT]' -r -F
complete -c larder -n "__fish_larder_using_subcommand monitor" -l tls-key -d 'Its private key, in PEM, when it is not in the same file [env: LARDER_TLS_KEY]' -r -F
complete -c larder -n "__fish_larder_using_subcommand monitor" -l tls-server-name -d 'The name that the daemon\'s certificate must have, when it is not that of --server' -r
complete -c larder -n "__fish_larder_using_subcommand monitor" -l cluster -d 'Ask every node that the daemon tells clients of'
complete -c larder -n "__fish_larder_using_subcommand monitor" -l allow-cleartext -d 'Send a password over the network even if nothing hides it there [env: LARDER_ALLOW_CLEARTEXT]'
complete -c larder -n "__fish_larder_using_subcommand monitor" -l tls -d 'Encrypt connections [env: LARDER_TLS]'
complete -c larder -n "__fish_larder_using_subcommand monitor" -l binary -d 'Speak the binary protocol, to a daemon that speaks nothing else'
complete -c larder -n "__fish_larder_using_subcommand monitor" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand monitor" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand bench" -l connections -d 'Connections, over all threads' -r
complete -c larder -n "__fish_larder_using_subcommand bench" -l threads -d 'Threads of the load' -r
complete -c larder -n "__fish_larder_using_subcommand bench" -l depth -d 'Requests in flight on a connection' -r
complete -c larder -n "__fish_larder_using_subcommand bench" -l protocol -d 'text, meta or binary' -r -f -a "text\t''
meta\t''
binary\t''"
complete -c larder -n "__fish_larder_using_subcommand bench" -l sets -d 'Share of requests that store; 0 with --cache-aside' -r
complete -c larder -n "__fish_larder_using_subcommand bench" -l multiget -d 'Keys in a get' -r
complete -c larder -n "__fish_larder_using_subcommand bench" -l ttl -d 'Time to live of what is stored: N or A-B; 0 is without end' -r
complete -c larder -n "__fish_larder_using_subcommand bench" -l keys -d 'How many keys there are' -r
complete -c larder -n "__fish_larder_using_subcommand bench" -l key-size -d 'Bytes of a key' -r
complete -c larder -n "__fish_larder_using_subcommand bench" -l value-size -d 'Bytes of a value: N, A-B, or twitter, a mix as large sites have, with keys of its own' -r
complete -c larder -n "__fish_larder_using_subcommand bench" -l pick -d 'Which keys: uniform, sequential or zipf:EXPONENT' -r
complete -c larder -n "__fish_larder_using_subcommand bench" -l one-time -d 'Share of requests for keys that never come again' -r
complete -c larder -n "__fish_larder_using_subcommand bench" -l seed -d 'Another seed is another run' -r
complete -c larder -n "__fish_larder_using_subcommand bench" -l duration -d 'How long it is measured' -r
complete -c larder -n "__fish_larder_using_subcommand bench" -l warm-up -d 'How long it runs before; a tenth of the duration unless given' -r
complete -c larder -n "__fish_larder_using_subcommand bench" -l requests -d 'Send so many requests instead, all of them measured' -r
complete -c larder -n "__fish_larder_using_subcommand bench" -l rate -d 'Send at this rate, over all connections' -r
complete -c larder -n "__fish_larder_using_subcommand bench" -l server-pid -d 'The daemon\'s process: its processor time is shown for each request' -r
complete -c larder -n "__fish_larder_using_subcommand bench" -l cores -d 'Processors to keep the threads on, such as 1,3' -r
complete -c larder -n "__fish_larder_using_subcommand bench" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket; several with commas, or given again [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand bench" -l placement -d 'With several daemons: send a key where this client puts it, such as ketama-weighted; see `larder cluster owner --help`' -r
complete -c larder -n "__fish_larder_using_subcommand bench" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand bench" -l user -d 'Log in as this user. The password comes from --password-file, or the variable LARDER_PASSWORD, or is asked for [env: LARDER_USER]' -r
complete -c larder -n "__fish_larder_using_subcommand bench" -l password-file -d 'The file that holds the password and nothing else [env: LARDER_PASSWORD_FILE]' -r -F
complete -c larder -n "__fish_larder_using_subcommand bench" -l tls-ca -d 'Authorities to trust instead of the system\'s, in PEM; means --tls [env: LARDER_TLS_CA]' -r -F
complete -c larder -n "__fish_larder_using_subcommand bench" -l tls-cert -d 'The certificate to show, in PEM; means --tls [env: LARDER_TLS_CERT]' -r -F
complete -c larder -n "__fish_larder_using_subcommand bench" -l tls-key -d 'Its private key, in PEM, when it is not in the same file [env: LARDER_TLS_KEY]' -r -F
complete -c larder -n "__fish_larder_using_subcommand bench" -l tls-server-name -d 'The name that the daemon\'s certificate must have, when it is not that of --server' -r
complete -c larder -n "__fish_larder_using_subcommand bench" -l cache-aside -d 'Follow a get that misses by a set, as users of a cache do'
complete -c larder -n "__fish_larder_using_subcommand bench" -l poisson -d 'With --rate: at random times, as many independent clients do'
complete -c larder -n "__fish_larder_using_subcommand bench" -l preload -d 'Store every key first'
complete -c larder -n "__fish_larder_using_subcommand bench" -l verify -d 'Stop when a value is not the one that was stored'
complete -c larder -n "__fish_larder_using_subcommand bench" -l spin -d 'Never sleep: for a load with a processor of its own'
complete -c larder -n "__fish_larder_using_subcommand bench" -l cluster -d 'Ask every node that the daemon tells clients of'
complete -c larder -n "__fish_larder_using_subcommand bench" -l allow-cleartext -d 'Send a password over the network even if nothing hides it there [env: LARDER_ALLOW_CLEARTEXT]'
complete -c larder -n "__fish_larder_using_subcommand bench" -l tls -d 'Encrypt connections [env: LARDER_TLS]'
complete -c larder -n "__fish_larder_using_subcommand bench" -l binary -d 'Speak the binary protocol, to a daemon that speaks nothing else'
complete -c larder -n "__fish_larder_using_subcommand bench" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand bench" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand cluster; and not __fish_seen_subcommand_from nodes owner join leave dev help" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket; several with commas, or given again [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and not __fish_seen_subcommand_from nodes owner join leave dev help" -l placement -d 'With several daemons: send a key where this client puts it, such as ketama-weighted; see `larder cluster owner --help`' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and not __fish_seen_subcommand_from nodes owner join leave dev help" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and not __fish_seen_subcommand_from nodes owner join leave dev help" -l user -d 'Log in as this user. The password comes from --password-file, or the variable LARDER_PASSWORD, or is asked for [env: LARDER_USER]' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and not __fish_seen_subcommand_from nodes owner join leave dev help" -l password-file -d 'The file that holds the password and nothing else [env: LARDER_PASSWORD_FILE]' -r -F
complete -c larder -n "__fish_larder_using_subcommand cluster; and not __fish_seen_subcommand_from nodes owner join leave dev help" -l tls-ca -d 'Authorities to trust instead of the system\'s, in PEM; means --tls [env: LARDER_TLS_CA]' -r -F
complete -c larder -n "__fish_larder_using_subcommand cluster; and not __fish_seen_subcommand_from nodes owner join leave dev help" -l tls-cert -d 'The certificate to show, in PEM; means --tls [env: LARDER_TLS_CERT]' -r -F
complete -c larder -n "__fish_larder_using_subcommand cluster; and not __fish_seen_subcommand_from nodes owner join leave dev help" -l tls-key -d 'Its private key, in PEM, when it is not in the same file [env: LARDER_TLS_KEY]' -r -F
complete -c larder -n "__fish_larder_using_subcommand cluster; and not __fish_seen_subcommand_from nodes owner join leave dev help" -l tls-server-name -d 'The name that the daemon\'s certificate must have, when it is not that of --server' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and not __fish_seen_subcommand_from nodes owner join leave dev help" -l cluster -d 'Ask every node that the daemon tells clients of'
complete -c larder -n "__fish_larder_using_subcommand cluster; and not __fish_seen_subcommand_from nodes owner join leave dev help" -l allow-cleartext -d 'Send a password over the network even if nothing hides it there [env: LARDER_ALLOW_CLEARTEXT]'
complete -c larder -n "__fish_larder_using_subcommand cluster; and not __fish_seen_subcommand_from nodes owner join leave dev help" -l tls -d 'Encrypt connections [env: LARDER_TLS]'
complete -c larder -n "__fish_larder_using_subcommand cluster; and not __fish_seen_subcommand_from nodes owner join leave dev help" -l binary -d 'Speak the binary protocol, to a daemon that speaks nothing else'
complete -c larder -n "__fish_larder_using_subcommand cluster; and not __fish_seen_subcommand_from nodes owner join leave dev help" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand cluster; and not __fish_seen_subcommand_from nodes owner join leave dev help" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand cluster; and not __fish_seen_subcommand_from nodes owner join leave dev help" -f -a "nodes" -d 'Print the nodes in the list that the daemon serves'
complete -c larder -n "__fish_larder_using_subcommand cluster; and not __fish_seen_subcommand_from nodes owner join leave dev help" -f -a "owner" -d 'Print the node on which a client puts each key'
complete -c larder -n "__fish_larder_using_subcommand cluster; and not __fish_seen_subcommand_from nodes owner join leave dev help" -f -a "join" -d 'Put a node on the list, or give the one of its name another address'
complete -c larder -n "__fish_larder_using_subcommand cluster; and not __fish_seen_subcommand_from nodes owner join leave dev help" -f -a "leave" -d 'Take a node off the list, whether or not it runs'
complete -c larder -n "__fish_larder_using_subcommand cluster; and not __fish_seen_subcommand_from nodes owner join leave dev help" -f -a "dev" -d 'Run a whole cluster on loopback addresses, until interrupted'
complete -c larder -n "__fish_larder_using_subcommand cluster; and not __fish_seen_subcommand_from nodes owner join leave dev help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from nodes" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket; several with commas, or given again [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from nodes" -l placement -d 'With several daemons: send a key where this client puts it, such as ketama-weighted; see `larder cluster owner --help`' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from nodes" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from nodes" -l user -d 'Log in as this user. The password comes from --password-file, or the variable LARDER_PASSWORD, or is asked for [env: LARDER_USER]' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from nodes" -l password-file -d 'The file that holds the password and nothing else [env: LARDER_PASSWORD_FILE]' -r -F
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from nodes" -l tls-ca -d 'Authorities to trust instead of the system\'s, in PEM; means --tls [env: LARDER_TLS_CA]' -r -F
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from nodes" -l tls-cert -d 'The certificate to show, in PEM; means --tls [env: LARDER_TLS_CERT]' -r -F
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from nodes" -l tls-key -d 'Its private key, in PEM, when it is not in the same file [env: LARDER_TLS_KEY]' -r -F
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from nodes" -l tls-server-name -d 'The name that the daemon\'s certificate must have, when it is not that of --server' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from nodes" -l cluster -d 'Ask every node that the daemon tells clients of'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from nodes" -l allow-cleartext -d 'Send a password over the network even if nothing hides it there [env: LARDER_ALLOW_CLEARTEXT]'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from nodes" -l tls -d 'Encrypt connections [env: LARDER_TLS]'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from nodes" -l binary -d 'Speak the binary protocol, to a daemon that speaks nothing else'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from nodes" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from nodes" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from owner" -l client -d 'The client whose rules to follow; all when none is named' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from owner" -l nodes -d 'A list to reckon with instead of the daemon\'s; nobody is asked' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from owner" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket; several with commas, or given again [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from owner" -l placement -d 'With several daemons: send a key where this client puts it, such as ketama-weighted; see `larder cluster owner --help`' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from owner" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from owner" -l user -d 'Log in as this user. The password comes from --password-file, or the variable LARDER_PASSWORD, or is asked for [env: LARDER_USER]' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from owner" -l password-file -d 'The file that holds the password and nothing else [env: LARDER_PASSWORD_FILE]' -r -F
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from owner" -l tls-ca -d 'Authorities to trust instead of the system\'s, in PEM; means --tls [env: LARDER_TLS_CA]' -r -F
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from owner" -l tls-cert -d 'The certificate to show, in PEM; means --tls [env: LARDER_TLS_CERT]' -r -F
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from owner" -l tls-key -d 'Its private key, in PEM, when it is not in the same file [env: LARDER_TLS_KEY]' -r -F
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from owner" -l tls-server-name -d 'The name that the daemon\'s certificate must have, when it is not that of --server' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from owner" -l cluster -d 'Ask every node that the daemon tells clients of'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from owner" -l allow-cleartext -d 'Send a password over the network even if nothing hides it there [env: LARDER_ALLOW_CLEARTEXT]'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from owner" -l tls -d 'Encrypt connections [env: LARDER_TLS]'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from owner" -l binary -d 'Speak the binary protocol, to a daemon that speaks nothing else'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from owner" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from owner" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from join" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket; several with commas, or given again [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from join" -l placement -d 'With several daemons: send a key where this client puts it, such as ketama-weighted; see `larder cluster owner --help`' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from join" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from join" -l user -d 'Log in as this user. The password comes from --password-file, or the variable LARDER_PASSWORD, or is asked for [env: LARDER_USER]' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from join" -l password-file -d 'The file that holds the password and nothing else [env: LARDER_PASSWORD_FILE]' -r -F
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from join" -l tls-ca -d 'Authorities to trust instead of the system\'s, in PEM; means --tls [env: LARDER_TLS_CA]' -r -F
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from join" -l tls-cert -d 'The certificate to show, in PEM; means --tls [env: LARDER_TLS_CERT]' -r -F
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from join" -l tls-key -d 'Its private key, in PEM, when it is not in the same file [env: LARDER_TLS_KEY]' -r -F
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from join" -l tls-server-name -d 'The name that the daemon\'s certificate must have, when it is not that of --server' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from join" -l cluster -d 'Ask every node that the daemon tells clients of'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from join" -l allow-cleartext -d 'Send a password over the network even if nothing hides it there [env: LARDER_ALLOW_CLEARTEXT]'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from join" -l tls -d 'Encrypt connections [env: LARDER_TLS]'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from join" -l binary -d 'Speak the binary protocol, to a daemon that speaks nothing else'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from join" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from join" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from leave" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket; several with commas, or given again [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from leave" -l placement -d 'With several daemons: send a key where this client puts it, such as ketama-weighted; see `larder cluster owner --help`' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from leave" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from leave" -l user -d 'Log in as this user. The password comes from --password-file, or the variable LARDER_PASSWORD, or is asked for [env: LARDER_USER]' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from leave" -l password-file -d 'The file that holds the password and nothing else [env: LARDER_PASSWORD_FILE]' -r -F
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from leave" -l tls-ca -d 'Authorities to trust instead of the system\'s, in PEM; means --tls [env: LARDER_TLS_CA]' -r -F
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from leave" -l tls-cert -d 'The certificate to show, in PEM; means --tls [env: LARDER_TLS_CERT]' -r -F
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from leave" -l tls-key -d 'Its private key, in PEM, when it is not in the same file [env: LARDER_TLS_KEY]' -r -F
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from leave" -l tls-server-name -d 'The name that the daemon\'s certificate must have, when it is not that of --server' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from leave" -l cluster -d 'Ask every node that the daemon tells clients of'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from leave" -l allow-cleartext -d 'Send a password over the network even if nothing hides it there [env: LARDER_ALLOW_CLEARTEXT]'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from leave" -l tls -d 'Encrypt connections [env: LARDER_TLS]'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from leave" -l binary -d 'Speak the binary protocol, to a daemon that speaks nothing else'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from leave" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from leave" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from dev" -l nodes -d 'How many nodes: on 127.0.0.1, 127.0.0.2 and so on' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from dev" -l port -d 'The port of each of them [default: 11211]' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from dev" -l larderd -d 'The daemon to run [default: larderd beside this program, or in PATH]' -r -F
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from dev" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket; several with commas, or given again [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from dev" -l placement -d 'With several daemons: send a key where this client puts it, such as ketama-weighted; see `larder cluster owner --help`' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from dev" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from dev" -l user -d 'Log in as this user. The password comes from --password-file, or the variable LARDER_PASSWORD, or is asked for [env: LARDER_USER]' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from dev" -l password-file -d 'The file that holds the password and nothing else [env: LARDER_PASSWORD_FILE]' -r -F
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from dev" -l tls-ca -d 'Authorities to trust instead of the system\'s, in PEM; means --tls [env: LARDER_TLS_CA]' -r -F
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from dev" -l tls-cert -d 'The certificate to show, in PEM; means --tls [env: LARDER_TLS_CERT]' -r -F
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from dev" -l tls-key -d 'Its private key, in PEM, when it is not in the same file [env: LARDER_TLS_KEY]' -r -F
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from dev" -l tls-server-name -d 'The name that the daemon\'s certificate must have, when it is not that of --server' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from dev" -l cluster -d 'Ask every node that the daemon tells clients of'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from dev" -l allow-cleartext -d 'Send a password over the network even if nothing hides it there [env: LARDER_ALLOW_CLEARTEXT]'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from dev" -l tls -d 'Encrypt connections [env: LARDER_TLS]'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from dev" -l binary -d 'Speak the binary protocol, to a daemon that speaks nothing else'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from dev" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from dev" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from help" -f -a "nodes" -d 'Print the nodes in the list that the daemon serves'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from help" -f -a "owner" -d 'Print the node on which a client puts each key'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from help" -f -a "join" -d 'Put a node on the list, or give the one of its name another address'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from help" -f -a "leave" -d 'Take a node off the list, whether or not it runs'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from help" -f -a "dev" -d 'Run a whole cluster on loopback addresses, until interrupted'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c larder -n "__fish_larder_using_subcommand help; and not __fish_seen_subcommand_from set add replace append prepend cas get gat touch incr decr delete flush keys inspect dump load stats version top doctor hotkeys bigkeys clients slow threads snapshot latency monitor bench cluster help" -f -a "set" -d 'Store a value under a key'
complete -c larder -n "__fish_larder_using_subcommand help; and not __fish_seen_subcommand_from set add replace append prepend cas get gat touch incr decr delete flush keys inspect dump load stats version top doctor hotkeys bigkeys clients slow threads snapshot latency monitor bench cluster help" -f -a "add" -d 'Store a value under a key that is not there'
complete -c larder -n "__fish_larder_using_subcommand help; and not __fish_seen_subcommand_from set add replace append prepend cas get gat touch incr decr delete flush keys inspect dump load stats version top doctor hotkeys bigkeys clients slow threads snapshot latency monitor bench cluster help" -f -a "replace" -d 'Store a value under a key that is there'
complete -c larder -n "__fish_larder_using_subcommand help; and not __fish_seen_subcommand_from set add replace append prepend cas get gat touch incr decr delete flush keys inspect dump load stats version top doctor hotkeys bigkeys clients slow threads snapshot latency monitor bench cluster help" -f -a "append" -d 'Put more behind the value of a key'
complete -c larder -n "__fish_larder_using_subcommand help; and not __fish_seen_subcommand_from set add replace append prepend cas get gat touch incr decr delete flush keys inspect dump load stats version top doctor hotkeys bigkeys clients slow threads snapshot latency monitor bench cluster help" -f -a "prepend" -d 'Put more before the value of a key'
complete -c larder -n "__fish_larder_using_subcommand help; and not __fish_seen_subcommand_from set add replace append prepend cas get gat touch incr decr delete flush keys inspect dump load stats version top doctor hotkeys bigkeys clients slow threads snapshot latency monitor bench cluster help" -f -a "cas" -d 'Store a value unless somebody has changed the item'
complete -c larder -n "__fish_larder_using_subcommand help; and not __fish_seen_subcommand_from set add replace append prepend cas get gat touch incr decr delete flush keys inspect dump load stats version top doctor hotkeys bigkeys clients slow threads snapshot latency monitor bench cluster help" -f -a "get" -d 'Print the value of a key'
complete -c larder -n "__fish_larder_using_subcommand help; and not __fish_seen_subcommand_from set add replace append prepend cas get gat touch incr decr delete flush keys inspect dump load stats version top doctor hotkeys bigkeys clients slow threads snapshot latency monitor bench cluster help" -f -a "gat" -d 'Print the value of a key and give it another time to live'
complete -c larder -n "__fish_larder_using_subcommand help; and not __fish_seen_subcommand_from set add replace append prepend cas get gat touch incr decr delete flush keys inspect dump load stats version top doctor hotkeys bigkeys clients slow threads snapshot latency monitor bench cluster help" -f -a "touch" -d 'Give a key another time to live'
complete -c larder -n "__fish_larder_using_subcommand help; and not __fish_seen_subcommand_from set add replace append prepend cas get gat touch incr decr delete flush keys inspect dump load stats version top doctor hotkeys bigkeys clients slow threads snapshot latency monitor bench cluster help" -f -a "incr" -d 'Add to the number under a key, and print the sum'
complete -c larder -n "__fish_larder_using_subcommand help; and not __fish_seen_subcommand_from set add replace append prepend cas get gat touch incr decr delete flush keys inspect dump load stats version top doctor hotkeys bigkeys clients slow threads snapshot latency monitor bench cluster help" -f -a "decr" -d 'Take from the number under a key, down to 0, and print what is left'
complete -c larder -n "__fish_larder_using_subcommand help; and not __fish_seen_subcommand_from set add replace append prepend cas get gat touch incr decr delete flush keys inspect dump load stats version top doctor hotkeys bigkeys clients slow threads snapshot latency monitor bench cluster help" -f -a "delete" -d 'Remove a key'
complete -c larder -n "__fish_larder_using_subcommand help; and not __fish_seen_subcommand_from set add replace append prepend cas get gat touch incr decr delete flush keys inspect dump load stats version top doctor hotkeys bigkeys clients slow threads snapshot latency monitor bench cluster help" -f -a "flush" -d 'Remove all items'
complete -c larder -n "__fish_larder_using_subcommand help; and not __fish_seen_subcommand_from set add replace append prepend cas get gat touch incr decr delete flush keys inspect dump load stats version top doctor hotkeys bigkeys clients slow threads snapshot latency monitor bench cluster help" -f -a "keys" -d 'Print the keys of all items, one on a line, in no order'
complete -c larder -n "__fish_larder_using_subcommand help; and not __fish_seen_subcommand_from set add replace append prepend cas get gat touch incr decr delete flush keys inspect dump load stats version top doctor hotkeys bigkeys clients slow threads snapshot latency monitor bench cluster help" -f -a "inspect" -d 'Print what the daemon knows of an item, without using it'
complete -c larder -n "__fish_larder_using_subcommand help; and not __fish_seen_subcommand_from set add replace append prepend cas get gat touch incr decr delete flush keys inspect dump load stats version top doctor hotkeys bigkeys clients slow threads snapshot latency monitor bench cluster help" -f -a "dump" -d 'Write all items to a file, or to `larder load`'
complete -c larder -n "__fish_larder_using_subcommand help; and not __fish_seen_subcommand_from set add replace append prepend cas get gat touch incr decr delete flush keys inspect dump load stats version top doctor hotkeys bigkeys clients slow threads snapshot latency monitor bench cluster help" -f -a "load" -d 'Store the items of a file, or of `larder dump`'
complete -c larder -n "__fish_larder_using_subcommand help; and not __fish_seen_subcommand_from set add replace append prepend cas get gat touch incr decr delete flush keys inspect dump load stats version top doctor hotkeys bigkeys clients slow threads snapshot latency monitor bench cluster help" -f -a "stats" -d 'Print counters, all or one group of them'
complete -c larder -n "__fish_larder_using_subcommand help; and not __fish_seen_subcommand_from set add replace append prepend cas get gat touch incr decr delete flush keys inspect dump load stats version top doctor hotkeys bigkeys clients slow threads snapshot latency monitor bench cluster help" -f -a "version" -d 'Print the version that the daemon claims'
complete -c larder -n "__fish_larder_using_subcommand help; and not __fish_seen_subcommand_from set add replace append prepend cas get gat touch incr decr delete flush keys inspect dump load stats version top doctor hotkeys bigkeys clients slow threads snapshot latency monitor bench cluster help" -f -a "top" -d 'Show how busy each daemon is, anew each second; q ends it'
complete -c larder -n "__fish_larder_using_subcommand help; and not __fish_seen_subcommand_from set add replace append prepend cas get gat touch incr decr delete flush keys inspect dump load stats version top doctor hotkeys bigkeys clients slow threads snapshot latency monitor bench cluster help" -f -a "doctor" -d 'Look for what is wrong with a daemon, and say what to do about it'
complete -c larder -n "__fish_larder_using_subcommand help; and not __fish_seen_subcommand_from set add replace append prepend cas get gat touch incr decr delete flush keys inspect dump load stats version top doctor hotkeys bigkeys clients slow threads snapshot latency monitor bench cluster help" -f -a "hotkeys" -d 'Show the keys, and the prefixes of keys, that are asked for most'
complete -c larder -n "__fish_larder_using_subcommand help; and not __fish_seen_subcommand_from set add replace append prepend cas get gat touch incr decr delete flush keys inspect dump load stats version top doctor hotkeys bigkeys clients slow threads snapshot latency monitor bench cluster help" -f -a "bigkeys" -d 'Show the largest items'
complete -c larder -n "__fish_larder_using_subcommand help; and not __fish_seen_subcommand_from set add replace append prepend cas get gat touch incr decr delete flush keys inspect dump load stats version top doctor hotkeys bigkeys clients slow threads snapshot latency monitor bench cluster help" -f -a "clients" -d 'Show who is connected, or close connections'
complete -c larder -n "__fish_larder_using_subcommand help; and not __fish_seen_subcommand_from set add replace append prepend cas get gat touch incr decr delete flush keys inspect dump load stats version top doctor hotkeys bigkeys clients slow threads snapshot latency monitor bench cluster help" -f -a "slow" -d 'Show what took the daemon long, newest first'
complete -c larder -n "__fish_larder_using_subcommand help; and not __fish_seen_subcommand_from set add replace append prepend cas get gat touch incr decr delete flush keys inspect dump load stats version top doctor hotkeys bigkeys clients slow threads snapshot latency monitor bench cluster help" -f -a "threads" -d 'Show what each worker thread does, and how busy it is'
complete -c larder -n "__fish_larder_using_subcommand help; and not __fish_seen_subcommand_from set add replace append prepend cas get gat touch incr decr delete flush keys inspect dump load stats version top doctor hotkeys bigkeys clients slow threads snapshot latency monitor bench cluster help" -f -a "snapshot" -d 'Have larderd write all items to its snapshot file, and wait until it is done'
complete -c larder -n "__fish_larder_using_subcommand help; and not __fish_seen_subcommand_from set add replace append prepend cas get gat touch incr decr delete flush keys inspect dump load stats version top doctor hotkeys bigkeys clients slow threads snapshot latency monitor bench cluster help" -f -a "latency" -d 'Measure round trips, and show how long the daemon itself takes for commands'
complete -c larder -n "__fish_larder_using_subcommand help; and not __fish_seen_subcommand_from set add replace append prepend cas get gat touch incr decr delete flush keys inspect dump load stats version top doctor hotkeys bigkeys clients slow threads snapshot latency monitor bench cluster help" -f -a "monitor" -d 'Show what happens in a daemon, as it happens'
complete -c larder -n "__fish_larder_using_subcommand help; and not __fish_seen_subcommand_from set add replace append prepend cas get gat touch incr decr delete flush keys inspect dump load stats version top doctor hotkeys bigkeys clients slow threads snapshot latency monitor bench cluster help" -f -a "bench" -d 'Load a daemon and show how fast it answers'
complete -c larder -n "__fish_larder_using_subcommand help; and not __fish_seen_subcommand_from set add replace append prepend cas get gat touch incr decr delete flush keys inspect dump load stats version top doctor hotkeys bigkeys clients slow threads snapshot latency monitor bench cluster help" -f -a "cluster" -d 'Show the nodes that clients find, and which of them owns a key'
complete -c larder -n "__fish_larder_using_subcommand help; and not __fish_seen_subcommand_from set add replace append prepend cas get gat touch incr decr delete flush keys inspect dump load stats version top doctor hotkeys bigkeys clients slow threads snapshot latency monitor bench cluster help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c larder -n "__fish_larder_using_subcommand help; and __fish_seen_subcommand_from clients" -f -a "list" -d 'Print who is connected, which is done without a command too'
complete -c larder -n "__fish_larder_using_subcommand help; and __fish_seen_subcommand_from clients" -f -a "kill" -d 'Close a connection, or all of an address'
complete -c larder -n "__fish_larder_using_subcommand help; and __fish_seen_subcommand_from cluster" -f -a "nodes" -d 'Print the nodes in the list that the daemon serves'
complete -c larder -n "__fish_larder_using_subcommand help; and __fish_seen_subcommand_from cluster" -f -a "owner" -d 'Print the node on which a client puts each key'
complete -c larder -n "__fish_larder_using_subcommand help; and __fish_seen_subcommand_from cluster" -f -a "join" -d 'Put a node on the list, or give the one of its name another address'
complete -c larder -n "__fish_larder_using_subcommand help; and __fish_seen_subcommand_from cluster" -f -a "leave" -d 'Take a node off the list, whether or not it runs'
complete -c larder -n "__fish_larder_using_subcommand help; and __fish_seen_subcommand_from cluster" -f -a "dev" -d 'Run a whole cluster on loopback addresses, until interrupted'
