//! What a cluster has, asked once, for `render --kubeconfig`. I/O: reads the kubeconfig, and asks the cluster; writes nothing.

use std::error::Error;
use std::path::Path;

use k8s_openapi::api::core::v1::Node;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::{Api, Client};
use model::platform::catalogue::Catalogue;
use model::platform::fit::Crd;
use model::platform::given::{Given, wanted};
use model::platform::root::{HYPERCONVERGED, KUBEVIRT};
use runtime::clusters::{code, explain, said};
use serde_json::Value;

use super::facts::{Facts, News, Subject};

/// Most objects of one answer.
const PAGE: u32 = 250;

/// Everything that a baseline depends on, of the cluster that the current context of a kubeconfig leads to. What cannot be asked is an
/// error that says why: it is never taken for absent.
pub(super) async fn ask(kubeconfig: &Path, catalogue: &Catalogue) -> Result<Given, String> {
    let client = runtime::client::supervisor(Some(kubeconfig)).await.map_err(|why| caused(&why))?;
    let crds = crds(&client, catalogue).await?;
    let mut facts = Facts::default();
    for crd in &crds {
        let name = crd["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let read = Crd::of(crd).ok_or_else(|| format!("the CRD {name} cannot be read"))?;
        facts.take(Subject::Crd(name), News::Crd(Ok(Some(read.into()))));
    }
    let roots = async |crd: &str| match facts.resource(catalogue, crd) {
        Some(kind) => all(&client, &kind, crd).await,
        None => Ok(Vec::new()),
    };
    Ok(Given {
        hyperconvergeds: roots(HYPERCONVERGED).await?,
        kubevirts: roots(KUBEVIRT).await?,
        nodes: Some(all(&client, &ApiResource::erase::<Node>(&()), "nodes").await?),
        crds: Some(crds),
        asked: None,
    })
}

fn unanswered(why: &kube::Error, asked: &str) -> String {
    match code(why) {
        Some(_) => explain(why, asked),
        None => format!("cannot {asked}: {}", said(why)),
    }
}

fn caused(why: &dyn Error) -> String {
    why.source().map_or_else(|| why.to_string(), |cause| format!("{why}: {cause}"))
}

/// The CRDs that matter and are there.
async fn crds(client: &Client, catalogue: &Catalogue) -> Result<Vec<Value>, String> {
    let api = Api::<DynamicObject>::all_with(client.clone(), &ApiResource::erase::<CustomResourceDefinition>(&()));
    let mut found = Vec::new();
    for name in wanted(catalogue) {
        let crd = api.get_opt(&name).await.map_err(|why| unanswered(&why, "get CustomResourceDefinitions"))?;
        found.extend(crd.map(value));
    }
    Ok(found)
}

async fn all(client: &Client, kind: &ApiResource, name: &str) -> Result<Vec<Value>, String> {
    let api = Api::<DynamicObject>::all_with(client.clone(), kind);
    let mut page = ListParams::default().limit(PAGE);
    let mut found = Vec::new();
    loop {
        let list = api.list(&page).await.map_err(|why| unanswered(&why, &format!("list {name}")))?;
        found.extend(list.items.into_iter().map(value));
        match list.metadata.continue_.filter(|it| !it.is_empty()) {
            Some(next) => page.continue_token = Some(next),
            None => return Ok(found),
        }
    }
}

fn value(mut object: DynamicObject) -> Value {
    object.metadata.managed_fields = None;
    serde_json::to_value(object).unwrap_or_default()
}
