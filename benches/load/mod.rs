//! What comparisons of servers need beside a load: processes that are started and watched, cores,
//! and what machine this is. The load itself is `larder::client::load`.

pub(crate) mod cores;
pub(crate) mod floor;
pub(crate) mod machine;
pub(crate) mod server;
