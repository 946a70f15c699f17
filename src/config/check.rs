//! What one setting alone cannot see: contradictions between them, which stop larderd, and what
//! the operator should hear, which does not.

use std::net::IpAddr;

use super::tls::{ListenTls, verify};
use super::value::show_bytes;
use super::{BindingProtocol, Config, Listen};

/// Refuses settings that contradict each other.
///
/// # Errors
///
/// The option, what is wrong with it, and what to do.
pub(super) fn refuse(config: &Config) -> Result<(), String> {
    check_login(config)?;
    if config.drop_privileges && config.cluster.dns.is_some() {
        return Err(
            "--cluster-dns: looks names up while it serves, which -o drop_privileges forbids; \
             leave one of them out"
                .to_owned(),
        );
    }
    if config.keep_memory && config.memory_file.is_some() {
        return Err(
            "--keep-memory: items are in the file of -e already; leave one of them out, and say \
             --keep-listeners for the listeners alone"
                .to_owned(),
        );
    }
    if config.snapshot_interval_s != 0 && config.snapshot_file.is_none() {
        return Err(
            "--snapshot-interval: there is no file to write; name one by --snapshot FILE"
                .to_owned(),
        );
    }
    check_sizes(config)?;
    check_tls(config)?;
    check_admin(config)
}

/// Figures of a cache and addresses of its clients are nobody's business without a token.
fn check_admin(config: &Config) -> Result<(), String> {
    if config.admin_tls && config.tls.chain_cert.is_none() {
        let needs = "--admin-tls: TLS needs a certificate, -o ssl_chain_cert=FILE";
        return Err(needs.to_owned());
    }
    if config.admin.is_local() || config.admin_token_file.is_some() {
        return Ok(());
    }
    Err(format!(
        "--admin {}: serves others than this host, and so asks for a token; name its file by \
         --admin-token-file, or serve a loopback address",
        config.admin
    ))
}

/// What does not fit into what.
fn check_sizes(config: &Config) -> Result<(), String> {
    let item_size_max = show_bytes(u64::from(config.item_size_max));
    if u64::from(config.item_size_max) > config.memory_limit / 2 {
        return Err(format!(
            "-I {item_size_max}: the largest item must not be above half of the memory limit, \
             -m {}",
            config.memory_limit >> 20
        ));
    }
    let chunk_max = config.slab_chunk_max >> 10;
    if !config.item_size_max.is_multiple_of(config.slab_chunk_max) {
        return Err(format!(
            "-I {item_size_max}: must be a multiple of -o slab_chunk_max={chunk_max} (kilobytes)"
        ));
    }
    // 48 bytes are what memcached's own bookkeeping takes of its smallest chunk.
    if config.chunk_size_min + 48 > config.slab_chunk_max {
        return Err(format!(
            "-n {}: the smallest chunk must fit the largest, -o slab_chunk_max={chunk_max} \
             (kilobytes)",
            config.chunk_size_min
        ));
    }
    if let Some(size) = config.slab_sizes.last()
        && *size > config.slab_chunk_max
    {
        return Err(format!(
            "-o slab_sizes: {size} is above -o slab_chunk_max={chunk_max} (kilobytes)"
        ));
    }
    if config.hot_lru_percent + config.warm_lru_percent > 80 {
        return Err(format!(
            "-o hot_lru_pct={},warm_lru_pct={}: together they must not be above 80",
            config.hot_lru_percent, config.warm_lru_percent
        ));
    }
    if config.temporary_ttl_s.is_some() && !config.lru_maintainer {
        return Err("-o temporary_ttl: needs lru_maintainer, which is off".to_owned());
    }
    Ok(())
}

/// What contradicts itself about TLS.
fn check_tls(config: &Config) -> Result<(), String> {
    let tls = &config.tls;
    if !tls.enabled {
        let secured =
            |listen: &&Listen| matches!(listen.tls, Some(ListenTls::Basic | ListenTls::Mutual));
        return match config.listen.iter().find(secured) {
            Some(listen) => Err(format!("-l {listen}: asks for TLS, which needs -Z")),
            None => Ok(()),
        };
    }
    if tls.chain_cert.is_none() {
        return Err("-Z: TLS needs a certificate, -o ssl_chain_cert=FILE".to_owned());
    }
    if config.tcp_port == 0 {
        return Err("-Z: TLS needs a TCP port, and there is none; name one with -p".to_owned());
    }
    if tls.verify_mode != verify::NONE && tls.ca_cert.is_none() {
        return Err(format!(
            "-o ssl_verify_mode={}: client certificates cannot be judged without the authorities \
             that sign them, -o ssl_ca_cert=FILE",
            tls.verify_mode
        ));
    }
    Ok(())
}

/// No listener may serve without the login that was asked for.
fn check_login(config: &Config) -> Result<(), String> {
    let flag = match (&config.auth_file, config.sasl) {
        (None, false) => return Ok(()),
        (Some(_), _) => "-Y",
        (None, true) => "-S",
    };
    if config.udp_port != 0 {
        return Err(format!(
            "{flag}: a datagram cannot log in; turn UDP off (-U 0) or leave {flag} out"
        ));
    }
    let binary = BindingProtocol::Binary;
    if config.auth_file.is_none() {
        if config.sasl_users.is_none() {
            return Err(
                "-S: there are no users who could log in; name a file of NAME:PASSWORD lines by \
                 -Y FILE, or by the variable MEMCACHED_SASL_PWDB for the binary protocol only. \
                 Databases of Cyrus SASL (SASL_CONF_PATH) are not read"
                    .to_owned(),
            );
        }
        let speaks_text = |l: &Listen| l.protocol.is_some_and(|protocol| protocol != binary);
        if config.protocol != binary || config.listen.iter().any(speaks_text) {
            return Err(
                "-S: a listener that speaks text has no login without -Y FILE; name the users by \
                 -Y, or leave the text protocol out (-B binary, no other proto[...] in -l)"
                    .to_owned(),
            );
        }
        return Ok(());
    }
    if config.sasl {
        return Ok(());
    }
    if config.protocol == binary || config.listen.iter().any(|l| l.protocol == Some(binary)) {
        return Err(
            "-Y: a listener for the binary protocol only has no login by -Y alone; add -S, give it \
             text (-B auto, or proto[auto]: in -l) or leave -Y out"
                .to_owned(),
        );
    }
    Ok(())
}

/// What the operator should hear, though it stops nothing.
pub(super) fn warnings(config: &Config) -> Vec<String> {
    let mut warnings = Vec::new();
    if config.tcp_port == 0 && config.udp_port == 0 && config.unix_socket.is_none() {
        let warning = "-p 0: nothing is left to serve; name a TCP port, a UDP port (-U) or a \
                       unix socket (-s)";
        warnings.push(warning.to_owned());
    }
    if config.sasl && config.auth_file.is_some() && config.sasl_users.is_some() {
        let warning = "MEMCACHED_SASL_PWDB: -Y names the users of both protocols, this file is \
                       not read";
        warnings.push(warning.to_owned());
    }
    warnings.extend(open_warning(config));
    warnings.extend(tls_warnings(config));
    if config.workers > 64 {
        let warning = format!(
            "-t {}: more threads than cores make larderd slower, not faster",
            config.workers
        );
        warnings.push(warning);
    }
    warnings
}

/// Says so when whoever reaches this host may do everything.
fn open_warning(config: &Config) -> Option<String> {
    if config.users_file().is_some() {
        return None;
    }
    let is_local = |listen: &Listen| match listen.host.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => listen.host == "localhost",
    };
    let asks = |listen: &Listen| config.tls_of(listen).is_some_and(|m| m >= verify::REQUIRE);
    let mut open = config.tcp_listen();
    open.retain(|listen| !asks(listen));
    // A datagram shows no certificate.
    open.extend(config.udp_listen());
    open.retain(|listen| !is_local(listen));
    let mut open: Vec<String> = open.into_iter().map(|listen| listen.host).collect();
    open.sort();
    open.dedup();
    (!open.is_empty()).then(|| {
        format!(
            "-l {}: whoever reaches this address may read and change everything; ask for a login \
             (-Y FILE), for client certificates (-o ssl_verify_mode=2), or serve loopback only",
            open.join(",")
        )
    })
}

/// What the operator should hear about TLS, though it stops nothing.
fn tls_warnings(config: &Config) -> Vec<String> {
    let tls = &config.tls;
    let mut warnings = Vec::new();
    if tls.min_version_raised {
        let warning = "-o ssl_min_version: larderd speaks nothing below TLS 1.2, clients that do \
                       are refused";
        warnings.push(warning.to_owned());
    }
    if !tls.enabled {
        let has_files = tls.chain_cert.is_some() || tls.key.is_some();
        if has_files && !config.admin_tls || tls.verify_mode != verify::NONE {
            let warning = "-o ssl_*: nothing is encrypted; TLS is turned on by -Z";
            warnings.push(warning.to_owned());
        }
        return warnings;
    }
    if config.udp_port != 0 {
        warnings.push("-U: datagrams are not encrypted; TLS is for TCP only".to_owned());
    }
    let mutual = config
        .listen
        .iter()
        .find(|listen| listen.tls == Some(ListenTls::Mutual));
    if let (Some(listen), None) = (mutual, &tls.ca_cert) {
        warnings.push(format!(
            "-l {listen}: refuses every client, since no certificate is good without \
             -o ssl_ca_cert=FILE"
        ));
    }
    warnings
}
