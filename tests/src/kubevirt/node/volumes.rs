//! Volumes that are plugged into a guest that runs, and pulled out: virt-handler, from the moment when virt-controller has an
//! attachment pod on the node. Pure. Facts: KubeVirt 1.8.2, pkg/virt-handler/vm.go updateHotplugVolumeStatus.

use super::super::objects::{Object, list};
use serde_json::{Value, json};

/// The volumes as they are after the next step, unless all of them are as they should be.
pub(super) fn next(vmi: &Object) -> Option<(&'static str, Vec<Value>)> {
    let mut volumes = list(vmi, "/status/volumeStatus").to_vec();
    let named = |volume: &Value| list(vmi, "/spec/volumes").iter().any(|it| it["name"] == volume["name"]);
    let mut plugged = volumes.iter_mut().enumerate().filter(|(_, volume)| !volume["hotplugVolume"].is_null());
    let step = plugged.find_map(|(at, volume)| step(at, named(volume), volume))?;
    Some((step, volumes))
}

fn step(at: usize, named: bool, volume: &mut Value) -> Option<&'static str> {
    let attached = !volume["hotplugVolume"]["attachPodUID"].as_str().unwrap_or_default().is_empty();
    let (step, phase, reason, target) = match (named, volume["phase"].as_str()?) {
        (true, "AttachedToNode") if attached => ("mount", "MountedToPod", "VolumeMountedToPod", String::new()),
        (true, "MountedToPod") => {
            ("plug", "Ready", "VolumeReady", format!("sd{}", char::from(b'a' + u8::try_from(at % 26).ok()?)))
        }
        (false, "Ready" | "MountedToPod" | "AttachedToNode") => {
            ("unplug", "UnMountedFromPod", "VolumeUnMountedFromPod", String::new())
        }
        _ => return None,
    };
    for (field, value) in [("phase", json!(phase)), ("reason", json!(reason)), ("target", json!(target))] {
        volume[field] = value;
    }
    Some(step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::every_row;

    #[test]
    fn a_volume_is_mounted_plugged_in_and_pulled_out() {
        let vmi = |named: bool, phase: &str, pod: &str| {
            let volumes = if named { json!([{"name": "root"}, {"name": "extra"}]) } else { json!([{"name": "root"}]) };
            let extra = json!({"name": "extra", "phase": phase, "target": "", "hotplugVolume": {"attachPodName": "hp-volume-1", "attachPodUID": pod}});
            let value = json!({
                "metadata": {"name": "web", "namespace": "a"}, "spec": {"volumes": volumes},
                "status": {"volumeStatus": [{"name": "root", "target": "vda"}, extra]},
            });
            serde_json::from_value::<Object>(value).unwrap()
        };
        #[rustfmt::skip]
        let cases = [
            ("waits for its claim",    vmi(true,  "Pending", ""),           None),
            ("its pod is not ready",   vmi(true,  "AttachedToNode", ""),    None),
            ("on the node",            vmi(true,  "AttachedToNode", "p1"),  Some(("mount", "MountedToPod", ""))),
            ("mounted",                vmi(true,  "MountedToPod", "p1"),    Some(("plug", "Ready", "sdb"))),
            ("plugged in",             vmi(true,  "Ready", "p1"),           None),
            ("taken out of the spec",  vmi(false, "Ready", "p1"),           Some(("unplug", "UnMountedFromPod", ""))),
            ("pulled out",             vmi(false, "UnMountedFromPod", "p1"), None),
            ("its pod goes",           vmi(false, "Detaching", "p1"),       None),
        ];
        every_row(cases, |(name, vmi, want)| {
            let got = next(&vmi).map(|(step, volumes)| (step, volumes[1].clone()));
            let got = got
                .as_ref()
                .map(|(step, extra)| (*step, extra["phase"].as_str().unwrap(), extra["target"].as_str().unwrap()));
            assert_eq!(got, want, "{name}");
        });
    }
}
