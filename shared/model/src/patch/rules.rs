//! What patchable fields must have with the rest of the VM, as KubeVirt judges it. Run over the patched VM as a whole, for
//! a field may become wrong because another one was patched.

use serde_json::Value;

use super::pointer::Pointer;
use super::values::on;
use crate::quantity;

/// Reports what KubeVirt would refuse, or start in vain; a sentence follows the path.
pub(super) fn check(vm: &Value, wrong: &mut Vec<(Pointer, String)>) {
    let spec = &vm["spec"]["template"]["spec"];
    let mut say = |path: &str, says: &str| {
        let segments = "spec/template/spec/".split('/').filter(|it| !it.is_empty()).chain(path.split('/'));
        wrong.push((Pointer(segments.map(str::to_owned).collect()), says.to_owned()));
    };
    cpu(spec, &mut say);
    memory(spec, &mut say);
    guest(spec, &mut say);
    for (index, disk) in spec["domain"]["devices"]["disks"].as_array().into_iter().flatten().enumerate() {
        bus(disk, &format!("domain/devices/disks/{index}"), &mut say);
    }
    interfaces(&spec["domain"]["devices"]["interfaces"], &mut say);
}

fn cpu(spec: &Value, say: &mut impl FnMut(&str, &str)) {
    let (domain, cpu) = (&spec["domain"], &spec["domain"]["cpu"]);
    let dedicated = cpu["dedicatedCpuPlacement"] == true;
    let most = if spec["architecture"] == "arm64" { 1 } else { 2 };
    if dedicated && cpu["threads"].as_u64().is_some_and(|threads| threads > most) {
        say("domain/cpu/dedicatedCpuPlacement", &format!("needs spec.resources.cpu.threads of at most {most}"));
    }
    if cpu["isolateEmulatorThread"] == true && !dedicated {
        say("domain/cpu/isolateEmulatorThread", "needs dedicatedCpuPlacement: true");
    }
    let count = domain["ioThreads"]["supplementalPoolThreadCount"].as_u64();
    if domain["ioThreadsPolicy"] == "supplementalPool" && count.is_none() {
        say("domain/ioThreadsPolicy", "needs ioThreads with a supplementalPoolThreadCount of 1 or more");
    }
}

fn memory(spec: &Value, say: &mut impl FnMut(&str, &str)) {
    let memory = &spec["domain"]["memory"];
    let bytes = |value: &Value| value.as_str().and_then(|text| quantity::parse(text).ok());
    let request = bytes(&spec["domain"]["resources"]["requests"]["memory"]);
    let (Some(page), Some(guest)) = (bytes(&memory["hugepages"]["pageSize"]), request.or(bytes(&memory["guest"])))
    else {
        return;
    };
    if page == 0 || guest < page || !guest.is_multiple_of(page) {
        say(
            "domain/memory/hugepages",
            "needs memory of whole pages: set spec.resources.memory.size to a multiple of pageSize, or pageSize to 2Mi",
        );
    }
}

fn guest(spec: &Value, say: &mut impl FnMut(&str, &str)) {
    let efi = spec["domain"]["firmware"]["bootloader"].get("efi");
    let secure = efi.is_some_and(|efi| efi.get("secureBoot") != Some(&Value::Bool(false)));
    if secure && !spec["domain"]["features"].get("smm").is_some_and(on) {
        say("domain/features/smm", "must stay on: secure boot needs it");
    }
    if spec["dnsPolicy"] == "None" && spec["dnsConfig"]["nameservers"].as_array().is_none_or(Vec::is_empty) {
        say("dnsPolicy", "is \"None\", which needs dnsConfig with a name server");
    }
    if spec.get("startStrategy").is_some() && spec.get("livenessProbe").is_some() {
        say("startStrategy", "cannot be set together with a liveness probe");
    }
}

fn bus(disk: &Value, path: &str, say: &mut impl FnMut(&str, &str)) {
    let target = ["disk", "lun", "cdrom"].into_iter().find_map(|kind| disk.get(kind));
    let bus = target.and_then(|target| target["bus"].as_str()).unwrap_or_default();
    if disk["dedicatedIOThread"] == true && bus != "virtio" {
        say(&format!("{path}/dedicatedIOThread"), "needs disk/bus virtio");
    }
    if disk["disk"]["pciAddress"].as_str().is_some_and(|it| !it.is_empty()) && bus != "virtio" {
        say(&format!("{path}/disk/bus"), "must stay virtio, as the disk has a PCI address");
    }
    if bus == "sata" && disk["disk"]["readonly"] == true {
        say(&format!("{path}/disk/bus"), "cannot be sata, as the disk is read-only");
    }
    if bus == "sata" && disk["blockSize"]["custom"]["logical"].as_u64().is_some_and(|size| size != 512) {
        say(&format!("{path}/blockSize"), "must have custom.logical 512, as the disk's bus is sata");
    }
    // KubeVirt stores this one, and libvirt then refuses to start it.
    if disk["io"] == "native" && disk["cache"].as_str().is_some_and(|cache| cache != "none") {
        say(&format!("{path}/io"), "is native, which needs cache none");
    }
}

/// Two interfaces of one ACPI index are one device to the guest.
fn interfaces(list: &Value, say: &mut impl FnMut(&str, &str)) {
    let all = list.as_array().map(Vec::as_slice).unwrap_or_default();
    for (index, interface) in all.iter().enumerate() {
        let number = interface.get("acpiIndex").filter(|number| **number != 0);
        if number.is_some() && all[..index].iter().any(|other| other.get("acpiIndex") == number) {
            say(&format!("domain/devices/interfaces/{index}/acpiIndex"), "is another interface's already");
        }
    }
}
