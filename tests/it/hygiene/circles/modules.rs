//! The modules of a crate as its source declares them: what each defines, what it takes in, and which names its code uses.

use std::collections::{BTreeMap, BTreeSet};

use super::tokens::{Token, product};

/// One module: a file, or a `mod name { … }` within one.
#[derive(Debug, Default)]
pub(super) struct Module<'a> {
    pub(super) file: &'a str,
    /// Number of the module around it; its own for the root.
    pub(super) parent: usize,
    pub(super) children: BTreeMap<&'a str, usize>,
    pub(super) items: BTreeSet<&'a str>,
    pub(super) uses: Vec<Use<'a>>,
    /// Paths in the code, a single name as one segment.
    pub(super) paths: Vec<Vec<&'a str>>,
}

/// One name that a `use` brings in; none for everything of a module.
#[derive(Debug)]
pub(super) struct Use<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) path: Vec<&'a str>,
    /// Handed on to others: `pub use`.
    pub(super) is_public: bool,
}

/// The modules below the file `root`; the first is the root itself.
pub(super) fn read<'a>(root: &'a str, sources: &'a BTreeMap<String, String>) -> Vec<Module<'a>> {
    let mut modules = vec![Module { file: root, ..Module::default() }];
    let mut open = vec![(0, root.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned())];
    while let Some((number, folder)) = open.pop() {
        let file = modules[number].file;
        let tokens = product(&sources[file]);
        for (child, name) in (Reader { tokens: &tokens, at: 0 }).fill(&mut modules, number) {
            let candidates = [format!("{folder}/{name}.rs"), format!("{folder}/{name}/mod.rs")];
            let found = candidates.iter().find_map(|path| sources.get_key_value(path));
            let (path, _) = found.unwrap_or_else(|| panic!("{file}: no file for `mod {name};`"));
            modules[child].file = path;
            open.push((child, format!("{folder}/{name}")));
        }
    }
    modules
}

/// Keywords before the name of an item.
const ITEMS: [&str; 8] = ["fn", "struct", "enum", "union", "type", "const", "static", "trait"];

struct Reader<'t, 'a> {
    tokens: &'t [Token<'a>],
    at: usize,
}

impl<'a> Reader<'_, 'a> {
    /// Reads one file into its module, and the modules within it. Answers with the children that are files of their own.
    fn fill(mut self, modules: &mut Vec<Module<'a>>, number: usize) -> Vec<(usize, &'a str)> {
        let mut children = Vec::new();
        let mut depth = 0;
        // The module that is being read, and the depth of its items.
        let mut inside = vec![(number, 0)];
        while let Some(token) = self.token(0) {
            let (module, own) = *inside.last().expect("invariant: the file's module is never left");
            let next = self.name(1);
            match (token, next) {
                (Token::Sign('{'), _) => depth += 1,
                (Token::Sign('}'), _) => {
                    depth -= 1;
                    if inside.len() > 1 && depth < own {
                        inside.pop();
                    }
                }
                (Token::Name("mod"), Some(name)) => {
                    let child = modules.len();
                    modules.push(Module { file: modules[module].file, parent: module, ..Module::default() });
                    modules[module].children.insert(name, child);
                    self.at += 2;
                    if self.token(0) == Some(Token::Sign('{')) {
                        depth += 1;
                        inside.push((child, depth));
                    } else {
                        children.push((child, name));
                    }
                }
                (Token::Name("use"), _) if self.token(1) != Some(Token::Sign('<')) => {
                    let is_public = matches!(self.before(), Some(Token::Name("pub") | Token::Sign(')')));
                    self.at += 1;
                    self.tree(&mut Vec::new(), is_public, &mut modules[module].uses);
                    continue;
                }
                (Token::Name("macro_rules"), _) if depth == own => modules[module].items.extend(self.name(2)),
                (Token::Name(word), Some(name)) if ITEMS.contains(&word) && depth == own => {
                    modules[module].items.insert(name);
                }
                (Token::Name(_), _) if !matches!(self.before(), Some(Token::Path | Token::Sign('.'))) => {
                    modules[module].paths.push(self.path());
                    continue;
                }
                _ => {}
            }
            self.at += 1;
        }
        children
    }

    fn token(&self, ahead: usize) -> Option<Token<'a>> {
        self.tokens.get(self.at + ahead).copied()
    }

    fn name(&self, ahead: usize) -> Option<&'a str> {
        match self.token(ahead) {
            Some(Token::Name(name)) => Some(name),
            Some(Token::Path | Token::Sign(_)) | None => None,
        }
    }

    fn before(&self) -> Option<Token<'a>> {
        self.at.checked_sub(1).map(|at| self.tokens[at])
    }

    /// The path that begins here, `a::b` of `a::b::<C>()`.
    fn path(&mut self) -> Vec<&'a str> {
        let mut path: Vec<&str> = self.name(0).into_iter().collect();
        self.at += 1;
        while let (Some(Token::Path), Some(name)) = (self.token(0), self.name(1)) {
            path.push(name);
            self.at += 2;
        }
        path
    }

    /// One tree of a `use`, up to the `,`, `;` or `}` behind it.
    fn tree(&mut self, above: &mut Vec<&'a str>, is_public: bool, uses: &mut Vec<Use<'a>>) {
        let length = above.len();
        while let Some(token) = self.token(0) {
            self.at += 1;
            match token {
                Token::Path => {}
                Token::Name("as") => {
                    let path = above.clone();
                    uses.push(Use { name: self.name(0), path, is_public });
                    self.at += 1;
                    above.truncate(length);
                    return;
                }
                Token::Name(name) => {
                    above.push(name);
                    if !matches!(self.token(0), Some(Token::Path | Token::Name("as"))) {
                        // `a::{self}` is `a`.
                        let path: Vec<&str> = match above.as_slice() {
                            [path @ .., "self"] if !path.is_empty() => path.to_vec(),
                            path => path.to_vec(),
                        };
                        uses.push(Use { name: path.last().copied(), path, is_public });
                        above.truncate(length);
                        return;
                    }
                }
                Token::Sign('*') => {
                    uses.push(Use { name: None, path: above.clone(), is_public });
                    above.truncate(length);
                    return;
                }
                Token::Sign('{') => {
                    while !matches!(self.token(0), Some(Token::Sign('}')) | None) {
                        self.tree(above, is_public, uses);
                        if self.token(0) == Some(Token::Sign(',')) {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    above.truncate(length);
                    return;
                }
                Token::Sign(_) => return,
            }
        }
    }
}
