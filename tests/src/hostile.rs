//! A cluster that lies or is broken, in as many ways as it has [`Mode`]s: each is a folder of one HTTPS server, so that one
//! process is many clusters. It says whatever bytes it likes, which no HTTP library would let it. A folder such as `gzip.nodes`
//! attacks requests for nodes only, and lies otherwise; each attack is a line on its standard output.
//! I/O: a listening socket.

mod http;
mod lies;

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use http::{Request, endless, exact, read, respond, write};
use lies::Lies;

/// A text that must never be found again in anything of ours.
pub const CANARY: &str = "canary-of-a-cluster";

/// What a cluster does instead of answering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// An answer that never ends.
    EndlessBody,
    /// A watch whose first line never ends.
    EndlessLine,
    /// A list of which there is always one more page.
    EndlessPages,
    /// 60 MiB that are no JSON.
    Garbage,
    /// 7 MiB that are no JSON, which are few enough to be read.
    Noise,
    /// A compressed answer, which was not asked for.
    Gzip,
    /// It sends us to the metadata service.
    Redirect,
    /// A byte each second.
    Drip,
    /// A refusal by something that is no API server.
    Html,
    /// A refusal whose sentence nobody should read.
    Refusal,
    /// It asks for patience whatever it is asked.
    Busy,
    /// It reads well, and takes 9 s for every write, which it then refuses: an admission webhook there hangs.
    Stall,
    /// It works, and nothing that it says of its objects is fit to be shown.
    Lies,
}

impl Mode {
    /// All of them, with the folder of each, which is also a good name for its KubevirtConfig.
    pub const ALL: [(Self, &'static str); 13] = [
        (Self::EndlessBody, "endless-body"),
        (Self::EndlessLine, "endless-line"),
        (Self::EndlessPages, "endless-pages"),
        (Self::Garbage, "garbage"),
        (Self::Noise, "noise"),
        (Self::Gzip, "gzip"),
        (Self::Redirect, "redirect"),
        (Self::Drip, "drip"),
        (Self::Html, "html"),
        (Self::Refusal, "refusal"),
        (Self::Busy, "busy"),
        (Self::Stall, "stall"),
        (Self::Lies, "lies"),
    ];

    fn of(folder: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name)| *name == folder).map(|(mode, _)| *mode)
    }
}

type Stream = TlsStream<TcpStream>;

/// Answers until the process ends, with `apiserver.crt` and `apiserver.key` of a [`crate::pki::Pki`].
pub async fn serve(listener: TcpListener, pki: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let chain = CertificateDer::pem_file_iter(pki.join("apiserver.crt"))?.collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_file(pki.join("apiserver.key"))?;
    let tls = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let lies: Arc<Mutex<HashMap<String, Arc<Lies>>>> = Arc::default();
    loop {
        let (stream, _) = listener.accept().await?;
        let (acceptor, lies) = (acceptor.clone(), lies.clone());
        tokio::spawn(async move {
            let mut stream = acceptor.accept(stream).await?;
            while let Some(request) = read(&mut stream).await? {
                let mut all = lies.lock().await;
                let lies = all.entry(request.folder.clone()).or_default().clone();
                drop(all);
                answer(&mut stream, &request, &lies).await?;
            }
            // Whoever is attacked hangs up, which is no error.
            Ok::<_, io::Error>(())
        });
    }
}

/// Whether a request is one of those that are attacked: by its method, or by the last part of its path. A `get` is one of an
/// object of a Machine.
fn is_attacked(request: &Request, target: &str) -> bool {
    let last = request.path.rsplit('/').next().unwrap_or_default();
    match target {
        "post" | "patch" | "delete" => request.method.eq_ignore_ascii_case(target),
        "get" => request.method == "GET" && last.starts_with("vm-"),
        plural => request.method == "GET" && last == plural,
    }
}

const JSON: &str = "content-type: application/json\r\n";

async fn answer(stream: &mut Stream, request: &Request, lies: &Lies) -> io::Result<()> {
    let folder = match request.folder.split_once('.') {
        Some(("endless-line", _)) if !request.is_watch() => "lies",
        Some((mode, target)) if is_attacked(request, target) => mode,
        Some(_) => "lies",
        None => &request.folder,
    };
    if folder != "lies" {
        println!("{} {} {}", request.folder, request.method, request.path);
    }
    let piece = vec![b'x'; 1 << 16];
    match Mode::of(folder) {
        Some(Mode::EndlessBody) => endless(stream, JSON, br#"{"kind":"Namespace","metadata":{"name":""#, &piece).await,
        Some(Mode::Garbage) => exact(stream, "200 OK", JSON, &piece, 960).await,
        Some(Mode::Noise) => exact(stream, "200 OK", JSON, &piece, 112).await,
        Some(Mode::Gzip) => {
            endless(stream, &format!("{JSON}content-encoding: gzip\r\n"), b"\x1f\x8b\x08", &piece).await
        }
        Some(Mode::Redirect) => {
            let to = "location: http://169.254.169.254/latest/meta-data/\r\n";
            exact(stream, "302 Found", to, CANARY.as_bytes(), 1).await
        }
        Some(Mode::Drip) => {
            write(stream, format!("HTTP/1.1 200 OK\r\n{JSON}connection: close\r\n\r\n").as_bytes()).await?;
            loop {
                write(stream, b" ").await?;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
        Some(Mode::Html) => {
            let page = format!("<html>{CANARY}\u{1b}[2J</html>");
            exact(stream, "403 Forbidden", "content-type: text/html\r\n", page.as_bytes(), 1).await
        }
        Some(Mode::Refusal) => respond(stream, "403 Forbidden", &refused(403)).await,
        Some(Mode::Busy) => {
            let status =
                json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": CANARY, "code": 429});
            let head = format!("{JSON}retry-after: 1\r\n");
            exact(stream, "429 Too Many Requests", &head, status.to_string().as_bytes(), 1).await
        }
        Some(Mode::EndlessLine) if request.is_watch() => {
            endless(stream, JSON, br#"{"type":"ADDED","object":{"kind":""#, &piece).await
        }
        Some(Mode::EndlessPages) if request.path.ends_with("/virtualmachines") && !request.is_watch() => {
            respond(stream, "200 OK", &page()).await
        }
        Some(Mode::Stall) if request.method != "GET" => {
            tokio::time::sleep(Duration::from_secs(9)).await;
            let failure =
                json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "too slow", "code": 500});
            respond(stream, "500 Internal Server Error", &failure).await
        }
        Some(Mode::EndlessLine | Mode::EndlessPages | Mode::Stall) => usual(stream, request, &[]).await,
        Some(Mode::Lies) => lies.answer(stream, request).await,
        None => respond(stream, "404 Not Found", &refused(404)).await,
    }
}

/// What a cluster without our objects says: who it is, and that lists are empty. A watch is silent.
async fn usual(stream: &mut Stream, request: &Request, items: &[Value]) -> io::Result<()> {
    let name = request.path.rsplit('/').next().unwrap_or_default();
    let body = match (request.method.as_str(), name) {
        ("GET", "kube-system") => {
            let mut uid = format!("{}-0000-0000-0000-000000000000", request.folder.replace('.', "-"));
            uid.truncate(64);
            json!({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "kube-system", "uid": uid}})
        }
        ("GET", "apis") => json!({"kind": "APIGroupList", "groups": []}),
        ("GET", _) if request.is_watch() => {
            write(stream, b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n").await?;
            return std::future::pending().await;
        }
        ("GET", _) if request.query.contains("limit=") => json!({"metadata": {"resourceVersion": "1"}, "items": items}),
        _ => return respond(stream, "404 Not Found", &refused(404)).await,
    };
    respond(stream, "200 OK", &body).await
}

fn page() -> Value {
    let one = |at| json!({"metadata": {"name": format!("vm-{at}"), "namespace": "default", "uid": format!("u-{at}")}});
    json!({"metadata": {"resourceVersion": "1", "continue": "more"}, "items": (0..250).map(one).collect::<Vec<_>>()})
}

fn refused(code: u16) -> Value {
    let message = format!("{CANARY}\u{1b}[2J\u{202e}\nlevel=error");
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden", "message": message, "code": code})
}
