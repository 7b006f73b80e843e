//! What is kept of the networks of a cluster.

use super::*;

fn key(namespace: &str, name: &str) -> ObjectKey {
    ObjectKey { namespace: namespace.to_owned(), name: name.to_owned() }
}

fn seen(uid: &str, ours: bool) -> Seen {
    Seen { uid: uid.to_owned(), ours }
}

/// The names of a namespace, with what is known of each.
fn told(index: &AttachmentIndex, used: Option<&[&str]>) -> String {
    let used = used.map(|used| used.iter().map(|name| (*name).to_owned()).collect());
    match index.of("shop", || used) {
        Attachments::Unknown(why) => why,
        Attachments::NotInstalled => "not installed".to_owned(),
        Attachments::Listed(all) => {
            let one = |(name, it): (&String, &Attachment)| {
                let marks = [(it.ours, "!"), (it.in_use, "+")];
                let marks = marks.into_iter().filter(|(is, _)| *is).map(|(_, mark)| mark).collect::<String>();
                format!("{name}{marks}")
            };
            all.iter().map(one).collect::<Vec<_>>().join(" ")
        }
    }
}

#[test]
fn kvo12_d8_what_is_known_of_the_networks_of_a_cluster() {
    let index = AttachmentIndex::default();
    let listed = vec![
        (key("shop", "vlan5"), seen("1", true)),
        (key("shop", "admins"), seen("2", false)),
        (key("shops", "x"), seen("3", true)),
    ];
    assert_eq!(told(&index, None), "it was not asked yet");
    assert_eq!(index.take(Heard::NotInstalled), Ok(vec![]));
    index.saw(key("shop", "vlan5"), seen("1", true));
    assert_eq!(told(&index, None), "not installed", "D8");
    assert_eq!(index.take(Heard::Refused("a right is missing".to_owned())), Ok(vec![]));
    assert_eq!(told(&index, None), "a right is missing", "D8");
    assert_eq!(index.take(Heard::Step(Step::Listed(listed))), Ok(vec![]));
    assert_eq!(told(&index, Some(&[])), "admins vlan5!", "of that namespace alone");
    assert_eq!(told(&index, Some(&["vlan5"])), "admins vlan5!+");
    assert_eq!(told(&index, None), "admins+ vlan5!+", "while a VM may be there unseen, all are in use");
    index.forget(&key("shop", "vlan5"));
    index.saw(key("shop", "vlan5"), seen("4", true));
    index.saw_some(key("shop", "vlan5"));
    assert_eq!(told(&index, Some(&[])), "admins vlan5!", "that two Machines made it at once takes it from nobody");
    let late = Heard::Step(Step::Deleted((key("shop", "vlan5"), seen("1", true))));
    assert_eq!(index.take(late), Ok(vec![]), "another one has its name by now");
    let gone = Heard::Step(Step::Deleted((key("shop", "vlan5"), seen("4", true))));
    assert_eq!(index.take(gone), Ok(vec![key("shop", "vlan5")]));
    assert_eq!(index.take(Heard::Step(Step::Listed(vec![]))), Ok(vec![key("shop", "admins"), key("shops", "x")]));
    assert_eq!(told(&index, None), "");
    let heavy = vec![(key("shop", "heavy"), seen(&"x".repeat(30 << 20), false))];
    assert!(index.take(Heard::Step(Step::Listed(heavy))).is_err(), "ATK1: no more than a cluster has");
}
