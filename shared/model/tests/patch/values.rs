//! What an allowed field may hold: nothing that KubeVirt would refuse, or store and never start. X46.

use model::reason::Reason::PatchInvalid;
use serde_json::{Value, json};

use crate::table::every_row;
use crate::{FIELD, add, below, only, patched};

/// Each with the path that the message names below the template, and what it says there.
#[test]
fn x46_t7_a_value_that_kubevirt_refuses_is_refused() {
    #[rustfmt::skip]
    let cases: Vec<(&str, Value, &str, &str)> = vec![
        ("hostname",                      json!("a.b"),                                "",              "is \"a.b\": must be lower-case letters"),
        ("hostname",                      json!(""),                                   "",              "is \"\": must be lower-case letters"),
        ("hostname",                      json!(null),                                 "",              "is null (take it away with remove): must be text"),
        ("hostname",                      json!(["web"]),                              "",              "is a list: must be text"),
        ("subdomain",                     json!("a.b"),                                "",              "is \"a.b\": must be lower-case"),
        ("evictionStrategy",              json!("livemigrate"),                        "",              "is \"livemigrate\": must be one of None, LiveMigrate"),
        ("terminationGracePeriodSeconds", json!(-1),                                   "",              "is -1: must be a whole number from 0"),
        ("terminationGracePeriodSeconds", json!(1.5),                                  "",              "is 1.5: must be a whole number"),
        ("terminationGracePeriodSeconds", json!("30"),                                 "",              "is text: must be a whole number"),
        ("startStrategy",                 json!("Running"),                            "",              "is \"Running\": must be one of Paused"),
        ("dnsPolicy",                     json!("None"),                               "",              "is \"None\", which needs dnsConfig with a name server"),
        ("dnsPolicy",                     json!("none"),                               "",              "is \"none\": must be one of ClusterFirst"),
        ("dnsConfig",                     json!({"nameservers": ["1.1.1.1", "1.1.1.2", "1.1.1.3", "1.1.1.4"]}), "/nameservers", "has 4 entries, may have 3"),
        ("dnsConfig",                     json!({"nameservers": ["dns.example.com"]}), "/nameservers/0", "is \"dns.example.com\": must be an IP address"),
        ("dnsConfig",                     json!({"searches": ["a", "b", "c", "d", "e", "f", "g"]}), "/searches", "has 7 entries, may have 6"),
        ("dnsConfig",                     json!({"searches": ["A.b"]}),                "/searches/0",   "is \"A.b\": must be lower-case"),
        ("dnsConfig",                     json!({"searches": ["a".repeat(150), "b".repeat(150)]}), "",  "has search domains of 301 characters in all, may have 256"),
        ("dnsConfig",                     json!({"options": [{"value": "2"}]}),        "/options/0",    "must have name"),
        ("dnsConfig",                     json!({"nameserver": "1.1.1.1"}),            "/nameserver",   "is no field that KubeVirt knows (did you mean \"nameservers\"?)"),
        ("domain/cpu/model",              json!("host passthrough"),                   "",              "is \"host passthrough\": must be letters"),
        ("domain/cpu/features",           json!([{"name": "vmx", "policy": "on"}]),    "/0/policy",     "is \"on\": must be one of force, require"),
        ("domain/cpu/features",           json!([{"name": "vmx"}, {"name": "vmx"}]),   "",              "has the name \"vmx\" twice"),
        ("domain/cpu/features",           json!({"name": "vmx"}),                      "",              "is an object: must be a list"),
        ("domain/cpu/isolateEmulatorThread", json!(true),                              "",              "needs dedicatedCpuPlacement: true"),
        ("domain/cpu/dedicatedCpuPlacement", json!("true"),                            "",              "is text: must be true or false"),
        ("domain/ioThreadsPolicy",        json!("dedicated"),                          "",              "is \"dedicated\": must be one of shared, auto, supplementalPool"),
        ("domain/ioThreadsPolicy",        json!("supplementalPool"),                   "",              "needs ioThreads with a supplementalPoolThreadCount"),
        ("domain/ioThreads",              json!({"supplementalPoolThreadCount": 0}),   "/supplementalPoolThreadCount", "is 0: must be a whole number from 1 to 256"),
        ("domain/memory/hugepages",       json!({"pageSize": "2GB"}),                  "/pageSize",     "is \"2GB\": must be one of 64Ki"),
        ("domain/memory/hugepages",       json!({}),                                   "",              "must have pageSize"),
        ("domain/clock",                  json!({"utc": {}, "timezone": "UTC"}),       "",              "must have utc or timezone, not both"),
        ("domain/clock",                  json!({"timer": {"tsc": {}}}),               "/timer/tsc",    "is no field that KubeVirt knows"),
        ("domain/clock",                  json!({"timezone": "../../etc"}),            "/timezone",     "is \"../../etc\": must be the name of a time zone"),
        ("domain/features/smm/enabled",   json!(false),                                "-",             "must stay on: secure boot needs it"),
        ("domain/features/hyperv",        json!({"synic": {}, "vpindex": {"enabled": false}}), "-",     "has hyperv synic, which needs vpindex"),
        ("domain/features/hyperv",        json!({"evmcs": {"enabled": true}, "vapic": {"enabled": false}}), "-", "has hyperv evmcs, which needs vapic"),
        ("domain/features/hyperv",        json!({"spinlocks": {"spinlocks": 1}}),      "/spinlocks/spinlocks", "is 1: must be a whole number from 4096"),
        ("domain/features/hyperv",        json!({"vendorid": {"vendorid": "more than twelve"}}), "/vendorid/vendorid", "is \"more than twelve\": must be 1 to 12"),
        ("domain/features/kvm",           json!({"hidden": "yes"}),                    "/hidden",       "is text: must be true or false"),
        ("domain/features/msr",           json!({}),                                   "",              "is no field that KubeVirt knows"),
        ("domain/devices/rng",            json!({"model": "x"}),                       "/model",        "is no field that KubeVirt knows"),
        ("domain/devices/watchdog",       json!({"name": "dog", "i6300esb": {}, "diag288": {}}),       "/diag288",      "is no field that KubeVirt knows"),
        ("domain/devices/watchdog",       json!({"name": "dog", "i6300esb": {"action": "none"}}), "/i6300esb/action", "is \"none\": must be one of poweroff"),
        ("domain/devices/inputs",         json!([{"name": "k", "type": "keyboard"}]),  "/0/type",       "is \"keyboard\": must be one of tablet"),
        ("domain/devices/inputs",         json!([{"name": "k", "type": "tablet", "bus": "ps2"}]), "/0/bus", "is \"ps2\": must be one of virtio, usb"),
        ("domain/devices/autoattachVSOCK", json!(true),                                "",              "must be false: VSOCK is a feature gate"),
        ("domain/devices/disks/0/cache",  json!("unsafe"),                             "",              "is \"unsafe\": must be one of none, writethrough, writeback"),
        ("domain/devices/disks/0/io",     json!("io_uring"),                           "",              "is \"io_uring\": must be one of native, threads"),
        ("domain/devices/disks/0/errorPolicy", json!("retry"),                         "",              "is \"retry\": must be one of stop, ignore, report, enospace"),
        ("domain/devices/disks/0/disk/bus", json!("ide"),                              "",              "is \"ide\": must be one of virtio, scsi, sata, usb"),
        ("domain/devices/disks/2/dedicatedIOThread", json!(true),                      "",              "needs disk/bus virtio"),
        ("domain/devices/disks/0/blockSize", json!({"custom": {"logical": 1000, "physical": 4096}}), "", "has logical 1000, which is no power of 2"),
        ("domain/devices/disks/0/blockSize", json!({"custom": {"logical": 4096, "physical": 512}}), "",  "has logical 4096, which is more than physical 512"),
        ("domain/devices/disks/0/blockSize", json!({"custom": {"logical": 512, "physical": 512, "discardGranularity": 7}}), "", "has a discardGranularity that is no multiple"),
        ("domain/devices/disks/0/blockSize", json!({"custom": {"logical": 512}}),      "/custom",       "must have physical"),
        ("domain/devices/disks/0/blockSize", json!({"custom": {"logical": 512, "physical": 512}, "matchVolume": {}}), "", "must have custom or matchVolume"),
        ("domain/devices/disks/2/blockSize", json!({"custom": {"logical": 4096, "physical": 4096}}), "", "must have custom.logical 512, as the disk's bus is sata"),
        ("domain/devices/interfaces/0/model", json!("vmxnet3"),                        "",              "is \"vmxnet3\": must be one of virtio, e1000"),
        ("domain/devices/interfaces/0/acpiIndex", json!(0),                            "",              "is 0: must be a whole number from 1 to 16383"),
        ("domain/devices/interfaces/0/dhcpOptions", json!({"ntpServers": ["pool.ntp.org"]}), "/ntpServers/0", "is \"pool.ntp.org\": must be an IPv4 address"),
        ("domain/devices/interfaces/0/dhcpOptions", json!({"privateOptions": [{"option": 12, "value": "x"}]}), "/privateOptions/0/option", "is 12: must be a whole number from 224 to 254"),
        ("domain/devices/interfaces/0/dhcpOptions", json!({"privateOptions": [{"option": 224, "value": "x"}, {"option": 224, "value": "y"}]}), "/privateOptions", "has the option 224 twice"),
        ("nodeSelector",                  json!({"zone": 1}),                          "/zone",         "is a number: must be text"),
        ("nodeSelector",                  json!({"a b": "x"}),                         "/a b",          "is \"a b\": must be a name such as app"),
        ("tolerations",                   json!([{"operator": "Exists", "value": "x"}]), "/0",          "must have no value with operator Exists"),
        ("tolerations",                   json!([{"key": "a", "tolerationSeconds": 1}]), "/0",          "may have tolerationSeconds only with effect NoExecute"),
        ("affinity",                      json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}}), "/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms", "must have an entry"),
        ("affinity",                      json!({"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{}]}}), "/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/0", "must have topologyKey"),
        ("affinity",                      json!({"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
                                              {"topologyKey": "zone", "labelSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}}]}}),
                                          "/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/0/labelSelector/matchExpressions/0", "must have at least one value with operator In"),
        ("topologySpreadConstraints",     json!([{"maxSkew": 0, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]), "/0/maxSkew", "is 0: must be a whole number from 1"),
        ("topologySpreadConstraints",     json!([{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}, {"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]), "", "has topologyKey and whenUnsatisfiable of entry 1 twice"),
        ("priorityClassName",             json!("Gold"),                               "",              "is \"Gold\": must be lower-case letters"),
    ];
    every_row(cases, |(path, value, inner, starts)| {
        let (field, reason, says) = only(patched(&add(path, &value), true).expect_err(path));
        assert_eq!((field.as_str(), reason), (FIELD, PatchInvalid), "{path}: {says}");
        let at = match inner {
            "" => String::new(),
            "-" => format!("{} ", below(if path.contains("smm") { "domain/features/smm" } else { "domain/features" })),
            inner => format!("{}{inner} ", below(path)),
        };
        let want = format!("operation 0 (add {}): {at}{starts}", below(path));
        assert!(says.starts_with(&want), "{says}\nwanted: {want}");
    });
}

/// What is right alone and wrong with something else, in either order.
#[test]
fn x46_fields_that_do_not_fit_together_are_refused() {
    let of = |fields: &[(&str, Value)]| -> Value {
        fields.iter().map(|(path, value)| json!({"op": "add", "path": below(path), "value": value})).collect()
    };
    #[rustfmt::skip]
    let cases = [
        (of(&[("domain/devices/disks/0/cache", json!("writeback")), ("domain/devices/disks/0/io", json!("native"))]),               "operation 1 (add /spec/template/spec/domain/devices/disks/0/io): is native, which needs cache none"),
        (of(&[("domain/devices/disks/0/dedicatedIOThread", json!(true)), ("domain/devices/disks/0/disk/bus", json!("scsi"))]),      "operation 0 (add /spec/template/spec/domain/devices/disks/0/dedicatedIOThread): needs disk/bus virtio"),
        (of(&[("domain/devices/interfaces/0/acpiIndex", json!(1)), ("domain/devices/interfaces/1/acpiIndex", json!(1))]),           "operation 1 (add /spec/template/spec/domain/devices/interfaces/1/acpiIndex): is another interface's already"),
        (of(&[("domain/features/hyperv", json!({})), ("domain/features/hypervPassthrough", json!({}))]),                            "operation 1 (add /spec/template/spec/domain/features/hypervPassthrough): /spec/template/spec/domain/features must have hyperv or hypervPassthrough, not both"),
        (of(&[("dnsConfig", json!({"nameservers": []})), ("dnsPolicy", json!("None"))]),                                            "operation 1 (add /spec/template/spec/dnsPolicy): is \"None\", which needs dnsConfig with a name server"),
        (json!([{"op": "remove", "path": "/spec/template/spec/domain/features"}]),                                                  "operation 0 (remove /spec/template/spec/domain/features): /spec/template/spec/domain/features/smm must stay on: secure boot needs it"),
    ];
    every_row(cases, |(patch, says)| {
        assert_eq!(only(patched(&patch, false).unwrap_err()), (FIELD.to_owned(), PatchInvalid, says.to_owned()));
    });
    let fits = of(&[
        ("domain/cpu/isolateEmulatorThread", json!(true)),
        ("domain/cpu/dedicatedCpuPlacement", json!(true)),
        ("domain/devices/disks/0/cache", json!("none")),
        ("domain/devices/disks/0/io", json!("native")),
        ("dnsConfig", json!({"nameservers": ["10.0.0.53"]})),
        ("dnsPolicy", json!("None")),
        ("domain/ioThreadsPolicy", json!("supplementalPool")),
        ("domain/ioThreads", json!({"supplementalPoolThreadCount": 2})),
    ]);
    assert!(patched(&fits, false).is_ok());
}

/// The size belongs to the Machine, so it may come to disagree with what was patched.
#[test]
fn x46_huge_pages_and_dedicated_cpus_must_fit_the_size() {
    let pages = add("domain/memory/hugepages", &json!({"pageSize": "1Gi"})).to_string();
    let dedicated = add("domain/cpu/dedicatedCpuPlacement", &json!(true)).to_string();
    #[rustfmt::skip]
    let cases = [
        (&pages,     "/spec/template/spec/domain/memory/guest", json!("4Gi"),    None),
        (&pages,     "/spec/template/spec/domain/memory/guest", json!("1536Mi"), Some("needs memory of whole pages")),
        (&pages,     "/spec/template/spec/domain/memory/guest", json!("512Mi"),  Some("needs memory of whole pages")),
        (&dedicated, "/spec/template/spec/domain/cpu/threads",  json!(2),        None),
        (&dedicated, "/spec/template/spec/domain/cpu/threads",  json!(4),        Some("needs spec.resources.cpu.threads of at most 2")),
    ];
    every_row(cases, |(patch, field, value, wrong)| {
        let mut vm = crate::vm();
        *vm.pointer_mut(field).unwrap() = value;
        let read = model::patch::UserPatches::read([(crate::PATCH, patch.as_str())]).unwrap();
        match (read.vm.apply(&vm, false), wrong) {
            (Ok(_), None) => {}
            (Err(violations), Some(wrong)) => assert!(only(violations).2.contains(wrong), "{patch}"),
            (got, wrong) => panic!("{patch} {field}: {got:?}, wanted {wrong:?}"),
        }
    });
}
