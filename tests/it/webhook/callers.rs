//! Only API servers may call: what `docs/certificates.md` tells to write, and a real API server that reads it.

use std::fs;
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tests::fleet::{Blueprint, Component, Endpoint, Fleet};
use tests::pki::{authority, client_certificate};
use tests::probe;
use tests::process::{Processes, Stop};
use tests::repository::read;
use tests::wait::eventually;

use super::rotation::ask;
use super::trust::{bundle, connect_as};
use crate::machines::{Ground, machine};

/// Where the document puts the files of an API server.
const THERE: &str = "/etc/kubernetes/admission/";
const SERVICE: &str = "kubevirt-operator-webhook.kubevirt-operator-system.svc";
const NAME: &str = "kube-apiserver-admission";

/// Certificates: `client` and `other` by one authority, of which only the first has the name; `next` by another one.
struct Papers(PathBuf);

impl Papers {
    fn new(dir: &Path) -> Self {
        let dir = dir.join("callers");
        fs::create_dir_all(&dir).expect("a folder");
        for (issuer, issued) in
            [("ca", [("client", NAME), ("other", "node-7")].as_slice()), ("next-ca", &[("next", NAME)])]
        {
            let issuer = authority(&dir, issuer).expect("an authority");
            for (file, user) in issued {
                client_certificate(&dir, file, user, &issuer).expect("a certificate");
            }
        }
        let papers = Self(dir);
        papers.trust(&["ca"]);
        papers
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The file that the webhook reads, replaced as kubelet does it.
    fn trust(&self, authorities: &[&str]) {
        let text: String =
            authorities.iter().map(|it| fs::read_to_string(self.file(&format!("{it}.crt"))).expect("PEM")).collect();
        fs::write(self.file("trusted.part"), text).expect("written");
        fs::rename(self.file("trusted.part"), self.file("trusted.crt")).expect("in place");
    }

    /// Status line or error of one direct call by whoever has that certificate.
    async fn call(&self, ground: &Ground<'_>, who: Option<&str>) -> Result<String, String> {
        let identity = who.map(|who| {
            let certificate = CertificateDer::from_pem_file(self.file(&format!("{who}.crt"))).expect("PEM");
            (certificate, PrivateKeyDer::from_pem_file(self.file(&format!("{who}.key"))).expect("PEM"))
        });
        let address = ground.fleet.address(Endpoint::Webhook).expect("an address");
        ask(&mut connect_as(identity, address, &bundle(&ground.supervisor).await).await?).await
    }

    async fn until(&self, ground: &Ground<'_>, who: &str, wanted: Result<&str, &str>) {
        let wanted = wanted.map(str::to_owned).map_err(str::to_owned);
        eventually(&format!("{who}: {wanted:?}"), async || {
            let got = self.call(ground, Some(who)).await;
            if got == wanted { Ok(()) } else { Err(format!("{got:?}")) }
        })
        .await;
    }

    /// Gives the supervisor's API server one of the certificates, by the two files of the document, and starts it again.
    async fn give(&self, fleet: &Fleet, who: &str) {
        let plane = fleet.supervisor();
        for end in ["crt", "key"] {
            fs::copy(self.file(&format!("{who}.{end}")), plane.dir().join(format!("client.{end}"))).expect("copied");
        }
        let webhook = fleet.address(Endpoint::Webhook).expect("an address").to_string();
        let here = format!("{}/", plane.dir().display());
        for file in ["admission.yaml", "kubeconfig.yaml"] {
            let text = written(file).replace(THERE, &here).replace(SERVICE, &webhook);
            fs::write(plane.dir().join(file), text).expect("written");
        }
        assert_eq!(plane.admission(), plane.dir().join("admission.yaml"));
        fleet.stop(&Component::Supervisor, Stop::Gracefully).await.unwrap_or_else(|error| panic!("{error}"));
        fleet.start(&Component::Supervisor).await.unwrap_or_else(|error| panic!("{error}"));
    }
}

const DOCUMENT: &str = "docs/certificates.md";

/// A file of the document, as it stands there.
fn written(file: &str) -> String {
    let (text, begins) = (read(DOCUMENT), format!("# {THERE}{file}\n"));
    let blocks = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split_once("```"));
    let found = blocks.map(|(block, _)| block).find(|block| block.starts_with(&begins));
    found.unwrap_or_else(|| panic!("{DOCUMENT} has no {file}")).to_owned()
}

/// The values of the chart that the document sets.
fn set() -> Vec<String> {
    let text = read(DOCUMENT);
    let line = text.lines().find(|line| line.contains("--set webhook.clientCa")).expect("the command");
    line.split("--set ").skip(1).map(|value| value.trim().trim_matches('"').to_owned()).collect()
}

/// The last line of the webhook's log that says so.
fn logged(fleet: &Fleet, message: &str, wanted: impl Fn(&Value) -> bool) -> Option<Value> {
    let log = fs::read_to_string(fleet.processes().log("webhook")).expect("a log");
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["message"] == message && wanted(line)).last()
}

async fn metric(fleet: &Fleet, begins: &str) -> Option<f64> {
    let address = fleet.address(Endpoint::WebhookMetrics).expect("an address");
    let text = probe::get(address, "/metrics").await.expect("metrics");
    text.lines().find_map(|line| line.strip_prefix(begins)?.trim().parse().ok())
}

async fn refused(fleet: &Fleet, why: &str) -> f64 {
    let begins = format!("kubevirt_operator_admission_connections_ended_total{{why=\"{why}\"}}");
    metric(fleet, &begins).await.unwrap_or_default()
}

const ANSWERED: Result<&str, &str> = Ok("http/1.1 400 bad request");
const UNKNOWN: Result<&str, &str> = Err("received fatal alert: UnknownCA");

/// Who calls without being an API server is told why by TLS, and so are log and metrics.
async fn strangers(ground: &Ground<'_>, papers: &Papers) {
    #[rustfmt::skip]
    let cases = [
        (None,          "received fatal alert: CertificateRequired", "no-client-certificate", "it has no client certificate; "),
        (Some("other"), "received fatal alert: CertificateUnknown",  "other-client-name",     r#"its client certificate is of ["node-7"], "#),
        (Some("next"),  "received fatal alert: UnknownCA",           "untrusted-client-certificate", "by the authorities in WEBHOOK_CLIENT_CA_FILE, "),
    ];
    for (who, alert, why, begins) in cases {
        let before = refused(ground.fleet, why).await;
        assert_eq!(papers.call(ground, who).await, Err(alert.to_owned()), "{who:?}");
        let line = eventually(why, async || {
            let line = logged(ground.fleet, "a caller of the webhook was refused", |line| line["why"] == why);
            line.ok_or("no line")
        })
        .await;
        assert_eq!(line["level"], "warn", "{line}");
        assert!(line["reason"].as_str().is_some_and(|reason| reason.starts_with(begins)), "{line}");
        assert!(line["peer"].as_str().is_some_and(|peer| peer.starts_with("127.0.0.1:")), "{line}");
        eventually("that it is counted", async || {
            let now = refused(ground.fleet, why).await;
            if now > before { Ok(()) } else { Err(format!("{why}: {now}")) }
        })
        .await;
    }
    assert_eq!(papers.call(ground, Some("client")).await.as_deref(), Ok("http/1.1 400 bad request"));
}

/// The next authority comes beside the first, then alone, and what is no authority changes nothing.
async fn rotate(ground: &Ground<'_>, papers: &Papers) {
    papers.trust(&["ca", "next-ca"]);
    papers.until(ground, "next", ANSWERED).await;
    papers.until(ground, "client", ANSWERED).await;
    papers.trust(&["next-ca"]);
    papers.until(ground, "client", UNKNOWN).await;
    papers.until(ground, "next", ANSWERED).await;
    papers.trust(&[]);
    let line = eventually("that the file is empty", async || {
        let says = "cannot use the authorities of client certificates: those of before count until the file is whole";
        logged(ground.fleet, says, |_| true).ok_or("no line")
    })
    .await;
    let reason = "0 of the 0 certificates in it are of authorities and whole: it needs one, and no others";
    assert_eq!(line["reason"], reason);
    let failed = "kubevirt_operator_certificate_failure_timestamp_seconds{at=\"client-authorities\"}";
    assert!(metric(ground.fleet, failed).await.is_some_and(|at| at > 1e9));
    papers.until(ground, "next", ANSWERED).await;
}

#[tokio::test]
async fn t15_only_an_api_server_with_the_right_certificate_is_answered() {
    let processes = Processes::kept().expect("a folder");
    let papers = Papers::new(processes.dir());
    assert_eq!(
        set(),
        ["webhook.clientCa.secretName=webhook-client-ca".to_owned(), format!("webhook.clientCa.names={{{NAME}}}")]
    );
    for (file, named) in [("admission.yaml", THERE), ("kubeconfig.yaml", THERE), ("kubeconfig.yaml", SERVICE)] {
        assert!(written(file).contains(&format!(" {named}")), "{DOCUMENT}: {file}: {named}");
    }
    let trusted = papers.file("trusted.crt").display().to_string();
    let env = vec![("WEBHOOK_CLIENT_CA_FILE".to_owned(), trusted)];
    let blueprint = Blueprint { env, set: set(), ..Blueprint::of(&["east"]) };
    let fleet = Fleet::up(processes, blueprint).await.unwrap_or_else(|error| panic!("{error}"));
    let ground = Ground::new(&fleet, "shop").await;
    let web = machine("web", None, &json!({"template": "small"}));
    // Now and then Go's client ends its connection before it has written the request, and tells of that instead.
    eventually("that its users are told why", async || {
        let says = ground.apply(&web).await.expect_err("the API server has no certificate yet");
        assert!(says.contains("failed calling webhook \"machines.mutate.vitistack.io\""), "{says}");
        if says.contains("remote error: tls: certificate required") { Ok(()) } else { Err(says) }
    })
    .await;

    papers.give(&fleet, "client").await;
    let pid = fleet.processes().running("webhook");
    ground.applied(&web).await;
    ground.running("web").await;
    strangers(&ground, &papers).await;
    rotate(&ground, &papers).await;
    papers.give(&fleet, "next").await;
    ground.applied(&machine("web-2", None, &json!({"template": "small"}))).await;
    assert_eq!(fleet.processes().running("webhook"), pid, "nothing of this restarts the webhook");
}
