//! What a process does that judges all of them, seen from outside: it opens nothing that they name, runs nothing, reads nothing
//! at all, and says nothing to whoever poses as a cluster. I/O: a process, a folder that is watched, two sockets.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::{env, fs};

use model::clusters::kubeconfig;
use runtime::client::{Deadlines, MayWrite, install_crypto_provider, remote};
use runtime::clusters::identify;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;

use crate::corpus::{CA, CERT, KEY, all, good, judged};

/// What is in the folder that the process stands in, and is at home in.
const FILES: [(&str, &str); 5] =
    [("token", "canary"), ("ca.crt", CA), ("client.crt", CERT), ("client.key", KEY), ("kubeconfig", "canary")];
/// Programs that the kubeconfigs name, with or without a path.
const PROGRAMS: [&str; 4] = ["run", "aws", "touch", "sh"];
/// Where it finds the one that poses as a cluster.
const SERVER: &str = "POSES_AS_A_CLUSTER";

#[test]
fn t1_t2_t3_t4_a_process_that_judges_all_of_them_opens_runs_reads_and_sends_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, text) in FILES {
        fs::write(dir.path().join(name), text).expect("written");
    }
    for name in PROGRAMS {
        let path = dir.path().join(name);
        fs::write(&path, format!("#!/bin/sh\necho {name} >> {}/executed\n", dir.path().display())).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("to be run");
    }
    let watch = watched(dir.path());
    let proxy = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (server, said) = pose();

    let mut process = Command::new(env::current_exe().expect("this program"));
    process.args(["--exact", "alone::judges_all_and_reads_nothing", "--ignored", "--nocapture"]);
    process.current_dir(dir.path()).env_clear().env(SERVER, server.to_string());
    for (variable, file) in
        [("PATH", ""), ("HOME", ""), ("KUBECONFIG", "kubeconfig"), ("SSL_CERT_FILE", "ca.crt"), ("SSL_CERT_DIR", "")]
    {
        process.env(variable, dir.path().join(file));
    }
    for variable in ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        process.env(variable, format!("http://{}", proxy.local_addr().expect("an address")));
    }
    let output = process.output().expect("it runs");
    let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
    assert_eq!(touched(&watch), BTreeSet::new(), "T1, T2: something in the folder was opened, read or made");
    // If nobody came, this one does.
    drop(TcpStream::connect(server));
    let said = said.join().expect("it ends");
    assert!(said.starts_with("received fatal alert: "), "T3: {said}");
    proxy.set_nonblocking(true).expect("a socket");
    assert_eq!(
        proxy.accept().map(drop).map_err(|why| why.kind()),
        Err(ErrorKind::WouldBlock),
        "T4: it asked the proxy"
    );

    // It would have been seen.
    fs::read(dir.path().join("token")).expect("read");
    assert_eq!(touched(&watch), ["token".to_owned()].into());
    assert!(Command::new(dir.path().join("run")).status().expect("it runs").success());
    assert_eq!(touched(&watch), ["run".to_owned(), "executed".to_owned()].into());
}

#[tokio::test]
#[ignore = "it is run by the test above, in a process and a folder of its own"]
async fn judges_all_and_reads_nothing() {
    // Before any of them: nobody has used TLS in this process yet, so that what it would read once is seen.
    let corpus = all();
    let (before, own) = bytes_read();
    let accepted = corpus.iter().filter(|one| judged(&one.text).is_ok()).count();
    let (after, _) = bytes_read();
    assert_eq!(after - before, own, "bytes that were read, beside those of the first look");
    assert_eq!(accepted, corpus.iter().filter(|one| one.refused.is_none()).count());
    fs::read("/proc/self/stat").expect("read");
    assert!(bytes_read().0 > after + own, "it would have been seen");

    let mut document = good();
    document["clusters"][0]["cluster"]["server"] = json!(format!("https://{}", env::var(SERVER).expect("an address")));
    let accepted = kubeconfig::parse(document.to_string().as_bytes()).expect("accepted");
    let client = remote(&accepted, Deadlines::default(), MayWrite::default()).expect("a client");
    let refused = identify(&client).await.expect_err("it is somebody else");
    assert!(refused.contains("certificate"), "T3: {refused}");
}

/// Bytes that this process has read of anything by now, and how many more it takes to say so.
fn bytes_read() -> (usize, usize) {
    let text = fs::read_to_string("/proc/self/io").expect("Linux counts them");
    let count = text.lines().find_map(|line| line.strip_prefix("rchar: ")).expect("a count");
    (count.parse().expect("a number"), text.len())
}

fn watched(dir: &Path) -> OwnedFd {
    let watch = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).expect("inotify");
    inotify::add_watch(&watch, dir, WatchFlags::ALL_EVENTS).expect("watched");
    watch
}

/// Names in the folder that something happened to since this was asked last. The folder itself has none.
fn touched(watch: &OwnedFd) -> BTreeSet<String> {
    let mut room = [MaybeUninit::uninit(); 4096];
    let mut events = inotify::Reader::new(watch, &mut room);
    let mut names = BTreeSet::new();
    loop {
        match events.next() {
            Ok(event) => {
                assert!(!event.events().contains(ReadFlags::QUEUE_OVERFLOW), "too many");
                names.extend(event.file_name().map(|name| name.to_string_lossy().into_owned()));
            }
            Err(Errno::AGAIN) => return names,
            Err(why) => panic!("{why}"),
        }
    }
}

/// A server with a certificate that nobody trusts; it says how its first connection ended, or what it was sent.
fn pose() -> (SocketAddr, JoinHandle<String>) {
    install_crypto_provider();
    let chain = vec![CertificateDer::from_pem_slice(CERT.as_bytes()).expect("a certificate")];
    let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).expect("a key");
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).expect("a pair");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let answering = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a connection");
        let mut stream = StreamOwned::new(ServerConnection::new(Arc::new(config)).expect("a server"), stream);
        match stream.read(&mut [0; 4096]) {
            Ok(bytes) => format!("it was sent {bytes} bytes"),
            Err(why) => why.to_string(),
        }
    });
    (address, answering)
}
