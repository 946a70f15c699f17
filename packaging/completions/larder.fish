# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_larder_global_optspecs
    string join \n s/server= timeout= user= password-file= json h/help V/version
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

complete -c larder -n "__fish_larder_needs_command" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_needs_command" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_needs_command" -l user -d 'Log in as this user, to a daemon with -Y' -r
complete -c larder -n "__fish_larder_needs_command" -l password-file -d 'The file that holds the password and nothing else' -r -F
complete -c larder -n "__fish_larder_needs_command" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_needs_command" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_needs_command" -s V -l version -d 'Print version'
complete -c larder -n "__fish_larder_needs_command" -f -a "set" -d 'Store a value under a key'
complete -c larder -n "__fish_larder_needs_command" -f -a "get" -d 'Print the value of a key'
complete -c larder -n "__fish_larder_needs_command" -f -a "delete" -d 'Remove a key'
complete -c larder -n "__fish_larder_needs_command" -f -a "stats" -d 'Print counters, all or one group of them'
complete -c larder -n "__fish_larder_needs_command" -f -a "version" -d 'Print the version that the daemon claims'
complete -c larder -n "__fish_larder_needs_command" -f -a "bench" -d 'Load a daemon and show how fast it answers'
complete -c larder -n "__fish_larder_needs_command" -f -a "cluster" -d 'Show the nodes that clients find, and which of them owns a key'
complete -c larder -n "__fish_larder_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c larder -n "__fish_larder_using_subcommand set" -l ttl -d 'How long it lives, or a Unix time; 0 is without end' -r
complete -c larder -n "__fish_larder_using_subcommand set" -l flags -d 'A number to keep beside it, by which clients know its form' -r
complete -c larder -n "__fish_larder_using_subcommand set" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand set" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand set" -l user -d 'Log in as this user, to a daemon with -Y' -r
complete -c larder -n "__fish_larder_using_subcommand set" -l password-file -d 'The file that holds the password and nothing else' -r -F
complete -c larder -n "__fish_larder_using_subcommand set" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand set" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand get" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand get" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand get" -l user -d 'Log in as this user, to a daemon with -Y' -r
complete -c larder -n "__fish_larder_using_subcommand get" -l password-file -d 'The file that holds the password and nothing else' -r -F
complete -c larder -n "__fish_larder_using_subcommand get" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand get" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand delete" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand delete" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand delete" -l user -d 'Log in as this user, to a daemon with -Y' -r
complete -c larder -n "__fish_larder_using_subcommand delete" -l password-file -d 'The file that holds the password and nothing else' -r -F
complete -c larder -n "__fish_larder_using_subcommand delete" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand delete" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand stats" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand stats" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand stats" -l user -d 'Log in as this user, to a daemon with -Y' -r
complete -c larder -n "__fish_larder_using_subcommand stats" -l password-file -d 'The file that holds the password and nothing else' -r -F
complete -c larder -n "__fish_larder_using_subcommand stats" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand stats" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand version" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand version" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand version" -l user -d 'Log in as this user, to a daemon with -Y' -r
complete -c larder -n "__fish_larder_using_subcommand version" -l password-file -d 'The file that holds the password and nothing else' -r -F
complete -c larder -n "__fish_larder_using_subcommand version" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand version" -s h -l help -d 'Print help'
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
complete -c larder -n "__fish_larder_using_subcommand bench" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand bench" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand bench" -l user -d 'Log in as this user, to a daemon with -Y' -r
complete -c larder -n "__fish_larder_using_subcommand bench" -l password-file -d 'The file that holds the password and nothing else' -r -F
complete -c larder -n "__fish_larder_using_subcommand bench" -l cache-aside -d 'Follow a get that misses by a set, as users of a cache do'
complete -c larder -n "__fish_larder_using_subcommand bench" -l poisson -d 'With --rate: at random times, as many independent clients do'
complete -c larder -n "__fish_larder_using_subcommand bench" -l preload -d 'Store every key first'
complete -c larder -n "__fish_larder_using_subcommand bench" -l verify -d 'Stop when a value is not the one that was stored'
complete -c larder -n "__fish_larder_using_subcommand bench" -l spin -d 'Never sleep: for a load with a processor of its own'
complete -c larder -n "__fish_larder_using_subcommand bench" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand bench" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand cluster; and not __fish_seen_subcommand_from nodes owner join leave dev help" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and not __fish_seen_subcommand_from nodes owner join leave dev help" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and not __fish_seen_subcommand_from nodes owner join leave dev help" -l user -d 'Log in as this user, to a daemon with -Y' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and not __fish_seen_subcommand_from nodes owner join leave dev help" -l password-file -d 'The file that holds the password and nothing else' -r -F
complete -c larder -n "__fish_larder_using_subcommand cluster; and not __fish_seen_subcommand_from nodes owner join leave dev help" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand cluster; and not __fish_seen_subcommand_from nodes owner join leave dev help" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand cluster; and not __fish_seen_subcommand_from nodes owner join leave dev help" -f -a "nodes" -d 'Print the nodes in the list that the daemon serves'
complete -c larder -n "__fish_larder_using_subcommand cluster; and not __fish_seen_subcommand_from nodes owner join leave dev help" -f -a "owner" -d 'Print the node on which a client puts each key'
complete -c larder -n "__fish_larder_using_subcommand cluster; and not __fish_seen_subcommand_from nodes owner join leave dev help" -f -a "join" -d 'Put a node on the list, or give the one of its name another address'
complete -c larder -n "__fish_larder_using_subcommand cluster; and not __fish_seen_subcommand_from nodes owner join leave dev help" -f -a "leave" -d 'Take a node off the list, whether or not it runs'
complete -c larder -n "__fish_larder_using_subcommand cluster; and not __fish_seen_subcommand_from nodes owner join leave dev help" -f -a "dev" -d 'Run a whole cluster on loopback addresses, until interrupted'
complete -c larder -n "__fish_larder_using_subcommand cluster; and not __fish_seen_subcommand_from nodes owner join leave dev help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from nodes" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from nodes" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from nodes" -l user -d 'Log in as this user, to a daemon with -Y' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from nodes" -l password-file -d 'The file that holds the password and nothing else' -r -F
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from nodes" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from nodes" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from owner" -l client -d 'The client whose rules to follow; all when none is named' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from owner" -l nodes -d 'A list to reckon with instead of the daemon\'s; nobody is asked' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from owner" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from owner" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from owner" -l user -d 'Log in as this user, to a daemon with -Y' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from owner" -l password-file -d 'The file that holds the password and nothing else' -r -F
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from owner" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from owner" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from join" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from join" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from join" -l user -d 'Log in as this user, to a daemon with -Y' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from join" -l password-file -d 'The file that holds the password and nothing else' -r -F
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from join" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from join" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from leave" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from leave" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from leave" -l user -d 'Log in as this user, to a daemon with -Y' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from leave" -l password-file -d 'The file that holds the password and nothing else' -r -F
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from leave" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from leave" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from dev" -l nodes -d 'How many nodes: on 127.0.0.1, 127.0.0.2 and so on' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from dev" -l port -d 'The port of each of them [default: 11211]' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from dev" -l larderd -d 'The daemon to run [default: larderd beside this program, or in PATH]' -r -F
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from dev" -s s -l server -d 'The daemon to ask: a host with its port, or the path of a unix socket [env: LARDER_SERVER] [default: 127.0.0.1:11211]' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from dev" -l timeout -d 'Longest wait for the daemon [default: 5]' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from dev" -l user -d 'Log in as this user, to a daemon with -Y' -r
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from dev" -l password-file -d 'The file that holds the password and nothing else' -r -F
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from dev" -l json -d 'Print JSON, for programs'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from dev" -s h -l help -d 'Print help'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from help" -f -a "nodes" -d 'Print the nodes in the list that the daemon serves'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from help" -f -a "owner" -d 'Print the node on which a client puts each key'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from help" -f -a "join" -d 'Put a node on the list, or give the one of its name another address'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from help" -f -a "leave" -d 'Take a node off the list, whether or not it runs'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from help" -f -a "dev" -d 'Run a whole cluster on loopback addresses, until interrupted'
complete -c larder -n "__fish_larder_using_subcommand cluster; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c larder -n "__fish_larder_using_subcommand help; and not __fish_seen_subcommand_from set get delete stats version bench cluster help" -f -a "set" -d 'Store a value under a key'
complete -c larder -n "__fish_larder_using_subcommand help; and not __fish_seen_subcommand_from set get delete stats version bench cluster help" -f -a "get" -d 'Print the value of a key'
complete -c larder -n "__fish_larder_using_subcommand help; and not __fish_seen_subcommand_from set get delete stats version bench cluster help" -f -a "delete" -d 'Remove a key'
complete -c larder -n "__fish_larder_using_subcommand help; and not __fish_seen_subcommand_from set get delete stats version bench cluster help" -f -a "stats" -d 'Print counters, all or one group of them'
complete -c larder -n "__fish_larder_using_subcommand help; and not __fish_seen_subcommand_from set get delete stats version bench cluster help" -f -a "version" -d 'Print the version that the daemon claims'
complete -c larder -n "__fish_larder_using_subcommand help; and not __fish_seen_subcommand_from set get delete stats version bench cluster help" -f -a "bench" -d 'Load a daemon and show how fast it answers'
complete -c larder -n "__fish_larder_using_subcommand help; and not __fish_seen_subcommand_from set get delete stats version bench cluster help" -f -a "cluster" -d 'Show the nodes that clients find, and which of them owns a key'
complete -c larder -n "__fish_larder_using_subcommand help; and not __fish_seen_subcommand_from set get delete stats version bench cluster help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c larder -n "__fish_larder_using_subcommand help; and __fish_seen_subcommand_from cluster" -f -a "nodes" -d 'Print the nodes in the list that the daemon serves'
complete -c larder -n "__fish_larder_using_subcommand help; and __fish_seen_subcommand_from cluster" -f -a "owner" -d 'Print the node on which a client puts each key'
complete -c larder -n "__fish_larder_using_subcommand help; and __fish_seen_subcommand_from cluster" -f -a "join" -d 'Put a node on the list, or give the one of its name another address'
complete -c larder -n "__fish_larder_using_subcommand help; and __fish_seen_subcommand_from cluster" -f -a "leave" -d 'Take a node off the list, whether or not it runs'
complete -c larder -n "__fish_larder_using_subcommand help; and __fish_seen_subcommand_from cluster" -f -a "dev" -d 'Run a whole cluster on loopback addresses, until interrupted'
