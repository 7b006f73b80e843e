//! A Machine with every part that it may have, from pass to pass: each step waits for the one before it.

use model::machine::DataSecret;
use model::machine::carried::carry;
use model::machine::networks::{Attachment, Attachments, Networks, Record};
use model::merge::changes;

use super::networks::networks;
use super::*;

/// On a VLAN, and with data from a Secret.
fn whole(machine: &mut Value) {
    machine["spec"] = json!({
        "template": "small", "networks": [{"name": "eth0", "networkName": "frontend"}],
        "cloudInit": {"secretRef": {"name": "keys"}},
    });
}

/// Its cluster, with nothing of it there.
fn empty() -> Observed {
    let data = carry(&machine(whole).spec, "m-1", None, |_| Ok(b"#cloud-config".to_vec()));
    let networks = Networks { record: Record::Absent, ..networks() };
    Observed { cloud_init: data, networks, namespace_known: false, ..seen() }
}

#[test]
fn b6_c20_d12_network_disks_and_data_come_before_the_vm_and_its_status_after_it() {
    let undecided = |machine: &mut Value| machine["metadata"]["annotations"] = json!({});
    let unrecorded = |machine: &mut Value| {
        whole(machine);
        machine["status"] = json!({});
    };
    let parts = ["create Claim web-root", "create Claim web-data", "create Attachment vlan100", "carry web-cloudinit"];
    let all = [&["create Namespace shop"], &parts[..], &["create Vm vm-web", "create record"]].concat();
    #[rustfmt::skip]
    let steps: Vec<(&str, Intent, Observed, Vec<&str>)> = vec![
        ("admission validates, and takes the template", intent(undecided), empty(), vec!["ask admission"]),
        ("the cluster has to answer",  intent(unrecorded), Observed { remote: Remote::Unreachable("down".to_owned()), ..empty() }, vec![]),
        ("its identity is recorded",   intent(unrecorded), empty(), vec!["record east=c-east vm-web"]),
        ("then everything is made",    intent(whole),      empty(), all),
    ];
    every_row(steps, |(name, intent, seen, want)| assert_eq!(brief(&plan(&intent, &seen)), want, "{name}"));
    let there = Observed { vm: vm("Starting"), claims: claims("Bound"), ..empty() };
    let shown = |seen: &Observed| status(&MachineStatus::default(), &intent(whole), seen, None, now(1));
    assert_eq!(shown(&there).phase.as_deref(), Some("Creating"), "the VM is not the end");
    assert_eq!(shown(&there).vmi_name, None);
    let up = shown(&Observed { vm: vm("Running"), vmi: vmi("Running", true), ..there });
    assert_eq!((up.phase.as_deref(), up.vmi_name.as_deref()), (Some("Running"), Some("vm-web")), "both are read");
}

#[test]
fn b13_c27_x17_a_deletion_goes_from_the_vm_to_the_finalizer_and_skips_no_step() {
    let owner = json!({"uid": "nc-1", "labels": {"vitistack.io/machine-uid": "m-1"}});
    let configuration = model::machine::configuration::Configuration::read(
        &serde_json::from_value(owner).expect("metadata"),
        &Value::Null,
    );
    let attachment = Attachment { uid: "nad-1".to_owned(), ours: true, in_use: false };
    let networks = Networks {
        record: Record::Own(Box::new(configuration)),
        attachments: Attachments::Listed(BTreeMap::from([("vlan100".to_owned(), attachment)])),
        ..networks()
    };
    let running = Observed { networks, ..running() };
    let stopping = Observed { vm: vm("Terminating").map(|vm| Vm { deleting: true, ..vm }), ..running.clone() };
    let without_vm = Observed { vm: None, ..running.clone() };
    let unseen = Observed { vmi: None, ..without_vm.clone() };
    let unproven = Observed { found: Lookup::Unknown("no answer".to_owned()), ..unseen.clone() };
    let gone =
        Observed { found: Lookup::Absent, data_secret: DataSecret::Ours { uid: "s-1".to_owned() }, ..unseen.clone() };
    let going = claims("Bound").into_iter().map(|(name, claim)| (name, Claim { deleting: true, ..claim })).collect();
    let emptied = Observed { claims: going, data_secret: DataSecret::Absent, ..gone.clone() };
    let nothing = Observed { claims: BTreeMap::new(), ..emptied.clone() };
    #[rustfmt::skip]
    let steps = [
        ("the VM",                        running,    vec!["delete Vm vm-web v-1"]),
        ("which is waited for",           stopping,   vec![]),
        ("and its instance",              without_vm, vec![]),
        ("and the proof",                 unproven,   vec!["refuse KubeVirtApiError"]),
        ("then disks and data",           gone,       vec!["delete Claim web-data uid-web-data", "delete Claim web-root uid-web-root", "delete Secret web-cloudinit s-1"]),
        ("which are waited for",          emptied,    vec![]),
        ("then network and record, and the finalizer last", nothing, vec!["delete Attachment vlan100 nad-1", "delete record nc-1", "release"]),
    ];
    every_row(steps, |(name, seen, want)| assert_eq!(brief(&plan(&intent(leaving), &seen)), want, "{name}"));
    let Intent::Leave(left) = intent(leaving) else { panic!("it leaves") };
    assert_eq!(left.finalizers, ["machine.vitistack.io/cleanup"], "C27");
}

#[test]
fn kvo14_a_failure_to_make_a_vm_or_a_disk_stays_until_it_ends() {
    let failed = |reason, message: &str| Failure { reason, message: message.to_owned() };
    let no_disks = || Observed { namespace_known: true, ..seen() };
    let disks = || Observed { claims: claims("Bound"), ..seen() };
    let before = status(&MachineStatus::default(), &intent(|_| ()), &seen(), None, now(1));
    #[rustfmt::skip]
    let cases = [
        ("a VM that is refused",   disks(),    failed(Reason::VmRefused, "spec.x: no"),        "Failed",   "VirtualMachineReady", "False/VMRefused"),
        ("a VM in the way",        disks(),    failed(Reason::Conflict, "it is somebody's"),   "Failed",   "VirtualMachineReady", "False/Conflict"),
        ("KubeVirt does not answer", disks(),  failed(Reason::KubeVirtApiError, "503"),        "Creating", "VirtualMachineReady", "False/KubeVirtApiError"),
        ("no room for a disk",     no_disks(), failed(Reason::QuotaExceeded, "exceeded quota"), "Creating", "VirtualMachineReady", "False/QuotaExceeded"),
        ("a disk of nothing",      no_disks(), failed(Reason::SourceInvalid, "disk \"data\": no"), "Creating", "StorageReady",     "False/SourceInvalid"),
    ];
    every_row(cases, |(name, seen, failure, phase, kind, want)| {
        let shown = |previous: &MachineStatus, at| status(previous, &intent(|_| ()), &seen, Some(&failure), now(at));
        let first = shown(&before, 2);
        assert_eq!((first.phase.as_deref(), condition(&first, kind).as_str()), (Some(phase), want), "{name}");
        let says = |status: &MachineStatus| {
            let about = status.conditions.iter().find(|it| it.type_ == kind).map(|it| it.message.clone());
            (about, status.message.clone())
        };
        assert_eq!(says(&first), (Some(failure.message.clone()), Some(failure.message.clone())), "{name}");
        assert_eq!(shown(&first, 3), first, "{name}: a later pass says the same, and writes nothing");
        // A pass that read the Machine before the failure was stored writes the failure again, and of what it read nothing.
        let stale = changes(&before, &shown(&before, 4));
        assert!(stale["conditions"].to_string().contains(&failure.message.replace('"', "\\\"")), "{name}: {stale}");
        assert_eq!((stale.get("vmName"), stale.get("kubevirtConfigRef")), (None, None), "{name}: {stale}");
        let silent = Observed { remote: Remote::Connecting, ..seen.clone() };
        assert_eq!(status(&first, &intent(|_| ()), &silent, None, now(5)), first, "{name}: nor does a restart");
    });
}
