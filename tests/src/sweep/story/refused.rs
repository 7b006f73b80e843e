//! Where reviews are harmed, a request about a Machine is admitted, or refused and nothing is done. I/O: the supervisor and the
//! clusters, as an administrator.

use kube::ResourceExt;
use model::api::Machine;
use model::names::{KUBEVIRT_CONFIG, PLACEMENT, RESOLVED};
use serde_json::{Value, json};

use super::NAME;
use super::life::Life;
use crate::faultline::{Harm, Way};

/// The answer to a request. If harm was done to a review, an API server may refuse it once, for that reason, and then nothing is
/// other than before; the same request is taken after that.
pub(super) async fn at_most_once(
    life: &Life<'_>,
    request: impl AsyncFn() -> kube::Result<Machine>,
) -> Result<Machine, String> {
    if life.harm.map(Harm::way) != Some(Way::Reviews) {
        return request().await.map_err(|why| why.to_string());
    }
    let before = everything(life).await?;
    let why = match request().await {
        Ok(machine) => return Ok(machine),
        Err(why) => why,
    };
    if !is_clear(&why) {
        return Err(format!("the refusal does not say that the webhook failed: {why}"));
    }
    let after = everything(life).await?;
    if before != after {
        return Err(format!("it was refused ({why}), and changed {before} to {after}"));
    }
    request().await.map_err(|again| format!("{again}; at first it was refused: {why}"))
}

/// What an API server says whose webhook failed: 500, and which one it was.
fn is_clear(why: &kube::Error) -> bool {
    let kube::Error::Api(status) = why else { return false };
    let named = ["machines.mutate.vitistack.io", "machines.validate.vitistack.io"];
    status.code == 500
        && named.iter().any(|name| status.message.contains(&format!("failed calling webhook \"{name}\"")))
}

/// A Machine that is stored has one cluster, one size, and the reasons for them.
pub(super) fn is_decided(machine: &Machine) -> Result<(), String> {
    let text = |name: &str| machine.annotations().get(name).map_or("", String::as_str);
    let decided = text(KUBEVIRT_CONFIG) == "east" && !text(RESOLVED).is_empty() && !text(PLACEMENT).is_empty();
    let annotations = machine.annotations();
    if decided { Ok(()) } else { Err(format!("it is stored without a decision: {annotations:?}")) }
}

/// What is declared of the Machine, and what is on the clusters, without what is only shown.
async fn everything(life: &Life<'_>) -> Result<Value, String> {
    let machine = life.machines.get_opt(NAME).await.map_err(|why| why.to_string())?;
    let declared = machine.map(|machine| json!([machine.uid(), machine.annotations(), machine.spec]));
    let mut there = life.ground.there(life.namespace).await?;
    there.retain(|key, _| !key.starts_with("VirtualMachineInstance"));
    let parts =
        |object: &Value| json!([object["metadata"]["uid"], object["metadata"]["deletionTimestamp"], object["spec"]]);
    let there: Vec<Value> = there.iter().map(|(key, object)| json!([key, parts(object)])).collect();
    Ok(json!([declared, there]))
}
