//! Each request that a connection to a cluster makes, answered with what is none: all the others go on, and nothing of it is
//! shown.

use std::collections::BTreeMap;

use futures::future::join_all;
use kube::Api;
use kube::api::{Patch, PatchParams};
use model::api::{KubevirtConfig, Machine};
use serde_json::json;
use tests::fleet::{CONFIGS_NAMESPACE, Fleet};
use tests::wait::eventually;

use super::{Cost, the_log_is_short_and_tells_no_body};
use super::{GROWTH, OURS, attacks, comes_and_goes, cost, forget_peak, introduce, is_fit_to_be_shown, start};
use crate::configs::says;
use crate::fleet::fresh;
use crate::machines::{Ground, machine};

const LARGE: &str = "the answer is larger than 8 MiB";
const LINE: &str = "a line of the watch is larger than 4 MiB";
const NOISE: &str = "the answer is not the Kubernetes object that was asked for";
const GZIP: &str = "the answer is compressed, which was not asked for";
const REDIRECT: &str = "the answer is a redirect (302), which is not followed";
const HTML: &str = "the credentials lack a right there: list and watch ";
/// Of what is not needed to make a Machine true, nothing can end the connection.
const WELL: &str = "the cluster answers";

/// What is listed and watched there, and what is asked for once: how it is attacked, and what is said of that.
const READS: [(&str, &str); 26] = [
    ("endless-body.virtualmachines", LARGE),
    ("html.virtualmachines", HTML),
    ("endless-line.virtualmachines", LINE),
    ("gzip.virtualmachineinstances", GZIP),
    ("redirect.virtualmachineinstances", REDIRECT),
    ("endless-line.virtualmachineinstances", LINE),
    ("noise.persistentvolumeclaims", NOISE),
    ("html.persistentvolumeclaims", HTML),
    ("endless-line.persistentvolumeclaims", LINE),
    ("garbage.storageclasses", LARGE),
    ("redirect.storageclasses", REDIRECT),
    ("endless-line.storageclasses", LINE),
    ("gzip.network-attachment-definitions", GZIP),
    ("html.network-attachment-definitions", WELL),
    ("endless-line.network-attachment-definitions", LINE),
    ("redirect.datavolumes", WELL),
    ("endless-line.datavolumes", WELL),
    ("endless-body.kubevirts", WELL),
    ("html.kubevirts", WELL),
    ("garbage.nodes", WELL),
    ("endless-line.nodes", WELL),
    ("noise.pods", WELL),
    ("redirect.pods", WELL),
    ("gzip.apis", WELL),
    ("endless-body.apis", WELL),
    ("html.apis", WELL),
];

/// What is asked for one Machine, and what the Machine says of that.
const WRITES: [(&str, &str); 8] = [
    ("endless-body.post", LARGE),
    ("redirect.post", REDIRECT),
    ("gzip.patch", GZIP),
    ("noise.patch", NOISE),
    ("garbage.delete", LARGE),
    ("html.delete", "HTTP 403, and the answer is no Kubernetes status"),
    ("gzip.get", GZIP),
    ("redirect.get", REDIRECT),
];

#[tokio::test]
async fn t21_every_request_of_a_connection_may_be_answered_with_anything() {
    let fleet = fresh(&["east"]).await;
    let ground = Ground::new(&fleet, "default").await;
    let configs: Api<KubevirtConfig> = Api::namespaced(ground.supervisor.clone(), CONFIGS_NAMESPACE);
    says(&configs, "east", WELL).await;
    comes_and_goes(&ground, "before").await;
    let before: BTreeMap<&str, Cost> = OURS.map(|name| (name, cost(&fleet, name))).into();
    let folders: Vec<&str> = READS.iter().chain(&WRITES).map(|(folder, _)| *folder).collect();
    start(&fleet, &ground, &folders).await;
    for name in OURS {
        forget_peak(&fleet, name);
    }
    // A few at a time: each of them is read from at the same time.
    for some in READS.chunks(2) {
        join_all(some.iter().map(async |(folder, sentence)| reads(&fleet, &configs, folder, sentence).await)).await;
    }
    for some in WRITES.chunks(2) {
        join_all(some.iter().map(async |(folder, sentence)| writes(&ground, &configs, folder, sentence).await)).await;
    }
    comes_and_goes(&ground, "after").await;
    the_log_is_short_and_tells_no_body(&fleet);
    for (name, before) in &before {
        let grown = cost(&fleet, name).peak.saturating_sub(before.now);
        println!("{name} grew by {} MiB at most", grown >> 20);
        assert!(grown <= 2 * GROWTH, "{name}: by {grown} bytes, and two were read from at a time");
    }
}

async fn is_attacked(fleet: &Fleet, folder: &str) {
    eventually(&format!("{folder} is met"), async || {
        let line = format!("{folder} ");
        attacks(fleet).lines().find(|it| it.starts_with(&line)).map(drop).ok_or("no such request")
    })
    .await;
}

async fn reads(fleet: &Fleet, configs: &Api<KubevirtConfig>, folder: &str, sentence: &str) {
    introduce(configs, folder).await;
    is_attacked(fleet, folder).await;
    let status = says(configs, folder, sentence).await;
    is_fit_to_be_shown(folder, &serde_json::to_value(status).expect("plain data"));
    configs.delete(folder, &Default::default()).await.unwrap_or_else(|error| panic!("{folder}: {error}"));
}

async fn writes(ground: &Ground<'_>, configs: &Api<KubevirtConfig>, folder: &str, sentence: &str) {
    let (attack, request) = folder.split_once('.').expect("a folder of an attack and a request");
    let name = format!("{attack}-{request}");
    introduce(configs, folder).await;
    says(configs, folder, WELL).await;
    ground.applied(&machine(&name, Some(folder), &json!({"template": "small"}))).await;
    if request != "post" {
        ground.running(&name).await;
    }
    if matches!(request, "patch" | "get") {
        let larger = json!({"template": "small", "resources": {"cpu": {"cores": 2}}});
        ground.applied(&machine(&name, Some(folder), &larger)).await;
    }
    if request == "delete" {
        ground.delete(&name).await;
    }
    is_attacked(ground.fleet, folder).await;
    let says = |machine: &Machine| {
        let status = machine.status.as_ref();
        let conditions = status.into_iter().flat_map(|status| status.conditions.iter().map(|it| &it.message));
        let mut all = status.and_then(|status| status.message.as_ref()).into_iter().chain(conditions);
        all.any(|message| message.contains(sentence))
    };
    let shown = ground.until(&name, sentence, says).await;
    is_fit_to_be_shown(folder, &serde_json::to_value(shown.status).expect("plain data"));
    // It would be tried for ever.
    ground.delete(&name).await;
    let nulled = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    ground.machines().patch(&name, &PatchParams::default(), &nulled).await.expect("patched");
    ground.gone(&name).await;
}
