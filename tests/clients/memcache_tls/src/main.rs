//! A conversation through the memcache crate and its TLS, with the daemon at the URL given.
//!
//! `memcache+tls://HOST:PORT?ca_path=FILE` and so on: the crate's own words. It speaks the binary
//! protocol unless the URL asks for the other one. Ends with status 0 once everything was as it
//! should be.

use std::time::Duration;

use memcache::{ClientBuilder, MemcacheError};

fn main() -> Result<(), MemcacheError> {
    let url = std::env::args().nth(1).unwrap_or_default();
    // Its pool tries again for so long before it tells that a connection cannot be made.
    let patience = Duration::from_secs(1);
    let builder = ClientBuilder::new().with_connection_timeout(patience);
    let client = builder.add_server(url)?.build()?;
    client.set("text", "hello", 100)?;
    assert_eq!(client.get::<String>("text")?.as_deref(), Some("hello"));
    let large = "0123456789abcdef".repeat(50_000);
    client.set("large", large.as_str(), 0)?;
    assert_eq!(client.get::<String>("large")?, Some(large));
    client.set("number", 40, 0)?;
    assert_eq!(client.increment("number", 2)?, 42);
    let keys: Vec<String> = (0..100).map(|index| format!("many:{index}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    for key in &keys {
        client.set(key, *key, 0)?;
    }
    let found = client.gets::<String>(&keys)?;
    assert!(found.len() == 100 && found.iter().all(|(key, value)| key == value));
    assert!(client.delete("text")?);
    assert_eq!(client.get::<String>("text")?, None);
    println!("all said");
    Ok(())
}
