//! The mistakes, in the order of the files. Each is one replacement of a text that stands exactly once in its file.

use self::Suite::{Tables, Whole};

/// The tests of a suite, by package and target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// The tables of what a reconcile decides.
    Tables,
    /// The simulation of the whole.
    Whole,
}

/// One mistake.
#[derive(Clone, Copy, Debug)]
pub struct Mutation {
    /// What is wrong then.
    pub name: &'static str,
    /// The file, below `shared/model/src`.
    pub file: &'static str,
    /// What stands there, exactly once.
    pub from: &'static str,
    /// What is written instead.
    pub to: &'static str,
    /// A test that fails then, and its suite.
    pub by: (Suite, &'static str),
}

const fn row(
    name: &'static str,
    file: &'static str,
    from: &'static str,
    to: &'static str,
    suite: Suite,
    test: &'static str,
) -> Mutation {
    Mutation { name, file, from, to, by: (suite, test) }
}

const ORDER: &str = "a_machine_is_made_true_in_the_order_of_effects";
const LAWS: &str = "i1_i2_i3_i4_i5_i6_hold_whatever_is_slow_lost_or_gone";

/// All of them.
#[rustfmt::skip]
pub const ALL: &[Mutation] = &[
    // What comes before what.
    row("nothing guards what is made", "machine.rs", "if !admitted.guarded {", "if false {", Tables, ORDER),
    row("another cluster under the name is written to", "machine.rs", "Some(recorded) if recorded != id => return Plan::default(),", "", Tables, ORDER),
    row("a namespace that goes is written to", "machine.rs", "Some(_) if seen.namespace_terminating => {", "Some(_) if false => {", Tables, ORDER),
    row("the record has no identity", "machine.rs", "cluster_id: Some(id.to_owned()),", "cluster_id: None,", Whole, LAWS),
    row("the record does not name the VM", "machine.rs", "next.vm_name = Some(vm.to_owned());", "", Tables, "adoption::x54_an_adopted_vm_shows_what_it_is"),
    row("what is awaited is made again", "machine.rs", "if seen.vm.is_none() && seen.awaited.contains(&(Kind::Vm, identity.vm.name.clone())) {", "if false {", Tables, "adoption::a4_x54_what_is_found_is_adopted_made_or_left_alone"),
    row("a VM without its disks", "machine.rs", "writes.extend(storage::plan(admitted, seen));", "", Tables, ORDER),
    row("a VM in spite of what is missing", "machine.rs", "if refused.is_none() && !storage::waits(admitted, seen) {", "if !storage::waits(admitted, seen) {", Tables, "addresses::c24_x36_a_vm_gets_its_address_with_its_first_start_and_keeps_its_data_while_that_is_missing"),

    // The VM.
    row("an edit does not reach the VM", "machine/vm.rs", "let edited = vm.hash.as_deref() != Some(&wanted.hash());", "let edited = false;", Tables, ORDER),
    row("a dying VM is written to", "machine/vm.rs", "if vm.deleting {", "if false {", Tables, ORDER),
    row("an owner on another cluster", "machine/vm.rs", "Remote::Connected { id } if *id == seen.supervisor => json!([{", "Remote::Connected { id } if !id.is_empty() => json!([{", Tables, "written::an_upgrade_does_not_patch_a_vm_that_nobody_changed"),
    row("a VM that changed meanwhile is adopted", "machine/adoption.rs", "        \"resourceVersion\": stray.resource_version,\n", "", Tables, "adoption::x54_r14_to_adopt_writes_metadata_only_and_to_the_version_that_was_judged"),
    row("a dying VM is adopted", "machine/adoption.rs", "None if read.deleting =>", "None if false =>", Tables, "adoption::x54_r14_kvo6_kvo7_the_vm_itself_says_whose_it_is"),
    row("a stranger's VM is adopted", "machine/owner.rs", "if !uid.is_empty() && owner == uid || asking.may_take_over(vm) {", "if !uid.is_empty() || asking.may_take_over(vm) {", Tables, "adoption::x54_r14_kvo6_kvo7_the_vm_itself_says_whose_it_is"),

    // The disks.
    row("what another Machine left is taken", "machine/owner.rs", "self.machine == machine.to_string() && self.supervisor", "self.supervisor", Tables, "places::atk6_atk12_what_a_machine_left_behind_is_a_strangers_for_every_other"),
    row("a claim of another Machine is taken back", "machine/storage/kept.rs", "let left = Left::read(claim).filter(|_| !owned)?;", "let left = Left::read(claim)?;", Tables, "storage::x116_kvo8_a_kept_disk_is_given_to_whom_it_was_of_and_to_whom_its_namespace_names"),
    row("a lost disk is made anew", "machine/storage/lost.rs", "wanted.is_unmade(seen) && !replaced", "false", Tables, "storage::fr7_a_disk_that_was_there_is_lost_and_no_blank_one_takes_its_place_unasked"),
    row("a dying claim is written to", "machine/storage/follow.rs", ".filter(|claim| !claim.deleting)?", "?", Tables, "leaving::fr7_a_claim_that_goes_is_not_brought_in_line"),

    // The way out.
    row("unmade without a look", "machine/cleanup.rs", "let nothing = seen.vm.is_none() && seen.vmi.is_none() && disks == 0 && seen.awaited.is_empty();", "let nothing = true;", Tables, "places::atk4_what_is_taken_out_of_the_status_of_a_machine_that_goes_leaks_nothing"),
    row("an unknown policy deletes", "machine/cleanup.rs", "let Ok(policy) = leaving.policy else { return Plan::default() };", "let policy = leaving.policy.clone().unwrap_or(DeletionPolicy::Delete);", Tables, ORDER),
    row("another cluster is cleaned up", "machine/cleanup.rs", "Remote::Connected { id } if leaving.identity.cluster_id.as_ref().is_none_or(|recorded| recorded == id) => {}", "Remote::Connected { .. } => {}", Tables, ORDER),
    row("unreachable is gone", "machine/cleanup.rs", "Remote::Connected { .. } | Remote::Missing | Remote::Connecting | Remote::Unreachable(_) => {\n            return Plan::default();", "Remote::Connected { .. } | Remote::Missing | Remote::Connecting | Remote::Unreachable(_) => {\n            return release();", Tables, ORDER),
    row("any cluster is gone for good", "machine/cleanup.rs", "leaving.forsakes_cluster || seen.terms.decommissioned", "true", Tables, "r4_kvo2_a_machine_goes_without_its_cluster_only_by_an_explicit_word"),
    row("disks go under an instance that runs", "machine/cleanup.rs", "None if seen.vmi.is_some() || !seen.awaited.is_empty() => return", "None if !seen.awaited.is_empty() => return", Tables, ORDER),
    row("what is awaited is not waited for", "machine/cleanup.rs", "None if seen.vmi.is_some() || !seen.awaited.is_empty() => return", "None if seen.vmi.is_some() => return", Tables, ORDER),
    row("a VM that lost its labels is in nobody's way", "machine/cleanup.rs", "Lookup::Taken(why) => return Failure { reason: Reason::Conflict, message: why.clone() }.into(),", "Lookup::Taken(_) => {}", Tables, "places::atk9_a_disk_goes_only_after_vm_and_instance_are_proven_gone_by_name"),
    row("no answer is absent", "machine/cleanup.rs", "Lookup::Absent | Lookup::Unasked => {}", "Lookup::Absent | Lookup::Unasked | Lookup::Unknown(_) => {}", Tables, "places::atk9_a_disk_goes_only_after_vm_and_instance_are_proven_gone_by_name"),
    row("Retain deletes, and Delete retains", "machine/cleanup.rs", "let kept = |name: &String| retained && ", "let kept = |name: &String| !retained && ", Tables, ORDER),
    row("released before the claims are gone", "machine/cleanup.rs", "let done = seen.claims.is_empty() && seen.imports.known().next().is_none() && writes.is_empty();", "let done = writes.is_empty();", Tables, "steps::b13_c27_x17_a_deletion_goes_from_the_vm_to_the_finalizer_and_skips_no_step"),
    row("the Secret stays", "machine/cleanup.rs", "DataSecret::Ours { uid } => Some((names::cloud_init_secret(&leaving.identity.key.name), uid.clone())),", "DataSecret::Ours { .. } => None,", Tables, "cloudinit::x57_x70_the_secret_of_a_machine_goes_with_its_vm"),
    row("Orphan does not wait", "machine/cleanup.rs", "if !seen.awaited.is_empty() {", "if false {", Tables, "leaving::x57_orphan_lets_nothing_go_over_what_is_on_its_way"),
    row("what is orphaned has an owner", "machine/cleanup.rs", "    change[\"metadata\"][\"ownerReferences\"] = Value::Null;\n", "", Tables, "x57_an_orphaned_vm_has_nothing_of_ours_left_that_could_delete_it"),
    row("lost labels are not noticed", "machine/standing.rs", "if uses_disk || lost_its_labels(found.metadata) {", "if uses_disk {", Tables, "places::atk9_a_disk_goes_only_after_vm_and_instance_are_proven_gone_by_name"),

    // Who and where it is.
    row("the annotation outranks the record", "machine/identity.rs", "let name = recorded(machine, assigned).and_then(|recorded| recorded.cluster).or(assigned);", "let name = assigned;", Tables, "leaving::x60_a_machine_concerns_the_cluster_that_it_is_recorded_on_whatever_its_annotation_says"),
    row("an assignment that was spoilt is followed", "machine/intent.rs", "(assigned, was.filter(|was| Some(*was) != assigned))", "(assigned, was.filter(|_| false))", Tables, "an_assignment_that_was_spoilt_is_said_and_nothing_is_written"),
    row("a new Machine goes to whatever cluster answers", "machine/observed.rs", "let first = config.filter(|_| recorded.is_none());", "let first = config.filter(|_| false);", Tables, "reach::b23_unknown_is_not_absent_and_first_contact_is_compared_with_the_record_of_the_config"),
    row("the record of interfaces is anybody's", "machine/networks.rs", "(Some(owner), _) if owner == uid => Record::Own(", "(Some(_), _) => Record::Own(", Tables, "records::x57_x59_whose_a_record_is"),

    // What it shows.
    row("it runs without an instance", "machine/status/phase.rs", "let up = seen.vmi.as_ref().is_some_and(|vmi| vmi.phase == \"Running\" && vmi.ready) && !starting && !ending;", "let up = !starting && !ending;", Tables, "adoption::x54_an_adopted_vm_shows_what_it_is"),
    row("another cluster counts as reached", "machine/status/conditions.rs", "Remote::Connected { id } if recorded.is_some_and(|recorded| recorded != id) => said(", "Remote::Connected { id } if recorded.is_some_and(|_| id.is_empty()) => said(", Tables, "leaving::r7_another_cluster_under_the_name_is_not_reached"),
    row("an edit is never seen", "machine/status.rs", "next.observed_generation = Some(identity.generation);", "", Tables, "shown::c21_c26_c51_c52_c53_x18_what_was_seen_becomes_phase_and_conditions"),
];
