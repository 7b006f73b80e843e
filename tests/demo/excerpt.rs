//! What of the answers of kubectl a person should look at: conditions and Events out of `kubectl describe`, and the cause of a
//! refusal. Pure.

/// The lines of a description that tell of these conditions (by type) and Events (by reason), as they stand there, and `...` for
/// what is left out.
pub(crate) fn of(description: &str, wanted: &[&str]) -> Vec<String> {
    let (mut found, mut condition) = (Vec::new(), Vec::new());
    let mut section = "";
    for line in description.lines() {
        let text = line.trim_start();
        let depth = line.len() - text.len();
        if depth == 0 || (depth == 2 && section != "Events:") {
            section = text;
            condition.clear();
        } else if section.starts_with("Conditions:") {
            condition.push(line.to_owned());
            // The fields of a condition are sorted by name, so its type is the last one.
            if let Some(kind) = text.strip_prefix("Type:") {
                if wanted.contains(&kind.trim()) {
                    let kept = |line: &String| {
                        !["Last Transition Time:", "Observed Generation:"].iter().any(|head| line.contains(head))
                    };
                    found.push("  ...".to_owned());
                    found.extend(condition.drain(..).filter(kept).map(|line| closer(&line)));
                }
                condition.clear();
            }
        } else if section == "Events:" && text.split_whitespace().nth(1).is_some_and(|reason| wanted.contains(&reason))
        {
            if found.last().is_none_or(|last| !last.starts_with("  Normal") && !last.starts_with("  Warning")) {
                found.push("  ...".to_owned());
            }
            found.push(event(text));
        }
    }
    found
}

/// `Message:               every disk is bound`, with the blanks that no left-out line needs.
fn closer(line: &str) -> String {
    let (head, value) = line.split_once(':').unwrap_or((line, ""));
    format!("{:<14}{}", format!("{head}:"), value.trim_start())
}

/// `Normal  Running  4s  kubevirt-operator  the virtual machine runs`, without the columns' blanks.
fn event(line: &str) -> String {
    let parts = line.split("  ").map(str::trim).filter(|part| !part.is_empty());
    format!("  {}", parts.collect::<Vec<_>>().join("  "))
}

/// The first cause of a refusal, and how many more there are.
pub(crate) fn refusal(answer: &str) -> String {
    let causes: Vec<_> = answer.lines().filter_map(|line| line.strip_prefix("* ")).collect();
    match causes.as_slice() {
        [] => {
            let said = answer.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with("Warning:"));
            let said = said.unwrap_or("refused without a word");
            said.split_once(" is invalid: ").map_or(said, |(_, cause)| cause).to_owned()
        }
        [cause] => (*cause).to_owned(),
        [cause, more @ ..] => format!("(1 of {}) {cause}", more.len() + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DESCRIPTION: &str = "\
Name:         web
Spec:
  Disks:
    Name:  data
Status:
  Conditions:
    Last Transition Time:  2026-01-01T00:00:00Z
    Message:               the virtual machine runs
    Observed Generation:   1
    Reason:                Running
    Status:                True
    Type:                  Ready
    Last Transition Time:  2026-01-01T00:00:00Z
    Message:               data grows from 5Gi to 8Gi
    Observed Generation:   1
    Reason:                DiskGrowing
    Status:                False
    Type:                  StorageReady
  Disks:
    Type:  Ready
Events:
  Type    Reason   Age               From               Message
  ----    ------   ----              ----               -------
  Normal  Running  2s (x2 over 32s)  kubevirt-operator  the virtual machine runs
  Normal  Stopped  6s                kubevirt-operator  it is stopped
";

    #[test]
    fn what_matters_of_a_description_stands_as_it_is() {
        let storage = [
            "  ...",
            "    Message:  data grows from 5Gi to 8Gi",
            "    Reason:   DiskGrowing",
            "    Status:   False",
            "    Type:     StorageReady",
        ];
        let running = ["  ...", "  Normal  Running  2s (x2 over 32s)  kubevirt-operator  the virtual machine runs"];
        assert_eq!(of(DESCRIPTION, &["StorageReady"]), storage);
        assert_eq!(of(DESCRIPTION, &["StorageReady", "Running"]), [&storage[..], &running[..]].concat());
        assert_eq!(of(DESCRIPTION, &["Adopted"]), Vec::<String>::new());
    }

    #[test]
    fn a_refusal_is_told_by_its_first_cause() {
        let two = "The Machine \"wrong-vm\" is invalid: \n* spec.disks[1].name: Duplicate value\n* spec.template: not found\n";
        let one = "Warning: an alias\nThe Machine \"wrong-vm\" is invalid: spec.template: not found\n";
        assert_eq!(refusal(two), "(1 of 2) spec.disks[1].name: Duplicate value");
        assert_eq!(refusal(one), "spec.template: not found");
        assert_eq!(refusal("Unable to connect to the server\n"), "Unable to connect to the server");
    }
}
