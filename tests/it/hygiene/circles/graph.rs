//! Which file takes what from which, and where that closes a circle.

use std::collections::{BTreeMap, BTreeSet};

use super::modules::{Module, read};

/// From a file to another, with the names that it takes.
pub(super) type Arrows<'a> = BTreeMap<&'a str, BTreeMap<&'a str, BTreeSet<&'a str>>>;

/// What a path leads to.
#[derive(Clone, Copy)]
enum Target<'a> {
    Module(usize),
    /// An item: its file and its name.
    Item(&'a str, &'a str),
}

/// The arrows of a crate. A name points at the file in which its item is written, however often it was handed on between;
/// the name of a module alone points nowhere, and neither does a module that hands on what its children define.
pub(super) fn arrows<'a>(root: &'a str, sources: &'a BTreeMap<String, String>) -> Arrows<'a> {
    let house = House { modules: read(root, sources) };
    let mut arrows = Arrows::new();
    for (number, module) in house.modules.iter().enumerate() {
        let taken = (module.uses.iter())
            .filter(|it| !(it.is_public && house.is_within(&it.path, number)) && it.name.is_some())
            .map(|it| &it.path);
        for path in taken.chain(&module.paths) {
            let Some(Target::Item(file, name)) = house.resolve(number, path, &mut BTreeSet::new()) else { continue };
            if file != module.file {
                arrows.entry(module.file).or_default().entry(file).or_default().insert(name);
            }
        }
    }
    arrows
}

struct House<'a> {
    modules: Vec<Module<'a>>,
}

impl<'a> House<'a> {
    /// Whether a path leads into the module's own children.
    fn is_within(&self, path: &[&str], module: usize) -> bool {
        let first = path.iter().find(|segment| **segment != "self");
        first.is_some_and(|first| self.modules[module].children.contains_key(first))
    }

    /// What a path means in a module. `asked` are the names that are being looked for already: globs may lead in circles.
    fn resolve(&self, from: usize, path: &[&'a str], asked: &mut BTreeSet<(usize, &'a str)>) -> Option<Target<'a>> {
        let mut here = from;
        for (at, segment) in path.iter().enumerate() {
            match *segment {
                "crate" => here = 0,
                "self" => {}
                "super" => here = self.modules[here].parent,
                name => {
                    let is_last = at + 1 == path.len();
                    match self.look_up(here, name, is_last, asked)? {
                        Target::Module(module) => here = module,
                        // `Type::method`, `Enum::Variant`.
                        item @ Target::Item(..) => return Some(item),
                    }
                }
            }
        }
        Some(Target::Module(here))
    }

    /// What a name means in a module. A module and an item may share one: the last segment of a path means the item.
    fn look_up(
        &self,
        here: usize,
        name: &'a str,
        is_last: bool,
        asked: &mut BTreeSet<(usize, &'a str)>,
    ) -> Option<Target<'a>> {
        let module = &self.modules[here];
        let item = module.items.contains(name).then_some(Target::Item(module.file, name));
        let child = module.children.get(name).map(|child| Target::Module(*child));
        let (preferred, other) = if is_last { (item, child) } else { (child, item) };
        if preferred.is_some() {
            return preferred;
        }
        if !asked.insert((here, name)) {
            return other;
        }
        let named = module.uses.iter().filter(|it| it.name == Some(name));
        let brought = named.filter_map(|it| self.resolve(here, &it.path, asked)).reduce(|one, two| match one {
            Target::Item(..) if is_last => one,
            Target::Module(_) if !is_last => one,
            Target::Item(..) | Target::Module(_) => two,
        });
        let found = brought.or(other).or_else(|| {
            let everything = module.uses.iter().filter(|it| it.name.is_none());
            everything.into_iter().find_map(|it| match self.resolve(here, &it.path, asked)? {
                Target::Module(module) => self.look_up(module, name, is_last, asked),
                Target::Item(..) => None,
            })
        });
        asked.remove(&(here, name));
        found
    }
}

/// The same arrows without those from a file to a module above it. That a part knows the whole is often natural: it is
/// judged apart.
pub(super) fn without_upward<'a>(arrows: &Arrows<'a>) -> Arrows<'a> {
    let mut kept = arrows.clone();
    for (from, targets) in &mut kept {
        targets.retain(|to, _| !stands_above(to, from));
    }
    kept
}

/// Whether `a/b.rs` is a module above `a/b/c/d.rs`.
fn stands_above(above: &str, file: &str) -> bool {
    let folder =
        above.strip_suffix("lib.rs").or_else(|| above.strip_suffix("mod.rs")).or_else(|| above.strip_suffix(".rs"));
    let inside = folder.and_then(|folder| file.strip_prefix(folder));
    above != file
        && inside
            .is_some_and(|inside| inside.starts_with('/') || above.ends_with("lib.rs") || above.ends_with("mod.rs"))
}

/// The groups of files that reach each other.
pub(super) fn circles<'a>(arrows: &Arrows<'a>) -> Vec<BTreeSet<&'a str>> {
    let reached = |from: &'a str| {
        let mut seen = BTreeSet::new();
        let mut open = vec![from];
        while let Some(file) = open.pop() {
            let next = arrows.get(file).into_iter().flat_map(BTreeMap::keys).copied();
            open.extend(next.filter(|next| seen.insert(*next)));
        }
        seen
    };
    let all: BTreeMap<&str, BTreeSet<&str>> = arrows.keys().map(|file| (*file, reached(file))).collect();
    let mut found: Vec<BTreeSet<&str>> = Vec::new();
    for (file, reaches) in all.iter().filter(|(file, reaches)| reaches.contains(*file)) {
        if !found.iter().any(|circle| circle.contains(file)) {
            found.push(
                reaches.iter().copied().filter(|to| all.get(to).is_some_and(|back| back.contains(file))).collect(),
            );
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The arrows of a made-up crate as `a -> b: Name` without folder and ending, and its circles.
    fn shape(files: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
        let sources = files.iter().map(|(name, text)| (format!("x/src/{name}.rs"), (*text).to_owned())).collect();
        let arrows = arrows("x/src/lib.rs", &sources);
        let brief = |path: &str| path.trim_start_matches("x/src/").trim_end_matches(".rs").to_owned();
        let one = |(from, targets): (&&str, &BTreeMap<&str, BTreeSet<&str>>)| -> Vec<String> {
            let names = |names: &BTreeSet<&str>| names.iter().copied().collect::<Vec<_>>().join(" ");
            targets.iter().map(|(to, taken)| format!("{} -> {}: {}", brief(from), brief(to), names(taken))).collect()
        };
        let circles =
            circles(&arrows).into_iter().map(|circle| circle.iter().map(|it| brief(it)).collect::<Vec<_>>().join(" "));
        (arrows.iter().flat_map(one).collect(), circles.collect())
    }

    #[test]
    fn imports_inline_paths_and_names_of_modules_are_arrows() {
        let (arrows, circles) = shape(&[
            ("lib", "pub mod a; mod b; mod c; pub use c::Late;"),
            (
                "a",
                "use crate::{b::{self, One as First}, c}; fn f() { b::two(); c::inner::deep::<u8>(); vec![crate::b::THREE] }",
            ),
            ("b", "pub struct One; pub fn two() {} pub const THREE: u8 = 3;"),
            ("c", "pub mod inner; pub struct Late;"),
            ("c/inner", "pub fn deep<T>() { other::elsewhere(); std::mem::take(); }"),
        ]);
        assert_eq!(arrows, ["a -> b: One THREE two", "a -> c/inner: deep"]);
        assert_eq!(circles, Vec::<String>::new());
    }

    #[test]
    fn what_is_handed_on_points_to_where_it_is_written() {
        let (arrows, circles) = shape(&[
            ("lib", "mod room; mod guest;"),
            ("room", "mod left; mod right; pub use left::Left; pub use self::right::*;"),
            ("room/left", "use super::Right; pub struct Left(Right);"),
            ("room/right", "pub struct Right;"),
            ("guest", "fn f(_: crate::room::Left) -> crate::room::Right {}"),
        ]);
        assert_eq!(
            arrows,
            ["guest -> room/left: Left", "guest -> room/right: Right", "room/left -> room/right: Right"]
        );
        assert_eq!(circles, Vec::<String>::new());
    }

    #[test]
    fn a_parent_and_its_child_are_a_circle_if_each_uses_the_other() {
        let child = "use super::Part; pub fn build() -> Part { Part }";
        let (_, circles) =
            shape(&[("lib", "mod p;"), ("p", "mod c; pub use c::build; pub struct Part;"), ("p/c", child)]);
        assert_eq!(circles, Vec::<String>::new(), "handing on is not using");
        let uses = "mod c; pub struct Part; fn all() { c::build(); }";
        let (arrows, circles) = shape(&[("lib", "mod p;"), ("p", uses), ("p/c", child)]);
        assert_eq!(arrows, ["p -> p/c: build", "p/c -> p: Part"]);
        assert_eq!(circles, ["p p/c"]);
    }

    #[test]
    fn what_a_part_takes_from_the_whole_can_be_left_out() {
        let above = [("x/lib.rs", "x/a/b.rs"), ("x/a.rs", "x/a/b.rs"), ("x/a.rs", "x/a/b/c.rs")];
        let beside = [("x/a.rs", "x/ab/c.rs"), ("x/a/b.rs", "x/a.rs"), ("x/a/b.rs", "x/a/c.rs"), ("x/a.rs", "x/a.rs")];
        assert!(above.iter().all(|(one, other)| stands_above(one, other)));
        assert!(!beside.iter().any(|(one, other)| stands_above(one, other)));
        let names = || BTreeSet::from(["Part"]);
        let both = Arrows::from([
            ("x/a.rs", BTreeMap::from([("x/a/b.rs", names())])),
            ("x/a/b.rs", BTreeMap::from([("x/a.rs", names())])),
        ]);
        assert_eq!(circles(&both), [BTreeSet::from(["x/a.rs", "x/a/b.rs"])]);
        assert_eq!(circles(&without_upward(&both)), Vec::<BTreeSet<&str>>::new());
    }

    #[test]
    fn a_circle_through_several_files_is_one_and_tests_close_none() {
        let (_, circles) = shape(&[
            ("lib", "mod a; mod b; mod c; mod d; mod e;"),
            ("a", "use crate::b::B; pub struct A;"),
            ("b", "use crate::c::C; pub struct B;"),
            ("c", "fn f(a: crate::a::A) {} pub struct C;"),
            ("d", "use crate::a::A; pub struct D; #[cfg(test)] mod tests { use crate::e::E; }"),
            ("e", "use crate::d::D; pub struct E;"),
        ]);
        assert_eq!(circles, ["a b c"]);
    }

    #[test]
    fn a_module_within_a_file_is_part_of_the_file() {
        let (arrows, _) = shape(&[
            ("lib", "mod a; mod b;"),
            (
                "a",
                "pub struct Own; mod inner { use super::Own; use crate::b::Other; pub fn f() {} } fn g() { inner::f() }",
            ),
            ("b", "pub struct Other;"),
        ]);
        assert_eq!(arrows, ["a -> b: Other"]);
    }
}
