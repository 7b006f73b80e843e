//! Ports on 127.0.0.1, remembered by name in a folder so that whatever is stopped comes back under the same address.

use std::collections::BTreeSet;
use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::error::{Error, Result, io};
use crate::wait::within;

/// Below the range from which Linux takes the ports of outgoing connections: while a plane is stopped, its port must not
/// become the near end of somebody's connection.
const RANGE: std::ops::Range<u16> = 20_000..32_768;

/// Those of every folder that this process claimed one in: what is stopped does not listen, and must not lose its port to another fleet.
static CLAIMED: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
/// A look at whether a port is free takes it for a moment, and so does a program that another thread begins meanwhile.
const MOMENT: Duration = Duration::from_secs(2);

/// The address of a name: the remembered one, or a free one that is remembered from now on.
pub fn claim(dir: &Path, name: &str) -> Result<SocketAddr> {
    let file = dir.join("ports").join(name);
    let mut claimed = CLAIMED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(port) = fs::read_to_string(&file).ok().and_then(|text| text.trim().parse().ok()) {
        claimed.insert(port);
        return Ok(local(port));
    }
    // Those of the same folder may be claimed and not listened on yet.
    let others: Vec<u16> =
        fs::read_dir(dir.join("ports")).into_iter().flatten().flatten().filter_map(remembered).collect();
    let is_ours = |port: &u16| !others.contains(port) && !claimed.contains(port) && is_free(*port);
    let port = (0..1000).map(|_| random()).find(is_ours).ok_or_else(|| Error::Absent {
        what: format!("free port between {} and {} for {name}", RANGE.start, RANGE.end),
    })?;
    fs::write(&file, format!("{port}\n")).map_err(io("cannot write", &file))?;
    claimed.insert(port);
    Ok(local(port))
}

/// An error that names the port if something listens there, for longer than a moment.
pub async fn require_free(address: SocketAddr, name: &str) -> Result<()> {
    let taken = || Error::PortTaken { name: name.to_owned(), port: address.port() };
    let look = async || if is_free(address.port()) { Ok(()) } else { Err(taken()) };
    within(MOMENT, look).await.map_err(|_| taken())
}

/// Forgets the remembered ports that are taken. Only for a folder of which nothing runs.
pub fn forget_taken(dir: &Path) {
    for file in fs::read_dir(dir.join("ports")).into_iter().flatten().flatten() {
        let path = file.path();
        if !remembered(file).is_some_and(is_free) {
            let _ = fs::remove_file(path);
        }
    }
}

fn remembered(file: fs::DirEntry) -> Option<u16> {
    fs::read_to_string(file.path()).ok()?.trim().parse().ok()
}

fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(local(port)).is_ok()
}

/// Two test binaries that start at the same moment should not try the same ports.
fn random() -> u16 {
    let drawn = RandomState::new().build_hasher().finish() % u64::from(RANGE.end - RANGE.start);
    RANGE.start + u16::try_from(drawn).expect("invariant: smaller than the range")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_stays_the_same_until_it_is_forgotten_because_a_stranger_has_it() {
        let dir = tempfile::tempdir().expect("folder");
        fs::create_dir(dir.path().join("ports")).expect("folder");
        let first = claim(dir.path(), "east").expect("a port");
        assert_eq!(claim(dir.path(), "east").expect("a port"), first);
        require_free(first, "east").await.expect("free");
        forget_taken(dir.path());
        assert_eq!(claim(dir.path(), "east").expect("a port"), first);

        let stranger = TcpListener::bind(first).expect("free");
        let text = require_free(first, "east").await.expect_err("taken").to_string();
        assert!(text.starts_with(&format!("port {} of east is taken by another process", first.port())), "{text}");
        forget_taken(dir.path());
        assert_ne!(claim(dir.path(), "east").expect("a port"), first);
        drop(stranger);
    }

    #[test]
    fn no_two_folders_get_the_same_port_though_nothing_listens_there() {
        // So many draws of 12,768 have some pairs, unless somebody sees to it.
        let ports: BTreeSet<u16> = (0..600)
            .map(|_| {
                let dir = tempfile::tempdir().expect("folder");
                fs::create_dir(dir.path().join("ports")).expect("folder");
                claim(dir.path(), "east").expect("a port").port()
            })
            .collect();
        assert_eq!(ports.len(), 600);
    }
}
