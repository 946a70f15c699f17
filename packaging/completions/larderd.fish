complete -c larderd -s l -l listen -d 'Addresses to serve: HOST, HOST:PORT, [IPV6]:PORT, or * for every interface. May be given more than once. A prefix proto[ascii]:, proto[binary]: or proto[auto]: says what is spoken there, tag[NAME]: marks its connections, and notls:, btls: or mtls: makes an exception to -Z. Without it only loopback is served, where memcached would serve every interface: a cache without a login is reachable from elsewhere only when you say so [default: 127.0.0.1,::1]' -r
complete -c larderd -s p -l port -d 'TCP port; 0 turns TCP off, -1 takes any free port. When -U names a port and this does not, TCP has the same one [default: 11211]' -r
complete -c larderd -s U -l udp-port -d 'UDP port; 0 turns UDP off, -1 takes any free port. Leave it off where strangers can reach it: UDP lends itself to amplification [default: 0]' -r
complete -c larderd -s s -l unix-socket -d 'Unix socket to serve. Alone it turns TCP off, as in memcached; together with -p or -l both are served' -r
complete -c larderd -s a -l unix-mask -d 'Access mode of the unix socket [default: 700]' -r
complete -c larderd -s B -l protocol -d 'What clients may speak: ascii (text and meta), binary, or auto, which follows each client\'s first byte [default: auto]' -r
complete -c larderd -s c -l conn-limit -d 'Most clients at a time [default: 1024]' -r
complete -c larderd -l maxconns-fast -d 'Tell a client above the limit so and close it at once; otherwise it waits unaccepted [default: yes] [-o maxconns_fast]' -r
complete -c larderd -s b -l listen-backlog -d 'Connections that the system may hold before they are accepted [default: 1024]' -r
complete -c larderd -l idle-timeout -d 'Close a client that says nothing for so long; 0 never does [default: 0] [-o idle_timeout]' -r
complete -c larderd -s R -l max-reqs-per-event -d 'Requests that one client is served before others have their turn [default: 20]' -r
complete -c larderd -l read-buf-mem-limit -d 'Bound on the buffers of all connections together; 0 is none [default: 0] [-o read_buf_mem_limit]' -r
complete -c larderd -s N -l napi-ids -d 'Threads chosen by the network card\'s queue' -r
complete -c larderd -l ssl-chain-cert -d 'PEM file of the certificate that clients are shown, and behind it those that signed it. The file is read again by SIGHUP and by the command refresh_certs; open connections stay as they are [-o ssl_chain_cert]' -r
complete -c larderd -l ssl-key -d 'PEM file of the private key, when it is not in the file of the certificate. Nobody but the daemon should be able to read it [-o ssl_key]' -r
complete -c larderd -l ssl-verify-mode -d 'Client certificates: 0 asks for none; 1 asks, and refuses a client whose certificate is not good; 2 requires one; 3 is 2, since no client may renegotiate [default: 0] [-o ssl_verify_mode]' -r
complete -c larderd -l ssl-keyformat -d 'Format of the key file: PEM, which is also 1, is the only one [default: PEM] [-o ssl_keyformat]' -r
complete -c larderd -l ssl-ciphers -d 'Cipher suites of TLS 1.2 by OpenSSL\'s names, with colons between: ECDHE-ECDSA-AES256-GCM-SHA384, ECDHE-ECDSA-AES128-GCM-SHA256, ECDHE-ECDSA-CHACHA20-POLY1305, and the same with RSA. Words such as HIGH and DEFAULT mean all of them, !NAME takes one away. Unknown names are passed over with a warning, as in OpenSSL; a list of nothing else is refused. TLS 1.3 is not concerned [-o ssl_ciphers]' -r
complete -c larderd -l ssl-ca-cert -d 'PEM file of the authorities that sign good client certificates. Read again with the certificate [-o ssl_ca_cert]' -r
complete -c larderd -l ssl-wbuf-size -d 'Size of memcached\'s buffer for encryption. larderd holds up to 64 kilobytes that are encrypted and not sent, for those connections that have any [default: 16] [-o ssl_wbuf_size]' -r
complete -c larderd -l ssl-session-cache -d 'Let clients resume sessions, which spares both sides most of a handshake [default: no] [-o ssl_session_cache]' -r
complete -c larderd -l ssl-kernel-tls -d 'Encryption by the kernel [default: no] [-o ssl_kernel_tls]' -r
complete -c larderd -l ssl-min-version -d 'Lowest version spoken: 2 is TLS 1.2, 3 is TLS 1.3. 0 and 1 stand for TLS 1.0 and 1.1 in memcached; larderd does not speak these and takes them for 2, with a warning [default: 2] [-o ssl_min_version]' -r
complete -c larderd -l advertise -d 'What clients that ask for the nodes of the cluster are told of this one. Any part may be left out: it is then taken from the first address that is served, with IPv4 before IPv6. Give a name that clients can resolve, and that the certificate has when they speak TLS; it should stay when the address changes' -r
complete -c larderd -l cluster-source -d 'Who decides which nodes clients are told of: `none` lists this daemon alone, `gossip` lets the nodes find each other, `file` reads them from a file, `dns` looks them up [default: what the other settings of the cluster are for, else none]' -r
complete -c larderd -l cluster-name -d 'By what this node is known to the others. A node that comes back under its name takes its own place on the list, wherever it is; so no two may have the same [default: name and port of --advertise]' -r
complete -c larderd -l cluster-seeds -d 'Where others are found when this node starts: addresses of gossip, or names, of which all addresses are tried. One is enough. The seeds found the cluster: of those that are up, the first by name. Nodes that are no seed wait for one' -r
complete -c larderd -l cluster-listen -d 'Where the other nodes reach this one by UDP. On every interface (0.0.0.0) the others are told the address of --advertise [default: the address of the first listener, port 11212]' -r
complete -c larderd -l cluster-key-file -d 'File of the key that all nodes share, one key a line: datagrams are sealed with the first and opened with any, so a key is changed by having two for a while. Read again at SIGHUP' -r
complete -c larderd -l cluster-file -d 'File that lists the nodes, one NAME|IP|PORT a line; a line `version NUMBER` gives the version, which must grow whenever the list changes. Without it this daemon counts by itself. Read again when it changes and at SIGHUP' -r
complete -c larderd -l cluster-dns -d 'Name that stands for the nodes, looked up again and again. One that begins with an underscore, such as _memcache._tcp.cache.example, has SRV records: hosts, which keep their names, and ports. Any other has addresses, which are names too then. When there is no answer the list stays' -r
complete -c larderd -l cluster-dns-server -d 'The name server to ask [default: those of the system]' -r
complete -c larderd -l cluster-dns-interval -d 'Time between two look-ups of the name [default: 30]' -r
complete -c larderd -l cluster-min-nodes -d 'An answer of DNS with fewer nodes is not believed, and the list stays: names vanish when their hosts are restarted [default: 1]' -r
complete -c larderd -l cluster-state -d 'Where the list and its version are written down. It is served at once after a restart, and a node that keeps it keeps its vote' -r
complete -c larderd -l eject-after -d 'Take a node that nobody reaches off the list after so long, one at a time and never more than a minority; 0 is never. Its keys move to the others, and back when it returns, so leave this off unless losing a tenth of all requests is worse [default: 0]' -r
complete -c larderd -s m -l memory-limit -d 'Memory for items and their index. Connection buffers come on top [default: 64]' -r
complete -c larderd -s I -l max-item-size -d 'Largest item, in bytes or with a unit (512k, 8m, 1g): from 1k to 1g, not above half of -m, and a multiple of slab_chunk_max. Key and bookkeeping count as in memcached [default: 1m]' -r
complete -c larderd -s f -l slab-growth-factor -d 'Ratio of neighbouring slab classes [default: 1.25]' -r
complete -c larderd -s n -l slab-min-size -d 'Room for key, value and flags in the smallest slab class [default: 48]' -r
complete -c larderd -l slab-chunk-max -d 'End of the slab class table; must divide 1 MB. A larger item counts as a chain of such chunks. When -I is smaller, the default follows it [default: 512] [-o slab_chunk_max]' -r
complete -c larderd -l slab-sizes -d 'The slab class sizes themselves, in bytes, instead of -f and -n [-o slab_sizes]' -r
complete -c larderd -l slab-reassign -d 'Pages may move between slab classes [default: yes] [-o slab_reassign]' -r
complete -c larderd -l slab-automove -d 'How pages move: 0 by hand only, 1 to the class that evicts youngest, 2 at each eviction [default: 1] [-o slab_automove]' -r
complete -c larderd -l slab-automove-ratio -d 'A class whose age is below this share of the oldest\'s gets a page [default: 0.8] [-o slab_automove_ratio]' -r
complete -c larderd -l slab-automove-bias -d 'How much more often large items must be asked for to keep their place, 0 to 1: as their size to this power. 0 is memcached\'s way; more means more hits, and fewer of them large [default: 0.5] [-o slab_automove_bias]' -r
complete -c larderd -l slab-automove-window -d 'Time over which ages are judged [default: 10] [-o slab_automove_window]' -r
complete -c larderd -l slab-automove-freeratio -d 'Share of memory kept free for any class [default: 0.01] [-o slab_automove_freeratio]' -r
complete -c larderd -s e -l memory-file -d 'Keep items over a restart. Their memory is this file, in a file system that is memory (tmpfs) or a DAX one. An orderly stop writes FILE.meta beside it; without that, or when anything does not fit, larderd starts empty and says why' -r
complete -c larderd -l snapshot -d 'Keep a copy of all items in this file. It is read at the start, before clients are served, by a larderd of any size and shape. It is written by an orderly stop, by SIGUSR2, through the admin listener, and every --snapshot-interval; workers go on meanwhile. After a crash items are as they were then' -r
complete -c larderd -l snapshot-interval -d 'Write the snapshot so often; 0 only when asked to, and at the stop [default: 0] [-o snapshot_interval]' -r
complete -c larderd -l snapshot-rate -d 'Megabytes of a snapshot that are written in a second while clients are served; 0 is no bound [default: 64] [-o snapshot_rate]' -r
complete -c larderd -l lru-policy -d 'Who goes first when memory is full: segmented, memcached\'s way; s3fifo, whatever is not hit soon, for caches whose popular keys stay the same; volatile-ttl, what expires soonest; noeviction, nobody, as with -M [default: segmented] [-o lru_policy]' -r
complete -c larderd -l lru-maintainer -d 'HOT, WARM and COLD queues in each class, balanced in the background; otherwise one flat queue [default: yes] [-o lru_maintainer]' -r
complete -c larderd -l hot-lru-pct -d 'Share of a class that HOT may hold. HOT and WARM together may hold 80 [default: 20] [-o hot_lru_pct]' -r
complete -c larderd -l warm-lru-pct -d 'Share of a class that WARM may hold [default: 40] [-o warm_lru_pct]' -r
complete -c larderd -l hot-max-factor -d 'Items idle for longer than this times COLD\'s age leave HOT [default: 0.2] [-o hot_max_factor]' -r
complete -c larderd -l warm-max-factor -d 'Items idle for longer than this times COLD\'s age leave WARM [default: 2] [-o warm_max_factor]' -r
complete -c larderd -l temporary-ttl -d 'Items that live no longer than this have a queue of their own and are never evicted. Off unless given [-o temporary_ttl]' -r
complete -c larderd -l lru-crawler -d 'Sweep expired items out in the background [default: yes] [-o lru_crawler]' -r
complete -c larderd -l lru-crawler-sleep -d 'Pause of the sweep between items, 0 to 1000000 [default: 100] [-o lru_crawler_sleep]' -r
complete -c larderd -l lru-crawler-tocrawl -d 'Items that one sweep looks at in each class; 0 is all [default: 0] [-o lru_crawler_tocrawl]' -r
complete -c larderd -l track-sizes -d 'Keep the counts that `stats sizes` shows [default: no] [-o track_sizes]' -r
complete -c larderd -l hashpower -d 'Size of memcached\'s first hash table, 12 to 32. The index here grows by itself, a few buckets at a time [-o hashpower]' -r
complete -c larderd -l hash-algorithm -d 'jenkins, murmur3 or xxh3. Keys are hashed with a secret seed whatever this says [default: murmur3] [-o hash_algorithm]' -r
complete -c larderd -l tail-repair-time -d 'Items cannot get stuck at the end of a queue here [-o tail_repair_time]' -r
complete -c larderd -l admin -d 'Where metrics for Prometheus, health, the JSON API and a page to look at are served over HTTP: an address, whose port is 9150 if it names none, or the path of a unix socket, which gets the mode of -a. Beyond loopback --admin-token-file must be given [default: off]' -r
complete -c larderd -l admin-token-file -d 'File whose first line is the token that whoever asks the admin listener must show (Authorization: Bearer TOKEN, or as the password of a browser); only /healthz and /readyz are for everybody. At least 16 characters. Read again at SIGHUP' -r
complete -c larderd -s D -l prefix-delimiter -d 'Ends the prefix by which `stats detail` counts keys. To give it turns the counting on from the start [default: :]' -r
complete -c larderd -l hot-key-sample -d 'Look at one request in so many, at random, for what `stats hotkeys` and `stats ttl` tell; 0 looks at none, 1 at all. Prefixes of keys end at the character of -D [default: 100] [-o hot_key_sample]' -r
complete -c larderd -l drain-timeout -d 'How long a stop by SIGTERM, SIGUSR1 or `shutdown graceful` waits for requests that have begun and for answers that clients have not taken. Idle connections are closed at once. 0 waits for nobody [default: 5] [-o drain_timeout]' -r
complete -c larderd -l slow-log-us -d 'Keep for `stats slow` what took a worker so long or longer; 0 keeps nothing. From 10000 on time is taken by a clock that costs next to nothing and ticks every 1 to 10 milliseconds, below by an exact one, which costs a few nanoseconds for each turn [default: 10000] [-o slow_log_us]' -r
complete -c larderd -l watcher-logbuf-size -d 'Log lines that may wait for one watcher; more are skipped and counted [default: 256] [-o watcher_logbuf_size]' -r
complete -c larderd -l worker-logbuf-size -d 'Log lines that may wait in one worker for the watchers [default: 64] [-o worker_logbuf_size]' -r
complete -c larderd -s Y -l auth-file -d 'Users who may come in, one NAME:PASSWORD a line; a password may be a hash (--hash-password). They log in over the text protocol, and with -S over the binary one. Everybody else is refused, and lines of the same file say what each may do; larder-users(5) has them all. Read again at SIGHUP' -r
complete -c larderd -s t -l threads -d 'Worker threads [default: one for each core it may use]' -r
complete -c larderd -s P -l pidfile -d 'File to write the process id to; removed at a clean stop' -r
complete -c larderd -s u -l user -d 'Whom to become. Root must say, even to stay root' -r
complete -c larderd -l drop-privileges -d 'Give up system calls that serving does not need, such as those that start programs or reach other hosts [default: no] [-o drop_privileges]' -r
complete -c larderd -l relaxed-privileges -d 'memcached\'s tests ask for it [-o relaxed_privileges]' -r
complete -c larderd -l inline-ascii-resp -d 'Nothing depends on it in memcached either [-o inline_ascii_resp]' -r
complete -c larderd -l resp-obj-mem-limit -d 'Long replaced by read_buf_mem_limit [-o resp_obj_mem_limit]' -r
complete -c larderd -s o -l extended -d 'Settings by the names that memcached has for them, with commas between' -r
complete -c larderd -l config -d 'Read settings from this file first [env: LARDER_CONFIG]' -r
complete -c larderd -l hash-password -d 'Read a password from standard input, print the line for -Y, and leave' -r
complete -c larderd -l hash-method -d 'How --hash-password does it: argon2id is the hardest to guess from, scram-sha-256 serves SCRAM as well' -r -f -a "argon2id\t''
scram-sha-256\t''"
complete -c larderd -l keep-listeners -d 'Keep listening over `systemctl restart`: systemd holds the sockets meanwhile, and clients that connect wait for the next larderd. Implied by --keep-memory. Needs FileDescriptorStoreMax= in the unit, which the packaged ones have'
complete -c larderd -s Z -l enable-ssl -d 'Speak TLS 1.2 and 1.3 on every TCP address. The prefixes of -l make exceptions: notls: is plain, btls: is TLS without client certificates, mtls: requires one. The unix socket stays plain, and so does UDP'
complete -c larderd -l leave -d 'When told to stop (SIGTERM, SIGINT, SIGUSR1), go off the list of nodes first, wait until the others know, and then stop. Without it the node stays listed, as one that comes back'
complete -c larderd -s C -l disable-cas -d 'Items have no cas, and are 8 bytes smaller'
complete -c larderd -s L -l enable-largepages -d 'Ask for huge pages, and take all memory at the start'
complete -c larderd -l keep-memory -d 'Keep items over `systemctl restart`, and the listeners too (--keep-listeners). Their memory is a file without a name that systemd holds meanwhile. Needs FileDescriptorStoreMax= in the unit, which the packaged ones have. The same rules hold as for a memory file'
complete -c larderd -s M -l disable-evictions -d 'When memory is full, answer an error instead of evicting'
complete -c larderd -l no-hashexpand -d 'The index grows whatever this says [-o no_hashexpand]'
complete -c larderd -l admin-tls -d 'Speak TLS at the address of the admin listener, with the certificate of -o ssl_chain_cert and ssl_key, which need not be shown to clients (-Z). Both are read again at SIGHUP'
complete -c larderd -s F -l disable-flush-all -d 'Forbid `flush_all`'
complete -c larderd -s X -l disable-dumping -d 'Forbid what shows keys: `stats cachedump`, `stats detail`, `stats hotkeys`, `stats bigkeys` and `lru_crawler metadump`'
complete -c larderd -s W -l disable-watch -d 'Forbid `watch`'
complete -c larderd -s A -l enable-shutdown -d 'Allow `shutdown`: any client may then stop the daemon'
complete -c larderd -s S -l enable-sasl -d 'Login over the binary protocol (SASL): PLAIN and SCRAM-SHA-256. The users are those of -Y; without it those of the file that MEMCACHED_SASL_PWDB names, and then only the binary protocol is spoken, as in memcached'
complete -c larderd -s v -l verbose -d 'Log more to standard error: -v what the daemon does, -vv connections too, -vvv everything. In the environment and the file a number [default: 0]'
complete -c larderd -s d -l daemon -d 'Run in the background. The command returns when clients can connect, or with the reason why they cannot. Only on the command line: ignored in the environment and the file'
complete -c larderd -s k -l lock-memory -d 'Keep all memory resident'
complete -c larderd -s r -l enable-coredumps -d 'Raise the limit on core files as far as it goes'
complete -c larderd -l check-config -d 'Say whether the settings are good, and the users and certificates that they name, and leave'
complete -c larderd -l print-config -d 'Print every setting with where it came from, and leave'
complete -c larderd -s i -l license -d 'Print the licence, and leave'
complete -c larderd -s h -l help -d 'Print this, and leave'
complete -c larderd -s V -l version -d 'Print the version, and leave'
