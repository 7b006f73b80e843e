//! Leads the reviews of Machines through a proxy. The webhook keeps its own configurations true, so these stay and match nothing;
//! copies of them name the proxy. I/O: the supervisor, as an administrator.

use std::net::SocketAddr;

use k8s_openapi::ByteString;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client};
use model::api::Machine;
use serde_json::{Value, json};

use crate::error::{Error, Result, kube};
use crate::faultline::{Faultline, Way};
use crate::fleet::{Endpoint, Fleet};
use crate::plane::Plane;
use crate::trust::bundle;
use crate::wait::eventually;

/// Name of the webhook's own configurations.
const OWN: &str = "kubevirt-operator";
const COPY: &str = "faultline";

/// From now on every review goes through the proxy; it does when this returns.
pub(super) async fn lead_through(fleet: &Fleet, faultline: &mut Faultline) -> Result<()> {
    let (plane, webhook) = (fleet.supervisor(), fleet.address(Endpoint::Webhook)?);
    let client = plane.client().await?;
    let authority = bundle(&client, OWN).await.map_err(|what| Error::Absent { what })?;
    let proxy = faultline.before_webhook(webhook, &authority, plane).await?;
    for kind in ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"] {
        copy(plane, &client, kind, (webhook, proxy)).await?;
    }
    plane.ensure_namespace(COPY).await?;
    faultline.expect(COPY, None);
    let machines: Api<Machine> = Api::namespaced(client, COPY);
    let only_tried = PostParams { dry_run: true, ..PostParams::default() };
    let machine = json!({
        "apiVersion": "vitistack.io/v1alpha1", "kind": "Machine", "spec": {"template": "small"},
        "metadata": {"name": "tried", "annotations": {"vitistack.io/kubevirt-config": "east"}},
    });
    let machine: Machine = serde_json::from_value(machine)
        .map_err(|error| Error::Absent { what: format!("Machine to try the proxy with: {error}") })?;
    // An API server hears of a configuration when its watch does.
    eventually("reviews come through the proxy", async || {
        machines.create(&only_tried, &machine).await.map_err(|error| error.to_string())?;
        let seen = faultline.seen(COPY, Way::Reviews).iter().map(|it| it.path.clone()).collect::<Vec<_>>();
        let both = ["/mutate/machines", "/validate/machines"];
        if both.iter().all(|path| seen.iter().any(|it| it == path)) { Ok(()) } else { Err(seen.join(", ")) }
    })
    .await;
    Ok(())
}

/// Puts one that names the proxy in the place of the webhook's own.
async fn copy(plane: &Plane, client: &Client, kind: &str, (own, proxy): (SocketAddr, SocketAddr)) -> Result<()> {
    let failed = kube(format!("cannot copy the {kind}"));
    let gvk = GroupVersionKind::gvk("admissionregistration.k8s.io", "v1", kind);
    let all: Api<DynamicObject> = Api::all_with(client.clone(), &ApiResource::from_gvk(&gvk));
    let authority = json!(ByteString(plane.pki().read("ca.crt")?.into_bytes()));
    let copied = async {
        let mut object = all.get(OWN).await?;
        let mut webhooks = object.data["webhooks"].take();
        let mut nothing = webhooks.clone();
        for webhook in webhooks.as_array_mut().into_iter().flatten() {
            let config = &mut webhook["clientConfig"];
            let url = config["url"].as_str().unwrap_or_default().replace(&own.to_string(), &proxy.to_string());
            *config = json!({"url": url, "caBundle": authority});
        }
        for webhook in nothing.as_array_mut().into_iter().flatten() {
            webhook["namespaceSelector"] = json!({"matchLabels": {"kubernetes.io/metadata.name": "of-nobody"}});
        }
        let made = DynamicObject::new(COPY, &ApiResource::from_gvk(&gvk)).data(json!({"webhooks": webhooks}));
        all.create(&PostParams::default(), &made).await?;
        let change: Value = json!({"webhooks": nothing});
        all.patch(OWN, &PatchParams::default(), &Patch::Merge(change)).await
    };
    copied.await.map(drop).map_err(failed)
}
