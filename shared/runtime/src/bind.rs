//! Addresses to listen on, in the spelling of Go programs: `:8080`, `127.0.0.1:8082`, `0` for nowhere. I/O: `listen`.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use tokio::net::TcpListener;

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bind {
    /// Not at all (`0`, as controller-runtime has it).
    Off,
    /// A port on every interface, IPv4 and IPv6.
    All(u16),
    /// One address.
    At(SocketAddr),
}

impl Bind {
    /// A listening socket, or none for [`Bind::Off`]. The error names the address.
    pub async fn listen(self) -> io::Result<Option<TcpListener>> {
        let listening = match self {
            Bind::Off => return Ok(None),
            Bind::At(address) => TcpListener::bind(address).await,
            Bind::All(port) => match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
                // A kernel without IPv6 says one of these; a taken port must stay an error.
                Err(e) if matches!(e.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported) => {
                    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await
                }
                Err(e) if e.raw_os_error() == Some(EAFNOSUPPORT) => {
                    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await
                }
                other => other,
            },
        };
        listening.map(Some).map_err(|e| io::Error::new(e.kind(), format!("cannot listen on {self}: {e}")))
    }
}

/// Linux's "address family not supported", which `io::ErrorKind` does not name.
const EAFNOSUPPORT: i32 = 97;

impl std::fmt::Display for Bind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Bind::Off => f.write_str("0"),
            Bind::All(port) => write!(f, ":{port}"),
            Bind::At(address) => write!(f, "{address}"),
        }
    }
}

impl FromStr for Bind {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const SPELLING: &str = "write it like :8080, 127.0.0.1:8080 or [::1]:8080; 0 turns it off";
        if text == "0" {
            return Ok(Bind::Off);
        }
        let (host, port) = text.rsplit_once(':').ok_or(SPELLING)?;
        let port: u16 = port.parse().map_err(|_| SPELLING)?;
        match host {
            "" => Ok(Bind::All(port)),
            "localhost" => Ok(Bind::At((IpAddr::V4(Ipv4Addr::LOCALHOST), port).into())),
            _ => text.parse().map(Bind::At).map_err(|_| SPELLING),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::every_row;

    #[test]
    fn addresses() {
        #[rustfmt::skip]
        let cases = [
            (":8080", Some(Bind::All(8080))), ("0", Some(Bind::Off)), (":0", Some(Bind::All(0))),
            ("0.0.0.0:1", Some(Bind::At(([0, 0, 0, 0], 1).into()))), ("localhost:1", Some(Bind::At(([127, 0, 0, 1], 1).into()))),
            ("[::1]:1", Some(Bind::At((Ipv6Addr::LOCALHOST, 1).into()))),
            ("8080", None), ("", None), (":", None), (":70000", None), ("example.com:80", None), ("::1:80", None),
        ];
        every_row(cases, |(text, want)| {
            assert_eq!(text.parse().ok(), want, "{text}");
            if let Some(bind) = want.filter(|_| !text.contains("localhost")) {
                assert_eq!(bind.to_string(), text);
            }
        });
    }

    #[tokio::test]
    async fn a_taken_port_is_named() {
        let held = Bind::All(0).listen().await.unwrap().unwrap();
        let port = held.local_addr().unwrap().port();
        let error = Bind::All(port).listen().await.unwrap_err();
        assert!(error.to_string().contains(&format!("cannot listen on :{port}")), "{error}");
    }
}
