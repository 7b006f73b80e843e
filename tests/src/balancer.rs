//! One address for several, as a Service is: each connection goes to the next one of them. I/O: sockets.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use crate::error::{Error, Result};

/// Listens at one address until this process ends, and takes turns with those behind it.
pub async fn spread(front: SocketAddr, behind: Vec<SocketAddr>) -> Result<()> {
    let unusable = |error| Error::Absent { what: format!("balancer at {front}: {error}") };
    let listener = TcpListener::bind(front).await.map_err(unusable)?;
    tokio::spawn(async move {
        for to in behind.into_iter().cycle() {
            let Ok((mut caller, _)) = listener.accept().await else { continue };
            tokio::spawn(async move {
                // Whoever is cut off notices it.
                if let Ok(mut called) = TcpStream::connect(to).await {
                    let _ = copy_bidirectional(&mut caller, &mut called).await;
                }
            });
        }
    });
    Ok(())
}
