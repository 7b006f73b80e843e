//! `disabled-resources`: what is read, what is refused, and what it means.

use model::platform::exclusion::parse;
use model::platform::state::Key;

use crate::table::every_row;

fn key(kind: &str, namespace: Option<&str>, name: &str) -> Key {
    Key { crd: String::new(), kind: kind.to_owned(), namespace: namespace.map(str::to_owned), name: name.to_owned() }
}

#[test]
fn x84_x31_d7_both_forms_are_read() {
    #[rustfmt::skip]
    let rows = [
        ("nothing",                    "",                                                   vec![]),
        ("only blanks",                " \n ,, ",                                            vec![]),
        ("D7: the documented example",     "KubeDescheduler/cluster, MachineConfig/50-swap-enable", vec!["KubeDescheduler/cluster", "MachineConfig/50-swap-enable"]),
        ("lines",                      "A/x\nB/y\n",                                         vec!["A/x", "B/y"]),
        ("with a namespace",           "A/ns/x",                                             vec!["A/ns/x"]),
        ("patterns",                   "MachineConfig/5?-swap-*",                            vec!["MachineConfig/5?-swap-*"]),
        ("X31: a YAML list",           "- kind: A\n  name: x\n- kind: B\n  namespace: ns\n  name: 'y*'\n", vec!["A/x", "B/ns/y*"]),
        ("a JSON list",                r#"[{"kind": "A", "name": "x", "namespace": "ns"}]"#, vec!["A/ns/x"]),
        ("an empty list",              "[]",                                                 vec![]),
    ];
    every_row(rows, |(name, text, want)| {
        let rules = parse(text).expect(name);
        assert_eq!(rules.iter().map(model::platform::exclusion::Rule::text).collect::<Vec<_>>(), want, "{name}");
    });
}

#[test]
fn x84_p1_what_is_not_read_is_an_error_and_never_nothing() {
    let many = "A/x,".repeat(65);
    let long = format!("A/{}", "x".repeat(16 << 10));
    #[rustfmt::skip]
    let rows = [
        ("no slash",              "KubeDescheduler",                         "\"KubeDescheduler\" must be Kind/name or Kind/namespace/name"),
        ("four parts",            "a/b/c/d",                                 "\"a/b/c/d\" must be Kind/name or Kind/namespace/name"),
        ("no kind",               "/x",                                      "the kind is empty"),
        ("no name",               "A/",                                      "the name is empty"),
        ("no namespace between",  "A//x",                                    "the namespace is empty"),
        ("a strange letter",      "A/x;y",                                   "the name \"x;y\" is none"),
        ("one bad of many",       "A/x, B",                                  "\"B\" must be"),
        ("an unknown key",        "- kind: A\n  nme: x\n",                   "entry 0 has an unknown key \"nme\" (did you mean \"name\"?)"),
        ("an empty kind",         "- kind: ''\n  name: x\n",                 "entry 0: the kind is empty"),
        ("no name in an entry",   "[{\"kind\": \"A\"}]",                     "entry 0: the name is empty"),
        ("a number for a name",   "- kind: A\n  name: 5\n",                  "entry 0: name must be text"),
        ("an entry of text",      "- A/x\n",                                 "entry 0 must have kind and name"),
        ("a list that is cut",    "[{\"kind\": \"A\"",                       "is no list of {kind, name, namespace}"),
        ("two documents",         "- kind: A\n  name: x\n---\n- kind: B\n",  "is no list of {kind, name, namespace}"),
        ("an alias",              "- &a {kind: A, name: x}\n- *a\n",         "is no list of {kind, name, namespace}"),
        ("too many",              many.as_str(),                             "has 65 rules, may have 64"),
        ("too long",              long.as_str(),                             "is 16386 bytes long, may have 16384"),
    ];
    every_row(rows, |(name, text, want)| {
        let why = parse(text).expect_err(name);
        assert!(why.starts_with(want), "{name}: {why}");
    });
}

#[test]
fn x84_a_rule_means_objects_by_kind_name_and_namespace() {
    #[rustfmt::skip]
    let rows = [
        ("the object",                      "A/x",        key("A", None, "x"),              true),
        ("case of a kind does not count",   "aB/x",       key("Ab", None, "x"),             true),
        ("case of a name does",             "A/X",        key("A", None, "x"),              false),
        ("another name",                    "A/x",        key("A", None, "xy"),             false),
        ("in any namespace",                "A/x",        key("A", Some("ns"), "x"),        true),
        ("in this namespace",               "A/ns/x",     key("A", Some("ns"), "x"),        true),
        ("in another one",                  "A/ns/x",     key("A", Some("other"), "x"),     false),
        ("a namespace where there is none", "A/ns/x",     key("A", None, "x"),              false),
        ("*",                               "A/50-*",     key("A", None, "50-swap-enable"), true),
        ("* in the middle",                 "A/5*enable", key("A", None, "50-swap-enable"), true),
        ("* for nothing",                   "A/x*",       key("A", None, "x"),              true),
        ("two *",                           "A/*swap*",   key("A", None, "50-swap-enable"), true),
        ("* that does not end",             "A/*swap",    key("A", None, "50-swap-enable"), false),
        ("?",                               "A/5?-x",     key("A", None, "50-x"),           true),
        ("? is one letter",                 "A/5?x",      key("A", None, "5x"),             false),
        ("everything",                      "*/*",        key("A", Some("ns"), "x"),        true),
    ];
    every_row(rows, |(name, text, key, want)| {
        assert_eq!(parse(text).expect(name)[0].excludes(&key), want, "{name}");
    });
    let slow = format!("A/{}b", "*a".repeat(120));
    assert!(!parse(&slow).expect("a pattern")[0].excludes(&key("A", None, &"a".repeat(253))), "and that at once");
}

#[test]
fn x84_a_rule_that_means_nothing_is_named_with_the_nearest() {
    let known = [key("KubeDescheduler", Some("ns"), "cluster"), key("MachineConfig", None, "50-swap-enable")];
    #[rustfmt::skip]
    let rows = [
        ("KubeDescheduler/cluster", None),
        ("KubeDescheduler/clustr",  Some("the exclusion KubeDescheduler/clustr matches nothing (did you mean KubeDescheduler/cluster?)")),
        ("Deployment/web",          Some("the exclusion Deployment/web matches nothing")),
    ];
    every_row(rows, |(text, want)| {
        assert_eq!(parse(text).expect(text)[0].idle(&known).as_deref(), want);
    });
}
