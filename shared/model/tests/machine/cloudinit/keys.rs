//! SSH keys in user data: every form of YAML keeps what was written, or is left alone with a reason.

use model::cloudinit::keys::add;
use model::cloudinit::takes_keys;

use super::*;

const KEY: &str = "ssh-ed25519 AAAA ann";
const OTHER: &str = "ssh-rsa BBBB \"bob\" \\ é";

fn added(user_data: &str) -> Result<String, String> {
    let keys = [KEY.to_owned(), OTHER.to_owned()];
    add(user_data.as_bytes(), &keys).map(|data| String::from_utf8(data).expect("text"))
}

#[test]
fn x79_keys_are_added_to_every_form_and_nothing_else_changes() {
    const K: &str = r#""ssh-ed25519 AAAA ann""#;
    const O: &str = r#""ssh-rsa BBBB \"bob\" \\ \U000000E9""#;
    let block = format!("ssh_authorized_keys:\n- {K}\n- {O}\n");
    let flow = format!("ssh_authorized_keys: [{K}, {O}]");
    #[rustfmt::skip]
    let cases = vec![
        ("nothing",           "", format!("#cloud-config\n{block}")),
        ("only space",        " \n", format!("#cloud-config\n{block}")),
        ("a header alone",    "#cloud-config", format!("#cloud-config\n{block}")),
        ("only comments",     "#cloud-config\n# later\n", format!("#cloud-config\n# later\n{block}")),
        ("a mapping",         "#cloud-config\n# who\nhostname: a # b\nruncmd:\n  - [ls, -l]\n", format!("#cloud-config\n# who\n{block}hostname: a # b\nruncmd:\n  - [ls, -l]\n")),
        ("YAML 1.1",          "#cloud-config\nfiles:\n- permissions: 0644\n  defer: yes\n", format!("#cloud-config\n{block}files:\n- permissions: 0644\n  defer: yes\n")),
        ("a marker",          "#cloud-config\n---\nhostname: a\n...\n", format!("#cloud-config\n---\n{block}hostname: a\n...\n")),
        ("capitals, space",   "\n#Cloud-Config\nhostname: a\n", format!("\n#Cloud-Config\n{block}hostname: a\n")),
        ("indented",          "#cloud-config\n  hostname: a\n  b: c\n", format!("#cloud-config\n  ssh_authorized_keys:\n  - {K}\n  - {O}\n  hostname: a\n  b: c\n")),
        ("a block at the end", "#cloud-config\nwrite: |+\n  a\n\n", format!("#cloud-config\n{block}write: |+\n  a\n\n")),
        ("no end of line",    "#cloud-config\nwrite: |\n  a", format!("#cloud-config\n{block}write: |\n  a")),
        ("returns",           "#cloud-config\r\nhostname: a\r\n", format!("#cloud-config\r\n{block}hostname: a\r\n")),
        ("é before",          "#cloud-config\n# é\nhostname: é\n", format!("#cloud-config\n# é\n{block}hostname: é\n")),
        ("an anchored key",   "#cloud-config\n&a hostname: b\nc: *a\n", format!("#cloud-config\n{block}&a hostname: b\nc: *a\n")),
        ("in flow",           "#cloud-config\n{hostname: a}\n", format!("#cloud-config\n{{{flow}, hostname: a}}\n")),
        ("empty, in flow",    "#cloud-config\n{}\n", format!("#cloud-config\n{{{flow}, }}\n")),
        ("JSON",              "#cloud-config\n{\"hostname\": \"a\",\n \"b\": [1]}", format!("#cloud-config\n{{{flow}, \"hostname\": \"a\",\n \"b\": [1]}}")),
        ("a list",            "#cloud-config\nssh_authorized_keys:\n  - mine # first\nb: c\n", format!("#cloud-config\nssh_authorized_keys:\n  - {K}\n  - {O}\n  - mine # first\nb: c\n")),
        ("not indented",      "#cloud-config\nssh_authorized_keys:\n- mine\nb: c\n", format!("#cloud-config\nssh_authorized_keys:\n- {K}\n- {O}\n- mine\nb: c\n")),
        ("after a comment",   "#cloud-config\nssh_authorized_keys: # mine\n# here\n- mine\n", format!("#cloud-config\nssh_authorized_keys: # mine\n# here\n- {K}\n- {O}\n- mine\n")),
        ("a list in flow",    "#cloud-config\nssh_authorized_keys: [mine]\n", format!("#cloud-config\nssh_authorized_keys: [{K}, {O}, mine]\n")),
        ("an empty one",      "#cloud-config\nssh_authorized_keys: []\n", format!("#cloud-config\nssh_authorized_keys: [{K}, {O}, ]\n")),
        ("a quoted key",      "#cloud-config\n'ssh_authorized_keys': [mine]\n", format!("#cloud-config\n'ssh_authorized_keys': [{K}, {O}, mine]\n")),
        ("nothing in it",     "#cloud-config\nssh_authorized_keys:\nb: c\n", format!("#cloud-config\nssh_authorized_keys: [{K}, {O}]\nb: c\n")),
        ("nothing at the end", "#cloud-config\nb: c\nssh_authorized_keys:", format!("#cloud-config\nb: c\nssh_authorized_keys: [{K}, {O}]")),
        ("null",              "#cloud-config\nssh_authorized_keys: ~ # none\n", format!("#cloud-config\nssh_authorized_keys:  [{K}, {O}] # none\n")),
        ("elsewhere, too",    "#cloud-config\nusers:\n- name: a\n  ssh_authorized_keys: [b]\n", format!("#cloud-config\n{block}users:\n- name: a\n  ssh_authorized_keys: [b]\n")),
        ("one is there",      "#cloud-config\nssh_authorized_keys: ['ssh-ed25519 AAAA ann']\n", format!("#cloud-config\nssh_authorized_keys: [{O}, 'ssh-ed25519 AAAA ann']\n")),
        ("an archive",        "#cloud-config-archive\n- a\n", "#cloud-config-archive\n- a\n".to_owned()),
        ("a script",          "#!/bin/sh\n", "#!/bin/sh\n".to_owned()),
    ];
    every_row(cases, |(name, before, wanted)| assert_eq!(added(before), Ok(wanted), "{name}"));
    assert_eq!(add(b"#cloud-config\n: broken: [", &[]), Ok(b"#cloud-config\n: broken: [".to_vec()), "no keys");
}

#[test]
fn x79_t19_where_keys_cannot_be_added_the_reason_is_said_and_nothing_of_the_data() {
    #[rustfmt::skip]
    let cases = [
        ("a list",            "#cloud-config\n- canary\n",                          "is no mapping"),
        ("a word",            "#cloud-config\ncanary\n",                            "is no mapping"),
        ("no list",           "#cloud-config\nssh_authorized_keys: canary\n",       "has ssh_authorized_keys that are no list"),
        ("an alias",          "#cloud-config\na: &a [canary]\nssh_authorized_keys: *a\n", "has ssh_authorized_keys that are no list"),
        ("an anchor",         "#cloud-config\nssh_authorized_keys: &a [canary]\nb: *a\n", "has an anchor on its ssh_authorized_keys"),
        ("twice",             "#cloud-config\nssh_authorized_keys: []\nssh_authorized_keys: []\n", "has ssh_authorized_keys twice"),
        ("merged",            "#cloud-config\na: &a {ssh_authorized_keys: [canary]}\n<<: *a\n", "takes entries from elsewhere by <<"),
        ("several",           "#cloud-config\na: canary\n---\nb: c\n",               "holds several YAML documents"),
        ("no YAML",           "#cloud-config\nb: c\na: [canary\n",                   "is not YAML: line "),
        ("no end in sight",   "#cloud-config\n---\n...\n",                          "has a form to whose ssh_authorized_keys nothing can be added"),
    ];
    every_row(cases, |(name, data, why)| {
        let said = added(data).expect_err(name);
        assert!(said.starts_with(why) && !said.contains("canary"), "{name}: {said}");
    });
    let binary = add(b"#cloud-config\n\xff", &[KEY.to_owned()]);
    assert_eq!(binary, Err("is not UTF-8".to_owned()));
    let spec = json!({"sshKeys": [KEY], "cloudInit": {"userData": "#cloud-config\n- canary\n"}});
    let failure = carried(&spec).expect_err("no mapping");
    assert_eq!(failure.reason, Reason::SshKeysNotAdded);
    let says = "spec.sshKeys cannot be added to the user data, which is no mapping: put them there yourself";
    assert!(failure.message.starts_with(says), "{failure:?}");
}

#[test]
fn x79_admission_and_controller_agree_on_what_takes_keys() {
    #[rustfmt::skip]
    let cases = [
        ("", true), ("  \n", true), ("#cloud-config", true), ("\n#CLOUD-CONFIG\na: b", true), ("#cloud-config # mine", true),
        ("#cloud-config-archive\n- a", false), ("#cloud-config-jsonp\n[]", false), ("#!/bin/sh", false), ("## template: jinja\n#cloud-config", false),
    ];
    every_row(cases, |(data, takes)| assert_eq!(takes_keys(data.as_bytes()), takes, "{data}"));
}
